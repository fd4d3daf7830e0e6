/// See origin.hpp.
#include "endpoint/origin.hpp"

#include <algorithm>

#include "endpoint/cidr.hpp"

namespace sinnet::endpoint {
namespace {

constexpr int status_bad_request = 400;
constexpr int status_forbidden = 403;
constexpr int status_misdirected = 421;

// A peer's text for a log or a body: printable ASCII only, and no more than a line of it.
std::string shown(std::string_view text) {
  constexpr std::size_t shown_bytes_max = 200;
  std::string out(text.substr(0, shown_bytes_max));
  std::ranges::replace_if(out, [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  if (text.size() > shown_bytes_max) out += "...";
  return out;
}

constexpr std::uint16_t default_port(bool is_secure) noexcept { return is_secure ? 443 : 80; }

std::string write_origin(bool is_secure, http::Authority authority) {
  if (authority.port == default_port(is_secure)) authority.port.reset();
  return (is_secure ? "https://" : "http://") + http::write_authority(authority);
}

// Whether `host` is one or more labels and then `base`.
bool is_below(std::string_view host, std::string_view base) noexcept {
  return host.size() > base.size() + 1 && host.ends_with(base) && host[host.size() - base.size() - 1] == '.';
}

struct WebOrigin {
  bool is_secure = false;
  http::Authority authority;  // the port filled in
};

// An http or https origin; nothing for another scheme or for what is none.
std::optional<WebOrigin> parse_web_origin(std::string_view text) {
  WebOrigin origin;
  if (text.starts_with("https://")) {
    origin.is_secure = true;
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
  } else {
    return std::nullopt;
  }
  auto authority = http::parse_authority(text);
  if (!authority) return std::nullopt;
  origin.authority = std::move(*authority);
  if (!origin.authority.port) origin.authority.port = default_port(origin.is_secure);
  return origin;
}

}  // namespace

Result<OriginPolicy::Pattern> OriginPolicy::parse_pattern(std::string_view entry) {
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorCode::InvalidArgument, "\"" + shown(entry) + "\": " + std::string(why));
  };
  Pattern pattern;
  std::string text(entry);
  const std::size_t host_at = text.find("://") + 3;
  if (text.find("*.", host_at) == host_at) {
    pattern.is_wildcard = true;
    text.erase(host_at, 2);
  }
  if (text.find('*') != std::string::npos)
    return refuse("\"*\" stands only for the first labels: https://*.example.com");
  if (text.ends_with('/')) return refuse("an origin has no path, not even \"/\"");
  const auto origin = parse_web_origin(text);
  if (!origin) return refuse("write scheme, host and port as a browser does: https://example.com");
  if (pattern.is_wildcard && parse_ip(origin->authority.host)) {
    return refuse("an IP address has no subdomains");
  }
  pattern.is_secure = origin->is_secure;
  pattern.authority = origin->authority;
  return pattern;
}

Result<OriginPolicy> OriginPolicy::parse(std::span<const std::string> allowed, bool require_origin) {
  OriginPolicy policy;
  policy.require_origin_ = require_origin;
  for (const std::string& entry : allowed) {
    if (entry == "*") {
      policy.allows_all_ = true;
    } else if (entry == "null") {
      policy.allows_null_ = true;
    } else if (const std::size_t end = entry.find("://"); end == 0 || end == std::string::npos) {
      return fail(ErrorCode::InvalidArgument,
                  "\"" + shown(entry) + "\" has no scheme: write https://" + shown(entry) + ", or \"null\"");
    } else if (entry.starts_with("http://") || entry.starts_with("https://")) {
      auto pattern = parse_pattern(entry);
      if (!pattern) return std::unexpected(std::move(pattern.error()));
      policy.patterns_.push_back(std::move(*pattern));
    } else if (entry.starts_with("ws://") || entry.starts_with("wss://")) {
      return fail(ErrorCode::InvalidArgument,
                  "\"" + shown(entry) + "\": an origin is a page's: write http or https");
    } else {
      policy.exact_.push_back(entry);
    }
  }
  return policy;
}

bool OriginPolicy::is_listed(std::string_view text) const {
  if (allows_all_) return true;
  if (text == "null") return allows_null_;
  if (std::ranges::find(exact_, text) != exact_.end()) return true;
  const auto origin = parse_web_origin(text);
  if (!origin) return false;
  return std::ranges::any_of(patterns_, [&](const Pattern& pattern) {
    const http::Authority& ours = pattern.authority;
    const http::Authority& theirs = origin->authority;
    if (pattern.is_secure != origin->is_secure || ours.port != theirs.port) return false;
    return pattern.is_wildcard ? is_below(theirs.host, ours.host) : theirs.host == ours.host;
  });
}

Decision OriginPolicy::check(std::optional<std::string_view> origin, bool is_secure,
                             std::string_view host) const {
  if (!origin) {
    if (!require_origin_) return {};
    return {status_forbidden, "the request has no Origin, and security.require_origin is set"};
  }
  const auto web = parse_web_origin(*origin);
  // RFC 6454 6.2: what a browser sends is its own serialisation; anything that only means the same is
  // somebody's trick.
  if (web && write_origin(web->is_secure, web->authority) != *origin) {
    return {status_forbidden, "origin \"" + shown(*origin) +
                                  "\" is not written as browsers write it, which would be \"" +
                                  write_origin(web->is_secure, web->authority) + "\""};
  }
  if (is_listed(*origin)) return {};
  auto own = http::parse_authority(host);
  if (own && !own->port) own->port = default_port(is_secure);
  if (web && own && web->is_secure == is_secure && web->authority == *own) return {};

  const std::string ours = own ? write_origin(is_secure, *own) : "host \"" + shown(host) + "\"";
  std::string reason = "origin \"" + shown(*origin) + "\" is neither this server's (" + ours +
                       ") nor listed in security.allowed_origins";
  if (web && own && web->is_secure && !is_secure && web->authority.host == own->host) {
    reason += "; if a proxy ends TLS, list it in server.trusted_proxies and let it send X-Forwarded-Proto";
  }
  return {status_forbidden, std::move(reason)};
}

Result<HostPolicy> HostPolicy::parse(std::span<const std::string> names, bool is_loopback_only) {
  HostPolicy policy;
  policy.is_loopback_only_ = is_loopback_only;
  for (const std::string& entry : names) {
    Name name;
    name.is_wildcard = entry.starts_with("*.");
    auto authority = http::parse_authority(std::string_view(entry).substr(name.is_wildcard ? 2 : 0));
    if (!authority) {
      return fail(ErrorCode::InvalidArgument,
                  "\"" + shown(entry) + "\" is no host name: " + authority.error().message);
    }
    name.authority = std::move(*authority);
    policy.names_.push_back(std::move(name));
  }
  return policy;
}

Decision HostPolicy::check(std::string_view host) const {
  const auto asked = http::parse_authority(host);
  if (!asked)
    return {status_bad_request, "host \"" + shown(host) + "\" cannot be read: " + asked.error().message};
  if (names_.empty() && !is_loopback_only_) return {};
  const auto fits = [&](const Name& name) {
    if (name.authority.port && name.authority.port != asked->port) return false;
    return name.is_wildcard ? is_below(asked->host, name.authority.host) : asked->host == name.authority.host;
  };
  if (std::ranges::any_of(names_, fits)) return {};
  const bool is_local_name = asked->host == "localhost" || asked->host == "127.0.0.1" || asked->host == "::1";
  if (is_loopback_only_ && is_local_name) return {};

  std::string ours;
  for (const Name& name : names_) {
    ours += (ours.empty() ? "" : ", ") + std::string(name.is_wildcard ? "*." : "") +
            http::write_authority(name.authority);
  }
  if (is_loopback_only_) ours += (ours.empty() ? "" : ", ") + std::string("localhost, 127.0.0.1, [::1]");
  return {status_misdirected,
          "host \"" + shown(host) + "\" is not this server's (" + ours + "): see server.name"};
}

}  // namespace sinnet::endpoint
