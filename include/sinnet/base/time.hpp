#pragma once
/// Time as an argument. The core never reads a clock: every call that may act on time is handed `now`.

#include <chrono>

namespace sinnet {

using Duration = std::chrono::nanoseconds;

/// A clock that cannot be read: it only gives `Time` its type. io/loop.hpp reads the system's monotonic
/// clock.
struct MonotonicClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};

/// A point on the monotonic clock of this machine, in nanoseconds since some start. Only differences mean
/// anything.
using Time = MonotonicClock::time_point;

/// Later than every deadline.
inline constexpr Time time_never = Time::max();

}  // namespace sinnet
