#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "io/tls_failure.hpp"
#include "io/tls_generation.hpp"
#include "sinnet/io/tls.hpp"

namespace sinnet::io {
namespace {

// Forward secrecy and AEAD only; TLS 1.3 has nothing else. RFC 9325 4.2.
constexpr const char* tls12_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

// All connections of a context may resume each other's sessions, of other contexts none: keys differ anyway.
constexpr unsigned char session_id_context[] = {'s', 'i', 'n', 'n', 'e', 't'};

std::unexpected<Error> unusable(std::string what, const std::string& file, const std::string& reason) {
  return fail(ErrorCode::TlsFailed, std::move(what) + " " + file + ": " + reason);
}

// OpenSSL's own texts for a missing file vary with its version and have no errno.
Result<> check_readable(std::string what, const std::string& file) {
  what += " " + file;
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return std::unexpected(Error::from_errno(errno, what));
  ::close(fd);
  return {};
}

// OpenSSL would ask on the terminal; a server has none.
int refuse_pass_phrase(char*, int, int, void* was_asked) {
  *static_cast<bool*>(was_asked) = true;
  return -1;
}

Result<> use_certificate(SSL_CTX* context, const TlsCertificate& certificate) {
  const std::string& chain = certificate.certificate_file;
  const std::string& key = certificate.key_file;
  if (chain.empty() || key.empty()) {
    return fail(ErrorCode::InvalidArgument, "a certificate needs a certificate file and a key file");
  }
  if (auto readable = check_readable("certificate file", chain); !readable) return readable;
  if (auto readable = check_readable("key file", key); !readable) return readable;
  ERR_clear_error();
  bool was_asked = false;
  SSL_CTX_set_default_passwd_cb(context, refuse_pass_phrase);
  SSL_CTX_set_default_passwd_cb_userdata(context, &was_asked);
  const bool has_chain = SSL_CTX_use_certificate_chain_file(context, chain.c_str()) == 1;
  const std::string chain_reason = has_chain ? std::string{} : take_newest_reason();
  const bool has_key = has_chain && SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) == 1;
  SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
  SSL_CTX_set_default_passwd_cb(context, nullptr);
  if (!has_chain) return unusable("certificate file", chain, chain_reason);
  if (was_asked) return unusable("key file", key, "is encrypted, which is not supported");
  const bool mismatch = !has_key && ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509;
  if (!has_key && !mismatch) return unusable("key file", key, take_newest_reason());
  if (mismatch || SSL_CTX_check_private_key(context) != 1) {
    ERR_clear_error();
    return unusable("key file", key, "does not belong to certificate file " + chain);
  }
  return {};
}

Result<std::string> write_alpn(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const std::string& protocol : protocols) {
    // RFC 7301 3.1: 1 to 255 bytes.
    if (protocol.empty() || protocol.size() > 255) {
      return fail(ErrorCode::InvalidArgument,
                  "an ALPN protocol name has 1 to 255 bytes: \"" + protocol + "\"");
    }
    wire.push_back(static_cast<char>(protocol.size()));
    wire += protocol;
  }
  return wire;
}

