// What goes out: control frames of the session and its streams first, then payload by the scheduler.
#include <algorithm>
#include <cassert>
#include <cstring>

#include "mux/session_parts.hpp"

namespace sinnet::mux {
namespace {

using namespace std::chrono_literals;

/// A batch: enough to be worth a system call, little enough that the next decision is taken late.
constexpr std::size_t batch_bytes_max = 128 * 1024;
constexpr std::size_t batch_segments_max = 62;
/// Control frames may exceed the batch by this: they are what makes the peer go on.
constexpr std::size_t control_bytes_max = 256 * 1024;
/// A frame while others wait: on loopback it cut a ping's median under bulk from 75 to 17 µs.
constexpr std::size_t quantum_shared = 16 * 1024;
/// A frame when one stream is alone.
constexpr std::size_t quantum_alone = 64 * 1024;
/// On a slow path, a frame is a millisecond of it, but not less than this.
constexpr std::size_t quantum_slow = 4 * 1024;
constexpr std::size_t copy_below_bytes = 2048;
/// Send queues kept for the next stream that writes.
constexpr std::size_t spare_queues_max = 16;
/// Between pings that measure the path while payload arrives.
constexpr Duration path_ping_interval = 1s;

}  // namespace

bool Session::Parts::has_output() const noexcept {
  if (state == SessionState::Ended) return false;
  if (!outbox.empty()) return true;
  if (state == SessionState::Failing) return final == Final::Taken && go_away_due;
  if (go_away_due || !due.empty() || !unknown_resets.empty()) return true;
  if (state == SessionState::Closing) return false;
  if (settings_due || connection_credit_due || stream_credit_due || ping_due || pong_count > 0) return true;
  return scheduler.ready() > 0 && (!rules.has_connection_credit || connection_send_limit > connection_sent);
}

void Session::Parts::prepare(std::size_t bytes_max) {
  if (outbox.bytes() >= bytes_max || state == SessionState::Ended) return;
  const std::uint64_t before = outbox.added_total();
  if (state == SessionState::Failing) {
    if (final == Final::Taken) freeze_go_away();
  } else {
    freeze_first();
    freeze_answers();
    freeze_due(std::min(bytes_max, control_bytes_max));
    if (is_open()) freeze_payload(std::min(bytes_max, batch_bytes_max));
    freeze_due(std::min(bytes_max, control_bytes_max));  // finishes behind the last payload
    if (due.empty()) freeze_go_away();
  }
  if (outbox.added_total() != before) ++counters.batches_sent;
}

/// Encodes a frame's header.
void Session::Parts::freeze(const Frame& frame) {
  const MutableBytes room = outbox.add(rules.header_bytes_max);
  const std::size_t size = dialect.encode(rules, role, frame, room);
  assert(size <= room.size());
  outbox.trim(room.size() - size);
  ++counters.frames_sent;
  if (rules.framing == Framing::Messages && frame.type != FrameType::Data) outbox.end_frame();
}

// ---- the session's frames

void Session::Parts::freeze_first() {
  if (!settings_due) return;
  settings_due = false;
  freeze({.type = FrameType::Settings,
          .settings = {.stream_credit = std::max<std::uint64_t>(options->stream_window,
                                                                rules.settings_least.stream_credit),
                       .connection_credit = connection_receive_limit,
                       .stream_count = stream_credit_given}});
}

void Session::Parts::freeze_answers() {
  for (std::size_t i = 0; i < pong_count; ++i) freeze({.type = FrameType::Pong, .value = pongs[i]});
  pong_count = 0;
  freeze_ping();
  if (connection_credit_due) {
    connection_credit_due = false;
    const std::uint64_t most = std::max<std::uint64_t>(options->connection_window, options->budget_bytes);
    connection_window =
        std::clamp<std::uint64_t>(path.window(), connection_window, std::max(most, connection_window));
    connection_receive_limit = std::max(connection_receive_limit, connection_received + connection_window);
    freeze({.type = FrameType::ConnectionCredit, .credit = connection_receive_limit});
    ++counters.credits_sent;
  }
  if (stream_credit_due) {
    stream_credit_due = false;
    stream_credit_given = std::max(
        stream_credit_given,
        peer_ended_count + std::max<std::uint64_t>(options->streams_max, rules.settings_least.stream_count));
    freeze({.type = FrameType::StreamCredit, .credit = stream_credit_given});
  }
  for (const UnknownReset& reset : unknown_resets) {
    if (rules.reset == ResetBy::None) {  // accepted after we gave up: nobody writes, nobody reads
      freeze({.type = FrameType::Credit, .id = reset.id, .credit = drain_credit});
      freeze({.flags = {.finishes = true}, .id = reset.id});
      continue;
    }
    if (rules.reset == ResetBy::Both) {
      freeze({.flags = {.resets = true, .stops = true}, .id = reset.id, .code = reset.code});
    } else {
      freeze({.flags = {.resets = true}, .id = reset.id, .code = reset.code});
      freeze({.flags = {.stops = true}, .id = reset.id, .code = reset.code});
    }
    ++counters.resets_sent;
  }
  unknown_resets.clear();
}

void Session::Parts::freeze_ping() {
  if (!ping_due || !is_open()) return;
  ping_due = false;
  if (rules.probe == ProbeBy::Stream && !ready_probe()) return;
  ping_waiting = true;
  ping_taken = false;
  ping_time = last_ping = now;
  if (rules.probe == ProbeBy::Stream) {
    freeze_beat();
  } else {
    freeze({.type = FrameType::Ping, .value = ping_value});
  }
  ping_end = outbox.added_total();
}

void Session::Parts::freeze_go_away() {
  if (!go_away_due) return;
  if (state == SessionState::Draining && rules.go_away != GoAwayKind::Drain) return;
  go_away_due = false;
  go_away_sent = true;
  freeze({.type = FrameType::GoAway,
          .code = go_away_code,
          .last_id = has_peer_id ? highest_peer_id : 0,
          .text = go_away_text});
}

// ---- control frames of streams

void Session::Parts::set_due(std::uint32_t slot, Due what) {
  StreamEntry& entry = at(slot);
  entry.due = static_cast<std::uint16_t>(entry.due | bit(what));
  // Nothing precedes an opening; it links the entry then.
  if (entry.is_ours && !entry.is_opened && what != Due::Open &&
      !(rules.open_by == OpenBy::FlagOnData && what == Due::Finish))
    return;
  if (entry.is_due) return;
  entry.is_due = true;
  push(due, slot, &StreamEntry::due_next);
}

void Session::Parts::freeze_due(std::size_t bytes_max) {
  while (!due.empty() && outbox.bytes() < bytes_max) {
    const std::uint32_t slot = pop(due, &StreamEntry::due_next);
    at(slot).is_due = false;
    freeze_due_of(slot);
    release(slot);
  }
}

void Session::Parts::freeze_due_of(std::uint32_t slot) {
  StreamEntry& entry = at(slot);
  const auto has = [&](Due what) { return (entry.due & bit(what)) != 0; };
  if (has(Due::Open) && !entry.is_opened) {
    if (openings_allowed() == 0) {
      entry.is_due = true;
      push(waiting, slot, &StreamEntry::due_next);
      return;
    }
    freeze_open(slot);
    if (entry.is_due) return;  // more is due now: in its turn
  }
  const std::uint16_t bits = entry.due;
  entry.due = 0;
  if ((bits & bit(Due::Accept)) != 0) freeze_accept(slot);
  if ((bits & bit(Due::Credit)) != 0) freeze_credit(slot);
  if ((bits & bit(Due::Finish)) != 0) freeze_finish(slot);
  if ((bits & bit(Due::FinishAnswer)) != 0) freeze({.flags = {.answers = true}, .id = entry.id});
  if ((bits & (bit(Due::Reset) | bit(Due::Stop))) != 0) freeze_reset(slot, bits);
}

std::uint64_t Session::Parts::openings_allowed() const noexcept {
  std::uint64_t allowed =
      rules.has_stream_credit ? stream_credit - std::min(stream_credit, opened_count) : no_slot;
  if (rules.unaccepted_max > 0) {
    const std::uint64_t waiting_there = unaccepted_ours + given_up.size();
    allowed = std::min(allowed,
                       rules.unaccepted_max - std::min<std::uint64_t>(rules.unaccepted_max, waiting_there));
  }
  return allowed;
}

/// Openings that waited for the peer's leave get into the queue.
void Session::Parts::allow_openings() {
  if (waiting.empty()) return;
  for (std::uint64_t allowed = openings_allowed(); allowed > 0 && !waiting.empty();) {
    const std::uint32_t slot = pop(waiting, &StreamEntry::due_next);
    if (at(slot).is_ended) {
      at(slot).is_due = false;
      release(slot);
      continue;
    }
    push(due, slot, &StreamEntry::due_next);
    --allowed;
  }
}

void Session::Parts::give_id(std::uint32_t slot) {
  if (rules.ids_wrap) {
    const std::uint64_t first = role == Role::Client ? rules.first_id_client : rules.first_id_server;
    if (next_id > rules.id_last) next_id = first;
    while (streams.slot_of(next_id) != no_slot) next_id = next_id + 2 > rules.id_last ? first : next_id + 2;
  }
  streams.map(next_id, slot);
  next_id += 2;
}

/// The opening is frozen.
void Session::Parts::opened(std::uint32_t slot) {
  StreamEntry& entry = at(slot);
  entry.is_opened = true;
  entry.due = static_cast<std::uint16_t>(entry.due & ~bit(Due::Open));
  --unopened_ours;
  ++opened_count;
  if (!entry.is_accepted) {
    ++unaccepted_ours;
    if (options->open_timeout > Duration{}) set_timer(slot, TimerKind::Open, now + options->open_timeout);
  }
}

void Session::Parts::freeze_open(std::uint32_t slot) {
  StreamEntry& entry = at(slot);
  give_id(slot);
  Frame frame{.flags = {.opens = true}, .id = entry.id, .urgency = entry.urgency};
  if (entry.extra != nullptr) {
    frame.stream_type = entry.extra->stream_type;
    frame.metadata = entry.extra->metadata.bytes();
  }
  switch (rules.open_by) {
    case OpenBy::OwnFrame: break;
    case OpenBy::FirstCredit:
    case OpenBy::FlagOnCredit:
      frame.type = FrameType::Credit;
      frame.credit = entry.window - std::min<std::uint64_t>(entry.window, entry.receive_limit);
      entry.receive_limit = std::max<std::uint64_t>(entry.receive_limit, entry.window);
      break;
    case OpenBy::FlagOnData:
      frame.type = FrameType::Data;
      frame.payload_bytes = rules.type_bytes;
      break;
  }
  freeze(frame);
  if (rules.type_bytes > 0) freeze_type(slot);
  if (frame.type == FrameType::Data && rules.framing == Framing::Messages) outbox.end_frame();
  opened(slot);
  make_ready(slot);
  if (entry.is_finish_wanted && entry.queued() == 0 && may_finish(entry))
    entry.due = static_cast<std::uint16_t>(entry.due | bit(Due::Finish));
}

void Session::Parts::freeze_accept(std::uint32_t slot) {
  StreamEntry& entry = at(slot);
  const std::uint64_t limit = std::max(entry.receive_limit, ahead(entry));
  freeze({.type = FrameType::Credit,
          .flags = {.accepts = true},
          .id = entry.id,
          .credit = rules.credit_unit == CreditUnit::Delta ? limit - entry.receive_limit : limit});
  entry.receive_limit = limit;
}

void Session::Parts::freeze_credit(std::uint32_t slot) {
  StreamEntry& entry = at(slot);
  if (entry.receiving != Half::Open || entry.is_ended) return;
  tune_window(entry);
  std::uint64_t limit = entry.consumed + ahead(entry);
  if (limit <= entry.receive_limit) return;
  if (rules.credit_unit == CreditUnit::Delta)
    limit = std::min(limit, entry.receive_limit + rules.credit_step_max);
  freeze({.type = FrameType::Credit,
          .id = entry.id,
          .credit = rules.credit_unit == CreditUnit::Delta ? limit - entry.receive_limit : limit});
  entry.receive_limit = limit;
  ++counters.credits_sent;
  if (options->measures_path && can_probe() && !ping_waiting &&
      (path.round_trip_min() == Duration{} || now - last_ping >= path_ping_interval))
    ping_due = true;
}

/// The window follows the path while the user keeps up, within the session's budget; it shrinks slowly, by
/// credit that is not given.
void Session::Parts::tune_window(StreamEntry& entry) {
  const InitialCredit& theirs = entry.is_ours ? rules.acceptor_sends : rules.opener_sends;
  std::uint64_t wanted = path.window();
  // The window is what limits: delivery also waits for credit, so the product falls short of it. No more than
  // fourfold in a round trip, since the product must follow first.
  if (path.is_growing() && wanted >= entry.window) wanted = std::max(wanted, std::uint64_t{entry.window} * 2);
  if (wanted == 0 || theirs.source == CreditSource::Assumed) return;
  const std::uint64_t least = std::max<std::uint64_t>(
      options->stream_window, theirs.source == CreditSource::Fixed ? theirs.bytes : 0);
  const std::uint64_t target =
      std::clamp(wanted, least, std::max<std::uint64_t>(least, options->stream_window_max));
  if (target > entry.window && entry.unread_bytes() == 0) {
    const std::uint64_t left =
        options->budget_bytes - std::min<std::uint64_t>(options->budget_bytes, window_sum);
    const std::uint64_t grown = std::min({target, std::uint64_t{entry.window} * 4, entry.window + left});
    window_sum += grown - entry.window;
    entry.window = static_cast<std::uint32_t>(grown);
    connection_window =
        std::max<std::uint64_t>(connection_window, std::min<std::uint64_t>(grown, options->budget_bytes));
  } else if (target < entry.window / 2) {
    const std::uint32_t step = entry.window / 16;
    window_sum -= step;
    entry.window -= step;
  }
}

void Session::Parts::freeze_reset(std::uint32_t slot, std::uint16_t bits) {
  const StreamEntry& entry = at(slot);
  const StreamExtra& extra = *entry.extra;
  const bool answers = (bits & bit(Due::Answer)) != 0;
  const bool resets = (bits & bit(Due::Reset)) != 0;
  const bool stops = (bits & bit(Due::Stop)) != 0;
  ++counters.resets_sent;
  if (!answers) remember_reset(entry.id);
  if (rules.reset == ResetBy::Both) {
    freeze({.flags = {.resets = true, .stops = true}, .id = entry.id, .code = extra.reset_code});
    return;
  }
  if (stops) freeze({.flags = {.stops = true, .answers = answers}, .id = entry.id, .code = extra.stop_code});
  if (resets)
    freeze({.flags = {.resets = true, .answers = answers}, .id = entry.id, .code = extra.reset_code});
}

// ---- payload

bool Session::Parts::may_finish(const StreamEntry& entry) const noexcept {
  return entry.sending == Half::Open &&
         (rules.finish_before_accept || entry.is_accepted || (!entry.is_ours && entry.is_accepted));
}

/// Has it scheduled, if it may send what it has.
void Session::Parts::make_ready(std::uint32_t slot) {
  StreamEntry& entry = at(slot);
  if (entry.is_ready || entry.queued() == 0 || entry.is_ended) return;
  if (entry.is_ours && !entry.is_opened && !rules.open_lazily) return;
  entry.is_ready = true;
  scheduler.count_ready();
  scheduler.add(slot);
}

std::size_t Session::Parts::frame_quantum() const noexcept {
  std::size_t quantum = scheduler.is_alone() ? quantum_alone : quantum_shared;
  if (path.send_rate() > 0)
    quantum =
        std::clamp<std::size_t>(static_cast<std::size_t>(path.send_rate() / 1000), quantum_slow, quantum);
  return quantum;
}

void Session::Parts::freeze_payload(std::size_t bytes_max) {
  while (scheduler.ready() > 0 && outbox.bytes() < bytes_max && outbox.segments() < batch_segments_max) {
    std::uint64_t credit = no_slot;
    if (rules.has_connection_credit) {
      credit = connection_send_limit - connection_sent;
      if (credit == 0) {
        if (!was_connection_blocked) ++counters.blocked_connection;
        was_connection_blocked = true;
        return;
      }
    }
    const Scheduler::Turn turn = scheduler.next(static_cast<std::uint32_t>(frame_quantum()),
                                                [this](std::uint32_t slot) { release(slot); });
    if (turn.slot == no_slot) return;
    const std::uint64_t bytes =
        std::min<std::uint64_t>({turn.bytes_max, at(turn.slot).queued(), rules.payload_bytes_max, credit});
    scheduler.spend(turn, freeze_data(turn.slot, static_cast<std::size_t>(bytes)));
  }
}

/// One Data frame with the first `bytes` of what is queued.
std::size_t Session::Parts::freeze_data(std::uint32_t slot, std::size_t bytes) {
  StreamEntry& entry = at(slot);
  SendQueue& queue = *entry.queue;
  const bool is_last = bytes == queue.bytes();
  Frame frame{.type = FrameType::Data, .id = entry.id, .payload_bytes = bytes};
  if (entry.is_ours && !entry.is_opened) {
    give_id(slot);
    frame.id = entry.id;
    frame.flags.opens = true;
    opened(slot);
  }
  const bool may_finish_here = rules.finish_on_data && (!frame.flags.opens || rules.may_finish_in_open);
  const bool finishes = is_last && entry.is_finish_wanted && may_finish(entry);
  frame.flags.finishes = finishes && may_finish_here;
  frame.flags.blocked = is_last && entry.was_blocked && rules.has_blocked_flag;
  freeze(frame);
  for (std::size_t left = bytes; left > 0;) {
    const Bytes part = queue.front().first(std::min(left, queue.front().size()));
    if (part.size() < copy_below_bytes) {
      std::memcpy(outbox.add(part.size()).data(), part.data(), part.size());
    } else {
      outbox.add_shared(queue.front_owner(), part);
    }
    queue.consume(part.size());
    left -= part.size();
  }
  if (rules.framing == Framing::Messages) outbox.end_frame();
  entry.sent += bytes;
  connection_sent += bytes;
  unsent_total -= bytes;
  counters.payload_bytes_sent += bytes;
  entry.was_blocked = entry.was_blocked && !is_last;
  if (is_last) {
    give_back(std::move(entry.queue));
    entry.is_ready = false;
    scheduler.count_idle();
    if (frame.flags.finishes) {
      entry.sending = Half::Finished;
      check_end(slot);
    } else if (finishes) {
      set_due(slot, Due::Finish);
    }
  }
  tell_writable(slot);
  return bytes;
}

/// A few queues with their first block serve all streams: one at rest owns none.
std::unique_ptr<SendQueue> Session::Parts::borrow_queue() {
  if (spare_queues.empty()) return std::make_unique<SendQueue>();
  std::unique_ptr<SendQueue> queue = std::move(spare_queues.back());
  spare_queues.pop_back();
  return queue;
}

void Session::Parts::give_back(std::unique_ptr<SendQueue> queue) {
  if (spare_queues.size() < spare_queues_max) spare_queues.push_back(std::move(queue));
}

void Session::Parts::tell_writable(std::uint32_t slot) {
  const StreamEntry& entry = at(slot);
  if (!entry.wants_write || entry.sending != Half::Open || entry.is_ended) return;
  const std::size_t queued = entry.queued();
  if (entry.send_limit > entry.sent + queued && queued <= options->unsent_bytes_max / 2)
    tell(slot, Tell::Writable);
}

void Session::Parts::freeze_finish(std::uint32_t slot) {
  StreamEntry& entry = at(slot);
  if (entry.sending != Half::Open || entry.queued() > 0) return;
  Frame frame{.flags = {.finishes = true}, .id = entry.id};
  if (entry.is_ours && !entry.is_opened) {
    give_id(slot);
    frame.id = entry.id;
    opened(slot);
    if (!rules.may_finish_in_open) {
      freeze({.type = FrameType::Data, .flags = {.opens = true}, .id = entry.id});
      if (rules.framing == Framing::Messages) outbox.end_frame();
    } else {
      frame.type = FrameType::Data;
      frame.flags.opens = true;
    }
  }
  freeze(frame);
  if (frame.type == FrameType::Data && rules.framing == Framing::Messages) outbox.end_frame();
  entry.sending = Half::Finished;
  check_end(slot);
}

}  // namespace sinnet::mux
