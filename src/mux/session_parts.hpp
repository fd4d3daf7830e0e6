#pragma once
/// Session::Parts: what a session is made of, private to src/mux. Verbs: session_verbs.cpp; decoding:
/// session_input.cpp; framing: session_output.cpp; life cycle, time and events: session.cpp;
/// streams that carry probes: session_probe.cpp.

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "mux/outbox.hpp"
#include "mux/path_estimate.hpp"
#include "mux/scheduler.hpp"
#include "mux/stream_table.hpp"
#include "mux/timers.hpp"
#include "sinnet/mux/session.hpp"

namespace sinnet::mux {

/// A FIFO of slots, linked through the entries.
struct SlotList {
  std::uint32_t head = no_slot;
  std::uint32_t tail = no_slot;
  [[nodiscard]] bool empty() const noexcept { return head == no_slot; }
};

/// So many at once, refilled over time. Bounds what a peer can make us do for nothing.
class TokenBucket {
 public:
  TokenBucket(std::uint32_t burst, std::uint32_t per_second, Time now)
      : tokens_(burst), burst_(burst), per_second_(per_second), last_(now) {}
  [[nodiscard]] bool take(Time now) noexcept;

 private:
  double tokens_;
  double burst_;
  double per_second_;
  Time last_;
};

/// What a peer may send that nothing on the wire can stop, so that it ends without us: half of what a counter
/// of 32 bits holds, which leaves room for what it has already.
inline constexpr std::uint64_t drain_credit = 0x7FFFFFFF;

/// Whether the session's last event is to be told.
enum class Final : std::uint8_t { None, Pending, Taken };

struct Session::Parts {
  Parts(Role role_arg, const Dialect& dialect_arg, const SessionOptions& options_arg, Random& random,
        Time now);

  // ---- session.cpp: events, ends, time
  [[nodiscard]] std::optional<Event> poll();
  [[nodiscard]] std::optional<Event> next_told();
  [[nodiscard]] bool tell_event(std::uint32_t slot, Tell what, Event& event);
  [[nodiscard]] Event final_event();
  void tell(std::uint32_t slot, Tell what);
  void release(std::uint32_t slot);
  void end_stream(std::uint32_t slot, EndReason reason, std::uint64_t code);
  void end_all(EndReason reason, std::uint64_t code);
  void check_end(std::uint32_t slot);
  void fail(Fault fault, const char* reason);
  void close_by_peer(std::uint64_t code, std::string_view reason);
  void begin_closing();
  void end_session();
  void check_drained();
  void handle_deadline();
  void expire(std::uint32_t slot, TimerKind kind);
  void set_timer(std::uint32_t slot, TimerKind kind, Time when);
  [[nodiscard]] std::optional<Time> deadline() const noexcept;
  [[nodiscard]] bool is_open() const noexcept {
    return state == SessionState::Open || state == SessionState::Draining;
  }

  // ---- session_input.cpp
  void receive_piece(MutableBytes bytes, bool first, bool last);
  [[nodiscard]] bool decode_next();
  [[nodiscard]] bool take_payload();
  [[nodiscard]] std::optional<Decoded> decode_header(Frame& frame);
  void handle_decoded(const Decoded& decoded, const Frame& frame);
  void handle_frame(const Frame& frame);
  void handle_stream_frame(const Frame& frame);
  void handle_session_frame(const Frame& frame);
  void handle_settings(const Settings& settings);
  void handle_go_away(const Frame& frame);
  void handle_pong(std::uint64_t value);
  [[nodiscard]] std::uint32_t open_by_peer(const Frame& frame);
  [[nodiscard]] bool may_open(std::uint64_t id);
  [[nodiscard]] bool names_open(const Frame& frame) const noexcept;
  void handle_unknown(const Frame& frame);
  [[nodiscard]] bool handle_late_accept(const Frame& frame);
  void burn(std::uint64_t id);
  void handle_accept(std::uint32_t slot);
  void handle_credit(std::uint32_t slot, std::uint64_t credit);
  void handle_data_header(std::uint32_t slot, const Frame& frame);
  void handle_finish(std::uint32_t slot);
  void handle_reset(std::uint32_t slot, const Frame& frame);
  void deliver(MutableBytes payload);
  [[nodiscard]] std::size_t payload_room() noexcept;
  [[nodiscard]] StreamEntry* payload_entry() noexcept;
  [[nodiscard]] bool check_room(std::uint32_t slot, std::uint64_t bytes);
  void react(Reaction reaction, std::uint32_t slot, Fault fault, const char* reason);
  void settle();
  void keep_unread(std::uint32_t slot, Bytes bytes);
  void shed();
  void answer_reset(std::uint64_t id, Fault fault);
  void remember_reset(std::uint64_t id) noexcept {
    recent_resets[recent_count++ % recent_resets.size()] = id;
  }
  void keep_input();
  [[nodiscard]] bool is_ours(std::uint64_t id) const noexcept;

