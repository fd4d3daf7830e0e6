/// Idle connections for memory measurements: opens them, reports, holds them until standard input ends.
/// Never sends anything but the answers to pings.
#include <sys/epoll.h>
#include <unistd.h>

#include <cstdio>
#include <vector>

#include "load.hpp"

namespace load {

namespace {

struct Sleeper {
  Wire wire;
  ReplyReader reader;
};

void report(const Options& options, std::uint64_t before) {
  std::printf("{\"mode\":\"idle\",\"connections\":%zu", options.connections);
  if (options.server_pid != 0) {
    const std::uint64_t after = resident_bytes(options.server_pid);
    std::printf(",\"resident_before\":%llu,\"resident_after\":%llu,\"bytes_per_connection\":%.1f",
                static_cast<unsigned long long>(before), static_cast<unsigned long long>(after),
                (static_cast<double>(after) - static_cast<double>(before)) /
                    static_cast<double>(options.connections));
  }
  std::printf("}\n");
  std::fflush(stdout);
}

}  // namespace

int run_idle(const Options& options) {
  const std::uint64_t before = options.server_pid != 0 ? resident_bytes(options.server_pid) : 0;
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<Sleeper> sleepers(options.connections);
  const auto wires = open_wires(options, options.path, options.connections);
  for (std::size_t i = 0; i < wires.size(); ++i) {
    sleepers[i].wire = wires[i];
    epoll_event event{EPOLLIN, {.ptr = &sleepers[i]}};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, wires[i].fd, &event) != 0) fail_errno("epoll_ctl");
  }
  report(options, before);
  epoll_event input_event{EPOLLIN, {.ptr = nullptr}};
  // A file or /dev/null as standard input cannot be watched: its end has come already.
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input_event) != 0) return 0;
  Totals totals;
  const Expected expected;
  std::vector<std::uint8_t> ping;
  std::uint8_t space[4096];
  while (true) {
    epoll_event event{};
    if (epoll_wait(epoll, &event, 1, -1) < 1) continue;
    auto* sleeper = static_cast<Sleeper*>(event.data.ptr);
    if (sleeper == nullptr) {
      if (::read(STDIN_FILENO, space, sizeof space) <= 0) return 0;
      continue;
    }
    const std::size_t got = read_wire(sleeper->wire, space);
    sleeper->reader.consume({space, got}, expected, totals);
    if (sleeper->reader.is_closed()) fail("the server closed an idle connection");
    if (sleeper->reader.take_ping(ping)) {
      const auto pong = make_frame(10, ping, false);
      if (write_wire(sleeper->wire, pong) != pong.size()) fail("no room for a pong");
    }
  }
}

}  // namespace load
