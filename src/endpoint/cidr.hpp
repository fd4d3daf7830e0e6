#pragma once
/// IP addresses and address blocks, compared as bits. Never resolves names.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sinnet/base/error.hpp"
#include "sinnet/io/address.hpp"

namespace sinnet::endpoint {

/// An address without a port. IPv4 is held as its IPv4-mapped IPv6 address, so that a client has one form,
/// whichever kind of socket it came through (RFC 4291 2.5.5.2).
struct IpAddress {
  std::array<std::uint8_t, 16> octets{};

  [[nodiscard]] bool is_ipv4() const noexcept;
  /// 127.0.0.0/8 and ::1.
  [[nodiscard]] bool is_loopback() const noexcept;
  /// "192.0.2.1" or "2001:db8::1".
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] io::SocketAddress with_port(std::uint16_t port) const;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

/// "192.0.2.1" or "2001:db8::1", strictly; no brackets, no port, no zone.
[[nodiscard]] std::optional<IpAddress> parse_ip(std::string_view text) noexcept;

/// Nothing for Unix and for no address.
[[nodiscard]] std::optional<IpAddress> ip_of(const io::SocketAddress& address);

/// A block of addresses: "10.0.0.0/8", "2001:db8::/32", or one address.
class Cidr {
 public:
  /// An error if bits behind the prefix are set: "10.1.2.3/8" is one address or a whole network, and we do
  /// not guess.
  [[nodiscard]] static Result<Cidr> parse(std::string_view text);

  /// IPv4 blocks hold IPv4 (and mapped) addresses only, IPv6 blocks IPv6 only: "::/0" is not everybody.
  [[nodiscard]] bool contains(const IpAddress& address) const noexcept;
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const Cidr&, const Cidr&) = default;

 private:
  IpAddress base_;
  std::uint8_t bits_ = 128;  ///< of the 128: an IPv4 prefix counts 96 more
};

}  // namespace sinnet::endpoint
