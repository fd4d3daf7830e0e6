#include "io/timer_wheel.hpp"

#include <bit>

namespace sinnet::io {
namespace {

constexpr std::int64_t tick_ns = 1'000'000;

}  // namespace

std::uint64_t TimerWheel::floor_tick(Time time) noexcept {
  const std::int64_t ns = time.time_since_epoch().count();
  return ns <= 0 ? 0 : static_cast<std::uint64_t>(ns / tick_ns);
}

std::uint64_t TimerWheel::ceil_tick(Time time) noexcept {
  const std::int64_t ns = time.time_since_epoch().count();
  return ns <= 0 ? 0 : static_cast<std::uint64_t>(ns / tick_ns + (ns % tick_ns != 0 ? 1 : 0));
}

void TimerWheel::arm(Timer& timer, Time when, Time now) noexcept {
  timer.unlink();
  timer.when_ = when;
  if (when <= now) return due_.push_back(timer);
  place(timer);
}

void TimerWheel::place(Timer& timer) noexcept {
  const std::uint64_t tick = ceil_tick(timer.when_);
  if (tick <= tick_) {
    due_.push_back(timer);
    return;
  }
  const auto highest = static_cast<unsigned>(std::bit_width(tick ^ tick_)) - 1;
  const std::size_t level = highest / level_bits;
  const std::size_t slot = (tick >> (level * level_bits)) & (slots_per_level - 1);
  occupied_[level] |= std::uint64_t{1} << slot;
  slots_[level][slot].push_back(timer);
}

bool TimerWheel::find_first(Place& place) noexcept {
  for (std::size_t level = 0; level < level_count; ++level) {
    while (occupied_[level] != 0) {
      const auto slot = static_cast<std::size_t>(std::countr_zero(occupied_[level]));
      if (!slots_[level][slot].empty()) {
        const unsigned shift = static_cast<unsigned>(level) * level_bits;
        const std::uint64_t above = tick_ >> (shift + level_bits) << (shift + level_bits);
        place = {level, slot, above | (std::uint64_t{slot} << shift)};
        return true;
      }
      occupied_[level] &= occupied_[level] - 1;
    }
  }
  return false;
}

Time TimerWheel::next_due() noexcept {
  if (!due_.empty()) return Time{Duration{static_cast<std::int64_t>(tick_) * tick_ns}};
  Place first;
  if (!find_first(first)) return time_never;
  constexpr auto last_tick = static_cast<std::uint64_t>(Duration::max().count() / tick_ns);
  if (first.tick > last_tick) return time_never;
  return Time{Duration{static_cast<std::int64_t>(first.tick) * tick_ns}};
}

std::size_t TimerWheel::advance(Time now) {
  const std::uint64_t target = floor_tick(now);
  Place first;
  while (find_first(first) && first.tick <= target) {
    tick_ = first.tick;
    occupied_[first.level] &= ~(std::uint64_t{1} << first.slot);
    LinkList moving;
    moving.take(slots_[first.level][first.slot]);
    while (Link* const link = moving.pop_front()) place(static_cast<Timer&>(*link));
  }
  if (target > tick_) tick_ = target;

  LinkList firing;
  firing.take(due_);
  std::size_t fired = 0;
  while (Link* const link = firing.pop_front()) {
    ++fired;
    static_cast<Timer*>(link)->handle_timer();
  }
  return fired;
}

}  // namespace sinnet::io
