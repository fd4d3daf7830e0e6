/// Masking (RFC 6455 5.3) at the speed of memory: XOR with a four-byte key repeated. Never makes a key, never
/// allocates.
///
/// Most messages are short (16-125 bytes), so those stay on plain 8- and 16-byte steps without a call. Longer
/// ones take the widest vectors the processor has, chosen by a predictable branch: an ifunc resolver
/// (target_clones) would run before the sanitizers are set up, and a function pointer would cost an indirect
/// call.
#include <bit>
#include <cassert>
#include <cstring>

#include "sinnet/ws/frame.hpp"

namespace sinnet::ws {
namespace {

#define SINNET_ALWAYS_INLINE [[gnu::always_inline]] inline

// Below this the wide loop's aligning costs more than it saves.
constexpr std::size_t wide_bytes_min = 256;

/// The key as it falls on payload bytes at `position`, position + 1, … when loaded as an integer from memory.
SINNET_ALWAYS_INLINE std::uint32_t rotate_key(std::uint32_t key, std::size_t position) noexcept {
  const int bits = static_cast<int>(position & 3U) * 8;
  return std::endian::native == std::endian::little ? std::rotr(key, bits) : std::rotl(key, bits);
}

template <typename Word>
SINNET_ALWAYS_INLINE Word load(const std::byte* from) noexcept {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

template <typename Word>
SINNET_ALWAYS_INLINE void store(std::byte* to, const Word& word) noexcept {
  std::memcpy(to, &word, sizeof word);
}

SINNET_ALWAYS_INLINE std::uint64_t twice(std::uint32_t key) noexcept {
  return (std::uint64_t{key} << 32U) | key;
}

/// Fewer than 8 bytes. All is loaded before anything is stored, so that the two words may overlap in place.
SINNET_ALWAYS_INLINE void mask_below_8(std::byte* to, const std::byte* from, std::size_t size,
                                       std::uint32_t key) noexcept {
  if (size >= 4) {
    const std::uint32_t head = load<std::uint32_t>(from) ^ key;
    const std::uint32_t tail = load<std::uint32_t>(from + size - 4) ^ rotate_key(key, size - 4);
    store(to, head);
    store(to + size - 4, tail);
    return;
  }
  const auto key_bytes = std::bit_cast<MaskKey>(key);
  for (std::size_t i = 0; i < size; ++i) to[i] = from[i] ^ key_bytes[i];
}

/// At least 8 bytes, in 8-byte steps; the last word overlaps the one before it.
SINNET_ALWAYS_INLINE void mask_by_8(std::byte* to, const std::byte* from, std::size_t size,
                                    std::uint32_t key) noexcept {
  const std::uint64_t wide_key = twice(key);
  const std::uint64_t tail = load<std::uint64_t>(from + size - 8) ^ twice(rotate_key(key, size - 8));
  for (std::size_t at = 0; at + 8 <= size; at += 8) store(to + at, load<std::uint64_t>(from + at) ^ wide_key);
  store(to + size - 8, tail);
}

// A struct each, because an attribute is lost on its way through a template parameter.
struct Vector16 {
  std::uint32_t lanes __attribute__((vector_size(16)));
};
struct Vector32 {
  std::uint32_t lanes __attribute__((vector_size(32)));
};
struct Vector64 {
  std::uint32_t lanes __attribute__((vector_size(64)));
};

/// The bytes at `from`, masked. Out by reference: vectors wider than the baseline have no stable calling
/// convention.
template <typename Vector>
SINNET_ALWAYS_INLINE void load_masked(Vector& vector, const std::byte* from, const Vector& key) noexcept {
  std::memcpy(&vector, from, sizeof vector);
  vector.lanes ^= key.lanes;
}

/// The key as it falls on the first vector of a payload, on the first whole one at an aligned address, and on
/// the last (a vector's width is a multiple of the key's). Broadcasts are written where they are needed, not
/// in a function: one without the vector's target is compiled lane by lane before it is inlined.
template <typename Vector>
struct Keys {
  Vector head;
  Vector body;
  Vector tail;
};

/// Bytes before the first address in [to, to + width) that is a multiple of `width`.
SINNET_ALWAYS_INLINE std::size_t bytes_to_aligned(const std::byte* to, std::size_t width) noexcept {
  return (0U - reinterpret_cast<std::uintptr_t>(to)) & (width - 1);
}

/// At least one Vector of bytes; the body begins at `at`, 0 or where stores are aligned. The first and the
/// last vector are loaded before the loop and stored after it: in place they overlap what the loop rewrites.
template <typename Vector, bool aligned>
SINNET_ALWAYS_INLINE void mask_by_vector(std::byte* to, const std::byte* from, std::size_t size,
                                         std::size_t at, const Keys<Vector>& keys) noexcept {
  constexpr std::size_t width = sizeof(Vector);
  Vector head;
  Vector tail;
  const Vector key_here = keys.body;
  load_masked(tail, from + size - width, keys.tail);
  if constexpr (aligned) load_masked(head, from, keys.head);
  for (; at + 4 * width <= size; at += 4 * width) {
    Vector a;
    Vector b;
    Vector c;
    Vector d;
    load_masked(a, from + at, key_here);
    load_masked(b, from + at + width, key_here);
    load_masked(c, from + at + 2 * width, key_here);
    load_masked(d, from + at + 3 * width, key_here);
    store(to + at, a);
    store(to + at + width, b);
    store(to + at + 2 * width, c);
    store(to + at + 3 * width, d);
  }
  for (; at + width <= size; at += width) {
    Vector a;
    load_masked(a, from + at, key_here);
    store(to + at, a);
  }
  if constexpr (aligned) store(to, head);
  store(to + size - width, tail);
}

SINNET_ALWAYS_INLINE void mask_16(std::byte* to, const std::byte* from, std::size_t size,
                                  std::uint32_t key) noexcept {
  Keys<Vector16> keys;
  keys.body.lanes = decltype(keys.body.lanes){} ^ key;
  keys.tail.lanes = decltype(keys.tail.lanes){} ^ rotate_key(key, size);
  mask_by_vector<Vector16, false>(to, from, size, 0, keys);
}

#if defined(__x86_64__)

[[gnu::target("avx512f")]] void mask_avx512(std::byte* to, const std::byte* from, std::size_t size,
                                            std::uint32_t key) noexcept {
  const std::size_t at = bytes_to_aligned(to, sizeof(Vector64));
  Keys<Vector64> keys;
  keys.head.lanes = decltype(keys.head.lanes){} ^ key;
  keys.body.lanes = decltype(keys.body.lanes){} ^ rotate_key(key, at);
  keys.tail.lanes = decltype(keys.tail.lanes){} ^ rotate_key(key, size);
  mask_by_vector<Vector64, true>(to, from, size, at, keys);
}

[[gnu::target("avx2")]] void mask_avx2(std::byte* to, const std::byte* from, std::size_t size,
                                       std::uint32_t key) noexcept {
  const std::size_t at = bytes_to_aligned(to, sizeof(Vector32));
  Keys<Vector32> keys;
  keys.head.lanes = decltype(keys.head.lanes){} ^ key;
  keys.body.lanes = decltype(keys.body.lanes){} ^ rotate_key(key, at);
  keys.tail.lanes = decltype(keys.tail.lanes){} ^ rotate_key(key, size);
  mask_by_vector<Vector32, true>(to, from, size, at, keys);
}

void mask_wide(std::byte* to, const std::byte* from, std::size_t size, std::uint32_t key) noexcept {
  if (__builtin_cpu_supports("avx512f")) return mask_avx512(to, from, size, key);
  if (__builtin_cpu_supports("avx2")) return mask_avx2(to, from, size, key);
  mask_16(to, from, size, key);
}

#else

void mask_wide(std::byte* to, const std::byte* from, std::size_t size, std::uint32_t key) noexcept {
  mask_16(to, from, size, key);
}

#endif

/// `to` and `from` are the same or do not overlap.
SINNET_ALWAYS_INLINE void mask(std::byte* to, const std::byte* from, std::size_t size, MaskKey key_bytes,
                               std::uint64_t offset) noexcept {
  const auto phase = static_cast<std::size_t>(offset & 3U);
  const std::uint32_t key = rotate_key(std::bit_cast<std::uint32_t>(key_bytes), phase);
  if (size < 8) return mask_below_8(to, from, size, key);
  if (size < 16) return mask_by_8(to, from, size, key);
  if (size < wide_bytes_min) return mask_16(to, from, size, key);
  mask_wide(to, from, size, key);
}

#undef SINNET_ALWAYS_INLINE

}  // namespace

void apply_mask(MutableBytes payload, MaskKey key, std::uint64_t offset) noexcept {
  mask(payload.data(), payload.data(), payload.size(), key, offset);
}

void copy_masked(MutableBytes to, Bytes from, MaskKey key, std::uint64_t offset) noexcept {
  assert(to.size() == from.size());
  mask(to.data(), from.data(), from.size(), key, offset);
}

}  // namespace sinnet::ws
