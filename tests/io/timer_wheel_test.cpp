#include "io/timer_wheel.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <vector>

namespace sinnet::io {
namespace {

using namespace std::chrono_literals;

constexpr Time start{1000s};

struct CountingTimer final : Timer {
  void handle_timer() override {
    ++fired;
    if (then) then();
  }
  int fired = 0;
  std::function<void()> then;
};

TEST(TimerWheelTest, EmptyWheelIsNeverDue) {
  TimerWheel wheel(start);
  EXPECT_EQ(wheel.next_due(), time_never);
  EXPECT_EQ(wheel.advance(start + 1h), 0U);
}

TEST(TimerWheelTest, TimerFiresAtItsTickAndNotBefore) {
  TimerWheel wheel(start);
  CountingTimer timer;
  wheel.arm(timer, start + 10ms + 1ns, start);
  wheel.advance(start + 10ms + 999'999ns);
  EXPECT_EQ(timer.fired, 0);
  EXPECT_TRUE(timer.is_armed());
  EXPECT_EQ(wheel.next_due(), start + 11ms);
  wheel.advance(start + 11ms);
  EXPECT_EQ(timer.fired, 1);
  EXPECT_FALSE(timer.is_armed());
}

TEST(TimerWheelTest, PassedTimeFiresInTheNextAdvanceEvenAtTheSameTick) {
  TimerWheel wheel(start);
  CountingTimer timer;
  wheel.arm(timer, start - 5s, start);
  EXPECT_LE(wheel.next_due(), start);
  wheel.advance(start);
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheelTest, TimerArmedInsideAnAdvanceForAPassedTimeWaitsForTheNextOne) {
  TimerWheel wheel(start);
  CountingTimer timer;
  timer.then = [&] { wheel.arm(timer, start, start); };
  wheel.arm(timer, start, start);
  EXPECT_EQ(wheel.advance(start + 1ms), 1U);
  EXPECT_EQ(timer.fired, 1);
  EXPECT_EQ(wheel.advance(start + 1ms), 1U);
  EXPECT_EQ(timer.fired, 2);
}

TEST(TimerWheelTest, TimerDestroyedByAnotherOfTheSameTickDoesNotFire) {
  TimerWheel wheel(start);
  CountingTimer first;
  auto second = std::make_unique<CountingTimer>();
  first.then = [&] { second.reset(); };
  wheel.arm(first, start + 3ms, start);
  wheel.arm(*second, start + 3ms, start);
  EXPECT_EQ(wheel.advance(start + 5ms), 1U);
}

TEST(TimerWheelTest, TimerMayDestroyItself) {
  TimerWheel wheel(start);
  auto timer = std::make_unique<CountingTimer>();
  timer->then = [&] { timer.reset(); };
  wheel.arm(*timer, start + 1ms, start);
  EXPECT_EQ(wheel.advance(start + 1ms), 1U);
  EXPECT_EQ(timer, nullptr);
}

TEST(TimerWheelTest, RearmingMovesTheTimer) {
  TimerWheel wheel(start);
  CountingTimer timer;
  wheel.arm(timer, start + 5ms, start);
  wheel.arm(timer, start + 100s, start);
  wheel.advance(start + 99s);
  EXPECT_EQ(timer.fired, 0);
  wheel.advance(start + 100s);
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheelTest, TimerArmedForNeverDoesNotFireAndDestroyingTheWheelDisarmsIt) {
  CountingTimer timer;
  {
    TimerWheel wheel(start);
    wheel.arm(timer, time_never, start);
    wheel.advance(start + 24h * 365 * 100);
    EXPECT_TRUE(timer.is_armed());
  }
  EXPECT_FALSE(timer.is_armed());
  EXPECT_EQ(timer.fired, 0);
}

TEST(TimerWheelTest, FollowingNextDueReachesADistantTimerInAtMostOneStepPerLevel) {
  TimerWheel wheel(start);
  CountingTimer timer;
  const Time when = start + 24h * 40 + 7ms;
  wheel.arm(timer, when, start);
  int steps = 0;
  while (timer.fired == 0) {
    ASSERT_LE(wheel.next_due(), when);
    wheel.advance(wheel.next_due());
    ASSERT_LE(++steps, 8);
  }
}

/// The plain model: timers by the first whole millisecond at which they may fire.
class Model {
 public:
  void arm(std::size_t id, Time when) {
    disarm(id);
    const auto ns = when.time_since_epoch().count();
    due_.emplace(Time{Duration{(ns + 999'999) / 1'000'000 * 1'000'000}}, id);
  }
  void disarm(std::size_t id) {
    std::erase_if(due_, [id](const auto& entry) { return entry.second == id; });
  }
  std::vector<std::size_t> advance(Time now) {
    std::vector<std::size_t> fired;
    while (!due_.empty() && due_.begin()->first <= now) {
      fired.push_back(due_.begin()->second);
      due_.erase(due_.begin());
    }
    std::sort(fired.begin(), fired.end());
    return fired;
  }
  [[nodiscard]] Time first() const { return due_.empty() ? time_never : due_.begin()->first; }

 private:
  std::multimap<Time, std::size_t> due_;
};

RC_GTEST_PROP(TimerWheelProperty, FiresExactlyWhatAMultimapWouldFire, ()) {
  constexpr std::size_t timer_count = 12;
  Time now = start + Duration{*rc::gen::inRange<std::int64_t>(0, 100'000'000'000)};
  TimerWheel wheel(now);
  Model model;
  std::vector<std::size_t> fired;
  std::deque<CountingTimer> timers(timer_count);
  for (std::size_t id = 0; id < timer_count; ++id) timers[id].then = [&fired, id] { fired.push_back(id); };
  const auto operations = *rc::gen::inRange(1, 200);
  for (int i = 0; i < operations; ++i) {
    const auto id = *rc::gen::inRange<std::size_t>(0, timer_count);
    // Distances of every magnitude from a nanosecond to weeks.
    const auto distance =
        Duration{std::int64_t{1} << *rc::gen::inRange(0, 50)} + Duration{*rc::gen::inRange(0, 1'000'000)};
    switch (*rc::gen::inRange(0, 4)) {
      case 0:
      case 1:
        wheel.arm(timers[id], now + distance, now);
        model.arm(id, now + distance);
        break;
      case 2:
        TimerWheel::disarm(timers[id]);
        model.disarm(id);
        break;
      default:
        now += distance;
        fired.clear();
        wheel.advance(now);
        std::sort(fired.begin(), fired.end());
        RC_ASSERT(fired == model.advance(now));
    }
    RC_ASSERT(wheel.next_due() <= model.first());
    RC_ASSERT((wheel.next_due() == time_never) == (model.first() == time_never));
  }
}

}  // namespace
}  // namespace sinnet::io
