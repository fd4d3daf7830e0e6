/// The serving side of HTTP/1.1 as a machine: decoding, life cycle, time. It knows no routes and reads no
/// clock.

#include "sinnet/http/server_connection.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>

#include "http/head_chars.hpp"

namespace sinnet::http {
namespace {

/// A body shorter than this is copied behind its head: one slice and one block instead of two.
constexpr std::size_t copy_below_bytes = 2048;
/// A queue that was longer than this gives its memory back when it is empty.
constexpr std::size_t queue_kept_max = 8;
/// Consumed entries in front of the queue are dropped in steps of at least this, so that a long response
/// under way does not lengthen the queue.
constexpr std::size_t queue_gone_max = 32;

constexpr std::string_view continue_response = "HTTP/1.1 100 Continue\r\n\r\n";

/// Whether a response head of our own user says `Connection: close`.
bool says_close(std::string_view head) noexcept {
  while (!head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !equals_case_blind(line.substr(0, colon), "connection")) continue;
    std::string_view list = line.substr(colon + 1);
    while (!list.empty()) {
      if (equals_case_blind(cut_element(list), "close")) return true;
    }
  }
  return false;
}

/// The whole response to what is refused here, for one HeadError's worth of reason.
std::string write_answer(int status, std::string_view reason) {
  const std::string length = std::to_string(reason.size() + 1);
  const std::array<Field, 3> fields{Field{.name = "Connection", .value = "close"},
                                    Field{.name = "Content-Length", .value = length},
                                    Field{.name = "Content-Type", .value = "text/plain; charset=utf-8"}};
  std::string out;
  [[maybe_unused]] const auto written = write_head(out, StatusLine{.status = status, .reason = {}}, fields);
  assert(written.has_value());
  out += reason;
  out += '\n';
  return out;
}

/// Without the body, which an answer to HEAD has not (RFC 9110 9.3.2).
std::string_view head_only(std::string_view response) noexcept {
  const std::size_t end = response.find("\r\n\r\n");
  return end == std::string_view::npos ? response : response.substr(0, end + 4);
}

}  // namespace

ServerConnection::ServerConnection(const ServerOptions& options, Time now)
    : options_(&options),
      parser_(HeadRole::Request, options.head),
      now_(now),
      expiry_(now),
      last_progress_(now),
      paused_since_(now) {
  set_expiry(options.head_timeout, now);
}

// ---- input

void ServerConnection::receive(MutableBytes input, Time now) {
  assert(input_.empty());
  now_ = now;
  if (is_receiving()) input_ = input;
}

void ServerConnection::keep_input() {
  if (input_.empty()) {
    kept_input_.reset();
    input_ = {};
    return;
  }
  const Bytes kept = kept_input_.bytes();
  // Kept input is decoded from its front, so that both ranges end at the same byte.
  if (!kept.empty() && kept.data() + kept.size() == input_.data() + input_.size()) return;
  kept_input_ = Buffer::copy_of(input_);
  input_ = kept_input_.mutable_bytes();
}

bool ServerConnection::wants_input() const noexcept {
  if (has_eof_ || !input_.empty()) return false;
  return is_receiving() || state_ == State::Closing || state_ == State::Failing;
}

bool ServerConnection::is_request_due() const noexcept {
  return request_pending_ && (waiting_bytes_ == 0 || !head_.headers().find("upgrade").has_value());
}

bool ServerConnection::has_event() const noexcept {
  return failed_pending_ || closed_pending_ || drained_pending_ || is_request_due() ||
         (is_receiving() && !input_.empty());
}

