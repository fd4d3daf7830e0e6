#pragma once
/// Histogram: counts of durations in buckets that grow with the value, for percentiles that are right to
/// within one part in 128 whatever the range. Never allocates after its making.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "sinnet/base/time.hpp"

namespace sinnet::cli {

/// Values below 128 ns have a bucket each; from there every power of two is cut into 128.
class Histogram {
 public:
  void add(Duration value) {
    const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(value.count(), 0));
    ++counts_[bucket_of(ns)];
    ++count_;
    sum_ns_ += static_cast<double>(ns);
    max_ns_ = std::max(max_ns_, ns);
    min_ns_ = count_ == 1 ? ns : std::min(min_ns_, ns);
  }

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] Duration max() const noexcept { return Duration{max_ns_}; }
  [[nodiscard]] Duration min() const noexcept { return Duration{min_ns_}; }
  [[nodiscard]] Duration mean() const noexcept {
    return Duration{count_ == 0 ? 0 : std::llround(sum_ns_ / static_cast<double>(count_))};
  }
  /// The smallest value such that `percent` of all are not above it (nearest rank), rounded up to the end of
  /// its bucket; zero without any value.
  [[nodiscard]] Duration percentile(double percent) const noexcept {
    const auto wanted = static_cast<std::uint64_t>(std::ceil(percent / 100 * static_cast<double>(count_)));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
      seen += counts_[bucket];
      if (counts_[bucket] > 0 && seen >= std::max<std::uint64_t>(wanted, 1)) {
        return Duration{std::min(last_of(bucket), max_ns_)};
      }
    }
    return max();
  }

 private:
  static constexpr unsigned part_bits = 7;
  static constexpr std::uint64_t parts = 1U << part_bits;
  static constexpr std::size_t buckets = (64 - part_bits) * parts;  // 58 KiB of counters

  static std::size_t bucket_of(std::uint64_t ns) noexcept {
    if (ns < parts) return ns;
    const unsigned shift = static_cast<unsigned>(std::bit_width(ns)) - part_bits - 1;
    return static_cast<std::size_t>(shift * parts + (ns >> shift));
  }
  static std::uint64_t last_of(std::size_t bucket) noexcept {
    if (bucket < 2 * parts) return bucket;
    const std::uint64_t shift = bucket / parts - 1;
    return ((parts + bucket % parts + 1) << shift) - 1;
  }

  std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(buckets + parts);
  std::uint64_t count_ = 0;
  double sum_ns_ = 0;
  std::uint64_t min_ns_ = 0;
  std::uint64_t max_ns_ = 0;
};

}  // namespace sinnet::cli
