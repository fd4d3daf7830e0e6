// Streams that no user hears of: those of ProbeBy::Stream; and openings whose first payload is their type.
#include <algorithm>
#include <array>
#include <cstring>

#include "mux/session_parts.hpp"
#include "mux/wire.hpp"

namespace sinnet::mux {
namespace {

/// muxado's beat: the acceptor sends back what it gets, whatever it is.
constexpr std::size_t beat_bytes = 4;
constexpr std::uint32_t beat_value_max = 0x7FFFFFFF;
/// Echoes that wait: a peer sends a beat in seconds, not hundreds at once.
constexpr std::size_t echo_bytes_max = 1024;

}  // namespace

bool Session::Parts::can_probe() const noexcept {
  if (rules.probe != ProbeBy::Stream) return rules.probe == ProbeBy::Frame;
  return probe_slot != no_slot || (!is_probe_lost && state == SessionState::Open && !peer_went_away);
}

void Session::Parts::open_probe() {
  is_probe_lost = next_id > rules.id_last;
  if (is_probe_lost) return;
  probe_slot = new_stream(true);
  StreamEntry& entry = at(probe_slot);
  entry.is_hidden = entry.is_untold = true;
  entry.urgency = 0;
  entry.extras().stream_type = rules.probe_stream_type;
  --live;
  set_due(probe_slot, Due::Open);
}

/// Whether ours can carry a probe. Opened if it must be; given up when the peer finished or credits nothing.
bool Session::Parts::ready_probe() {
  if (probe_slot == no_slot && can_probe()) open_probe();
  if (probe_slot == no_slot) return false;
  const StreamEntry& entry = at(probe_slot);
  if (!entry.is_opened) freeze_open(probe_slot);
  if (entry.sending == Half::Open && entry.receiving == Half::Open &&
      entry.send_limit - entry.sent >= beat_bytes)
    return true;
  reset_stream(probe_slot, EndReason::Broken, dialect.code_for(Fault::Cancelled));
  return false;
}

void Session::Parts::freeze_beat() {
  StreamEntry& entry = at(probe_slot);
  freeze({.type = FrameType::Data, .id = entry.id, .payload_bytes = beat_bytes});
  std::array<std::byte, beat_bytes> beat{};
  if (rules.probe_has_value) store_big(beat.data(), static_cast<std::uint32_t>(ping_value) & beat_value_max);
  std::memcpy(outbox.add(beat.size()).data(), beat.data(), beat.size());
  if (rules.framing == Framing::Messages) outbox.end_frame();
  entry.sent += beat.size();
}

/// A stream of the peer with all that an opening says: the user hears of it, or nobody does.
void Session::Parts::announce(std::uint32_t slot) {
  const StreamEntry& entry = at(slot);
  const std::uint64_t type = entry.extra == nullptr ? 0 : entry.extra->stream_type;
  if (rules.probe == ProbeBy::Stream && type == rules.probe_stream_type) return serve_probe(slot);
  if (rules.reserved_types_from != 0 && type >= rules.reserved_types_from)
    return refuse(slot, dialect.code_for(Fault::StreamState));
  tell(slot, Tell::Opened);
}

/// One of them is echoed; a second one serves nothing.
void Session::Parts::serve_probe(std::uint32_t slot) {
  if (echo_slot != no_slot) return refuse(slot, 0);
  echo_slot = slot;
  StreamEntry& entry = at(slot);
  entry.is_hidden = entry.is_accepted = true;
  entry.urgency = 0;
  set_timer(slot, TimerKind::Accept, time_never);
  --unaccepted_theirs;
  --live;
  check_drained();
}

void Session::Parts::handle_probe_payload(std::uint32_t slot, Bytes payload) {
  StreamEntry& entry = at(slot);
  entry.consumed += payload.size();
  credit_if_due(slot);
  if (!entry.is_ours) return echo(slot, payload);
  for (const std::byte byte : payload) {
    echo_value = echo_value << 8U | std::to_integer<std::uint32_t>(byte);
    if (++echo_bytes % beat_bytes != 0) continue;
    if (!rules.probe_has_value || echo_value == (ping_value & beat_value_max)) handle_pong(ping_value);
  }
}

void Session::Parts::echo(std::uint32_t slot, Bytes payload) {
  StreamEntry& entry = at(slot);
  if (entry.sending != Half::Open || entry.is_finish_wanted) return;
  const std::uint64_t credit = entry.send_limit - entry.sent - entry.queued();
  if (payload.size() > std::min<std::uint64_t>(credit, echo_bytes_max - entry.queued()))
    return reset_stream(slot, EndReason::Broken, dialect.code_for(Fault::Calm));
  if (entry.queue == nullptr) entry.queue = borrow_queue();
  entry.queue->add_copied(payload);
  unsent_total += payload.size();
  make_ready(slot);
}

/// Ours is not opened again: who resets it does not answer the next one either.
void Session::Parts::hidden_ended(std::uint32_t slot) {
  if (slot == echo_slot) echo_slot = no_slot;
  if (slot != probe_slot) return;
  probe_slot = no_slot;
  is_probe_lost = true;
  ping_due = ping_waiting = is_probe = false;
}

/// Payload that belongs to the opening; answers what is behind it.
MutableBytes Session::Parts::take_type(std::uint32_t slot, MutableBytes payload) {
  StreamEntry& entry = at(slot);
  const auto size =
      static_cast<std::size_t>(std::min<std::uint64_t>(rules.type_bytes - entry.received, payload.size()));
  StreamExtra& extra = entry.extras();
  for (const std::byte byte : payload.first(size))
    extra.stream_type = extra.stream_type << 8U | std::to_integer<std::uint64_t>(byte);
  entry.received += size;
  entry.consumed += size;
  if (entry.received == rules.type_bytes) announce(slot);
  credit_if_due(slot);
  return payload.subspan(size);
}

/// The type that others take from the first payload.
void Session::Parts::freeze_type(std::uint32_t slot) {
  const StreamEntry& entry = at(slot);
  std::uint64_t type = entry.extra == nullptr ? 0 : entry.extra->stream_type;
  const MutableBytes bytes = outbox.add(rules.type_bytes);
  for (std::size_t i = bytes.size(); i-- > 0; type >>= 8U) bytes[i] = static_cast<std::byte>(type & 0xFFU);
}

}  // namespace sinnet::mux
