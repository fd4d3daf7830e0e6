#pragma once
/// TLS as a Transport over another Transport: contexts made from certificate files, and the two functions
/// that wrap. It never opens a connection, watches a file or holds a deadline: whoever wraps gives the
/// handshake its time.

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "sinnet/base/error.hpp"
#include "sinnet/io/transport.hpp"

namespace sinnet::io {

/// What one reading of the files yielded, shared by the connections that began with it. Private to src/io.
class TlsGeneration;

/// The lowest version accepted. Below 1.2 nothing is safe to offer (RFC 8996).
enum class TlsVersion : std::uint8_t { Tls12, Tls13 };

/// Two PEM files. Encrypted keys are refused: a server has nobody to ask for the pass phrase.
struct TlsCertificate {
  std::string certificate_file{};  ///< the leaf first, then the intermediates
  std::string key_file{};          ///< the leaf's private key; may be the same file
};

/// A certificate for some of the names a server goes by.
struct TlsNamedCertificate {
  /// "example.org", or "*.example.org" for exactly one label more. Case is ignored. Empty: the DNS names that
  /// the certificate itself is for. An exact name wins over a wildcard; then the earlier entry wins.
  std::vector<std::string> names{};
  TlsCertificate certificate{};
};

struct TlsServerOptions {
  TlsCertificate certificate{};  ///< for clients that name nothing, or a name nobody here goes by
  std::vector<TlsNamedCertificate> by_name{};  ///< chosen by the name the client sends (SNI, RFC 6066 3)
  /// PEM. Set: mutual TLS, clients without a certificate issued under one of these are refused, and nobody
  /// resumes a session (every connection proves its certificate anew). Empty: clients are not asked.
  std::string client_ca_file{};
  /// Protocols in the order of our preference, e.g. {"h2", "http/1.1"}. A client that offers some, but none
  /// of these, gets the fatal alert no_application_protocol (RFC 7301 3.2); one that offers none is served.
  /// Empty: not negotiated.
  std::vector<std::string> alpn{};
  TlsVersion version_min = TlsVersion::Tls12;
};

struct TlsClientOptions {
  std::string ca_file{};         ///< PEM; these issuers instead of the system's. Empty: the system's
  TlsCertificate certificate{};  ///< shown to a server that asks (mutual TLS); empty names: none
  std::vector<std::string>
      alpn{};  ///< offered in this order; a server may ignore it (then TlsInfo::alpn is "")
  TlsVersion version_min = TlsVersion::Tls12;
  /// Accepts any certificate for any name. For tests and for looking at broken servers, never by default.
  bool insecure = false;
};

/// Certificates and rules of a server. Thread rule: any thread, any call, at the same time. Connections keep
/// what they began with, so the context may be destroyed before them.
class TlsServerContext {
 public:
  /// Reads all files. Error: NotFound or PermissionDenied (or another errno's code) when a file cannot be
  /// read, TlsFailed when its contents cannot be used (not PEM, a key that does not belong to the
  /// certificate, an encrypted key), InvalidArgument for a bad ALPN name or no certificate. The message names
  /// the file.
  [[nodiscard]] static Result<std::unique_ptr<TlsServerContext>> create(TlsServerOptions options);
  ~TlsServerContext();
  TlsServerContext(const TlsServerContext&) = delete;
  TlsServerContext& operator=(const TlsServerContext&) = delete;

  /// Reads the files again. Connections wrapped from now on get the new ones, older ones keep theirs;
  /// sessions of before are not resumed. On an error nothing changes. Blocks for the reading: not for a
  /// shard's thread.
  Result<> reload();
  /// As reload(), and takes other options too: when the configuration changed.
  Result<> reload(TlsServerOptions options);

  /// What wrap_server takes; alive as long as somebody holds it.
  [[nodiscard]] std::shared_ptr<const TlsGeneration> generation() const;

 private:
  TlsServerContext() = default;
  Result<> load(const TlsServerOptions& options);

  std::mutex reload_mutex_;   // one reader of files at a time; guards options_
  mutable std::mutex mutex_;  // guards current_ only, so that wrapping never waits for files
  TlsServerOptions options_;
  std::shared_ptr<const TlsGeneration> current_;
};

/// Issuers, certificate and rules of a client. The same thread rule and lifetime as TlsServerContext.
class TlsClientContext {
 public:
  /// Errors as TlsServerContext::create().
  [[nodiscard]] static Result<std::unique_ptr<TlsClientContext>> create(TlsClientOptions options);
  ~TlsClientContext();
  TlsClientContext(const TlsClientContext&) = delete;
  TlsClientContext& operator=(const TlsClientContext&) = delete;

  /// As TlsServerContext::reload().
  Result<> reload();
  Result<> reload(TlsClientOptions options);

  [[nodiscard]] std::shared_ptr<const TlsGeneration> generation() const;

 private:
  TlsClientContext() = default;
  Result<> load(const TlsClientOptions& options);

  std::mutex reload_mutex_;
  mutable std::mutex mutex_;
  TlsClientOptions options_;
  std::shared_ptr<const TlsGeneration> current_;
};

/// Speaks TLS as the server over `inner`, which it owns from here on.
///
/// `inner` leaves its loop (detach), if it was in one: attach() the result. The handshake advances whenever
/// the result is read, written, or wanted and `inner` is ready; until it is done, reads and writes are
/// Blocked. Readiness is reported once it is done or has failed.
///
/// - TLS failures are Error with EPROTO, the same on every later call; failure() has the reason for a log.
///   Errors of `inner` pass through with their errno.
/// - A write that ends short or Blocked has encrypted what follows already: the next write must begin with
///   those same bytes, at least as many as were offered (more may follow). That is what a machine's output
///   does anyway.
/// - Small slices of one write share records of up to 16 KiB; a long slice is encrypted from where it is.
/// - shutdown_write() and close(Orderly) send close_notify (RFC 8446 6.1), as far as `inner` takes it.
/// - The end of `inner` without close_notify is Eof like any other, and sets TlsInfo::truncated: who delimits
///   a message by the end of the stream must look. During the handshake it is a failure.
/// - Renegotiation (TLS 1.2) is refused, compression and early data are off.
///
/// Throws std::bad_alloc only.
[[nodiscard]] std::unique_ptr<Transport> wrap_server(const TlsServerContext& context,
                                                     std::unique_ptr<Transport> inner);

/// Speaks TLS as the client. `server_name` is a DNS name (sent as SNI and compared with the certificate's
/// names, not with its common name) or a numeric IP address (compared, not sent; "[::1]" may have its
/// brackets). Empty, it can be used with `insecure` only: otherwise the handshake fails before a byte is
/// sent. Everything else as in wrap_server().
[[nodiscard]] std::unique_ptr<Transport> wrap_client(const TlsClientContext& context,
                                                     std::unique_ptr<Transport> inner,
                                                     std::string_view server_name);

}  // namespace sinnet::io
