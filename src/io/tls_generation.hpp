#pragma once
/// What one reading of certificate files yielded: OpenSSL contexts, ready to make connections from.
/// Immutable, and held by every connection made from it, so that a reload never pulls a certificate from
/// under a handshake. It does no I/O after load().

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sinnet/io/tls.hpp"

struct ssl_ctx_st;
struct ssl_st;

namespace sinnet::io {

struct FreeSslContext {
  void operator()(ssl_ctx_st* context) const noexcept;
};
using SslContext = std::unique_ptr<ssl_ctx_st, FreeSslContext>;

class TlsGeneration {
 public:
  [[nodiscard]] static Result<std::shared_ptr<const TlsGeneration>> load(const TlsServerOptions& options);
  [[nodiscard]] static Result<std::shared_ptr<const TlsGeneration>> load(const TlsClientOptions& options);

  /// A new connection's SSL in the right role, without a BIO. Throws std::bad_alloc.
  [[nodiscard]] ssl_st* create_ssl() const;
  /// True for a client that checks nobody.
  [[nodiscard]] bool is_insecure() const noexcept { return is_insecure_; }

  /// Which context serves this name (SNI); the default's when nothing fits.
  [[nodiscard]] ssl_ctx_st* context_for(std::string_view server_name) const;
  /// The protocols in the wire form of RFC 7301 3.1: each one's length in a byte, then its name.
  [[nodiscard]] const std::string& alpn_wire() const noexcept { return alpn_wire_; }

 private:
  Result<> add_server_context(const TlsServerOptions& options, const TlsCertificate& certificate);
  Result<> configure_client(const TlsClientOptions& options);

  bool is_server_ = false;
  bool is_insecure_ = false;
  std::string alpn_wire_;
  std::vector<SslContext> contexts_;                        // the first is the default
  std::vector<std::pair<std::string, std::size_t>> names_;  // lower case, index into contexts_
};

}  // namespace sinnet::io
