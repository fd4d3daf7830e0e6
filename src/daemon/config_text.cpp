#include "daemon/config_text.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <limits>
#include <optional>
#include <vector>

#include "endpoint/cidr.hpp"

namespace sinnet::daemon {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array size_units{Unit{"GiB", 1ULL << 30U}, Unit{"MiB", 1ULL << 20U}, Unit{"KiB", 1ULL << 10U}};
// In milliseconds; "ms" stands before "m" and "s" only for reading, where the whole rest must match anyway.
constexpr std::array duration_units{Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000},
                                    Unit{"s", 1'000}, Unit{"ms", 1}};

/// The kernel's sun_path holds 108 bytes with the final zero (unix(7)).
constexpr std::size_t unix_path_bytes_max = 107;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::string lower(std::string_view text) {
  std::string result{text};
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

std::unexpected<std::string> refuse(std::string_view text, std::string_view why) {
  return std::unexpected(fmt::format("{} {}", write_text(text), why));
}

std::pair<std::string_view, std::string_view> split_number(std::string_view text) {
  const auto end = std::ranges::find_if_not(text, [](char c) { return is_digit(c) || c == '_'; });
  const auto digits = static_cast<std::size_t>(end - text.begin());
  std::string_view rest = text.substr(digits);
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  return {text.substr(0, digits), rest};
}

Read<std::uint64_t> scaled(std::string_view text, std::uint64_t number, std::uint64_t factor) {
  if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / factor) {
    return refuse(text, "is too large");
  }
  return number * factor;
}

/// Labels of letters, digits, `-` and `_`, joined by dots, at most 253 characters (RFC 1123 2.1; `_` is seen
/// in practice).
bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  std::size_t label = 0;
  char previous = '.';
  for (const char c : text) {
    if (c == '.') {
      if (label == 0 || previous == '-') return false;
      label = 0;
    } else {
      if (!is_letter(c) && !is_digit(c) && c != '_' && (c != '-' || label == 0)) return false;
      if (++label > 63) return false;
    }
    previous = c;
  }
  return label > 0 && previous != '-';
}

bool is_ipv6(std::string_view text) {
  in6_addr out{};
  return text.find('\0') == text.npos && inet_pton(AF_INET6, std::string(text).c_str(), &out) == 1;
}

bool is_port(std::string_view text, unsigned low) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && text.size() <= 5 && port >= low &&
         port <= 65535;
}

/// RFC 7230 3.2.6.
bool is_token_char(char c) {
  return is_letter(c) || is_digit(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

}  // namespace

Read<std::uint64_t> parse_count(std::string_view text) {
  std::string digits;
  char previous = '_';
  for (const char c : text) {
    if (!is_digit(c) && (c != '_' || previous == '_')) return refuse(text, "is not a number");
    if (c != '_') digits += c;
    previous = c;
  }
  if (previous == '_') return refuse(text, "is not a number");
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{}) return refuse(text, "is too large");
  return static_cast<std::uint64_t>(number);
}

Read<std::uint64_t> parse_size(std::string_view text) {
  const auto [digits, unit] = split_number(text);
  if (digits.empty()) return refuse(text, "is not a size such as \"64KiB\", \"1MiB\" or 1000");
  const auto number = parse_count(digits);
  if (!number) return number;
  if (unit.empty()) return number;
  for (const Unit& known : size_units) {
    if (unit == known.name) return scaled(text, *number, known.factor);
  }
  return refuse(text, fmt::format("has an unknown unit {}; sizes end in KiB, MiB or GiB", write_text(unit)));
}

Read<Duration> parse_duration(std::string_view text) {
  const auto [digits, unit] = split_number(text);
  if (digits.empty()) return refuse(text, "is not a duration such as \"250ms\", \"5s\" or \"10m\"");
  const auto number = parse_count(digits);
  if (!number) return std::unexpected(number.error());
  if (unit.empty()) return refuse(text, "needs a unit: ms, s, m, h or d");
  for (const Unit& known : duration_units) {
    if (unit != known.name) continue;
    constexpr std::uint64_t nanoseconds = 1'000'000;  // in a millisecond
    const auto total = scaled(text, *number, known.factor * nanoseconds);
    if (!total) return std::unexpected(total.error());
    return Duration(static_cast<Duration::rep>(*total));
  }
  return refuse(text,
                fmt::format("has an unknown unit {}; durations end in ms, s, m, h or d", write_text(unit)));
}

