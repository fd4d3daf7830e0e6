// sinnet.mux.v1: the wire of docs/protocol/sinnet.mux.v1.md; section numbers are that page's.
#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "mux/wire.hpp"
#include "sinnet/mux/sinnet_v1.hpp"

namespace sinnet::mux {
namespace {

enum Type : std::uint8_t {
  TypeSettings = 0x00,
  TypeOpen = 0x01,
  TypeReset = 0x02,
  TypeStop = 0x03,
  TypeCredit = 0x04,
  TypeConnectionCredit = 0x05,
  TypeStreamCredit = 0x06,
  TypePing = 0x07,
  TypePong = 0x08,
  TypeGoAway = 0x09,
  TypeData = 0x10,  ///< with the two bits below
  TypeExtension = 0x80,
};
constexpr unsigned data_finish = 1;
constexpr unsigned data_blocked = 2;

constexpr std::array magic{std::byte{'S'}, std::byte{'M'}, std::byte{'X'}, std::byte{1}};
constexpr std::uint64_t body_bytes_max = 2048;     // section 2
constexpr std::size_t metadata_bytes_max = 1024;   // section 2
constexpr std::size_t text_bytes_max = 256;        // section 2
constexpr std::size_t data_header_bytes_max = 17;  // type, length and id at their longest
/// Section 3: what holds until the peer's settings arrive.
constexpr Settings least{.stream_credit = 65536, .connection_credit = 262144, .stream_count = 128};

constexpr Decoded malformed(Fault fault, const char* reason) noexcept {
  return {.status = DecodeStatus::MalformedSession, .fault = fault, .reason = reason};
}

/// Section 3. False: not what it says.
bool decode_settings(Bytes body, Settings& settings) {
  settings = least;
  if (body.size() < magic.size() || !std::ranges::equal(body.first(magic.size()), magic)) return false;
  body = body.subspan(magic.size());
  const std::array<std::uint64_t*, 3> values{&settings.stream_credit, &settings.connection_credit,
                                             &settings.stream_count};
  std::array<bool, 3> had{};
  while (!body.empty()) {
    std::uint64_t key = 0;
    std::uint64_t value = 0;
    if (!take_varint(body, key) || !take_varint(body, value)) return false;
    if (key < 1 || key > values.size()) continue;
    const auto index = static_cast<std::size_t>(key - 1);
    if (had[index] || value < *values[index]) return false;
    had[index] = true;
    *values[index] = value;
  }
  return true;
}

bool decode_open(Bytes body, Frame& frame) {
  frame.flags.opens = true;
  if (!take_varint(body, frame.id) || !take_varint(body, frame.stream_type) || body.empty()) return false;
  frame.urgency = std::to_integer<std::uint8_t>(body[0]);
  frame.metadata = body.subspan(1);
  return frame.urgency <= 7 && frame.metadata.size() <= metadata_bytes_max;
}

bool decode_go_away(Bytes body, Frame& frame) {
  if (!take_varint(body, frame.last_id) || !take_varint(body, frame.code)) return false;
  frame.text = as_text(body);
  return body.size() <= text_bytes_max;
}

/// The body of any frame but DATA. False: it does not read.
bool decode_body(std::uint8_t type, Bytes body, Frame& frame) {
  switch (type) {
    case TypeSettings: frame.type = FrameType::Settings; return decode_settings(body, frame.settings);
    case TypeOpen: return decode_open(body, frame);
    case TypeReset:
    case TypeStop:
      frame.flags.resets = type == TypeReset;
      frame.flags.stops = type == TypeStop;
      return take_varint(body, frame.id) && take_varint(body, frame.code) && body.empty();
    case TypeCredit:
      frame.type = FrameType::Credit;
      return take_varint(body, frame.id) && take_varint(body, frame.credit) && body.empty();
    case TypeConnectionCredit:
    case TypeStreamCredit:
      frame.type = type == TypeStreamCredit ? FrameType::StreamCredit : FrameType::ConnectionCredit;
      return take_varint(body, frame.credit) && body.empty();
    case TypePing:
    case TypePong:
      frame.type = type == TypePing ? FrameType::Ping : FrameType::Pong;
      if (body.size() != sizeof frame.value) return false;
      frame.value = load_big<std::uint64_t>(body.data());
      return true;
    case TypeGoAway: frame.type = FrameType::GoAway; return decode_go_away(body, frame);
    default: return false;
  }
}

Decoded decode_data(unsigned type, std::uint64_t length, Bytes rest, std::size_t head_bytes, Frame& frame) {
  frame.type = FrameType::Data;
  frame.flags.finishes = (type & data_finish) != 0;
  frame.flags.blocked = (type & data_blocked) != 0;
  if (length == 0 || (!rest.empty() && varint_bytes(rest[0]) > length))
    return malformed(Fault::FrameSize, "DATA shorter than its id");
  const std::size_t before = rest.size();
  if (!take_varint(rest, frame.id)) return {};
  const std::size_t id_bytes = before - rest.size();
  frame.payload_bytes = length - id_bytes;
  return {.status = DecodeStatus::Frame, .header_bytes = head_bytes + id_bytes};
}

Decoded decode(const Rules& rules, Role role, Bytes input, bool whole, Frame& frame) {
  (void)rules, (void)role, (void)whole;
  if (input.empty()) return {};
  const auto type = std::to_integer<std::uint8_t>(input[0]);
  const bool is_data = (type & 0xFCU) == TypeData;
  if (!is_data && type > TypeGoAway && type < TypeExtension)
    return malformed(Fault::Malformed, "unknown type");
  Bytes rest = input.subspan(1);
  std::uint64_t length = 0;
  if (!take_varint(rest, length)) return {};
  const std::size_t head_bytes = input.size() - rest.size();
  if (is_data) return decode_data(type, length, rest, head_bytes, frame);
  if (length > body_bytes_max) return malformed(Fault::FrameSize, "a body beyond 2048 bytes");
  if (type >= TypeExtension) {
    frame.payload_bytes = length;
    return {.status = DecodeStatus::Skip, .header_bytes = head_bytes};
  }
  if (rest.size() < length) return {};
  const auto body_bytes = static_cast<std::size_t>(length);
  if (!decode_body(type, rest.first(body_bytes), frame))
    return malformed(Fault::FrameSize, "a body that does not fit its type");
  return {.status = DecodeStatus::Frame, .header_bytes = head_bytes + body_bytes};
}

/// Writes the body behind room for the longest head, then moves the head before it.
class Writer {
 public:
  explicit Writer(MutableBytes out) : out_(out), at_(out.data() + head_room) {}
  Writer& varint(std::uint64_t value) {
    at_ = put_varint(at_, value);
    return *this;
  }
  Writer& bytes(Bytes value) {
    if (!value.empty()) std::memcpy(at_, value.data(), value.size());
    at_ += value.size();
    return *this;
  }
  Writer& byte(std::uint8_t value) {
    *at_++ = static_cast<std::byte>(value);
    return *this;
  }
  Writer& big64(std::uint64_t value) {
    store_big(at_, value);
    at_ += sizeof value;
    return *this;
  }
  [[nodiscard]] std::size_t finish(unsigned type) {
    const std::byte* body = out_.data() + head_room;
    const auto size = static_cast<std::size_t>(at_ - body);
    out_[0] = static_cast<std::byte>(type);
    std::byte* behind = put_varint(out_.data() + 1, size);
    std::memmove(behind, body, size);
    return static_cast<std::size_t>(behind - out_.data()) + size;
  }

