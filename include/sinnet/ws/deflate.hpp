#pragma once
/// The parameters of permessage-deflate (RFC 7692 7.1) once both sides agreed, and what one side is willing
/// to agree to. The compressor itself is private (src/ws/compressor.hpp).

#include <cstdint>

namespace sinnet::ws {

/// What both sides agreed on. Window bits are 9–15: zlib cannot make a raw 8-bit window.
struct DeflateParameters {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  std::uint8_t server_max_window_bits = 15;
  std::uint8_t client_max_window_bits = 15;

  friend bool operator==(const DeflateParameters&, const DeflateParameters&) = default;
};

/// What a side offers (client) or accepts (server).
struct DeflateOptions {
  bool enabled = false;
  bool context_takeover = false;  ///< allow either side to keep its window between messages
  std::uint8_t window_bits = 15;  ///< the largest window either side may use, 9–15
  /// zlib's 1–9; 1 costs a third of 6 and gives up a tenth of the gain on typical JSON.
  std::uint8_t level = 1;
  /// zlib's memLevel for compressing, 1–9. Without takeover its tables are cleared for every message: 8,
  /// zlib's own default, costs a fifth to a third more time than 5 on messages of 1 KiB and yields the same
  /// bytes.
  std::uint8_t memory_level = 5;
  std::uint32_t threshold_bytes = 128;  ///< messages shorter than this are sent uncompressed
};

}  // namespace sinnet::ws
