#include "endpoint/proxy_preface.hpp"

#include <array>
#include <string>
#include <utility>

namespace sinnet::endpoint {

ProxyPreface::ProxyPreface(Shard& shard, Arrival arrival) : shard_(&shard), arrival_(std::move(arrival)) {}

void ProxyPreface::begin() {
  shard_->loop().arm(*this, arrival_.since + shard_->core().options.limits.handshake_timeout);
  arrival_.transport->set_ready_handler(this);
  arrival_.transport->want(true, false);
}

void ProxyPreface::handle_ready(bool /*readable*/, bool /*writable*/) {
  // Byte by byte: what follows is TLS or HTTP and must stay in the socket. A header is read once for each
  // connection.
  std::array<std::byte, 1> next;
  while (!parser_.is_done()) {
    const io::IoResult result = arrival_.transport->read(next);
    if (result.status == io::IoStatus::Blocked) return;
    if (result.status != io::IoStatus::Ok) {
      parser_.receive_eof();
    } else {
      (void)parser_.receive(next);
    }
    if (parser_.has_failed()) return refuse(describe(parser_.fault()));
  }
  finish();
}

void ProxyPreface::finish() {
  ServerCore& core = shard_->core();
  shard_->loop().disarm(*this);
  arrival_.transport->want(false, false);
  arrival_.transport->set_ready_handler(nullptr);
  const io::SocketAddress& source = parser_.header().source;
  // Attack 77: whom the header does not name (UNKNOWN, LOCAL, a Unix socket) nobody trusts either, so an
  // X-Forwarded-For behind it is a stranger's word. For limits and logs such a client is the socket's peer.
  arrival_.proxied_peer = std::make_unique<io::SocketAddress>(source.is_ip() ? source : io::SocketAddress{});
  if (source.is_ip()) arrival_.forwarded_host = source.host();
  if (const std::optional<IpAddress> address = ip_of(source); address && !core.trusted.trusts(*address)) {
    auto ticket = AddressTicket::take(core.connections_per_ip, *address);
    if (!ticket) return refuse("too many connections from this address");
    arrival_.address_ticket = std::move(*ticket);
  }
  Shard& shard = *shard_;
  Arrival arrival = std::move(arrival_);
  shard.hand_over(*this, std::move(arrival));
}

void ProxyPreface::refuse(std::string_view why) {
  const std::string peer = arrival_.transport->peer_address().host();
  shard_->observer().connection_troubled(peer, why);
  arrival_.transport->close(io::CloseMode::Orderly);
  shard_->close(*this);
}

}  // namespace sinnet::endpoint
