#include "sinnet/io/resolver.hpp"

#include <gtest/gtest.h>
#include <sys/epoll.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "io/sockets.hpp"
#include "sinnet/io/connector.hpp"
#include "support/bytes.hpp"

namespace sinnet::io::test {
namespace {

using sinnet::test::bytes;

/// A name server on loopback that knows one name (RFC 1035 4.1): dual.test has 192.0.2.7 and 2001:db8::7.
/// It answers NXDOMAIN for others, and nothing at all for silent.test.
class NameServer {
 public:
  explicit NameServer(Loop& loop)
      : loop_(loop), fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0) std::abort();
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    static_cast<void>(loop_.watch(fd_, EPOLLIN, watcher_));
  }
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;
  ~NameServer() {
    loop_.unwatch(fd_, watcher_);
    ::close(fd_);
  }
  [[nodiscard]] std::string text() const { return "127.0.0.1:" + std::to_string(port_); }
  int questions = 0;

 private:
  void answer() {
    std::array<std::byte, 512> packet;
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    const ssize_t n =
        ::recvfrom(fd_, packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&peer), &size);
    if (n < 12) return;
    ++questions;
    const std::vector<std::byte> question(packet.begin() + 12, packet.begin() + n);
    const std::string_view text = as_text(question);
    if (text.find("silent") != std::string_view::npos) return;
    std::size_t end = 0;
    while (question[end] != std::byte{0}) end += 1 + std::to_integer<std::size_t>(question[end]);
    end += 5;  // the root label, type and class
    const bool is_known = text.find("dual") != std::string_view::npos;
    const bool is_six = question[end - 3] == std::byte{28};
    std::vector<std::byte> reply(packet.begin(), packet.begin() + 2);
    const auto append = [&reply](const std::vector<std::byte>& more) {
      reply.insert(reply.end(), more.begin(), more.end());
    };
    append(bytes(is_known ? "8180 0001 0001 0000 0000" : "8183 0001 0000 0000 0000"));
    append({question.begin(), question.begin() + static_cast<std::ptrdiff_t>(end)});
    if (is_known && is_six) append(bytes("c00c 001c 0001 0000003c 0010 20010db8000000000000000000000007"));
    if (is_known && !is_six) append(bytes("c00c 0001 0001 0000003c 0004 c0000207"));
    ::sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&peer), size);
  }

  Loop& loop_;
  const int fd_;
  std::uint16_t port_ = 0;
  FunctionWatcher watcher_{[this](std::uint32_t) { answer(); }};
};

class ResolverTest : public testing::Test {
 protected:
  std::unique_ptr<Resolver> make_resolver() {
    ResolverOptions options;
    options.servers = server_.text();
    options.try_timeout = 50ms;
    options.tries = 1;
    auto resolver = Resolver::create(*loop_, options);
    EXPECT_TRUE(resolver);
    return std::move(*resolver);
  }
  Resolver::Callback record() {
    return [this](auto result) { outcome_ = std::move(result); };
  }
  bool wait() {
    return turn_until(*loop_, [&] { return outcome_.has_value(); });
  }
  [[nodiscard]] std::vector<std::string> sorted_texts() const {
    std::vector<std::string> out;
    for (const SocketAddress& address : outcome_->value()) out.push_back(address.to_string());
    std::sort(out.begin(), out.end());
    return out;
  }

  std::unique_ptr<Loop> loop_ = make_loop();
  NameServer server_{*loop_};
  std::optional<Result<std::vector<SocketAddress>>> outcome_;
};

TEST_F(ResolverTest, NumericHostsAreAnsweredInTheNextTurnWithoutAsking) {
  const auto resolver = make_resolver();
  for (const auto& [host, text] :
       {std::pair{"127.0.0.1", "127.0.0.1:80"}, {"::1", "[::1]:80"}, {"[::1]", "[::1]:80"}}) {
    outcome_.reset();
    const auto pending = resolver->resolve(host, 80, record());
    EXPECT_FALSE(outcome_);
    ASSERT_TRUE(wait());
    ASSERT_TRUE(*outcome_) << host;
    EXPECT_EQ(sorted_texts(), std::vector<std::string>{text});
  }
  EXPECT_EQ(server_.questions, 0);
}

