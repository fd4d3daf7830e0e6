/// See cidr.hpp.
#include "endpoint/cidr.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "http/ip_text.hpp"

namespace sinnet::endpoint {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int mapped_bits = 96;

IpAddress mapped(const http::Ipv4Octets& octets) noexcept {
  IpAddress address;
  std::ranges::copy(mapped_prefix, address.octets.begin());
  std::ranges::copy(octets, address.octets.begin() + mapped_prefix.size());
  return address;
}

// `address` with everything behind the first `bits` cleared.
IpAddress cut(IpAddress address, int bits) noexcept {
  for (int i = 0; i < 16; ++i) {
    const int kept = std::clamp(bits - i * 8, 0, 8);
    auto& octet = address.octets[static_cast<std::size_t>(i)];
    octet = static_cast<std::uint8_t>(octet & (0xff00 >> kept));
  }
  return address;
}

}  // namespace

bool IpAddress::is_ipv4() const noexcept {
  return std::equal(mapped_prefix.begin(), mapped_prefix.end(), octets.begin());
}

bool IpAddress::is_loopback() const noexcept {
  if (is_ipv4()) return octets[12] == 127;
  return std::all_of(octets.begin(), octets.end() - 1, [](std::uint8_t octet) { return octet == 0; }) &&
         octets[15] == 1;
}

std::string IpAddress::to_string() const {
  std::string text = http::write_ipv6(octets);
  return is_ipv4() ? text.substr(std::string_view("::ffff:").size()) : text;
}

io::SocketAddress IpAddress::with_port(std::uint16_t port) const {
  if (is_ipv4()) return io::SocketAddress::ipv4({octets[12], octets[13], octets[14], octets[15]}, port);
  return io::SocketAddress::ipv6(octets, port);
}

std::optional<IpAddress> parse_ip(std::string_view text) noexcept {
  if (const auto v4 = http::parse_ipv4(text)) return mapped(*v4);
  if (const auto v6 = http::parse_ipv6(text)) return IpAddress{*v6};
  return std::nullopt;
}

std::optional<IpAddress> ip_of(const io::SocketAddress& address) {
  if (!address.is_ip()) return std::nullopt;
  std::array<std::byte, 128> native{};
  static_cast<void>(address.to_native(native));
  if (address.family() == io::AddressFamily::Ipv4) {
    http::Ipv4Octets octets;
    std::memcpy(octets.data(), native.data() + offsetof(sockaddr_in, sin_addr), octets.size());
    return mapped(octets);
  }
  IpAddress ip;
  std::memcpy(ip.octets.data(), native.data() + offsetof(sockaddr_in6, sin6_addr), ip.octets.size());
  return ip;
}

Result<Cidr> Cidr::parse(std::string_view text) {
  const std::string shown = "\"" + std::string(text.substr(0, 64)) + "\"";
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto address = parse_ip(text.substr(0, slash));
  if (!address) return fail(ErrorCode::InvalidArgument, shown + " is no IP address or block like 10.0.0.0/8");
  const bool has_v4_text = text.substr(0, slash).find(':') == std::string_view::npos;

  Cidr cidr;
  cidr.base_ = *address;
  if (slash == text.size()) return cidr;
  const std::string_view digits = text.substr(slash + 1);
  int bits = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  const int bits_max = has_v4_text ? 32 : 128;
  const bool is_number =
      error == std::errc() && end == digits.data() + digits.size() && digits.front() != '-';
  if (!is_number || bits > bits_max) {
    return fail(ErrorCode::InvalidArgument, shown + ": the prefix must be 0 to " + std::to_string(bits_max));
  }
  cidr.bits_ = static_cast<std::uint8_t>(has_v4_text ? bits + mapped_bits : bits);
  if (const IpAddress base = cut(*address, cidr.bits_); base != *address) {
    return fail(ErrorCode::InvalidArgument, shown + " has bits behind its prefix: write " + base.to_string() +
                                                "/" + std::string(digits) + " or the address alone");
  }
  return cidr;
}

bool Cidr::contains(const IpAddress& address) const noexcept {
  const bool is_v4_block = base_.is_ipv4() && bits_ >= mapped_bits;
  return address.is_ipv4() == is_v4_block && cut(address, bits_) == base_;
}

std::string Cidr::to_string() const {
  const bool is_v4_block = base_.is_ipv4() && bits_ >= mapped_bits;
  return base_.to_string() + "/" + std::to_string(is_v4_block ? bits_ - mapped_bits : bits_);
}

}  // namespace sinnet::endpoint
