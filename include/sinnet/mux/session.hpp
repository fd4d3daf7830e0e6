#pragma once
/// mux::Session: many streams over one connection, in the dialect it is given, as a machine. Bytes in, events
/// out; verbs in, bytes out. It never reads a clock, a socket or a random device, and the peer cannot make it
/// throw.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "sinnet/base/bytes.hpp"
#include "sinnet/base/random.hpp"
#include "sinnet/base/time.hpp"
#include "sinnet/mux/dialect.hpp"
#include "sinnet/mux/event.hpp"

namespace sinnet::mux {

/// Settings of a session; many share one. Must outlive them and stay unchanged.
struct SessionOptions {
  std::uint32_t stream_window =
      256 * 1024;  ///< receive window of a new stream; a dialect's fixed start is the least
  std::uint32_t stream_window_max = 16 * 1024 * 1024;  ///< auto-tuning stops here
  std::uint32_t connection_window =
      512 * 1024;  ///< in flight in all, where the wire has it; grows with the path
  std::size_t budget_bytes =
      16 * 1024 * 1024;                      ///< windows beyond their start, and unread bytes, of all streams
  std::size_t unsent_bytes_max = 64 * 1024;  ///< of one stream: what write() takes ahead of the wire
  std::uint32_t streams_max = 10000;         ///< the peer's, open at once; more are refused
  std::uint32_t unaccepted_max = 256;        ///< the peer's, waiting for accept(); more are refused
  std::uint32_t opens_waiting_max = 1024;    ///< ours, waiting for the peer to allow them
  std::uint32_t resets_burst = 1000;         ///< of streams the peer opened itself (CVE-2023-44487); 0: any
  std::uint32_t resets_per_second = 33;      ///< nghttp2's figures
  Duration open_timeout = std::chrono::seconds(30);    ///< until the peer accepts, where it can; 0: for ever
  Duration accept_timeout = std::chrono::seconds(30);  ///< until the user accepts, then refused; 0: for ever
  Duration linger_timeout =
      std::chrono::seconds(30);  ///< for the peer's end after stop_receiving() without a wire for it
  Duration probe_interval = std::chrono::seconds(25);  ///< silence of the peer after which we ping; 0: never
  Duration probe_timeout =
      std::chrono::seconds(10);  ///< silence after the ping was written that ends the session
  bool measures_path = true;  ///< pings while payload arrives, to tune windows, where the dialect has a ping
  Duration close_timeout = std::chrono::seconds(5);  ///< for the peer's EOF after our last frame
};

struct OpenOptions {
  std::uint64_t stream_type = 0;  ///< dropped where the dialect has no place for it; so are the next two
  std::uint8_t urgency = 3;       ///< 0 first, 7 last; orders what we send, also where the wire cannot say it
  Bytes metadata{};               ///< copied
  void* user = nullptr;
};

/// Why a verb did nothing.
enum class VerbError : std::uint8_t {
  NoStream,      ///< the handle is dead
  Closed,        ///< that half is closed, or the session takes no openings any more
  NotAccepted,   ///< accept() it first
  LimitReached,  ///< SessionOptions::opens_waiting_max, or no ids are left
};
template <class T = void>
using VerbResult = std::expected<T, VerbError>;

/// How the halves of a stream go on (wire words in brackets; sent and received alike):
///
///   Half     | finish     | reset      | stop by the reader | session ends
///   ---------|------------|------------|--------------------|-------------
///   Open     | Finished   | Closed     | Closed             | Closed
///   Finished | per Rules  | Closed (1) | –                  | Closed
///   Closed   | per Rules  | –          | –                  | –
///
/// (1) The half we send, or one not accepted. Else what arrived stays readable: all of it is here.
///
/// The stream has ended (EventType::Ended, then its slot is free) when both halves are Finished and taken
/// (sent: frozen; received: consumed), or Closed.
enum class Half : std::uint8_t { Open, Finished, Closed };

/// How a session goes on:
///
///   State    | go_away()| close()  | broken rule | peer's GoAway 0 | EOF   | deadline
///   ---------|----------|----------|-------------|-----------------|-------|-------------------------
///   Open     | Draining | Closing  | Failing     | Open, no opens  | Ended | ping; Ended without life
///   Draining | –        | Closing  | Failing     | Draining        | Ended | as Open
///   Closing  | –        | –        | –           | –               | Ended | Ended (close_timeout)
///   Failing  | –        | –        | –           | –               | Ended | Ended (close_timeout)
///
/// Draining becomes Closing with the last stream. A GoAway with an error code is a close() by the peer.
enum class SessionState : std::uint8_t { Open, Draining, Closing, Failing, Ended };

struct SessionStatistics {
  std::uint64_t payload_bytes_sent = 0;
  std::uint64_t payload_bytes_received = 0;
  std::uint64_t frames_sent = 0;
  std::uint64_t frames_received = 0;
  std::uint64_t batches_sent = 0;      ///< prepare_output() calls that froze something
  std::uint64_t streams_opened = 0;    ///< by us
  std::uint64_t streams_accepted = 0;  ///< of the peer
  std::uint64_t streams_refused = 0;   ///< of the peer
  std::uint64_t resets_sent = 0;
  std::uint64_t resets_received = 0;
  std::uint64_t credits_sent = 0;
  std::uint64_t copied_bytes = 0;        ///< payload that had to be kept because nobody consumed it at once
  std::uint64_t blocked_connection = 0;  ///< times the connection's credit stopped all streams
  std::size_t streams = 0;               ///< live
  std::size_t unread_bytes = 0;          ///< kept for reading
  std::size_t unsent_bytes = 0;          ///< taken by write() and not frozen
  Duration round_trip_min{};             ///< 0: not known
  Duration round_trip_smoothed{};
  std::uint64_t delivered_per_second = 0;  ///< the best lately, bytes
};

struct StreamStatistics {
  std::uint64_t id = 0;  ///< on the wire
  bool has_id = false;   ///< false: the opening is not frozen yet
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t consumed_bytes = 0;
  std::uint64_t send_credit_bytes = 0;  ///< what the peer would take now
  std::uint32_t window_bytes = 0;       ///< what we let it send ahead
  std::size_t unread_bytes = 0;
  std::size_t unsent_bytes = 0;
  Half sending = Half::Open;
  Half receiving = Half::Open;
};

enum class DeadlineKind : std::uint8_t { Read, Write };

/// One session. One owner thread; not movable, since it lends views of itself.
///
/// A carrier's slot: `receive(read into input_space(scratch))` or `receive_piece`, `poll_event()` until it
/// answers nothing, `prepare_output`, write `output`, `consume_output`, then `keep_output` and `keep_input`
/// before the lent buffer is reused. docs/architecture.md says how the parts fit.
class Session {
 public:
  /// `random` gives the key of the id table and is not used later. `now` starts the probe interval.
  Session(Role role, const Dialect& dialect, const SessionOptions& options, Random& random, Time now);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // ---- from below

