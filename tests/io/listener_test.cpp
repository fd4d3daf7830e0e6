#include "sinnet/io/listener.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cstring>
#include <set>
#include <vector>

#include "io/sockets.hpp"

namespace sinnet::io::test {
namespace {

SocketAddress any_port() { return SocketAddress::ipv4({127, 0, 0, 1}, 0); }

std::unique_ptr<Listener> must_open(const SocketAddress& address, ListenOptions options = {}) {
  auto listener = Listener::open(address, options);
  EXPECT_TRUE(listener) << (listener ? "" : listener.error().message);
  return listener ? std::move(*listener) : nullptr;
}

class ListenerTest : public testing::Test {
 protected:
  SocketAddress unix_address(const std::string& name = "s.sock") const {
    return *SocketAddress::parse("unix:" + folder_.path(name));
  }

  TemporaryFolder folder_;
  std::unique_ptr<Loop> loop_ = make_loop();
  int accepted_ = 0;
  SocketAddress last_peer_;
  FunctionAccept handler_{[this](int fd, const SocketAddress& peer) {
    ++accepted_;
    last_peer_ = peer;
    ::close(fd);
  }};
};

TEST_F(ListenerTest, AcceptsAndNamesThePeer) {
  const auto listener = must_open(any_port());
  ASSERT_TRUE(listener->start(*loop_, handler_));
  EXPECT_NE(listener->local_address().port(), 0);
  const int client = connect_blocking(listener->local_address());
  ASSERT_TRUE(turn_until(*loop_, [&] { return accepted_ == 1; }));
  std::array<std::byte, 128> native{};
  socklen_t size = native.size();
  ASSERT_EQ(::getsockname(client, reinterpret_cast<sockaddr*>(native.data()), &size), 0);
  EXPECT_EQ(last_peer_, SocketAddress::from_native(Bytes(native).first(size)));
  ::close(client);
}

TEST_F(ListenerTest, AcceptedSocketIsNonBlockingCloseOnExecAndWithoutDelay) {
  const auto listener = must_open(any_port());
  int flags = 0;
  int descriptor_flags = 0;
  int no_delay = 0;
  FunctionAccept handler([&](int fd, const SocketAddress&) {
    flags = ::fcntl(fd, F_GETFL);
    descriptor_flags = ::fcntl(fd, F_GETFD);
    socklen_t size = sizeof no_delay;
    ::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size);
    ++accepted_;
    ::close(fd);
  });
  ASSERT_TRUE(listener->start(*loop_, handler));
  const int client = connect_blocking(listener->local_address());
  ASSERT_TRUE(turn_until(*loop_, [&] { return accepted_ == 1; }));
  EXPECT_NE(flags & O_NONBLOCK, 0);
  EXPECT_NE(descriptor_flags & FD_CLOEXEC, 0);
  EXPECT_NE(no_delay, 0);
  ::close(client);
}

TEST_F(ListenerTest, AddressInUseNamesTheAddress) {
  const auto listener = must_open(any_port());
  const auto second = Listener::open(listener->local_address());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::AddressInUse);
  EXPECT_EQ(second.error().message, listener->local_address().to_string() + " is in use");
}

TEST_F(ListenerTest, SharedAddressTakesOurOtherShardsAndRefusesASecondOwner) {
  const auto first = must_open(any_port(), {.shared = true});
  auto second = first->share();
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ((*second)->local_address(), first->local_address());
  const auto stranger = Listener::open(first->local_address(), {.shared = true});
  ASSERT_FALSE(stranger);
  EXPECT_EQ(stranger.error().code, ErrorCode::AddressInUse);

  int accepted_by_second = 0;
  FunctionAccept other([&](int fd, const SocketAddress&) {
    ++accepted_by_second;
    ::close(fd);
  });
  ASSERT_TRUE(first->start(*loop_, handler_));
  ASSERT_TRUE((*second)->start(*loop_, other));
  std::vector<int> clients;
  for (int i = 0; i < 64; ++i) clients.push_back(connect_blocking(first->local_address()));
  ASSERT_TRUE(turn_until(*loop_, [&] { return accepted_ + accepted_by_second == 64; }));
  EXPECT_GT(accepted_, 0);
  EXPECT_GT(accepted_by_second, 0);
  for (const int fd : clients) ::close(fd);
}

TEST_F(ListenerTest, Ipv6AndIpv4OfOnePortStandSideBySide) {
  auto six = Listener::open(SocketAddress::ipv6({}, 0));
  if (!six) GTEST_SKIP() << "no IPv6 here: " << six.error().message;
  const auto four = must_open(SocketAddress::ipv4({0, 0, 0, 0}, (*six)->local_address().port()));
  EXPECT_NE(four, nullptr);
}

