#pragma once
/// Handler and Connection: how a program reacts to WebSockets. Every built-in kind, the daemon's loaded ones
/// and the callbacks of a small program are Handlers; a Connection is what they act on, whichever carrier or
/// role is behind it.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sinnet/base/bytes.hpp"
#include "sinnet/base/time.hpp"
#include "sinnet/http/head.hpp"
#include "sinnet/io/transport.hpp"
#include "sinnet/ws/close.hpp"
#include "sinnet/ws/connection.hpp"
#include "sinnet/ws/event.hpp"

namespace sinnet::io {
class Loop;
}

namespace sinnet::endpoint {

/// Names a connection of a server for as long as it lives, and no other one after it. Not a secret.
enum class ConnectionId : std::uint64_t {};

/// A message, or (with Delivery::Pieces) a part of one. `payload` lives until the handler returns; handing it
/// to `send` within that time costs no copy.
struct Message {
  ws::MessageKind kind = ws::MessageKind::Text;
  Bytes payload{};
  bool first = true;
  bool last = true;

  [[nodiscard]] std::string_view text() const noexcept { return as_text(payload); }
};

/// How a WebSocket ended.
struct CloseInfo {
  ws::CloseCode code = ws::CloseCode::Abnormal;
  std::string_view
      reason{};  ///< the peer's words, or which rule it broke, or what happened; until the call returns
  bool was_clean = false;      ///< both sides exchanged Close frames
  bool was_violation = false;  ///< the peer broke the protocol; `code` is what we answered
};

/// What was asked for when a client opened the connection. Lives until the opening is answered; copy what is
/// needed later.
struct OpenRequest {
  const http::RequestHead* head = nullptr;  ///< null on a connection we opened ourselves
  std::string_view path;                    ///< decoded once and normalised
  std::string_view query;                   ///< as sent, without '?'
  /// Values of the route's "{name}" segments, in their order.
  std::span<const std::pair<std::string, std::string>> parameters;
  std::span<const std::string_view> protocols;  ///< offered by the client, in its order
  std::string_view protocol;  ///< the one the route and the client have in common; "" for none
};

/// How to accept: what the route decided unless said otherwise.
struct Accept {
  std::optional<std::string_view> protocol;  ///< one of those offered
  std::span<const http::Field> headers{};    ///< extra ones for the 101
};

/// One WebSocket. Valid from Handler::open until Handler::close returns; on the loop's thread only. From
/// other threads use Server::post with the id.
class Connection {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] virtual ConnectionId id() const noexcept = 0;
  [[nodiscard]] virtual io::Loop& loop() const noexcept = 0;

  // ---- the opening
  /// Null once the opening is answered.
  [[nodiscard]] virtual const OpenRequest* request() const noexcept = 0;
  /// Lets the client in. Happens by itself when Handler::open returns without having answered or asked for
  /// time, and with the first send. Answers InvalidArgument, and changes nothing, for headers or a protocol
  /// that cannot stand there.
  virtual Result<> accept(const Accept& how = {}) = 0;
  /// Answers the request with an HTTP response instead. Handler::close is not called.
  virtual void refuse(int status, std::span<const http::Field> headers = {}, std::string_view body = {}) = 0;
  /// The answer comes later, by accept() or refuse(); if not in time, the client gets 503 and the handler
  /// close().
  virtual void answer_later(Duration timeout) = 0;

  // ---- messages
  /// Answers how many bytes wait for this peer, or why nothing was sent. Handler::drained follows once they
  /// are few again.
  virtual ws::SendResult send(ws::MessageKind kind, Bytes payload) = 0;
  virtual ws::SendResult send(ws::MessageKind kind, Buffer&& payload) = 0;
  virtual ws::SendResult send(const ws::SharedFrame& frame) = 0;
  /// A message in pieces; see ws::Connection::send_piece.
  virtual ws::SendResult send_piece(ws::MessageKind kind, Bytes piece, bool first, bool last) = 0;
  virtual ws::SendResult ping(Bytes payload) = 0;
  ws::SendResult send(const Message& message) { return send(message.kind, message.payload); }
  ws::SendResult send_text(std::string_view text) { return send(ws::MessageKind::Text, as_bytes(text)); }
  ws::SendResult send_binary(Bytes payload) { return send(ws::MessageKind::Binary, payload); }
  /// A message that goes as it is even where compression was agreed on: for a secret, which must not share a
  /// compressor with text that an attacker may choose (CRIME, BREACH; attack 52).
  ws::SendResult send_uncompressed(ws::MessageKind kind, Bytes payload) {
    return send_piece(kind, payload, true, true);
  }

