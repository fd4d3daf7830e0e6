#pragma once
/// Where random bytes come from. The core draws masks and nonces from this interface only;
/// `io` gives the system's CSPRNG, tests give a seeded one.

#include <array>
#include <bit>
#include <cstdint>

#include "sinnet/base/bytes.hpp"

namespace sinnet {

/// A source of unpredictable bytes. Used on its owner's thread only. Cannot fail: a source that runs dry ends
/// the process, since a predictable mask or nonce is worse than none (RFC 6455 10.3).
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(MutableBytes out) = 0;

  /// Four fresh bytes, in memory order.
  [[nodiscard]] std::array<std::byte, 4> word() {
    std::array<std::byte, 4> bytes;
    fill(bytes);
    return bytes;
  }
};

}  // namespace sinnet
