#pragma once
/// Dialects that exist in tests only: one plain encoding of all a Frame can say, under the rules of different
/// families. They show that the session follows rules, whatever speaks them.

#include "mux/wire.hpp"
#include "sinnet/mux/dialect.hpp"

namespace sinnet::mux::test {

/// type | flags | id | credit | code | value | payload bytes (Framing::Bytes only), the last five as varints.
inline Decoded decode_plain(const Rules& rules, Role, Bytes input, bool whole, Frame& frame) {
  Bytes rest = input;
  if (rest.size() < 2) return {};
  const auto type = std::to_integer<std::uint8_t>(rest[0]);
  const auto flags = std::to_integer<unsigned>(rest[1]);
  rest = rest.subspan(2);
  const bool is_message = rules.framing == Framing::Messages;
  if (!take_varint(rest, frame.id) || !take_varint(rest, frame.credit) || !take_varint(rest, frame.code) ||
      !take_varint(rest, frame.value) || (!is_message && !take_varint(rest, frame.payload_bytes)))
    return {};
  if (type > static_cast<unsigned>(FrameType::GoAway))
    return {.status = DecodeStatus::MalformedSession, .fault = Fault::Malformed, .reason = "type"};
  frame.type = static_cast<FrameType>(type);
  if (is_message && frame.type != FrameType::Data) {  // exactly as long as its fields, as wsmux wants it
    if (!rest.empty())
      return {.status = DecodeStatus::MalformedSession, .fault = Fault::FrameSize, .reason = "size"};
    if (!whole) return {};
  }
  frame.flags = {.opens = (flags & 1U) != 0,
                 .accepts = (flags & 2U) != 0,
                 .finishes = (flags & 4U) != 0,
                 .resets = (flags & 8U) != 0,
                 .stops = (flags & 16U) != 0,
                 .answers = (flags & 32U) != 0};
  return {.status = DecodeStatus::Frame, .header_bytes = input.size() - rest.size()};
}

inline std::size_t encode_plain(const Rules& rules, Role, const Frame& frame, MutableBytes out) {
  const bool is_silent = rules.open_by == OpenBy::FirstCredit;  // the first credit alone says it
  const FrameFlags& flags = frame.flags;
  out[0] = static_cast<std::byte>(frame.type);
  out[1] = static_cast<std::byte>((flags.opens && !is_silent ? 1U : 0U) |
                                  (flags.accepts && rules.accept_by == AcceptBy::Flag ? 2U : 0U) |
                                  (flags.finishes ? 4U : 0U) | (flags.resets ? 8U : 0U) |
                                  (flags.stops ? 16U : 0U) | (flags.answers ? 32U : 0U));
  std::byte* at = out.data() + 2;
  for (const std::uint64_t field : {frame.id, frame.credit, frame.code, frame.value})
    at = put_varint(at, field);
  if (rules.framing == Framing::Bytes) at = put_varint(at, frame.payload_bytes);
  return static_cast<std::size_t>(at - out.data());
}

inline Dialect plain(std::string_view name) {
  Rules rules;
  rules.header_bytes_max = 42;
  return {.name = name,
          .rules = rules,
          .decode = decode_plain,
          .encode = encode_plain,
          .code_for = [](Fault fault) { return static_cast<std::uint64_t>(fault); }};
}

/// Messages; the first credit opens and accepts, nothing refuses or resets; one side assumes its credit.
inline Dialect plain_like_wsmux() {
  Dialect dialect = plain("plain like wsmux");
  Rules& rules = dialect.rules;
  rules.framing = Framing::Messages;
  rules.first_id_server = 0;
  rules.id_order = IdOrder::Reusable;
  rules.ids_wrap = true;
  rules.accept_by = AcceptBy::FirstCredit;
  rules.opener_sends = {.source = CreditSource::Granted};
  rules.acceptor_sends = {.source = CreditSource::Assumed, .bytes = 1024};
  rules.opener_receives = 4096;
  rules.credit_before_accept = false;
  rules.credit_at_once = true;
  rules.finish_before_accept = rules.finish_on_data = false;
  rules.reset = ResetBy::None;
  rules.stop = StopBy::Drain;
  rules.refuse = RefuseBy::AcceptThenFinish;
  return dialect;
}

/// Messages; credit opens and accepts; every half ends apart and is answered.
inline Dialect plain_like_js_ws() {
  Dialect dialect = plain("plain like js-ws");
  Rules& rules = dialect.rules;
  rules.framing = Framing::Messages;
  rules.first_id_client = 0;
  rules.first_id_server = 1;
  rules.id_order = IdOrder::NeverReused;
  rules.open_by = OpenBy::FirstCredit;
  rules.accept_by = AcceptBy::FirstCredit;
  rules.accept_when = AcceptWhen::Arrival;
  rules.opener_sends = rules.acceptor_sends = {.source = CreditSource::Granted};
  rules.finish_on_data = false;
  rules.overrun = Reaction::Reset;
  rules.reset = ResetBy::PerDirection;
  rules.code_bits = 62;
  rules.stop = StopBy::Wire;
  rules.answers_finish = rules.answers_reset = true;
  rules.unknown_stream = Reaction::Burn;
  return dialect;
}

/// Bytes; openings ride on payload and wait for it; no acceptance; GoAway only as the last frame.
inline Dialect plain_like_muxado() {
  Dialect dialect = plain("plain like muxado");
  Rules& rules = dialect.rules;
  rules.first_id_client = 3;
  rules.id_order = IdOrder::Reusable;
  rules.open_by = OpenBy::FlagOnData;
  rules.open_lazily = true;
  rules.may_finish_in_open = false;
  rules.opener_sends = rules.acceptor_sends = {.source = CreditSource::Fixed, .bytes = 65536};
  rules.overrun = Reaction::Reset;
  rules.code_bits = 32;
  rules.unknown_stream = Reaction::Reset;
  rules.go_away = GoAwayKind::Last;
  rules.go_away_names_last = true;
  return dialect;
}

}  // namespace sinnet::mux::test
