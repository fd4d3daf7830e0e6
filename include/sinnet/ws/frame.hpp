#pragma once
/// The frame header of RFC 6455 5.2, both directions, and masking.
/// Pure functions: no state, no policy about who may send what.

#include <array>
#include <cstdint>
#include <span>

#include "sinnet/base/bytes.hpp"

namespace sinnet::ws {

enum class Role : std::uint8_t { Client, Server };

/// RFC 6455 11.8. Values not named here are reserved and stay representable.
enum class Opcode : std::uint8_t {
  Continuation = 0x0,
  Text = 0x1,
  Binary = 0x2,
  Close = 0x8,
  Ping = 0x9,
  Pong = 0xA
};

[[nodiscard]] constexpr bool is_control(Opcode opcode) noexcept {
  return (static_cast<unsigned>(opcode) & 0x8U) != 0;
}
[[nodiscard]] constexpr bool is_reserved(Opcode opcode) noexcept {
  const auto value = static_cast<unsigned>(opcode);
  return (value > 0x2U && value < 0x8U) || value > 0xAU;
}

using MaskKey = std::array<std::byte, 4>;

inline constexpr std::size_t frame_header_bytes_max = 14;        // 2 + 8 length + 4 key
inline constexpr std::uint64_t control_payload_bytes_max = 125;  // RFC 6455 5.5

struct FrameHeader {
  bool fin = true;
  bool rsv1 = false;
  bool rsv2 = false;
  bool rsv3 = false;
  Opcode opcode = Opcode::Binary;
  bool masked = false;
  MaskKey mask_key{};
  std::uint64_t payload_bytes = 0;

  friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

enum class FrameHeaderStatus : std::uint8_t {
  NeedMore,
  Done,
  LengthNotMinimal,  ///< RFC 6455 5.2: the minimal number of bytes MUST be used
  LengthTopBitSet,   ///< RFC 6455 5.2: the most significant bit MUST be 0
};

struct FrameHeaderResult {
  FrameHeaderStatus status = FrameHeaderStatus::NeedMore;
  std::uint8_t header_bytes = 0;  ///< how many bytes of the input the header took, when Done
};

/// Reads a header from the front of `input` into `header` when it is whole there.
/// Judges only what this layer can: the length's form. A bad length is answered as soon as its bytes are
/// there, before the key. `header` is untouched unless Done; an unmasked frame's key is zero. Never looks
/// further than 14 bytes.
[[nodiscard]] FrameHeaderResult parse_frame_header(Bytes input, FrameHeader& header) noexcept;

/// Writes the header in its shortest form and answers its length (2–14). `out` behind it may be written over.
/// Requires payload_bytes < 2^63.
std::size_t write_frame_header(const FrameHeader& header,
                               std::span<std::byte, frame_header_bytes_max> out) noexcept;

/// XORs `payload` in place with the key, RFC 6455 5.3. `offset` is the position of payload[0] in the frame's
/// payload. Masking and unmasking are the same. Any alignment; vectorised.
void apply_mask(MutableBytes payload, MaskKey key, std::uint64_t offset = 0) noexcept;

/// As apply_mask, but reads from `from` and writes to `to` (same length; the same place or not overlapping):
/// masks while copying.
void copy_masked(MutableBytes to, Bytes from, MaskKey key, std::uint64_t offset = 0) noexcept;

}  // namespace sinnet::ws
