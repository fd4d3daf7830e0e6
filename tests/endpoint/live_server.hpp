#pragma once
/// A real Server on the loopback interface for tests, in the test's own process, with an echo at /echo.

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "sinnet/endpoint/server.hpp"
#include "support/socket_client.hpp"

namespace sinnet::test {

using namespace std::chrono_literals;

/// Something that threads report and a test waits for.
class Reports {
 public:
  void add(std::string text) {
    const std::lock_guard lock(mutex_);
    texts_.push_back(std::move(text));
    changed_.notify_all();
  }
  /// All so far, once there are at least `count`, or after ten seconds.
  std::vector<std::string> wait(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, 10s, [&] { return texts_.size() >= count; });
    return texts_;
  }
  std::vector<std::string> now() {
    const std::lock_guard lock(mutex_);
    return texts_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> texts_;
};

/// Asks again until it holds, for at most ten seconds. For what another thread is about to do and tells
/// nobody.
inline bool comes_true(const std::function<bool()>& condition) {
  const Time until = io::Loop::read_clock() + 10s;
  while (!condition()) {
    if (io::Loop::read_clock() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

class LiveServer {
 public:
  explicit LiveServer(endpoint::ServerOptions options = {}) : server(std::move(options)) {
    EXPECT_TRUE(server.route("/echo", endpoint::make_echo_handler()));
  }
  ~LiveServer() { server.stop(); }

  /// Listens on a port of the kernel's choice and starts.
  LiveServer& start(endpoint::ListenerOptions options = {}) {
    const auto address = server.listen("127.0.0.1:0", std::move(options));
    EXPECT_TRUE(address) << (address ? "" : address.error().message);
    port = address ? address->port() : 0;
    const auto started = server.start();
    EXPECT_TRUE(started) << (started ? "" : started.error().message);
    return *this;
  }

  [[nodiscard]] SocketClient connect() const { return SocketClient::tcp(port); }
  /// A client whose WebSocket is open.
  [[nodiscard]] SocketClient open(std::string_view target = "/echo", std::string_view extra = {}) const {
    SocketClient client = connect();
    EXPECT_EQ(status_of(client.upgrade(target, extra)), 101) << target;
    return client;
  }
  /// Whether a fresh client is served: what an attack must not change.
  [[nodiscard]] bool serves_others() const {
    SocketClient client = connect();
    return status_of(client.upgrade("/echo")) == 101 && client.echoes("still there");
  }
  /// The whole answer to bytes on a connection of their own.
  [[nodiscard]] std::string answer_to(std::string_view request) const {
    SocketClient client = connect();
    client.send(request);
    return client.read_to_end();
  }

  endpoint::Server server;
  unsigned port = 0;
};

}  // namespace sinnet::test
