/// See cookie.hpp.
#include "sinnet/http/cookie.hpp"

#include <algorithm>

namespace sinnet::http {
namespace {

std::string_view trim(std::string_view text) noexcept {
  constexpr std::string_view blanks = " \t";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace

std::optional<Cookie> CookieCursor::next() noexcept {
  while (!rest_.empty()) {
    const std::string_view pair = rest_.substr(0, std::min(rest_.find(';'), rest_.size()));
    rest_.remove_prefix(std::min(pair.size() + 1, rest_.size()));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = trim(pair.substr(0, equals));
    if (name.empty()) continue;
    std::string_view value = trim(pair.substr(equals + 1));
    // RFC 6265 4.1.1: cookie-value = *cookie-octet / ( DQUOTE *cookie-octet DQUOTE )
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    return Cookie{name, value};
  }
  return std::nullopt;
}

std::optional<std::string_view> cookie_value(std::string_view header, std::string_view name) noexcept {
  CookieCursor cursor(header);
  while (const auto cookie = cursor.next()) {
    if (cookie->name == name) return cookie->value;
  }
  return std::nullopt;
}

}  // namespace sinnet::http
