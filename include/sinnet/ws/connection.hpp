#pragma once
/// ws::Connection: RFC 6455 behind the opening handshake, both roles, as a machine. Bytes in, events out;
/// verbs in, bytes out. It never reads a clock, a socket or a random device, and the peer cannot make it
/// throw.

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string_view>

#include "sinnet/base/bytes.hpp"
#include "sinnet/base/time.hpp"
#include "sinnet/ws/close.hpp"
#include "sinnet/ws/deflate.hpp"
#include "sinnet/ws/event.hpp"
#include "sinnet/ws/frame.hpp"
#include "sinnet/ws/resources.hpp"
#include "sinnet/ws/shared_frame.hpp"

namespace sinnet::ws {

/// Whether messages are handed over whole or as their bytes arrive.
enum class Delivery : std::uint8_t { Whole, Pieces };

/// Sees every frame header, for debugging tools. Called on the connection's thread.
class FrameTrace {
 public:
  virtual void frame_received(const FrameHeader& header) = 0;
  virtual void frame_sent(const FrameHeader& header) = 0;

 protected:
  ~FrameTrace() = default;
};

/// Settings of a connection; many share one. Must outlive them and stay unchanged.
struct Options {
  std::uint64_t message_bytes_max = 1024 * 1024;  ///< a longer message (after inflation) fails with 1009
  Delivery delivery = Delivery::Whole;
  std::size_t drained_below_bytes = 64 * 1024;        ///< see EventType::Drained
  Duration ping_interval = std::chrono::seconds(25);  ///< silence of the peer after which we ping; 0 = never
  Duration pong_timeout = std::chrono::seconds(10);   ///< silence after the ping that ends the connection
  Duration close_timeout = std::chrono::seconds(5);   ///< for the peer's Close, and for its EOF after it
  Duration write_timeout =
      std::chrono::seconds(60);  ///< the peer takes no byte of what waits for it; 0 = for ever
  DeflateOptions deflate{};      ///< level, memory and threshold; the parameters are negotiated
  FrameTrace* trace = nullptr;
};

/// Why a verb did nothing.
enum class SendError : std::uint8_t {
  Closing,     ///< a Close was sent, or the connection is over
  OutOfOrder,  ///< a piece that continues nothing, or a new message inside an unfinished one
};

/// Answers how many bytes wait to be taken by the transport, this message included.
using SendResult = std::expected<std::size_t, SendError>;

/// How a connection goes on:
///
///   State     | peer's Close      | close()   | broken rule | EOF   | deadline
///   ----------|-------------------|-----------|-------------|-------|----------------------------------
///   Open      | Closing, answered | CloseSent | Failing     | Ended | ping; Ended if no sign of life
///   CloseSent | Closing           | –         | Failing     | Ended | Ended (close_timeout)
///   Closing   | –                 | –         | –           | Ended | Ended (close_timeout)
///   Failing   | –                 | –         | –           | Ended | Ended (close_timeout)
///
/// A server in Closing ends when its output is taken (RFC 6455 7.1.1: the server closes first); a client
/// waits for the EOF.
enum class State : std::uint8_t { Open, CloseSent, Closing, Failing, Ended };

/// One WebSocket. One owner thread; not movable, since it lends views of itself.
///
/// A carrier's slot: `receive(read into input_space(scratch))`, `poll_event()` until it answers nothing (or
/// the user stops), `prepare_output`, write `output`, `consume_output`, then `keep_output` and `keep_input`
/// before the lent buffer is reused.
class Connection {
 public:
  /// `deflate` is what the handshake agreed on, if anything. `now` starts the ping interval.
  Connection(Role role, const Options& options, Resources& resources, Time now,
             std::optional<DeflateParameters> deflate = std::nullopt);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // ---- from below

