/// WebSocket without I/O: a client and a server in one program, with nothing but memory between them. Time
/// and randomness are arguments, so this links the core library only.

#include <array>
#include <cstdio>
#include <random>
#include <span>
#include <string_view>
#include <vector>

#include "sinnet/ws/connection.hpp"

using namespace sinnet;

class DeviceRandom final : public Random {
 public:
  void fill(MutableBytes out) override {
    for (std::byte& byte : out) byte = static_cast<std::byte>(device_());
  }

 private:
  std::random_device device_;
};

/// Carries what one machine wants to write to the other, and handles the events there.
void carry(ws::Connection& from, ws::Connection& to, Time now) {
  const bool is_server = to.role() == ws::Role::Server;
  while (from.has_output()) {
    from.prepare_output(64 * 1024, now);
    std::array<Slice, 16> slices;
    std::vector<std::byte> wire;
    for (const Slice& slice : std::span(slices).first(from.output(slices))) {
      wire.insert(wire.end(), slice.bytes().begin(), slice.bytes().end());
    }
    from.consume_output(wire.size(), now);

    to.receive(wire, now);
    while (auto event = to.poll_event()) {
      if (event->type == ws::EventType::Message) {
        std::printf("%s hears %.*s\n", is_server ? "server" : "client",
                    static_cast<int>(event->payload.size()), as_text(event->payload).data());
        if (is_server) (void)to.send(event->kind, event->payload, now);  // a long one is not copied
      } else if (event->type == ws::EventType::Closed) {
        std::printf("%s is closed with %u\n", is_server ? "server" : "client",
                    static_cast<unsigned>(event->code));
      }
    }
    to.keep_output();  // `wire` is about to go: what still refers to it is copied now
    to.keep_input();
  }
}

int main() {
  DeviceRandom random;
  ws::Resources resources(random);
  const ws::Options options;
  const Time now{};  // any clock will do; deadline() and handle_deadline() take it from there
  ws::Connection client(ws::Role::Client, options, resources, now);
  ws::Connection server(ws::Role::Server, options, resources, now);

  (void)client.send(ws::MessageKind::Text, as_bytes("hello"), now);
  carry(client, server, now);
  carry(server, client, now);
  client.close(ws::CloseCode::Normal, "bye", now);
  carry(client, server, now);
  carry(server, client, now);
  return server.is_done() ? 0 : 1;
}
