#pragma once
/// IP addresses as text: strict reading, and IPv6 in its one written form. No sockets, no resolver.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sinnet::http {

using Ipv4Octets = std::array<std::uint8_t, 4>;
using Ipv6Octets = std::array<std::uint8_t, 16>;

/// Four decimal numbers 0–255 without leading zeros; nothing else ("0x7f.1" and "127.1" mean different hosts
/// to different resolvers).
[[nodiscard]] std::optional<Ipv4Octets> parse_ipv4(std::string_view text) noexcept;

/// RFC 4291 2.2, all three forms, without brackets and without a zone id.
[[nodiscard]] std::optional<Ipv6Octets> parse_ipv6(std::string_view text) noexcept;

/// RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as "::",
/// v4-mapped with dots.
[[nodiscard]] std::string write_ipv6(const Ipv6Octets& octets);

}  // namespace sinnet::http
