#pragma once
/// A mux::Session carried by the messages of a WebSocket: which message is whose frame, and how one's end is
/// told by the other's. It holds neither of the two and does no I/O; whoever holds both calls it.

#include <cstddef>
#include <string_view>

#include "sinnet/base/bytes.hpp"
#include "sinnet/base/time.hpp"
#include "sinnet/mux/session.hpp"
#include "sinnet/ws/close.hpp"
#include "sinnet/ws/event.hpp"

namespace sinnet::stack {

/// A batch becomes one message, so this bounds what our peer must collect if it takes messages whole.
inline constexpr std::size_t mux_message_bytes = 64 * 1024;

/// Gives the session a message of the WebSocket, or a piece of one (ws::Delivery::Pieces: needed, since a
/// message of some dialects is as long as its sender likes). Only while `session.wants_input()`; poll it
/// empty and keep its input before the piece's memory is reused.
/// A text message fails the session where a binary one is meant, as all dialects do.
void receive_message(mux::Session& session, ws::MessageKind kind, MutableBytes piece, bool first, bool last,
                     Time now);

/// The next binary message to send: exactly one frame where the dialect frames by messages, otherwise all
/// that was ready, up to about mux_message_bytes. Empty: nothing is ready. The bytes are copied once, into a
/// buffer that the WebSocket takes over (and a client masks in place).
[[nodiscard]] Buffer take_message(mux::Session& session, Time now);

/// With which code the WebSocket closes when the session has said its last, from its Closed or Failed event.
/// Codes that may not be sent become 1011.
[[nodiscard]] ws::CloseCode close_code_of(const mux::Event& end) noexcept;

}  // namespace sinnet::stack
