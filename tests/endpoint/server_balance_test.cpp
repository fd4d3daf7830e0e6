/// Ten thousand connections spread over four shards: the fullest holds at most 1.3 times the emptiest.
/// Clients are a process of their own, since both ends of so many want more descriptors than one process may
/// have.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "endpoint/live_server.hpp"
#include "support/scratch.hpp"

namespace sinnet::test {
namespace {

using endpoint::ServerOptions;

constexpr std::size_t connections = 10'000;
constexpr rlim_t descriptors_wanted = connections + 200;

/// A child process that waits for an address, opens all connections to it, and holds them until told to go.
/// Made before the server has threads: a child of fork(2) may not use what they hold.
class Crowd {
 public:
  Crowd() {
    if (::pipe(orders_.data()) != 0 || ::pipe(answers_.data()) != 0) std::abort();
    process_ = ::fork();
    if (process_ == 0) {
      ::close(orders_[1]);
      ::close(answers_[0]);
      ::_exit(be_child());
    }
    ::close(orders_[0]);
    ::close(answers_[1]);
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;
  ~Crowd() {
    ::close(orders_[1]);
    ::close(answers_[0]);
    ::waitpid(process_, nullptr, 0);
  }

  /// A port's number or a Unix socket's path. Answers how many of its connections were opened.
  std::size_t come_to(std::string_view address) {
    const std::string line = std::string(address) + "\n";
    if (::write(orders_[1], line.data(), line.size()) < 0) return 0;
    std::size_t opened = 0;
    return ::read(answers_[0], &opened, sizeof opened) == sizeof opened ? opened : 0;
  }

 private:
  int be_child() {
    std::string address;
    for (char c = 0; ::read(orders_[0], &c, 1) == 1 && c != '\n';) address += c;
    if (address.empty()) return 1;
    unsigned port = 0;
    std::from_chars(address.data(), address.data() + address.size(), port);
    std::vector<SocketClient> clients;
    for (std::size_t i = 0; i < connections; ++i) {
      // Four addresses, so that no port of an earlier run is waited for.
      clients.push_back(port == 0 ? SocketClient::unix_path(address)
                                  : SocketClient::tcp(port, "127.0.0." + std::to_string(1 + i % 4)));
      if (!clients.back().send(upgrade_head("/echo"))) break;
    }
    std::size_t opened = 0;
    for (SocketClient& client : clients) {
      if (status_of(client.read_until("\r\n\r\n")) == 101) ++opened;
    }
    if (::write(answers_[1], &opened, sizeof opened) < 0) return 1;
    char c = 0;
    (void)!::read(orders_[0], &c, 1);  // the end: the parent has counted
    return 0;
  }

  std::array<int, 2> orders_{};
  std::array<int, 2> answers_{};
  pid_t process_ = -1;
};

class ServerBalance : public ::testing::Test {
 protected:
  void SetUp() override {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    if (before_.rlim_max < descriptors_wanted) {
      GTEST_SKIP() << "10,000 connections want " << descriptors_wanted << " descriptors; the hard limit is "
                   << before_.rlim_max;
    }
    const rlimit now{.rlim_cur = descriptors_wanted, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &now);
    crowd_ = std::make_unique<Crowd>();
    ServerOptions options;
    options.shards = 4;
    options.limits.connections_per_ip = connections;
    options.limits.handshakes_per_ip = connections;
    options.limits.handshake_timeout = 60s;
    live_ = std::make_unique<LiveServer>(std::move(options));
  }
  void TearDown() override {
    crowd_.reset();
    live_.reset();
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  void expect_balance(std::string_view address) {
    EXPECT_EQ(crowd_->come_to(address), connections);
    const endpoint::ServerStatistics statistics = live_->server.statistics();
    EXPECT_EQ(statistics.connections, connections);
    ASSERT_EQ(statistics.connections_per_shard.size(), 4u);
    const auto [least, most] =
        std::minmax_element(statistics.connections_per_shard.begin(), statistics.connections_per_shard.end());
    EXPECT_LE(static_cast<double>(*most), 1.3 * static_cast<double>(*least)) << *least << " to " << *most;
    RecordProperty("emptiest", static_cast<int>(*least));
    RecordProperty("fullest", static_cast<int>(*most));
    std::printf("emptiest %zu, fullest %zu of %zu\n", *least, *most, connections);
    EXPECT_TRUE(live_->serves_others());
  }

  rlimit before_{};
  std::unique_ptr<Crowd> crowd_;
  std::unique_ptr<LiveServer> live_;
};

TEST_F(ServerBalance, TenThousandTcpConnectionsSpreadOverFourShards) {
  live_->start();
  expect_balance(std::to_string(live_->port));
}

TEST_F(ServerBalance, TenThousandUnixConnectionsSpreadOverFourShards) {
  const ScratchDirectory folder;
  const std::string path = folder.path("balance.sock");
  ASSERT_TRUE(live_->server.listen("unix:" + path));
  live_->start();
  expect_balance(path);
}

}  // namespace
}  // namespace sinnet::test
