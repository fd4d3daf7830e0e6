/// UTF-8 validation (RFC 3629, asked for by RFC 6455 8.1). Never changes or decodes the text.
#include "sinnet/ws/utf8.hpp"

#include <simdjson.h>

#include <cstring>

namespace sinnet::ws {
namespace {

constexpr std::uint64_t high_bits = 0x8080808080808080U;

// simdjson is called through a pointer and starts a 64-byte block: up to here the 8-byte skip is faster on
// ASCII.
constexpr std::size_t short_bytes_max = 64;

std::uint64_t load_word(const std::byte* from) noexcept {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

/// Whether all bytes are below 0x80; for short ranges.
bool is_ascii(Bytes text) noexcept {
  const std::byte* const data = text.data();
  const std::size_t size = text.size();
  std::uint64_t seen = 0;
  if (size >= 8) {
    for (std::size_t at = 0; at + 8 <= size; at += 8) seen |= load_word(data + at);
    seen |= load_word(data + size - 8);
  } else {
    for (const std::byte b : text) seen |= std::to_integer<std::uint64_t>(b);
  }
  return (seen & high_bits) == 0;
}

/// Where the text's last sequence begins if its end is not there; otherwise the size. Looks at three bytes at
/// most.
std::size_t find_cut(Bytes text) noexcept {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = std::to_integer<unsigned>(text[text.size() - back]);
    if ((byte & 0xC0U) == 0x80U) continue;
    const std::size_t sequence_bytes = byte < 0xC0U ? 1 : byte < 0xE0U ? 2 : byte < 0xF0U ? 3 : 4;
    return sequence_bytes > back ? text.size() - back : text.size();
  }
  return text.size();
}

}  // namespace

bool is_utf8(Bytes text) noexcept {
  if (text.size() <= short_bytes_max && is_ascii(text)) return true;
  return simdjson::validate_utf8(reinterpret_cast<const char*>(text.data()), text.size());
}

bool Utf8Validator::step(unsigned byte) noexcept {
  if (pending_ != 0) {
    if (byte < lowest_ || byte > highest_) return false;
    lowest_ = 0x80;
    highest_ = 0xBF;
    --pending_;
    return true;
  }
  if (byte < 0x80U) return true;
  // RFC 3629 4: no C0, C1 (overlong), no F5 and above (beyond U+10FFFF).
  if (byte < 0xC2U || byte > 0xF4U) return false;
  pending_ = byte < 0xE0U ? 1 : byte < 0xF0U ? 2 : 3;
  switch (byte) {
    case 0xE0: lowest_ = 0xA0; break;   // below: overlong
    case 0xED: highest_ = 0x9F; break;  // above: surrogates
    case 0xF0: lowest_ = 0x90; break;   // below: overlong
    case 0xF4: highest_ = 0x8F; break;  // above: beyond U+10FFFF
    default: break;
  }
  return true;
}

bool Utf8Validator::receive(Bytes piece) noexcept {
  while (pending_ != 0 && !piece.empty()) {
    if (!step(std::to_integer<unsigned>(piece.front()))) return false;
    piece = piece.subspan(1);
  }
  if (piece.empty()) return true;
  const std::size_t cut = find_cut(piece);
  if (!is_utf8(piece.first(cut))) return false;
  for (const std::byte b : piece.subspan(cut)) {
    if (!step(std::to_integer<unsigned>(b))) return false;
  }
  return true;
}

}  // namespace sinnet::ws
