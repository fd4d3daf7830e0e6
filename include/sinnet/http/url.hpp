#pragma once
/// URLs and authorities as a client or a configuration writes them. Never resolves a name and never opens
/// anything.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sinnet/base/error.hpp"

namespace sinnet::http {

/// The longest URL that is read: what common servers take as one request line.
inline constexpr std::size_t url_bytes_max = 8192;

/// Host and port, in the one normal form that every comparison uses (RFC 3986 3.2.2, 3.2.3).
struct Authority {
  /// Lower case, no brackets, no trailing dot; an IPv6 address in RFC 5952 form; never empty.
  std::string host;
  bool is_ipv6 = false;
  std::optional<std::uint16_t> port = {};  ///< 1–65535, absent if not written

  friend bool operator==(const Authority&, const Authority&) = default;
};

/// Reads "host", "host:port", "1.2.3.4:80", "[::1]:80": a Host header or the authority of a URL without its
/// userinfo. Refused with a reason: userinfo, percent escapes, non-ASCII (a host is written in punycode),
/// zone ids, numeric hosts that are not a plain dotted quad (0x7f.1, 127.1, 010.0.0.1: resolvers disagree
/// about them), ports out of range.
[[nodiscard]] Result<Authority> parse_authority(std::string_view text);

/// The same, written; an IPv6 address gets its brackets.
[[nodiscard]] std::string write_authority(const Authority& authority);

enum class Scheme : std::uint8_t { Ws, Wss, Http, Https, Tcp, Tls, Unix };

[[nodiscard]] std::string_view name_of(Scheme scheme) noexcept;
/// 80 or 443; nothing for tcp, tls and unix.
[[nodiscard]] std::optional<std::uint16_t> default_port(Scheme scheme) noexcept;

/// A URL taken apart. An aggregate: what parse_url answers is consistent, what a caller fills in is the
/// caller's business.
struct Url {
  Scheme scheme = Scheme::Ws;
  std::string
      userinfo;      ///< as written, still percent-encoded; decode with percent_decode(). May be a secret.
  std::string host;  ///< as in Authority; for unix the socket's path, or "@name"
  bool is_ipv6 = false;
  std::uint16_t port = 0;  ///< the scheme's default filled in; 0 for unix
  std::string
      target;  ///< origin-form of the request: path and query, "/" at least; empty for tcp, tls and unix

  [[nodiscard]] bool is_secure() const noexcept;
  [[nodiscard]] bool is_websocket() const noexcept { return scheme == Scheme::Ws || scheme == Scheme::Wss; }
  /// The Host header's value: brackets for IPv6, no default port (RFC 9110 7.2); "localhost" for unix.
  [[nodiscard]] std::string host_header() const;
  /// A text that parses to an equal Url. With `with_userinfo` false it may be logged.
  [[nodiscard]] std::string to_string(bool with_userinfo = false) const;

  friend bool operator==(const Url&, const Url&) = default;
};

/// Reads ws, wss, http, https ("scheme://[userinfo@]host[:port][/path][?query]"), tcp and tls
/// ("tcp://host:port") and "unix:/path" or "unix:@name". Only the characters of RFC 3986, escapes complete. A
/// fragment is refused for ws and wss (RFC 6455 3) and dropped for http and https, where it never goes to the
/// server. The error names the fault and its place, and never repeats the userinfo.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

}  // namespace sinnet::http