std::string write_size(std::uint64_t bytes) {
  for (const Unit& unit : size_units) {
    if (bytes != 0 && bytes % unit.factor == 0)
      return fmt::format("\"{}{}\"", bytes / unit.factor, unit.name);
  }
  return fmt::format("{}", bytes);
}

std::string write_duration(Duration duration) {
  const auto milliseconds =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
  if (milliseconds == 0) return "\"0s\"";
  for (const Unit& unit : duration_units) {
    if (milliseconds % unit.factor == 0)
      return fmt::format("\"{}{}\"", milliseconds / unit.factor, unit.name);
  }
  return {};  // never: everything is a multiple of a millisecond
}

std::string write_count(std::uint64_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < 5) return digits;  // 1000 needs no help to be read
  for (std::size_t at = digits.size() - 3; at > 0 && at < digits.size(); at -= 3) digits.insert(at, 1, '_');
  return digits;
}

std::string write_text(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    switch (c) {
      case '"': result += "\\\""; break;
      case '\\': result += "\\\\"; break;
      case '\n': result += "\\n"; break;
      case '\r': result += "\\r"; break;
      case '\t': result += "\\t"; break;
      default:
        if (is_control(c)) {
          result += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        } else {
          result += c;
        }
    }
  }
  return result += '"';
}

std::string resolve_path(std::string_view path, std::string_view directory) {
  if (path.empty()) return {};
  std::filesystem::path joined = std::filesystem::path(directory) / std::filesystem::path(path);
  if (!joined.is_absolute()) {
    std::error_code error;
    const auto here = std::filesystem::current_path(error);
    if (!error) joined = here / joined;
  }
  joined = joined.lexically_normal();
  if (!joined.has_filename() && joined.has_relative_path()) joined = joined.parent_path();
  return joined.string();
}

Read<std::string> check_plain_text(std::string_view text) {
  if (std::ranges::any_of(text, is_control)) return refuse(text, "holds a control character");
  return std::string(text);
}

Read<std::string> check_host_name(std::string_view text) {
  if (text.empty() || is_host_name(text)) return lower(text);
  return refuse(text, "is not a host name (letters, digits, - and dots; no port)");
}

Read<std::string> check_route_host(std::string_view text) {
  if (text.starts_with("*.") && is_host_name(text.substr(2))) return lower(text);
  return check_host_name(text);
}

Read<std::string> check_route_path(std::string_view text) {
  if (!text.starts_with('/')) return refuse(text, "must begin with /");
  std::vector<std::string_view> names;
  std::string_view rest = text.substr(1);
  for (bool is_last = false; !is_last;) {
    const std::size_t slash = rest.find('/');
    is_last = slash == rest.npos;
    const std::string_view segment = rest.substr(0, slash);
    if (!is_last) rest.remove_prefix(slash + 1);
    if (segment == "*") {
      if (!is_last) return refuse(text, "has * before its end; only \"/dir/*\" is a prefix");
      continue;
    }
    if (segment.empty() && !is_last) return refuse(text, "has an empty segment");
    if (segment == "." || segment == "..")
      return refuse(text, "has a segment . or .., which no request keeps");
    if (segment.starts_with('{') && segment.ends_with('}') && segment.size() > 2) {
      const std::string_view name = segment.substr(1, segment.size() - 2);
      if (!check_name(name)) return refuse(text, "has a name of other than letters, digits, _ and -");
      if (std::ranges::find(names, name) != names.end()) {
        return refuse(text, fmt::format("has {{{}}} twice", name));
      }
      names.push_back(name);
      continue;
    }
    for (const char c : segment) {
      if (c == '{' || c == '}')
        return refuse(text, "has a brace inside a segment; \"{name}\" stands for a whole one");
      if (c == '*') return refuse(text, "has * inside a segment; only \"/dir/*\" is a prefix");
      if (c == '?' || c == '#') return refuse(text, "has a query or fragment; routes look at the path alone");
      if (c == '%') return refuse(text, "has a % escape; write the character itself");
      if (c == ' ' || c == '\\' || is_control(c))
        return refuse(text, "has a blank, backslash or control character");
    }
  }
  return std::string(text);
}

