/// Masking against the byte-wise definition of RFC 6455 5.3, over every size, alignment and key phase that
/// takes another path.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <memory>
#include <vector>

#include "sinnet/ws/frame.hpp"
#include "support/bytes.hpp"

namespace sinnet::ws {
namespace {

using test::bytes;
using test::hex;

constexpr MaskKey odd_key{std::byte{0x37}, std::byte{0xfa}, std::byte{0x21}, std::byte{0x3d}};

// RFC 6455 5.3: transformed-octet-i = original-octet-i XOR masking-key-octet-(i MOD 4)
std::vector<std::byte> reference(Bytes payload, MaskKey key, std::uint64_t offset) {
  std::vector<std::byte> out(payload.begin(), payload.end());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] ^= key[static_cast<std::size_t>((offset + i) % 4)];
  return out;
}

std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::byte>(i % 251);
  return out;
}

/// Bytes with guards on both sides, starting at a chosen distance from an alignment of 64.
class Guarded {
 public:
  Guarded(std::size_t size, std::size_t shift)
      : space_(size + 2 * guard_bytes + 64, guard_value), size_(size) {
    const auto address = reinterpret_cast<std::uintptr_t>(space_.data() + guard_bytes);
    start_ = guard_bytes + (64 - address % 64) % 64 + shift % 64;
    if (start_ + size + guard_bytes > space_.size()) space_.resize(start_ + size + guard_bytes, guard_value);
  }
  [[nodiscard]] MutableBytes span() { return MutableBytes{space_}.subspan(start_, size_); }
  [[nodiscard]] bool guards_intact() const {
    for (std::size_t i = 0; i < space_.size(); ++i) {
      if ((i < start_ || i >= start_ + size_) && space_[i] != guard_value) return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t guard_bytes = 64;
  static constexpr std::byte guard_value{0xA5};
  std::vector<std::byte> space_;
  std::size_t size_;
  std::size_t start_ = 0;
};

void expect_masks(std::size_t size, std::size_t shift, std::uint64_t offset) {
  const auto plain = pattern(size);
  const auto expected = reference(plain, odd_key, offset);
  Guarded place(size, shift);
  std::copy(plain.begin(), plain.end(), place.span().begin());
  apply_mask(place.span(), odd_key, offset);
  ASSERT_TRUE(std::equal(expected.begin(), expected.end(), place.span().begin()))
      << "in place, size " << size << " shift " << shift << " offset " << offset;
  ASSERT_TRUE(place.guards_intact()) << size;

  Guarded copy(size, shift + 3);
  copy_masked(copy.span(), plain, odd_key, offset);
  ASSERT_TRUE(std::equal(expected.begin(), expected.end(), copy.span().begin()))
      << "copy, size " << size << " shift " << shift << " offset " << offset;
  ASSERT_TRUE(copy.guards_intact()) << size;
}

TEST(MaskTest, RfcExampleIsMaskedAndUnmasked) {
  auto payload = bytes("48656c6c6f");
  apply_mask(payload, odd_key);
  EXPECT_EQ(hex(payload), "7f9f4d5158");  // RFC 6455 5.7
  apply_mask(payload, odd_key);
  EXPECT_EQ(hex(payload), "48656c6c6f");
}

TEST(MaskTest, EverySizeAlignmentAndKeyPhaseAgreesWithTheDefinition) {
  for (std::size_t size = 0; size <= 140; ++size) {
    for (std::size_t shift = 0; shift < 8; ++shift) {
      for (std::uint64_t offset = 0; offset < 4; ++offset) expect_masks(size, shift, offset);
    }
  }
}

TEST(MaskTest, EveryAlignmentOfTheWideLoopAgreesWithTheDefinition) {
  for (const std::size_t size : {250U, 255U, 256U, 257U, 300U, 319U, 511U, 512U, 600U, 4099U}) {
    for (std::size_t shift = 0; shift < 64; ++shift) expect_masks(size, shift, shift % 4);
  }
}

TEST(MaskTest, OffsetCountsBeyond32Bits) { expect_masks(77, 1, 0xFFFFFFFFFFFFFFFDU); }

TEST(MaskTest, PiecesAreMaskedAsTheWhole) {
  EXPECT_TRUE(rc::check("any cut gives the same", [] {
    auto payload = *rc::gen::scale(20, rc::gen::arbitrary<std::vector<std::uint8_t>>());
    std::vector<std::byte> plain(payload.size());
    for (std::size_t i = 0; i < payload.size(); ++i) plain[i] = static_cast<std::byte>(payload[i]);
    const auto expected = reference(plain, odd_key, 0);
    std::uint64_t at = 0;
    MutableBytes rest{plain};
    while (!rest.empty()) {
      const auto take = *rc::gen::inRange<std::size_t>(1, rest.size() + 1);
      apply_mask(rest.first(take), odd_key, at);
      rest = rest.subspan(take);
      at += take;
    }
    RC_ASSERT(plain == expected);
  }));
}

TEST(MaskTest, NothingIsReadOrWrittenForAnEmptyPayload) {
  apply_mask({}, odd_key, 3);
  copy_masked({}, {}, odd_key, 1);
}

}  // namespace
}  // namespace sinnet::ws