SslContext create_context(const SSL_METHOD* method, TlsVersion version_min) {
  SslContext context{SSL_CTX_new(method)};
  if (context == nullptr) throw std::bad_alloc();
  SSL_CTX* raw = context.get();
  SSL_CTX_set_min_proto_version(raw, version_min == TlsVersion::Tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(raw, tls12_ciphers);
  // NO_RENEGOTIATION: its cost is the server's, and a renegotiated peer could be another one (RFC 9325 3.5).
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
  // RELEASE_BUFFERS: idle connections keep no record buffers (2 x 17 KiB).
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
  // A record's header and body come with one read of the inner transport instead of two.
  SSL_CTX_set_read_ahead(raw, 1);
  // Sessions live in the client's ticket (RFC 5077, RFC 8446 2.2), never in our memory.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(raw, session_id_context, sizeof session_id_context);
  return context;
}

std::string lower_case(std::string_view text) {
  std::string lower{text};
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (lower.ends_with('.')) lower.pop_back();
  return lower;
}

// The DNS names of the certificate this context has: RFC 5280 4.2.1.6.
std::vector<std::string> names_in_certificate(SSL_CTX* context) {
  std::vector<std::string> names;
  const X509* leaf = SSL_CTX_get0_certificate(context);
  auto* list = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(list); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(list, i);
    if (name->type != GEN_DNS) continue;
    names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                       static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  GENERAL_NAMES_free(list);
  return names;
}

// What may go into a log or a header unescaped. Not a check of DNS syntax.
bool is_printable(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

int choose_certificate(SSL* ssl, int* alert, void* argument) {
  const auto* generation = static_cast<const TlsGeneration*>(argument);
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  if (!is_printable(name)) {
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  SSL_CTX* context = generation->context_for(name);
  if (context != SSL_get_SSL_CTX(ssl)) SSL_set_SSL_CTX(ssl, context);
  return SSL_TLSEXT_ERR_OK;
}

// RFC 7301 3.2: no protocol in common is fatal, rather than two sides that talk past each other (attack 19).
int choose_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                unsigned int offered_size, void* argument) {
  const std::string& ours = static_cast<const TlsGeneration*>(argument)->alpn_wire();
  unsigned char* chosen = nullptr;
  const int result =
      SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned int>(ours.size()), offered, offered_size);
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

void FreeSslContext::operator()(ssl_ctx_st* context) const noexcept { SSL_CTX_free(context); }

Result<std::shared_ptr<const TlsGeneration>> TlsGeneration::load(const TlsServerOptions& options) {
  auto generation = std::make_shared<TlsGeneration>();
  generation->is_server_ = true;
  auto wire = write_alpn(options.alpn);
  if (!wire) return std::unexpected(wire.error());
  generation->alpn_wire_ = *wire;
  if (auto added = generation->add_server_context(options, options.certificate); !added) {
    return std::unexpected(added.error());
  }
  for (const TlsNamedCertificate& entry : options.by_name) {
    if (auto added = generation->add_server_context(options, entry.certificate); !added) {
      return std::unexpected(added.error());
    }
    const std::size_t index = generation->contexts_.size() - 1;
    const auto names =
        entry.names.empty() ? names_in_certificate(generation->contexts_[index].get()) : entry.names;
    if (names.empty()) {
      return unusable("certificate file", entry.certificate.certificate_file,
                      "is for no DNS name, and none is given");
    }
    for (const std::string& name : names) generation->names_.emplace_back(lower_case(name), index);
  }
  return generation;
}

Result<> TlsGeneration::add_server_context(const TlsServerOptions& options,
                                           const TlsCertificate& certificate) {
  SslContext context = create_context(TLS_server_method(), options.version_min);
  SSL_CTX* raw = context.get();
  if (auto used = use_certificate(raw, certificate); !used) return used;
  SSL_CTX_set_tlsext_servername_callback(raw, choose_certificate);
  SSL_CTX_set_tlsext_servername_arg(raw, this);
  if (!alpn_wire_.empty()) SSL_CTX_set_alpn_select_cb(raw, choose_alpn, this);
  if (const std::string& file = options.client_ca_file; !file.empty()) {
    if (auto readable = check_readable("client CA file", file); !readable) return readable;
    ERR_clear_error();
    STACK_OF(X509_NAME)* issuers = SSL_load_client_CA_file(file.c_str());
    if (issuers == nullptr) return unusable("client CA file", file, take_newest_reason());
    SSL_CTX_set_client_CA_list(raw, issuers);
    if (SSL_CTX_load_verify_file(raw, file.c_str()) != 1) {
      return unusable("client CA file", file, take_newest_reason());
    }
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    // A ticket would carry the client's certificate past its end and past a change of the CA file.
    SSL_CTX_set_options(raw, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(raw, 0);
  }
  contexts_.push_back(std::move(context));
  return {};
}

Result<std::shared_ptr<const TlsGeneration>> TlsGeneration::load(const TlsClientOptions& options) {
  auto generation = std::make_shared<TlsGeneration>();
  auto wire = write_alpn(options.alpn);
  if (!wire) return std::unexpected(wire.error());
  generation->alpn_wire_ = *wire;
  generation->is_insecure_ = options.insecure;
  if (auto configured = generation->configure_client(options); !configured) {
    return std::unexpected(configured.error());
  }
  return generation;
}

Result<> TlsGeneration::configure_client(const TlsClientOptions& options) {
  SslContext context = create_context(TLS_client_method(), options.version_min);
  SSL_CTX* raw = context.get();
  if (options.insecure) {
    SSL_CTX_set_verify(raw, SSL_VERIFY_NONE, nullptr);
  } else if (options.ca_file.empty()) {
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
    if (SSL_CTX_set_default_verify_paths(raw) != 1) {
      return fail(ErrorCode::TlsFailed, "the system's CA certificates: " + take_newest_reason());
    }
  } else {
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
    if (auto readable = check_readable("CA file", options.ca_file); !readable) return readable;
    ERR_clear_error();
    if (SSL_CTX_load_verify_file(raw, options.ca_file.c_str()) != 1) {
      return unusable("CA file", options.ca_file, take_newest_reason());
    }
  }
  if (!options.certificate.certificate_file.empty() || !options.certificate.key_file.empty()) {
    if (auto used = use_certificate(raw, options.certificate); !used) return used;
  }
  // Answers 0 for success, unlike its neighbours.
  if (!alpn_wire_.empty() &&
      SSL_CTX_set_alpn_protos(raw, reinterpret_cast<const unsigned char*>(alpn_wire_.data()),
                              static_cast<unsigned int>(alpn_wire_.size())) != 0) {
    throw std::bad_alloc();
  }
  contexts_.push_back(std::move(context));
  return {};
}

ssl_st* TlsGeneration::create_ssl() const {
  SSL* ssl = SSL_new(contexts_.front().get());
  if (ssl == nullptr) throw std::bad_alloc();
  if (is_server_) {
    SSL_set_accept_state(ssl);
  } else {
    SSL_set_connect_state(ssl);
  }
  return ssl;
}

ssl_ctx_st* TlsGeneration::context_for(std::string_view server_name) const {
  const std::string name = lower_case(server_name);
  const std::size_t dot = name.find('.');
  // RFC 9525 6.3: a wildcard stands for one whole label, the leftmost.
  const std::string_view parent =
      dot == std::string::npos || dot == 0 ? std::string_view{} : std::string_view{name}.substr(dot);
  const SslContext* wildcard = nullptr;
  for (const auto& [pattern, index] : names_) {
    if (pattern == name) return contexts_[index].get();
    if (wildcard == nullptr && !parent.empty() && pattern.starts_with("*.") &&
        std::string_view{pattern}.substr(1) == parent) {
      wildcard = &contexts_[index];
    }
  }
  return wildcard == nullptr ? contexts_.front().get() : wildcard->get();
}

// ---- the contexts: a generation and the lock that swaps it

Result<std::unique_ptr<TlsServerContext>> TlsServerContext::create(TlsServerOptions options) {
  std::unique_ptr<TlsServerContext> context{new TlsServerContext};
  if (auto loaded = context->reload(std::move(options)); !loaded) return std::unexpected(loaded.error());
  return context;
}

TlsServerContext::~TlsServerContext() = default;

Result<> TlsServerContext::reload() {
  const std::lock_guard reading{reload_mutex_};
  return load(options_);
}

Result<> TlsServerContext::reload(TlsServerOptions options) {
  const std::lock_guard reading{reload_mutex_};
  auto loaded = load(options);
  if (loaded) options_ = std::move(options);
  return loaded;
}

Result<> TlsServerContext::load(const TlsServerOptions& options) {
  auto loaded = TlsGeneration::load(options);
  if (!loaded) return std::unexpected(std::move(loaded.error()));
  const std::lock_guard swapping{mutex_};
  current_.swap(*loaded);
  return {};
}

std::shared_ptr<const TlsGeneration> TlsServerContext::generation() const {
  const std::lock_guard lock{mutex_};
  return current_;
}

Result<std::unique_ptr<TlsClientContext>> TlsClientContext::create(TlsClientOptions options) {
  std::unique_ptr<TlsClientContext> context{new TlsClientContext};
  if (auto loaded = context->reload(std::move(options)); !loaded) return std::unexpected(loaded.error());
  return context;
}

TlsClientContext::~TlsClientContext() = default;

Result<> TlsClientContext::reload() {
  const std::lock_guard reading{reload_mutex_};
  return load(options_);
}

Result<> TlsClientContext::reload(TlsClientOptions options) {
  const std::lock_guard reading{reload_mutex_};
  auto loaded = load(options);
  if (loaded) options_ = std::move(options);
  return loaded;
}

Result<> TlsClientContext::load(const TlsClientOptions& options) {
  auto loaded = TlsGeneration::load(options);
  if (!loaded) return std::unexpected(std::move(loaded.error()));
  const std::lock_guard swapping{mutex_};
  current_.swap(*loaded);
  return {};
}

std::shared_ptr<const TlsGeneration> TlsClientContext::generation() const {
  const std::lock_guard lock{mutex_};
  return current_;
}

}  // namespace sinnet::io
