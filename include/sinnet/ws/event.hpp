#pragma once
/// What a WebSocket tells its user. One flat value, polled from ws::Connection.

#include <cstdint>
#include <string_view>

#include "sinnet/base/bytes.hpp"
#include "sinnet/ws/close.hpp"

namespace sinnet::ws {

enum class MessageKind : std::uint8_t { Text, Binary };

enum class EventType : std::uint8_t {
  Message,  ///< `kind`, `payload`, `first`, `last`, `was_compressed`
  Ping,     ///< `payload`; the pong is already queued
  Pong,     ///< `payload`
  Drained,  ///< what waits fell below half of Options::drained_below_bytes after a send went beyond it
  Closed,   ///< the last event: `code`, `reason`, `was_clean`. No message follows
  Failed,   ///< the last event: the peer broke the protocol. `code` is what we answered, `reason` says which
            ///< rule
};

/// Views (`payload`, `reason`) live until the next call of the connection.
struct Event {
  EventType type = EventType::Message;
  MessageKind kind = MessageKind::Binary;
  bool first = true;  ///< the message begins here; always with Delivery::Whole
  bool last = true;   ///< the message ends here; always with Delivery::Whole
  bool was_compressed = false;
  bool was_clean = false;  ///< Closed: both Close frames were exchanged
  CloseCode code = CloseCode::NoStatus;
  MutableBytes payload{};  ///< mutable, so that a machine above may work in place
  std::string_view reason{};
};

}  // namespace sinnet::ws
