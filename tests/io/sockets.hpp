#pragma once
/// What io tests share: a loop that is turned until something holds, connected socket pairs, recording
/// handlers.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sinnet/io/listener.hpp"
#include "sinnet/io/loop.hpp"
#include "sinnet/io/socket_transport.hpp"

namespace sinnet::io::test {

using namespace std::chrono_literals;

[[nodiscard]] inline std::unique_ptr<Loop> make_loop(LoopOptions options = {}) {
  auto loop = Loop::create(options);
  if (!loop) std::abort();
  return std::move(*loop);
}

/// Turns the loop until `done`, for at most `limit`. Answers whether it was done.
inline bool turn_until(Loop& loop, const std::function<bool()>& done, Duration limit = 5s) {
  const Time until = Loop::read_clock() + limit;
  while (!done()) {
    if (Loop::read_clock() > until) return false;
    loop.run_once(std::min<Duration>(limit, 10ms));
  }
  return true;
}

struct FunctionTimer final : Timer {
  explicit FunctionTimer(std::function<void()> f) : call(std::move(f)) {}
  void handle_timer() override { call(); }
  std::function<void()> call;
};

struct FunctionTask final : Task {
  explicit FunctionTask(std::function<void()> f) : call(std::move(f)) {}
  void run_task() override { call(); }
  std::function<void()> call;
};

struct FunctionWatcher final : Watcher {
  explicit FunctionWatcher(std::function<void(std::uint32_t)> f) : call(std::move(f)) {}
  void handle_events(std::uint32_t events) override { call(events); }
  std::function<void(std::uint32_t)> call;
};

struct FunctionReady final : ReadyHandler {
  explicit FunctionReady(std::function<void(bool, bool)> f) : call(std::move(f)) {}
  void handle_ready(bool readable, bool writable) override { call(readable, writable); }
  std::function<void(bool, bool)> call;
};

struct FunctionAccept final : AcceptHandler {
  explicit FunctionAccept(std::function<void(int, const SocketAddress&)> f) : call(std::move(f)) {}
  void handle_accept(int fd, const SocketAddress& peer) override { call(fd, peer); }
  void handle_accept_trouble(const Error& error) override { troubles.push_back(error); }
  std::function<void(int, const SocketAddress&)> call;
  std::vector<Error> troubles;
};

/// A blocking TCP connection to an address; -1 (with errno) if refused.
[[nodiscard]] inline int connect_blocking(const SocketAddress& address) {
  const int domain = address.family() == AddressFamily::Unix   ? AF_UNIX
                     : address.family() == AddressFamily::Ipv6 ? AF_INET6
                                                               : AF_INET;
  const int fd = ::socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::array<std::byte, 128> native;
  const std::size_t size = address.to_native(native);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(native.data()), static_cast<socklen_t>(size)) == 0)
    return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

/// Two connected blocking TCP sockets.
[[nodiscard]] inline std::pair<int, int> tcp_pair() {
  const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listening, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listening, 1) != 0 ||
      ::getsockname(listening, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();
  }
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
  const int server = ::accept(listening, nullptr, nullptr);
  ::close(listening);
  return {client, server};
}

[[nodiscard]] inline std::pair<int, int> unix_pair() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) std::abort();
  return {fds[0], fds[1]};
}

/// A directory of its own, removed with what is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = testing::TempDir() + "sinnet-io-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    const std::string command = "rm -rf '" + path_ + "'";
    [[maybe_unused]] const int status = std::system(command.c_str());
  }
  [[nodiscard]] std::string path(const std::string& name = {}) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace sinnet::io::test
