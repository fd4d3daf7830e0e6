/// See url.hpp.
#include "sinnet/http/url.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "http/ip_text.hpp"
#include "http/uri_characters.hpp"

namespace sinnet::http {
namespace {

struct SchemeEntry {
  std::string_view name;
  Scheme scheme;
  std::uint16_t port;  // 0: none
};
constexpr std::array<SchemeEntry, 7> schemes = {{{"ws", Scheme::Ws, 80},
                                                 {"wss", Scheme::Wss, 443},
                                                 {"http", Scheme::Http, 80},
                                                 {"https", Scheme::Https, 443},
                                                 {"tcp", Scheme::Tcp, 0},
                                                 {"tls", Scheme::Tls, 0},
                                                 {"unix", Scheme::Unix, 0}}};

// RFC 1035 2.3.4: what a resolver takes.
constexpr std::size_t label_bytes_max = 63;
constexpr std::size_t name_bytes_max = 253;

std::unexpected<Error> refuse(std::string message) {
  return fail(ErrorCode::InvalidArgument, std::move(message));
}

std::string quoted(char c) {
  if (is_control(c) || static_cast<unsigned char>(c) >= 0x80) {
    std::array<char, 12> text{};
    std::snprintf(text.data(), text.size(), "byte 0x%02X",
                  static_cast<unsigned>(static_cast<unsigned char>(c)));
    return text.data();
  }
  return c == '\'' ? "\"'\"" : std::string("'") + c + "'";
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), to_lower);
  return out;
}

// Whether resolvers could take the name for a number: its last label is digits, or hexadecimal behind 0x.
bool looks_numeric(std::string_view name) {
  const std::string_view last = name.substr(name.rfind('.') + 1);  // npos + 1 is 0: the whole name
  if (last.starts_with("0x"))
    return std::ranges::all_of(last.substr(2), [](char c) { return hex_value(c) >= 0; });
  return std::ranges::all_of(last, is_digit);
}

Result<void> check_name(std::string_view name) {
  if (name.size() > name_bytes_max) return refuse("the host name is longer than 253 characters");
  std::size_t label = 0;
  for (const char c : name) {
    if (c == '.') {
      if (label == 0) return refuse("the host name has an empty label");
      label = 0;
      continue;
    }
    if (c == '%') return refuse("the host name holds '%': escapes are not allowed there");
    if (static_cast<unsigned char>(c) >= 0x80)
      return refuse("the host name is not ASCII: write it in punycode (xn--…)");
    // RFC 1123 names, and "_", which containers and service records use.
    if (!is_letter(c) && !is_digit(c) && c != '-' && c != '_')
      return refuse("the host name holds " + quoted(c));
    if (++label > label_bytes_max) return refuse("the host name has a label of more than 63 characters");
  }
  if (label == 0) return refuse("the host name has an empty label");
  if (looks_numeric(name) && !parse_ipv4(name)) {
    return refuse("the host looks like a number but is not an IPv4 address of four plain decimal parts");
  }
  return {};
}

Result<std::uint16_t> parse_port(std::string_view text) {
  unsigned value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return refuse("the port holds " + quoted(c));
    value = value * 10 + static_cast<unsigned>(c - '0');
    if (value > 65535) return refuse("the port is greater than 65535");
  }
  if (value == 0) return refuse("the port is 0");
  return static_cast<std::uint16_t>(value);
}

// Checks that text[from..] is made of common characters, the `extra` ones and complete escapes.
Result<void> check_characters(std::string_view text, std::string_view extra, std::string_view what) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '%') {
      if (!is_escape(text, at)) {
        return refuse("the " + std::string(what) +
                      " holds '%' without two hexadecimal digits behind it (character " +
                      std::to_string(at + 1) + ")");
      }
      at += 2;
    } else if (!is_common(c) && extra.find(c) == std::string_view::npos) {
      return refuse("the " + std::string(what) + " holds " + quoted(c) + " (character " +
                    std::to_string(at + 1) + "): write it as a percent escape");
    }
  }
  return {};
}

Result<Url> parse_unix(std::string_view path) {
  if (path.starts_with("//")) path.remove_prefix(2);
  while (path.starts_with("//")) path.remove_prefix(1);  // the same file, and no second authority mark
  if (!path.starts_with('/') && !path.starts_with('@'))
    return refuse("write unix:/absolute/path or unix:@name");
  if (path == "/" || path == "@") return refuse("the socket's path is empty");
  if (std::ranges::any_of(path, is_control)) return refuse("the socket's path holds a control character");
  Url url;
  url.scheme = Scheme::Unix;
  url.host = path;
  return url;
}

// Fills url.target from what is behind the authority.
Result<void> parse_target(Url& url, std::string_view text) {
  if (const std::size_t hash = text.find('#'); hash != std::string_view::npos) {
    // RFC 6455 3: fragments are meaningless in WebSocket URIs and MUST NOT be used on them.
    if (url.is_websocket()) return refuse("a WebSocket URL has no fragment: write '#' as %23");
    text = text.substr(0, hash);
  }
  if (url.scheme == Scheme::Tcp || url.scheme == Scheme::Tls) {
    if (!text.empty()) return refuse(std::string(name_of(url.scheme)) + " takes host and port only, no path");
    return {};
  }
  const std::size_t mark = std::min(text.find('?'), text.size());
  if (auto ok = check_characters(text.substr(0, mark), ":@/", "path"); !ok) return ok;
  if (mark < text.size()) {
    if (auto ok = check_characters(text.substr(mark + 1), ":@/?", "query"); !ok) return ok;
  }
  // RFC 6455 3, RFC 9112 3.2.1: an empty path is sent as "/".
  url.target = text.starts_with('/') ? std::string(text) : "/" + std::string(text);
  return {};
}

}  // namespace

