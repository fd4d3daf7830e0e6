#include "endpoint/http_session.hpp"

#include <utility>

#include "endpoint/shard.hpp"
#include "sinnet/http/path.hpp"
#include "sinnet/http/url.hpp"

namespace sinnet::endpoint {
namespace {

/// Files are read in pieces of this size, so that a slow client holds little of them.
constexpr std::size_t file_piece_bytes = 64 * 1024;

/// The header's fields of one name as one list (RFC 9110 5.3).
std::string joined(const http::Headers& headers, std::string_view name) {
  std::string list;
  for (const http::Field field : headers.all(name)) {
    if (!list.empty()) list += ',';
    list += field.value;
  }
  return list;
}

std::string_view host_name(std::string_view host) noexcept {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

}  // namespace

/// What the session knows about the request under way.
struct HttpSession::Request {
  const http::RequestHead& head;
  std::string path;
  std::string_view query;
  bool is_secure = false;  ///< the client's side speaks TLS
  std::string_view host;   ///< what the client asked for
};

HttpSession::HttpSession(Shard& shard, Arrival arrival)
    : Driver(shard.loop(), std::move(arrival.transport)),
      shard_(&shard),
      machine_(shard.core().options.http, arrival.since),
      forwarded_host_(std::move(arrival.forwarded_host)),
      proxied_peer_(std::move(arrival.proxied_peer)),
      address_ticket_(std::move(arrival.address_ticket)),
      handshake_ticket_(std::move(arrival.handshake_ticket)),
      total_ticket_(std::move(arrival.total_ticket)) {}

HttpSession::~HttpSession() = default;

void HttpSession::begin_refusal(std::string_view response) {
  machine_.refuse(response, loop().now());
  start({});
}

void HttpSession::drain() {
  machine_.close(loop().now());
  schedule_flush();
}

std::size_t HttpSession::reply_bytes_max() const noexcept {
  return shard_->core().options.limits.send_queue_bytes;
}

bool HttpSession::handle_event(const http::ServerEvent& event) {
  switch (event.type) {
    case http::ServerEventType::Request: handle_request(event.body); break;
    case http::ServerEventType::Drained: continue_file(); break;
    case http::ServerEventType::Failed: log_exchange(event.status, event.reason); break;
    case http::ServerEventType::Closed:
      if (const std::string_view why = transport().failure(); !why.empty()) {
        shard_->observer().connection_troubled(transport().peer_address().host(), why);
      }
      break;
  }
  return true;
}

void HttpSession::handle_finished() { shard_->close(*this); }

// ---- a request

void HttpSession::handle_request(Bytes body) {
  ServerCore& core = shard_->core();
  const http::RequestHead& head = machine_.head();
  handshake_ticket_ = {};  // whoever sent a whole head is no longer counted as unfinished

  const http::Headers& headers = head.headers();
  const std::string forwarded_for = joined(headers, "x-forwarded-for");
  const std::string forwarded_proto = joined(headers, "x-forwarded-proto");
  const std::string forwarded_host = joined(headers, "x-forwarded-host");
  // Attack 77: behind a PROXY header it is its source that speaks HTTP, and that must be trusted.
  const io::SocketAddress peer = proxied_peer_ != nullptr ? *proxied_peer_ : transport().peer_address();
  const ClientView client = evaluate_forwarded({.forwarded_for = forwarded_for,
                                                .forwarded_proto = forwarded_proto,
                                                .forwarded_host = forwarded_host,
                                                .host = head.host()},
                                               peer, transport().tls() != nullptr, core.trusted);
  if (!take_address_ticket(client)) return refuse(503, "too many connections from this address");

  const Decision host = core.hosts.check(client.host);
  if (!host.is_allowed()) return refuse(host.status, host.reason);

  // Attack 19: a certificate shown for one name is no leave to speak to another (RFC 9110 7.4). A trusted
  // proxy names us in its handshake, and its client's host in the request.
  const io::TlsInfo* tls = transport().tls();
  if (tls != nullptr && !tls->server_name.empty() && !core.trusted.trusts(peer) &&
      !http::equals_case_blind(tls->server_name, host_name(head.host()))) {
    return refuse(421, "the TLS handshake was for another name");
  }

  const http::TargetParts parts = http::split_target(head.path_and_query());
  // Attack 80: decoded once, matched after normalising.
  std::string scratch;
  const auto path = http::normalise_path(parts.path, scratch);
  if (!path) return refuse(400, http::describe(path.error()));
  const Request request{.head = head,
                        .path = std::string(*path),
                        .query = parts.query,
                        .is_secure = client.is_secure,
                        .host = client.host};
  if (ws::wants_upgrade(head)) return handle_upgrade(request);
  handle_plain(request, body);
}

/// Counts the connection for the client a trusted proxy names; a proxy's own address is not counted.
bool HttpSession::take_address_ticket(const ClientView& client) {
  if (client.source != ClientSource::Forwarded) return true;
  std::string host = client.address.host();
  if (host == forwarded_host_) return true;  // a later request of the same client
  forwarded_host_ = std::move(host);
  const std::optional<IpAddress> address = ip_of(client.address);
  if (!address) return true;
  auto ticket = AddressTicket::take(shard_->core().connections_per_ip, *address);
  if (!ticket) return false;
  address_ticket_ = std::move(*ticket);
  return true;
}

void HttpSession::handle_upgrade(const Request& request) {
  const ServerCore& core = shard_->core();
  RouteMatch match = core.router.find(host_name(request.host), request.path);
  if (match.route == nullptr || match.route->handler == nullptr) return refuse(404, "no WebSocket here");
  auto upgrade = ws::parse_upgrade(request.head);
  if (!upgrade) return refuse_handshake(upgrade.error());

  // Attack 16: a foreign page must not speak with the user's cookies.
  const Decision origin =
      core.origins.check(request.head.headers().find("origin"), request.is_secure, request.host);
  if (!origin.is_allowed()) return refuse(origin.status, origin.reason);

  const Route& route = *match.route;
  const std::vector<std::string_view> supported(route.protocols.begin(), route.protocols.end());
  if (!supported.empty() && !ws::choose_protocol(upgrade->protocols, supported)) {
    std::string why = "none of the subprotocols offered is spoken here; these are:";
    for (const std::string& protocol : route.protocols) why += ' ' + protocol;
    return refuse(400, why);
  }
  OpeningRequest opening{.head = request.head,
                         .upgrade = std::move(*upgrade),
                         .path = request.path,
                         .parameters = std::move(match.parameters),
                         .route = &route,
                         .deflate = std::nullopt,
                         .forwarded_host = forwarded_host_,
                         .address_ticket = std::move(address_ticket_),
                         .total_ticket = std::move(total_ticket_),
                         .rest = machine_.take_rest()};
  if (route.websocket.deflate.enabled) {
    opening.deflate = ws::negotiate_deflate(opening.upgrade.deflate_offers, route.websocket.deflate);
  }
  ServerConnection& connection = shard_->open(release_transport(), std::move(opening));
  shard_->close(*this);
  connection.begin();
}

void HttpSession::handle_plain(const Request& request, Bytes body) {
  const RouteMatch match = shard_->core().router.find(host_name(request.host), request.path);
  if (match.route == nullptr) return refuse(404, "nothing here");
  if (!match.route->has_http()) {
    static constexpr http::Field upgrade{"Upgrade", "websocket"};
    return refuse(426, "this path speaks WebSocket only", {&upgrade, 1});
  }
  if (match.route->files != nullptr) return answer_files(request, *match.route);
  answer_responder(request, match, body);
}

void HttpSession::answer_files(const Request& request, const Route& route) {
  // An exact pattern serves its directory's index; a prefix, what lies below it.
  const std::string_view relative = route.pattern.is_prefix() ? route.pattern.rest_of(request.path) : "";
  FileAnswer answer = route.files->answer(request.head, relative, machine_.keeps_alive());
  log_exchange(answer.status, {});
  file_ = std::move(answer.body);
  const bool last = file_ == nullptr || file_->is_over();
  machine_.respond(std::move(answer.head), std::move(answer.text), last, loop().now());
  if (!last) continue_file();
}

void HttpSession::continue_file() {
  while (file_ != nullptr) {
    Buffer piece = file_->next(file_piece_bytes);
    if (piece.empty()) {
      // The file shrank under us: the client must not take a part for the whole.
      file_.reset();
      abandon(io::CloseMode::Reset);
      shard_->close(*this);
      return;
    }
    const bool last = file_->is_over();
    if (last) file_.reset();
    const std::size_t waiting = machine_.write_body(std::move(piece), last, loop().now());
    if (waiting > shard_->core().options.http.drained_below_bytes) return;
  }
}

void HttpSession::answer_responder(const Request& request, const RouteMatch& match, Bytes body) {
  const std::string peer_host = forwarded_host_.empty() ? transport().peer_address().host() : forwarded_host_;
  const HttpResponse response = match.route->responder({.head = request.head,
                                                        .path = request.path,
                                                        .query = request.query,
                                                        .parameters = match.parameters,
                                                        .body = body,
                                                        .peer_host = peer_host});
  const std::string length = std::to_string(response.body.size());
  std::vector<http::Field> fields;
  fields.reserve(response.headers.size() + 2);
  for (const auto& [name, value] : response.headers) fields.push_back({name, value});
  fields.push_back({"Content-Length", length});
  if (!machine_.keeps_alive()) fields.push_back({"Connection", "close"});
  std::string head;
  if (!http::write_head(head, http::StatusLine{.status = response.status, .reason = {}}, fields)) {
    return refuse(500, "the route's response cannot stand in a head");
  }
  log_exchange(response.status, {});
  machine_.respond(std::move(head), Buffer::copy_of(as_bytes(response.body)), true, loop().now());
}

// ---- refusals

void HttpSession::refuse(int status, std::string_view reason, std::span<const http::Field> headers) {
  log_exchange(status, reason);
  std::string body(reason);
  body += '\n';
  Result<std::string> response = ws::write_refusal(status, headers, body);
  machine_.refuse(response ? std::move(*response) : *ws::write_refusal(status, {}, {}), loop().now());
}

void HttpSession::refuse_handshake(const ws::Refusal& refusal) {
  log_exchange(refusal.status, refusal.reason);
  machine_.refuse(ws::write_refusal(refusal), loop().now());
}

void HttpSession::log_exchange(int status, std::string_view reason) {
  const http::RequestHead& head = machine_.head();
  shard_->observer().exchange_ended(
      {.peer_host = forwarded_host_.empty() ? transport().peer_address().host() : forwarded_host_,
       .method = head.method(),
       .target = head.target(),
       .status = status,
       .reason = reason});
}

}  // namespace sinnet::endpoint
