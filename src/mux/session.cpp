#include "sinnet/mux/session.hpp"

#include <algorithm>
#include <cassert>

#include "mux/session_parts.hpp"

namespace sinnet::mux {
namespace {

/// Zero-length payload that says nothing else: so many at once, and so many a second, are a peer's habit.
constexpr std::uint32_t empty_burst = 1000;
constexpr std::uint32_t empty_per_second = 100;
/// What a GoAway says to a person at most.
constexpr std::size_t reason_bytes_max = 120;

Settings own_settings(const Rules& rules, const SessionOptions& options) noexcept {
  const Settings& least = rules.settings_least;
  return {.stream_credit = std::max<std::uint64_t>(options.stream_window, least.stream_credit),
          .connection_credit = std::max<std::uint64_t>(options.connection_window, least.connection_credit),
          .stream_count = std::max<std::uint64_t>(options.streams_max, least.stream_count)};
}

}  // namespace

bool TokenBucket::take(Time now) noexcept {
  if (burst_ <= 0) return true;
  const double seconds = std::chrono::duration<double>(now - last_).count();
  last_ = now;
  tokens_ = std::min(burst_, tokens_ + seconds * per_second_);
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

Session::Parts::Parts(Role role_arg, const Dialect& dialect_arg, const SessionOptions& options_arg,
                      Random& random, Time start)
    : dialect(dialect_arg),
      rules(dialect.rules),
      options(&options_arg),
      streams(random),
      scheduler(streams),
      timers(streams),
      reset_tokens(options_arg.resets_burst, options_arg.resets_per_second, start),
      empty_tokens(empty_burst, empty_per_second, start),
      now(start),
      peer_settings(dialect_arg.rules.settings_least),
      last_ping(start),
      last_received(start),
      probe_expiry(start),
      role(role_arg),
      closing_expiry(start) {
  assert(rules.framing == Framing::Bytes || !rules.has_connection_credit);
  next_id = role == Role::Client ? rules.first_id_client : rules.first_id_server;
  const Settings own = own_settings(rules, *options);
  settings_due = rules.has_settings;
  connection_window = own.connection_credit;
  connection_receive_limit = own.connection_credit;
  connection_send_limit = peer_settings.connection_credit;
  stream_credit = peer_settings.stream_count;
  stream_credit_given = own.stream_count;
  if (rules.probe_at_start) open_probe();
}

void Session::Parts::push(SlotList& list, std::uint32_t slot, std::uint32_t StreamEntry::* link) noexcept {
  at(slot).*link = no_slot;
  if (list.empty()) {
    list.head = slot;
  } else {
    at(list.tail).*link = slot;
  }
  list.tail = slot;
}

std::uint32_t Session::Parts::pop(SlotList& list, std::uint32_t StreamEntry::* link) noexcept {
  const std::uint32_t slot = list.head;
  list.head = at(slot).*link;
  if (list.head == no_slot) list.tail = no_slot;
  return slot;
}

// ---- events

std::optional<Event> Session::Parts::poll() {
  settle();
  while (true) {
    if (std::optional<Event> event = next_told()) return event;
    if (pong_untold) {
      pong_untold = false;
      return Event{.type = EventType::Pong, .round_trip = pong_round_trip};
    }
    if (gone_away_untold) {
      gone_away_untold = false;
      return Event{.type = EventType::GoneAway, .code = final_code, .reason = final_text};
    }
    if (final == Final::Pending) return final_event();
    if (!is_open() || !decode_next()) return std::nullopt;
  }
}

std::optional<Event> Session::Parts::next_told() {
  while (!telling.empty()) {
    const std::uint32_t slot = telling.head;
    StreamEntry& entry = at(slot);
    if (entry.told == 0) {
      (void)pop(telling, &StreamEntry::tell_next);
      entry.is_telling = false;
      release(slot);
      continue;
    }
    const auto lowest = static_cast<std::uint16_t>(entry.told & (~entry.told + 1U));
    entry.told = static_cast<std::uint16_t>(entry.told & ~lowest);
    Event event;
    if (tell_event(slot, static_cast<Tell>(lowest), event)) return event;
  }
  return std::nullopt;
}

/// Fills the event in; false: it has become idle talk.
bool Session::Parts::tell_event(std::uint32_t slot, Tell what, Event& event) {
  StreamEntry& entry = at(slot);
  event.stream = streams.handle(slot);
  event.user = entry.user;
  const StreamExtra* extra = entry.extra.get();
  switch (what) {
    case Tell::Opened:
      entry.is_untold = false;
      event.type = EventType::Opened;
      event.urgency = entry.urgency;
      if (extra != nullptr) {
        event.stream_type = extra->stream_type;
        event.metadata = extra->metadata.bytes();
      }
      return true;
    case Tell::Accepted: event.type = EventType::Accepted; return true;
    case Tell::Data:
      event.type = EventType::Data;
      event.payload =
          current_slot == slot ? current : entry.unread.mutable_bytes().subspan(entry.unread_begin);
      return !event.payload.empty();
    case Tell::Finished: event.type = EventType::Finished; return true;
    case Tell::Aborted:
      event.type = EventType::Aborted;
      event.code = extra == nullptr ? 0 : extra->aborted_code;
      return true;
    case Tell::Stopped:
      event.type = EventType::Stopped;
      event.code = extra == nullptr ? 0 : extra->stopped_code;
      return true;
    case Tell::Writable:
      event.type = EventType::Writable;
      entry.wants_write = false;
      return entry.sending == Half::Open;
    case Tell::ReadTimedOut: event.type = EventType::ReadTimedOut; return true;
    case Tell::WriteTimedOut: event.type = EventType::WriteTimedOut; return true;
    case Tell::Ended:
      event.type = EventType::Ended;
      event.end = entry.end;
      event.code = extra == nullptr ? 0 : extra->end_code;
      entry.is_dead = true;
      return true;
  }
  return false;
}

Event Session::Parts::final_event() {
  final = Final::Taken;
  Event event{.type = final_is_failure ? EventType::Failed : EventType::Closed,
              .fault = final_fault,
              .was_clean = was_clean,
              .close_code = final_close_code,
              .code = final_code,
              .reason = final_text};
  if (state == SessionState::Failing) {
    go_away_due = rules.go_away != GoAwayKind::None;
    go_away_code = final_code;
    go_away_text = final_text;
    closing_expiry = now + options->close_timeout;
  }
  return event;
}

void Session::Parts::tell(std::uint32_t slot, Tell what) {
  StreamEntry& entry = at(slot);
  if ((entry.is_ended || entry.is_hidden) && what != Tell::Ended) return;
  entry.told = static_cast<std::uint16_t>(entry.told | bit(what));
  if (entry.is_telling) return;
  entry.is_telling = true;
  push(telling, slot, &StreamEntry::tell_next);
}

// ---- ends

/// Frees the slot when nothing links it any more.
void Session::Parts::release(std::uint32_t slot) {
  const StreamEntry& entry = at(slot);
  if (entry.generation == 0 || !entry.is_ended || !entry.is_dead) return;
  if (entry.is_telling || entry.is_due || entry.is_scheduled) return;
  streams.remove(slot);
}

void Session::Parts::end_stream(std::uint32_t slot, EndReason reason, std::uint64_t code) {
  StreamEntry& entry = at(slot);
  if (entry.is_ended) return;
  drop_unread(slot);
  drop_unsent(slot);
  entry.is_ended = true;
  entry.end = reason;
  if (code != 0) entry.extras().end_code = code;
  entry.sending = entry.receiving = Half::Closed;
  streams.unmap(slot);
  window_sum -= entry.window;
  if (entry.is_hidden) {
    hidden_ended(slot);
  } else {
    --live;
  }
  if (entry.is_ours) {
    if (!entry.is_opened) --unopened_ours;
    if (entry.is_opened && !entry.is_accepted) --unaccepted_ours;
  } else {
    --peer_streams;
    if (!entry.is_accepted) --unaccepted_theirs;
    ++peer_ended_count;
    const std::uint64_t most =
        std::max<std::uint64_t>(options->streams_max, rules.settings_least.stream_count);
    // In steps, so that opening and closing in turn does not cost a frame each time.
    if (rules.has_stream_credit &&
        peer_ended_count + most - stream_credit_given >= std::max<std::uint64_t>(most / 8, 1))
      stream_credit_due = true;
  }
  const bool is_session_over = reason == EndReason::SessionClosed || reason == EndReason::SessionFailed;
  const bool was_on_wire = !entry.is_ours || entry.is_opened;
  // A peer that has dropped the stream may take an acceptance for an opening (js-ws).
  const bool is_gone_there = reason == EndReason::Reset || reason == EndReason::Refused;
  const auto last_words =
      static_cast<std::uint16_t>(bit(Due::Finish) | bit(Due::FinishAnswer) | bit(Due::Reset) |
                                 bit(Due::Stop) | bit(Due::Answer) | (is_gone_there ? 0U : bit(Due::Accept)));
  entry.due =
      is_session_over || !was_on_wire ? std::uint16_t{0} : static_cast<std::uint16_t>(entry.due & last_words);
  entry.told = reason == EndReason::Finished
                   ? static_cast<std::uint16_t>(entry.told & (bit(Tell::Finished) | bit(Tell::Accepted)))
                   : std::uint16_t{0};
  tell(slot, Tell::Ended);
  if (entry.is_untold) {  // the list of events frees it
    entry.told = 0;
    entry.is_dead = true;
  }
  if (!is_session_over) allow_openings();
  check_drained();
}

void Session::Parts::end_all(EndReason reason, std::uint64_t code) {
  for (std::uint32_t slot = 0; slot < streams.slots(); ++slot) {
    const StreamEntry& entry = at(slot);
    if (entry.is_live()) end_stream(slot, reason, code);
  }
}

/// Both halves are over, and what arrived is consumed.
void Session::Parts::check_end(std::uint32_t slot) {
  const StreamEntry& entry = at(slot);
  if (entry.is_ended || entry.sending == Half::Open || entry.receiving == Half::Open) return;
  if (entry.receiving == Half::Finished &&
      (!entry.is_accepted || entry.unread_bytes() > 0 || current_slot == slot))
    return;
  end_stream(slot, entry.end, entry.extra == nullptr ? 0 : entry.extra->end_code);
}

void Session::Parts::check_drained() {
  if (state != SessionState::Draining || live > 0) return;
  was_clean = true;
  begin_closing();
  end_all(EndReason::SessionClosed, 0);  // hidden ones
}

void Session::Parts::fail(Fault fault, const char* reason) {
  if (!is_open()) return;
  state = SessionState::Failing;
  final = Final::Pending;
  final_is_failure = true;
  final_fault = fault;
  final_code = dialect.code_for(fault);
  final_text = reason;
  final_close_code = fault == Fault::Malformed || fault == Fault::FrameSize ? rules.close_codes.malformed
                                                                            : rules.close_codes.failed;
  end_all(EndReason::SessionFailed, final_code);
  input = {};
  carry.reset();
}

void Session::Parts::close_by_peer(std::uint64_t code, std::string_view reason) {
  final_code = code;
  final_text = reason;
  was_clean = code == 0;
  end_all(EndReason::SessionClosed, code);
  begin_closing();
  go_away_due = false;  // it ended the session itself: nobody reads an answer
}

void Session::Parts::begin_closing() {
  state = SessionState::Closing;
  go_away_due = rules.go_away != GoAwayKind::None && !go_away_sent;
  closing_expiry = now + options->close_timeout;
  input = {};
}

void Session::Parts::end_session() {
  state = SessionState::Ended;
  outbox.clear();
  input = {};
  carry.reset();
  if (final == Final::None) final = Final::Pending;
}

// ---- time

void Session::Parts::set_timer(std::uint32_t slot, TimerKind kind, Time when) {
  timers.set(slot, kind, when);
}

std::optional<Time> Session::Parts::deadline() const noexcept {
  if (state == SessionState::Ended) return std::nullopt;
  if (!is_open()) return closing_expiry;
  std::optional<Time> next = timers.next();
  const auto add = [&](Time when) { next = next ? std::min(*next, when) : when; };
  if (can_probe() && options->probe_interval > Duration{} && is_reading) {
    if (!is_probe) {
      add(last_received + options->probe_interval);
    } else if (ping_taken) {
      add(probe_expiry);
    }
  }
  return next;
}

void Session::Parts::handle_deadline() {
  if (state == SessionState::Ended) return;
  if (!is_open()) {
    if (now >= closing_expiry) end_session();
    return;
  }
  while (const std::optional<Timers::Expired> expired = timers.take_expired(now))
    expire(expired->slot, expired->kind);
  if (!is_open() || !can_probe() || options->probe_interval <= Duration{} || !is_reading) return;
  if (is_probe && ping_taken && now >= probe_expiry) {
    final_text = "no sign of life";
    end_all(EndReason::SessionClosed, 0);
    end_session();
  } else if (!is_probe && now >= last_received + options->probe_interval) {
    is_probe = true;
    if (!ping_waiting) ping_due = true;  // else the one under way serves
    probe_expiry = now + options->probe_timeout;
  }
}

void Session::Parts::expire(std::uint32_t slot, TimerKind kind) {
  const StreamEntry& entry = at(slot);
  if (entry.is_ended) return;
  switch (kind) {
    case TimerKind::Read: tell(slot, Tell::ReadTimedOut); break;
    case TimerKind::Write: tell(slot, Tell::WriteTimedOut); break;
    case TimerKind::Open:
      if (!entry.is_accepted) reset_stream(slot, EndReason::TimedOut, dialect.code_for(Fault::TimedOut));
      break;
    case TimerKind::Accept:
      if (!entry.is_accepted) refuse(slot, dialect.code_for(Fault::TimedOut));
      break;
    case TimerKind::Linger:
      if (rules.reset == ResetBy::None && entry.sending == Half::Open) {
        set_timer(slot, kind, now + options->linger_timeout);  // to forget it would cut what we send
      } else if (rules.reset == ResetBy::None) {
        end_stream(slot, EndReason::TimedOut, 0);
      } else {
        reset_stream(slot, EndReason::TimedOut, dialect.code_for(Fault::Cancelled));
      }
      break;
  }
}

// ---- Session

Session::Session(Role role, const Dialect& dialect, const SessionOptions& options, Random& random, Time now)
    : parts_(std::make_unique<Parts>(role, dialect, options, random, now)) {}
Session::~Session() = default;

void Session::receive_piece(MutableBytes input, bool first, bool last, Time now) {
  parts_->now = now;
  parts_->last_received = now;
  parts_->is_probe = false;  // any byte is life
  parts_->receive_piece(input, first, last);
}

void Session::receive_eof(Time now) {
  parts_->now = now;
  if (has_ended()) return;
  parts_->settle();
  if (parts_->is_open()) {
    parts_->was_clean = parts_->peer_went_away && parts_->live == 0;
    parts_->end_all(EndReason::SessionClosed, 0);
  }
  parts_->end_session();
}

void Session::fail_carrier(Fault fault, const char* reason_literal) {
  parts_->fail(fault, reason_literal);
  parts_->final_close_code = parts_->rules.close_codes.text_message;
}

std::optional<Event> Session::poll_event() { return parts_->poll(); }

bool Session::has_event() const noexcept {
  const Parts& p = *parts_;
  if (!p.telling.empty() || p.pong_untold || p.gone_away_untold || p.final == Final::Pending) return true;
  return p.is_open() && (!p.input.empty() || (p.in_message && p.piece_ends));
}

bool Session::wants_input() const noexcept {
  const Parts& p = *parts_;
  if (!p.is_open()) return p.state != SessionState::Ended;  // what comes is dropped; the end counts
  return p.input.empty() && !(p.in_message && p.piece_ends);
}

void Session::keep_input() { parts_->keep_input(); }

void Session::set_reading(bool reading, Time now) noexcept {
  parts_->now = now;
  if (reading && !parts_->is_reading) {
    parts_->last_received = now;
    parts_->probe_expiry = now + parts_->options->probe_timeout;
  }
  parts_->is_reading = reading;
}

void Session::prepare_output(std::size_t bytes_max, Time now) {
  parts_->now = now;
  parts_->prepare(bytes_max);
}
std::size_t Session::output(std::span<Slice> slices) const noexcept { return parts_->outbox.gather(slices); }
std::size_t Session::output_message_bytes() const noexcept {
  return parts_->rules.framing == Framing::Messages ? parts_->outbox.first_frame_bytes()
                                                    : parts_->outbox.bytes();
}

void Session::consume_output(std::size_t bytes, Time now) {
  Parts& p = *parts_;
  p.now = now;
  p.outbox.consume(bytes);
  if (p.ping_waiting && !p.ping_taken && p.outbox.taken_total() >= p.ping_end) {
    p.ping_taken = true;  // time in our own queue is not the path's
    p.ping_time = now;
    p.probe_expiry = now + p.options->probe_timeout;
  }
}

bool Session::has_output() const noexcept { return parts_->has_output(); }
std::size_t Session::waiting_bytes() const noexcept {
  constexpr std::size_t answer_bytes = 16;
  const std::size_t echoes = parts_->echo_slot == no_slot ? 0 : parts_->at(parts_->echo_slot).queued();
  return parts_->outbox.bytes() + echoes +
         (parts_->pong_count + parts_->unknown_resets.size()) * answer_bytes;
}

bool Session::wants_shutdown_write() const noexcept {
  const Parts& p = *parts_;
  const bool is_over =
      p.state == SessionState::Closing || (p.state == SessionState::Failing && p.final == Final::Taken);
  return is_over && !p.has_output();
}

bool Session::is_done() const noexcept {
  return has_ended() && parts_->final == Final::Taken && !has_event();
}

std::optional<Time> Session::deadline() const noexcept { return parts_->deadline(); }
void Session::handle_deadline(Time now) {
  parts_->now = now;
  parts_->handle_deadline();
}
void Session::handle_path(Duration round_trip_min, std::uint64_t bytes_per_second, Time now) {
  parts_->path.set_path(round_trip_min, bytes_per_second, now);
}

bool Session::ping(Time now) {
  Parts& p = *parts_;
  p.now = now;
  if (!p.can_probe() || !p.is_open() || p.ping_wanted) return false;
  p.ping_wanted = true;
  if (!p.ping_waiting) p.ping_due = true;
  return true;
}

void Session::go_away(std::uint64_t code, std::string_view reason, Time now) {
  Parts& p = *parts_;
  p.now = now;
  if (p.state != SessionState::Open) return;
  p.state = SessionState::Draining;
  p.go_away_code = code;
  p.go_away_text = reason.substr(0, reason_bytes_max);
  p.go_away_due = parts_->rules.go_away == GoAwayKind::Drain;
  for (std::uint32_t slot = 0; slot < p.streams.slots(); ++slot) {
    const StreamEntry& entry = p.at(slot);
    if (entry.is_live() && entry.is_ours && !entry.is_opened && !entry.is_ready)
      p.end_stream(slot, EndReason::SessionClosed, code);
  }
  p.check_drained();
}

void Session::close(std::uint64_t code, std::string_view reason, Time now) {
  Parts& p = *parts_;
  p.now = now;
  if (!p.is_open()) return;
  p.go_away_code = code;
  p.go_away_text = reason.substr(0, reason_bytes_max);
  p.final_code = code;
  p.final_text = p.go_away_text;
  p.was_clean = true;
  p.settle();
  p.end_all(EndReason::SessionClosed, code);
  if (p.is_open()) p.begin_closing();
}

SessionState Session::state() const noexcept { return parts_->state; }
Role Session::role() const noexcept { return parts_->role; }
const Dialect& Session::dialect() const noexcept { return parts_->dialect; }

SessionStatistics Session::statistics() const {
  const Parts& p = *parts_;
  SessionStatistics all = p.counters;
  all.streams = p.live;
  all.unread_bytes = p.unread_total;
  all.unsent_bytes = p.unsent_total;
  all.round_trip_min = p.path.round_trip_min();
  all.round_trip_smoothed = p.path.round_trip_smoothed();
  all.delivered_per_second = p.path.rate();
  return all;
}

}  // namespace sinnet::mux
