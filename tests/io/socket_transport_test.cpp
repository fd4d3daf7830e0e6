#include "io/socket_transport.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/time.h>

#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "io/sockets.hpp"

namespace sinnet::io::test {
namespace {

std::string read_all_blocking(int fd) {
  std::string out;
  std::array<char, 65536> piece;
  for (ssize_t n = 0; (n = ::recv(fd, piece.data(), piece.size(), 0)) > 0;)
    out.append(piece.data(), static_cast<std::size_t>(n));
  return out;
}

IoResult write_text(Transport& transport, std::string_view text) {
  const Slice slice{text.data(), text.size()};
  return transport.write({&slice, 1});
}

/// Fills the send buffer. Answers how many bytes it took.
std::size_t fill(Transport& transport) {
  const std::vector<char> block(256 * 1024, 'x');
  const Slice slice{block.data(), block.size()};
  std::size_t total = 0;
  for (;;) {
    const IoResult result = transport.write({&slice, 1});
    total += result.bytes;
    if (result.status != IoStatus::Ok) return total;
  }
}

/// Each test runs over TCP and over a Unix socket.
class SocketTransportTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    const auto [near, far] = GetParam() ? tcp_pair() : unix_pair();
    transport_ = make_socket_transport(*loop_, near);
    far_ = far;
    ASSERT_NE(transport_, nullptr);
  }
  ~SocketTransportTest() override {
    if (far_ >= 0) ::close(far_);
  }
  void close_far() { ::close(std::exchange(far_, -1)); }
  void send_far(std::string_view text) {
    ASSERT_EQ(::send(far_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }

  std::unique_ptr<Loop> loop_ = make_loop();
  std::unique_ptr<Transport> transport_;
  int far_ = -1;
  std::array<std::byte, 4096> buffer_{};
};

INSTANTIATE_TEST_SUITE_P(TcpAndUnix, SocketTransportTest, testing::Bool(),
                         [](const auto& param) { return param.param ? "Tcp" : "Unix"; });

TEST_P(SocketTransportTest, ReadAnswersBytesThenBlockedThenEof) {
  EXPECT_EQ(transport_->read(buffer_).status, IoStatus::Blocked);
  send_far("hello");
  const IoResult result = transport_->read(buffer_);
  EXPECT_EQ(result.status, IoStatus::Ok);
  EXPECT_EQ(as_text(Bytes(buffer_).first(result.bytes)), "hello");
  EXPECT_EQ(transport_->read(buffer_).status, IoStatus::Blocked);
  ::shutdown(far_, SHUT_WR);
  EXPECT_EQ(transport_->read(buffer_).status, IoStatus::Eof);
}

TEST_P(SocketTransportTest, GatheredWriteKeepsTheOrderBeyondOneCallsWorthOfSlices) {
  std::vector<std::string> pieces;
  std::vector<Slice> slices;
  std::string expected;
  for (int i = 0; i < 200; ++i) pieces.push_back(i % 7 == 0 ? "" : std::to_string(i) + ",");
  for (const std::string& piece : pieces) {
    slices.push_back({piece.data(), piece.size()});
    expected += piece;
  }
  const IoResult result = transport_->write(slices);
  EXPECT_EQ(result.status, IoStatus::Ok);
  EXPECT_EQ(result.bytes, expected.size());
  transport_->close(CloseMode::Orderly);
  EXPECT_EQ(read_all_blocking(far_), expected);
}

TEST_P(SocketTransportTest, WritingNothingIsOk) {
  const IoResult result = transport_->write({});
  EXPECT_EQ(result.status, IoStatus::Ok);
  EXPECT_EQ(result.bytes, 0U);
}

TEST_P(SocketTransportTest, WantedReadinessIsReportedEveryTurnWhileItHolds) {
  int calls = 0;
  FunctionReady handler([&](bool readable, bool writable) {
    EXPECT_TRUE(readable);
    EXPECT_FALSE(writable);
    ++calls;
  });
  transport_->set_ready_handler(&handler);
  transport_->want(true, false);
  loop_->run_once(0s);
  EXPECT_EQ(calls, 0);
  send_far("x");
  for (int i = 0; i < 3; ++i) loop_->run_once(1s);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(transport_->read(buffer_).bytes, 1U);
  loop_->run_once(0s);
  EXPECT_EQ(calls, 3);
}

TEST_P(SocketTransportTest, PausedReadingIsSilentAndDoesNotSpin) {
  int calls = 0;
  FunctionReady handler([&](bool, bool) { ++calls; });
  transport_->set_ready_handler(&handler);
  transport_->want(true, false);
  transport_->want(false, false);
  send_far("x");
  loop_->run_once(1s);  // the one unwanted event after which the set is corrected
  const std::uint64_t events = loop_->statistics().events;
  for (int i = 0; i < 5; ++i) loop_->run_once(0s);
  EXPECT_EQ(loop_->statistics().events, events);
  EXPECT_EQ(calls, 0);
  transport_->want(true, false);
  loop_->run_once(1s);
  EXPECT_EQ(calls, 1);
}

TEST_P(SocketTransportTest, HangUpWhileNothingIsWantedDoesNotSpinAndIsTold) {
  int calls = 0;
  FunctionReady handler([&](bool readable, bool) { calls += readable ? 1 : 0; });
  transport_->set_ready_handler(&handler);
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(far_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close_far();
  for (int i = 0; i < 5; ++i) loop_->run_once(0s);
  const std::uint64_t events = loop_->statistics().events;
  for (int i = 0; i < 20; ++i) loop_->run_once(0s);
  EXPECT_EQ(loop_->statistics().events, events);
  EXPECT_EQ(calls, 0);
  transport_->want(true, false);
  loop_->run_once(1s);
  EXPECT_EQ(calls, 1);
}

TEST_P(SocketTransportTest, Attack43FullSendBufferAnswersShortThenBlockedAndReportsRoomLater) {
  EXPECT_GT(transport_->write_room(), 0U);
  const std::size_t filled = fill(*transport_);
  EXPECT_GT(filled, 0U);
  EXPECT_EQ(transport_->write_room(), 0U);
  bool writable_seen = false;
  FunctionReady handler([&](bool, bool writable) { writable_seen = writable_seen || writable; });
  transport_->set_ready_handler(&handler);
  transport_->want(false, true);
  loop_->run_once(0s);
  EXPECT_FALSE(writable_seen);
  std::size_t taken = 0;
  ASSERT_TRUE(turn_until(*loop_, [&] {
    std::array<char, 65536> waste;
    const ssize_t n = ::recv(far_, waste.data(), waste.size(), MSG_DONTWAIT);
    if (n > 0) taken += static_cast<std::size_t>(n);
    return writable_seen;
  }));
  EXPECT_GT(transport_->write_room(), 0U);
  EXPECT_LE(taken, filled);
}

TEST_P(SocketTransportTest, Attack43EveryByteArrivesInOrderThroughShortWrites) {
  constexpr std::size_t total = 8 * 1024 * 1024;
  std::vector<char> data(total);
  for (std::size_t i = 0; i < total; ++i) data[i] = static_cast<char>((i * 2654435761U) >> 13);
  std::vector<char> received;
  received.reserve(total);
  std::size_t sent = 0;
  const auto send_more = [&] {
    while (sent < total) {
      const std::size_t half = (total - sent) / 2;
      const std::array slices{Slice{data.data() + sent, half},
                              Slice{data.data() + sent + half, total - sent - half}};
      const IoResult result = transport_->write(slices);
      ASSERT_NE(result.status, IoStatus::Error);
      sent += result.bytes;
      if (result.status == IoStatus::Blocked) return transport_->want(false, true);
    }
    transport_->want(false, false);
  };
  FunctionReady handler([&](bool, bool) { send_more(); });
  transport_->set_ready_handler(&handler);
  send_more();
  ASSERT_TRUE(turn_until(
      *loop_,
      [&] {
        std::array<char, 100'000> piece;
        const ssize_t n = ::recv(far_, piece.data(), piece.size(), MSG_DONTWAIT);
        if (n > 0) received.insert(received.end(), piece.begin(), piece.begin() + n);
        return received.size() == total;
      },
      20s));
  EXPECT_TRUE(received == data);
}

TEST_P(SocketTransportTest, Attack43WriteAfterThePeerWentAwayIsAnErrorAndNoSignal) {
  close_far();
  IoResult result;
  for (int i = 0; i < 100 && result.status != IoStatus::Error; ++i) result = write_text(*transport_, "x");
  EXPECT_EQ(result.status, IoStatus::Error);
  EXPECT_TRUE(result.errno_value == EPIPE || result.errno_value == ECONNRESET);
}

TEST_P(SocketTransportTest, ShutdownWriteShowsThePeerEofWhileReadingGoesOn) {
  ASSERT_EQ(write_text(*transport_, "last").bytes, 4U);
  transport_->shutdown_write();
  EXPECT_EQ(read_all_blocking(far_), "last");
  send_far("answer");
  EXPECT_EQ(transport_->read(buffer_).bytes, 6U);
}

TEST_P(SocketTransportTest, OrderlyCloseDeliversWhatWasWrittenEvenWithUnreadInput) {
  send_far("never read");
  ASSERT_EQ(write_text(*transport_, "goodbye").bytes, 7U);
  transport_->close(CloseMode::Orderly);
  EXPECT_EQ(read_all_blocking(far_), "goodbye");
  EXPECT_EQ(::recv(far_, buffer_.data(), 1, 0), 0);  // an end, not a reset
}

TEST_P(SocketTransportTest, CloseIsIdempotentAndEverythingAfterItIsHarmless) {
  FunctionReady handler([](bool, bool) { FAIL(); });
  transport_->set_ready_handler(&handler);
  transport_->want(true, true);
  transport_->close(CloseMode::Orderly);
  transport_->close(CloseMode::Reset);
  transport_->want(true, true);
  transport_->shutdown_write();
  transport_->detach();
  EXPECT_EQ(transport_->read(buffer_).status, IoStatus::Error);
  EXPECT_EQ(write_text(*transport_, "x").status, IoStatus::Error);
  EXPECT_EQ(transport_->write_room(), 0U);
  EXPECT_FALSE(transport_->attach(*loop_));
  loop_->run_once(0s);
}

TEST_P(SocketTransportTest, MovesToAnotherLoopWithItsWantedSet) {
  transport_->want(true, false);
  transport_->detach();
  send_far("x");
  const auto other = make_loop();
  int calls = 0;
  FunctionReady handler([&](bool readable, bool) { calls += readable ? 1 : 0; });
  transport_->set_ready_handler(&handler);
  loop_->run_once(0s);
  EXPECT_EQ(calls, 0);
  ASSERT_TRUE(transport_->attach(*other));
  other->run_once(1s);
  EXPECT_EQ(calls, 1);
  transport_.reset();
}

TEST_P(SocketTransportTest, HandlerMayDestroyTheTransport) {
  FunctionReady handler([&](bool, bool) { transport_.reset(); });
  transport_->set_ready_handler(&handler);
  transport_->want(true, true);
  loop_->run_once(1s);
  EXPECT_EQ(transport_, nullptr);
}

TEST_P(SocketTransportTest, Attack43InterruptedCallsAreRepeated) {
  struct sigaction action{};
  struct sigaction before{};
  action.sa_handler = [](int) {};
  ::sigaction(SIGALRM, &action, &before);  // no SA_RESTART
  const itimerval often{.it_interval = {0, 200}, .it_value = {0, 200}};
  ::setitimer(ITIMER_REAL, &often, nullptr);
  std::size_t bytes = 0;
  bool failed = false;
  FunctionReady handler([&](bool, bool) {
    const IoResult result = transport_->read(buffer_);
    failed = failed || result.status == IoStatus::Error;
    bytes += result.bytes;
  });
  transport_->set_ready_handler(&handler);
  transport_->want(true, false);
  for (int i = 0; i < 2000; ++i) {
    failed = failed || write_text(*transport_, "ping").bytes != 4;
    while (::recv(far_, buffer_.data(), 4, MSG_WAITALL) < 0 && errno == EINTR) {
    }
    while (::send(far_, "pong", 4, MSG_NOSIGNAL) < 0 && errno == EINTR) {
    }
    loop_->run_once(1s);
  }
  turn_until(*loop_, [&] { return bytes == 8000; });
  const itimerval never{};
  ::setitimer(ITIMER_REAL, &never, nullptr);
  ::sigaction(SIGALRM, &before, nullptr);
  EXPECT_FALSE(failed);
  EXPECT_EQ(bytes, 8000U);
}

TEST(SocketTransportAddressTest, PeerAddressIsTheOtherEnds) {
  const auto loop = make_loop();
  const auto [near, far] = tcp_pair();
  const auto transport = make_socket_transport(*loop, near);
  std::array<std::byte, 128> native{};
  socklen_t size = native.size();
  ASSERT_EQ(::getsockname(far, reinterpret_cast<sockaddr*>(native.data()), &size), 0);
  EXPECT_EQ(transport->peer_address(), SocketAddress::from_native(Bytes(native).first(size)));
  EXPECT_EQ(transport->peer_address().host(), "127.0.0.1");
  ::close(far);
}

TEST(SocketTransportAddressTest, UnnamedUnixPeerHasAnEmptyPath) {
  const auto loop = make_loop();
  const auto [near, far] = unix_pair();
  const auto transport = make_socket_transport(*loop, near);
  EXPECT_EQ(transport->peer_address().family(), AddressFamily::Unix);
  EXPECT_EQ(transport->peer_address().host(), "");
  ::close(far);
}

TEST(SocketTransportResetTest, ResetReachesThePeerAsAnError) {
  const auto loop = make_loop();
  const auto [near, far] = tcp_pair();
  const auto transport = make_socket_transport(*loop, near);
  fill(*transport);
  transport->close(CloseMode::Reset);
  std::array<char, 65536> waste;
  ssize_t n = 0;
  while ((n = ::recv(far, waste.data(), waste.size(), 0)) > 0) {
  }
  EXPECT_EQ(n, -1);
  EXPECT_EQ(errno, ECONNRESET);
  ::close(far);
}

TEST(SocketTransportWatchTest, SocketTheLoopCannotWatchIsClosed) {
  const auto loop = make_loop();
  const int bad = ::open("/dev/null", O_RDONLY | O_CLOEXEC);  // epoll refuses what cannot be polled
  EXPECT_EQ(make_socket_transport(*loop, bad), nullptr);
  EXPECT_EQ(::fcntl(bad, F_GETFD), -1);
}

}  // namespace
}  // namespace sinnet::io::test