TEST_F(ResolverTest, LocalhostNeedsNoNameServer) {
  const auto resolver = make_resolver();
  const auto pending = resolver->resolve("localhost", 8080, record());
  EXPECT_FALSE(outcome_);
  ASSERT_TRUE(wait());
  ASSERT_TRUE(*outcome_) << outcome_->error().message;
  for (const SocketAddress& address : **outcome_) {
    EXPECT_TRUE(address.is_loopback());
    EXPECT_EQ(address.port(), 8080);
  }
  EXPECT_EQ(server_.questions, 0);
}

TEST_F(ResolverTest, BothFamiliesAreFound) {
  const auto resolver = make_resolver();
  const auto pending = resolver->resolve("dual.test", 443, record());
  ASSERT_TRUE(wait());
  ASSERT_TRUE(*outcome_) << outcome_->error().message;
  EXPECT_EQ(sorted_texts(), (std::vector<std::string>{"192.0.2.7:443", "[2001:db8::7]:443"}));
}

TEST_F(ResolverTest, UnknownNameIsNotFound) {
  const auto resolver = make_resolver();
  const auto pending = resolver->resolve("nobody.test", 1, record());
  ASSERT_TRUE(wait());
  ASSERT_FALSE(*outcome_);
  EXPECT_EQ(outcome_->error().code, ErrorCode::NotFound);
  EXPECT_TRUE(outcome_->error().message.starts_with("nobody.test: "));
}

TEST_F(ResolverTest, SilentServerTimesOutByTheLoopsTimer) {
  const auto resolver = make_resolver();
  const auto pending = resolver->resolve("silent.test", 1, record());
  ASSERT_TRUE(wait());
  ASSERT_FALSE(*outcome_);
  EXPECT_EQ(outcome_->error().code, ErrorCode::TimedOut);
}

TEST_F(ResolverTest, WhatIsNoHostNameIsRefusedUnasked) {
  const auto resolver = make_resolver();
  for (const std::string& host : {std::string(), std::string("a b"), std::string("a\0b.test", 8),
                                  std::string(300, 'a'), std::string("unix:/x"), std::string("[::1")}) {
    outcome_.reset();
    const auto pending = resolver->resolve(host, 1, record());
    EXPECT_FALSE(outcome_);
    ASSERT_TRUE(wait());
    ASSERT_FALSE(*outcome_) << host;
    EXPECT_EQ(outcome_->error().code, ErrorCode::InvalidArgument);
  }
  EXPECT_EQ(server_.questions, 0);
}

TEST_F(ResolverTest, DestroyedAnswerCallsNobodyWhileOthersGoOn) {
  const auto resolver = make_resolver();
  auto given_up = resolver->resolve("dual.test", 1, [](auto) { FAIL(); });
  const auto kept = resolver->resolve("dual.test", 2, record());
  auto numeric = resolver->resolve("127.0.0.1", 1, [](auto) { FAIL(); });
  given_up.reset();
  numeric.reset();
  ASSERT_TRUE(wait());
  EXPECT_TRUE(*outcome_);
}

TEST_F(ResolverTest, CallbackMayDestroyItsAnswerAndAskAgain) {
  const auto resolver = make_resolver();
  std::unique_ptr<Pending> pending;
  pending =
      resolver->resolve("dual.test", 1, [&](auto) { pending = resolver->resolve("dual.test", 2, record()); });
  ASSERT_TRUE(wait());
  EXPECT_TRUE(*outcome_);
}

TEST_F(ResolverTest, DestroyedResolverClosesItsQueries) {
  auto resolver = make_resolver();
  const auto pending = resolver->resolve("silent.test", 1, record());
  resolver.reset();
  EXPECT_FALSE(outcome_);
  ASSERT_TRUE(wait());
  EXPECT_EQ(outcome_->error().code, ErrorCode::Closed);
}

TEST_F(ResolverTest, LocalhostIsConnectedByName) {
  const auto resolver = make_resolver();
  const auto listener = std::move(*Listener::open(SocketAddress::ipv4({127, 0, 0, 1}, 0)));
  std::optional<Result<std::unique_ptr<Transport>>> connected;
  const auto pending =
      connect_host(*loop_, *resolver, "localhost", listener->local_address().port(), Loop::read_clock() + 5s,
                   [&](auto result) { connected = std::move(result); });
  ASSERT_TRUE(turn_until(*loop_, [&] { return connected.has_value(); }));
  EXPECT_TRUE(*connected) << connected->error().message;
}

}  // namespace
}  // namespace sinnet::io::test
