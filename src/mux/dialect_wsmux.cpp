// wsmux: 5 bytes of header, little endian; one frame is one message; no resets, no settings, no codes.
#include <algorithm>
#include <bit>
#include <cassert>

#include "mux/wire.hpp"
#include "sinnet/mux/wsmux.hpp"

namespace sinnet::mux {
namespace {

constexpr std::size_t header_bytes = 5;
constexpr std::size_t credit_bytes = 9;
/// The reference's accept queue. One opening more than it holds blocks the peer's session for good.
constexpr std::uint32_t backlog = 200;
/// The code of the reference for whatever it cannot read.
constexpr std::uint16_t close_policy = 1008;

enum Type : std::uint8_t { TypeData = 0, TypeOpen = 1, TypeCredit = 2, TypeFinish = 3 };

template <bool is_strict>
Decoded unreadable(Bytes input, Fault fault, const char* reason) noexcept {
  if (!is_strict) return {.status = DecodeStatus::Skip, .header_bytes = input.size()};
  return {.status = DecodeStatus::MalformedSession, .fault = fault, .reason = reason};
}

/// The reasons are the reference's own.
template <bool is_strict>
Decoded decode(const Rules& rules, Role role, Bytes input, bool whole, Frame& frame) {
  (void)rules, (void)role;
  const auto bad_header = [&] { return unreadable<is_strict>(input, Fault::Malformed, "malformed header"); };
  if (!input.empty() && std::to_integer<std::uint8_t>(input[0]) > TypeFinish) return bad_header();
  if (input.size() < header_bytes) return whole ? bad_header() : Decoded{};
  const auto type = std::to_integer<std::uint8_t>(input[0]);
  frame.id = load<std::uint32_t>(input.data() + 1, std::endian::little);
  if (type == TypeData) {
    frame.type = FrameType::Data;
    return {.status = DecodeStatus::Frame, .header_bytes = header_bytes};
  }
  // The others have one size: a byte more, or the message's end, must be seen.
  const std::size_t size = type == TypeCredit ? credit_bytes : header_bytes;
  if (input.size() > size || (whole && input.size() < size))
    return unreadable<is_strict>(input, Fault::FrameSize, "malformed payload");
  if (!whole) return {};
  if (type == TypeCredit) {
    frame.type = FrameType::Credit;
    frame.credit = load<std::uint32_t>(input.data() + header_bytes, std::endian::little);
  } else {
    frame.type = FrameType::Flags;
    frame.flags.opens = type == TypeOpen;
    frame.flags.finishes = type == TypeFinish;
  }
  return {.status = DecodeStatus::Frame, .header_bytes = size};
}

std::size_t encode(const Rules& rules, Role role, const Frame& frame, MutableBytes out) {
  (void)rules, (void)role;
  Type type = TypeData;
  switch (frame.type) {
    case FrameType::Data: break;
    case FrameType::Credit: type = TypeCredit; break;
    case FrameType::Flags:
      type = frame.flags.opens ? TypeOpen : frame.flags.finishes ? TypeFinish : TypeData;
      break;
    default: assert(false);
  }
  out[0] = static_cast<std::byte>(type);
  store(out.data() + 1, static_cast<std::uint32_t>(frame.id), std::endian::little);
  if (type != TypeCredit) return header_bytes;
  store(out.data() + header_bytes, static_cast<std::uint32_t>(frame.credit), std::endian::little);
  return credit_bytes;
}

/// No frame has a place for it.
std::uint64_t code_for(Fault fault) {
  (void)fault;
  return 0;
}

}  // namespace

Dialect wsmux(const WsmuxOptions& options) {
  const bool is_known = options.peer_window != 0;
  Rules rules;
  rules.framing = Framing::Messages;
  rules.header_bytes_max = credit_bytes + 1;
  rules.close_codes = {.malformed = close_policy, .text_message = close_policy, .failed = close_policy};
  rules.first_id_client = 1;
  rules.first_id_server = 0;  // 0 is a stream like any other
  rules.id_last = 0xFFFFFFFF;
  rules.ids_wrap = true;
  rules.id_order = IdOrder::Reusable;
  rules.parity_checked = false;
  rules.open_by = OpenBy::OwnFrame;
  rules.accept_by = AcceptBy::FirstCredit;
  rules.accept_when = AcceptWhen::Application;
  rules.unaccepted_max = backlog;
  rules.duplicate_open = Reaction::Ignore;
  rules.opener_sends = {.source = CreditSource::Granted};
  rules.acceptor_sends = {.source = CreditSource::Assumed,
                          .bytes = is_known ? options.peer_window : wsmux_window_library};
  rules.opener_receives = is_known ? options.peer_window : wsmux_window_tunnel;
  rules.credit_before_accept = false;  // the reference's whole process dies of it
  rules.credit_at_once = !is_known;
  rules.overrun = Reaction::Fail;
  rules.finish_before_accept = false;  // the reference loses it
  rules.finish_on_data = false;
  rules.reset = ResetBy::None;
  rules.stop = StopBy::Drain;
  rules.refuse = RefuseBy::AcceptThenFinish;
  rules.unknown_stream = Reaction::Ignore;
  rules.after_finish = Reaction::Ignore;
  rules.go_away = GoAwayKind::None;
  rules.probe = ProbeBy::Carrier;
  return {.name = "wsmux",
          .rules = rules,
          .decode = options.is_strict ? decode<true> : decode<false>,
          .encode = encode,
          .code_for = code_for};
}

}  // namespace sinnet::mux
