/// Attacks on totals (docs/attacks.md, J, and 43's descriptors): many connections at once, their memory, and
/// the listener's life without descriptors.

#include <arpa/inet.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "endpoint/live_server.hpp"

namespace sinnet::test {
namespace {

using endpoint::Connection;
using endpoint::ServerOptions;

/// Descriptors for both ends of so many connections, as far as the hard limit goes.
class DescriptorLimit {
 public:
  explicit DescriptorLimit(rlim_t wanted) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit now{.rlim_cur = std::min(wanted, before_.rlim_max), .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &now);
  }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;
  ~DescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

/// Bytes the allocator has handed out; 0 where a sanitizer took its place.
std::size_t bytes_in_use() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 0;
#else
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
#endif
}

ServerOptions roomy() {
  ServerOptions options;
  options.limits.connections_per_ip = 100'000;
  options.limits.handshakes_per_ip = 100'000;
  options.limits.handshake_timeout = 30s;
  return options;
}

std::size_t gone(LiveServer& live) {
  EXPECT_TRUE(comes_true([&] { return live.server.statistics().connections == 0; }));
  EXPECT_TRUE(live.serves_others());
  EXPECT_TRUE(comes_true([&] { return live.server.statistics().connections == 0; }));
  return bytes_in_use();
}

TEST(AttackTotals, Attack98ManyConnectionsAtEachStageLeaveNothingBehind) {
  const DescriptorLimit descriptors(5000);
  LiveServer live(roomy());
  live.start();
  const std::string head = upgrade_head("/echo");
  const auto visit = [&](std::string_view first_bytes, std::size_t count) {
    std::vector<SocketClient> clients;
    for (std::size_t i = 0; i < count; ++i) {
      clients.push_back(live.connect());
      clients.back().send(first_bytes);
    }
    const std::uint64_t accepted = live.server.statistics().accepted;
    EXPECT_TRUE(live.serves_others());
    EXPECT_GE(live.server.statistics().accepted, accepted);
  };
  const std::string message = head + wire_frame(1, std::string(5000, 'x'));
  const std::array<std::string, 5> stages{"", "GET /ec", head, message.substr(0, head.size() + 3000),
                                          message};
  for (const std::string& stage : stages) visit(stage, 1000);  // what grows once has grown
  const std::size_t before = gone(live);
  for (const std::string& stage : stages) visit(stage, 1000);
  const std::size_t after = gone(live);
  EXPECT_LE(after, before + before / 20);
}

TEST(AttackTotals, Attack98ConnectAndCloseAtOnceLeavesNothingBehind) {
  LiveServer live(roomy());
  live.start();
  const auto churn = [&] {
    for (int i = 0; i < 2000; ++i) {
      SocketClient client = live.connect();
      EXPECT_TRUE(client.is_connected()) << i;
      if (i % 2 == 0) client.reset();
    }
  };
  churn();
  const std::size_t before = gone(live);
  churn();
  EXPECT_LE(gone(live), before + before / 20);
  EXPECT_TRUE(live.serves_others());
}

TEST(AttackTotals, Attack99ConnectionAtRestFitsItsBudget) {
  if (bytes_in_use() == 0) GTEST_SKIP() << "a sanitizer's allocator counts differently";
  const DescriptorLimit descriptors(5000);
  ServerOptions options = roomy();
  options.websocket.deflate.enabled = true;
  LiveServer live(options);
  live.start();
  constexpr std::size_t count = 500;
  const auto bytes_each = [&](std::string_view extra, std::string_view message) {
    gone(live);
    const std::size_t before = bytes_in_use();
    std::vector<SocketClient> clients;
    clients.reserve(count);
    const std::size_t own = bytes_in_use() - before;
    for (std::size_t i = 0; i < count; ++i) {
      clients.push_back(live.open("/echo", extra));
      if (!message.empty() && !clients.back().echoes(message)) ADD_FAILURE() << "no echo";
    }
    for (SocketClient& client : clients) client.forget_input();
    return (bytes_in_use() - before - own) / count;
  };
  const std::size_t idle = bytes_each({}, {});
  const std::size_t with_deflate = bytes_each("Sec-WebSocket-Extensions: permessage-deflate\r\n", {});
  const std::size_t after_large = bytes_each({}, std::string(300'000, 'x'));
  RecordProperty("idle_bytes", static_cast<int>(idle));
  RecordProperty("deflate_bytes", static_cast<int>(with_deflate));
  RecordProperty("after_large_bytes", static_cast<int>(after_large));
  // Place and transport are 344 bytes; the rest is room for the test's own clients and what the threads keep.
  EXPECT_LT(idle, 1024u);
  EXPECT_LT(with_deflate, 1024u + 512);
  // One large buffer may be kept for the next borrower, by the thread and not by each connection.
  EXPECT_LT(after_large, 4u * 1024);
  EXPECT_TRUE(live.serves_others());
}

TEST(AttackTotals, Attack100ChannelsOfAnyNamesStayOrdered) {
  LiveServer live;
  ASSERT_TRUE(live.server.route(
      "/join", {.open = {}, .message = [](Connection& connection, const endpoint::Message& message) {
                  connection.join(message.text());
                  if (message.text() == "last") connection.send_text("joined");
                }}));
  live.start();
  SocketClient client = live.open("/join");
  std::string wire;
  for (int i = 0; i < 5000; ++i) wire += wire_frame(1, "channel-" + std::to_string(i * 65'536));
  client.send(wire + wire_frame(1, "last"));
  EXPECT_EQ(client.read_frame()->payload, "joined");
  EXPECT_TRUE(live.serves_others());
}

class TroubleCounter final : public endpoint::ServerObserver {
 public:
  void connection_troubled(std::string_view, std::string_view) override { ++troubles; }
  std::atomic<int> troubles = 0;
};

TEST(AttackTotals, Attack43ListenerOutlivesTheLackOfDescriptors) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "UBSan's vptr check opens a pipe to look at memory, and this test leaves it no descriptor";
#endif
  auto observer = std::make_shared<TroubleCounter>();
  ServerOptions options;
  options.observer = observer;
  LiveServer live(options);
  live.start();
  SocketClient before = live.open();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(live.port));
  std::vector<SocketClient> late;
  for (int i = 0; i < 8; ++i) late.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  {
    const DescriptorLimit descriptors(256);
    std::vector<int> filling;
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) filling.push_back(fd);
    for (SocketClient& client : late) {
      EXPECT_EQ(::connect(client.fd(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    }
    for (SocketClient& client : late) EXPECT_TRUE(client.waits_for_end());
    EXPECT_TRUE(before.echoes("while nobody can come"));
    for (const int fd : filling) ::close(fd);
  }
  EXPECT_GE(observer->troubles, 1);
  EXPECT_TRUE(live.serves_others());
}

void expect_balance(const endpoint::ServerStatistics& statistics) {
  const auto [least, most] =
      std::minmax_element(statistics.connections_per_shard.begin(), statistics.connections_per_shard.end());
  EXPECT_LE(static_cast<double>(*most), 1.3 * static_cast<double>(*least)) << *least << " to " << *most;
}

TEST(AdoptedSocket, ItsConnectionsSpreadOverTheShards) {
  const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_GE(listening, 0);
  ASSERT_EQ(::listen(listening, 4096), 0);  // unbound: the kernel chooses a port
  ServerOptions options = roomy();
  options.shards = 4;
  LiveServer live(options);
  const auto bound = live.server.adopt(listening);
  ASSERT_TRUE(bound);
  live.start();
  std::vector<SocketClient> clients;
  for (int i = 0; i < 400; ++i) {
    clients.push_back(SocketClient::tcp(bound->port()));
    ASSERT_TRUE(clients.back().is_connected()) << i;
    clients.back().send(upgrade_head("/echo"));
  }
  EXPECT_TRUE(comes_true([&] { return live.server.statistics().connections == 400; }));
  expect_balance(live.server.statistics());
}

}  // namespace
}  // namespace sinnet::test
