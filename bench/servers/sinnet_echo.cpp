/// The bare library as the benchmarks measure it: echo on every path, fan-out from /publish to /fanout, one
/// shard.
///     sinnet_echo PORT [--deflate] [--tls CERTIFICATE KEY]

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "sinnet/endpoint/server.hpp"
#include "sinnet/io/tls.hpp"

namespace {

using sinnet::endpoint::Connection;
using sinnet::endpoint::Message;

constexpr std::uint64_t message_bytes_max = 64 * 1024 * 1024;

int complain(const sinnet::Error& error) {
  std::fprintf(stderr, "sinnet_echo: %s\n", error.message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  sinnet::endpoint::ServerOptions options;
  options.websocket.message_bytes_max = message_bytes_max;
  options.limits.connections_per_ip = options.limits.handshakes_per_ip = options.limits.connections;
  options.limits.send_queue_bytes = 2 * message_bytes_max;
  sinnet::endpoint::ListenerOptions listener;
  for (int i = 2; i < argc; ++i) {
    if (std::strcmp(argv[i], "--deflate") == 0) {
      options.websocket.deflate = {.enabled = true, .level = 6, .threshold_bytes = 0};
    } else if (std::strcmp(argv[i], "--tls") == 0 && i + 2 < argc) {
      auto tls = sinnet::io::TlsServerContext::create(
          {.certificate = {.certificate_file = argv[i + 1], .key_file = argv[i + 2]},
           .by_name = {},
           .client_ca_file = {},
           .alpn = {}});
      if (!tls) return complain(tls.error());
      listener.tls = std::move(*tls);
      i += 2;
    }
  }
  sinnet::Server server(std::move(options));
  (void)server.route("/*", sinnet::endpoint::make_echo_handler());
  (void)server.route("/fanout", {.open = [](Connection& connection) { connection.join("all"); }});
  (void)server.route("/publish", {.message = [](Connection& connection, const Message& message) {
                       connection.publish("all", message);
                     }});
  if (auto listening = server.listen("127.0.0.1:" + std::string(argv[1]), std::move(listener)); !listening) {
    return complain(listening.error());
  }
  std::puts("ready");  // bound already: a client may connect
  std::fflush(stdout);
  if (auto ran = server.run(); !ran) return complain(ran.error());
  return 0;
}
