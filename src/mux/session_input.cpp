// What comes in: frames are decoded one at a time, and only when every earlier event was polled.
#include <algorithm>
#include <cassert>
#include <cstring>

#include "mux/session_parts.hpp"

namespace sinnet::mux {

bool Session::Parts::is_ours(std::uint64_t id) const noexcept {
  const std::uint64_t first = role == Role::Client ? rules.first_id_client : rules.first_id_server;
  return id % 2 == first % 2;
}

// ---- bytes

void Session::Parts::receive_piece(MutableBytes bytes, bool first, bool last) {
  settle();
  if (!is_open()) return;
  assert(input.empty());
  kept_input.reset();
  if (rules.framing == Framing::Messages) {
    if (first) in_message = true;
    if (!in_message) return;
    piece_ends = last;
  }
  input = bytes;
}

void Session::Parts::keep_input() {
  settle();
  if (input.empty()) return;
  const std::byte* begin = kept_input.bytes().data();
  if (begin != nullptr && input.data() >= begin && input.data() < begin + kept_input.size()) return;
  Buffer copy = Buffer::copy_of(input);
  input = copy.mutable_bytes();
  kept_input = std::move(copy);
}

/// One step of decoding. False: it needs more input.
bool Session::Parts::decode_next() {
  if (in_payload) return take_payload();
  if (input.empty() && !(in_message && piece_ends)) return false;
  Frame frame;
  const std::optional<Decoded> decoded = decode_header(frame);
  if (!decoded) return false;
  ++counters.frames_received;
  handle_decoded(*decoded, frame);
  carry.reset();
  return true;
}

/// Reads one header, across pieces if it must.
std::optional<Decoded> Session::Parts::decode_header(Frame& frame) {
  const bool is_message = rules.framing == Framing::Messages;
  const Decoded truncated{.status = DecodeStatus::MalformedSession,
                          .fault = Fault::Malformed,
                          .reason = is_message ? "malformed header" : "a header that does not end"};
  const std::size_t carried = carry.size();
  Bytes bytes = input;
  if (carried > 0) {
    carry.append(input.first(std::min(input.size(), rules.header_bytes_max - carried)));
    bytes = carry.bytes();
  }
  const bool has_all = bytes.size() == carried + input.size();
  const bool whole = is_message && piece_ends && has_all;
  Decoded decoded = dialect.decode(rules, role, bytes, whole, frame);
  if (decoded.status == DecodeStatus::NeedMore) {
    if (whole || bytes.size() >= rules.header_bytes_max) return truncated;
    if (carried == 0) {
      carry.reserve(rules.header_bytes_max);
      carry.append(input);
    }
    input = {};
    return std::nullopt;
  }
  if (decoded.status == DecodeStatus::MalformedSession) return decoded;
  assert(decoded.header_bytes >= carried);
  input = input.subspan(decoded.header_bytes - carried);
  return decoded;
}

void Session::Parts::handle_decoded(const Decoded& decoded, const Frame& frame) {
  const bool is_message = rules.framing == Framing::Messages;
  if (decoded.status == DecodeStatus::MalformedSession) return fail(decoded.fault, decoded.reason);
  const bool is_data = decoded.status == DecodeStatus::Frame && frame.type == FrameType::Data;
  payload_slot = no_slot;
  payload_counts = is_data;
  payload_finishes = is_data && frame.flags.finishes;
  payload_is_empty = true;
  payload_remaining = is_message ? UINT64_MAX : frame.payload_bytes;
  in_payload = is_message || is_data || payload_remaining > 0;
  if (rules.has_settings && !had_settings && frame.type != FrameType::Settings)
    return fail(Fault::Protocol, "the first frame is not the settings");
  if (decoded.status == DecodeStatus::Skip) return;
  if (decoded.status == DecodeStatus::MalformedStream) {
    const std::uint32_t slot = streams.slot_of(frame.id);
    if (slot == no_slot) return handle_unknown(frame);
    return react(Reaction::Reset, slot, decoded.fault, decoded.reason);
  }
  handle_frame(frame);
}

/// Hands over what is there of the payload under way, or passes it over.
bool Session::Parts::take_payload() {
  auto size = static_cast<std::size_t>(std::min<std::uint64_t>(payload_remaining, input.size()));
  const bool is_message = rules.framing == Framing::Messages;
  // Of a message that is longer than the credit, as much is handed over as when it comes in pieces.
  if (is_message) size = std::min(size, std::max<std::size_t>(payload_room(), 1));
  const MutableBytes piece = input.first(size);
  const bool ends = is_message ? piece_ends && size == input.size() : payload_remaining == size;
  if (!ends && size == 0) return false;
  input = input.subspan(size);
  if (!is_message) payload_remaining -= size;
  if (ends) in_payload = in_message = false;
  if (size > 0) payload_is_empty = false;
  if (payload_counts && size > 0) deliver(piece);
  if (ends && payload_finishes && is_open() && payload_entry() != nullptr) handle_finish(payload_slot);
  if (is_message && ends && payload_counts && payload_is_empty && is_open() && !empty_tokens.take(now))
    fail(Fault::Calm, "a flood of empty frames");
  return true;
}

/// How much of the payload under way its stream has credit for; without a stream, any.
std::size_t Session::Parts::payload_room() noexcept {
  const StreamEntry* entry = payload_counts ? payload_entry() : nullptr;
  return entry == nullptr ? SIZE_MAX : static_cast<std::size_t>(entry->receive_limit - entry->received);
}

// ---- payload

/// The stream of the payload under way; null where there is none, or where it ended meanwhile.
StreamEntry* Session::Parts::payload_entry() noexcept {
  if (payload_slot == no_slot) return nullptr;
  StreamEntry& entry = at(payload_slot);
  // A slot that is free keeps its generation until it is used again.
  return entry.generation == payload_generation && entry.is_live() ? &entry : nullptr;
}

void Session::Parts::deliver(MutableBytes payload) {
  connection_received += payload.size();
  counters.payload_bytes_received += payload.size();
  path.add_received(payload.size(), now);
  if (rules.has_connection_credit && !connection_credit_due &&
      connection_received + connection_window - connection_receive_limit >= connection_window / 8)
    connection_credit_due = true;
  StreamEntry* const found = payload_entry();
  if (found == nullptr) return;
  StreamEntry& entry = *found;
  if (rules.framing == Framing::Messages && !check_room(payload_slot, payload.size())) return;
  if (awaits_type(entry)) payload = take_type(payload_slot, payload);
  entry.received += payload.size();
  if (payload.empty() || entry.is_ended || entry.receiving != Half::Open) return;
  if (entry.is_hidden) return handle_probe_payload(payload_slot, payload);
  if (entry.is_draining) {
    entry.consumed += payload.size();
    credit_if_due(payload_slot);
    return;
  }
  if (entry.is_accepted && entry.unread_bytes() == 0) {
    current_slot = payload_slot;
    current = payload;
  } else {
    keep_unread(payload_slot, payload);
  }
  if (entry.is_accepted) tell(payload_slot, Tell::Data);
}

/// What nobody consumed of lent payload is copied to its stream; what events lent ends.
void Session::Parts::settle() {
  lent_unread.reset();
  if (current_slot == no_slot) return;
  const std::uint32_t slot = current_slot;
  const Bytes rest = current;
  current_slot = no_slot;
  current = {};
  keep_unread(slot, rest);
}

void Session::Parts::keep_unread(std::uint32_t slot, Bytes bytes) {
  StreamEntry& entry = at(slot);
  if (entry.unread_begin > 0 && entry.unread_begin >= entry.unread_bytes()) {
    const MutableBytes all = entry.unread.mutable_bytes();
    const std::size_t rest = entry.unread_bytes();
    std::memmove(all.data(), all.data() + entry.unread_begin, rest);
    entry.unread.resize(rest);
    entry.unread_begin = 0;
  }
  entry.unread.append(bytes);
  unread_total += bytes.size();
  counters.copied_bytes += bytes.size();
  if (unread_total > options->budget_bytes) shed();
}

/// The budget is used up by bytes that nobody reads: the stream with most of them goes. (Where the wire
/// cannot reset, window_of_new cut what it could; windows that the peer assumes it could not.)
void Session::Parts::shed() {
  std::uint32_t worst = no_slot;
  for (std::uint32_t slot = 0; slot < streams.slots(); ++slot) {
    if (at(slot).unread_bytes() > (worst == no_slot ? 0 : at(worst).unread_bytes())) worst = slot;
  }
  if (worst != no_slot) reset_stream(worst, EndReason::Overloaded, dialect.code_for(Fault::Overloaded));
}

/// Whether the credit given covers `bytes` more.
bool Session::Parts::check_room(std::uint32_t slot, std::uint64_t bytes) {
  const StreamEntry& entry = at(slot);
  if (bytes <= entry.receive_limit - entry.received) return true;
  react(rules.overrun, slot, Fault::FlowControl, "payload beyond the stream's credit");
  return false;
}

void Session::Parts::react(Reaction reaction, std::uint32_t slot, Fault fault, const char* reason) {
  switch (reaction) {
    case Reaction::Ignore:
    case Reaction::Burn: return;
    case Reaction::Reset:
      if (rules.reset == ResetBy::None) return fail(fault, reason);
      return reset_stream(slot, EndReason::Broken, dialect.code_for(fault));
    case Reaction::Fail: return fail(fault, reason);
  }
}

// ---- frames

void Session::Parts::handle_frame(const Frame& frame) {
  switch (frame.type) {
    case FrameType::Flags:
    case FrameType::Data:
    case FrameType::Credit: return handle_stream_frame(frame);
    case FrameType::ConnectionCredit:
      connection_send_limit = std::max(connection_send_limit, frame.credit);
      was_connection_blocked = false;
      return;
    case FrameType::StreamCredit:
      stream_credit = std::max(stream_credit, frame.credit);
      return allow_openings();
    case FrameType::Settings: return handle_settings(frame.settings);
    case FrameType::Ping:
      // A peer that pings without reading has its newest ones answered, and costs no memory.
      if (pong_count == pongs_max) std::copy(pongs.begin() + 1, pongs.end(), pongs.begin());
      pong_count = static_cast<std::uint8_t>(std::min<std::size_t>(pong_count + 1U, pongs_max));
      pongs[pong_count - 1U] = frame.value;
      return;
    case FrameType::Pong: return handle_pong(frame.value);
    case FrameType::GoAway: return handle_go_away(frame);
  }
}

void Session::Parts::handle_settings(const Settings& settings) {
  if (had_settings) return fail(Fault::Protocol, "settings a second time");
  had_settings = true;
  peer_settings = {
      .stream_credit = std::max(settings.stream_credit, rules.settings_least.stream_credit),
      .connection_credit = std::max(settings.connection_credit, rules.settings_least.connection_credit),
      .stream_count = std::max(settings.stream_count, rules.settings_least.stream_count)};
  connection_send_limit = std::max(connection_send_limit, peer_settings.connection_credit);
  stream_credit = std::max(stream_credit, peer_settings.stream_count);
  for (std::uint32_t slot = 0; slot < streams.slots(); ++slot) {
    StreamEntry& entry = at(slot);
    if (!entry.is_live()) continue;
    entry.send_limit = std::max(entry.send_limit, peer_settings.stream_credit);
    tell_writable(slot);
  }
  allow_openings();
}

void Session::Parts::handle_go_away(const Frame& frame) {
  if (frame.code != 0) return close_by_peer(frame.code, frame.text);
  if (peer_went_away) return;
  peer_went_away = gone_away_untold = true;
  final_text = frame.text;
  for (std::uint32_t slot = 0; slot < streams.slots(); ++slot) {
    const StreamEntry& entry = at(slot);
    if (!entry.is_live() || !entry.is_ours) continue;
    if (!entry.is_opened || (rules.go_away_names_last && entry.id > frame.last_id))
      end_stream(slot, EndReason::Refused, 0);
  }
}

void Session::Parts::handle_pong(std::uint64_t value) {
  if (!ping_waiting || (rules.probe_has_value && value != ping_value)) return;  // forged or late
  ping_waiting = false;
  ++ping_value;
  pong_round_trip = now - ping_time;
  path.add_round_trip(pong_round_trip, now);
  pong_untold = ping_wanted;
  ping_wanted = false;
}

bool Session::Parts::names_open(const Frame& frame) const noexcept {
  if (frame.flags.opens) return true;
  return rules.open_by == OpenBy::FirstCredit && frame.type == FrameType::Credit && !is_ours(frame.id);
}

void Session::Parts::handle_stream_frame(const Frame& frame) {
  std::uint32_t slot = streams.slot_of(frame.id);
  if (slot == no_slot) {
    if (!names_open(frame)) return handle_unknown(frame);
    if ((slot = open_by_peer(frame)) == no_slot) return;
  } else if (frame.flags.opens) {
    return react(rules.duplicate_open, slot, Fault::Protocol, "a stream opened twice");
  }
  const StreamEntry& entry = at(slot);
  const bool accepts = frame.flags.accepts || (rules.accept_by == AcceptBy::FirstCredit &&
                                               frame.type == FrameType::Credit && entry.is_ours);
  if (accepts && entry.is_ours && !entry.is_accepted) handle_accept(slot);
  if (frame.type == FrameType::Credit) handle_credit(slot, frame.credit);
  if (frame.type == FrameType::Data && is_open()) handle_data_header(slot, frame);
  if (entry.is_ended || !is_open()) return;
  if (frame.flags.resets || frame.flags.stops) return handle_reset(slot, frame);
  if (frame.flags.answers &&
      entry.sending == Half::Open) {  // to a finish that we never sent: it reads no more
    Frame stop = frame;
    stop.flags = {.stops = true};
    return handle_reset(slot, stop);
  }
  if (frame.flags.finishes && frame.type != FrameType::Data) handle_finish(slot);
}

/// Whether the peer accepts what was opened and given up. It is told that nothing comes, and not held up.
bool Session::Parts::handle_late_accept(const Frame& frame) {
  const auto place = std::find(given_up.begin(), given_up.end(), frame.id);
  if (place == given_up.end()) return false;
  if (!frame.flags.accepts && (rules.accept_by != AcceptBy::FirstCredit || frame.type != FrameType::Credit))
    return false;
  given_up.erase(place);
  unknown_resets.push_back({frame.id, 0});
  allow_openings();
  return true;
}

/// A frame for a stream that is not there: closed lately, or never opened.
void Session::Parts::handle_unknown(const Frame& frame) {
  if (handle_late_accept(frame)) return;
  const bool was_opened = is_ours(frame.id) ? frame.id < next_id : has_peer_id && frame.id <= highest_peer_id;
  if (!was_opened && rules.never_opened == Reaction::Fail)
    return fail(Fault::Protocol, "a frame for a stream that was never opened");
  if (rules.unknown_stream == Reaction::Burn) return burn(frame.id);
  if (frame.type != FrameType::Data) return;
  if (frame.payload_bytes == 0 && frame.flags == FrameFlags{} && rules.framing == Framing::Bytes &&
      !empty_tokens.take(now))
    return fail(Fault::Calm, "a flood of empty frames");
  switch (rules.unknown_stream) {
    case Reaction::Ignore: return;
    case Reaction::Reset:
      if (frame.payload_bytes > 0 || !frame.flags.finishes) answer_reset(frame.id, Fault::StreamState);
      return;
    case Reaction::Burn: return;
    case Reaction::Fail: return fail(Fault::StreamState, "payload for no stream");
  }
}

/// The peer cannot open that id any more: what came before its opening would be missing.
void Session::Parts::burn(std::uint64_t id) {
  if (is_ours(id)) return;
  highest_peer_id = has_peer_id ? std::max(highest_peer_id, id) : id;
  has_peer_id = true;
}

/// Resets a stream of which nothing is kept: once for each id lately.
void Session::Parts::answer_reset(std::uint64_t id, Fault fault) {
  if (rules.reset == ResetBy::None) return;
  const std::size_t known = std::min<std::size_t>(recent_count, recent_resets.size());
  if (std::find(recent_resets.begin(), recent_resets.begin() + static_cast<std::ptrdiff_t>(known), id) !=
      recent_resets.begin() + static_cast<std::ptrdiff_t>(known))
    return;
  if (unknown_resets.size() == unknown_resets_max) return fail(Fault::Calm, "too many frames for no stream");
  remember_reset(id);
  unknown_resets.push_back({id, dialect.code_for(fault)});
}

// ---- openings

/// Whether the id may be opened by the peer. What is wrong with it is answered here.
bool Session::Parts::may_open(std::uint64_t id) {
  if (is_ours(id)) {
    if (rules.parity_checked) fail(Fault::Protocol, "an opening with an id of this side");
    return false;
  }
  const bool is_lower = has_peer_id && id <= highest_peer_id;
  if (is_lower && rules.id_order == IdOrder::Increasing) {
    fail(Fault::Protocol, "an opening with an id that is not higher");
    return false;
  }
  if (is_lower && rules.id_order == IdOrder::NeverReused) return false;
  if (rules.has_stream_credit && peer_opened_count >= stream_credit_given) {
    fail(Fault::FlowControl, "more streams than allowed");
    return false;
  }
  highest_peer_id = is_lower ? highest_peer_id : id;
  has_peer_id = true;
  ++peer_opened_count;
  return true;
}

/// A new stream of the peer, or no_slot: refused, ignored, or wrong.
std::uint32_t Session::Parts::open_by_peer(const Frame& frame) {
  if (!may_open(frame.id)) return no_slot;
  const InitialCredit& theirs = rules.opener_sends;
  const std::uint64_t most = rules.has_settings                       ? window_of_new(false)
                             : theirs.source == CreditSource::Granted ? 0
                                                                      : theirs.bytes;
  if (frame.type == FrameType::Data && rules.framing == Framing::Bytes && frame.payload_bytes > most &&
      rules.overrun == Reaction::Fail) {
    fail(Fault::FlowControl, "payload beyond the stream's credit");  // before there is a stream
    return no_slot;
  }
  const bool is_full = peer_streams >= options->streams_max || unaccepted_theirs >= options->unaccepted_max;
  const bool is_draining = state == SessionState::Draining;
  // To accept and finish keeps a stream until the peer ends it: not beyond the caps.
  if (is_full || (is_draining && rules.refuse != RefuseBy::AcceptThenFinish)) {
    ++counters.streams_refused;
    ++peer_ended_count;
    if (rules.refuse == RefuseBy::Reset)
      answer_reset(frame.id, is_draining ? Fault::GoneAway : Fault::Refused);
    return no_slot;
  }
  const std::uint32_t slot = new_stream(false);
  streams.map(frame.id, slot);
  StreamEntry& entry = at(slot);
  entry.is_untold = true;
  entry.urgency = std::min<std::uint8_t>(frame.urgency, 7);
  if (frame.stream_type != 0) entry.extras().stream_type = frame.stream_type;
  if (!frame.metadata.empty()) entry.extras().metadata = Buffer::copy_of(frame.metadata);
  if (is_draining) {
    refuse(slot, 0);
    return slot;
  }
  if (rules.accept_by != AcceptBy::Nothing && rules.accept_when == AcceptWhen::Arrival)
    set_due(slot, Due::Accept);
  if (options->accept_timeout > Duration{}) set_timer(slot, TimerKind::Accept, now + options->accept_timeout);
  if (rules.type_bytes == 0) announce(slot);
  return slot;
}

void Session::Parts::handle_accept(std::uint32_t slot) {
  StreamEntry& entry = at(slot);
  entry.is_accepted = true;
  --unaccepted_ours;
  set_timer(slot, TimerKind::Open, time_never);
  tell(slot, Tell::Accepted);
  allow_openings();
  if (entry.is_finish_wanted && entry.queued() == 0 && may_finish(entry)) set_due(slot, Due::Finish);
  credit_if_due(slot);
}

// ---- live streams

void Session::Parts::handle_credit(std::uint32_t slot, std::uint64_t credit) {
  StreamEntry& entry = at(slot);
  if (entry.is_ended || entry.sending != Half::Open) return;
  if (rules.credit_unit == CreditUnit::Limit) {
    entry.send_limit = std::max(entry.send_limit, credit);
  } else {
    const std::uint64_t unused = entry.send_limit - entry.sent;
    if (credit > rules.credit_max || unused > rules.credit_max - credit)
      return react(rules.overrun, slot, Fault::FlowControl, "credit beyond what a window holds");
    entry.send_limit += credit;
  }
  tell_writable(slot);
}

void Session::Parts::handle_data_header(std::uint32_t slot, const Frame& frame) {
  const StreamEntry& entry = at(slot);
  if (rules.has_connection_credit && frame.payload_bytes > connection_receive_limit - connection_received)
    return fail(Fault::FlowControl, "payload beyond the connection's credit");
  if (entry.receiving == Half::Finished)
    return react(rules.after_finish, slot, Fault::StreamState, "payload behind a finish");
  if (rules.framing == Framing::Bytes) {
    if (!check_room(slot, frame.payload_bytes)) return;
    if (frame.payload_bytes == 0 && frame.flags == FrameFlags{} && !empty_tokens.take(now))
      return fail(Fault::Calm, "a flood of empty frames");
  }
  payload_slot = slot;
  payload_generation = entry.generation;
}

void Session::Parts::handle_finish(std::uint32_t slot) {
  StreamEntry& entry = at(slot);
  if (entry.receiving == Half::Finished)
    return react(rules.after_finish, slot, Fault::StreamState, "finished twice");
  if (awaits_type(entry)) return react(Reaction::Reset, slot, Fault::Protocol, "finished before its type");
  if (rules.answers_finish) set_due(slot, Due::FinishAnswer);
  if (entry.receiving == Half::Closed) return;
  entry.receiving = entry.is_draining ? Half::Closed : Half::Finished;
  if (entry.extra != nullptr) set_timer(slot, TimerKind::Linger, time_never);
  if (entry.receiving == Half::Finished && entry.is_accepted && entry.unread_bytes() == 0 &&
      current_slot != slot)
    tell(slot, Tell::Finished);
  if (entry.is_hidden) finish(slot);
  check_end(slot);
}

void Session::Parts::handle_reset(std::uint32_t slot, const Frame& frame) {
  StreamEntry& entry = at(slot);
  const bool aborts = frame.flags.resets && entry.receiving != Half::Closed;
  const bool stops = frame.flags.stops && entry.sending == Half::Open;
  if (!aborts && !stops) return;  // it crossed ours, or answers it without saying so
  ++counters.resets_received;
  if (!entry.is_ours && !frame.flags.answers && !reset_tokens.take(now))
    return fail(Fault::Calm, "too many resets");  // CVE-2023-44487
  const bool both = rules.reset == ResetBy::Both;
  const bool is_refusal = entry.is_ours && rules.accept_by != AcceptBy::Nothing && !entry.is_accepted;
  const bool is_over = entry.sending == Half::Finished && entry.receiving == Half::Finished;
  const std::uint64_t refused = dialect.code_for(Fault::Refused);  // 0: the dialect has no word for it
  if (!is_over && (!frame.flags.answers || entry.end == EndReason::Finished)) {
    entry.end =
        is_refusal || frame.flags.refuses || (rules.code_bits > 0 && refused != 0 && frame.code == refused)
            ? EndReason::Refused
            : EndReason::Reset;
    if (frame.code != 0) entry.extras().end_code = frame.code;
  }
  const bool stays = entry.receiving == Half::Finished && entry.is_accepted;  // all of it is here
  if (aborts) {
    if (!stays) {
      drop_unread(slot);
      entry.receiving = Half::Closed;
      if (frame.code != 0) entry.extras().aborted_code = frame.code;
      if (!both) tell(slot, Tell::Aborted);
    }
    if (rules.answers_reset && !frame.flags.answers) {
      entry.extras().stop_code = frame.code;
      set_due(slot, Due::Stop);
      set_due(slot, Due::Answer);
    }
  }
  if (stops) {
    drop_unsent(slot);
    entry.sending = Half::Closed;
    if (frame.code != 0) entry.extras().stopped_code = frame.code;
    if (!both || stays) tell(slot, Tell::Stopped);  // else Ended says it
    if (!both && !frame.flags.answers) {  // what was under way is lost: the peer's half must end too
      entry.extras().reset_code = frame.code;
      set_due(slot, Due::Reset);
      set_due(slot, Due::Answer);
    }
  }
  if (both && entry.sending == Half::Finished) entry.sending = Half::Closed;
  check_end(slot);
}

}  // namespace sinnet::mux
