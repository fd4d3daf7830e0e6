/// The decoding half of ws::Connection: frames to events, and every rule of RFC 6455 a peer can break.

#include <algorithm>
#include <cassert>
#include <cstring>

#include "sinnet/ws/connection.hpp"
#include "sinnet/ws/utf8.hpp"
#include "ws/connection_deflate.hpp"
#include "ws/output_queue.hpp"
#include "ws/unfinished.hpp"

namespace sinnet::ws {
namespace {

/// A payload with at least this much missing is read straight into its message; for less, one read of the
/// shared buffer that may bring more frames along is cheaper than a read of its own.
constexpr std::uint64_t direct_read_bytes_min = 64 * 1024;
/// … and at most this much at once, so that it is still in the second-level cache when it is unmasked.
constexpr std::uint64_t direct_read_bytes_max = 256 * 1024;
/// A message's memory grows with what arrived, not with what was declared: at most this far ahead, or four
/// times.
constexpr std::size_t reserve_ahead_bytes_max = 1024 * 1024;

/// Deflate may grow what it cannot shrink: with fixed codes a byte takes up to 9 bits (RFC 1951 3.2.6), and a
/// stored block has 5 bytes more than its text, every 127 bytes at zlib's memLevel 1. An eighth covers both.
constexpr std::uint64_t compressed_bytes_max(std::uint64_t message_bytes_max) noexcept {
  const std::uint64_t slack = message_bytes_max / 8 + 4096;
  return message_bytes_max > UINT64_MAX - slack ? UINT64_MAX : message_bytes_max + slack;
}

void rotate(MaskKey& key, std::size_t bytes) noexcept {
  std::rotate(key.begin(), key.begin() + static_cast<std::ptrdiff_t>(bytes % key.size()), key.end());
}

}  // namespace

MutableBytes Connection::input_space(MutableBytes scratch) {
  if (!in_frame_ || part_->frame_remaining < direct_read_bytes_min || is_control(part_->frame_opcode) ||
      message_compressed_ || options_->delivery == Delivery::Pieces || state_ != State::Open ||
      message_lent_) {
    return scratch;
  }
  reserve_message();
  const MutableBytes room = part_->message.spare();
  return room.first(std::min<std::uint64_t>({room.size(), part_->frame_remaining, direct_read_bytes_max}));
}

void Connection::receive(MutableBytes input, Time now) {
  assert(input_.empty());
  last_received_ = now;
  awaits_pong_ = false;
  is_input_old_ = false;
  if (state_ == State::Open || state_ == State::CloseSent) {
    input_ = input;
    lent_begin_ = input.data();
  }
}

void Connection::keep_input() {
  release_message();
  is_input_old_ = !input_.empty();
  if (is_input_old_) {
    Buffer& kept = unfinished().kept_input;
    if (lent_begin_ == kept.bytes().data()) return;
    kept = Buffer::copy_of(input_);
    input_ = kept.mutable_bytes();
    lent_begin_ = input_.data();
    return;
  }
  input_ = {};
  lent_begin_ = nullptr;
  if (part_ == nullptr) return;
  if (is_between_messages() && !has_late_pong_ && !final_pending_) {
    resources_->give_back(std::move(part_));
  } else {
    part_->kept_input.reset();
  }
}

/// The hot path: a whole uncompressed message of one frame with a length of at most 16 bits, everything of it
/// in the input. What is anything else, or breaks any rule, is left to the general path, untouched.
bool Connection::decode_short(std::optional<Event>& event) {
  constexpr auto fin_text = 0x81U;
  constexpr auto fin_binary = 0x82U;
  const std::size_t available = input_.size();
  if (available < 4) return false;
  const auto first = std::to_integer<unsigned>(input_[0]);
  if (first != fin_text && first != fin_binary) return false;
  const bool masked = role_ == Role::Server;
  std::size_t length = std::to_integer<unsigned>(input_[1]) ^ (masked ? 0x80U : 0U);
  if (length > 126) return false;  // 64 bits, or the mask bit is not as it must be
  std::size_t header_bytes = 2;
  if (length == 126) {
    length = std::to_integer<std::size_t>(input_[2]) << 8U | std::to_integer<std::size_t>(input_[3]);
    if (length < 126) return false;
    header_bytes = 4;
  }
  if (masked) header_bytes += sizeof(MaskKey);
  if (available < header_bytes + length || length > options_->message_bytes_max) return false;
  const MutableBytes payload = input_.subspan(header_bytes, length);
  if (masked) {
    MaskKey key;
    std::memcpy(key.data(), payload.data() - sizeof key, sizeof key);
    apply_mask(payload, key);
  }
  input_ = input_.subspan(header_bytes + length);
  const bool is_text = first == fin_text;
  if (is_text && !is_utf8(payload)) return refuse(CloseCode::InvalidPayload, "text is not UTF-8");
  Statistics& statistics = resources_->statistics();
  ++statistics.messages_received;
  statistics.payload_bytes_received += length;
  event.emplace();  // filled in place: a copy would be loaded wider than its fields were just stored, and
                    // stall
  event->kind = is_text ? MessageKind::Text : MessageKind::Binary;
  event->payload = payload;
  return true;
}

/// Whether the next byte begins a frame that begins a message, and no event still lends what was collected.
bool Connection::is_between_messages() const noexcept {
  return part_ == nullptr ||
         (!(in_frame_ | in_message_ | message_lent_) && part_->header_carried == 0 && part_->control.empty());
}

std::optional<Event> Connection::poll_event() {
  std::optional<Event> event;
  const bool is_plain =
      is_between_messages() && !drained_pending_ && state_ == State::Open && options_->trace == nullptr;
  if (!is_plain || !decode_short(event)) event = poll_any();
  return event;
}

/// poll_event() off the hot path.
std::optional<Event> Connection::poll_any() {
  release_message();
  if (drained_pending_) {
    drained_pending_ = false;
    return Event{.type = EventType::Drained};
  }
  while (state_ == State::Open || state_ == State::CloseSent) {
    if (!in_frame_ && (input_.empty() || !decode_header())) break;
    std::optional<Event> event = is_control(part_->frame_opcode) ? decode_control() : decode_data();
    if (event) {
      // Attack 30: what follows our own Close is checked, but nobody is told, and no ping is answered.
      if (event->type == EventType::Closed || state_ == State::Open) return event;
      release_message();
    } else if (in_frame_) {
      break;  // the rest of the payload is still to come
    }
  }
  if (final_pending_) return take_final_event();
  return std::nullopt;
}

Event Connection::take_final_event() {
  final_pending_ = false;
  return Event{.type = final_is_failure_ ? EventType::Failed : EventType::Closed,
               .code = part_->final_code,
               .reason = part_->final_reason};
}

/// Ends decoding: the peer broke a rule. Queues our Close behind the replies to what was good.
bool Connection::refuse(CloseCode code, std::string_view reason) {
  ++resources_->statistics().failures;
  set_final(code, reason, true);
  if (state_ == State::Open) queue_close(code, reason, last_received_);
  expiry_ = last_received_ + options_->close_timeout;
  is_untimed_ = is_untimed_ || is_input_old_;
  state_ = State::Failing;
  in_frame_ = false;
  input_ = input_.last(0);
  if (part_ != nullptr) resources_->give_back(std::move(part_->message));
  return false;
}

// ---- headers

/// Takes the next header out of the input. False: it is not whole yet, or was refused.
bool Connection::decode_header() {
  auto& carry = unfinished().header_carry;
  std::uint8_t& carried = part_->header_carried;
  FrameHeader header;
  FrameHeaderResult result;
  if (carried == 0) {
    result = parse_frame_header(input_, header);
  } else {
    const std::size_t more = std::min(carry.size() - carried, input_.size());
    if (more > 0) std::memcpy(carry.data() + carried, input_.data(), more);
    result = parse_frame_header({carry.data(), carried + more}, header);
  }
  switch (result.status) {
    case FrameHeaderStatus::NeedMore: {
      const std::size_t more = std::min(carry.size() - carried, input_.size());
      if (carried == 0 && more > 0) std::memcpy(carry.data(), input_.data(), more);
      carried = static_cast<std::uint8_t>(carried + more);
      input_ = input_.subspan(more);
      return false;
    }
    case FrameHeaderStatus::LengthNotMinimal:
      return refuse(CloseCode::ProtocolError, "payload length not in its minimal form");
    case FrameHeaderStatus::LengthTopBitSet:
      return refuse(CloseCode::ProtocolError, "payload length with its top bit set");
    case FrameHeaderStatus::Done: break;
  }
  input_ = input_.subspan(static_cast<std::size_t>(result.header_bytes - carried));
  carried = 0;
  if (options_->trace != nullptr) options_->trace->frame_received(header);
  if (!accept_header(header)) return false;
  in_frame_ = true;
  frame_fin_ = header.fin;
  part_->frame_opcode = header.opcode;
  part_->frame_remaining = header.payload_bytes;
  part_->mask_key = header.mask_key;
  return true;
}

bool Connection::accept_header(const FrameHeader& header) {
  if (header.rsv2 || header.rsv3) return refuse(CloseCode::ProtocolError, "reserved bit set");
  if (is_reserved(header.opcode)) return refuse(CloseCode::ProtocolError, "reserved opcode");
  // RFC 6455 5.1: a client MUST mask, a server MUST NOT.
  if (header.masked != (role_ == Role::Server)) {
    return refuse(CloseCode::ProtocolError,
                  header.masked ? "masked frame from a server" : "unmasked frame from a client");
  }
  if (!is_control(header.opcode)) return accept_data_header(header);
  if (header.rsv1) return refuse(CloseCode::ProtocolError, "compressed control frame");
  if (!header.fin) return refuse(CloseCode::ProtocolError, "fragmented control frame");
  if (header.payload_bytes > control_payload_bytes_max) {
    return refuse(CloseCode::ProtocolError, "control frame longer than 125 bytes");
  }
  return true;
}

bool Connection::accept_data_header(const FrameHeader& header) {
  const bool begins = header.opcode != Opcode::Continuation;
  if (begins && in_message_) return refuse(CloseCode::ProtocolError, "new message inside a fragmented one");
  if (!begins && !in_message_) return refuse(CloseCode::ProtocolError, "continuation without a beginning");
  // RFC 7692 6: RSV1 stands on the first frame of a message, and only if the extension was agreed on.
  if (header.rsv1 && (!begins || deflate_ == nullptr))
    return refuse(CloseCode::ProtocolError, "unexpected RSV1");
  if (begins) {
    in_message_ = true;
    message_started_ = false;
    message_compressed_ = header.rsv1;
    part_->message_kind = header.opcode == Opcode::Text ? MessageKind::Text : MessageKind::Binary;
    part_->message_bytes = 0;
    part_->inflated_bytes = 0;
    part_->utf8.reset();
  }
  const std::uint64_t limit =
      message_compressed_ ? compressed_bytes_max(options_->message_bytes_max) : options_->message_bytes_max;
  if (header.payload_bytes > limit - part_->message_bytes)
    return refuse(CloseCode::MessageTooBig, "message too big");
  part_->message_bytes += header.payload_bytes;
  return true;
}

// ---- control frames

std::optional<Event> Connection::decode_control() {
  const std::size_t size = std::min<std::uint64_t>(part_->frame_remaining, input_.size());
  if (size == part_->frame_remaining && part_->control.empty()) {
    in_frame_ = false;
    return handle_control(take_unmasked());
  }
  part_->control.append(take_unmasked());
  if (part_->frame_remaining > 0) return std::nullopt;
  in_frame_ = false;
  return handle_control(part_->control.mutable_bytes());
}

/// Takes what there is of the frame's payload out of the input, unmasked in place.
MutableBytes Connection::take_unmasked() {
  const std::size_t size = std::min<std::uint64_t>(part_->frame_remaining, input_.size());
  const MutableBytes payload = input_.first(size);
  input_ = input_.subspan(size);
  part_->frame_remaining -= size;
  if (role_ == Role::Server && size > 0) {
    apply_mask(payload, part_->mask_key);
    if (part_->frame_remaining > 0) rotate(part_->mask_key, size);
  }
  return payload;
}

std::optional<Event> Connection::handle_control(MutableBytes payload) {
  switch (part_->frame_opcode) {
    case Opcode::Ping:
      ++resources_->statistics().pings_received;
      if (state_ == State::Open) answer_ping(payload);
      return Event{.type = EventType::Ping, .payload = payload};
    case Opcode::Pong: return Event{.type = EventType::Pong, .payload = payload};
    default: return handle_close(payload);
  }
}

std::optional<Event> Connection::handle_close(MutableBytes payload) {
  ClosePayloadError error{};
  const std::optional<ClosePayload> close = parse_close_payload(payload, error);
  if (!close) {
    switch (error) {
      case ClosePayloadError::OneByte:
        (void)refuse(CloseCode::ProtocolError, "Close with one byte of payload");
        break;
      case ClosePayloadError::CodeNotAllowed:
        (void)refuse(CloseCode::ProtocolError, "close code not allowed");
        break;
      case ClosePayloadError::ReasonNotUtf8:
        (void)refuse(CloseCode::InvalidPayload, "close reason not UTF-8");
        break;
    }
    return std::nullopt;
  }
  // RFC 6455 5.5.1: an endpoint that did not send a Close MUST send one, usually with the code it received.
  if (state_ == State::Open) queue_close(close->code, close->reason, last_received_);
  expiry_ = last_received_ + options_->close_timeout;
  is_untimed_ = is_untimed_ || is_input_old_;
  state_ = State::Closing;
  final_known_ = true;
  input_ = input_.last(0);
  if (role_ == Role::Server && !has_output()) end(close->code, {});
  return Event{.type = EventType::Closed, .was_clean = true, .code = close->code, .reason = close->reason};
}

// ---- data frames

std::optional<Event> Connection::decode_data() {
  if (message_compressed_) return decode_compressed();
  if (options_->delivery == Delivery::Pieces) return decode_plain_piece();
  const bool is_whole = frame_fin_ && part_->frame_opcode != Opcode::Continuation &&
                        part_->frame_remaining <= input_.size() && part_->message.capacity() == 0;
  if (!is_whole) return collect_plain();
  const MutableBytes payload = take_unmasked();
  in_frame_ = false;
  if (part_->message_kind == MessageKind::Text && !is_utf8(payload)) {
    (void)refuse(CloseCode::InvalidPayload, "text is not UTF-8");
    return std::nullopt;
  }
  return make_message(payload, true);
}

/// Room in the message for the rest of the frame, or for as much of it as is fair to reserve before it
/// arrives.
void Connection::reserve_message() {
  const std::size_t have = part_->message.size();
  const std::uint64_t ahead_max = std::max<std::uint64_t>(reserve_ahead_bytes_max, std::uint64_t{have} * 3);
  const auto ahead = static_cast<std::size_t>(std::min(part_->frame_remaining, ahead_max));
  if (part_->message.capacity() - have >= ahead ||
      (have > 0 && part_->message.capacity() - have >= direct_read_bytes_min))
    return;
  if (part_->message.capacity() == 0) {
    part_->message = resources_->borrow_buffer(ahead, part_->frame_remaining);
  } else {
    // Fragments announce nothing: double, within what the message may become.
    const std::size_t doubled =
        std::min<std::uint64_t>(part_->message.capacity() * 2, options_->message_bytes_max);
    part_->message.reserve(std::max(have + ahead, frame_fin_ ? 0 : doubled));
  }
}

std::optional<Event> Connection::collect_plain() {
  while (part_->frame_remaining > 0 && !input_.empty()) {
    reserve_message();
    const MutableBytes room = part_->message.spare();
    const std::size_t size = std::min<std::uint64_t>({part_->frame_remaining, input_.size(), room.size()});
    const MutableBytes piece = room.first(size);
    if (piece.data() == input_.data()) {  // read straight into the message
      if (role_ == Role::Server) apply_mask(piece, part_->mask_key);
      lent_begin_ = nullptr;
    } else if (role_ == Role::Server) {
      copy_masked(piece, input_.first(size), part_->mask_key);
    } else {
      std::memcpy(piece.data(), input_.data(), size);
    }
    rotate(part_->mask_key, size);
    part_->message.resize(part_->message.size() + size);
    input_ = input_.subspan(size);
    part_->frame_remaining -= size;
    if (!check_text(piece, false)) return std::nullopt;
  }
  if (part_->frame_remaining > 0) return std::nullopt;
  in_frame_ = false;
  if (!frame_fin_ || !check_text({}, true)) return std::nullopt;
  message_lent_ = true;
  return make_message(part_->message.mutable_bytes(), true);
}

std::optional<Event> Connection::decode_plain_piece() {
  const MutableBytes piece = take_unmasked();
  const bool ends_frame = part_->frame_remaining == 0;
  const bool last = ends_frame && frame_fin_;
  if (ends_frame) in_frame_ = false;
  if (!check_text(piece, last)) return std::nullopt;
  if (piece.empty() && !last) return std::nullopt;
  return make_message(piece, last);
}

std::optional<Event> Connection::decode_compressed() {
  const MutableBytes piece = take_unmasked();
  const bool ends_frame = part_->frame_remaining == 0;
  const bool last = ends_frame && frame_fin_;
  if (ends_frame) in_frame_ = false;
  const std::size_t old_size = part_->message.size();
  const InflateStatus status = deflate_->decompressor.decompress(
      piece, last, part_->message, options_->message_bytes_max - part_->inflated_bytes);
  // The text before the place that failed comes first: how input was cut never decides the close code.
  const bool is_end = last && status == InflateStatus::Ok;
  if (!check_text(part_->message.bytes().subspan(old_size), is_end)) return std::nullopt;
  switch (status) {
    case InflateStatus::Ok: break;
    case InflateStatus::TooBig:
      (void)refuse(CloseCode::MessageTooBig, "message too big after inflation");
      return std::nullopt;
    case InflateStatus::Corrupt:
      (void)refuse(CloseCode::InvalidPayload, "compressed data is corrupt");
      return std::nullopt;
  }
  if (!last && (options_->delivery == Delivery::Whole || part_->message.empty())) return std::nullopt;
  part_->inflated_bytes += part_->message.size();
  message_lent_ = true;
  return make_message(part_->message.mutable_bytes(), last);
}

bool Connection::check_text(Bytes piece, bool ends_message) {
  if (part_->message_kind != MessageKind::Text) return true;
  if (!part_->utf8.receive(piece) || (ends_message && !part_->utf8.is_complete())) {
    return refuse(CloseCode::InvalidPayload, "text is not UTF-8");
  }
  return true;
}

Event Connection::make_message(MutableBytes payload, bool last) {
  Statistics& statistics = resources_->statistics();
  statistics.payload_bytes_received += payload.size();
  const bool first = !message_started_;
  message_started_ = true;
  if (last) {
    in_message_ = false;
    ++statistics.messages_received;
    statistics.compressed_received += message_compressed_ ? 1U : 0U;
  }
  return Event{.type = EventType::Message,
               .kind = part_->message_kind,
               .first = first,
               .last = last,
               .was_compressed = message_compressed_,
               .payload = payload};
}

/// The event that lent the message collected is over.
void Connection::release_message() {
  if (part_ == nullptr) return;
  if (message_lent_) {
    message_lent_ = false;
    resources_->give_back(std::move(part_->message));
  }
  if (!part_->control.empty() && !in_frame_) part_->control.reset();
}

}  // namespace sinnet::ws
