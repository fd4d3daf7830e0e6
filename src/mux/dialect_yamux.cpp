// yamux: 12 bytes of header, big endian; windows start at 256 KiB (hashicorp/yamux spec.md).
#include <algorithm>
#include <cassert>

#include "mux/wire.hpp"
#include "sinnet/mux/yamux.hpp"

namespace sinnet::mux {
namespace {

constexpr std::size_t header_bytes = 12;
/// spec.md "Flow Control": hard-wired in every implementation.
constexpr std::uint64_t window_start = 256 * 1024;
/// spec.md leaves a frame's size open; rust-yamux and libp2p send 16 KiB, everybody takes 64.
constexpr std::uint64_t payload_max = 64 * 1024;
/// AcceptBacklog of hashicorp/yamux: the peer resets what is opened beyond.
constexpr std::uint32_t backlog = 256;

enum Type : std::uint8_t { TypeData = 0, TypeWindowUpdate = 1, TypePing = 2, TypeGoAway = 3 };
enum Flag : std::uint16_t { FlagSyn = 1, FlagAck = 2, FlagFin = 4, FlagRst = 8 };

constexpr Decoded malformed(Fault fault, const char* reason) noexcept {
  return {.status = DecodeStatus::MalformedSession, .fault = fault, .reason = reason};
}

Decoded decode(const Rules& rules, Role role, Bytes input, bool whole, Frame& frame) {
  (void)rules, (void)role, (void)whole;
  // What is there decides at once: a byte-wise peer learns of its fault no later than another.
  if (!input.empty() && input[0] != std::byte{0}) return malformed(Fault::Malformed, "version is not 0");
  if (input.size() < header_bytes) return {};
  const auto type = std::to_integer<std::uint8_t>(input[1]);
  const auto flags = load_big<std::uint16_t>(input.data() + 2);
  const auto length = load_big<std::uint32_t>(input.data() + 8);
  frame.id = load_big<std::uint32_t>(input.data() + 4);
  Decoded decoded{.status = DecodeStatus::Frame, .header_bytes = header_bytes};
  switch (type) {
    case TypeData:
      frame.type = FrameType::Data;
      frame.payload_bytes = length;
      break;
    case TypeWindowUpdate:
      frame.type = FrameType::Credit;
      frame.credit = length;
      break;
    case TypePing:
      frame.type = (flags & FlagSyn) != 0 ? FrameType::Ping : FrameType::Pong;
      frame.value = length;
      return decoded;
    case TypeGoAway:
      frame.type = FrameType::GoAway;
      frame.code = length;
      return decoded;
    default: return malformed(Fault::Malformed, "unknown type");
  }
  frame.flags.opens = (flags & FlagSyn) != 0;
  frame.flags.accepts = (flags & FlagAck) != 0;
  frame.flags.finishes = (flags & FlagFin) != 0;
  frame.flags.resets = frame.flags.stops = (flags & FlagRst) != 0;
  if (frame.id == 0) {
    // spec.md "StreamID field": 0 is the session. hashicorp/yamux opens a stream there; no sender means it.
    if (frame.flags.opens) return malformed(Fault::Protocol, "a stream with id 0");
    decoded.status = DecodeStatus::Skip;
  }
  return decoded;
}

std::size_t encode(const Rules& rules, Role role, const Frame& frame, MutableBytes out) {
  (void)rules, (void)role;
  unsigned type = TypeWindowUpdate;
  const auto flag = [](bool is_set, Flag value) { return is_set ? static_cast<unsigned>(value) : 0U; };
  unsigned flags = flag(frame.flags.opens, FlagSyn) | flag(frame.flags.accepts, FlagAck) |
                   flag(frame.flags.finishes, FlagFin) | flag(frame.flags.resets, FlagRst);
  std::uint64_t length = 0;
  switch (frame.type) {
    case FrameType::Data:
      type = TypeData;
      length = frame.payload_bytes;
      break;
    case FrameType::Credit: length = frame.credit; break;
    case FrameType::Ping:
    case FrameType::Pong:
      type = TypePing;
      flags = frame.type == FrameType::Ping ? FlagSyn : FlagAck;
      length = frame.value & 0xFFFFFFFFU;
      break;
    case FrameType::GoAway:
      type = TypeGoAway;
      length = frame.code;
      break;
    case FrameType::Flags: break;
    default: assert(false);
  }
  out[0] = std::byte{0};
  out[1] = static_cast<std::byte>(type);
  store_big(out.data() + 2, static_cast<std::uint16_t>(flags));
  store_big(out.data() + 4, static_cast<std::uint32_t>(frame.id));
  store_big(out.data() + 8, static_cast<std::uint32_t>(length));
  return header_bytes;
}

/// GoAway codes: 0 normal, 1 protocol error, 2 internal error. Resets carry none.
std::uint64_t code_for(Fault fault) {
  return fault == Fault::None ? 0 : fault == Fault::Internal || fault == Fault::Overloaded ? 2 : 1;
}

}  // namespace

Dialect yamux() {
  Rules rules;
  rules.header_bytes_max = header_bytes;
  rules.payload_bytes_max = payload_max;
  rules.first_id_client = 1;
  rules.first_id_server = 2;
  rules.id_last = 0xFFFFFFFF;
  rules.id_order = IdOrder::Reusable;
  rules.open_by = OpenBy::FlagOnCredit;
  rules.accept_by = AcceptBy::Flag;
  rules.unaccepted_max = backlog;
  rules.opener_sends = rules.acceptor_sends = {.source = CreditSource::Fixed, .bytes = window_start};
  rules.finish_on_data = false;  // as hashicorp/yamux: WindowUpdate|FIN
  rules.reset = ResetBy::Both;
  rules.stop = StopBy::Reset;
  rules.refuse = RefuseBy::Reset;
  rules.unknown_stream = Reaction::Ignore;
  rules.after_finish = Reaction::Reset;
  rules.go_away = GoAwayKind::Drain;
  rules.probe = ProbeBy::Frame;
  return {.name = "yamux", .rules = rules, .decode = decode, .encode = encode, .code_for = code_for};
}

}  // namespace sinnet::mux
