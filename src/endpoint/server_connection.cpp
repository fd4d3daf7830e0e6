#include "endpoint/server_connection.hpp"

#include <algorithm>

#include "endpoint/shard.hpp"
#include "sinnet/http/path.hpp"

namespace sinnet::endpoint {
namespace {

constexpr std::string_view too_slow = "too slow";

}  // namespace

/// What is only needed until the opening is answered. The answer itself is carried out behind the handler's
/// call, or at the turn's end: frames that came with the head must not reach the handler inside its own
/// open(), and what it asks the connection behind its refusal must still have a transport to ask.
struct ServerConnection::Opening final : io::Timer, io::Task {
  Opening(ServerConnection& owner, OpeningRequest opening_request)
      : connection(&owner), asked(std::move(opening_request)) {
    request.head = &asked.head;
    request.path = asked.path;
    request.query = http::split_target(asked.head.path_and_query()).query;
    request.parameters = asked.parameters;
    request.protocols = asked.upgrade.protocols;
  }
  void handle_timer() override { connection->handle_open_timeout(); }
  void run_task() override { connection->carry_out_answer(); }

  ServerConnection* connection;
  OpeningRequest asked;
  OpenRequest request;
  std::string refusal;  ///< the whole response, once refused
  bool waits = false;   ///< the handler asked for time
};

struct ServerConnection::Rare {
  std::vector<Channels::Membership> memberships;
  std::string protocol;  ///< one that is not in the route's list
  std::string forwarded_host;
  // For an observer that wants totals.
  std::string target;
  Shard::Payload payload;
  Time since{};
};

ServerConnection::ServerConnection(Shard& shard, ConnectionId id, std::unique_ptr<io::Transport> transport,
                                   OpeningRequest request)
    : DrivenConnection(shard.loop(), std::move(transport)),
      shard_(&shard),
      route_(request.route),
      id_(id),
      address_ticket_(std::move(request.address_ticket)),
      machine_(ws::Role::Server, request.route->websocket, shard.resources(), shard.loop().now(),
               request.deflate) {
  request.total_ticket.release();
  if (!request.forwarded_host.empty()) rare().forwarded_host = std::move(request.forwarded_host);
  opening_ = std::make_unique<Opening>(*this, std::move(request));
  std::vector<std::string_view> supported(route_->protocols.begin(), route_->protocols.end());
  opening_->request.protocol = ws::choose_protocol(opening_->request.protocols, supported).value_or("");
}

ServerConnection::~ServerConnection() {
  // abort() tells it here, at the turn's end: its caller may be the handler itself.
  if (is_accepted_ || (opening_ != nullptr && opening_->waits && opening_->refusal.empty())) {
    tell_closed({.code = ws::CloseCode::Abnormal, .reason = "dropped"});
  }
  if (rare_ != nullptr) shard_->channels().leave_all(*this);
  (void)take_total_ticket();
}

void ServerConnection::operator delete(ServerConnection* connection, std::destroying_delete_t) {
  ConnectionTable& table = connection->shard_->connections();
  const ConnectionId id = connection->id_;
  connection->~ServerConnection();
  table.give_back(id);
}

TotalTicket ServerConnection::take_total_ticket() noexcept {
  if (!is_counted_) return {};
  is_counted_ = false;
  return TotalTicket(shard_->core().connections);
}

ServerConnection::Rare& ServerConnection::rare() {
  if (rare_ == nullptr) rare_ = std::make_unique<Rare>();
  return *rare_;
}

// ---- the opening

void ServerConnection::begin() {
  route_->handler->open(*this);
  if (is_opening() && !opening_->waits) (void)accept({});
  carry_out_answer();
}

/// Neither accepted nor refused yet.
bool ServerConnection::is_opening() const noexcept {
  return opening_ != nullptr && !is_accepted_ && opening_->refusal.empty() && !is_finished();
}

const OpenRequest* ServerConnection::request() const noexcept {
  return is_opening() ? &opening_->request : nullptr;
}

Result<> ServerConnection::accept(const Accept& how) {
  if (!is_opening() || has_told_closed()) return fail(ErrorCode::Closed, "the opening was answered already");
  ws::Acceptance acceptance{.protocol = how.protocol.value_or(opening_->request.protocol),
                            .deflate = opening_->asked.deflate,
                            .headers = how.headers};
  Result<std::string> head = ws::write_accept_response(opening_->asked.upgrade, acceptance);
  if (!head) return std::unexpected(head.error());
  const auto listed = std::find(route_->protocols.begin(), route_->protocols.end(), acceptance.protocol);
  if (listed != route_->protocols.end()) {
    protocol_ = &*listed;
  } else if (!acceptance.protocol.empty()) {
    rare().protocol = acceptance.protocol;
    protocol_ = &rare_->protocol;
  }
  is_accepted_ = true;
  loop().disarm(*opening_);
  machine_.send_preface(as_bytes(*head), loop().now());
  shard_->observer().exchange_ended({.peer_host = peer_host(),
                                     .method = opening_->asked.head.method(),
                                     .target = opening_->asked.head.target(),
                                     .status = 101,
                                     .reason = {}});
  if (shard_->observer().wants_totals()) {
    (void)shard_->take_payload();
    rare().target = opening_->asked.head.target();
    rare_->since = loop().now();
  }
  loop().flush_later(*opening_);
  return {};
}

void ServerConnection::refuse(int status, std::span<const http::Field> headers, std::string_view body) {
  if (!is_opening()) return;
  Result<std::string> response = ws::write_refusal(status, headers, body);
  // What a handler wrote cannot stand in a response: the client is refused all the same.
  if (!response) response = ws::write_refusal(500, {}, {});
  shard_->observer().exchange_ended({.peer_host = peer_host(),
                                     .method = opening_->asked.head.method(),
                                     .target = opening_->asked.head.target(),
                                     .status = status,
                                     .reason = "refused by the handler"});
  opening_->refusal = std::move(*response);
  loop().disarm(*opening_);
  loop().flush_later(*opening_);
}

void ServerConnection::carry_out_answer() {
  if (opening_ == nullptr || is_finished() || is_opening()) return;
  const std::unique_ptr<Opening> answered = std::move(opening_);
  if (is_accepted_) return start(answered->asked.rest.mutable_bytes());
  // The refused client counts for the limits until it is gone.
  Arrival leaving;
  leaving.transport = release_transport();
  if (rare_ != nullptr) leaving.forwarded_host = std::move(rare_->forwarded_host);
  leaving.address_ticket = std::move(address_ticket_);
  leaving.total_ticket = take_total_ticket();
  leaving.since = loop().now();
  shard_->answer_and_close(std::move(leaving), answered->refusal);
  shard_->close(*this);
}

void ServerConnection::answer_later(Duration timeout) {
  if (!is_opening()) return;
  opening_->waits = true;
  const Duration longest = shard_->core().options.limits.open_timeout;
  loop().arm(*opening_, loop().now() + std::min(timeout, longest));
}

void ServerConnection::handle_open_timeout() {
  tell_closed({.code = ws::CloseCode::TryAgainLater, .reason = "the opening was not answered in time"});
  refuse(503, {}, {});
}

bool ServerConnection::ensure_accepted() {
  if (is_opening()) (void)accept({});
  return is_accepted_;
}

// ---- messages

void ServerConnection::note_traffic() {
  shard_->note_traffic();
  if (rare_ == nullptr) return;  // nobody wants totals of this one
  const Shard::Payload more = shard_->take_payload();
  rare_->payload.received_bytes += more.received_bytes;
  rare_->payload.sent_bytes += more.sent_bytes;
}

bool ServerConnection::send_from_others(const ws::SharedFrame& frame) {
  if (!is_open()) return false;
  // Attack 37: who does not read loses the connection, not our memory. One message always fits an empty
  // queue.
  const std::size_t waiting = machine_.waiting_bytes();
  if (waiting > 0 && waiting + frame.payload().size() > send_queue_bytes()) {
    close(ws::CloseCode::PolicyViolation, too_slow);
    return false;
  }
  return after_send(machine_.send(frame, loop().now())).has_value();
}

std::size_t ServerConnection::send_queue_bytes() const noexcept {
  return shard_->core().options.limits.send_queue_bytes;
}

// ---- the end

void ServerConnection::handle_closing(const CloseInfo& info) {
  if (!is_accepted_) return;
  const std::string host = peer_host();
  WebSocketRecord record{.id = id_, .peer_host = host, .protocol = protocol(), .close = info};
  if (rare_ != nullptr && rare_->since != Time{}) {
    record.target = rare_->target;
    record.received_bytes = rare_->payload.received_bytes;
    record.sent_bytes = rare_->payload.sent_bytes;
    record.lasted = loop().now() - rare_->since;
  }
  shard_->observer().websocket_closed(record);
}

void ServerConnection::abort() {
  if (is_finished()) return;
  abandon(io::CloseMode::Reset);
  shard_->close(*this);
}

void ServerConnection::drain() {
  if (is_opening()) {
    if (opening_->waits)
      tell_closed({.code = ws::CloseCode::GoingAway, .reason = "the server is going away"});
    return refuse(503, {}, {});
  }
  close(ws::CloseCode::GoingAway, "the server is going away");
}

void ServerConnection::end_life() {
  if (is_accepted_) tell_closed({.code = ws::CloseCode::Abnormal, .reason = "dropped"});
  shard_->close(*this);
}

// ---- channels and who it is

std::vector<Channels::Membership>& ServerConnection::memberships() { return rare().memberships; }

void ServerConnection::join(std::string_view channel) {
  if (!is_finished()) shard_->channels().join(*this, channel);
}

void ServerConnection::leave(std::string_view channel) {
  if (rare_ != nullptr) shard_->channels().leave(*this, channel);
}

void ServerConnection::publish(std::string_view channel, const Message& message, bool except_self) {
  shard_->publish(channel, ws::SharedFrame(message.kind, message.payload),
                  except_self ? id_ : ConnectionId{});
}

std::string ServerConnection::peer_host() const {
  if (rare_ != nullptr && !rare_->forwarded_host.empty()) return rare_->forwarded_host;
  return transport().peer_address().host();
}

}  // namespace sinnet::endpoint
