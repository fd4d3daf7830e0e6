#include "mux/path_estimate.hpp"

#include <algorithm>

namespace sinnet::mux {
namespace {

using namespace std::chrono_literals;

/// A least round trip older than this may be another path's.
constexpr Duration round_trip_valid = 10s;
/// Shorter samples measure how reads are cut, not the path.
constexpr Duration sample_min = 1ms;
/// The best rate is that of the current and the last period: about ten round trips, as BBR does.
constexpr int period_round_trips = 10;
constexpr Duration period_min = 1s;
/// So many samples without growth by a quarter, and the rate counts as found.
constexpr std::uint32_t flat_samples_max = 3;

}  // namespace

void PathEstimate::add_received(std::size_t bytes, Time now) noexcept {
  if (sample_bytes_ == 0 || now - sample_begin_ > period_min) {
    sample_begin_ = now;  // the first bytes after a rest say when, not how fast
    sample_bytes_ = 1;
    return;
  }
  sample_bytes_ += bytes;
  if (now - sample_begin_ >= std::max(round_trip_min_, sample_min)) end_sample(now);
}

void PathEstimate::end_sample(Time now) noexcept {
  const double seconds = std::chrono::duration<double>(now - sample_begin_).count();
  const auto sample = static_cast<std::uint64_t>(static_cast<double>(sample_bytes_) / seconds);
  if (now - period_begin_ > std::max<Duration>(round_trip_min_ * period_round_trips, period_min)) {
    last_best_ = best_;
    best_ = 0;
    period_begin_ = now;
  }
  best_ = std::max(best_, sample);
  if (rate() > grown_from_ + grown_from_ / 4) {
    grown_from_ = rate();
    flat_samples_ = 0;
  } else if (flat_samples_ < flat_samples_max) {
    ++flat_samples_;
  } else {
    grown_from_ = std::min(grown_from_, rate());  // a path that got slower may grow again
  }
  sample_begin_ = now;
  sample_bytes_ = 1;
}

void PathEstimate::add_round_trip(Duration round_trip, Time now) noexcept {
  round_trip = std::max(round_trip, Duration{1});
  round_trip_smoothed_ =
      round_trip_smoothed_ == Duration{} ? round_trip : (round_trip_smoothed_ * 7 + round_trip) / 8;
  if (round_trip_min_ == Duration{} || round_trip <= round_trip_min_ ||
      now - round_trip_time_ > round_trip_valid) {
    round_trip_min_ = round_trip;
    round_trip_time_ = now;
  }
}

void PathEstimate::set_path(Duration round_trip_min, std::uint64_t bytes_per_second, Time now) noexcept {
  if (round_trip_min > Duration{}) {
    round_trip_min_ = round_trip_min;
    round_trip_time_ = now;
    if (round_trip_smoothed_ == Duration{}) round_trip_smoothed_ = round_trip_min;
  }
  send_rate_ = bytes_per_second;
}

bool PathEstimate::is_growing() const noexcept { return flat_samples_ < flat_samples_max; }

std::uint64_t PathEstimate::window() const noexcept {
  const double product = static_cast<double>(rate()) * std::chrono::duration<double>(round_trip_min_).count();
  return static_cast<std::uint64_t>(is_growing() ? product * 2 : product * 1.25);
}

}  // namespace sinnet::mux
