/// Fan-out: one publisher on /publish, everyone on /fanout gets each message. Counts deliveries.
/// Never has more than `depth` publications under way, so what is measured is delivery, not queueing.
#include <sys/epoll.h>

#include <vector>

#include "load.hpp"

namespace load {

namespace {

struct Subscriber {
  Wire wire;
  ReplyReader reader;
};

}  // namespace

int run_fanout(const Options& options) {
  Expected expected;
  expected.opcode = options.text ? 1 : 2;
  expected.payload = make_payload(options.bytes, options.text);
  const auto frame = make_frame(expected.opcode, expected.payload, false);

  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<Subscriber> subscribers(options.connections);
  const auto wires = open_wires(options, "/fanout", options.connections);
  for (std::size_t i = 0; i < wires.size(); ++i) {
    subscribers[i].wire = wires[i];
    epoll_event event{EPOLLIN, {.ptr = &subscribers[i]}};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, wires[i].fd, &event) != 0) fail_errno("epoll_ctl");
  }
  Wire publisher = open_wires(options, "/publish", 1)[0];

  Totals totals;
  std::uint64_t published = 0;
  std::vector<std::uint8_t> input(65536);
  std::vector<epoll_event> events(1024);
  Window window(options);
  while (window.continues(static_cast<double>(totals.messages))) {
    while (published < totals.messages / subscribers.size() + options.depth) {
      if (write_wire(publisher, frame) != frame.size()) fail("the publisher's socket is full");
      ++published;
    }
    const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), window.wait_ms());
    for (int i = 0; i < count; ++i) {
      auto& subscriber = *static_cast<Subscriber*>(events[static_cast<std::size_t>(i)].data.ptr);
      const std::size_t got = read_wire(subscriber.wire, input);
      subscriber.reader.consume({input.data(), got}, expected, totals);
      if (subscriber.reader.is_closed()) fail("the server closed a subscriber");
    }
  }
  window.print(",\"congestion\":\"" + congestion_of(publisher.fd) +
               "\",\"published\":" + std::to_string(published));
  return 0;
}

}  // namespace load