Read<std::string> check_protocol(std::string_view text) {
  if (!text.empty() && std::ranges::all_of(text, is_token_char)) return std::string(text);
  return refuse(text, "is not a subprotocol (letters, digits and !#$%&'*+-.^_`|~)");
}

Read<std::string> check_origin(std::string_view text) {
  // "null" is what every sandboxed frame sends; whoever lists it means them (endpoint/origin.hpp).
  if (text == "*" || text == "null") return std::string(text);
  const std::size_t colon = text.find("://");
  if (colon == text.npos || colon == 0)
    return refuse(text, "is not an origin such as \"https://example.com\"");
  const std::string scheme = lower(text.substr(0, colon));
  const bool is_scheme = is_letter(scheme[0]) && std::ranges::all_of(scheme, [](char c) {
                           return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
                         });
  std::string_view host = text.substr(colon + 3);
  if (host.find('/') != host.npos)
    return refuse(text, "has a path; an origin is scheme, host and port alone");
  std::string_view port;
  if (const std::size_t at = host.rfind(':'); at != host.npos && !host.ends_with(']')) {
    port = host.substr(at + 1);
    host = host.substr(0, at);
    if (!is_port(port, 1)) return refuse(text, "has a port that is not 1 to 65535");
  }
  const bool is_address = host.size() > 2 && host.starts_with('[') && host.ends_with(']') &&
                          is_ipv6(host.substr(1, host.size() - 2));
  const std::string_view name = host.starts_with("*.") ? host.substr(2) : host;
  if (!is_scheme || (!is_address && !is_host_name(name))) {
    return refuse(text, "is not an origin such as \"https://example.com\" or \"https://*.example.com\"");
  }
  std::string result = scheme + "://" + lower(host);
  // RFC 6454 6.2: a browser leaves the default port out, so a listed one would never match.
  const bool is_default =
      port.empty() || (scheme == "https" && port == "443") || (scheme == "http" && port == "80");
  if (!is_default) result.append(":").append(port);
  return result;
}

Read<std::string> check_proxy(std::string_view text) {
  if (text == "unix") return std::string(text);
  const auto block = endpoint::Cidr::parse(text);
  if (block) return text.find('/') == text.npos ? lower(text) : block->to_string();
  if (text.find('/') != text.npos) return std::unexpected(block.error().message);
  return refuse(text, "is not an address, a range such as \"10.0.0.0/8\", or \"unix\"");
}

Read<std::string> check_name(std::string_view text) {
  constexpr std::size_t name_chars_max = 64;  // it stands in paths of the control API and in every log line
  const bool is_name =
      !text.empty() && text.size() <= name_chars_max &&
      std::ranges::all_of(text, [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-'; });
  if (!is_name) return refuse(text, "is not a name (1 to 64 letters, digits, _ and -)");
  return std::string(text);
}

Read<std::string> check_index(std::string_view text) {
  const bool is_file = !text.empty() && text != "." && text != ".." && text.find('/') == text.npos;
  if (!is_file || std::ranges::any_of(text, is_control)) return refuse(text, "is not a file name");
  return std::string(text);
}

Read<std::string> check_target(std::string_view text, std::string_view directory) {
  if (text.starts_with("unix:")) {
    const std::string_view path = text.substr(5);
    if (path.empty() || path == "@") return refuse(text, "names no socket");
    if (std::ranges::any_of(path, is_control)) return refuse(text, "holds a control character");
    std::string full = path.starts_with('@') ? std::string(path) : resolve_path(path, directory);
    if (full.size() > unix_path_bytes_max) {
      return refuse(text,
                    fmt::format("is longer than the {} bytes a socket path may have", unix_path_bytes_max));
    }
    return "unix:" + full;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) return refuse(text, "has no port; write \"host:port\" or \"unix:/path\"");
  const std::string_view host = text.substr(0, colon);
  if (!is_port(text.substr(colon + 1), 1)) return refuse(text, "has a port that is not 1 to 65535");
  const bool is_address = host.size() > 2 && host.starts_with('[') && host.ends_with(']') &&
                          is_ipv6(host.substr(1, host.size() - 2));
  if (!is_address && is_ipv6(host))
    return refuse(text, "is an IPv6 address without brackets; write \"[::1]:80\"");
  if (!is_address && !is_host_name(host)) return refuse(text, "is not \"host:port\" or \"unix:/path\"");
  return lower(text);
}

}  // namespace sinnet::daemon
