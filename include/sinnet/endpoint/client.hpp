#pragma once
/// Client: outgoing WebSockets on a loop, and the blocking face for programs that have none. Resolving,
/// connecting, proxy, TLS and upgrade are one opening with one deadline; behind it the same Handler runs as
/// in a server. It reads no environment (proxy variables are the command line's business) and follows no
/// redirect.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sinnet/base/error.hpp"
#include "sinnet/endpoint/handler.hpp"
#include "sinnet/http/head.hpp"
#include "sinnet/io/loop.hpp"
#include "sinnet/io/tls.hpp"
#include "sinnet/ws/connection.hpp"

namespace sinnet::endpoint {

/// When to open again what was refused or lost. The delay before attempt n is `first_delay * 2^(n-1)`, at
/// most `delay_max`, and a random part of it is taken off, so that the clients of a server that restarts do
/// not come back all at once.
struct ReconnectPolicy {
  bool enabled = false;
  Duration first_delay = std::chrono::milliseconds{500};
  Duration delay_max = std::chrono::seconds{30};
  double jitter = 0.5;  ///< 0–1: a delay d becomes anything from d * (1 - jitter) to d
};

struct ClientOptions {
  std::vector<std::string> protocols{};  ///< subprotocols, most wanted first
  /// More fields for the request; see ws::UpgradeOptions for what may not stand here.
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string origin{};                              ///< empty: none is sent
  Duration open_timeout = std::chrono::seconds{15};  ///< from the name to the 101, everything together
  io::TlsClientOptions tls{};
  /// "http://[user:password@]host:port": an HTTP proxy, asked to CONNECT for ws and wss alike. Empty: none.
  std::string proxy{};
  /// `deflate.enabled` offers compression. `delivery` is the handler's to say.
  ws::Options websocket{};
  std::size_t send_queue_bytes = 1024 * 1024;  ///< Connection::room_bytes; reading rests at this mark
  ReconnectPolicy reconnect{};
};

/// When the steps of an opening were done, counted from its start. A step that did not take place (a numeric
/// host, no proxy, no TLS) has the time of the step before it.
struct OpenTimings {
  Duration resolved{};
  Duration connected{};
  Duration proxied{};   ///< the proxy's answer to CONNECT
  Duration secured{};   ///< the TLS handshake
  Duration upgraded{};  ///< the answer to the upgrade was read
};

/// An attempt that opened nothing.
struct OpenFailure {
  /// NotFound, Refused, Unreachable, TimedOut, TlsFailed: as far as it came. PermissionDenied for the
  /// statuses 401, 403 and 407, Refused for any other that is not 101, ProtocolError for a 101 that breaks
  /// RFC 6455 4.1 or for what is no HTTP. One line.
  Error error{};
  int status = 0;                      ///< of the HTTP answer; 0 if none came
  std::string body{};                  ///< the beginning of its body, at most 1 KiB, as sent
  std::optional<Duration> retry_in{};  ///< the next attempt follows then; without it this was the last word
};

struct ClientCore;
class ClientSession;

/// What the WebSockets of a loop share: options, certificates, resolver, compression states. Opens any
/// number. Thread rule: the loop's thread; it and its sessions end before the loop does.
class Client {
 public:
  using Failed = std::function<void(const OpenFailure&)>;

  /// Reads resolv.conf and the TLS files that are named; the system's issuers are read (blocking) with the
  /// first wss. InvalidArgument for a proxy that cannot be read, and what TlsClientContext::create() answers.
  [[nodiscard]] static Result<std::unique_ptr<Client>> create(io::Loop& loop, ClientOptions options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Begins to open. `url` is one of
  ///
  ///     ws://host[:port]/path?query       (http:// means the same)
  ///     wss://…                           (https:// too)
  ///     ws+unix:/run/x.sock:/path?query   a Unix socket; the path begins behind the last ":/", and is "/"
  ///                                       if there is none. "ws+unix:@name" for the abstract namespace
  ///
  /// User and password in it become Basic credentials. Handler::open follows when the WebSocket is open (its
  /// request() is null: there is nothing to accept), or `failed` for each attempt that opened nothing; never
  /// inside this call. Answers InvalidArgument for a URL or options that cannot stand in a request; nothing
  /// was begun then.
  [[nodiscard]] Result<std::unique_ptr<ClientSession>> connect(std::string_view url,
                                                               std::shared_ptr<Handler> handler,
                                                               Failed failed = {});
  [[nodiscard]] Result<std::unique_ptr<ClientSession>> connect(std::string_view url, Callbacks callbacks,
                                                               Failed failed = {});

  /// Totals over all sessions.
  [[nodiscard]] const ws::Statistics& statistics() const noexcept;

 private:
  explicit Client(std::shared_ptr<ClientCore> core) : core_(std::move(core)) {}
  std::shared_ptr<ClientCore> core_;
};

/// One outgoing WebSocket, over all its attempts. Destroying it drops the connection without a word and
/// without a callback; it may be destroyed inside any callback.
///
///   state      | opened | attempt failed, connection ended | close()
///   -----------|--------|----------------------------------|--------------------------------
///   Opening    | Open   | Waiting, or Over                 | Over
///   Open       | –      | Waiting, or Over                 | Open, then Over
///   Waiting    | –      | –                                | Over
///
/// Waiting needs ReconnectPolicy::enabled, and no answer with a status of 400–499 other than 408, 425 and
/// 429: the same question would get the same answer.
class ClientSession {
 public:
  enum class State : std::uint8_t { Opening, Open, Waiting, Over };

