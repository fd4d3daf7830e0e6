#pragma once
/// Whom to believe about the client behind a proxy: X-Forwarded-For, -Proto and -Host, from trusted hops
/// only. Never reads other headers (Forwarded, X-Real-IP, CF-…): one source, or somebody will set the one we
/// forgot.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "endpoint/cidr.hpp"
#include "sinnet/base/error.hpp"
#include "sinnet/io/address.hpp"

namespace sinnet::endpoint {

/// The hops that may speak for a client (`server.trusted_proxies`). Immutable once parsed; any thread may
/// read it.
class TrustedProxies {
 public:
  /// Entries: an IP address, a block, or "unix" for every peer on a Unix socket (its file mode says who that
  /// is).
  [[nodiscard]] static Result<TrustedProxies> parse(std::span<const std::string> entries);

  [[nodiscard]] bool trusts(const io::SocketAddress& peer) const;
  [[nodiscard]] bool trusts(const IpAddress& address) const noexcept;
  [[nodiscard]] bool empty() const noexcept { return blocks_.empty() && !trusts_unix_; }

 private:
  std::vector<Cidr> blocks_;
  bool trusts_unix_ = false;
};

/// What the request itself says. Empty is absent; several lines of one header are joined with ",", first line
/// first.
struct ForwardedHeaders {
  std::string_view forwarded_for;    ///< X-Forwarded-For
  std::string_view forwarded_proto;  ///< X-Forwarded-Proto
  std::string_view forwarded_host;   ///< X-Forwarded-Host
  std::string_view host;             ///< Host
};

enum class ClientSource : std::uint8_t {
  Peer,       ///< the socket's peer is the client
  Forwarded,  ///< a trusted proxy named the client
  Unnamed,  ///< a trusted proxy named nobody, or something that is no address; do not count it as one client
};

/// The client as far as trust reaches.
struct ClientView {
  io::SocketAddress address;  ///< port 0 if the proxy gave none
  ClientSource source = ClientSource::Peer;
  bool is_secure = false;  ///< whether the client speaks TLS: to us, or to a trusted proxy that says so
  std::string_view host;   ///< what the client asked for, not yet checked; a view of the headers
};

/// Reads X-Forwarded-For from right to left: each trusted hop vouches for the entry to its left, and the
/// first one that is not trusted is the client (attack 77). All trusted: the leftmost. From an untrusted peer
/// none of these headers counts. X-Forwarded-Proto and -Host: the entry at the client's place if the list is
/// as long as X-Forwarded-For's (each hop appended to both), else the last, which our own peer wrote.
/// `is_secure` is the connection's own.
[[nodiscard]] ClientView evaluate_forwarded(const ForwardedHeaders& headers, const io::SocketAddress& peer,
                                            bool is_secure, const TrustedProxies& trusted);

}  // namespace sinnet::endpoint
