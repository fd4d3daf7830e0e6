#include "sinnet/endpoint/mux.hpp"

#include "sinnet/io/loop.hpp"

namespace sinnet::endpoint {

MuxConnection::MuxConnection(std::shared_ptr<const Shared> shared, mux::Role role, io::Loop& loop)
    : shared_(std::move(shared)),
      session_(role, shared_->options.dialect, shared_->options.session, loop.random(), loop.now()) {}

mux::VerbResult<MuxStream> MuxConnection::open(const mux::OpenOptions& options) {
  const mux::VerbResult<mux::Stream> stream = session_.open(options, loop().now());
  if (!stream) return std::unexpected(stream.error());
  schedule();
  return MuxStream(*this, *stream, options.user);
}

bool MuxConnection::ping() {
  const bool is_begun = session_.ping(loop().now());
  schedule();
  return is_begun;
}

void MuxConnection::go_away(std::uint64_t code, std::string_view reason) {
  session_.go_away(code, reason, loop().now());
  schedule();
}

void MuxConnection::close(std::uint64_t code, std::string_view reason) {
  session_.close(code, reason, loop().now());
  schedule();
}

void MuxConnection::dispatch(const mux::Event& event) {
  using enum mux::EventType;
  MuxHandler& handler = *shared_->handler;
  const MuxStream stream(*this, event.stream, event.user);
  switch (event.type) {
    case Opened:
      answers_later_ = false;
      handler.opened(stream, {event.stream_type, event.urgency, event.metadata});
      // Refused meanwhile: this changes nothing.
      if (!answers_later_) (void)session_.accept(event.stream, loop().now());
      break;
    case Accepted: handler.accepted(stream); break;
    case Data: handler.readable(stream, event.payload); break;
    case Finished: handler.finished(stream); break;
    case Aborted: handler.reset(stream, {.half = MuxReset::Half::Receiving, .code = event.code}); break;
    case Stopped: handler.reset(stream, {.half = MuxReset::Half::Sending, .code = event.code}); break;
    case Writable: handler.writable(stream); break;
    case ReadTimedOut: handler.timed_out(stream, mux::DeadlineKind::Read); break;
    case WriteTimedOut: handler.timed_out(stream, mux::DeadlineKind::Write); break;
    case Ended: handler.ended(stream, {.reason = event.end, .code = event.code}); break;
    case Pong: handler.pong(*this, event.round_trip); break;
    case GoneAway: handler.gone_away(*this, event.code, event.reason); break;
    case Closed:
      handler.closed(*this, {.code = event.code, .reason = event.reason, .was_clean = event.was_clean});
      break;
    case Failed:
      handler.closed(*this, {.code = event.code, .reason = event.reason, .was_violation = true});
      break;
  }
}

void MuxConnection::dispatch_rest(Time now) {
  session_.receive_eof(now);
  while (const std::optional<mux::Event> event = session_.poll_event()) dispatch(*event);
}

// ---- MuxStream

namespace {

/// A verb changed the session: its carrier hears of it.
template <class Result, class Schedule>
Result scheduled(Result result, const Schedule& schedule) {
  if (result) schedule();
  return result;
}

}  // namespace

mux::VerbResult<> MuxStream::set_user(void* user) {
  user_ = user;
  return connection_->session_.set_user(stream_, user);
}
mux::VerbResult<> MuxStream::accept() const {
  return scheduled(connection_->session_.accept(stream_, connection_->loop().now()),
                   [this] { connection_->schedule(); });
}
mux::VerbResult<> MuxStream::refuse(std::uint64_t code) const {
  return scheduled(connection_->session_.refuse(stream_, code, connection_->loop().now()),
                   [this] { connection_->schedule(); });
}
void MuxStream::answer_later() const noexcept { connection_->answers_later_ = true; }

mux::VerbResult<std::size_t> MuxStream::write(Bytes bytes) const {
  return scheduled(connection_->session_.write(stream_, bytes, connection_->loop().now()),
                   [this] { connection_->schedule(); });
}
mux::VerbResult<std::size_t> MuxStream::write(const Buffer& owner, Bytes part) const {
  return scheduled(connection_->session_.write(stream_, owner, part, connection_->loop().now()),
                   [this] { connection_->schedule(); });
}
MutableBytes MuxStream::readable() const noexcept { return connection_->session_.readable(stream_); }
void MuxStream::consume(std::size_t bytes) const {
  connection_->session_.consume(stream_, bytes, connection_->loop().now());
  connection_->schedule();
}
std::size_t MuxStream::read(MutableBytes out) const {
  const std::size_t bytes = connection_->session_.read(stream_, out, connection_->loop().now());
  connection_->schedule();
  return bytes;
}
mux::VerbResult<> MuxStream::close_write() const {
  return scheduled(connection_->session_.close_write(stream_, connection_->loop().now()),
                   [this] { connection_->schedule(); });
}
mux::VerbResult<> MuxStream::stop_receiving(std::uint64_t code) const {
  return scheduled(connection_->session_.stop_receiving(stream_, code, connection_->loop().now()),
                   [this] { connection_->schedule(); });
}
mux::VerbResult<> MuxStream::reset(std::uint64_t code) const {
  return scheduled(connection_->session_.reset(stream_, code, connection_->loop().now()),
                   [this] { connection_->schedule(); });
}
mux::VerbResult<> MuxStream::set_deadline(mux::DeadlineKind kind, Time when) const {
  return scheduled(connection_->session_.set_deadline(stream_, kind, when),
                   [this] { connection_->schedule(); });
}
mux::VerbResult<> MuxStream::set_urgency(std::uint8_t urgency) const {
  return connection_->session_.set_urgency(stream_, urgency);
}

}  // namespace sinnet::endpoint
