#pragma once
/// Backoff: how long to wait before the next attempt. It waits for nothing itself.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "sinnet/base/random.hpp"
#include "sinnet/endpoint/client.hpp"

namespace sinnet::endpoint {

class Backoff {
 public:
  explicit Backoff(const ReconnectPolicy& policy) noexcept : policy_(&policy) {}

  /// Doubles from call to call; see ReconnectPolicy.
  [[nodiscard]] Duration next(Random& random) {
    full_ = full_ == Duration{} ? policy_->first_delay : full_ * 2;
    full_ = std::min(full_, policy_->delay_max);
    const double part = std::bit_cast<std::uint32_t>(random.word()) * 0x1p-32;  // 0 ≤ part < 1
    const double taken = std::clamp(policy_->jitter, 0.0, 1.0) * part * static_cast<double>(full_.count());
    return full_ - Duration{std::llround(taken)};
  }

  /// A connection lasted so long. One that was thrown out at once is no better than one that was refused, so
  /// only a connection longer than the last delay makes the next one the first again.
  void note_success(Duration lasted) noexcept {
    if (lasted >= full_) full_ = {};
  }

 private:
  const ReconnectPolicy* policy_;
  Duration full_{};  ///< the last delay before jitter; zero: the next is the first
};

}  // namespace sinnet::endpoint