TEST_F(ListenerTest, UnixSocketHasItsModeAndGoesWithTheListener) {
  const mode_t before = ::umask(0077);
  auto listener = must_open(unix_address(), {.unix_mode = 0660});
  ::umask(before);
  struct stat file{};
  ASSERT_EQ(::lstat(folder_.path("s.sock").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0660U);
  ASSERT_TRUE(listener->start(*loop_, handler_));
  const int client = connect_blocking(listener->local_address());
  ASSERT_GE(client, 0);
  ASSERT_TRUE(turn_until(*loop_, [&] { return accepted_ == 1; }));
  EXPECT_EQ(last_peer_.family(), AddressFamily::Unix);
  ::close(client);
  listener.reset();
  EXPECT_NE(::lstat(folder_.path("s.sock").c_str(), &file), 0);
}

TEST_F(ListenerTest, StaleUnixSocketIsReplacedAndALiveOneIsNot) {
  {
    // What a killed process leaves: a bound socket file, nobody behind it.
    const auto dead = must_open(unix_address("dead"));
    ASSERT_EQ(::link(folder_.path("dead").c_str(), folder_.path("s.sock").c_str()), 0);
  }
  const auto listener = must_open(unix_address());
  ASSERT_NE(listener, nullptr);
  const auto second = Listener::open(unix_address());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::AddressInUse);
  const int client = connect_blocking(unix_address());
  EXPECT_GE(client, 0);
  ::close(client);
}

