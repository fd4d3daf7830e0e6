#pragma once
/// Integers on the wire, for dialects: big endian, little endian, and QUIC's varint (RFC 9000 16).
/// Callers check sizes; nothing here does.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "sinnet/base/bytes.hpp"

namespace sinnet::mux {

template <class Integer>
[[nodiscard]] Integer load(const std::byte* from, std::endian order) noexcept {
  Integer value;
  std::memcpy(&value, from, sizeof value);
  return order == std::endian::native ? value : std::byteswap(value);
}
template <class Integer>
void store(std::byte* to, Integer value, std::endian order) noexcept {
  if (order != std::endian::native) value = std::byteswap(value);
  std::memcpy(to, &value, sizeof value);
}

template <class Integer>
[[nodiscard]] Integer load_big(const std::byte* from) noexcept {
  return load<Integer>(from, std::endian::big);
}
template <class Integer>
void store_big(std::byte* to, Integer value) noexcept {
  store(to, value, std::endian::big);
}

inline constexpr std::uint64_t varint_max = (std::uint64_t{1} << 62U) - 1;

/// How many bytes the varint takes that begins with `first`.
[[nodiscard]] constexpr std::size_t varint_bytes(std::byte first) noexcept {
  return std::size_t{1} << (std::to_integer<unsigned>(first) >> 6U);
}
/// How many bytes `value` takes at least. Requires value <= varint_max.
[[nodiscard]] constexpr std::size_t varint_bytes_of(std::uint64_t value) noexcept {
  return value < 0x40 ? 1 : value < 0x4000 ? 2 : value < 0x40000000 ? 4 : 8;
}
/// Reads a varint from the front and takes it off. False: `from` is too short, and unchanged.
[[nodiscard]] inline bool take_varint(Bytes& from, std::uint64_t& value) noexcept {
  if (from.empty()) return false;
  const std::size_t size = varint_bytes(from[0]);
  if (from.size() < size) return false;
  value = std::to_integer<std::uint64_t>(from[0]) & 0x3FU;
  for (std::size_t i = 1; i < size; ++i) value = value << 8U | std::to_integer<std::uint64_t>(from[i]);
  from = from.subspan(size);
  return true;
}
/// Writes the shortest form and answers what is behind it.
[[nodiscard]] inline std::byte* put_varint(std::byte* to, std::uint64_t value) noexcept {
  const std::size_t size = varint_bytes_of(value);
  for (std::size_t i = size; i-- > 0; value >>= 8U) to[i] = static_cast<std::byte>(value & 0xFFU);
  to[0] |= static_cast<std::byte>(std::countr_zero(size) << 6U);
  return to + size;
}

}  // namespace sinnet::mux
