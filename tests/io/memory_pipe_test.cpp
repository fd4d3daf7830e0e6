#include "sinnet/io/memory_pipe.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "io/sockets.hpp"

namespace sinnet::io::test {
namespace {

IoResult write_text(Transport& transport, std::string_view text) {
  const Slice slice{text.data(), text.size()};
  return transport.write({&slice, 1});
}

std::string read_text(Transport& transport, std::size_t bytes_max = 4096) {
  std::vector<std::byte> buffer(bytes_max);
  const IoResult result = transport.read(buffer);
  return std::string(as_text(Bytes(buffer).first(result.bytes)));
}

class MemoryPipeTest : public testing::Test {
 protected:
  MemoryPipeTest() { std::tie(near_, far_) = make_memory_pipe(*loop_, 8); }
  std::unique_ptr<Loop> loop_ = make_loop();
  std::unique_ptr<Transport> near_;
  std::unique_ptr<Transport> far_;
  std::array<std::byte, 64> buffer_{};
};

TEST_F(MemoryPipeTest, WriteTakesWhatFitsAndThenBlocks) {
  EXPECT_EQ(near_->write_room(), 8U);
  EXPECT_EQ(write_text(*near_, "0123456789").bytes, 8U);
  EXPECT_EQ(near_->write_room(), 0U);
  EXPECT_EQ(write_text(*near_, "x").status, IoStatus::Blocked);
  EXPECT_EQ(read_text(*far_, 3), "012");
  EXPECT_EQ(write_text(*near_, "abcdef").bytes, 3U);
  EXPECT_EQ(read_text(*far_), "34567abc");
  EXPECT_EQ(far_->read(buffer_).status, IoStatus::Blocked);
}

TEST_F(MemoryPipeTest, ReadinessComesInTheNextTurnAndEveryTurnWhileItHolds) {
  int readable_calls = 0;
  FunctionReady handler([&](bool readable, bool) { readable_calls += readable ? 1 : 0; });
  far_->set_ready_handler(&handler);
  far_->want(true, false);
  write_text(*near_, "x");
  EXPECT_EQ(readable_calls, 0);
  for (int i = 0; i < 3; ++i) loop_->run_once(1s);
  EXPECT_EQ(readable_calls, 3);
  EXPECT_EQ(read_text(*far_), "x");
  loop_->run_once(0s);
  EXPECT_EQ(readable_calls, 3);
}

TEST_F(MemoryPipeTest, BlockedWriterHearsOfRoom) {
  bool writable = false;
  FunctionReady handler([&](bool, bool can_write) { writable = can_write; });
  near_->set_ready_handler(&handler);
  write_text(*near_, "01234567");
  near_->want(false, true);
  loop_->run_once(0s);
  EXPECT_FALSE(writable);
  read_text(*far_, 1);
  loop_->run_once(1s);
  EXPECT_TRUE(writable);
}

TEST_F(MemoryPipeTest, OrderlyCloseLetsThePeerReadTheRestAndThenEof) {
  write_text(*near_, "rest");
  near_->close(CloseMode::Orderly);
  EXPECT_EQ(write_text(*far_, "x").errno_value, EPIPE);
  EXPECT_EQ(read_text(*far_), "rest");
  EXPECT_EQ(far_->read(buffer_).status, IoStatus::Eof);
}

TEST_F(MemoryPipeTest, ShutdownWriteLeavesTheOtherDirectionOpen) {
  near_->shutdown_write();
  EXPECT_EQ(far_->read(buffer_).status, IoStatus::Eof);
  EXPECT_EQ(write_text(*far_, "answer").bytes, 6U);
  EXPECT_EQ(read_text(*near_), "answer");
  EXPECT_EQ(write_text(*near_, "x").errno_value, EPIPE);
}

TEST_F(MemoryPipeTest, ResetDropsWhatWaitsAndIsAnErrorAtThePeer) {
  write_text(*near_, "lost");
  near_->close(CloseMode::Reset);
  const IoResult result = far_->read(buffer_);
  EXPECT_EQ(result.status, IoStatus::Error);
  EXPECT_EQ(result.errno_value, ECONNRESET);
}

TEST_F(MemoryPipeTest, HandlerMayDestroyItsEndAndThePeerHearsOfIt) {
  FunctionReady handler([&](bool, bool) { near_.reset(); });
  near_->set_ready_handler(&handler);
  near_->want(true, false);
  write_text(*far_, "x");
  bool told = false;
  FunctionReady peer([&](bool readable, bool) { told = readable; });
  far_->set_ready_handler(&peer);
  far_->want(true, false);
  for (int i = 0; i < 3; ++i) loop_->run_once(0s);
  EXPECT_EQ(near_, nullptr);
  EXPECT_TRUE(told);
  EXPECT_EQ(far_->read(buffer_).status, IoStatus::Eof);
}

TEST_F(MemoryPipeTest, DetachedEndIsSilentUntilAttachedAgain) {
  int calls = 0;
  FunctionReady handler([&](bool, bool) { ++calls; });
  far_->set_ready_handler(&handler);
  far_->want(true, false);
  far_->detach();
  write_text(*near_, "x");
  loop_->run_once(0s);
  EXPECT_EQ(calls, 0);
  const auto other = make_loop();
  ASSERT_TRUE(far_->attach(*other));
  other->run_once(1s);
  EXPECT_EQ(calls, 1);
  far_.reset();
}

RC_GTEST_PROP(MemoryPipeProperty, BytesArriveInOrderWhateverTheSizes, ()) {
  const auto loop = make_loop();
  const auto capacity = *rc::gen::inRange<std::size_t>(1, 40);
  const auto [near, far] = make_memory_pipe(*loop, capacity);
  std::string sent;
  std::string received;
  for (int i = 0; i < 100; ++i) {
    if (*rc::gen::inRange(0, 2) == 0) {
      const auto text = *rc::gen::container<std::string>(rc::gen::inRange('a', 'z'));
      sent += text.substr(0, write_text(*near, text).bytes);
    } else {
      received += read_text(*far, *rc::gen::inRange<std::size_t>(1, 50));
    }
  }
  received += read_text(*far);
  RC_ASSERT(received == sent);
}

}  // namespace
}  // namespace sinnet::io::test
