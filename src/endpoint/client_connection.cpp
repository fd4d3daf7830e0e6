#include "endpoint/client_connection.hpp"

#include <utility>

namespace sinnet::endpoint {

ClientConnection::ClientConnection(std::shared_ptr<ClientCore> core, std::shared_ptr<Handler> handler,
                                   ClientConnectionOwner& owner, Opened opened)
    : Driver(*core->loop, std::move(opened.transport)),
      core_(std::move(core)),
      handler_(std::move(handler)),
      owner_(&owner),
      id_(ConnectionId{++core_->last_id}),
      protocol_(std::move(opened.protocol)),
      rest_(std::move(opened.rest)),
      machine_(ws::Role::Client, handler_->delivery() == ws::Delivery::Pieces ? core_->pieces : core_->whole,
               core_->resources, core_->loop->now(), opened.deflate) {}

void ClientConnection::begin() {
  handler_->open(*this);
  if (is_finished()) return;  // dropped by the handler
  Buffer rest = std::move(rest_);
  start(rest.mutable_bytes());
}

void ClientConnection::forsake() {
  owner_ = nullptr;
  told_closed_ = true;
  if (!is_finished()) abandon(io::CloseMode::Reset);
}

// ---- the opening: nothing to answer

Result<> ClientConnection::accept(const Accept&) {
  return fail(ErrorCode::Closed, "a connection of ours needs no answer");
}
void ClientConnection::refuse(int, std::span<const http::Field>, std::string_view) {}
void ClientConnection::answer_later(Duration) {}

// ---- messages

ws::SendResult ClientConnection::after_send(ws::SendResult result) {
  if (result) schedule_flush();
  return result;
}

ws::SendResult ClientConnection::send(ws::MessageKind kind, Bytes payload) {
  if (is_finished()) return std::unexpected(ws::SendError::Closing);
  return after_send(machine_.send(kind, payload, loop().now()));
}

ws::SendResult ClientConnection::send(ws::MessageKind kind, Buffer&& payload) {
  if (is_finished()) return std::unexpected(ws::SendError::Closing);
  return after_send(machine_.send(kind, std::move(payload), loop().now()));
}

ws::SendResult ClientConnection::send(const ws::SharedFrame& frame) {
  if (is_finished()) return std::unexpected(ws::SendError::Closing);
  return after_send(machine_.send(frame, loop().now()));
}

ws::SendResult ClientConnection::send_piece(ws::MessageKind kind, Bytes piece, bool first, bool last) {
  if (is_finished()) return std::unexpected(ws::SendError::Closing);
  return after_send(machine_.send_piece(kind, piece, first, last, loop().now()));
}

ws::SendResult ClientConnection::ping(Bytes payload) {
  if (payload.size() > ws::control_payload_bytes_max) payload = payload.first(ws::control_payload_bytes_max);
  if (is_finished()) return std::unexpected(ws::SendError::Closing);
  return after_send(machine_.ping(payload, loop().now()));
}

std::size_t ClientConnection::room_bytes() const noexcept {
  const std::size_t limit = core_->options.send_queue_bytes;
  const std::size_t waiting = machine_.waiting_bytes();
  return waiting < limit ? limit - waiting : 0;
}

bool ClientConnection::is_open() const noexcept {
  return !is_finished() && machine_.state() == ws::State::Open;
}

// ---- events and the end

bool ClientConnection::handle_event(const ws::Event& event) {
  switch (event.type) {
    case ws::EventType::Message:
      handler_->message(
          *this,
          Message{.kind = event.kind, .payload = event.payload, .first = event.first, .last = event.last});
      break;
    case ws::EventType::Drained: handler_->drained(*this); break;
    case ws::EventType::Closed:
      tell_closed({.code = event.code, .reason = event.reason, .was_clean = event.was_clean});
      break;
    case ws::EventType::Failed:
      tell_closed({.code = event.code, .reason = event.reason, .was_violation = true});
      break;
    case ws::EventType::Ping:
    case ws::EventType::Pong: break;
  }
  return true;
}

void ClientConnection::tell_closed(const CloseInfo& info) {
  if (std::exchange(told_closed_, true)) return;
  handler_->close(*this, info);
}

void ClientConnection::close(ws::CloseCode code, std::string_view reason) {
  if (is_finished()) return;
  machine_.close(code, reason, loop().now());
  // Somebody who paused waits for no message any more, and the end is told to the paused too.
  schedule_flush();
}

void ClientConnection::abort() {
  if (is_finished()) return;
  abandon(io::CloseMode::Reset);
  end_life();
}

void ClientConnection::end_life() {
  tell_closed({.code = ws::CloseCode::Abnormal, .reason = "dropped"});
  if (owner_ != nullptr) std::exchange(owner_, nullptr)->connection_ended();
}

// ---- channels: those of a server

void ClientConnection::join(std::string_view) {}
void ClientConnection::leave(std::string_view) {}
void ClientConnection::publish(std::string_view, const Message&, bool) {}

}  // namespace sinnet::endpoint
