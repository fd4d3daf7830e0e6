/// Echo load: every connection keeps `depth` messages in flight. Never builds a frame while measuring.
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "load.hpp"

namespace load {

namespace {

constexpr std::size_t kReadBytes = 256 * 1024;   // stays in the second-level cache
constexpr std::size_t kBlockBytes = 256 * 1024;  // copies of the frame for one write

struct Connection {
  Wire wire;
  ReplyReader reader;
  std::uint64_t owed = 0;      // bytes to be sent before the flight is full again
  std::size_t offset = 0;      // where in the block the next of them is
  std::uint64_t raw_rest = 0;  // raw mode: bytes of the unfinished reply
};

/// All connections and the one frame they send over and over.
class Echo {
 public:
  explicit Echo(const Options& options)
      : options_(options),
        raw_(options.mode == "raw"),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        input_(kReadBytes) {
    expected_.opcode = options.text ? 1 : 2;
    expected_.deflate = options.deflate;
    expected_.payload = make_payload(options.bytes, options.text);
    const auto sent = options.deflate ? deflate_payload(expected_.payload) : expected_.payload;
    const auto frame = make_frame(expected_.opcode, sent, options.deflate);
    frame_bytes_ = frame.size();
    const std::size_t copies = std::clamp<std::size_t>(kBlockBytes / frame.size(), 1, options.depth);
    for (std::size_t i = 0; i < copies; ++i) block_.insert(block_.end(), frame.begin(), frame.end());
  }

  void open() {
    connections_.resize(options_.connections);
    for (Connection& connection : connections_) {
      connection.wire = open_wire(options_, options_.path);
      connection.owed = frame_bytes_ * options_.depth;
      // Edge-triggered and always interested in both: no epoll_ctl while measuring.
      epoll_event event{EPOLLIN | EPOLLOUT | EPOLLET, {.ptr = &connection}};
      if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.wire.fd, &event) != 0) fail_errno("epoll_ctl");
    }
  }

  int run() {
    Window window(options_);
    epoll_event events[512];
    while (window.continues(work())) {
      const int count = epoll_wait(epoll_, events, 512, window.wait_ms());
      for (int i = 0; i < count; ++i) serve(*static_cast<Connection*>(events[i].data.ptr));
    }
    const double share = totals_.messages == 0 ? 0
                                               : static_cast<double>(totals_.compressed) /
                                                     static_cast<double>(totals_.messages);
    window.print(",\"congestion\":\"" + congestion_of(connections_[0].wire.fd) + "\",\"frame_bytes\":" +
                 std::to_string(frame_bytes_) + ",\"compressed_share\":" + std::to_string(share));
    return 0;
  }

 private:
  /// Messages so far; of large ones the finished part too, because a window sees only a few of them.
  double work() const {
    if (options_.deflate || options_.bytes == 0) return static_cast<double>(totals_.messages);
    const std::size_t unit = raw_ ? frame_bytes_ : options_.bytes;
    return static_cast<double>(totals_.payload_bytes) / static_cast<double>(unit);
  }

  void serve(Connection& connection) {
    while (true) {
      const std::size_t got = read_wire(connection.wire, input_);
      if (got > 0) receive(connection, {input_.data(), got});
      send(connection);
      // A short read has emptied the socket, epoll tells of more. Of TLS only "would block" means that.
      if (got == 0 || (connection.wire.ssl == nullptr && got < input_.size())) return;
    }
  }

  void receive(Connection& connection, Bytes bytes) {
    if (raw_) {
      totals_.payload_bytes += bytes.size();
      connection.raw_rest += bytes.size();
      connection.owed += connection.raw_rest / frame_bytes_ * frame_bytes_;
      totals_.messages += connection.raw_rest / frame_bytes_;
      connection.raw_rest %= frame_bytes_;
      return;
    }
    const std::uint64_t before = totals_.messages;
    connection.reader.consume(bytes, expected_, totals_);
    if (connection.reader.is_closed()) fail("the server sent a Close frame");
    connection.owed += (totals_.messages - before) * frame_bytes_;
  }

  void send(Connection& connection) {
    while (connection.owed > 0) {
      const std::size_t size = static_cast<std::size_t>(
          std::min<std::uint64_t>(connection.owed, block_.size() - connection.offset));
      const std::size_t sent = write_wire(connection.wire, {block_.data() + connection.offset, size});
      if (sent == 0) return;  // epoll tells when there is room
      connection.owed -= sent;
      connection.offset = connection.offset + sent == block_.size() ? 0 : connection.offset + sent;
    }
    // Nothing is in the middle of a frame here: start at the block's front, so that one write takes all.
    connection.offset = 0;
  }

  const Options& options_;
  bool raw_;
  int epoll_;
  Expected expected_;
  std::size_t frame_bytes_ = 0;
  std::vector<std::uint8_t> block_;
  std::vector<std::uint8_t> input_;
  std::vector<Connection> connections_;
  Totals totals_;
};

}  // namespace

int run_echo(const Options& options) {
  Echo echo(options);
  echo.open();
  return echo.run();
}

}  // namespace load
