/// Echo load: every connection keeps `depth` messages in flight. Never builds a frame while measuring.
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "load.hpp"

namespace load {

namespace {

constexpr std::size_t kReadBytes = 256 * 1024;   // stays in the second-level cache
constexpr std::size_t kBlockBytes = 256 * 1024;  // copies of the frame for one write

/// The bytes to be sent over and over: some copies of a frame, whole in memory.
/// A large frame repeats itself every kPayloadPeriod bytes, and so its block maps the same pages again and
/// again: 8 MiB to look at, 64 KiB in the cache. Sending it would else cost us more than it costs the server.
class Block {
 public:
  Block(const std::vector<std::uint8_t>& frame, std::size_t depth) {
    if (frame.size() > kBlockBytes) {
      map(frame);
      return;
    }
    const std::size_t copies = std::clamp<std::size_t>(kBlockBytes / frame.size(), 1, depth);
    for (std::size_t i = 0; i < copies; ++i) copies_.insert(copies_.end(), frame.begin(), frame.end());
    bytes_ = copies_;
  }
  Bytes bytes() const { return bytes_; }

 private:
  /// One private page whose end holds the header, behind it the payload's period as often as needed.
  void map(const std::vector<std::uint8_t>& frame) {
    constexpr std::size_t header = 14;  // RFC 6455 5.2: 2 + 8 bytes of length + 4 of mask
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t periods = (frame.size() - header + kPayloadPeriod - 1) / kPayloadPeriod;
    const int file = memfd_create("payload", MFD_CLOEXEC);
    if (file < 0 || write(file, frame.data() + header, kPayloadPeriod) != kPayloadPeriod) fail_errno("memfd");
    void* start = mmap(nullptr, page + periods * kPayloadPeriod, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) fail_errno("mmap");
    auto* payload = static_cast<std::uint8_t*>(start) + page;
    for (std::size_t i = 0; i < periods; ++i) {
      if (mmap(payload + i * kPayloadPeriod, kPayloadPeriod, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_POPULATE,
               file, 0) == MAP_FAILED) {
        fail_errno("mmap");
      }
    }
    close(file);
    std::memcpy(payload - header, frame.data(), header);
    bytes_ = {payload - header, frame.size()};
    if (std::memcmp(bytes_.data(), frame.data(), frame.size()) != 0) fail("a large payload is not periodic");
  }

  std::vector<std::uint8_t> copies_;
  Bytes bytes_;
};

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
    block_.emplace(frame, options.depth);
  }

  void open() {
    connections_.resize(options_.connections);
    const auto wires = open_wires(options_, options_.path, options_.connections);
    for (std::size_t i = 0; i < wires.size(); ++i) {
      Connection& connection = connections_[i];
      connection.wire = wires[i];
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
    const auto messages = static_cast<double>(std::max<std::uint64_t>(totals_.messages, 1));
    window.print(
        ",\"congestion\":\"" + congestion_of(connections_[0].wire.fd) +
        "\",\"frame_bytes\":" + std::to_string(frame_bytes_) +
        ",\"compressed_share\":" + std::to_string(static_cast<double>(totals_.compressed) / messages) +
        ",\"reply_payload_bytes\":" + std::to_string(static_cast<double>(totals_.payload_bytes) / messages));
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
    const Bytes block = block_->bytes();
    while (connection.owed > 0) {
      const auto size = std::min<std::uint64_t>(connection.owed, block.size() - connection.offset);
      const std::size_t sent = write_wire(connection.wire, block.subspan(connection.offset, size));
      if (sent == 0) return;  // epoll tells when there is room
      connection.owed -= sent;
      connection.offset = connection.offset + sent == block.size() ? 0 : connection.offset + sent;
    }
    // Nothing is in the middle of a frame here: start at the block's front, so that one write takes all.
    connection.offset = 0;
  }

  const Options& options_;
  bool raw_;
  int epoll_;
  Expected expected_;
  std::size_t frame_bytes_ = 0;
  std::optional<Block> block_;
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
