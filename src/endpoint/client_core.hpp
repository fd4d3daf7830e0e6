#pragma once
/// What the sessions of one Client share. Owned by all of them, since a connection outlives its session until
/// the end of the turn.

#include <memory>
#include <optional>

#include "endpoint/client_target.hpp"
#include "sinnet/endpoint/client.hpp"
#include "sinnet/io/resolver.hpp"
#include "sinnet/ws/resources.hpp"

namespace sinnet::endpoint {

struct ClientCore {
  ClientCore(io::Loop& client_loop, ClientOptions client_options)
      : loop(&client_loop), options(std::move(client_options)), resources(client_loop.random()) {
    whole = pieces = options.websocket;
    whole.delivery = ws::Delivery::Whole;
    pieces.delivery = ws::Delivery::Pieces;
  }

  io::Loop* loop;
  const ClientOptions options;
  ws::Options whole;  ///< options.websocket for each way of delivery
  ws::Options pieces;
  ws::Resources resources;
  std::optional<ClientProxy> proxy;
  std::unique_ptr<io::TlsClientContext> tls;
  std::unique_ptr<io::Resolver> resolver;
  std::uint64_t last_id = 0;
};

}  // namespace sinnet::endpoint
