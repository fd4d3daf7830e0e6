#include "sinnet/io/connector.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "io/sockets.hpp"

namespace sinnet::io::test {
namespace {

using Outcome = std::optional<Result<std::unique_ptr<Transport>>>;

/// Answers what the test scripted, in the next turn.
class ScriptedResolver final : public Resolver {
 public:
  ScriptedResolver(Loop& loop, Result<std::vector<SocketAddress>> answer)
      : loop_(loop), answer_(std::move(answer)) {}
  std::unique_ptr<Pending> resolve(std::string_view, std::uint16_t, Callback callback) override {
    struct Answer final : Pending, Task {
      Callback callback;
      Result<std::vector<SocketAddress>> result;
      void run_task() override { std::exchange(callback, nullptr)(std::move(result)); }
    };
    auto answer = std::make_unique<Answer>();
    answer->callback = std::move(callback);
    answer->result = answer_;
    if (!never) loop_.next_turn(*answer);
    return answer;
  }
  bool never = false;

 private:
  Loop& loop_;
  Result<std::vector<SocketAddress>> answer_;
};

class ConnectorTest : public testing::Test {
 protected:
  ConnectorTest() {
    listener_ = std::move(*Listener::open(SocketAddress::ipv4({127, 0, 0, 1}, 0)));
    static_cast<void>(listener_->start(*loop_, handler_));
  }
  ~ConnectorTest() override {
    for (const int fd : accepted_) ::close(fd);
  }

  /// A loopback address where nobody listens.
  static SocketAddress closed_address() {
    const auto listener = std::move(*Listener::open(SocketAddress::ipv4({127, 0, 0, 1}, 0)));
    return listener->local_address();
  }
  /// A listener whose backlog is full, so that a further connect stays under way.
  static std::pair<std::unique_ptr<Listener>, std::vector<int>> stuck_listener() {
    ListenOptions options;
    options.backlog = 0;
    auto listener = std::move(*Listener::open(SocketAddress::ipv4({127, 0, 0, 1}, 0), options));
    std::vector<int> clients{connect_blocking(listener->local_address())};
    return {std::move(listener), std::move(clients)};
  }
  ConnectCallback record() {
    return [this](auto result) { outcome_ = std::move(result); };
  }
  bool wait(Duration limit = 5s) {
    return turn_until(*loop_, [&] { return outcome_.has_value(); }, limit);
  }

