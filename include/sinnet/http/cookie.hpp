#pragma once
/// Reading a request's Cookie header (RFC 6265 4.2, 5.4). Never writes Set-Cookie.

#include <optional>
#include <string_view>

namespace sinnet::http {

struct Cookie {
  std::string_view name;
  std::string_view value;  ///< not decoded; one pair of surrounding quotes is removed
};

/// Walks a Cookie header: `while (auto cookie = cursor.next()) …`. Reads leniently: pairs without "=" or with
/// an empty name are skipped, blanks around names and values are dropped, a value may hold any byte but ";".
/// Linear time, no allocation. The views are of the header.
class CookieCursor {
 public:
  explicit CookieCursor(std::string_view header) noexcept : rest_(header) {}
  [[nodiscard]] std::optional<Cookie> next() noexcept;

 private:
  std::string_view rest_;
};

/// The value of the first cookie of that name (case matters). The first is the one with the longest path (RFC
/// 6265 5.4).
[[nodiscard]] std::optional<std::string_view> cookie_value(std::string_view header,
                                                           std::string_view name) noexcept;

}  // namespace sinnet::http
