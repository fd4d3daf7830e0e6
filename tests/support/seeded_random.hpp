#pragma once
/// Random sources that tests can repeat: one from a seed, one that always answers the same key. Never for
/// real masks.

#include <array>
#include <cstddef>
#include <cstdint>

#include "sinnet/base/random.hpp"

namespace sinnet::test {

/// SplitMix64 (Steele, Lea, Flood 2014): any seed is good, and a test can compute the same draws.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) noexcept : state_(seed) {}

  [[nodiscard]] std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }
  /// 0 to `end` - 1.
  [[nodiscard]] std::size_t below(std::size_t end) noexcept { return static_cast<std::size_t>(next() % end); }
  [[nodiscard]] bool chance(unsigned percent) noexcept { return below(100) < percent; }

  void fill(MutableBytes out) override {
    for (std::byte& b : out) b = static_cast<std::byte>(next() >> 56U);
  }

 private:
  std::uint64_t state_;
};

/// Answers `key` over and over: the mask of RFC 6455 5.7, so that a client's bytes can be written down.
class ConstantRandom final : public Random {
 public:
  static constexpr std::array key{std::byte{0x37}, std::byte{0xFA}, std::byte{0x21}, std::byte{0x3D}};

  void fill(MutableBytes out) override {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = key[i % key.size()];
  }
};

}  // namespace sinnet::test
