#include "sinnet/ws/connection.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <functional>

#include "ws/connection_deflate.hpp"
#include "ws/output_queue.hpp"
#include "ws/unfinished.hpp"

namespace sinnet::ws {
namespace {

/// Copying less than this costs less than another slice of the gather list.
constexpr std::size_t copy_below_bytes = 2048;
/// A client's masked copy of a longer payload gets a buffer of its own: the arena would have to grow for it.
constexpr std::size_t arena_payload_bytes_max = 64 * 1024;
/// Pongs that may wait; beyond this only the newest ping is answered (RFC 6455 5.5.3 allows it).
constexpr std::size_t control_bytes_max = 4096;

constexpr Opcode opcode_of(MessageKind kind) noexcept {
  return kind == MessageKind::Text ? Opcode::Text : Opcode::Binary;
}

bool lies_in(Bytes inner, const std::byte* begin, const std::byte* end) noexcept {
  const std::less_equal<const std::byte*> at_most;
  return begin != nullptr && at_most(begin, inner.data()) && at_most(inner.data() + inner.size(), end);
}

}  // namespace

Connection::Connection(Role role, const Options& options, Resources& resources, Time now,
                       std::optional<DeflateParameters> deflate)
    : options_(&options),
      resources_(&resources),
      last_received_(now),
      last_progress_(now),
      expiry_(now),
      role_(role) {
  if (deflate) deflate_ = std::make_unique<Deflate>(role, *deflate, options.deflate, resources.compression());
}

Connection::~Connection() {
  if (output_ != nullptr) resources_->give_back(std::move(output_));
  if (part_ != nullptr) resources_->give_back(std::move(part_));
}

// ---- sending

OutputQueue& Connection::queue(Time now) {
  if (output_ == nullptr) output_ = resources_->borrow_output();
  if (output_->sendable_bytes() == 0) last_progress_ = now;  // what is held waits for us, not for the peer
  return *output_;
}

Unfinished& Connection::unfinished() {
  if (part_ == nullptr) part_ = resources_->borrow_unfinished();
  return *part_;
}

inline SendResult Connection::sent(std::size_t payload_bytes, bool compressed, bool ends_message) {
  Statistics& statistics = resources_->statistics();
  statistics.messages_sent += ends_message ? 1U : 0U;
  statistics.payload_bytes_sent += payload_bytes;
  statistics.compressed_sent += compressed ? 1U : 0U;
  const std::size_t waiting = output_->waiting_bytes();
  if (waiting > options_->drained_below_bytes) drained_wanted_ = true;
  return waiting;
}

/// The hot path of a server: a short message, copied behind its header of two or four bytes.
SendResult Connection::send_short(MessageKind kind, Bytes payload, Time now) {
  const std::size_t head_bytes = payload.size() < 126 ? 2 : 4;
  OutputQueue* output = output_.get();
  if (output == nullptr || output->sendable_bytes() == 0) [[unlikely]]
    output = &queue(now);
  const MutableBytes room = output->add_copied(head_bytes + payload.size());
  room[0] = std::byte{0x80} | static_cast<std::byte>(opcode_of(kind));
  if (head_bytes == 2) {
    room[1] = static_cast<std::byte>(payload.size());
  } else {
    room[1] = std::byte{126};
    room[2] = static_cast<std::byte>(payload.size() >> 8U);
    room[3] = static_cast<std::byte>(payload.size() & 0xFFU);
  }
  if (!payload.empty()) std::memcpy(room.data() + head_bytes, payload.data(), payload.size());
  return sent(payload.size(), false);
}

SendResult Connection::send(MessageKind kind, Bytes payload, Time now, bool compress) {
  if (state_ == State::Open && role_ == Role::Server && payload.size() < copy_below_bytes &&
      deflate_ == nullptr && !in_sent_message_ && options_->trace == nullptr) [[likely]] {
    return send_short(kind, payload, now);
  }
  return send_any(kind, payload, now, compress);
}

/// send() off the hot path; apart, so that its many locals cost the hot path nothing.
SendResult Connection::send_any(MessageKind kind, Bytes payload, Time now, bool compress) {
  if (state_ != State::Open) return std::unexpected(SendError::Closing);
  FrameHeader header = outgoing(opcode_of(kind), payload.size());
  if (std::optional<Buffer> compressed = this->compress(payload, compress)) {
    header.rsv1 = true;
    header.payload_bytes = compressed->size();
    queue_frame(header, std::move(*compressed), now, in_sent_message_);
    return sent(payload.size(), true);
  }
  queue_frame(header, payload, now, in_sent_message_);
  return sent(payload.size(), false);
}

SendResult Connection::send(MessageKind kind, Buffer&& payload, Time now, bool compress) {
  if (payload.size() < copy_below_bytes || (deflate_ != nullptr && compress))
    return send(kind, payload.bytes(), now, compress);
  if (state_ != State::Open) return std::unexpected(SendError::Closing);
  const std::size_t payload_bytes = payload.size();
  queue_frame(outgoing(opcode_of(kind), payload_bytes), std::move(payload), now, in_sent_message_);
  return sent(payload_bytes, false);
}

SendResult Connection::send(const SharedFrame& frame, Time now) {
  if (role_ == Role::Client) return send(frame.kind(), frame.payload(), now);
  if (state_ != State::Open) return std::unexpected(SendError::Closing);
  Bytes encoded = frame.plain();
  bool compressed = false;
  if (deflate_ != nullptr && !deflate_->sends_with_takeover &&
      frame.payload().size() >= options_->deflate.threshold_bytes &&
      deflate_->send_window_bits >= options_->deflate.window_bits) {
    const Bytes deflated = frame.deflated(options_->deflate, *resources_);
    compressed = !deflated.empty();
    if (compressed) encoded = deflated;
  }
  if (options_->trace != nullptr) {
    FrameHeader header;
    (void)parse_frame_header(encoded, header);
    options_->trace->frame_sent(header);
  }
  queue(now).add_shared(frame, encoded, in_sent_message_);
  return sent(frame.payload().size(), compressed);
}

SendResult Connection::send_piece(MessageKind kind, Bytes piece, bool first, bool last, Time now) {
  if (state_ != State::Open) return std::unexpected(SendError::Closing);
  if (first == in_sent_message_) return std::unexpected(SendError::OutOfOrder);
  FrameHeader header = outgoing(first ? opcode_of(kind) : Opcode::Continuation, piece.size());
  header.fin = last;
  queue_frame(header, piece, now, false);
  in_sent_message_ = !last;
  if (last) queue(now).release_held();
  return sent(piece.size(), false, last);
}

SendResult Connection::ping(Bytes payload, Time now) {
  if (state_ != State::Open) return std::unexpected(SendError::Closing);
  queue_control(Opcode::Ping, payload, now);
  return waiting_bytes();
}

SendResult Connection::pong(Bytes payload, Time now) {
  if (state_ != State::Open) return std::unexpected(SendError::Closing);
  queue_control(Opcode::Pong, payload, now);
  return waiting_bytes();
}

void Connection::close(CloseCode code, std::string_view reason, Time now) {
  if (state_ != State::Open) return;
  queue_close(code, reason, now);
  state_ = State::CloseSent;
}

void Connection::send_preface(Bytes head, Time now) {
  assert(output_ == nullptr);
  queue(now).add_control(head);  // as a pong to an early ping, which then follows it instead of overtaking
}

/// The header of a frame of ours, with a fresh key for every frame a client sends (RFC 6455 5.3, 10.3).
FrameHeader Connection::outgoing(Opcode opcode, std::size_t payload_bytes) {
  FrameHeader header{.opcode = opcode, .masked = role_ == Role::Client, .payload_bytes = payload_bytes};
  if (header.masked) header.mask_key = resources_->random().word();
  return header;
}

bool Connection::is_lent(Bytes payload) const noexcept {
  return lies_in(payload, lent_begin_, input_.data() + input_.size());
}

bool Connection::is_in_message(Bytes payload) const noexcept {
  if (part_ == nullptr) return false;
  const Bytes message = part_->message.bytes();
  return lies_in(payload, message.data(), message.data() + message.size());
}

void Connection::queue_frame(const FrameHeader& header, Bytes payload, Time now, bool held) {
  if (options_->trace != nullptr) options_->trace->frame_sent(header);
  std::array<std::byte, frame_header_bytes_max> head;
  const std::size_t head_bytes = write_frame_header(header, head);
  const Bytes head_view{head.data(), head_bytes};
  if (payload.size() < copy_below_bytes || (header.masked && payload.size() <= arena_payload_bytes_max)) {
    const MutableBytes room = queue(now).add_copied(head_bytes + payload.size(), held);
    std::memcpy(room.data(), head.data(), head_bytes);
    if (header.masked) {
      copy_masked(room.subspan(head_bytes), payload, header.mask_key);
    } else if (!payload.empty()) {
      std::memcpy(room.data() + head_bytes, payload.data(), payload.size());
    }
  } else if (header.masked) {
    Buffer copy = resources_->borrow_buffer(payload.size());
    copy.resize(payload.size());
    copy_masked(copy.mutable_bytes(), payload, header.mask_key);
    const Bytes view = copy.bytes();
    queue(now).add_owned(head_view, std::move(copy), view, held);
  } else if (!held && is_lent(payload)) {
    queue(now).add_lent(head_view, payload);
  } else if (is_in_message(payload)) {
    queue(now).add_owned(head_view, part_->message, payload, held);
  } else {
    Buffer copy = Buffer::copy_of(payload);
    const Bytes view = copy.bytes();
    queue(now).add_owned(head_view, std::move(copy), view, held);
  }
}

void Connection::queue_frame(const FrameHeader& header, Buffer&& payload, Time now, bool held) {
  if (payload.size() < copy_below_bytes || (header.masked && !payload.is_unique())) {
    queue_frame(header, payload.bytes(), now, held);
    return;
  }
  if (options_->trace != nullptr) options_->trace->frame_sent(header);
  if (header.masked) apply_mask(payload.mutable_bytes(), header.mask_key);
  std::array<std::byte, frame_header_bytes_max> head;
  const std::size_t head_bytes = write_frame_header(header, head);
  const Bytes view = payload.bytes();
  queue(now).add_owned({head.data(), head_bytes}, std::move(payload), view, held);
}

void Connection::queue_control(Opcode opcode, Bytes payload, Time now) {
  assert(payload.size() <= control_payload_bytes_max);
  const FrameHeader header = outgoing(opcode, payload.size());
  if (options_->trace != nullptr) options_->trace->frame_sent(header);
  std::array<std::byte, frame_header_bytes_max + control_payload_bytes_max> frame;
  const std::size_t head_bytes = write_frame_header(header, std::span(frame).first<frame_header_bytes_max>());
  const MutableBytes body{frame.data() + head_bytes, payload.size()};
  if (header.masked) {
    copy_masked(body, payload, header.mask_key);
  } else if (!payload.empty()) {
    std::memcpy(body.data(), payload.data(), payload.size());
  }
  queue(now).add_control({frame.data(), head_bytes + payload.size()});
}

/// RFC 6455 5.5.3: a pong for every ping, as long as the peer takes them; then for the newest only.
void Connection::answer_ping(Bytes payload) {
  if (output_ != nullptr && output_->control_bytes() >= control_bytes_max) {
    unfinished().late_pong = Buffer::copy_of(payload);
    has_late_pong_ = true;
    return;
  }
  if (!has_output() && is_input_old_) is_untimed_ = true;
  queue_control(Opcode::Pong, payload, last_received_);
}

void Connection::queue_close(CloseCode code, std::string_view reason, Time now) {
  std::array<std::byte, control_payload_bytes_max> payload;
  const std::size_t size = write_close_payload(code, reason, payload);
  if (output_ != nullptr) output_->drop_held();
  queue_frame(outgoing(Opcode::Close, size), Bytes{payload.data(), size}, now, false);
  if (has_late_pong_) part_->late_pong.reset();
  has_late_pong_ = false;
  expiry_ = now + options_->close_timeout;
}

std::optional<Buffer> Connection::compress(Bytes payload, bool allowed) {
  if (deflate_ == nullptr || !allowed || payload.size() < options_->deflate.threshold_bytes)
    return std::nullopt;
  Buffer compressed;
  deflate_->compressor.compress(payload, compressed);
  // What grew is sent as it was, unless the peer's window must see it too.
  if (compressed.size() >= payload.size() && !deflate_->sends_with_takeover) return std::nullopt;
  return compressed;
}

// ---- output

void Connection::prepare_output(std::size_t bytes_max, Time now) {
  time_what_began(now);
  if (output_ != nullptr) output_->freeze(bytes_max);
}

std::size_t Connection::output(std::span<Slice> slices) const noexcept {
  return output_ == nullptr ? 0 : output_->gather(slices);
}

bool Connection::has_output() const noexcept { return output_ != nullptr && output_->sendable_bytes() > 0; }

std::size_t Connection::waiting_bytes() const noexcept {
  return output_ == nullptr ? 0 : output_->waiting_bytes();
}

void Connection::consume_output(std::size_t bytes, Time now) {
  if (output_ == nullptr || bytes == 0) return;
  output_->consume(bytes, *resources_);
  last_progress_ = now;
  if (is_ping_waiting_ && output_->control_bytes() == 0 && state_ == State::Open) {
    is_ping_waiting_ = false;
    expiry_ = now + options_->pong_timeout;
  }
  if (has_late_pong_ && output_->control_bytes() == 0) {
    queue_control(Opcode::Pong, part_->late_pong.bytes(), now);
    part_->late_pong.reset();
    has_late_pong_ = false;
  }
  if (drained_wanted_ && !final_known_ && output_->waiting_bytes() <= options_->drained_below_bytes / 2) {
    drained_wanted_ = false;
    drained_pending_ = true;
  }
  if (!output_->empty()) return;
  resources_->give_back(std::move(output_));
  output_ = nullptr;
  if (state_ == State::Closing && role_ == Role::Server) {
    end(CloseCode::Normal, {});  // RFC 6455 7.1.1: the server closes the TCP connection first
  } else if (state_ != State::Open) {
    expiry_ = now + options_->close_timeout;  // from here on the peer is due
  }
}

void Connection::keep_output() {
  if (output_ != nullptr) output_->keep_lent();
}

bool Connection::wants_shutdown_write() const noexcept {
  return !has_output() && state_ != State::Open && state_ != State::CloseSent;
}

// ---- time and ends

std::optional<Time> Connection::deadline() const noexcept {
  switch (state_) {
    case State::Open:
      if (has_output()) {
        if (options_->write_timeout == Duration::zero()) return std::nullopt;
        return last_progress_ + options_->write_timeout;
      }
      if (!is_reading_ || !input_.empty() || options_->ping_interval == Duration::zero()) return std::nullopt;
      return awaits_pong_ ? expiry_ : last_received_ + options_->ping_interval;
    case State::CloseSent:
    case State::Closing:
    case State::Failing:
      return has_output() ? std::max(expiry_, last_progress_ + options_->close_timeout) : expiry_;
    case State::Ended: return std::nullopt;
  }
  return std::nullopt;
}

void Connection::handle_deadline(Time now) {
  time_what_began(now);
  const std::optional<Time> due = deadline();
  if (!due || *due > now) return;
  if (state_ != State::Open) {
    end(CloseCode::Abnormal, "the peer did not finish the closing handshake in time");
  } else if (has_output()) {
    end(CloseCode::Abnormal, "the peer takes no data");
  } else if (awaits_pong_) {
    end(CloseCode::Abnormal, "no sign of life after a ping");
  } else {
    awaits_pong_ = is_ping_waiting_ = true;
    expiry_ = now + options_->pong_timeout;
    queue_control(Opcode::Ping, {}, now);
  }
}

void Connection::receive_eof(Time /*now*/) {
  end(CloseCode::Abnormal, "the connection ended without a Close frame");
}

void Connection::set_reading(bool reading, Time now) noexcept {
  if (reading && !is_reading_) {
    last_received_ = now;
    awaits_pong_ = false;
  }
  is_reading_ = reading;
}

void Connection::set_final(CloseCode code, std::string_view reason, bool is_failure) {
  if (final_known_) return;
  final_known_ = final_pending_ = true;
  unfinished().final_code = code;
  unfinished().final_reason = reason;
  final_is_failure_ = is_failure;
}

void Connection::end(CloseCode code, std::string_view reason) {
  if (state_ == State::Ended) return;
  set_final(code, reason, false);
  state_ = State::Ended;
  input_ = input_.last(0);
  output_.reset();
}

/// What began while old input was polled has waited for nobody yet.
void Connection::time_what_began(Time now) noexcept {
  if (!is_untimed_) return;
  is_untimed_ = false;
  last_progress_ = now;
  if (state_ != State::Open) expiry_ = now + options_->close_timeout;
}

}  // namespace sinnet::ws
