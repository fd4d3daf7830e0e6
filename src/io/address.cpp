#include "sinnet/io/address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace sinnet::io {
namespace {

// sun_path holds 108 bytes; one is kept for the terminator, so that every reader of the path agrees on its
// end.
constexpr std::size_t unix_path_max = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::string_view unix_prefix = "unix:";
constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::unexpected<Error> invalid(std::string_view text, std::string_view why) {
  return fail(ErrorCode::InvalidArgument, "\"" + std::string(text) + "\" " + std::string(why));
}

bool is_mapped(const std::array<std::uint8_t, 16>& octets) {
  return std::equal(mapped_prefix.begin(), mapped_prefix.end(), octets.begin());
}

// 1 to 5 digits up to 65535; no sign, no blanks.
bool parse_port(std::string_view text, std::uint16_t& port) {
  if (text.empty() || text.size() > 5) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size();
}

bool parse_number(int family, std::string_view text, void* out) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.empty() || text.size() >= terminated.size()) return false;
  std::copy(text.begin(), text.end(), terminated.begin());
  return std::strlen(terminated.data()) == text.size() && ::inet_pton(family, terminated.data(), out) == 1;
}

}  // namespace

Result<SocketAddress> SocketAddress::parse(std::string_view text) {
  SocketAddress address;
  if (text.starts_with(unix_prefix)) {
    const std::string_view path = text.substr(unix_prefix.size());
    if (path.empty() || path == "@") return invalid(text, "names no path");
    if (path.size() > unix_path_max)
      return invalid(text, "is longer than the 107 bytes a Unix socket's path may have");
    if (path.find('\0') != std::string_view::npos) return invalid(text, "has a NUL in its path");
    address.family_ = AddressFamily::Unix;
    address.path_ = path;
    return address;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return invalid(text, "has no port");
  std::string_view host = text.substr(0, colon);
  if (!parse_port(text.substr(colon + 1), address.port_)) return invalid(text, "has no valid port");
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    address.family_ = AddressFamily::Ipv6;
    host = host.substr(1, host.size() - 2);
    if (!parse_number(AF_INET6, host, address.octets_.data()))
      return invalid(text, "is not an IPv6 address and port");
    return address;
  }
  address.family_ = AddressFamily::Ipv4;
  if (!parse_number(AF_INET, host, address.octets_.data()))
    return invalid(text, "is not an address and port");
  return address;
}

SocketAddress SocketAddress::ipv4(std::array<std::uint8_t, 4> octets, std::uint16_t port) {
  SocketAddress address;
  address.family_ = AddressFamily::Ipv4;
  address.port_ = port;
  std::copy(octets.begin(), octets.end(), address.octets_.begin());
  return address;
}

SocketAddress SocketAddress::ipv6(std::array<std::uint8_t, 16> octets, std::uint16_t port) {
  SocketAddress address;
  address.family_ = AddressFamily::Ipv6;
  address.port_ = port;
  address.octets_ = octets;
  return address;
}

SocketAddress SocketAddress::from_native(Bytes sockaddr) {
  SocketAddress address;
  sa_family_t family = AF_UNSPEC;
  if (sockaddr.size() < sizeof family) return address;
  std::memcpy(&family, sockaddr.data(), sizeof family);
  if (family == AF_INET && sockaddr.size() >= sizeof(sockaddr_in)) {
    sockaddr_in native;
    std::memcpy(&native, sockaddr.data(), sizeof native);
    address.family_ = AddressFamily::Ipv4;
    address.port_ = ntohs(native.sin_port);
    std::memcpy(address.octets_.data(), &native.sin_addr, sizeof native.sin_addr);
  } else if (family == AF_INET6 && sockaddr.size() >= sizeof(sockaddr_in6)) {
    sockaddr_in6 native;
    std::memcpy(&native, sockaddr.data(), sizeof native);
    address.family_ = AddressFamily::Ipv6;
    address.port_ = ntohs(native.sin6_port);
    std::memcpy(address.octets_.data(), &native.sin6_addr, sizeof native.sin6_addr);
  } else if (family == AF_UNIX) {
    address.family_ = AddressFamily::Unix;
    std::string_view path = as_text(sockaddr.subspan(offsetof(sockaddr_un, sun_path)));
    if (path.size() > 1 && path.front() == '\0') {
      address.path_ = path;
      address.path_.front() = '@';
    } else {
      address.path_ = path.substr(0, path.find('\0'));
    }
  }
  return address;
}

std::size_t SocketAddress::to_native(std::span<std::byte, 128> out) const {
  std::fill(out.begin(), out.end(), std::byte{0});
  if (family_ == AddressFamily::Ipv4) {
    sockaddr_in native{};
    native.sin_family = AF_INET;
    native.sin_port = htons(port_);
    std::memcpy(&native.sin_addr, octets_.data(), sizeof native.sin_addr);
    std::memcpy(out.data(), &native, sizeof native);
    return sizeof native;
  }
  if (family_ == AddressFamily::Ipv6) {
    sockaddr_in6 native{};
    native.sin6_family = AF_INET6;
    native.sin6_port = htons(port_);
    std::memcpy(&native.sin6_addr, octets_.data(), sizeof native.sin6_addr);
    std::memcpy(out.data(), &native, sizeof native);
    return sizeof native;
  }
  if (family_ == AddressFamily::Unix) {
    sockaddr_un native{};
    native.sun_family = AF_UNIX;
    const std::size_t size = std::min(path_.size(), unix_path_max);
    std::memcpy(native.sun_path, path_.data(), size);
    std::size_t used = offsetof(sockaddr_un, sun_path) + size;
    if (size > 0 && path_.front() == '@') {
      native.sun_path[0] =
          '\0';  // an abstract name ends with the address's length, a path with its terminator
    } else if (size > 0) {
      ++used;
    }
    std::memcpy(out.data(), &native, sizeof native);
    return used;
  }
  return 0;
}

bool SocketAddress::is_loopback() const noexcept {
  switch (family_) {
    case AddressFamily::Ipv4: return octets_[0] == 127;
    case AddressFamily::Ipv6:
      if (is_mapped(octets_)) return octets_[12] == 127;
      return octets_[15] == 1 &&
             std::all_of(octets_.begin(), octets_.begin() + 15, [](auto o) { return o == 0; });
    case AddressFamily::Unix: return true;
    case AddressFamily::None: break;
  }
  return false;
}

std::string SocketAddress::host() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  switch (family_) {
    case AddressFamily::Ipv4: return ::inet_ntop(AF_INET, octets_.data(), text.data(), text.size());
    case AddressFamily::Ipv6:
      if (is_mapped(octets_)) return ::inet_ntop(AF_INET, octets_.data() + 12, text.data(), text.size());
      return ::inet_ntop(AF_INET6, octets_.data(), text.data(), text.size());
    case AddressFamily::Unix: return path_;
    case AddressFamily::None: break;
  }
  return {};
}

std::string SocketAddress::to_string() const {
  switch (family_) {
    case AddressFamily::Ipv4: return host() + ":" + std::to_string(port_);
    case AddressFamily::Ipv6:
      return (is_mapped(octets_) ? "[::ffff:" : "[") + host() + "]:" + std::to_string(port_);
    case AddressFamily::Unix: return std::string(unix_prefix) + path_;
    case AddressFamily::None: break;
  }
  return {};
}

}  // namespace sinnet::io