  /// Where to read to next.
  [[nodiscard]] MutableBytes input_space(MutableBytes scratch) noexcept { return scratch; }
  /// Lends bytes just read. Only while wants_input(). With Framing::Messages: one whole message.
  void receive(MutableBytes input, Time now) { receive_piece(input, true, true, now); }
  /// Lends a piece of a carrier's message. With Framing::Bytes, boundaries mean nothing.
  void receive_piece(MutableBytes input, bool first, bool last, Time now);
  /// The peer will send nothing more, or the carrier is lost. Input not decoded yet is dropped.
  void receive_eof(Time now);
  /// The carrier says that the peer broke a rule of the dialect that the session cannot see: a text message.
  void fail_carrier(Fault fault, const char* reason_literal);
  /// Decodes up to the next event. Nothing: all input is used, or the session is over.
  [[nodiscard]] std::optional<Event> poll_event();
  /// Whether poll_event() has something to look at before new input comes.
  [[nodiscard]] bool has_event() const noexcept;
  /// False while undecoded input is kept or when nothing the peer sends matters any more: stop reading.
  [[nodiscard]] bool wants_input() const noexcept;
  /// Copies undecoded and unconsumed input, so that the lent buffer can be reused.
  void keep_input();
  /// While the user stops reading, silence is our own doing: the probe's deadline stands still.
  void set_reading(bool reading, Time now) noexcept;

  // ---- to below

