/// Frame headers between bytes and fields (RFC 6455 5.2). Never touches a payload and never judges who may
/// send what.
#include "sinnet/ws/frame.hpp"

#include <bit>
#include <cassert>
#include <cstring>

namespace sinnet::ws {
namespace {

// RFC 6455 5.2: the second byte's low seven bits are the length, or one of two marks for a longer one.
constexpr unsigned length_is_16_bits = 126;
constexpr unsigned length_is_64_bits = 127;
constexpr std::uint64_t length_7_bits_max = 125;
constexpr std::uint64_t length_16_bits_max = 0xFFFF;

// RFC 6455 5.2: network byte order.
template <typename Integer>
[[nodiscard]] Integer swap_to_network(Integer value) noexcept {
  if constexpr (std::endian::native == std::endian::little) return std::byteswap(value);
  return value;
}

template <typename Integer>
[[nodiscard]] Integer load(const std::byte* from) noexcept {
  Integer value;
  std::memcpy(&value, from, sizeof value);
  return swap_to_network(value);
}

template <typename Integer>
void store(std::byte* to, Integer value) noexcept {
  value = swap_to_network(value);
  std::memcpy(to, &value, sizeof value);
}

}  // namespace

FrameHeaderResult parse_frame_header(Bytes input, FrameHeader& header) noexcept {
  if (input.size() < 2) return {};
  const auto first = std::to_integer<unsigned>(input[0]);
  const auto second = std::to_integer<unsigned>(input[1]);
  const bool masked = (second & 0x80U) != 0;

  std::uint64_t payload_bytes = second & 0x7FU;
  std::size_t key_at = 2;
  if (payload_bytes > length_7_bits_max) [[unlikely]] {
    if (payload_bytes == length_is_16_bits) {
      key_at = 4;
      if (input.size() < key_at) return {};
      payload_bytes = load<std::uint16_t>(input.data() + 2);
      if (payload_bytes <= length_7_bits_max) return {.status = FrameHeaderStatus::LengthNotMinimal};
    } else {
      key_at = 10;
      if (input.size() < key_at) return {};
      payload_bytes = load<std::uint64_t>(input.data() + 2);
      if (payload_bytes >> 63U != 0) return {.status = FrameHeaderStatus::LengthTopBitSet};
      if (payload_bytes <= length_16_bits_max) return {.status = FrameHeaderStatus::LengthNotMinimal};
    }
  }

  const std::size_t header_bytes = key_at + (masked ? sizeof(MaskKey) : 0);
  if (input.size() < header_bytes) return {};
  header.fin = (first & 0x80U) != 0;
  header.rsv1 = (first & 0x40U) != 0;
  header.rsv2 = (first & 0x20U) != 0;
  header.rsv3 = (first & 0x10U) != 0;
  header.opcode = static_cast<Opcode>(first & 0x0FU);
  header.masked = masked;
  header.mask_key = {};
  if (masked) std::memcpy(header.mask_key.data(), input.data() + key_at, sizeof(MaskKey));
  header.payload_bytes = payload_bytes;
  return {.status = FrameHeaderStatus::Done, .header_bytes = static_cast<std::uint8_t>(header_bytes)};
}

std::size_t write_frame_header(const FrameHeader& header,
                               std::span<std::byte, frame_header_bytes_max> out) noexcept {
  assert(header.payload_bytes >> 63U == 0);
  const unsigned first = (header.fin ? 0x80U : 0U) | (header.rsv1 ? 0x40U : 0U) | (header.rsv2 ? 0x20U : 0U) |
                         (header.rsv3 ? 0x10U : 0U) | (static_cast<unsigned>(header.opcode) & 0x0FU);
  const unsigned mask_bit = header.masked ? 0x80U : 0U;
  unsigned length_mark = 0;
  std::size_t key_at = 2;
  if (header.payload_bytes <= length_7_bits_max) {
    length_mark = static_cast<unsigned>(header.payload_bytes);
  } else if (header.payload_bytes <= length_16_bits_max) {
    length_mark = length_is_16_bits;
    store(out.data() + 2, static_cast<std::uint16_t>(header.payload_bytes));
    key_at = 4;
  } else {
    length_mark = length_is_64_bits;
    store(out.data() + 2, header.payload_bytes);
    key_at = 10;
  }
  out[0] = static_cast<std::byte>(first);
  out[1] = static_cast<std::byte>(mask_bit | length_mark);
  if (!header.masked) return key_at;
  std::memcpy(out.data() + key_at, header.mask_key.data(), sizeof(MaskKey));
  return key_at + sizeof(MaskKey);
}

}  // namespace sinnet::ws
