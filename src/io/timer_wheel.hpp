#pragma once
/// TimerWheel: which timers are due, as a pure value of virtual time. It reads no clock and never allocates.

#include <array>
#include <cstddef>
#include <cstdint>

#include "sinnet/base/time.hpp"
#include "sinnet/io/loop.hpp"

namespace sinnet::io {

/// A hierarchical wheel of 1 ms ticks: eight levels of 64 slots, which spans every `Time` without clamping. A
/// timer stands in the level of the highest base-64 digit in which its tick differs from the current one, so
/// the earliest timer is always in the first occupied slot of the lowest occupied level. Arming and disarming
/// are O(1); a timer moves down at most seven times before it fires.
class TimerWheel {
 public:
  explicit TimerWheel(Time now) noexcept : tick_(floor_tick(now)) {}

  /// Arms or re-arms. A time not after `now` fires in the next advance(), also when armed from inside one.
  void arm(Timer& timer, Time when, Time now) noexcept;
  static void disarm(Timer& timer) noexcept { timer.unlink(); }

  /// The next time advance() has work to do: the first timer's, or earlier when a slot must move down.
  /// time_never if empty.
  [[nodiscard]] Time next_due() noexcept;
  /// Fires what is due at `now`, in the order of ticks and, within a tick, roughly of arming. Answers how
  /// many fired. Not re-entrant.
  std::size_t advance(Time now);

 private:
  static constexpr unsigned level_bits = 6;
  static constexpr std::size_t slots_per_level = std::size_t{1} << level_bits;
  static constexpr std::size_t level_count = 8;  // 64^8 ms exceeds Time::max(), 2^63 ns
  struct Place {
    std::size_t level;
    std::size_t slot;
    std::uint64_t tick;  // the first tick of the slot
  };

  [[nodiscard]] static std::uint64_t floor_tick(Time time) noexcept;
  [[nodiscard]] static std::uint64_t ceil_tick(Time time) noexcept;
  [[nodiscard]] bool find_first(Place& place) noexcept;
  void place(Timer& timer) noexcept;

  std::uint64_t tick_;  // every tick up to this one has been taken
  // A set bit may be stale, since a timer leaves its slot without telling the wheel; a clear one means an
  // empty slot.
  std::array<std::uint64_t, level_count> occupied_{};
  std::array<std::array<LinkList, slots_per_level>, level_count> slots_;
  LinkList due_;
};

}  // namespace sinnet::io
