// muxado v2: 8 bytes of header, big endian; openings ride on payload; windows start at 256 KiB and are never
// told (inconshreveable/muxado, frame/*.go).
#include <algorithm>
#include <cstring>

#include "mux/wire.hpp"
#include "sinnet/mux/muxado.hpp"

namespace sinnet::mux {
namespace {

constexpr std::size_t header_bytes = 8;
constexpr std::size_t go_away_bytes = 8;
/// Of a GoAway's debug text; the rest is passed over.
constexpr std::size_t text_bytes_max = 120;
/// config.go: DefaultMaxWindowSize, which both ends assume.
constexpr std::uint64_t window_start = 256 * 1024;
/// A length has 24 bits; frames as short as everywhere else keep a ping's way short.
constexpr std::uint64_t payload_max = 64 * 1024;
constexpr std::uint32_t low_31_bits = 0x7FFFFFFF;
/// heartbeat.go: defaultStreamType.
constexpr std::uint64_t heartbeat_type = 0xFFFFFFFF;

enum Type : std::uint8_t { TypeRst = 0, TypeData = 1, TypeWndInc = 2, TypeGoAway = 3 };
enum Flag : std::uint8_t { FlagFin = 1, FlagSyn = 2 };
enum Code : std::uint8_t {
  CodeNone = 0,
  CodeProtocol = 1,
  CodeInternal = 2,
  CodeFlowControl = 3,
  CodeStreamClosed = 4,
  CodeStreamRefused = 5,
  CodeStreamCancelled = 6,
  CodeStreamReset = 7,
  CodeFrameSize = 8,
  CodeAcceptQueueFull = 9,
  CodeEnhanceYourCalm = 10,
};

constexpr Decoded malformed(Fault fault, const char* reason) noexcept {
  return {.status = DecodeStatus::MalformedSession, .fault = fault, .reason = reason};
}

/// The four bytes that a Rst or WndInc has behind its header.
Decoded decode_number(std::uint8_t type, Bytes input, std::uint32_t length, Frame& frame) {
  if (length != 4) return malformed(Fault::FrameSize, "a length other than 4");
  if (input.size() < header_bytes + 4) return {};
  const auto number = load_big<std::uint32_t>(input.data() + header_bytes);
  if (type == TypeRst) {
    frame.type = FrameType::Flags;
    frame.flags = {.resets = true, .stops = true};
    frame.flags.refuses = number == CodeStreamRefused || number == CodeAcceptQueueFull;
    frame.code = number;
  } else {
    frame.type = FrameType::Credit;
    frame.credit = number & low_31_bits;
    if (frame.credit == 0) return malformed(Fault::Protocol, "a window increment of 0");
  }
  return {.status = DecodeStatus::Frame, .header_bytes = header_bytes + 4};
}

Decoded decode_go_away(Bytes input, std::uint32_t length, Frame& frame) {
  if (length < go_away_bytes) return malformed(Fault::FrameSize, "a GoAway of less than 8 bytes");
  if (frame.id != 0) return malformed(Fault::Protocol, "a GoAway of a stream");
  const std::size_t text_bytes = std::min<std::size_t>(length - go_away_bytes, text_bytes_max);
  const std::size_t size = header_bytes + go_away_bytes + text_bytes;
  if (input.size() < size) return {};
  frame.type = FrameType::GoAway;
  frame.last_id = load_big<std::uint32_t>(input.data() + header_bytes);
  frame.code = load_big<std::uint32_t>(input.data() + header_bytes + 4);
  frame.text = as_text(input.subspan(header_bytes + go_away_bytes, text_bytes));
  frame.payload_bytes = length - go_away_bytes - text_bytes;
  return {.status = DecodeStatus::Frame, .header_bytes = size};
}

Decoded decode(const Rules& rules, Role role, Bytes input, bool whole, Frame& frame) {
  (void)rules, (void)role, (void)whole;
  if (input.size() < header_bytes) return {};
  const auto head = load_big<std::uint32_t>(input.data());
  const std::uint32_t length = head >> 8U;
  const auto type = static_cast<std::uint8_t>(head >> 4U & 0xFU);
  frame.id = load_big<std::uint32_t>(input.data() + 4);
  if (type == TypeGoAway) return decode_go_away(input, length, frame);
  if (type > TypeGoAway) {
    frame.payload_bytes = length;
    return {.status = DecodeStatus::Skip, .header_bytes = header_bytes};
  }
  if (frame.id == 0) return malformed(Fault::Protocol, "a frame of stream 0");
  // The reference takes such an id from a Syn and dies of it when it answers.
  if (frame.id > low_31_bits) return malformed(Fault::Protocol, "an id of 32 bits");
  if (type != TypeData) return decode_number(type, input, length, frame);
  frame.type = FrameType::Data;
  frame.flags.opens = (head & FlagSyn) != 0;
  frame.flags.finishes = (head & FlagFin) != 0;
  frame.payload_bytes = length;
  return {.status = DecodeStatus::Frame, .header_bytes = header_bytes};
}

std::size_t encode(const Rules& rules, Role role, const Frame& frame, MutableBytes out) {
  (void)rules, (void)role;
  unsigned type = TypeData;
  unsigned flags = 0;
  std::uint64_t length = 0;
  std::size_t body = 0;  // what stands behind the header and is no payload
  std::byte* at = out.data() + header_bytes;
  if (frame.type == FrameType::GoAway) {
    const std::string_view text = frame.text.substr(0, text_bytes_max);
    type = TypeGoAway;
    store_big(at, static_cast<std::uint32_t>(frame.last_id));
    store_big(at + 4, static_cast<std::uint32_t>(frame.code));
    if (!text.empty()) std::memcpy(at + go_away_bytes, text.data(), text.size());
    length = body = go_away_bytes + text.size();
  } else if (frame.type == FrameType::Credit || frame.flags.resets) {
    type = frame.flags.resets ? TypeRst : TypeWndInc;
    store_big(at, static_cast<std::uint32_t>(frame.flags.resets ? frame.code : frame.credit));
    length = body = 4;
  } else {  // payload, or a finish: an empty Data, since nothing else carries one
    flags = (frame.flags.finishes ? unsigned{FlagFin} : 0U) | (frame.flags.opens ? unsigned{FlagSyn} : 0U);
    length = frame.payload_bytes;
  }
  store_big(out.data(), static_cast<std::uint32_t>(length << 8U | type << 4U | flags));
  store_big(out.data() + 4, static_cast<std::uint32_t>(frame.id));
  return header_bytes + body;
}

std::uint64_t code_for(Fault fault) {
  switch (fault) {
    case Fault::None: return CodeNone;
    case Fault::Malformed:
    case Fault::Protocol: return CodeProtocol;
    case Fault::Internal: return CodeInternal;
    case Fault::FlowControl: return CodeFlowControl;
    case Fault::StreamState: return CodeStreamClosed;
    case Fault::Refused:
    case Fault::GoneAway: return CodeStreamRefused;
    case Fault::Cancelled:
    case Fault::TimedOut: return CodeStreamCancelled;
    case Fault::Overloaded: return CodeStreamReset;
    case Fault::FrameSize: return CodeFrameSize;
    case Fault::Calm: return CodeEnhanceYourCalm;
  }
  return CodeInternal;
}

}  // namespace

Dialect muxado_v2() {
  Rules rules;
  rules.header_bytes_max = header_bytes + go_away_bytes + text_bytes_max;
  rules.payload_bytes_max = payload_max;
  rules.first_id_client = 3;
  rules.first_id_server = 2;
  rules.id_last = low_31_bits;
  rules.id_order = IdOrder::Reusable;
  rules.open_by = OpenBy::FlagOnData;
  rules.open_lazily = true;
  rules.may_finish_in_open = false;  // the reference closes the acceptor's sending half then
  rules.opener_sends = rules.acceptor_sends = {.source = CreditSource::Fixed, .bytes = window_start};
  rules.credit_at_once = true;  // the peer's window may be smaller than ours, and nothing says so
  rules.credit_step_max = low_31_bits;
  rules.overrun = Reaction::Reset;
  rules.reset = ResetBy::Both;
  rules.code_bits = 32;
  rules.stop = StopBy::Reset;
  rules.refuse = RefuseBy::Reset;
  rules.unknown_stream = Reaction::Reset;
  rules.after_finish = Reaction::Reset;
  rules.go_away = GoAwayKind::Last;  // the reference eats 8 bytes of what follows it
  rules.go_away_names_last = true;
  return {.name = "muxado v2", .rules = rules, .decode = decode, .encode = encode, .code_for = code_for};
}

Dialect muxado_v2_typed() {
  Dialect dialect = muxado_v2();
  dialect.name = "muxado v2 typed";
  dialect.rules.open_lazily = false;
  dialect.rules.type_bytes = 4;
  dialect.rules.probe = ProbeBy::Stream;
  dialect.rules.probe_stream_type = heartbeat_type;
  return dialect;
}

}  // namespace sinnet::mux
