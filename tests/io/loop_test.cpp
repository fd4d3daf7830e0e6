#include "sinnet/io/loop.hpp"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <optional>
#include <vector>

#include "io/sockets.hpp"

namespace sinnet::io::test {
namespace {

/// An eventfd that is readable until it is closed.
class ReadyFd {
 public:
  ReadyFd() : fd_(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ReadyFd(const ReadyFd&) = delete;
  ReadyFd& operator=(const ReadyFd&) = delete;
  ~ReadyFd() { ::close(fd_); }
  [[nodiscard]] int value() const { return fd_; }

 private:
  int fd_;
};

TEST(LoopTest, TurnRunsItsPhasesInTheDocumentedOrder) {
  const auto loop = make_loop();
  std::vector<std::string> order;
  const ReadyFd fd;
  FunctionTask next([&] { order.emplace_back("next_turn"); });
  FunctionTask shallow([&] { order.emplace_back("flush 0"); });
  FunctionTask deep([&] { order.emplace_back("flush 3"); });
  FunctionTimer timer([&] { order.emplace_back("timer"); });
  FunctionWatcher watcher([&](std::uint32_t) { order.emplace_back("descriptor"); });
  struct Doomed final : Destroyable {
    explicit Doomed(std::vector<std::string>& list) : order(list) {}
    ~Doomed() override { order.emplace_back("destroy"); }
    std::vector<std::string>& order;
  };
  loop->destroy_later(std::make_unique<Doomed>(order));
  loop->flush_later(shallow, 0);
  loop->flush_later(deep, 3);
  loop->arm(timer, loop->now());
  ASSERT_TRUE(loop->post([&] { order.emplace_back("posted"); }));
  loop->post_reserved([&] { order.emplace_back("reserved"); });
  loop->next_turn(next);
  ASSERT_TRUE(loop->watch(fd.value(), EPOLLIN, watcher));
  EXPECT_FALSE(loop->run_once(1s));
  loop->unwatch(fd.value(), watcher);
  EXPECT_EQ(order, (std::vector<std::string>{"next_turn", "descriptor", "reserved", "posted", "timer",
                                             "flush 3", "flush 0", "destroy"}));
}

TEST(LoopTest, EventsOfADescriptorUnwatchedInTheSameTurnAreDropped) {
  const auto loop = make_loop();
  const ReadyFd one;
  const ReadyFd two;
  std::optional<FunctionWatcher> first;
  std::optional<FunctionWatcher> second;
  int calls = 0;
  // Whichever comes first ends the other, whose memory is then gone.
  first.emplace([&](std::uint32_t) {
    ++calls;
    loop->unwatch(two.value(), *second);
    second.reset();
  });
  second.emplace([&](std::uint32_t) {
    ++calls;
    loop->unwatch(one.value(), *first);
    first.reset();
  });
  ASSERT_TRUE(loop->watch(one.value(), EPOLLIN, *first));
  ASSERT_TRUE(loop->watch(two.value(), EPOLLIN, *second));
  loop->run_once(1s);
  EXPECT_EQ(calls, 1);
}

TEST(LoopTest, NextTurnTaskMakesTheNextWaitZero) {
  const auto loop = make_loop();
  int runs = 0;
  FunctionTask task([&] {
    if (++runs < 3) loop->next_turn(task);
  });
  loop->next_turn(task);
  const Time before = Loop::read_clock();
  for (int i = 0; i < 3; ++i) loop->run_once(10s);
  EXPECT_EQ(runs, 3);
  EXPECT_LT(Loop::read_clock() - before, 5s);
}

TEST(LoopTest, TaskQueuedWhileFlushingRunsThisTurnIfItIsShallowerAndElseTheNext) {
  const auto loop = make_loop();
  std::vector<int> order;
  FunctionTask outer([&] { order.push_back(0); });
  FunctionTask inner([&] {
    order.push_back(2);
    loop->flush_later(outer, 0);
    if (order.size() < 3) loop->flush_later(inner, 2);
  });
  loop->flush_later(inner, 2);
  loop->run_once(0s);
  EXPECT_EQ(order, (std::vector<int>{2, 0}));
  loop->run_once(10s);  // does not wait
  EXPECT_EQ(order, (std::vector<int>{2, 0, 2, 0}));
}

TEST(LoopTest, DestroyedTaskLeavesItsQueue) {
  const auto loop = make_loop();
  {
    FunctionTask task([] { FAIL(); });
    loop->flush_later(task, 1);
    EXPECT_TRUE(task.is_queued());
  }
  loop->run_once(0s);
}

TEST(LoopTest, TimerIsNeverEarly) {
  const auto loop = make_loop();
  for (const auto wait : {1ns, 300'000ns, 1'500'000ns, 7'000'001ns}) {
    Time fired_at{};
    FunctionTimer timer([&] { fired_at = Loop::read_clock(); });
    const Time when = Loop::read_clock() + wait;
    loop->arm(timer, when);
    ASSERT_TRUE(turn_until(*loop, [&] { return fired_at != Time{}; }));
    EXPECT_GE(fired_at, when);
  }
}

TEST(LoopTest, WaitEndsWithTheFirstTimer) {
  const auto loop = make_loop();
  bool fired = false;
  FunctionTimer timer([&] { fired = true; });
  loop->arm(timer, Loop::read_clock() + 20ms);
  const std::uint64_t turns = loop->statistics().turns;
  while (!fired) loop->run_once(10s);
  EXPECT_LE(loop->statistics().turns - turns, 4U);  // one wait, and one for each level the timer moves down
}

TEST(LoopTest, BusyPollingLoopStillSleepsUntilItsTimer) {
  const auto loop = make_loop({.busy_poll = 200us});
  bool fired = false;
  FunctionTimer timer([&] { fired = true; });
  loop->arm(timer, Loop::read_clock() + 5ms);
  EXPECT_TRUE(turn_until(*loop, [&] { return fired; }));
}

TEST(LoopTest, StopInsideATurnEndsRunAfterThatTurn) {
  const auto loop = make_loop();
  int flushed = 0;
  FunctionTask task([&] { ++flushed; });
  ASSERT_TRUE(loop->post([&] {
    loop->stop();
    loop->flush_later(task);
  }));
  loop->run();
  EXPECT_EQ(flushed, 1);
  ASSERT_TRUE(loop->post([&] { loop->stop(); }));
  loop->run();  // may be run again
}

TEST(LoopTest, FullMailboxRefusesAndReservedLaneDoesNot) {
  const auto loop = make_loop({.mailbox_items_max = 3});
  int ran = 0;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(loop->post([&] { ++ran; }));
  EXPECT_FALSE(loop->post([&] { ran += 100; }));
  loop->post_reserved([&] { ran += 10; });
  loop->run_once(0s);
  EXPECT_EQ(ran, 13);
  EXPECT_EQ(loop->statistics().posted, 4U);
  EXPECT_EQ(loop->statistics().refused_posts, 1U);
  EXPECT_TRUE(loop->post([] {}));
}

TEST(LoopTest, WorkThatPostsItselfDoesNotStarveDescriptors) {
  const auto loop = make_loop();
  const ReadyFd fd;
  int descriptor_calls = 0;
  FunctionWatcher watcher([&](std::uint32_t) { ++descriptor_calls; });
  ASSERT_TRUE(loop->watch(fd.value(), EPOLLIN, watcher));
  std::function<void()> again = [&] { static_cast<void>(loop->post([&] { again(); })); };
  for (int i = 0; i < 5000; ++i) static_cast<void>(loop->post([&] { again(); }));
  for (int i = 0; i < 10; ++i) loop->run_once(1s);
  EXPECT_EQ(descriptor_calls, 10);
  loop->unwatch(fd.value(), watcher);
}

TEST(LoopTest, PostedOrderIsKeptAcrossTheBudget) {
  const auto loop = make_loop();
  std::vector<int> order;
  for (int i = 0; i < 3000; ++i) static_cast<void>(loop->post([&order, i] { order.push_back(i); }));
  while (order.size() < 3000) loop->run_once(1s);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(LoopTest, DestroyingTheLoopDropsPostedWorkAndRefusesMore) {
  auto loop = make_loop();
  struct PostsWhenDropped {
    explicit PostsWhenDropped(Loop& target) : loop(&target) {}
    PostsWhenDropped(PostsWhenDropped&& other) noexcept : loop(std::exchange(other.loop, nullptr)) {}
    ~PostsWhenDropped() {
      EXPECT_TRUE(loop == nullptr || !loop->post([] {}));
    }
    Loop* loop;
  };
  EXPECT_TRUE(loop->post([item = PostsWhenDropped(*loop)] { FAIL(); }));
  loop.reset();
}

TEST(LoopTest, DestructorOfADoomedObjectMayDoomAnother) {
  const auto loop = make_loop();
  int destroyed = 0;
  struct Doomed final : Destroyable {
    Doomed(Loop& owner, int& count, int more) : loop(owner), destroyed(count), left(more) {}
    ~Doomed() override {
      ++destroyed;
      if (left > 0) loop.destroy_later(std::make_unique<Doomed>(loop, destroyed, left - 1));
    }
    Loop& loop;
    int& destroyed;
    int left;
  };
  loop->destroy_later(std::make_unique<Doomed>(*loop, destroyed, 20));
  loop->run_once(0s);
  EXPECT_EQ(destroyed, 21);
}

TEST(LoopTest, ScratchHasTheAskedSize) {
  const auto loop = make_loop({.scratch_bytes = 4096});
  EXPECT_EQ(loop->scratch().size(), 4096U);
}

}  // namespace
}  // namespace sinnet::io::test
