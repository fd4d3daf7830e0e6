#pragma once
/// Unfinished: what a connection has only in the middle of something: of a frame, of a message, of input it
/// could not take, or of its own end. Data only; ws::Connection alone reads and changes it.

#include <array>
#include <cstdint>
#include <string_view>

#include "sinnet/base/bytes.hpp"
#include "sinnet/ws/close.hpp"
#include "sinnet/ws/event.hpp"
#include "sinnet/ws/frame.hpp"
#include "sinnet/ws/utf8.hpp"

namespace sinnet::ws {

/// Borrowed from Resources and given back at the end of the slot in which everything was finished, so that
/// neither a connection at rest nor one with whole short messages has any.
struct Unfinished {
  Buffer kept_input;                  ///< input copied by keep_input, then decoded from here
  Buffer late_pong;                   ///< the newest ping's payload, when too many pongs wait
  Buffer control;                     ///< the payload of a control frame that did not arrive in one piece
  Buffer message;                     ///< a message under way, or the one being lent
  std::uint64_t message_bytes = 0;    ///< payload of the message so far, as on the wire
  std::uint64_t inflated_bytes = 0;   ///< Pieces: of the message, handed over already
  std::uint64_t frame_remaining = 0;  ///< payload of the current frame still to come
  std::string_view final_reason{};    ///< always a literal: peers' reasons are lent with the event itself
  MaskKey mask_key{};                 ///< rotated so that it always fits the next payload byte
  std::array<std::byte, frame_header_bytes_max> header_carry{};
  std::uint8_t header_carried = 0;
  Utf8Validator utf8{};
  Opcode frame_opcode = Opcode::Continuation;
  MessageKind message_kind = MessageKind::Binary;
  CloseCode final_code = CloseCode::NoStatus;
};

}  // namespace sinnet::ws