Result<Authority> parse_authority(std::string_view text) {
  Authority authority;
  std::string_view port;
  if (text.find('@') != std::string_view::npos) return refuse("user names are not allowed in a host");
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return refuse("the IPv6 address has no ']'");
    const std::string_view inside = text.substr(1, end - 1);
    if (inside.find('%') != std::string_view::npos) return refuse("an IPv6 zone id is not allowed here");
    const auto octets = parse_ipv6(inside);
    if (!octets) return refuse("between '[' and ']' there is no IPv6 address");
    authority.host = write_ipv6(*octets);
    authority.is_ipv6 = true;
    port = text.substr(end + 1);
    if (!port.empty() && port.front() != ':') return refuse("behind ']' only ':' and a port may follow");
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    std::string_view name = text.substr(0, colon);
    port = text.substr(colon);
    if (port.find(':', port.empty() ? 0 : 1) != std::string_view::npos) {
      return refuse("there are several ':': an IPv6 address goes between '[' and ']'");
    }
    if (name.empty()) return refuse("the host is empty");
    if (name.size() > 1 && name.ends_with('.')) name.remove_suffix(1);
    authority.host = lower(name);
    if (auto ok = check_name(authority.host); !ok) return std::unexpected(std::move(ok.error()));
  }
  if (port.size() > 1) {  // RFC 3986 3.2.3: "host:" is the default port
    const auto number = parse_port(port.substr(1));
    if (!number) return std::unexpected(number.error());
    authority.port = *number;
  }
  return authority;
}

std::string write_authority(const Authority& authority) {
  std::string out = authority.is_ipv6 ? "[" + authority.host + "]" : authority.host;
  if (authority.port) out += ":" + std::to_string(*authority.port);
  return out;
}

std::string_view name_of(Scheme scheme) noexcept { return schemes[static_cast<std::size_t>(scheme)].name; }

std::optional<std::uint16_t> default_port(Scheme scheme) noexcept {
  const std::uint16_t port = schemes[static_cast<std::size_t>(scheme)].port;
  return port == 0 ? std::nullopt : std::optional(port);
}

bool Url::is_secure() const noexcept {
  return scheme == Scheme::Wss || scheme == Scheme::Https || scheme == Scheme::Tls;
}

std::string Url::host_header() const {
  if (scheme == Scheme::Unix) return "localhost";
  const bool is_default = default_port(scheme) == port;
  return write_authority(
      {.host = host, .is_ipv6 = is_ipv6, .port = is_default ? std::nullopt : std::optional(port)});
}

std::string Url::to_string(bool with_userinfo) const {
  if (scheme == Scheme::Unix) return "unix:" + host;
  std::string out(name_of(scheme));
  out += "://";
  if (with_userinfo && !userinfo.empty()) out += userinfo + "@";
  return out + host_header() + target;
}

Result<Url> parse_url(std::string_view text) {
  if (text.size() > url_bytes_max) return refuse("the URL is longer than 8192 bytes");
  const std::size_t colon = text.find(':');
  const auto entry =
      std::ranges::find(schemes, lower(text.substr(0, std::min(colon, text.size()))), &SchemeEntry::name);
  if (colon == std::string_view::npos || (entry == schemes.end() && !text.substr(colon).starts_with("://"))) {
    return refuse("the URL has no scheme: write ws://host or wss://host");
  }
  if (entry == schemes.end()) return refuse("the scheme is none of ws, wss, http, https, tcp, tls, unix");
  std::string_view rest = text.substr(colon + 1);
  if (entry->scheme == Scheme::Unix) return parse_unix(rest);
  if (!rest.starts_with("//")) return refuse("behind the scheme \"//\" is missing");
  rest.remove_prefix(2);

  Url url;
  url.scheme = entry->scheme;
  std::string_view authority_text = rest.substr(0, std::min(rest.find_first_of("/?#"), rest.size()));
  rest.remove_prefix(authority_text.size());
  if (const std::size_t at = authority_text.rfind('@'); at != std::string_view::npos) {
    url.userinfo = authority_text.substr(0, at);
    authority_text.remove_prefix(at + 1);
    // The fault's place would tell a character of a password; the message stays general.
    if (!check_characters(url.userinfo, ":", ""))
      return refuse("the user name or password needs percent escapes");
  }
  auto authority = parse_authority(authority_text);
  if (!authority) return std::unexpected(std::move(authority.error()));
  if (!authority->port && entry->port == 0) return refuse(std::string(entry->name) + " needs a port");
  url.host = std::move(authority->host);
  url.is_ipv6 = authority->is_ipv6;
  url.port = authority->port.value_or(entry->port);
  if (auto ok = parse_target(url, rest); !ok) return std::unexpected(std::move(ok.error()));
  return url;
}

}  // namespace sinnet::http
