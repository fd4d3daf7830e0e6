#pragma once
/// How single values are spelt: sizes, durations, strings, addresses, patterns. Parsing and writing side by
/// side, so that what is printed can be read again. This file knows no key.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "sinnet/base/time.hpp"

namespace sinnet::daemon {

/// A value, or half a sentence that follows "limits.message: ".
template <class T>
using Read = std::expected<T, std::string>;

/// "64KiB", "1MiB", "2GiB", "100" (bytes).
[[nodiscard]] Read<std::uint64_t> parse_size(std::string_view text);
/// "250ms", "5s", "10m", "1h", "31d". A unit is needed: nobody should have to guess.
[[nodiscard]] Read<Duration> parse_duration(std::string_view text);
/// Decimal digits with `_` between them, as in TOML.
[[nodiscard]] Read<std::uint64_t> parse_count(std::string_view text);

/// `"1MiB"`, `1000`: in the largest unit that says it exactly, as TOML.
[[nodiscard]] std::string write_size(std::uint64_t bytes);
/// `"5s"`. Exact to the millisecond.
[[nodiscard]] std::string write_duration(Duration duration);
/// `200_000`.
[[nodiscard]] std::string write_count(std::uint64_t number);
/// A TOML basic string with its quotes.
[[nodiscard]] std::string write_text(std::string_view text);

/// `path` as seen from `directory`; absolute and empty ones stay. Lexically normal ("a/../b" is "b").
[[nodiscard]] std::string resolve_path(std::string_view path, std::string_view directory);

// Each takes what was written and answers its normal form.
[[nodiscard]] Read<std::string> check_plain_text(std::string_view text);  ///< no control characters
[[nodiscard]] Read<std::string> check_host_name(
    std::string_view text);  ///< lower case, no port; may be empty
[[nodiscard]] Read<std::string> check_route_host(std::string_view text);  ///< a host name, or "*." and one
[[nodiscard]] Read<std::string> check_route_path(std::string_view text);  ///< see RouteConfig
[[nodiscard]] Read<std::string> check_protocol(std::string_view text);    ///< RFC 6455 4.1: an RFC 7230 token
[[nodiscard]] Read<std::string> check_origin(std::string_view text);  ///< RFC 6454 6.1, lower case; or "*"
[[nodiscard]] Read<std::string> check_proxy(std::string_view text);   ///< an address, a CIDR range or "unix"
[[nodiscard]] Read<std::string> check_name(
    std::string_view text);  ///< a handler's: letters, digits, `_`, `-`
[[nodiscard]] Read<std::string> check_index(std::string_view text);  ///< a file name without `/`
/// "host:port", "[::1]:80", "unix:/path" (a relative path is seen from `directory`).
[[nodiscard]] Read<std::string> check_target(std::string_view text, std::string_view directory);

}  // namespace sinnet::daemon