  /// Where to read to next: `scratch`, or the message's own memory when a long payload is under way.
  [[nodiscard]] MutableBytes input_space(MutableBytes scratch);
  /// Lends bytes just read. Only while wants_input(). They are unmasked in place.
  void receive(MutableBytes input, Time now);
  /// The peer will send nothing more (EOF), or the transport is lost. Input not decoded yet is dropped.
  void receive_eof(Time now);
  /// Decodes up to the next event. Nothing: all input is used, or the connection is over.
  /// Its work is bounded by the bytes lent (a hostile deflate stream of empty blocks goes through at some
  /// 48 MiB/s) and by what a message may inflate to, so the reader's budget per turn is the budget here too.
  [[nodiscard]] std::optional<Event> poll_event();
  /// Whether poll_event() has something to answer before new input comes.
  [[nodiscard]] bool has_event() const noexcept {
    return drained_pending_ || final_pending_ || !input_.empty();
  }
  /// False while undecoded input is kept or when nothing the peer sends matters any more: stop reading.
  [[nodiscard]] bool wants_input() const noexcept { return input_.empty() && state_ != State::Ended; }
  /// Copies undecoded input, so that the lent buffer can be reused.
  void keep_input();
  /// While the user stops reading, silence is our own doing: the pong deadline stands still.
  void set_reading(bool reading, Time now) noexcept;

  // ---- to below

  /// Bytes that go out before the first frame: a server's 101 head, so that it shares a write with early
  /// messages.
  void send_preface(Bytes head, Time now);

  /// Freezes whole frames, control first, until at least `bytes_max` bytes are frozen or all are.
  void prepare_output(std::size_t bytes_max, Time now);
  /// Fills the gather list with frozen bytes; answers how many slices it used. The same bytes until they are
  /// consumed.
  [[nodiscard]] std::size_t output(std::span<Slice> slices) const noexcept;
  void consume_output(std::size_t bytes, Time now);
  /// Copies what output still references in lent input.
  void keep_output();
  [[nodiscard]] bool has_output() const noexcept;
  /// Everything we will ever write has been taken: the transport may shut down its writing half.
  [[nodiscard]] bool wants_shutdown_write() const noexcept;
  /// No bytes go in or out any more; a last event may be left to poll.
  [[nodiscard]] bool has_ended() const noexcept { return state_ == State::Ended; }
  /// As has_ended(), and nothing is left to poll: the transport may be closed.
  [[nodiscard]] bool is_done() const noexcept { return state_ == State::Ended && !final_pending_; }

  [[nodiscard]] std::optional<Time> deadline() const noexcept;
  void handle_deadline(Time now);

  // ---- from above

  /// Sends a message. A payload lent by the event being handled, or lying in it, is referenced instead of
  /// copied where it is long; any other is copied. `compress` is a permission: set it false for what must not
  /// share a context with a secret.
  SendResult send(MessageKind kind, Bytes payload, Time now, bool compress = true);
  /// As above, taking the buffer over.
  SendResult send(MessageKind kind, Buffer&& payload, Time now, bool compress = true);
  /// Sends a message that many connections share.
  SendResult send(const SharedFrame& frame, Time now);
  /// Sends a message in fragments, uncompressed. Other messages wait for its end.
  SendResult send_piece(MessageKind kind, Bytes piece, bool first, bool last, Time now);
  /// At most 125 bytes of payload.
  SendResult ping(Bytes payload, Time now);
  SendResult pong(Bytes payload, Time now);
  /// Starts the closing handshake behind what already waits. The second call does nothing.
  /// Requires is_sendable(code), or NoStatus for an empty Close frame.
  void close(CloseCode code, std::string_view reason, Time now);

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] Role role() const noexcept { return role_; }
  /// Bytes that wait for the transport.
  [[nodiscard]] std::size_t waiting_bytes() const noexcept;
  [[nodiscard]] bool uses_compression() const noexcept { return deflate_ != nullptr; }

 private:
  struct Deflate;

