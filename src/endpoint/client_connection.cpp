#include "endpoint/client_connection.hpp"

#include <utility>

namespace sinnet::endpoint {

ClientConnection::ClientConnection(std::shared_ptr<ClientCore> core, std::shared_ptr<Handler> handler,
                                   ClientConnectionOwner& owner, Opened opened)
    : DrivenConnection(*core->loop, std::move(opened.transport)),
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
  conceal_end();
  if (!is_finished()) abandon(io::CloseMode::Reset);
}

// ---- the opening: nothing to answer

Result<> ClientConnection::accept(const Accept&) {
  return fail(ErrorCode::Closed, "a connection of ours needs no answer");
}
void ClientConnection::refuse(int, std::span<const http::Field>, std::string_view) {}
void ClientConnection::answer_later(Duration) {}

// ---- the end

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