  // ---- session_output.cpp
  void prepare(std::size_t bytes_max);
  void freeze_first();
  void freeze_answers();
  void freeze_ping();
  void freeze_go_away();
  void freeze_due(std::size_t bytes_max);
  void freeze_due_of(std::uint32_t slot);
  void freeze_open(std::uint32_t slot);
  void freeze_accept(std::uint32_t slot);
  void freeze_credit(std::uint32_t slot);
  void freeze_reset(std::uint32_t slot, std::uint16_t bits);
  void freeze_payload(std::size_t bytes_max);
  [[nodiscard]] std::size_t freeze_data(std::uint32_t slot, std::size_t bytes);
  void freeze_finish(std::uint32_t slot);
  void freeze(const Frame& frame);
  void opened(std::uint32_t slot);
  void give_id(std::uint32_t slot);
  [[nodiscard]] std::unique_ptr<SendQueue> borrow_queue();
  void give_back(std::unique_ptr<SendQueue> queue);
  [[nodiscard]] std::uint64_t openings_allowed() const noexcept;
  void make_ready(std::uint32_t slot);
  void tell_writable(std::uint32_t slot);
  [[nodiscard]] bool may_finish(const StreamEntry& entry) const noexcept;
  void allow_openings();
  [[nodiscard]] bool has_output() const noexcept;
  [[nodiscard]] std::size_t frame_quantum() const noexcept;
  void set_due(std::uint32_t slot, Due what);
  void tune_window(StreamEntry& entry);

  // ---- session_probe.cpp
  [[nodiscard]] bool can_probe() const noexcept;
  void open_probe();
  [[nodiscard]] bool ready_probe();
  void freeze_beat();
  void announce(std::uint32_t slot);
  void serve_probe(std::uint32_t slot);
  void handle_probe_payload(std::uint32_t slot, Bytes payload);
  void echo(std::uint32_t slot, Bytes payload);
  void hidden_ended(std::uint32_t slot);
  [[nodiscard]] bool awaits_type(const StreamEntry& entry) const noexcept {
    return !entry.is_ours && entry.received < rules.type_bytes;
  }
  [[nodiscard]] MutableBytes take_type(std::uint32_t slot, MutableBytes payload);
  void freeze_type(std::uint32_t slot);

  // ---- session_verbs.cpp
  [[nodiscard]] VerbResult<std::size_t> write_room(Stream stream, std::size_t wanted, StreamEntry*& entry);
  void consume(std::uint32_t slot, std::size_t bytes);
  void credit_if_due(std::uint32_t slot);
  [[nodiscard]] std::uint64_t ahead(const StreamEntry& entry) const noexcept;
  void drop_unread(std::uint32_t slot);
  void drop_unsent(std::uint32_t slot);
  void drain(std::uint32_t slot);
  /// Ends both halves on the wire as far as it can; the stream ends now or, without resets, when drained.
  void reset_stream(std::uint32_t slot, EndReason reason, std::uint64_t code);
  void refuse(std::uint32_t slot, std::uint64_t code);
  void finish(std::uint32_t slot);
  [[nodiscard]] std::uint32_t new_stream(bool is_ours);
  [[nodiscard]] std::uint64_t assumed_by_peer(bool is_ours) const noexcept;
  [[nodiscard]] std::uint32_t window_of_new(bool is_ours) const noexcept;

  [[nodiscard]] StreamEntry& at(std::uint32_t slot) noexcept { return streams.at(slot); }
  void push(SlotList& list, std::uint32_t slot, std::uint32_t StreamEntry::* link) noexcept;
  [[nodiscard]] std::uint32_t pop(SlotList& list, std::uint32_t StreamEntry::* link) noexcept;

  Dialect dialect;
  const Rules& rules;
  const SessionOptions* options;
  StreamTable streams;
  Scheduler scheduler;
  Outbox outbox;
  Timers timers;
  PathEstimate path;
  TokenBucket reset_tokens;
  TokenBucket empty_tokens;
  SessionStatistics counters;
  std::vector<std::unique_ptr<SendQueue>> spare_queues;

  SlotList telling;  ///< streams with events
  SlotList due;      ///< streams with control frames
  SlotList waiting;  ///< our openings that the peer does not allow yet

