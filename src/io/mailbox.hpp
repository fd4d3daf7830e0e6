#pragma once
/// Mailbox: work posted to a loop by other threads. It never runs work on the poster's thread.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

namespace sinnet::io {

/// Many posters, one taker (the loop). A mutex held for one push or one swap guards two vectors that keep
/// their capacity, so posting allocates nothing in steady state. The wake-up descriptor is written only when
/// the box was empty and the taker sleeps.
///
/// Thread rule: post, post_reserved, wake: any thread. The rest: the taker's.
class Mailbox {
 public:
  using Work = std::move_only_function<void()>;

  /// `wake_fd` is an eventfd the taker watches edge-triggered, so that nobody needs to read it.
  Mailbox(std::size_t items_max, int wake_fd) noexcept : items_max_(items_max), wake_fd_(wake_fd) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox() { close(); }

  /// False when `items_max` wait already or the box is closed; the work is then dropped.
  bool post(Work work);
  /// Refused by a closed box only.
  void post_reserved(Work work);
  /// Makes a sleeping taker look around.
  void wake() noexcept;

  /// Runs all reserved work, then at most `budget` of the rest. Answers how many ran.
  std::size_t run(std::size_t budget);
  [[nodiscard]] bool has_work() const noexcept { return filled_.load() || next_ < taken_.size(); }
  /// Announces that the taker is about to sleep. If it answers false there is work, and the taker must not.
  [[nodiscard]] bool begin_wait() noexcept;
  void end_wait() noexcept { asleep_.store(false, std::memory_order_relaxed); }
  /// Drops what waits and refuses from now on.
  void close();
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_.load(std::memory_order_relaxed); }

 private:
  void take();
  [[nodiscard]] bool add(std::vector<Work>& lane, Work& work);  // with mutex_ held; true: write the wake-up

  const std::size_t items_max_;
  const int wake_fd_;
  std::atomic<bool> filled_{false};  // incoming_ or reserved_ hold something
  std::atomic<bool> asleep_{
      false};  // together with filled_, both sequentially consistent: one side sees the other
  std::atomic<std::size_t> untaken_{0};  // items of taken_ that have not run
  std::atomic<std::uint64_t> refused_{0};

  std::mutex mutex_;
  std::vector<Work> incoming_;
  std::vector<Work> reserved_;
  bool closed_ = false;

  std::vector<Work> taken_;  // the taker's: taken_[next_..] have not run
  std::size_t next_ = 0;
  std::vector<Work> taken_reserved_;
};

}  // namespace sinnet::io
