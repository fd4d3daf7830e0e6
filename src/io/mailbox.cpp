#include "io/mailbox.hpp"

#include <unistd.h>

#include <utility>

namespace sinnet::io {
namespace {

// A burst may fill the box; its memory goes back afterwards. 4096 empty functions are 128 KiB.
constexpr std::size_t kept_items_max = 4096;

void clear_lane(std::vector<Mailbox::Work>& lane) {
  lane.clear();
  if (lane.capacity() > kept_items_max) lane.shrink_to_fit();
}

}  // namespace

bool Mailbox::add(std::vector<Work>& lane, Work& work) {
  const bool was_empty = incoming_.empty() && reserved_.empty();
  lane.push_back(std::move(work));
  filled_.store(true);
  return was_empty && asleep_.load();
}

bool Mailbox::post(Work work) {
  bool must_wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || incoming_.size() + untaken_.load(std::memory_order_relaxed) >= items_max_) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    must_wake = add(incoming_, work);
  }
  if (must_wake) wake();
  return true;
}

void Mailbox::post_reserved(Work work) {
  bool must_wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    must_wake = add(reserved_, work);
  }
  if (must_wake) wake();
}

void Mailbox::wake() noexcept {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, which 2^64 - 2 wake-ups would take.
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof one);
}

bool Mailbox::begin_wait() noexcept {
  asleep_.store(true);
  if (!filled_.load()) return true;
  asleep_.store(false, std::memory_order_relaxed);
  return false;
}

void Mailbox::take() {
  const std::lock_guard lock(mutex_);
  std::swap(taken_reserved_, reserved_);
  if (next_ == taken_.size()) {
    clear_lane(taken_);
    next_ = 0;
    std::swap(taken_, incoming_);
    untaken_.store(taken_.size(), std::memory_order_relaxed);
  }
  filled_.store(!incoming_.empty());
}

std::size_t Mailbox::run(std::size_t budget) {
  if (filled_.load()) take();
  std::size_t count = taken_reserved_.size();
  for (Work& work : taken_reserved_) std::exchange(work, nullptr)();
  clear_lane(taken_reserved_);

  const std::size_t first = next_;
  while (next_ < taken_.size() && next_ - first < budget) {
    std::exchange(taken_[next_++], nullptr)();
    untaken_.store(taken_.size() - next_, std::memory_order_relaxed);
  }
  count += next_ - first;
  return count;
}

void Mailbox::close() {
  std::vector<Work> dropped;
  std::vector<Work> dropped_reserved;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    std::swap(dropped, incoming_);
    std::swap(dropped_reserved, reserved_);
    filled_.store(false);
  }
  taken_.clear();  // work is destroyed outside the lock, since its destructor may post
  next_ = 0;
}

}  // namespace sinnet::io
