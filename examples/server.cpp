/// A chat of a few lines: who opens /chat hears what anybody says there.
///     example_server [ADDRESS]

#include <cstdio>

#include "sinnet/endpoint/server.hpp"

int main(int argc, char** argv) {
  sinnet::Server server;
  auto ready = server.route(
      "/chat", {.open = [](sinnet::Connection& client) { client.join("lobby"); },
                .message = [](sinnet::Connection& client,
                              const sinnet::Message& message) { client.publish("lobby", message); }});
  auto address = server.listen(argc > 1 ? argv[1] : "127.0.0.1:9001");
  if (!ready || !address) {
    std::fprintf(stderr, "%s\n", (ready ? address.error() : ready.error()).message.c_str());
    return 1;
  }
  std::printf("ws://%s/chat\n", address->to_string().c_str());
  std::fflush(stdout);
  return server.run() ? 0 : 1;
}
