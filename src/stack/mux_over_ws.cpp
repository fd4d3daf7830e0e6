#include "sinnet/stack/mux_over_ws.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

namespace sinnet::stack {

void receive_message(mux::Session& session, ws::MessageKind kind, MutableBytes piece, bool first, bool last,
                     Time now) {
  if (kind == ws::MessageKind::Text) {
    session.fail_carrier(mux::Fault::Malformed, "a text message carries no frames");
    return;
  }
  session.receive_piece(piece, first, last, now);
}

Buffer take_message(mux::Session& session, Time now) {
  // A batch has about 64 slices and a message is a part of one, or all. What a longer list would hold goes
  // into the next message; a frame that must be one message never has as many.
  std::array<Slice, 256> slices;
  if (session.output_message_bytes() == 0) session.prepare_output(mux_message_bytes, now);
  const std::size_t message_bytes = session.output_message_bytes();
  if (message_bytes == 0) return {};
  Buffer message = Buffer::allocate(message_bytes);
  std::size_t at = 0;
  for (const Slice& slice : std::span{slices}.first(session.output(slices))) {
    const std::size_t part = std::min(slice.size, message_bytes - at);
    if (part == 0) break;
    std::memcpy(message.mutable_bytes().data() + at, slice.data, part);
    at += part;
  }
  assert(at == message_bytes || session.dialect().rules.framing == mux::Framing::Bytes);
  message.resize(at);
  session.consume_output(at, now);
  return message;
}

ws::CloseCode close_code_of(const mux::Event& end) noexcept {
  const ws::CloseCode code{end.close_code};
  return ws::is_sendable(code) ? code : ws::CloseCode::InternalError;
}

}  // namespace sinnet::stack
