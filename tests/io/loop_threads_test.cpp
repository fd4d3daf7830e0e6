#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "io/sockets.hpp"

namespace sinnet::io::test {
namespace {

TEST(LoopThreadsTest, EveryPostFromManyThreadsRunsOnceAndInItsThreadsOrder) {
  constexpr int thread_count = 4;
  constexpr int posts_each = 10'000;
  const auto loop = make_loop({.mailbox_items_max = thread_count * posts_each});
  std::vector<int> last(thread_count, -1);
  int ran = 0;
  bool in_order = true;
  std::vector<std::jthread> posters;
  for (int t = 0; t < thread_count; ++t) {
    posters.emplace_back([&, t] {
      for (int i = 0; i < posts_each; ++i) {
        EXPECT_TRUE(loop->post([&, t, i] {
          in_order = in_order && last[static_cast<std::size_t>(t)] == i - 1;
          last[static_cast<std::size_t>(t)] = i;
          if (++ran == thread_count * posts_each) loop->stop();
        }));
      }
    });
  }
  loop->run();
  EXPECT_EQ(ran, thread_count * posts_each);
  EXPECT_TRUE(in_order);
}

// Each round waits for the loop to have slept (or be about to), which is where a lost wake-up would hang.
TEST(LoopThreadsTest, APostNeverMissesASleepingLoop) {
  for (const Duration busy_poll : {0us, 20us}) {
    const auto loop = make_loop({.busy_poll = busy_poll});
    std::jthread runner([&] { loop->run(); });
    for (int i = 0; i < 5'000; ++i) {
      std::atomic<bool> ran{false};
      const auto work = [&ran] {
        ran.store(true);
        ran.notify_one();
      };
      if (i % 3 == 0) {
        loop->post_reserved(work);
      } else {
        ASSERT_TRUE(loop->post(work));
      }
      ran.wait(false);
    }
    loop->stop();
  }
}

TEST(LoopThreadsTest, StopFromAnotherThreadWakesASleepingLoop) {
  for (int i = 0; i < 200; ++i) {
    const auto loop = make_loop();
    std::jthread stopper([&] { loop->stop(); });
    loop->run();
  }
}

TEST(LoopThreadsTest, PostersMeetAFullMailboxWithoutLosingWhatWasTaken) {
  const auto loop = make_loop({.mailbox_items_max = 64});
  std::atomic<int> accepted{0};
  std::atomic<int> done{0};
  int ran = 0;
  std::vector<std::jthread> posters;
  for (int t = 0; t < 3; ++t) {
    posters.emplace_back([&] {
      for (int i = 0; i < 5'000; ++i) {
        if (loop->post([&] { ++ran; })) accepted.fetch_add(1);
      }
      done.fetch_add(1);
    });
  }
  while (done.load() < 3) loop->run_once(1ms);
  posters.clear();
  while (ran < accepted.load()) loop->run_once(1s);
  EXPECT_EQ(ran, accepted.load());
  EXPECT_EQ(loop->statistics().posted + loop->statistics().refused_posts, 15'000U);
}

}  // namespace
}  // namespace sinnet::io::test