  /// Bytes that wait for this peer, and how many more fit below the configured send queue.
  [[nodiscard]] virtual std::size_t waiting_bytes() const noexcept = 0;
  [[nodiscard]] virtual std::size_t room_bytes() const noexcept = 0;
  /// No message is handed over and nothing is read until resume(): the peer is held back. The keepalive
  /// stands still.
  virtual void pause() = 0;
  virtual void resume() = 0;

  // ---- the end
  /// Starts the closing handshake behind what waits. Requires a code that may be sent (ws::is_sendable).
  virtual void close(ws::CloseCode code = ws::CloseCode::Normal, std::string_view reason = {}) = 0;
  /// Drops the connection without a word. Handler::close follows at the end of the turn.
  virtual void abort() = 0;
  /// Whether messages may be sent.
  [[nodiscard]] virtual bool is_open() const noexcept = 0;

  // ---- channels (of a server; a client has none and ignores them)
  virtual void join(std::string_view channel) = 0;
  virtual void leave(std::string_view channel) = 0;
  /// To all who joined, on all shards, in one order for everybody; `except_self` leaves this connection out.
  virtual void publish(std::string_view channel, const Message& message, bool except_self = false) = 0;

  // ---- who it is
  /// The subprotocol agreed on; "" for none.
  [[nodiscard]] virtual std::string_view protocol() const noexcept = 0;
  /// The client's address: from a trusted proxy's word where there is one.
  [[nodiscard]] virtual std::string peer_host() const = 0;
  /// Null without TLS.
  [[nodiscard]] virtual const io::TlsInfo* tls() const noexcept = 0;
  /// Whether permessage-deflate was agreed on.
  [[nodiscard]] virtual bool uses_compression() const noexcept = 0;

  /// Whatever a handler wants to keep with the connection; destroyed behind Handler::close.
  [[nodiscard]] void* context() const noexcept { return context_.get(); }
  template <class T>
  [[nodiscard]] T& context_as() const noexcept {
    return *static_cast<T*>(context_.get());
  }
  template <class T>
  void set_context(std::unique_ptr<T> context) {
    context_ = {context.release(), [](void* held) { delete static_cast<T*>(held); }};
  }

 protected:
  ~Connection() = default;

 private:
  std::unique_ptr<void, void (*)(void*)> context_{nullptr, [](void*) {}};
};

/// Reacts to the connections of a route. One handler serves all shards: its calls come from several threads,
/// those of one connection from one thread, one at a time and in order: open, then messages and drained, then
/// close, exactly once each for every connection that was accepted.
class Handler {
 public:
  virtual ~Handler() = default;

  /// A client asks for a WebSocket. May accept, refuse, or ask for time; does the first by default.
  virtual void open(Connection& connection) { static_cast<void>(connection); }
  virtual void message(Connection& connection, const Message& message) = 0;
  /// What waited for a peer has fallen below half of its mark after a send went beyond it: there is room
  /// again.
  virtual void drained(Connection& connection) { static_cast<void>(connection); }
  /// The WebSocket is over. Nothing can be sent any more.
  virtual void close(Connection& connection, const CloseInfo& info) {
    static_cast<void>(connection);
    static_cast<void>(info);
  }
  /// Whether messages come whole or in pieces. Asked once for each connection.
  [[nodiscard]] virtual ws::Delivery delivery() const noexcept { return ws::Delivery::Whole; }
};

/// A handler of functions, for small programs. Those left empty do nothing.
struct Callbacks {
  std::function<void(Connection&)> open{};
  std::function<void(Connection&, const Message&)> message{};
  std::function<void(Connection&)> drained{};
  std::function<void(Connection&, const CloseInfo&)> close{};
};
[[nodiscard]] std::shared_ptr<Handler> make_handler(Callbacks callbacks);

/// Sends every message back to its sender.
[[nodiscard]] std::shared_ptr<Handler> make_echo_handler();
/// Sends every message to all others on the same route.
[[nodiscard]] std::shared_ptr<Handler> make_broadcast_handler(std::string route_name);

}  // namespace sinnet::endpoint
