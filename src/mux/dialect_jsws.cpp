// js-ws: a QUIC varint for the stream, two bytes for the type; one frame is one message; each half closes for
// itself, and the peer answers each closing.
#include <algorithm>
#include <cassert>

#include "mux/wire.hpp"
#include "sinnet/mux/js_ws.hpp"

namespace sinnet::mux {
namespace {

/// Error: id 8, type 2, half 1, code 8.
constexpr std::size_t header_bytes_max = 19;

enum Type : std::uint16_t { TypeData = 0, TypeCredit = 1, TypeError = 2, TypeClose = 3 };
/// Which half is to be shut at the receiver of the frame.
enum Shutdown : std::uint8_t { ShutdownRead = 0, ShutdownWrite = 1 };

/// Everything behind the type of an Error or a Close. True: it was all there, and means something.
bool take_shutdown(Bytes& rest, bool has_code, Frame& frame) noexcept {
  if (rest.empty()) return false;
  const auto shutdown = std::to_integer<std::uint8_t>(rest[0]);
  rest = rest.subspan(1);
  const bool is_read = shutdown == ShutdownRead;
  frame.type = FrameType::Flags;
  frame.flags.resets = has_code && is_read;
  frame.flags.stops = has_code && !is_read;
  frame.flags.finishes = !has_code && is_read;
  frame.flags.answers = !has_code && !is_read;
  return !has_code || take_varint(rest, frame.code);
}

Decoded decode(const Rules& rules, Role role, Bytes input, bool whole, Frame& frame) {
  (void)rules, (void)role;
  Bytes rest = input;
  if (!take_varint(rest, frame.id)) {
    if (!whole) return {};
    return {.status = DecodeStatus::MalformedSession,
            .fault = Fault::Malformed,
            .reason = "a stream id that does not end"};
  }
  // A frame that names its stream harms no other.
  const Decoded malformed{.status = DecodeStatus::MalformedStream,
                          .header_bytes = input.size(),
                          .fault = Fault::Malformed,
                          .reason = "malformed stream message"};
  if (rest.size() < 2) return whole ? malformed : Decoded{};
  const auto type = load_big<std::uint16_t>(rest.data());
  rest = rest.subspan(2);
  bool is_there = true;
  switch (type) {
    case TypeData: frame.type = FrameType::Data; break;
    case TypeCredit:
      frame.type = FrameType::Credit;
      is_there = rest.size() >= 4;
      if (!is_there) break;
      frame.credit = load_big<std::uint32_t>(rest.data());
      rest = rest.subspan(4);
      break;
    case TypeError:
    case TypeClose:
      if (!rest.empty() && std::to_integer<std::uint8_t>(rest[0]) > ShutdownWrite) return malformed;
      is_there = take_shutdown(rest, type == TypeError, frame);
      break;
    default: return malformed;
  }
  if (!is_there) return whole ? malformed : Decoded{};
  return {.status = DecodeStatus::Frame, .header_bytes = input.size() - rest.size()};
}

std::size_t encode(const Rules& rules, Role role, const Frame& frame, MutableBytes out) {
  (void)rules, (void)role;
  const bool is_error = frame.flags.resets || frame.flags.stops;
  Type type = is_error ? TypeError : TypeClose;
  if (frame.type == FrameType::Data) type = TypeData;
  if (frame.type == FrameType::Credit) type = TypeCredit;
  assert(frame.type == FrameType::Flags || type == TypeData || type == TypeCredit);
  std::byte* to = put_varint(out.data(), frame.id);
  store_big(to, static_cast<std::uint16_t>(type));
  to += 2;
  if (type == TypeCredit) {
    store_big(to, static_cast<std::uint32_t>(frame.credit));
    to += 4;
  } else if (type != TypeData) {
    const bool is_read = frame.flags.resets || (frame.flags.finishes && !frame.flags.stops);
    *to++ = static_cast<std::byte>(is_read ? ShutdownRead : ShutdownWrite);
    if (is_error) to = put_varint(to, std::min(frame.code, varint_max));
  }
  return static_cast<std::size_t>(to - out.data());
}

/// Codes belong to the applications; 0 is what the reference sends when nobody named one.
std::uint64_t code_for(Fault fault) {
  (void)fault;
  return 0;
}

}  // namespace

Dialect js_ws() {
  Rules rules;
  rules.framing = Framing::Messages;
  rules.header_bytes_max = header_bytes_max;
  rules.first_id_client = 0;
  rules.first_id_server = 1;
  rules.id_last = varint_max;
  rules.id_order = IdOrder::NeverReused;
  rules.parity_checked = false;  // a late credit for a stream of ours looks like an opening
  rules.open_by = OpenBy::FirstCredit;
  rules.accept_by = AcceptBy::FirstCredit;
  rules.accept_when = AcceptWhen::Application;
  rules.opener_sends = rules.acceptor_sends = {.source = CreditSource::Granted};
  rules.overrun = Reaction::Reset;
  rules.finish_on_data = false;
  rules.reset = ResetBy::PerDirection;
  rules.code_bits = 62;
  rules.stop = StopBy::Wire;
  rules.refuse = RefuseBy::Reset;
  rules.answers_finish = true;
  rules.answers_reset = true;
  rules.unknown_stream = Reaction::Burn;
  rules.after_finish = Reaction::Reset;
  rules.go_away = GoAwayKind::None;
  rules.probe = ProbeBy::Carrier;
  return {.name = "js-ws", .rules = rules, .decode = decode, .encode = encode, .code_for = code_for};
}

}  // namespace sinnet::mux
