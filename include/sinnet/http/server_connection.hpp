#pragma once
/// http::ServerConnection: HTTP/1.1 of a server as a machine: requests out, responses in, keep-alive and its
/// deadlines. It never opens a file or a socket and knows no routes; what to answer, and whether a request
/// becomes a WebSocket, is the user's business.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sinnet/base/bytes.hpp"
#include "sinnet/base/time.hpp"
#include "sinnet/http/head.hpp"

namespace sinnet::http {

/// A zero timeout is no timeout, except for linger_timeout.
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

/// HTTP/1.1 of one connection, the server's side.
///
///   State     | head whole      | body whole | respond(last)          | rule broken | EOF     | deadline
///   ----------|-----------------|------------|------------------------|-------------|---------|---------
///   Idle      | Body or Pending | –          | –                      | Failing     | Ended   | Ended
///   Head      | Body or Pending | –          | –                      | Failing     | Ended   | Failing
///   Body      | –               | Pending    | –                      | –           | Ended   | Failing
///   Pending   | –               | –          | Idle,Closing,Streaming | –           | goes on | –
///   Streaming | –               | –          | Idle or Closing (last) | –           | goes on | –
///
/// A deadline that leads to Failing is answered with 408.
///
/// Idle turns into Head with the first byte. Closing and Failing: output goes out, the writing half is shut,
/// input is discarded until EOF or linger_timeout; then Ended. Beyond the table: while output waits, an EOF
/// is waited out (the client may half-close: what it sent before is still answered), and write_timeout
/// without progress leads to Ended from every state. An EOF between prepare_output() and consume_output() is
/// a write that failed: Ended at once, what waits is dropped.
///
/// The first head has head_timeout from construction, whatever arrives; a later one from its first byte.
///
/// What is refused here, always with Connection: close and nothing parsed behind it (RFC 9112 11.2): what
/// HeadParser and body_framing refuse; a chunked body (411); a long body (413); an unknown expectation (417).
///
/// A request that asks for an upgrade is told only when all earlier output is gone, so that the machine that
/// takes over finds the connection's output clean.
///
/// One owner thread. The contract of machines (docs/architecture.md) holds; `options` must outlive the
/// machine.
class ServerConnection {
 public:
  ServerConnection(const ServerOptions& options, Time now);
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  // ---- from below

  [[nodiscard]] MutableBytes input_space(MutableBytes scratch) noexcept { return scratch; }
  /// Lends bytes just read. Only while wants_input().
  void receive(MutableBytes input, Time now);
  void receive_eof(Time now);
  [[nodiscard]] std::optional<ServerEvent> poll_event();
  [[nodiscard]] bool has_event() const noexcept;
  /// False while a request waits for its response: a client that pipelines is held by the transport.
  [[nodiscard]] bool wants_input() const noexcept;
  /// Copies undecoded input (pipelined requests), so that the lent buffer can be reused.
  void keep_input();
  /// While the user stops reading, the client's deadlines stand still.
  void set_reading(bool reading, Time now) noexcept;

  // ---- to below

  void prepare_output(std::size_t bytes_max, Time now);
  [[nodiscard]] std::size_t output(std::span<Slice> slices) const noexcept;
  void consume_output(std::size_t bytes, Time now);
  /// Nothing to do: output never refers to lent memory.
  void keep_output() noexcept {}
  [[nodiscard]] bool has_output() const noexcept { return waiting_bytes_ > 0; }
  [[nodiscard]] std::size_t waiting_bytes() const noexcept { return waiting_bytes_; }
  [[nodiscard]] bool wants_shutdown_write() const noexcept;
  [[nodiscard]] bool has_ended() const noexcept { return state_ == State::Ended; }
  [[nodiscard]] bool is_done() const noexcept { return has_ended() && !failed_pending_ && !closed_pending_; }
  [[nodiscard]] std::optional<Time> deadline() const noexcept;
  void handle_deadline(Time now);

  // ---- from above

  /// The head of the request under way; valid from its Request event until the response is complete.
  [[nodiscard]] const RequestHead& head() const noexcept { return head_; }
  /// Whether the client stays after this response (RFC 9112 9.3): `Connection: close` must be sent otherwise.
  /// An HTTP/1.0 client never does: its `keep-alive` would have to be answered in every response.
  [[nodiscard]] bool keeps_alive() const noexcept;
  /// Answers the request: a whole head as written by write_head (it must carry Content-Length, or
  /// `Connection: close`, which ends the connection behind the response), and the beginning of the body.
  /// `last`: this is all of it. A HEAD request's body is not sent whatever is handed over. Does nothing if
  /// the request is lost.
  void respond(std::string_view head, Buffer body, bool last, Time now);
  /// More of the body, exactly as much in all as the head announced. Answers how many bytes wait; beyond
  /// drained_below_bytes wait for Drained. Does nothing if the request is lost.
  std::size_t write_body(Buffer piece, bool last, Time now);
  /// Stops serving: after the response under way, or at once if there is none, the connection closes.
  void close(Time now);
  /// Answers with a whole response that ends the connection (ws::write_refusal), whatever was under way. In
  /// the middle of a response nothing can be said any more: the client finds it cut off.
  void refuse(std::string_view response, Time now);
  /// The undecoded bytes behind the request, for the machine that takes over (a WebSocket). The machine is
  /// over and tells nothing more. Only while a request waits for its response, and without output.
  [[nodiscard]] Buffer take_rest();

 private:
  enum class State : std::uint8_t { Idle, Head, Body, Pending, Streaming, Closing, Failing, Ended };

  [[nodiscard]] bool is_receiving() const noexcept { return state_ <= State::Body; }
  [[nodiscard]] bool is_request_due() const noexcept;
  void decode();
  void decode_head();
  void handle_head();
  void decode_body();
  void finish_request() noexcept;
  [[nodiscard]] bool accept_expectation();
  void fail(int status, std::string_view reason);
  void handle_eof();

  void queue(Bytes head, Buffer body, Time now);
  void finish_response(Time now);
  void handle_output_gone(Time now);
  void wind_up(State state, Time now);
  void end(std::string_view reason) noexcept;
  void set_expiry(Duration timeout, Time now) noexcept;

  const ServerOptions* options_;
  HeadParser parser_;
  RequestHead head_;

  MutableBytes input_;  ///< lent or kept, undecoded
  Buffer kept_input_;
  Buffer body_;  ///< of the request, as far as it arrived
  std::uint64_t body_remaining_ = 0;

  std::vector<Buffer> output_;    ///< from first_ on it waits
  std::size_t first_ = 0;         ///< index in output_
  std::size_t first_offset_ = 0;  ///< bytes of output_[first_] that are gone
  std::size_t waiting_bytes_ = 0;

  Time now_;            ///< of the last call that said
  Time expiry_;         ///< of the state: for a head, a body, the next request, the client's EOF
  Time last_progress_;  ///< when output was last taken, or began to wait
  Time paused_since_;
  std::string_view reason_;  ///< of Failed, then of Closed
  std::uint16_t status_ = 0;
  State state_ = State::Idle;
  bool is_first_ : 1 = true;  ///< no head was whole yet
  bool is_reading_ : 1 = true;
  bool is_writing_ : 1 = false;  ///< between prepare_output and consume_output
  bool has_eof_ : 1 = false;
  bool close_wanted_ : 1 = false;
  bool request_pending_ : 1 = false;
  bool drained_wanted_ : 1 = false;
  bool drained_pending_ : 1 = false;
  bool failed_pending_ : 1 = false;
  bool closed_pending_ : 1 = false;
};

}  // namespace sinnet::http
