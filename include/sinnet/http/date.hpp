#pragma once
/// HTTP dates (RFC 9110 5.6.7), both ways. Never reads a clock: where now matters it is an argument.

#include <array>
#include <chrono>
#include <optional>
#include <string_view>

namespace sinnet::http {

/// Seconds since 1970 UTC, leap seconds not counted.
using WallTime = std::chrono::sys_seconds;

/// IMF-fixdate is always this long: "Sun, 06 Nov 1994 08:49:37 GMT".
inline constexpr std::size_t date_bytes = 29;

/// Requires a year from 0 to 9999. The array has no final NUL.
[[nodiscard]] std::array<char, date_bytes> write_date(WallTime time) noexcept;

/// Reads the three forms a recipient must take: IMF-fixdate, RFC 850 ("Sunday, 06-Nov-94 08:49:37 GMT"),
/// asctime
/// ("Sun Nov  6 08:49:37 1994"). Case matters and GMT is required; the day of the week must be one, but is
/// not checked against the date. A two-digit year lies at most 50 years behind `now`, else in the past.
/// Second 60 is read as the next minute.
[[nodiscard]] std::optional<WallTime> parse_date(std::string_view text, WallTime now) noexcept;

}  // namespace sinnet::http