  /// Schedules and freezes whole frames, control first, until `bytes_max` bytes (or a batch of about 128 KiB,
  /// 64 slices) are frozen. The only place that spends credit.
  void prepare_output(std::size_t bytes_max, Time now);
  /// Fills the gather list with frozen bytes; answers how many slices it used.
  [[nodiscard]] std::size_t output(std::span<Slice> slices) const noexcept;
  /// Size of the next message for a carrier of messages, at the front of output(): one frame with
  /// Framing::Messages, else all that is frozen. 0: nothing is frozen.
  [[nodiscard]] std::size_t output_message_bytes() const noexcept;
  void consume_output(std::size_t bytes, Time now);
  /// Copies what output still references in lent input: nothing ever is.
  void keep_output() noexcept {}
  [[nodiscard]] bool has_output() const noexcept;
  /// Bytes that wait for the carrier and that the peer's frames can provoke: frozen ones and control frames.
  [[nodiscard]] std::size_t waiting_bytes() const noexcept;
  [[nodiscard]] bool wants_shutdown_write() const noexcept;
  /// No bytes go in or out any more; last events may be left to poll.
  [[nodiscard]] bool has_ended() const noexcept { return state() == SessionState::Ended; }
  /// As has_ended(), and nothing is left to poll: the carrier may be closed.
  [[nodiscard]] bool is_done() const noexcept;

  [[nodiscard]] std::optional<Time> deadline() const noexcept;
  void handle_deadline(Time now);
  /// What the carrier knows of the path (TCP_INFO): the least round trip and the rate it delivered, bytes per
  /// second; 0 where not known. Probes measure it otherwise.
  void handle_path(Duration round_trip_min, std::uint64_t bytes_per_second, Time now);

  // ---- from above

  /// A new stream. It may be written to at once; its opening goes out as soon as the peer allows it.
  [[nodiscard]] VerbResult<Stream> open(const OpenOptions& options, Time now);
  /// Takes a stream the peer opened. What it sent already follows as Data.
  VerbResult<> accept(Stream stream, Time now);
  /// Says no as the dialect can. Ended follows.
  VerbResult<> refuse(Stream stream, std::uint64_t code, Time now);
  /// Takes as much as credit and unsent_bytes_max allow and answers how much; less than offered: Writable
  /// follows. The bytes are copied.
  VerbResult<std::size_t> write(Stream stream, Bytes bytes, Time now);
  /// As above, referencing `part`, which lies in `owner`, where it is long enough to be worth it.
  VerbResult<std::size_t> write(Stream stream, const Buffer& owner, Bytes part, Time now);
  /// What is unread and lies together; empty: nothing is unread. Lives until the next poll_event(), or a
  /// consume() of the stream.
  [[nodiscard]] MutableBytes readable(Stream stream) noexcept;
  /// Uses up the first `bytes` of readable(): this alone returns credit.
  void consume(Stream stream, std::size_t bytes, Time now);
  /// readable() copied out and consumed.
  [[nodiscard]] std::size_t read(Stream stream, MutableBytes out, Time now);
  /// No more will be written; what waits goes out first.
  VerbResult<> close_write(Stream stream, Time now);
  /// Nothing more will be read; what is unread is dropped. Told to the peer where the dialect can.
  VerbResult<> stop_receiving(Stream stream, std::uint64_t code, Time now);
  /// Nothing more will be written, and what waits or is under way may be lost: the peer is told Aborted.
  /// Where the wire cannot say that of one half, it is reset().
  VerbResult<> abort_write(Stream stream, std::uint64_t code, Time now);
  /// Ends both halves at once. Ended follows. Where the wire has no reset: finished, and drained.
  VerbResult<> reset(Stream stream, std::uint64_t code, Time now);
  VerbResult<> set_deadline(Stream stream, DeadlineKind kind, Time when);
  VerbResult<> set_urgency(Stream stream, std::uint8_t urgency);
  VerbResult<> set_user(Stream stream, void* user);
  [[nodiscard]] bool is_live(Stream stream) const noexcept;
  [[nodiscard]] std::optional<StreamStatistics> statistics(Stream stream) const;

  /// Asks for a Pong event. False: the dialect has no ping of its own, or one is under way.
  bool ping(Time now);
  /// Takes no more openings; the session closes when its streams have ended.
  void go_away(std::uint64_t code, std::string_view reason, Time now);
  /// Ends every stream and the session. `reason` is copied; cut at 120 bytes.
  void close(std::uint64_t code, std::string_view reason, Time now);

  [[nodiscard]] SessionState state() const noexcept;
  [[nodiscard]] Role role() const noexcept;
  [[nodiscard]] const Dialect& dialect() const noexcept;
  [[nodiscard]] SessionStatistics statistics() const;

 private:
  struct Parts;  ///< src/mux/session_parts.hpp: streams, scheduler, output, path, deadlines
  std::unique_ptr<Parts> parts_;
};

}  // namespace sinnet::mux
