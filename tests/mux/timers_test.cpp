/// Deadlines of streams, all in one heap.
#include "mux/timers.hpp"

#include <gtest/gtest.h>

#include "support/seeded_random.hpp"

namespace sinnet::mux {
namespace {

using namespace std::chrono_literals;

class TimersTest : public ::testing::Test {
 protected:
  sinnet::test::SeededRandom random_{1};
  StreamTable streams_{random_};
  Timers timers_{streams_};
  Time now_{std::chrono::seconds(1000)};
};

TEST_F(TimersTest, ADeadlineThatMovedLaterIsNotToldBefore) {
  const std::uint32_t slot = streams_.add();
  timers_.set(slot, TimerKind::Read, now_ + 1s);
  timers_.set(slot, TimerKind::Read, now_ + 3s);
  EXPECT_FALSE(timers_.take_expired(now_ + 2s));
  EXPECT_EQ(timers_.next(), now_ + 3s);
  EXPECT_TRUE(timers_.take_expired(now_ + 3s));
  EXPECT_FALSE(timers_.take_expired(now_ + 9s));
}

TEST_F(TimersTest, ADeadlineThatMovedEarlierIsToldOnce) {
  const std::uint32_t slot = streams_.add();
  timers_.set(slot, TimerKind::Write, now_ + 3s);
  timers_.set(slot, TimerKind::Write, now_ + 1s);
  EXPECT_TRUE(timers_.take_expired(now_ + 1s));
  EXPECT_FALSE(timers_.take_expired(now_ + 9s));
}

TEST_F(TimersTest, NeverTakesADeadlineAway) {
  const std::uint32_t slot = streams_.add();
  timers_.set(slot, TimerKind::Open, now_ + 1s);
  timers_.set(slot, TimerKind::Open, time_never);
  EXPECT_FALSE(timers_.take_expired(now_ + 9s));
}

TEST_F(TimersTest, StreamsThatComeAndGoLeaveLittleBehind) {
  for (int i = 0; i < 100000; ++i) {
    const std::uint32_t slot = streams_.add();
    timers_.set(slot, TimerKind::Open, now_ + 30s);
    streams_.remove(slot);
  }
  EXPECT_LE(timers_.size(), 100U);
}

}  // namespace
}  // namespace sinnet::mux