std::optional<ServerEvent> ServerConnection::poll_event() {
  if (is_receiving()) decode();
  if (failed_pending_) {
    failed_pending_ = false;
    return ServerEvent{
        .type = ServerEventType::Failed, .status = status_, .reason = std::exchange(reason_, {}), .body = {}};
  }
  if (is_request_due()) {
    request_pending_ = false;
    return ServerEvent{.type = ServerEventType::Request, .body = body_.bytes()};
  }
  if (drained_pending_) {
    drained_pending_ = false;
    return ServerEvent{.type = ServerEventType::Drained};
  }
  if (closed_pending_) {
    closed_pending_ = false;
    return ServerEvent{.type = ServerEventType::Closed, .reason = reason_};
  }
  return std::nullopt;
}

void ServerConnection::decode() {
  while (is_receiving() && !input_.empty()) {
    if (state_ == State::Body) {
      decode_body();
    } else {
      decode_head();
    }
  }
  if (has_eof_ && is_receiving()) handle_eof();
}

void ServerConnection::decode_head() {
  if (state_ == State::Idle) {
    state_ = State::Head;
    if (!is_first_) set_expiry(options_->head_timeout, now_);  // attack 14: the first one's runs already
  }
  const HeadParser::Progress progress = parser_.receive(input_);
  input_ = input_.subspan(progress.consumed_bytes);
  switch (progress.status) {
    case HeadParser::Status::NeedMore: return;
    case HeadParser::Status::Failed: return fail(parser_.error().status, parser_.error().reason);
    case HeadParser::Status::Done: break;
  }
  head_ = parser_.take_request();
  is_first_ = false;
  handle_head();
}

/// What a head says about its body, before any of it is read.
void ServerConnection::handle_head() {
  const auto framing = body_framing(head_);
  if (!framing.has_value()) return fail(framing.error().status, framing.error().reason);
  if (framing->kind == BodyFraming::Kind::Chunked) {
    return fail(411, "a body in chunks is not taken");  // RFC 9112 6.3: a server MAY refuse with 411
  }
  if (framing->length_bytes > options_->body_bytes_max) return fail(413, "the body is too long");
  if (!accept_expectation()) return fail(417, "an unknown expectation");
  body_remaining_ = framing->length_bytes;
  if (body_remaining_ == 0) return finish_request();
  state_ = State::Body;
  set_expiry(options_->body_timeout, now_);
  if (head_.version_minor() > 0 && head_.headers().find("expect").has_value()) {
    // RFC 9110 10.1.1 lets us leave it out when the body is here already; the answer shall not depend on how
    // the bytes were cut.
    queue(as_bytes(continue_response), {}, now_);
  }
}

/// RFC 9110 10.1.1: 100-continue is the one expectation there is; in HTTP/1.0 the field means nothing.
bool ServerConnection::accept_expectation() {
  if (head_.version_minor() == 0) return true;
  for (const Field field : head_.headers().all("expect")) {
    if (!equals_case_blind(field.value, "100-continue")) return false;
  }
  return true;
}

void ServerConnection::decode_body() {
  const std::size_t taken = std::min<std::uint64_t>(input_.size(), body_remaining_);
  body_.append(input_.first(taken));
  input_ = input_.subspan(taken);
  body_remaining_ -= taken;
  if (body_remaining_ == 0) finish_request();
}

void ServerConnection::finish_request() noexcept {
  state_ = State::Pending;
  request_pending_ = true;
}

/// Refuses what the client sent and stops listening to it: where a wrong request ends nobody can say.
void ServerConnection::fail(int status, std::string_view reason) {
  const std::string answer = write_answer(status, reason);
  queue(as_bytes(head_.method() == "HEAD" ? head_only(answer) : std::string_view(answer)), {}, now_);
  failed_pending_ = true;
  status_ = static_cast<std::uint16_t>(status);
  reason_ = reason;
  wind_up(State::Failing, now_);
}

// ---- ends

void ServerConnection::receive_eof(Time now) {
  now_ = now;
  if (state_ == State::Ended) return;
  if (is_writing_ || has_eof_) return end("the connection was lost");
  has_eof_ = true;
  if (is_receiving()) {
    if (input_.empty()) handle_eof();  // else it waits until what came before is decoded
  } else if (!has_output() && (state_ == State::Closing || state_ == State::Failing)) {
    end({});
  }
}

