#pragma once
/// Which pages and which names may reach the server: the Origin check against cross-site WebSocket hijacking
/// (attack 16, RFC 6455 10.2) and the Host check against DNS rebinding (attack 17). Pure decisions; whoever
/// asks writes the answer.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sinnet/base/error.hpp"
#include "sinnet/http/url.hpp"

namespace sinnet::endpoint {

/// `status` is 0 if allowed, else what to answer. `reason` is one printable line that names both values and
/// the key to set.
struct Decision {
  int status = 0;
  std::string reason;

  [[nodiscard]] bool is_allowed() const noexcept { return status == 0; }
};

/// `security.allowed_origins` and `security.require_origin`. Immutable once parsed; any thread may read it.
class OriginPolicy {
 public:
  OriginPolicy() = default;

  /// Entries: "https://good.com", "https://good.com:8443", "https://*.good.com" (one or more labels, not
  /// good.com itself), "null" (sandboxed frames and files), another scheme in full
  /// ("chrome-extension://abc"), or "*" for every page of the web.
  [[nodiscard]] static Result<OriginPolicy> parse(std::span<const std::string> allowed, bool require_origin);

  /// Allowed: the origin of the request itself, and what is listed. `is_secure` and `host` are what the
  /// client used: the connection's own and the Host header, or what a trusted proxy says (ClientView). No
  /// Origin is no browser: allowed unless required. An Origin that is not in the form of RFC 6454 6.2 (lower
  /// case, no default port, no path, no userinfo) was not written by a browser and is refused. Status 403.
  [[nodiscard]] Decision check(std::optional<std::string_view> origin, bool is_secure,
                               std::string_view host) const;

 private:
  struct Pattern {
    bool is_secure = false;
    bool is_wildcard = false;   ///< authority.host is then what must follow the first label and its dot
    http::Authority authority;  ///< the port filled in
  };
  [[nodiscard]] static Result<Pattern> parse_pattern(std::string_view entry);
  [[nodiscard]] bool is_listed(std::string_view origin) const;

  std::vector<Pattern> patterns_;
  std::vector<std::string> exact_;  ///< schemes that are not ours to take apart
  bool allows_null_ = false;
  bool allows_all_ = false;
  bool require_origin_ = false;
};

/// The names the server answers to (`server.name`). Immutable once parsed; any thread may read it.
class HostPolicy {
 public:
  HostPolicy() = default;

  /// `names`: "ws.example.com", "*.example.com", an IP address; with a port, that port only.
  /// `is_loopback_only`: every TCP listener is on a loopback address. Without names and not on loopback only,
  /// every well-formed Host is accepted.
  [[nodiscard]] static Result<HostPolicy> parse(std::span<const std::string> names, bool is_loopback_only);

  /// Status 400 for a Host that cannot be read, 421 for a name that is not ours (RFC 9110 15.5.20). On
  /// loopback only, the names localhost, 127.0.0.1 and [::1] are ours too: a rebound name arrives under its
  /// own.
  [[nodiscard]] Decision check(std::string_view host) const;

 private:
  struct Name {
    bool is_wildcard = false;
    http::Authority authority;
  };
  std::vector<Name> names_;
  bool is_loopback_only_ = false;
};

}  // namespace sinnet::endpoint