TEST_F(ListenerTest, FilesAndSymlinksAtAUnixPathAreLeftAlone) {
  const int file = ::open(folder_.path("file").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  ::close(file);
  EXPECT_FALSE(Listener::open(unix_address("file")));
  {
    const auto dead = must_open(unix_address("dead"));
    ASSERT_EQ(::link(folder_.path("dead").c_str(), folder_.path("stale").c_str()), 0);
  }
  ASSERT_EQ(::symlink(folder_.path("stale").c_str(), folder_.path("link").c_str()), 0);
  EXPECT_FALSE(Listener::open(unix_address("link")));
  EXPECT_EQ(::access(folder_.path("file").c_str(), F_OK), 0);
  EXPECT_EQ(::access(folder_.path("stale").c_str(), F_OK), 0);
}

TEST_F(ListenerTest, ClosingDoesNotRemoveASocketThatTookThePathOver) {
  auto first = must_open(unix_address());
  ASSERT_EQ(::unlink(folder_.path("s.sock").c_str()), 0);
  const auto second = must_open(unix_address());
  first->close();
  EXPECT_EQ(::access(folder_.path("s.sock").c_str(), F_OK), 0);
}

TEST_F(ListenerTest, AbstractUnixSocketWorksWithoutAFile) {
  const auto address = *SocketAddress::parse("unix:@sinnet-test-" + std::to_string(::getpid()));
  const auto listener = must_open(address);
  ASSERT_TRUE(listener->start(*loop_, handler_));
  const int client = connect_blocking(address);
  ASSERT_GE(client, 0);
  EXPECT_TRUE(turn_until(*loop_, [&] { return accepted_ == 1; }));
  ::close(client);
}

TEST_F(ListenerTest, SharedUnixSocketIsAcceptedByEitherLoop) {
  const auto other_loop = make_loop();  // goes last: a listener must not outlive its loop
  const auto first = must_open(unix_address());
  const auto second = first->share();
  ASSERT_TRUE(second);
  ASSERT_TRUE((*second)->start(*other_loop, handler_));
  const int client = connect_blocking(unix_address());
  EXPECT_TRUE(turn_until(*other_loop, [&] { return accepted_ == 1; }));
  ::close(client);
}

TEST_F(ListenerTest, InheritedDescriptorIsAdoptedAndOthersAreRefused) {
  const auto original = must_open(any_port());
  auto adopted = Listener::adopt(::dup(original->fd()));
  ASSERT_TRUE(adopted) << adopted.error().message;
  EXPECT_EQ((*adopted)->local_address(), original->local_address());
  ASSERT_TRUE((*adopted)->start(*loop_, handler_));
  const int client = connect_blocking(original->local_address());
  EXPECT_TRUE(turn_until(*loop_, [&] { return accepted_ == 1; }));
  ::close(client);
  EXPECT_FALSE(Listener::adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  EXPECT_FALSE(Listener::adopt(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
}

TEST_F(ListenerTest, HandlerMayCloseTheListener) {
  const auto listener = must_open(any_port());
  FunctionAccept handler([&](int fd, const SocketAddress&) {
    ++accepted_;
    ::close(fd);
    listener->close();
  });
  ASSERT_TRUE(listener->start(*loop_, handler));
  const int one = connect_blocking(listener->local_address());
  const int two = connect_blocking(listener->local_address());
  ASSERT_TRUE(turn_until(*loop_, [&] { return accepted_ > 0; }));
  loop_->run_once(0s);
  EXPECT_EQ(accepted_, 1);
  EXPECT_EQ(listener->fd(), -1);
  ::close(one);
  ::close(two);
}

TEST_F(ListenerTest, StoppedListenerLeavesConnectionsInTheBacklogUntilStartedAgain) {
  const auto listener = must_open(any_port());
  ASSERT_TRUE(listener->start(*loop_, handler_));
  listener->stop();
  const int client = connect_blocking(listener->local_address());
  ASSERT_GE(client, 0);
  for (int i = 0; i < 3; ++i) loop_->run_once(0s);
  EXPECT_EQ(accepted_, 0);
  ASSERT_TRUE(listener->start(*loop_, handler_));
  EXPECT_TRUE(turn_until(*loop_, [&] { return accepted_ == 1; }));
  ::close(client);
}

TEST_F(ListenerTest, FloodIsAcceptedWithoutLossAndWithoutStarvingTimers) {
  const auto listener = must_open(any_port());
  ASSERT_TRUE(listener->start(*loop_, handler_));
  std::vector<int> clients;
  for (int i = 0; i < 1000; ++i) clients.push_back(connect_blocking(listener->local_address()));
  int accepted_at_timer = 0;
  FunctionTimer timer([&] { accepted_at_timer = accepted_; });
  loop_->arm(timer, loop_->now());
  loop_->run_once(1s);
  EXPECT_GT(accepted_at_timer, 0);
  EXPECT_LT(accepted_at_timer, 1000);
  EXPECT_TRUE(turn_until(*loop_, [&] { return accepted_ == 1000; }));
  for (const int fd : clients) ::close(fd);
}

/// While it lives, this process can open no more descriptors.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int lowest_free = ::dup(0);
    rlimit lowered = before_;
    lowered.rlim_cur = static_cast<rlim_t>(lowest_free);
    ::close(lowest_free);
    ::setrlimit(RLIMIT_NOFILE, &lowered);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(ListenerTest, Attack43OutOfDescriptorsDropsThePeerAtOnceAndGoesOnLater) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "UBSan's vptr check opens a pipe to look at memory, and this test leaves it no descriptor";
#endif
  const auto listener = must_open(any_port());
  ASSERT_TRUE(listener->start(*loop_, handler_));
  const int refused = connect_blocking(listener->local_address());
  {
    const NoDescriptors none;
    ASSERT_TRUE(turn_until(*loop_, [&] { return !handler_.troubles.empty(); }));
    // The dropped peer sees its end (or a reset), not silence.
    char byte = 0;
    EXPECT_LE(::recv(refused, &byte, 1, 0), 0);
    EXPECT_EQ(accepted_, 0);
    EXPECT_EQ(handler_.troubles.front().code, ErrorCode::LimitReached);
  }
  ::close(refused);
  const int client = connect_blocking(listener->local_address());
  EXPECT_TRUE(turn_until(*loop_, [&] { return accepted_ == 1; }));
  ::close(client);
}

TEST_F(ListenerTest, Attack43OutOfDescriptorsDoesNotSpin) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "UBSan's vptr check opens a pipe to look at memory, and this test leaves it no descriptor";
#endif
  const auto listener = must_open(any_port());
  ASSERT_TRUE(listener->start(*loop_, handler_));
  std::vector<int> clients;
  for (int i = 0; i < 300; ++i) clients.push_back(connect_blocking(listener->local_address()));
  {
    const NoDescriptors none;
    const std::uint64_t turns = loop_->statistics().turns;
    bool over = false;
    FunctionTimer timer([&] { over = true; });
    loop_->arm(timer, Loop::read_clock() + 200ms);
    while (!over) loop_->run_once(10s);
    // 64 are dropped each 20 ms; a pause is a few turns (the timer's way down the wheel).
    EXPECT_LE(loop_->statistics().turns - turns, 80U);
    EXPECT_LE(handler_.troubles.size(), 11U);
  }
  for (const int fd : clients) ::close(fd);
}

TEST_F(ListenerTest, Attack43ConnectionsGoneBeforeAcceptDoNotDisturbTheOthers) {
  const auto listener = must_open(any_port());
  for (int i = 0; i < 50; ++i) {
    const int fd = connect_blocking(listener->local_address());
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(fd);
  }
  const int client = connect_blocking(listener->local_address());
  std::array<std::byte, 128> native{};
  socklen_t size = native.size();
  ASSERT_EQ(::getsockname(client, reinterpret_cast<sockaddr*>(native.data()), &size), 0);
  const SocketAddress mine = SocketAddress::from_native(Bytes(native).first(size));
  ASSERT_TRUE(listener->start(*loop_, handler_));
  EXPECT_TRUE(turn_until(*loop_, [&] { return last_peer_ == mine; }));
  EXPECT_TRUE(handler_.troubles.empty());
  ::close(client);
}

}  // namespace
}  // namespace sinnet::io::test
