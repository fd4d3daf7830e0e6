/// Handshakes per second: connect, upgrade, close, again. Never sends a data frame.
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "load.hpp"

namespace load {

namespace {

/// One slot: a connection from its connect to its end, then the next one.
struct Slot {
  enum class State { Connecting, Upgrading, Closing };
  Wire wire;
  State state = State::Connecting;
  std::string head;
};

class Knocker {
 public:
  explicit Knocker(const Options& options)
      : options_(options),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        request_(upgrade_request(options, options.path)) {
    const std::uint8_t normal[2] = {0x03, 0xe8};  // RFC 6455 7.4.1: 1000
    close_frame_ = make_frame(8, normal, false);
  }

  int run() {
    if (options_.tls) fail("handshakes over TLS are not measured");
    std::vector<Slot> slots(options_.connections);
    for (Slot& slot : slots) begin(slot);
    const std::string congestion = congestion_of(slots[0].wire.fd);
    Window window(options_);
    epoll_event events[512];
    while (window.continues(static_cast<double>(done_))) {
      const int count = epoll_wait(epoll_, events, 512, window.wait_ms());
      for (int i = 0; i < count; ++i) step(*static_cast<Slot*>(events[i].data.ptr));
    }
    window.print(",\"congestion\":\"" + congestion + "\"");
    return 0;
  }

 private:
  void begin(Slot& slot) {
    slot.wire.fd = start_connect(options_.port);
    slot.state = Slot::State::Connecting;
    slot.head.clear();
    watch(slot, EPOLL_CTL_ADD, EPOLLOUT);
  }

  void watch(Slot& slot, int operation, std::uint32_t interest) {
    epoll_event event{interest, {.ptr = &slot}};
    if (epoll_ctl(epoll_, operation, slot.wire.fd, &event) != 0) fail_errno("epoll_ctl");
  }

  void step(Slot& slot) {
    if (slot.state == Slot::State::Connecting) {
      if (write_wire(slot.wire, {reinterpret_cast<const std::uint8_t*>(request_.data()), request_.size()}) ==
          0)
        return;
      slot.state = Slot::State::Upgrading;
      watch(slot, EPOLL_CTL_MOD, EPOLLIN);
      return;
    }
    std::uint8_t space[4096];
    if (slot.state == Slot::State::Upgrading) {
      const std::size_t got = read_wire(slot.wire, space);
      slot.head.append(reinterpret_cast<const char*>(space), got);
      if (slot.head.find("\r\n\r\n") == std::string::npos) return;
      if (!is_accepted(slot.head, options_)) fail("not the 101 that was asked for:\n" + slot.head);
      if (write_wire(slot.wire, close_frame_) != close_frame_.size()) fail("no room for a Close frame");
      slot.state = Slot::State::Closing;
      return;
    }
    // The server's Close frame, or its end of stream when it keeps the frame for itself: both end it.
    const ssize_t got = ::read(slot.wire.fd, space, sizeof space);
    if (got < 0 && errno == EAGAIN) return;
    if (got > 0 && space[0] != 0x88) fail("the answer to a Close frame is not one");
    ++done_;
    close_wire(slot.wire);
    begin(slot);
  }

  const Options& options_;
  int epoll_;
  std::string request_;
  std::vector<std::uint8_t> close_frame_;
  std::uint64_t done_ = 0;
};

}  // namespace

int run_connect(const Options& options) { return Knocker(options).run(); }

}  // namespace load
