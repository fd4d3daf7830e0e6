#pragma once
/// ClientOpening: one attempt to open a WebSocket, from the name to the 101. It retries nothing and holds no
/// WebSocket.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "endpoint/client_core.hpp"
#include "sinnet/http/head.hpp"
#include "sinnet/io/connector.hpp"
#include "sinnet/ws/handshake.hpp"

namespace sinnet::endpoint {

/// What an attempt ends with when it succeeds.
struct Opened {
  std::unique_ptr<io::Transport> transport;
  std::string protocol;
  std::optional<ws::DeflateParameters> deflate;
  Buffer rest;  ///< bytes that came behind the head
};

/// Speaks through a transport it owns: writes a request head, reads the answer's head and, if it is no 101,
/// the beginning of its body. One deadline covers everything.
///
///   step        | ends with                     → step
///   Connecting  | a socket                      → Proxying, Upgrading
///   Proxying    | 200 for CONNECT               → Upgrading (behind TLS if the URL says so)
///   Upgrading   | 101                           → Done
///   Upgrading   | any other head                → Refusing
///   Refusing    | enough of the body, or EOF    → Done
///   any         | an error, the deadline        → Done
class ClientOpening final : public io::Destroyable, private io::ReadyHandler, private io::Timer {
 public:
  using Callback = std::move_only_function<void(std::expected<Opened, OpenFailure>)>;

  /// `attempt` is what `upgrade` was written to.
  ClientOpening(std::shared_ptr<ClientCore> core, const ClientTarget& target,
                const ws::UpgradeOptions& upgrade, ws::UpgradeAttempt attempt, Callback callback);
  ~ClientOpening() override;

  /// The callback follows once, never inside this call; it may give this to Loop::destroy_later.
  void start();

  /// Ends it; the callback is dropped. Nothing more happens, but destroying it waits for the turn's end,
  /// since it may be what runs.
  void abandon();

  [[nodiscard]] const OpenTimings& timings() const noexcept { return timings_; }
  [[nodiscard]] const http::ResponseHead& response() const noexcept { return response_; }
  [[nodiscard]] const io::SocketAddress& remote() const noexcept { return remote_; }

 private:
  enum class Step : std::uint8_t { Connecting, Proxying, Upgrading, Refusing, Done };
  class NotingResolver;

  void handle_ready(bool readable, bool writable) override;
  void handle_timer() override;
  void handle_connected(Result<std::unique_ptr<io::Transport>> connected);
  void handle_proxy_head();
  void handle_upgrade_head();
  void begin_upgrade();
  void ask(std::string request, Step step);
  void write_request();
  void read_answer();
  void take_head(Bytes bytes);
  void take_body(Bytes bytes);
  void finish_refusal();
  void fail_transport(const io::IoResult& result);
  void give_up(ErrorCode code, std::string what, int status = 0);
  void deliver(std::expected<Opened, OpenFailure> outcome);
  void note_secured();
  [[nodiscard]] Duration elapsed() const;
  [[nodiscard]] std::string where() const;

  std::shared_ptr<ClientCore> core_;
  const ClientTarget& target_;
  const ws::UpgradeOptions& upgrade_;
  ws::UpgradeAttempt attempt_;
  Callback callback_;
  Time started_{};
  OpenTimings timings_;
  Step step_ = Step::Connecting;
  std::unique_ptr<NotingResolver> resolver_;
  std::unique_ptr<io::Pending> connecting_;
  std::unique_ptr<io::Transport> transport_;
  io::SocketAddress remote_;
  std::string request_;
  std::size_t written_ = 0;
  http::HeadParser parser_{http::HeadRole::Response};
  http::ResponseHead response_;
  std::string body_;  ///< as on the wire
  bool body_is_chunked_ = false;
  std::uint64_t body_bytes_max_ = 0;  ///< enough of it
};

}  // namespace sinnet::endpoint