 private:
  static constexpr std::size_t head_room = 3;  // a body is below 16 KiB: two bytes of length
  MutableBytes out_;
  std::byte* at_;
};

std::size_t encode_data(const Frame& frame, MutableBytes out) {
  const unsigned flags =
      (frame.flags.finishes ? data_finish : 0U) | (frame.flags.blocked ? data_blocked : 0U);
  out[0] = static_cast<std::byte>(TypeData | flags);
  std::byte* at = put_varint(out.data() + 1, varint_bytes_of(frame.id) + frame.payload_bytes);
  at = put_varint(at, frame.id);
  return static_cast<std::size_t>(at - out.data());
}

std::size_t encode_flags(const Frame& frame, MutableBytes out) {
  Writer writer(out);
  writer.varint(frame.id);
  if (frame.flags.opens)
    return writer.varint(frame.stream_type).byte(frame.urgency).bytes(frame.metadata).finish(TypeOpen);
  if (frame.flags.finishes) return encode_data(frame, out);
  return writer.varint(std::min(frame.code, varint_max)).finish(frame.flags.resets ? TypeReset : TypeStop);
}

std::size_t encode(const Rules& rules, Role role, const Frame& frame, MutableBytes out) {
  (void)rules, (void)role;
  switch (frame.type) {
    case FrameType::Flags: return encode_flags(frame, out);
    case FrameType::Data: return encode_data(frame, out);
    case FrameType::Credit: return Writer(out).varint(frame.id).varint(frame.credit).finish(TypeCredit);
    case FrameType::ConnectionCredit: return Writer(out).varint(frame.credit).finish(TypeConnectionCredit);
    case FrameType::StreamCredit: return Writer(out).varint(frame.credit).finish(TypeStreamCredit);
    case FrameType::Settings:
      return Writer(out)
          .bytes(magic)
          .varint(1)
          .varint(frame.settings.stream_credit)
          .varint(2)
          .varint(frame.settings.connection_credit)
          .varint(3)
          .varint(frame.settings.stream_count)
          .finish(TypeSettings);
    case FrameType::Ping: return Writer(out).big64(frame.value).finish(TypePing);
    case FrameType::Pong: return Writer(out).big64(frame.value).finish(TypePong);
    case FrameType::GoAway:
      return Writer(out)
          .varint(frame.last_id)
          .varint(std::min(frame.code, varint_max))
          .bytes(as_bytes(frame.text.substr(0, text_bytes_max)))
          .finish(TypeGoAway);
  }
  assert(false);
  return 0;
}

/// Section 8.
std::uint64_t code_for(Fault fault) {
  switch (fault) {
    case Fault::None: return 0;
    case Fault::Protocol: return 1;
    case Fault::Internal: return 2;
    case Fault::Refused: return 3;
    case Fault::Cancelled: return 4;
    case Fault::StreamState: return 5;
    case Fault::Overloaded: return 6;
    case Fault::TimedOut: return 7;
    case Fault::Calm: return 8;
    case Fault::Malformed:
    case Fault::FrameSize: return 9;
    case Fault::FlowControl: return 10;
    case Fault::GoneAway: return 11;
  }
  return 2;
}

}  // namespace

Dialect sinnet_v1() {
  Rules rules;
  rules.header_bytes_max = data_header_bytes_max + body_bytes_max;
  rules.payload_bytes_max = 64 * 1024;
  rules.close_codes.text_message = 1003;
  rules.id_last = varint_max;
  rules.open_by = OpenBy::OwnFrame;
  rules.accept_by = AcceptBy::Nothing;
  rules.metadata_bytes_max = metadata_bytes_max;
  rules.credit_unit = CreditUnit::Limit;
  rules.opener_sends = rules.acceptor_sends = {.source = CreditSource::Fixed, .bytes = least.stream_credit};
  rules.has_settings = rules.has_connection_credit = rules.has_stream_credit = rules.has_blocked_flag = true;
  rules.settings_least = least;
  rules.reset = ResetBy::PerDirection;
  rules.code_bits = 62;
  rules.stop = StopBy::Wire;
  rules.refuse = RefuseBy::Reset;
  rules.never_opened = Reaction::Fail;
  rules.go_away = GoAwayKind::Drain;
  rules.go_away_names_last = true;
  rules.probe = ProbeBy::Frame;
  return {.name = sinnet_v1_name, .rules = rules, .decode = decode, .encode = encode, .code_for = code_for};
}

}  // namespace sinnet::mux