  // Decoding: connection_input.cpp
  [[nodiscard]] bool decode_short(std::optional<Event>& event);
  [[nodiscard, gnu::noinline]] std::optional<Event> poll_any();
  [[nodiscard]] bool decode_header();
  [[nodiscard]] bool accept_header(const FrameHeader& header);
  [[nodiscard]] bool accept_data_header(const FrameHeader& header);
  [[nodiscard]] std::optional<Event> decode_control();
  [[nodiscard]] std::optional<Event> handle_control(MutableBytes payload);
  [[nodiscard]] std::optional<Event> handle_close(MutableBytes payload);
  [[nodiscard]] std::optional<Event> decode_data();
  [[nodiscard]] std::optional<Event> decode_plain_piece();
  [[nodiscard]] std::optional<Event> decode_compressed();
  [[nodiscard]] std::optional<Event> collect_plain();
  [[nodiscard]] MutableBytes take_unmasked();
  void reserve_message();
  [[nodiscard]] bool check_text(Bytes piece, bool ends_message);
  [[nodiscard]] Event make_message(MutableBytes payload, bool last);
  void release_message();
  [[nodiscard]] bool refuse(CloseCode code, std::string_view reason);
  [[nodiscard]] Event take_final_event();

  // Encoding and life cycle: connection.cpp
  [[nodiscard]] OutputQueue& queue(Time now);
  [[nodiscard]] Unfinished& unfinished();
  [[nodiscard]] bool is_between_messages() const noexcept;
  [[nodiscard]] SendResult send_short(MessageKind kind, Bytes payload, Time now);
  [[nodiscard, gnu::noinline]] SendResult send_any(MessageKind kind, Bytes payload, Time now, bool compress);
  [[nodiscard]] SendResult sent(std::size_t payload_bytes, bool compressed, bool ends_message = true);
  [[nodiscard]] FrameHeader outgoing(Opcode opcode, std::size_t payload_bytes);
  void queue_frame(const FrameHeader& header, Bytes payload, Time now, bool held);
  void queue_frame(const FrameHeader& header, Buffer&& payload, Time now, bool held);
  void queue_control(Opcode opcode, Bytes payload, Time now);
  void answer_ping(Bytes payload);
  void queue_close(CloseCode code, std::string_view reason, Time now);
  [[nodiscard]] bool is_lent(Bytes payload) const noexcept;
  [[nodiscard]] bool is_in_message(Bytes payload) const noexcept;
  [[nodiscard]] std::optional<Buffer> compress(Bytes payload, bool allowed);
  void set_final(CloseCode code, std::string_view reason, bool is_failure);
  void end(CloseCode code, std::string_view reason);
  void time_what_began(Time now) noexcept;

  const Options* options_;
  Resources* resources_;
  std::unique_ptr<Deflate> deflate_;     ///< only where negotiated
  std::unique_ptr<OutputQueue> output_;  ///< only while something waits
  std::unique_ptr<Unfinished> part_;     ///< only in the middle of something

  // Input. `input_` is what is lent and undecoded; it ends where the lent range ends.
  MutableBytes input_;
  const std::byte* lent_begin_ = nullptr;
  Time last_received_;
  Time last_progress_;  ///< when output was last taken, or began to wait
  Time expiry_;         ///< of the pong (Open) or of the closing (later states)

  Role role_;
  State state_ = State::Open;
  bool in_frame_ : 1 = false;
  bool frame_fin_ : 1 = false;
  bool in_message_ : 1 = false;       ///< a data message has begun and not ended
  bool message_started_ : 1 = false;  ///< Pieces: some of it has been handed over
  bool message_compressed_ : 1 = false;
  bool message_lent_ : 1 = false;     ///< the message collected belongs to the event handed out last
  bool in_sent_message_ : 1 = false;  ///< we are between the pieces of a message
  bool has_late_pong_ : 1 = false;
  bool awaits_pong_ : 1 = false;
  bool is_ping_waiting_ : 1 = false;  ///< our ping is not taken yet: its answer is not due
  bool is_reading_ : 1 = true;
  bool is_input_old_ : 1 = false;  ///< kept from an earlier slot: `last_received_` is not now
  bool is_untimed_ : 1 = false;    ///< old input began something; its time counts from the next call with one
  bool final_is_failure_ : 1 = false;
  bool final_known_ : 1 = false;    ///< Closed or Failed is decided
  bool final_pending_ : 1 = false;  ///< … and still to be polled
  bool drained_wanted_ : 1 = false;
  bool drained_pending_ : 1 = false;
};

}  // namespace sinnet::ws
