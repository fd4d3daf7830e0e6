#pragma once
/// PathEstimate: the best rate delivered lately times the least round trip, which is how much a window should
/// hold. "The window was drained within k round trips" is not asked: it stops growing early.

#include <cstdint>

#include "sinnet/base/time.hpp"

namespace sinnet::mux {

class PathEstimate {
 public:
  void add_received(std::size_t bytes, Time now) noexcept;
  void add_round_trip(Duration round_trip, Time now) noexcept;
  /// From the carrier (TCP_INFO).
  void set_path(Duration round_trip_min, std::uint64_t bytes_per_second, Time now) noexcept;

  /// Twice the product while the rate grows, five quarters of it afterwards: a standing double would put a
  /// whole round trip into the queue. 0: not known.
  [[nodiscard]] std::uint64_t window() const noexcept;
  /// The rate grew by a quarter within the last samples.
  [[nodiscard]] bool is_growing() const noexcept;
  [[nodiscard]] Duration round_trip_min() const noexcept { return round_trip_min_; }
  [[nodiscard]] Duration round_trip_smoothed() const noexcept { return round_trip_smoothed_; }
  [[nodiscard]] std::uint64_t rate() const noexcept { return best_ > last_best_ ? best_ : last_best_; }
  /// Rate of sending, where the carrier said one.
  [[nodiscard]] std::uint64_t send_rate() const noexcept { return send_rate_; }

 private:
  void end_sample(Time now) noexcept;

  Duration round_trip_min_{};
  Duration round_trip_smoothed_{};
  Time round_trip_time_{};  ///< when the least one was seen
  Time sample_begin_{};
  Time period_begin_{};
  std::uint64_t sample_bytes_ = 0;
  std::uint64_t best_ = 0;       ///< of this period, bytes per second
  std::uint64_t last_best_ = 0;  ///< of the one before
  std::uint64_t grown_from_ = 0;
  std::uint64_t send_rate_ = 0;
  std::uint32_t flat_samples_ = 0;  ///< since the rate last grew by a quarter
};

}  // namespace sinnet::mux
