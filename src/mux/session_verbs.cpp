// What the user asks of a session and its streams.
#include <algorithm>
#include <cassert>
#include <cstring>

#include "mux/session_parts.hpp"

namespace sinnet::mux {
namespace {

/// Copying less costs less than another slice of the gather list.
constexpr std::size_t copy_below_bytes = 2048;
/// Credit goes back when an eighth of the window is consumed, or this much: with a third, 95 % of a link
/// needs 1.39 times the bandwidth-delay product in flight, with an eighth 1.08.
constexpr std::uint64_t credit_step_bytes_max = 256 * 1024;
/// Where the wire cannot reset, a new stream's window is at most this part of the budget that is left.
constexpr std::uint64_t budget_part = 4;
constexpr std::uint64_t window_least = 1024;

}  // namespace

/// What the peer may send before it has any credit.
std::uint64_t Session::Parts::assumed_by_peer(bool is_ours) const noexcept {
  return is_ours ? std::max(rules.opener_receives, rules.acceptor_sends.bytes) : rules.opener_sends.bytes;
}

std::uint32_t Session::Parts::window_of_new(bool is_ours) const noexcept {
  const InitialCredit& theirs = is_ours ? rules.acceptor_sends : rules.opener_sends;
  if (theirs.source == CreditSource::Assumed) {
    // Ready for all that the peer may believe; where it may believe less, it is given a window on top.
    return static_cast<std::uint32_t>(assumed_by_peer(is_ours) +
                                      (rules.credit_at_once ? options->stream_window : 0));
  }
  std::uint64_t window = options->stream_window;
  if (rules.reset == ResetBy::None && !is_ours) {
    // Nothing could take the memory back, so less is promised the more is promised already.
    const std::uint64_t left =
        options->budget_bytes - std::min<std::uint64_t>(options->budget_bytes, window_sum);
    window = std::min(window, std::max(left / budget_part, window_least));
  }
  if (theirs.source == CreditSource::Fixed) window = std::max(window, theirs.bytes);
  return static_cast<std::uint32_t>(window);
}

std::uint32_t Session::Parts::new_stream(bool is_ours) {
  const std::uint32_t slot = streams.add();
  StreamEntry& entry = at(slot);
  entry.is_ours = is_ours;
  entry.is_accepted = is_ours && rules.accept_by == AcceptBy::Nothing;
  entry.window = window_of_new(is_ours);
  const InitialCredit& mine = is_ours ? rules.opener_sends : rules.acceptor_sends;
  const InitialCredit& theirs = is_ours ? rules.acceptor_sends : rules.opener_sends;
  if (mine.source != CreditSource::Granted)
    entry.send_limit = rules.has_settings ? peer_settings.stream_credit : mine.bytes;
  if (theirs.source != CreditSource::Granted)
    entry.receive_limit = rules.has_settings                       ? entry.window
                          : theirs.source == CreditSource::Assumed ? assumed_by_peer(is_ours)
                                                                   : theirs.bytes;
  window_sum += entry.window;
  ++live;
  if (is_ours) {
    entry.sent = rules.type_bytes;  // go out with the opening
    ++unopened_ours;
  } else {
    ++peer_streams;
    ++unaccepted_theirs;
  }
  return slot;
}

// ---- reading

void Session::Parts::drop_unread(std::uint32_t slot) {
  StreamEntry& entry = at(slot);
  if (current_slot == slot) {
    current_slot = no_slot;
    current = {};
  }
  unread_total -= entry.unread_bytes();
  entry.unread_begin = 0;
  if (!entry.unread.empty()) lent_unread = std::move(entry.unread);
  entry.unread.reset();
}

void Session::Parts::consume(std::uint32_t slot, std::size_t bytes) {
  StreamEntry& entry = at(slot);
  entry.consumed += bytes;
  if (current_slot == slot) {
    assert(bytes <= current.size());
    current = current.subspan(bytes);
    if (current.empty()) current_slot = no_slot;
  } else {
    assert(bytes <= entry.unread_bytes());
    unread_total -= bytes;
    entry.unread_begin += static_cast<std::uint32_t>(bytes);
    if (entry.unread_bytes() == 0) {
      lent_unread = std::move(entry.unread);  // an event may still lend it
      entry.unread.reset();
      entry.unread_begin = 0;
    }
  }
  credit_if_due(slot);
  if (entry.receiving == Half::Finished && current_slot != slot && entry.unread_bytes() == 0) {
    tell(slot, Tell::Finished);
    check_end(slot);
  }
}

/// What the peer may send beyond what was consumed.
std::uint64_t Session::Parts::ahead(const StreamEntry& entry) const noexcept {
  return entry.is_draining && rules.stop == StopBy::Drain ? drain_credit : entry.window;
}

/// Queues a credit once enough was consumed that it is worth a frame.
void Session::Parts::credit_if_due(std::uint32_t slot) {
  const StreamEntry& entry = at(slot);
  if (entry.receiving != Half::Open || entry.is_ended) return;
  if (!entry.is_accepted && (!entry.is_ours || !rules.credit_before_accept)) return;
  const std::uint64_t most = ahead(entry);
  std::uint64_t step = std::min<std::uint64_t>(std::max(entry.window / 8, 1U), credit_step_bytes_max);
  if (rules.credit_at_once) step = 1;
  if (most == drain_credit) step = most / 2;
  const std::uint64_t limit = entry.consumed + most;
  if (limit >= entry.receive_limit + step) set_due(slot, Due::Credit);
}

/// What comes from now on is dropped, and credited so that it ends.
void Session::Parts::drain(std::uint32_t slot) {
  StreamEntry& entry = at(slot);
  if (entry.is_draining) return;
  entry.is_draining = true;
  entry.consumed += entry.unread_bytes() + (current_slot == slot ? current.size() : 0);
  drop_unread(slot);
  if (entry.receiving == Half::Finished) {
    entry.receiving = Half::Closed;
    check_end(slot);
    return;
  }
  credit_if_due(slot);
  if (options->linger_timeout > Duration{}) set_timer(slot, TimerKind::Linger, now + options->linger_timeout);
}

// ---- ending

void Session::Parts::drop_unsent(std::uint32_t slot) {
  StreamEntry& entry = at(slot);
  unsent_total -= entry.queued();
  entry.queue.reset();
  entry.due = static_cast<std::uint16_t>(entry.due & ~bit(Due::Finish));
  if (!entry.is_ready) return;
  entry.is_ready = false;
  scheduler.count_idle();
}

void Session::Parts::finish(std::uint32_t slot) {
  StreamEntry& entry = at(slot);
  entry.is_finish_wanted = true;
  if (entry.queued() == 0 && may_finish(entry)) set_due(slot, Due::Finish);
}

void Session::Parts::reset_stream(std::uint32_t slot, EndReason reason, std::uint64_t code) {
  StreamEntry& entry = at(slot);
  if (entry.is_ended) return;
  const bool is_on_wire = !entry.is_ours || entry.is_opened;
  const bool is_forgotten = entry.is_ours && !entry.is_accepted && !rules.finish_before_accept;
  if (rules.reset == ResetBy::None && is_on_wire && !is_forgotten) {
    entry.end = reason;
    if (!entry.is_accepted) {  // theirs: there is no other way to end it
      entry.is_accepted = true;
      --unaccepted_theirs;
      set_due(slot, Due::Accept);
    }
    drop_unsent(slot);
    if (entry.sending == Half::Open) finish(slot);
    drain(slot);
    return;
  }
  // Nothing tells the peer: the opening keeps its place among those that wait there.
  if (is_on_wire && rules.reset == ResetBy::None && rules.unaccepted_max > 0) given_up.push_back(entry.id);
  if (is_on_wire && rules.reset != ResetBy::None) {
    const bool both = rules.reset == ResetBy::Both;
    if (both || entry.sending == Half::Open) {
      entry.extras().reset_code = code;
      set_due(slot, Due::Reset);
    }
    if (both || entry.receiving == Half::Open) {
      entry.extras().stop_code = code;
      set_due(slot, Due::Stop);
    }
  }
  end_stream(slot, reason, code);
}

void Session::Parts::refuse(std::uint32_t slot, std::uint64_t code) {
  ++counters.streams_refused;
  if (rules.refuse == RefuseBy::Silence) {
    end_stream(slot, EndReason::RefusedHere, code);
  } else {
    reset_stream(slot, EndReason::RefusedHere, code != 0 ? code : dialect.code_for(Fault::Refused));
  }
}

// ---- verbs

VerbResult<Stream> Session::open(const OpenOptions& options, Time now) {
  Parts& p = *parts_;
  p.now = now;
  if (p.state != SessionState::Open || p.peer_went_away) return std::unexpected(VerbError::Closed);
  if (p.unopened_ours >= p.options->opens_waiting_max) return std::unexpected(VerbError::LimitReached);
  // Ids are given in order when openings are frozen; each one promised here must have one.
  if (!parts_->rules.ids_wrap && p.next_id + std::uint64_t{2} * p.unopened_ours > parts_->rules.id_last)
    return std::unexpected(VerbError::LimitReached);
  const std::uint32_t slot = p.new_stream(true);
  StreamEntry& entry = p.at(slot);
  entry.urgency = std::min<std::uint8_t>(options.urgency, 7);
  entry.user = options.user;
  if (options.stream_type != 0) entry.extras().stream_type = options.stream_type;
  if (!options.metadata.empty() && parts_->rules.metadata_bytes_max > 0)
    entry.extras().metadata = Buffer::copy_of(
        options.metadata.first(std::min(options.metadata.size(), parts_->rules.metadata_bytes_max)));
  ++p.counters.streams_opened;
  if (!parts_->rules.open_lazily) p.set_due(slot, Due::Open);
  return p.streams.handle(slot);
}

VerbResult<> Session::accept(Stream stream, Time now) {
  Parts& p = *parts_;
  p.now = now;
  StreamEntry* entry = p.streams.find(stream);
  if (entry == nullptr || entry->is_ended) return std::unexpected(VerbError::NoStream);
  if (entry->is_ours || entry->is_accepted) return {};
  entry->is_accepted = true;
  --p.unaccepted_theirs;
  ++p.counters.streams_accepted;
  p.set_timer(stream.slot, TimerKind::Accept, time_never);
  if (parts_->rules.accept_by != AcceptBy::Nothing && parts_->rules.accept_when == AcceptWhen::Application)
    p.set_due(stream.slot, Due::Accept);
  p.credit_if_due(stream.slot);  // its type, and what the window exceeds the fixed start
  if (entry->unread_bytes() > 0) {
    p.tell(stream.slot, Tell::Data);
  } else if (entry->receiving == Half::Finished) {
    p.tell(stream.slot, Tell::Finished);
  }
  p.check_end(stream.slot);
  return {};
}

VerbResult<> Session::refuse(Stream stream, std::uint64_t code, Time now) {
  Parts& p = *parts_;
  p.now = now;
  StreamEntry* entry = p.streams.find(stream);
  if (entry == nullptr || entry->is_ended) return std::unexpected(VerbError::NoStream);
  if (entry->is_ours || entry->is_accepted) return std::unexpected(VerbError::Closed);
  p.refuse(stream.slot, code);
  return {};
}

/// How much of `wanted` may be taken now; remembers that more was wanted.
VerbResult<std::size_t> Session::Parts::write_room(Stream stream, std::size_t wanted, StreamEntry*& entry) {
  entry = streams.find(stream);
  if (entry == nullptr || entry->is_ended) return std::unexpected(VerbError::NoStream);
  if (entry->sending != Half::Open || entry->is_finish_wanted || !is_open())
    return std::unexpected(VerbError::Closed);
  if (!entry->is_ours && !entry->is_accepted) return std::unexpected(VerbError::NotAccepted);
  const std::size_t queued = entry->queued();
  const std::uint64_t credit = entry->send_limit - entry->sent - queued;
  const std::size_t ahead = options->unsent_bytes_max - std::min(options->unsent_bytes_max, queued);
  const std::size_t room = static_cast<std::size_t>(std::min<std::uint64_t>({wanted, credit, ahead}));
  if (room < wanted) {
    entry->wants_write = true;
    entry->was_blocked = credit <= room;
  }
  return room;
}

VerbResult<std::size_t> Session::write(Stream stream, Bytes bytes, Time now) {
  Parts& p = *parts_;
  p.now = now;
  StreamEntry* entry = nullptr;
  const VerbResult<std::size_t> room = p.write_room(stream, bytes.size(), entry);
  if (!room || *room == 0) return room;
  if (entry->queue == nullptr) entry->queue = p.borrow_queue();
  entry->queue->add_copied(bytes.first(*room));
  p.unsent_total += *room;
  p.make_ready(stream.slot);
  return room;
}

VerbResult<std::size_t> Session::write(Stream stream, const Buffer& owner, Bytes part, Time now) {
  if (part.size() < copy_below_bytes) return write(stream, part, now);
  Parts& p = *parts_;
  p.now = now;
  StreamEntry* entry = nullptr;
  const VerbResult<std::size_t> room = p.write_room(stream, part.size(), entry);
  if (!room || *room == 0) return room;
  if (entry->queue == nullptr) entry->queue = p.borrow_queue();
  entry->queue->add_shared(owner, part.first(*room));
  p.unsent_total += *room;
  p.make_ready(stream.slot);
  return room;
}

MutableBytes Session::readable(Stream stream) noexcept {
  Parts& p = *parts_;
  StreamEntry* entry = p.streams.find(stream);
  if (entry == nullptr || !entry->is_accepted) return {};
  if (p.current_slot == stream.slot) return p.current;
  return entry->unread.empty() ? MutableBytes{} : entry->unread.mutable_bytes().subspan(entry->unread_begin);
}

void Session::consume(Stream stream, std::size_t bytes, Time now) {
  parts_->now = now;
  if (parts_->streams.find(stream) != nullptr && bytes > 0) parts_->consume(stream.slot, bytes);
}

std::size_t Session::read(Stream stream, MutableBytes out, Time now) {
  const MutableBytes from = readable(stream);
  const std::size_t count = std::min(from.size(), out.size());
  if (count == 0) return 0;
  std::memcpy(out.data(), from.data(), count);
  consume(stream, count, now);
  return count;
}

VerbResult<> Session::close_write(Stream stream, Time now) {
  Parts& p = *parts_;
  p.now = now;
  StreamEntry* entry = p.streams.find(stream);
  if (entry == nullptr || entry->is_ended) return std::unexpected(VerbError::NoStream);
  if (!entry->is_ours && !entry->is_accepted) return std::unexpected(VerbError::NotAccepted);
  if (entry->sending == Half::Open && !entry->is_finish_wanted) p.finish(stream.slot);
  return {};
}

VerbResult<> Session::stop_receiving(Stream stream, std::uint64_t code, Time now) {
  Parts& p = *parts_;
  p.now = now;
  StreamEntry* entry = p.streams.find(stream);
  if (entry == nullptr || entry->is_ended) return std::unexpected(VerbError::NoStream);
  if (entry->receiving == Half::Closed) return {};
  if (parts_->rules.stop != StopBy::Wire) {
    p.drain(stream.slot);
    return {};
  }
  if (entry->receiving == Half::Open) {
    entry->end = EndReason::ResetHere;
    entry->extras().stop_code = entry->extras().end_code = code;
    p.set_due(stream.slot, Due::Stop);
  }
  p.drop_unread(stream.slot);
  entry->receiving = Half::Closed;
  p.check_end(stream.slot);
  return {};
}

VerbResult<> Session::abort_write(Stream stream, std::uint64_t code, Time now) {
  Parts& p = *parts_;
  p.now = now;
  StreamEntry* entry = p.streams.find(stream);
  if (entry == nullptr || entry->is_ended) return std::unexpected(VerbError::NoStream);
  if (!entry->is_ours && !entry->is_accepted) return std::unexpected(VerbError::NotAccepted);
  if (entry->sending != Half::Open) return {};
  if (parts_->rules.reset != ResetBy::PerDirection) {
    p.reset_stream(stream.slot, EndReason::ResetHere, code);
    return {};
  }
  p.drop_unsent(stream.slot);
  entry->sending = Half::Closed;
  entry->end = EndReason::ResetHere;
  entry->extras().reset_code = entry->extras().end_code = code;
  p.set_due(stream.slot, Due::Reset);
  p.check_end(stream.slot);
  return {};
}

VerbResult<> Session::reset(Stream stream, std::uint64_t code, Time now) {
  Parts& p = *parts_;
  p.now = now;
  StreamEntry* entry = p.streams.find(stream);
  if (entry == nullptr || entry->is_ended) return std::unexpected(VerbError::NoStream);
  p.reset_stream(stream.slot, EndReason::ResetHere, code);
  return {};
}

VerbResult<> Session::set_deadline(Stream stream, DeadlineKind kind, Time when) {
  StreamEntry* entry = parts_->streams.find(stream);
  if (entry == nullptr || entry->is_ended) return std::unexpected(VerbError::NoStream);
  parts_->set_timer(stream.slot, kind == DeadlineKind::Read ? TimerKind::Read : TimerKind::Write, when);
  return {};
}

VerbResult<> Session::set_urgency(Stream stream, std::uint8_t urgency) {
  StreamEntry* entry = parts_->streams.find(stream);
  if (entry == nullptr || entry->is_ended) return std::unexpected(VerbError::NoStream);
  entry->urgency = std::min<std::uint8_t>(urgency, 7);
  return {};
}

VerbResult<> Session::set_user(Stream stream, void* user) {
  StreamEntry* entry = parts_->streams.find(stream);
  if (entry == nullptr) return std::unexpected(VerbError::NoStream);
  entry->user = user;
  return {};
}

bool Session::is_live(Stream stream) const noexcept {
  const StreamEntry* entry = parts_->streams.find(stream);
  return entry != nullptr && !entry->is_ended;
}

std::optional<StreamStatistics> Session::statistics(Stream stream) const {
  const StreamEntry* entry = parts_->streams.find(stream);
  if (entry == nullptr) return std::nullopt;
  return StreamStatistics{.id = entry->id,
                          .has_id = entry->has_id,
                          .sent_bytes = entry->sent,
                          .received_bytes = entry->received,
                          .consumed_bytes = entry->consumed,
                          .send_credit_bytes = entry->send_limit - entry->sent,
                          .window_bytes = entry->window,
                          .unread_bytes = entry->unread_bytes(),
                          .unsent_bytes = entry->queued(),
                          .sending = entry->sending,
                          .receiving = entry->receiving};
}

}  // namespace sinnet::mux
