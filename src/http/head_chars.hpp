#pragma once
/// The character classes of RFC 9110 5.5 and 5.6 and the small text operations on them. No locale, no
/// allocation.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sinnet::http {

enum CharClass : std::uint8_t {
  TokenChar = 1,   // RFC 9110 5.6.2: tchar
  ValueChar = 2,   // RFC 9110 5.5: field-vchar, SP, HTAB
  TargetChar = 4,  // visible ASCII without '#': a fragment is never sent (RFC 9110 7.1)
  HostChar = 8,    // RFC 3986 3.2.2: unreserved; no sub-delims (a comma would look like a list), no escapes
};

inline constexpr std::array<std::uint8_t, 256> char_classes = [] {
  std::array<std::uint8_t, 256> classes{};
  const auto set = [&](std::string_view chars, unsigned bits) {
    for (const char c : chars) {
      auto& entry = classes[static_cast<unsigned char>(c)];
      entry = static_cast<std::uint8_t>(entry | bits);
    }
  };
  constexpr std::string_view alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  set(alphanumeric, TokenChar | HostChar);
  set("!#$%&'*+-.^_`|~", TokenChar);
  set("-._~", HostChar);
  set(" \t", ValueChar);
  for (std::size_t c = 0x21; c < 0x7F; ++c) {
    classes[c] = static_cast<std::uint8_t>(classes[c] | ValueChar | (c == '#' ? 0U : unsigned{TargetChar}));
  }
  for (std::size_t c = 0x80; c < 0x100; ++c) classes[c] = ValueChar;
  return classes;
}();

[[nodiscard]] constexpr bool is_in(CharClass which, char c) noexcept {
  return (char_classes[static_cast<unsigned char>(c)] & which) != 0;
}

/// Whether every character is in the class; true for an empty text.
[[nodiscard]] constexpr bool is_all(CharClass which, std::string_view text) noexcept {
  for (const char c : text) {
    if (!is_in(which, c)) return false;
  }
  return true;
}

[[nodiscard]] constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }
[[nodiscard]] constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Without the optional whitespace (RFC 9110 5.6.3) at both ends.
[[nodiscard]] constexpr std::string_view trim_blanks(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Cuts the first element off a comma-separated list and answers it trimmed. Knows no quoted strings.
[[nodiscard]] constexpr std::string_view cut_element(std::string_view& list) noexcept {
  const std::size_t comma = list.find(',');
  const std::string_view element = list.substr(0, comma);
  list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  return trim_blanks(element);
}

}  // namespace sinnet::http