  Time now;  ///< of the current call, or the last one that had a time

  // Input.
  MutableBytes input;
  Buffer kept_input;  ///< copied by keep_input, then decoded from here
  Buffer carry;       ///< a header that did not arrive in one piece
  std::uint32_t current_slot = no_slot;
  MutableBytes current;  ///< lent payload of that stream, not consumed yet
  Buffer lent_unread;    ///< an unread buffer used up while its view is still lent
  std::uint64_t payload_remaining = 0;
  std::uint32_t payload_slot = no_slot;  ///< no_slot: the payload is dropped
  std::uint32_t payload_generation = 0;
  bool in_payload = false;
  bool payload_counts = false;    ///< it is stream payload, not the body of a skipped frame
  bool payload_finishes = false;  ///< the peer's half is finished behind it
  bool payload_is_empty = false;  ///< none of it came yet
  bool piece_ends = false;        ///< Messages: the message ends with `input`
  bool in_message = false;        ///< Messages: it has begun and not ended

  // Ids and openings.
  std::uint64_t next_id = 0;
  std::uint64_t highest_peer_id = 0;
  bool has_peer_id = false;
  std::uint32_t unaccepted_ours = 0;
  std::vector<std::uint64_t>
      given_up;  ///< openings of ours that are over here; the peer may still accept them
  std::uint32_t unaccepted_theirs = 0;
  std::uint32_t unopened_ours = 0;
  std::uint32_t live = 0;  ///< not ended, and not hidden
  std::uint32_t peer_streams = 0;
  std::uint64_t opened_count = 0;       ///< ours, on the wire, ever
  std::uint64_t peer_opened_count = 0;  ///< theirs, ever
  std::uint64_t peer_ended_count = 0;
  std::uint64_t stream_credit = 0;  ///< the peer's to us
  std::uint64_t stream_credit_given = 0;

  // Credit.
  Settings peer_settings;
  std::uint64_t connection_sent = 0;
  std::uint64_t connection_send_limit = 0;
  std::uint64_t connection_received = 0;
  std::uint64_t connection_receive_limit = 0;
  std::uint64_t connection_window = 0;
  std::uint64_t window_sum = 0;
  std::size_t unread_total = 0;
  std::size_t unsent_total = 0;
  bool had_settings = false;
  bool settings_due = false;
  bool connection_credit_due = false;
  bool stream_credit_due = false;
  bool was_connection_blocked = false;

  // Session frames.
  static constexpr std::size_t pongs_max = 8;  ///< a peer waits for a few; beyond that the newest count
  static constexpr std::size_t unknown_resets_max = 1024;
  struct UnknownReset {
    std::uint64_t id;
    std::uint64_t code;
  };
  std::array<std::uint64_t, pongs_max> pongs{};
  std::uint8_t pong_count = 0;
  std::vector<UnknownReset> unknown_resets;
  std::array<std::uint64_t, 32>
      recent_resets{};  ///< answered lately: data still under way gets no second one
  std::uint32_t recent_count = 0;
  bool ping_due = false;
  bool ping_wanted = false;   ///< the user asked: tell the pong
  bool ping_waiting = false;  ///< sent, not answered
  bool ping_taken = false;    ///< … and the carrier took it
  bool is_probe = false;      ///< an answer is a matter of life
  bool is_reading = true;
  bool is_probe_lost = false;          ///< ProbeBy::Stream: ours was opened, and is over
  std::uint32_t probe_slot = no_slot;  ///< … ours
  std::uint32_t echo_slot = no_slot;   ///< … the peer's
  std::uint32_t echo_value = 0;        ///< the last bytes that came back
  std::uint64_t echo_bytes = 0;        ///< … and how many did
  std::uint64_t ping_value = 0;
  std::uint64_t ping_end = 0;  ///< its position in the output
  Time ping_time;
  Time last_ping;
  Time last_received;
  Time probe_expiry;

  // End.
  Role role;
  SessionState state = SessionState::Open;
  Final final = Final::None;
  bool final_is_failure = false;
  bool go_away_due = false;
  bool go_away_sent = false;
  bool peer_went_away = false;
  bool gone_away_untold = false;
  bool pong_untold = false;
  bool was_clean = false;
  Fault final_fault = Fault::None;
  std::uint64_t final_code = 0;
  std::uint64_t go_away_code = 0;
  std::string go_away_text;
  std::string final_text;
  std::uint16_t final_close_code = 1000;
  Duration pong_round_trip{};
  Time closing_expiry;
};

}  // namespace sinnet::mux
