#pragma once
/// What a multiplexer session tells its user. One flat value, polled from mux::Session.

#include <compare>
#include <cstdint>
#include <string_view>

#include "sinnet/base/bytes.hpp"
#include "sinnet/base/time.hpp"
#include "sinnet/mux/dialect.hpp"

namespace sinnet::mux {

/// Names a stream of one session. A value: never names a later stream in the same place. Default: none.
struct Stream {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  ///< 0: no stream

  [[nodiscard]] explicit operator bool() const noexcept { return generation != 0; }
  friend auto operator<=>(const Stream&, const Stream&) = default;
};

enum class EventType : std::uint8_t {
  Opened,        ///< the peer opened `stream` (`stream_type`, `urgency`, `metadata`): accept() or refuse() it
  Accepted,      ///< the peer accepted ours; only in dialects that say so
  Data,          ///< `payload`: all that is unread. consume() what is used; the rest is kept
  Finished,      ///< the peer sends no more, and all of it was consumed
  Aborted,       ///< the peer gave up its sending half alone (`code`); what was unread is lost
  Stopped,       ///< the peer reads no more (`code`): our sending half is closed
  Writable,      ///< a write() that took less than offered may go on
  ReadTimedOut,  ///< the deadline set for it passed; nothing happened on the wire
  WriteTimedOut,  ///< as above
  Ended,          ///< the last event of the stream, exactly one for each: `end`, `code`. The handle is dead
  Pong,           ///< `round_trip`
  GoneAway,       ///< the peer takes no more openings: `code`, `reason`. Streams go on
  Closed,         ///< the last event of all: the session is over. `code`, `reason`, `was_clean`
  Failed,         ///< the last event of all: the peer broke a rule. `fault`, `code` we answer, `close_code`,
                  ///< `reason`
};

enum class EndReason : std::uint8_t {
  Finished,     ///< both halves came to their ends
  Reset,        ///< by the peer: `code`
  ResetHere,    ///< by reset(), or by a stop on one half and any end on the other
  Refused,      ///< by the peer, before or instead of an acceptance, or it went away first
  RefusedHere,  ///< by refuse(), or because nobody accepted in time
  TimedOut,     ///< ours was not accepted in time, or the peer did not end in the time to linger
  Overloaded,   ///< reset here: it had most unread bytes when the session's budget was used up
  Broken,       ///< reset here: the peer broke a rule of the stream
  SessionClosed,
  SessionFailed,
};

/// Views live until the next call of the session, except that `payload` survives consume() and write().
struct Event {
  EventType type = EventType::Data;
  EndReason end = EndReason::Finished;
  Fault fault = Fault::None;
  std::uint8_t urgency = 3;
  bool was_clean = false;
  std::uint16_t close_code = 1000;  ///< for the WebSocket that carries the session
  Stream stream{};
  void* user = nullptr;  ///< what set_user() said
  std::uint64_t code = 0;
  std::uint64_t stream_type = 0;
  Duration round_trip{};
  Bytes metadata{};
  MutableBytes payload{};  ///< mutable, so that a machine above may work in place
  std::string_view reason{};
};

}  // namespace sinnet::mux
