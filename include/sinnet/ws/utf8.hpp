#pragma once
/// UTF-8 validation of text that arrives in pieces (RFC 6455 8.1): bulk by simdjson, seams by a small DFA.

#include <cstdint>

#include "sinnet/base/bytes.hpp"

namespace sinnet::ws {

/// Whether the whole range is valid UTF-8. Short ASCII is recognised without a call.
[[nodiscard]] bool is_utf8(Bytes text) noexcept;

/// Validates a text handed over in pieces. A piece that makes the text invalid is refused at once, even if
/// the bad sequence is cut by the end of the piece (F4 90 is bad before its third byte).
class Utf8Validator {
 public:
  /// False when the text so far cannot be the beginning of valid UTF-8. Then the validator must be reset
  /// before reuse.
  [[nodiscard]] bool receive(Bytes piece) noexcept;
  /// Whether the text may end here: no sequence is open.
  [[nodiscard]] bool is_complete() const noexcept { return pending_ == 0; }
  void reset() noexcept { *this = {}; }

 private:
  bool step(unsigned byte) noexcept;

  std::uint8_t pending_ = 0;    ///< continuation bytes still due
  std::uint8_t lowest_ = 0x80;  ///< bounds of the next one (they differ after E0, ED, F0, F4)
  std::uint8_t highest_ = 0xBF;
};

}  // namespace sinnet::ws
