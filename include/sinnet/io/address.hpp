#pragma once
/// Socket addresses as values: IPv4, IPv6 and Unix paths. Names are not resolved here (see io/resolver.hpp).

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "sinnet/base/bytes.hpp"
#include "sinnet/base/error.hpp"

namespace sinnet::io {

enum class AddressFamily : std::uint8_t { None, Ipv4, Ipv6, Unix };

/// An address a socket can be bound or connected to. Small for IP (a Unix path is on the heap).
class SocketAddress {
 public:
  SocketAddress() = default;

  /// "127.0.0.1:80", "[::1]:80", "unix:/run/x.sock" (also "unix:@name" for the abstract namespace).
  /// Numeric only; a host name or an IPv6 zone is InvalidArgument. A path of 108 bytes or more is an error,
  /// never truncated.
  [[nodiscard]] static Result<SocketAddress> parse(std::string_view text);
  /// Octets in network order.
  [[nodiscard]] static SocketAddress ipv4(std::array<std::uint8_t, 4> octets, std::uint16_t port);
  [[nodiscard]] static SocketAddress ipv6(std::array<std::uint8_t, 16> octets, std::uint16_t port);
  /// From a `struct sockaddr`, passed as bytes so that this header needs no system header. None for any other
  /// family.
  [[nodiscard]] static SocketAddress from_native(Bytes sockaddr);
  /// Writes at most 128 bytes (`sockaddr_storage`); answers the length, 0 for None.
  [[nodiscard]] std::size_t to_native(std::span<std::byte, 128> out) const;

  [[nodiscard]] AddressFamily family() const noexcept { return family_; }
  [[nodiscard]] bool is_ip() const noexcept {
    return family_ == AddressFamily::Ipv4 || family_ == AddressFamily::Ipv6;
  }
  /// Reachable from this machine only: 127.0.0.0/8 (also IPv4-mapped), ::1, and every Unix socket.
  [[nodiscard]] bool is_loopback() const noexcept;
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// Network order; the first four for IPv4, zeros for a path.
  [[nodiscard]] const std::array<std::uint8_t, 16>& octets() const noexcept { return octets_; }
  /// The address without its port: "127.0.0.1", "::1", "/run/x.sock". An IPv4-mapped IPv6 address reads as
  /// IPv4.
  [[nodiscard]] std::string host() const;
  /// What parse() takes.
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const SocketAddress&, const SocketAddress&) = default;

 private:
  AddressFamily family_ = AddressFamily::None;
  std::uint16_t port_ = 0;
  std::array<std::uint8_t, 16> octets_{};
  std::string path_;
};

}  // namespace sinnet::io