  std::unique_ptr<Loop> loop_ = make_loop();
  std::vector<int> accepted_;
  FunctionAccept handler_{[this](int fd, const SocketAddress&) { accepted_.push_back(fd); }};
  std::unique_ptr<Listener> listener_;
  Outcome outcome_;
};

TEST_F(ConnectorTest, ConnectedTransportCarriesBytes) {
  const auto pending = connect_address(*loop_, listener_->local_address(), Loop::read_clock() + 5s, record());
  EXPECT_FALSE(outcome_);
  ASSERT_TRUE(wait());
  ASSERT_TRUE(*outcome_) << outcome_->error().message;
  Transport& transport = ***outcome_;
  EXPECT_EQ(transport.peer_address(), listener_->local_address());
  const Slice hello{"hello", 5};
  EXPECT_EQ(transport.write({&hello, 1}).bytes, 5U);
  ASSERT_TRUE(turn_until(*loop_, [&] { return !accepted_.empty(); }));
  std::array<char, 8> got{};
  EXPECT_EQ(::recv(accepted_.front(), got.data(), got.size(), MSG_WAITALL & 0), 5);
}

TEST_F(ConnectorTest, RefusedConnectionNamesTheAddressAndIsNotToldInsideTheCall) {
  const SocketAddress nobody = closed_address();
  const auto pending = connect_address(*loop_, nobody, time_never, record());
  EXPECT_FALSE(outcome_);
  ASSERT_TRUE(wait());
  ASSERT_FALSE(*outcome_);
  EXPECT_EQ(outcome_->error().code, ErrorCode::Refused);
  EXPECT_TRUE(outcome_->error().message.starts_with(nobody.to_string()));
}

TEST_F(ConnectorTest, UnixSocketIsConnectedAndAMissingOneIsNotFound) {
  const TemporaryFolder folder;
  const auto address = *SocketAddress::parse("unix:" + folder.path("s"));
  auto pending = connect_address(*loop_, address, time_never, record());
  EXPECT_FALSE(outcome_);
  ASSERT_TRUE(wait());
  EXPECT_EQ(outcome_->error().code, ErrorCode::NotFound);
  const auto listener = std::move(*Listener::open(address));
  outcome_.reset();
  pending = connect_address(*loop_, address, time_never, record());
  EXPECT_FALSE(outcome_);
  ASSERT_TRUE(wait());
  EXPECT_TRUE(*outcome_);
}

TEST_F(ConnectorTest, DeadlineEndsAnAttemptThatHangs) {
  const auto [stuck, clients] = stuck_listener();
  const auto pending = connect_address(*loop_, stuck->local_address(), Loop::read_clock() + 30ms, record());
  ASSERT_TRUE(wait());
  ASSERT_FALSE(*outcome_);
  EXPECT_EQ(outcome_->error().code, ErrorCode::TimedOut);
  for (const int fd : clients) ::close(fd);
}

TEST_F(ConnectorTest, DestroyedAttemptCallsNobody) {
  auto pending = connect_address(*loop_, listener_->local_address(), time_never, record());
  pending.reset();
  pending = connect_address(*loop_, SocketAddress(), time_never, record());
  pending.reset();
  for (int i = 0; i < 5; ++i) loop_->run_once(1ms);
  EXPECT_FALSE(outcome_);
}

TEST_F(ConnectorTest, CallbackMayDestroyItsAttempt) {
  std::unique_ptr<Pending> pending;
  bool called = false;
  pending = connect_address(*loop_, listener_->local_address(), time_never, [&](auto) {
    pending.reset();
    called = true;
  });
  EXPECT_TRUE(turn_until(*loop_, [&] { return called; }));
}

TEST_F(ConnectorTest, HostFallsThroughRefusedAddressesWithoutWaiting) {
  ScriptedResolver resolver(*loop_,
                            std::vector{closed_address(), closed_address(), listener_->local_address()});
  const Time before = Loop::read_clock();
  const auto pending = connect_host(*loop_, resolver, "h", 1, time_never, record());
  ASSERT_TRUE(wait());
  ASSERT_TRUE(*outcome_) << outcome_->error().message;
  EXPECT_LT(Loop::read_clock() - before, 200ms);
}

TEST_F(ConnectorTest, HostTriesTheNextAddressAfterAQuarterOfASecond) {
  const auto [stuck, clients] = stuck_listener();
  ScriptedResolver resolver(*loop_, std::vector{stuck->local_address(), listener_->local_address()});
  const Time before = Loop::read_clock();
  const auto pending = connect_host(*loop_, resolver, "h", 1, time_never, record());
  ASSERT_TRUE(wait());
  ASSERT_TRUE(*outcome_);
  EXPECT_EQ((**outcome_)->peer_address(), listener_->local_address());
  EXPECT_GE(Loop::read_clock() - before, 249ms);
  for (const int fd : clients) ::close(fd);
}

TEST_F(ConnectorTest, HostWhoseAddressesAllRefuseTellsOfTheFirst) {
  const SocketAddress first = closed_address();
  ScriptedResolver resolver(*loop_, std::vector{first, closed_address()});
  const auto pending = connect_host(*loop_, resolver, "example.test", 80, time_never, record());
  ASSERT_TRUE(wait());
  ASSERT_FALSE(*outcome_);
  EXPECT_EQ(outcome_->error().code, ErrorCode::Refused);
  EXPECT_TRUE(outcome_->error().message.starts_with("example.test:80: " + first.to_string()));
}

TEST_F(ConnectorTest, HostFamiliesAlternate) {
  // IPv6 loopback first in the list twice; the IPv4 address is second in the race, so it wins before a
  // quarter second is over.
  const SocketAddress six =
      SocketAddress::ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, closed_address().port());
  ScriptedResolver resolver(*loop_, std::vector{six, six, six, listener_->local_address()});
  const auto pending = connect_host(*loop_, resolver, "h", 1, time_never, record());
  ASSERT_TRUE(wait());
  ASSERT_TRUE(*outcome_);
}

TEST_F(ConnectorTest, DeadlineCoversTheResolution) {
  ScriptedResolver resolver(*loop_, std::vector<SocketAddress>{});
  resolver.never = true;
  const auto pending = connect_host(*loop_, resolver, "h", 1, Loop::read_clock() + 20ms, record());
  ASSERT_TRUE(wait());
  EXPECT_EQ(outcome_->error().code, ErrorCode::TimedOut);
}

TEST_F(ConnectorTest, UnknownHostIsToldAsTheResolverSaidIt) {
  ScriptedResolver resolver(*loop_, fail(ErrorCode::NotFound, "nope"));
  std::unique_ptr<Pending> pending;
  pending = connect_host(*loop_, resolver, "h", 1, time_never, [&](auto result) {
    outcome_ = std::move(result);
    pending.reset();
  });
  ASSERT_TRUE(wait());
  EXPECT_EQ(outcome_->error().code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace sinnet::io::test
