// muxado v1: 8 bytes of header, big endian; windows of 64 KiB; ids that only rise (inconshreveable/muxado
// before 2016, proto/frame/*.go).
#include <limits>

#include "mux/wire.hpp"
#include "sinnet/mux/muxado.hpp"

namespace sinnet::mux {
namespace {

constexpr std::size_t header_bytes = 8;
/// The longest frame without payload: a GoAway; a Syn with priority and type is as long.
constexpr std::size_t frame_bytes_max = 16;
constexpr std::uint64_t window_start = 64 * 1024;
constexpr std::uint32_t low_14_bits = 0x3FFF;
constexpr std::uint32_t low_31_bits = 0x7FFFFFFF;
/// proto/frame/types.go: MinExtensionType and above are extensions; the first of them is the heartbeat.
constexpr std::uint64_t heartbeat_type = 0xFFFFFEFF;
/// Urgency 0 is the priority 0x7FFFFFFF of the heartbeat, 3 is none; each step between has as many numbers.
constexpr std::uint8_t urgency_default = 3;
constexpr unsigned urgency_shift = 29;

enum Type : std::uint8_t { TypeSyn = 1, TypeRst = 2, TypeData = 3, TypeWndInc = 4, TypeGoAway = 6 };
enum Flag : std::uint8_t { FlagFin = 1, FlagPriority = 2, FlagType = 4 };
enum Code : std::uint8_t {
  CodeNone = 0,
  CodeProtocol = 1,
  CodeInternal = 2,
  CodeFlowControl = 3,
  CodeStreamClosed = 4,
  CodeFrameSize = 5,
  CodeRefusedStream = 6,
  CodeCancel = 7,
};

constexpr Decoded malformed(Fault fault, const char* reason) noexcept {
  return {.status = DecodeStatus::MalformedSession, .fault = fault, .reason = reason};
}
constexpr Decoded decoded(std::size_t size) noexcept {
  return {.status = DecodeStatus::Frame, .header_bytes = size};
}

Decoded decode_syn(Bytes input, unsigned flags, std::uint32_t length, Frame& frame) {
  const bool has_priority = (flags & FlagPriority) != 0;
  const bool has_type = (flags & FlagType) != 0;
  if (length != (has_priority ? 4U : 0U) + (has_type ? 4U : 0U))
    return malformed(Fault::FrameSize, "a Syn whose length is not that of its flags");
  // Counters begin at 0 and 1 and rise before use: the reference fails these as not higher.
  if (frame.id < 2) return malformed(Fault::Protocol, "a Syn of stream 0 or 1");
  if (input.size() < header_bytes + length) return {};
  const std::byte* at = input.data() + header_bytes;
  if (has_priority) {
    const std::uint32_t priority = load_big<std::uint32_t>(at) & low_31_bits;
    frame.urgency = static_cast<std::uint8_t>(urgency_default - (priority >> urgency_shift));
    at += 4;
  }
  if (has_type) frame.stream_type = load_big<std::uint32_t>(at);
  frame.type = FrameType::Flags;
  // FIN means that the opener will not read, whatever its name: both ends of the reference close that half.
  // Who writes all the same is answered by a Rst, so nothing is lost by passing it over.
  frame.flags.opens = true;
  return decoded(header_bytes + length);
}

Decoded decode_number(std::uint8_t type, Bytes input, std::uint32_t length, Frame& frame) {
  if (length != 4) return malformed(Fault::FrameSize, "a length other than 4");
  if (input.size() < header_bytes + 4) return {};
  const auto number = load_big<std::uint32_t>(input.data() + header_bytes);
  if (type == TypeRst) {
    frame.type = FrameType::Flags;
    frame.flags = {.resets = true, .stops = true};
    frame.code = number;
  } else {
    frame.type = FrameType::Credit;
    frame.credit = number & low_31_bits;
  }
  return decoded(header_bytes + 4);
}

Decoded decode_go_away(Bytes input, std::uint32_t length, Frame& frame) {
  if (length < 8) return malformed(Fault::FrameSize, "a GoAway of less than 8 bytes");
  if (input.size() < frame_bytes_max) return {};
  // The length says too much: no debug text is ever written behind these 8 bytes.
  frame.type = FrameType::GoAway;
  frame.last_id = load_big<std::uint32_t>(input.data() + header_bytes) & low_31_bits;
  frame.code = load_big<std::uint32_t>(input.data() + header_bytes + 4);
  return decoded(frame_bytes_max);
}

Decoded decode(const Rules& rules, Role role, Bytes input, bool whole, Frame& frame) {
  (void)rules, (void)role, (void)whole;
  if (input.size() < header_bytes) return {};
  const std::uint32_t length = load_big<std::uint16_t>(input.data()) & low_14_bits;
  const auto flags = std::to_integer<unsigned>(input[2]);
  const auto type = static_cast<std::uint8_t>(std::to_integer<unsigned>(input[3]) & 0x1FU);
  frame.id = load_big<std::uint32_t>(input.data() + 4) & low_31_bits;
  switch (type) {
    case TypeSyn: return decode_syn(input, flags, length, frame);
    case TypeRst:
    case TypeWndInc: return decode_number(type, input, length, frame);
    case TypeGoAway: return decode_go_away(input, length, frame);
    case TypeData:
      frame.type = FrameType::Data;
      frame.flags.finishes = (flags & FlagFin) != 0;
      frame.payload_bytes = length;
      return decoded(header_bytes);
    default: return malformed(Fault::Protocol, "unknown type");
  }
}

std::size_t encode_syn(const Frame& frame, unsigned& flags, std::byte* at) {
  std::byte* const begin = at;
  if (frame.urgency < urgency_default) {
    flags |= FlagPriority;
    const unsigned step = urgency_default - frame.urgency;
    store_big(at, static_cast<std::uint32_t>(((step + 1U) << urgency_shift) - 1U));
    at += 4;
  }
  if (frame.stream_type != 0 && frame.stream_type <= std::numeric_limits<std::uint32_t>::max()) {
    flags |= FlagType;
    store_big(at, static_cast<std::uint32_t>(frame.stream_type));
    at += 4;
  }
  return static_cast<std::size_t>(at - begin);
}

std::size_t encode(const Rules& rules, Role role, const Frame& frame, MutableBytes out) {
  (void)rules, (void)role;
  unsigned type = TypeData;
  unsigned flags = 0;
  std::size_t body = 0;  // what stands behind the header and is no payload
  std::byte* at = out.data() + header_bytes;
  if (frame.type == FrameType::GoAway) {
    type = TypeGoAway;
    store_big(at, static_cast<std::uint32_t>(frame.last_id));
    store_big(at + 4, static_cast<std::uint32_t>(frame.code));
    body = 8;
  } else if (frame.flags.opens) {
    type = TypeSyn;
    body = encode_syn(frame, flags, at);
  } else if (frame.type == FrameType::Credit || frame.flags.resets) {
    type = frame.flags.resets ? TypeRst : TypeWndInc;
    store_big(at, static_cast<std::uint32_t>(frame.flags.resets ? frame.code : frame.credit));
    body = 4;
  } else {
    flags = frame.flags.finishes ? unsigned{FlagFin} : 0U;
  }
  store_big(out.data(), static_cast<std::uint16_t>(body + frame.payload_bytes));
  out[2] = static_cast<std::byte>(flags);
  out[3] = static_cast<std::byte>(type);
  store_big(out.data() + 4, static_cast<std::uint32_t>(frame.id));
  return header_bytes + body;
}

std::uint64_t code_for(Fault fault) {
  switch (fault) {
    case Fault::None: return CodeNone;
    case Fault::Malformed:
    case Fault::Calm:
    case Fault::Protocol: return CodeProtocol;
    case Fault::Internal: return CodeInternal;
    case Fault::FlowControl: return CodeFlowControl;
    case Fault::StreamState: return CodeStreamClosed;
    case Fault::FrameSize: return CodeFrameSize;
    case Fault::Refused:
    case Fault::GoneAway: return CodeRefusedStream;
    case Fault::Overloaded:
    case Fault::Cancelled:
    case Fault::TimedOut: return CodeCancel;
  }
  return CodeInternal;
}

}  // namespace

Dialect muxado_v1() {
  Rules rules;
  rules.header_bytes_max = frame_bytes_max;
  rules.payload_bytes_max = low_14_bits;
  rules.first_id_client = 3;
  rules.first_id_server = 2;
  rules.id_last = low_31_bits;
  rules.id_order = IdOrder::Increasing;
  rules.open_by = OpenBy::OwnFrame;
  rules.opener_sends = rules.acceptor_sends = {.source = CreditSource::Fixed, .bytes = window_start};
  rules.credit_step_max = low_31_bits;
  rules.overrun = Reaction::Reset;
  rules.reset = ResetBy::Both;
  rules.code_bits = 32;
  rules.stop = StopBy::Reset;
  rules.refuse = RefuseBy::Reset;
  rules.never_opened = Reaction::Fail;
  rules.unknown_stream = Reaction::Reset;
  rules.after_finish = Reaction::Reset;
  rules.go_away = GoAwayKind::Drain;  // with its true length, which the reference reads rightly
  rules.go_away_names_last = true;
  rules.probe = ProbeBy::Stream;
  rules.probe_has_value = false;  // the reference counts, and never gets beyond 0
  rules.probe_stream_type = rules.reserved_types_from = heartbeat_type;
  rules.probe_at_start = true;
  return {.name = "muxado v1", .rules = rules, .decode = decode, .encode = encode, .code_for = code_for};
}

}  // namespace sinnet::mux
