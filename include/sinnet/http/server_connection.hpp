#pragma once
/// http::ServerConnection: HTTP/1.1 of a server as a machine: requests out, responses in, keep-alive and its
/// deadlines. It never opens a file or a socket and knows no routes; what to answer, and whether a request
/// becomes a WebSocket, is the user's business.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sinnet/base/bytes.hpp"
#include "sinnet/base/time.hpp"
#include "sinnet/http/head.hpp"

namespace sinnet::http {

struct ServerOptions {
  HeadLimits head;
  std::size_t body_bytes_max = 64 * 1024;            ///< a longer request body is 413
  Duration head_timeout = std::chrono::seconds(5);   ///< from the first moment until the head is whole: 408
  Duration body_timeout = std::chrono::seconds(10);  ///< from the head until the body is whole: 408
  Duration idle_timeout = std::chrono::seconds(60);  ///< between a response and the next request's first byte
  Duration write_timeout = std::chrono::seconds(30);  ///< the client takes no byte of what waits for it
  Duration linger_timeout = std::chrono::seconds(2);  ///< for the client's EOF after our last byte
  std::size_t drained_below_bytes = 128 * 1024;       ///< see ServerEventType::Drained
};

enum class ServerEventType : std::uint8_t {
  Request,  ///< `head()` and `body`; answer with respond() … now or later. No other request comes before that
  Drained,  ///< a response under way has room again: write_body() more
  Failed,   ///< the request was refused by us; `status` and `reason` say why. The answer is queued
  Closed,   ///< the last event: no request is under way any more, or the one under way is lost (`reason`)
};

struct ServerEvent {
  ServerEventType type = ServerEventType::Request;
  int status = 0;
  std::string_view reason{};  ///< static text
  Bytes body{};               ///< lent until the next call
};

/// State     | head whole      | body whole | respond(last)           | rule broken       | EOF     |
/// deadline
/// ----------|-----------------|------------|-------------------------|-------------------|---------|---------
/// Idle      | Body or Pending | –          | –                       | Failing, answered | Ended   | Ended
/// Head      | Body or Pending | –          | –                       | Failing, answered | Ended   |
/// Failing, 408 Body      | –               | Pending    | –                       | –                 |
/// Ended   | Failing, 408 Pending   | –               | –          | Idle, Closing, Streaming| – | (goes on;
/// the client may half-close) Streaming | –               | –          | Idle or Closing (last)  | – | Ended
/// when a write fails Closing, Failing: output goes out, the writing half is shut, input is discarded until
/// EOF or linger_timeout; then Ended.
///
/// One owner thread. The contract of machines (docs/architecture.md) holds; in addition:
class ServerConnection {
 public:
  ServerConnection(const ServerOptions& options, Time now);
  ~ServerConnection();
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  // from below
  [[nodiscard]] MutableBytes input_space(MutableBytes scratch);
  void receive(MutableBytes input, Time now);
  void receive_eof(Time now);
  [[nodiscard]] std::optional<ServerEvent> poll_event();
  [[nodiscard]] bool has_event() const noexcept;
  [[nodiscard]] bool wants_input() const noexcept;
  void keep_input();
  void set_reading(bool reading, Time now) noexcept;

  // to below
  void prepare_output(std::size_t bytes_max, Time now);
  [[nodiscard]] std::size_t output(std::span<Slice> slices) const noexcept;
  void consume_output(std::size_t bytes, Time now);
  void keep_output();
  [[nodiscard]] bool has_output() const noexcept;
  [[nodiscard]] std::size_t waiting_bytes() const noexcept;
  [[nodiscard]] bool wants_shutdown_write() const noexcept;
  [[nodiscard]] bool has_ended() const noexcept;
  [[nodiscard]] bool is_done() const noexcept;
  [[nodiscard]] std::optional<Time> deadline() const noexcept;
  void handle_deadline(Time now);

  // from above

  /// The head of the request under way; valid from its Request event until the response is complete.
  [[nodiscard]] const RequestHead& head() const noexcept;
  /// Whether the client stays after this response (RFC 9112 9.3): `Connection: close` must be sent otherwise.
  [[nodiscard]] bool keeps_alive() const noexcept;
  /// Answers the request: a whole head as written by write_head (it must carry Content-Length, or
  /// `Connection: close`), and the beginning of the body. `last`: this is all of it. A HEAD request's body is
  /// not sent whatever is handed over.
  void respond(std::string head, Buffer body, bool last, Time now);
  /// More of the body. Answers how many bytes wait; beyond drained_below_bytes wait for Drained.
  std::size_t write_body(Buffer piece, bool last, Time now);
  /// Stops serving: after the response under way, or at once if there is none, the connection closes.
  void close(Time now);
  /// Answers with a whole response that ends the connection (ws::write_refusal), whatever was under way.
  void refuse(std::string response, Time now);
  /// The undecoded bytes behind the request, for the machine that takes over (a WebSocket). The machine is
  /// over.
  [[nodiscard]] Buffer take_rest();
};

}  // namespace sinnet::http