  virtual ~ClientSession() = default;
  ClientSession(const ClientSession&) = delete;
  ClientSession& operator=(const ClientSession&) = delete;

  [[nodiscard]] virtual State state() const noexcept = 0;
  /// Null unless Open.
  [[nodiscard]] virtual Connection* connection() noexcept = 0;
  /// Ends it for good: with the closing handshake when Open (Handler::close follows), else at once and
  /// without a callback. Requires ws::is_sendable(code).
  virtual void close(ws::CloseCode code = ws::CloseCode::Normal, std::string_view reason = {}) = 0;

  // ---- of the newest attempt
  [[nodiscard]] virtual const OpenTimings& timings() const noexcept = 0;
  /// The server's answer; empty until it came.
  [[nodiscard]] virtual const http::ResponseHead& response() const noexcept = 0;
  /// The other end of the socket (a proxy, perhaps); AddressFamily::None until connected.
  [[nodiscard]] virtual const io::SocketAddress& remote() const noexcept = 0;
  /// Attempts begun since the beginning.
  [[nodiscard]] virtual std::uint64_t attempts() const noexcept = 0;

 protected:
  ClientSession() = default;
};

// Here, since an answer that holds a ClientSession needs to know how to destroy one.
inline Result<std::unique_ptr<ClientSession>> Client::connect(std::string_view url, Callbacks callbacks,
                                                              Failed failed) {
  return connect(url, make_handler(std::move(callbacks)), std::move(failed));
}

/// A message of one's own.
struct ReceivedMessage {
  ws::MessageKind kind = ws::MessageKind::Text;
  Buffer payload{};

  [[nodiscard]] std::string_view text() const noexcept { return as_text(payload.bytes()); }
};

/// The blocking face: a WebSocket with a loop of its own, which turns inside these calls only. So pings are
/// answered inside them only, and a program that calls nothing for longer than the server's patience is
/// dropped. Thread rule: one thread at a time.
class WebSocket {
 public:
  virtual ~WebSocket() = default;
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

  /// Returns when less than ClientOptions::send_queue_bytes wait for the kernel. Closed when it is over.
  virtual Result<> send(ws::MessageKind kind, Bytes payload) = 0;
  Result<> send_text(std::string_view text) { return send(ws::MessageKind::Text, as_bytes(text)); }
  Result<> send_binary(Bytes payload) { return send(ws::MessageKind::Binary, payload); }

  /// The next message. Closed when it is over (close_code() and close_reason() then say how; messages that
  /// came before are handed out first), TimedOut when none came in time.
  [[nodiscard]] virtual Result<ReceivedMessage> receive(Duration timeout = Duration::max()) = 0;

  /// The closing handshake; returns when it is over, at the latest after ws::Options::close_timeout. Messages
  /// that still come are kept for receive().
  virtual void close(ws::CloseCode code = ws::CloseCode::Normal, std::string_view reason = {}) = 0;

  [[nodiscard]] virtual bool is_open() const noexcept = 0;
  /// Meaningful once it is over.
  [[nodiscard]] virtual ws::CloseCode close_code() const noexcept = 0;
  [[nodiscard]] virtual std::string_view close_reason() const noexcept = 0;
  /// The subprotocol agreed on; "" for none.
  [[nodiscard]] virtual std::string_view protocol() const noexcept = 0;

 protected:
  WebSocket() = default;
};

/// Opens a WebSocket and waits for it. Errors as in OpenFailure. ClientOptions::reconnect is not used.
[[nodiscard]] Result<std::unique_ptr<WebSocket>> connect(std::string_view url, ClientOptions options = {});

}  // namespace sinnet::endpoint

namespace sinnet {
using endpoint::Client;
using endpoint::ClientOptions;
using endpoint::connect;
using endpoint::Connection;
using endpoint::Message;
using endpoint::WebSocket;
}  // namespace sinnet