/// Nothing more will be asked; what was answered still goes out.
void ServerConnection::handle_eof() {
  if (state_ != State::Idle) reason_ = "the client left in the middle of a request";
  wind_up(State::Closing, now_);
}

/// On to Closing or Failing: parse nothing more, write what waits, then wait for the client's EOF.
void ServerConnection::wind_up(State state, Time now) {
  state_ = state;
  input_ = {};
  head_ = {};
  body_.reset();
  request_pending_ = drained_wanted_ = drained_pending_ = false;
  if (!has_output()) handle_output_gone(now);
}

void ServerConnection::end(std::string_view reason) noexcept {
  if (state_ == State::Ended) return;
  state_ = State::Ended;
  input_ = {};
  output_ = {};
  first_ = first_offset_ = waiting_bytes_ = 0;
  head_ = {};
  body_.reset();
  request_pending_ = drained_wanted_ = drained_pending_ = false;
  closed_pending_ = true;
  if (!failed_pending_ && reason_.empty()) reason_ = reason;
}

// ---- output

/// Appends the head, and the body in the same block where it is short.
void ServerConnection::queue(Bytes head, Buffer body, Time now) {
  if (waiting_bytes_ == 0) last_progress_ = now;
  waiting_bytes_ += head.size() + body.size();
  if (first_ >= queue_gone_max) {
    output_.erase(output_.begin(), output_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  if (!head.empty()) {
    const bool joins = body.size() < copy_below_bytes;
    Buffer block = Buffer::allocate(head.size() + (joins ? body.size() : 0));
    const MutableBytes room = block.mutable_bytes();
    std::memcpy(room.data(), head.data(), head.size());
    if (joins && !body.empty()) std::memcpy(room.data() + head.size(), body.bytes().data(), body.size());
    output_.push_back(std::move(block));
    if (joins) return;
  }
  if (!body.empty()) output_.push_back(std::move(body));
}

void ServerConnection::prepare_output(std::size_t /*bytes_max*/, Time now) {
  now_ = now;
  is_writing_ = true;
}

std::size_t ServerConnection::output(std::span<Slice> slices) const noexcept {
  std::size_t count = 0;
  std::size_t offset = first_offset_;
  for (std::size_t i = first_; i < output_.size() && count < slices.size(); ++i) {
    const Bytes bytes = output_[i].bytes().subspan(offset);
    slices[count++] = {.data = bytes.data(), .size = bytes.size()};
    offset = 0;
  }
  return count;
}

void ServerConnection::consume_output(std::size_t bytes, Time now) {
  now_ = now;
  is_writing_ = false;
  assert(bytes <= waiting_bytes_);
  if (bytes == 0) return;
  last_progress_ = now;
  waiting_bytes_ -= bytes;
  first_offset_ += bytes;
  while (first_ < output_.size() && first_offset_ >= output_[first_].size()) {
    first_offset_ -= output_[first_].size();
    output_[first_++].reset();
  }
  if (drained_wanted_ && waiting_bytes_ <= options_->drained_below_bytes / 2) {
    drained_wanted_ = false;
    drained_pending_ = true;
  }
  if (waiting_bytes_ > 0) return;
  first_ = 0;
  output_.clear();
  if (output_.capacity() > queue_kept_max) output_ = {};
  handle_output_gone(now);
}

void ServerConnection::handle_output_gone(Time now) {
  if (state_ == State::Idle) {
    set_expiry(options_->idle_timeout, now);
  } else if (state_ == State::Closing || state_ == State::Failing) {
    if (has_eof_) return end({});
    expiry_ = now + options_->linger_timeout;
  }
}

bool ServerConnection::wants_shutdown_write() const noexcept {
  return !has_output() && state_ >= State::Closing;
}

// ---- responses

bool ServerConnection::keeps_alive() const noexcept {
  return head_.version_minor() > 0 && head_.keeps_alive() && !close_wanted_ && !(has_eof_ && input_.empty());
}

void ServerConnection::respond(std::string_view head, Buffer body, bool last, Time now) {
  now_ = now;
  if (state_ != State::Pending) return;
  assert(!request_pending_);
  if (says_close(head)) close_wanted_ = true;
  state_ = State::Streaming;
  queue(as_bytes(head), head_.method() == "HEAD" ? Buffer{} : std::move(body), now);
  if (last) return finish_response(now);
  drained_wanted_ = waiting_bytes_ > options_->drained_below_bytes;
}

std::size_t ServerConnection::write_body(Buffer piece, bool last, Time now) {
  now_ = now;
  if (state_ != State::Streaming) return waiting_bytes_;
  if (head_.method() != "HEAD") queue({}, std::move(piece), now);
  if (last) {
    finish_response(now);
  } else if (waiting_bytes_ > options_->drained_below_bytes) {
    drained_wanted_ = true;
  }
  return waiting_bytes_;
}

void ServerConnection::finish_response(Time now) {
  if (!keeps_alive()) return wind_up(State::Closing, now);
  state_ = State::Idle;
  head_ = {};
  body_.reset();
  drained_wanted_ = drained_pending_ = false;
  set_expiry(options_->idle_timeout, now);
}

void ServerConnection::close(Time now) {
  now_ = now;
  close_wanted_ = true;
  if (is_receiving()) wind_up(State::Closing, now);
}

void ServerConnection::refuse(std::string_view response, Time now) {
  now_ = now;
  if (state_ >= State::Closing) return;
  if (state_ != State::Streaming) {
    queue(as_bytes(head_.method() == "HEAD" ? head_only(response) : response), {}, now);
  }
  wind_up(State::Closing, now);
}

Buffer ServerConnection::take_rest() {
  assert(state_ == State::Pending && !request_pending_ && !has_output());
  Buffer rest = Buffer::copy_of(input_);
  end({});
  kept_input_.reset();
  closed_pending_ = false;
  return rest;
}

// ---- time

void ServerConnection::set_expiry(Duration timeout, Time now) noexcept {
  expiry_ = timeout == Duration::zero() ? time_never : now + timeout;
  if (!is_reading_) paused_since_ = now;
}

void ServerConnection::set_reading(bool reading, Time now) noexcept {
  if (reading == is_reading_) return;
  if (!reading) {
    paused_since_ = now;
  } else if (is_receiving() && expiry_ != time_never) {
    expiry_ += now - paused_since_;
  }
  is_reading_ = reading;
}

std::optional<Time> ServerConnection::deadline() const noexcept {
  Time due = time_never;
  switch (state_) {
    case State::Idle:
      if (is_reading_ && !has_output()) due = expiry_;
      break;
    case State::Head:
    case State::Body:
      if (is_reading_) due = expiry_;
      break;
    case State::Pending:
    case State::Streaming: break;
    case State::Closing:
    case State::Failing:
      if (!has_output()) due = expiry_;
      break;
    case State::Ended: return std::nullopt;
  }
  if (has_output() && options_->write_timeout != Duration::zero()) {
    due = std::min(due, last_progress_ + options_->write_timeout);
  }
  if (due == time_never) return std::nullopt;
  return due;
}

void ServerConnection::handle_deadline(Time now) {
  const std::optional<Time> due = deadline();
  if (!due || *due > now) return;
  now_ = now;
  if (has_output() && options_->write_timeout != Duration::zero() &&
      last_progress_ + options_->write_timeout <= now) {
    return end("the client takes no data");
  }
  switch (state_) {
    case State::Head: return fail(408, "the head took too long");
    case State::Body: return fail(408, "the body took too long");
    case State::Idle: return end("no request in time");
    default: return end({});
  }
}

}  // namespace sinnet::http
