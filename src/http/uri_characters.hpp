#pragma once
/// The character classes of RFC 3986, as predicates. No locale, ASCII only.

#include <cstddef>
#include <string_view>

namespace sinnet::http {

[[nodiscard]] constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
[[nodiscard]] constexpr bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
[[nodiscard]] constexpr char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
/// −1 if `c` is no hexadecimal digit.
[[nodiscard]] constexpr int hex_value(char c) noexcept {
  if (is_digit(c)) return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}
/// C0 and DEL.
[[nodiscard]] constexpr bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// RFC 3986 2.2 and 2.3: unreserved and sub-delims, what userinfo, path and query share.
[[nodiscard]] constexpr bool is_common(char c) noexcept {
  return is_letter(c) || is_digit(c) || std::string_view("-._~!$&'()*+,;=").find(c) != std::string_view::npos;
}

/// Whether `text[at]` begins a complete %XX.
[[nodiscard]] constexpr bool is_escape(std::string_view text, std::size_t at) noexcept {
  return at + 2 < text.size() && text[at] == '%' && hex_value(text[at + 1]) >= 0 &&
         hex_value(text[at + 2]) >= 0;
}
/// The byte that the escape at `at` stands for. Requires is_escape().
[[nodiscard]] constexpr char escaped_byte(std::string_view text, std::size_t at) noexcept {
  return static_cast<char>(hex_value(text[at + 1]) * 16 + hex_value(text[at + 2]));
}

}  // namespace sinnet::http
