/// Sends by every path the library has and hands each byte to write(2), where valgrind's memcheck complains
/// of one that was never set (attack 39). With the argument `planted` it writes such a byte itself: the proof
/// that the check sees one. It asserts nothing about what is sent.

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "sinnet/http/server_connection.hpp"
#include "sinnet/ws/connection.hpp"
#include "sinnet/ws/handshake.hpp"
#include "support/bytes.hpp"
#include "support/seeded_random.hpp"

namespace sinnet {
namespace {

using ws::MessageKind;
using ws::Role;

int sink = -1;
std::size_t total_bytes = 0;

void write_out(Bytes bytes) {
  total_bytes += bytes.size();
  if (::write(sink, bytes.data(), bytes.size()) < 0) std::perror("write");
}

/// Everything the machine has, as a carrier writes it: at most `at_once` bytes at a time.
template <class Machine>
void flush(Machine& machine, Time now, std::size_t at_once = SIZE_MAX) {
  while (machine.has_output()) {
    machine.prepare_output(256 * 1024, now);
    std::array<Slice, 8> slices;
    const std::size_t count = machine.output(slices);
    std::size_t taken = 0;
    for (std::size_t i = 0; i < count && taken < at_once; ++i) {
      const Bytes part = slices[i].bytes().first(std::min(slices[i].size, at_once - taken));
      write_out(part);
      taken += part.size();
    }
    machine.consume_output(taken, now);
    machine.keep_output();
  }
}

/// One side of a WebSocket that has never heard of the other.
struct Side {
  Side(Role role, std::optional<ws::DeflateParameters> deflate)
      : options{.deflate = {.enabled = deflate.has_value(), .threshold_bytes = 16}},
        machine(role, options, resources, now, deflate) {}

  /// Receives this and echoes every message by the lent view, as an echo handler does.
  void give(std::vector<std::byte> input) {
    Bytes rest = input;
    while (!rest.empty() && machine.wants_input()) {
      std::vector<std::byte> block(4096);
      const MutableBytes space = machine.input_space(block);
      const std::size_t size = std::min(space.size(), rest.size());
      std::memcpy(space.data(), rest.data(), size);
      rest = rest.subspan(size);
      machine.receive(space.first(size), now);
      while (const auto event = machine.poll_event()) {
        if (event->type == ws::EventType::Message) (void)machine.send(event->kind, event->payload, now);
      }
      machine.keep_output();
      machine.keep_input();
    }
    flush(machine, now);
  }

  test::SeededRandom random{39};
  ws::Resources resources{random};
  ws::Options options;
  Time now{std::chrono::seconds(1000)};
  ws::Connection machine;
};

/// Messages of every length class: no payload, in the header's own bytes, around both extended lengths, long
/// enough to be referenced instead of copied.
constexpr std::array<std::size_t, 10> sizes{0, 1, 125, 126, 1000, 2047, 2048, 65'535, 65'536, 300'000};

void send_messages(Role role, std::optional<ws::DeflateParameters> deflate) {
  Side side(role, deflate);
  ws::Connection& machine = side.machine;
  machine.send_preface(as_bytes("HTTP/1.1 101 Switching Protocols\r\n\r\n"), side.now);
  for (const std::size_t size : sizes) {
    std::string text(size, 'a');
    for (std::size_t i = 0; i < size; i += 7) text[i] = static_cast<char>('b' + i % 23);
    for (const bool compress : {true, false}) {
      (void)machine.send(MessageKind::Text, as_bytes(text), side.now, compress);
      (void)machine.send(MessageKind::Binary, Buffer::copy_of(as_bytes(text)), side.now, compress);
    }
    const Buffer shared = Buffer::copy_of(as_bytes(text));
    (void)machine.send(MessageKind::Binary, Buffer(shared), side.now, false);
    (void)machine.send(ws::SharedFrame(MessageKind::Text, as_bytes(text)), side.now);
    flush(machine, side.now, 1000);
    (void)machine.send_piece(MessageKind::Text, as_bytes(text), true, false, side.now);
    (void)machine.send(MessageKind::Text, as_bytes("held until the pieces end"), side.now);
    (void)machine.ping(as_bytes("beat"), side.now);
    (void)machine.send_piece(MessageKind::Text, as_bytes(text), false, true, side.now);
    flush(machine, side.now);
  }
  (void)machine.ping({}, side.now);
  (void)machine.pong(as_bytes(std::string(125, 'p')), side.now);
  machine.close(ws::CloseCode::Normal, std::string(130, 'r'), side.now);
  flush(machine, side.now);
}

/// Unmasked for a client, masked with zeros for a server, which is legal and needs no arithmetic here.
std::vector<std::byte> frame(Role receiver, unsigned first_byte, std::string_view payload) {
  std::vector<std::byte> out{static_cast<std::byte>(first_byte)};
  const unsigned mask_bit = receiver == Role::Server ? 0x80U : 0U;
  if (payload.size() < 126) {
    out.push_back(static_cast<std::byte>(mask_bit | payload.size()));
  } else {
    out.push_back(static_cast<std::byte>(mask_bit | 127U));
    for (unsigned shift = 64; shift > 0; shift -= 8) {
      out.push_back(static_cast<std::byte>(payload.size() >> (shift - 8)));
    }
  }
  if (receiver == Role::Server) out.insert(out.end(), 4, std::byte{0});
  const Bytes body = as_bytes(payload);
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

/// What is sent without being asked for: echoes of lent input, pongs, answers to a Close, refusals, our own
/// pings and the Close at a deadline.
void send_answers(Role role, std::optional<ws::DeflateParameters> deflate) {
  const auto ended_by = [&](std::string_view payload, unsigned first_byte) {
    Side side(role, deflate);
    side.give(frame(role, 0x81, "short"));
    side.give(frame(role, 0x82, std::string(3000, 'm')));
    side.give(frame(role, 0x82, std::string(200'000, 'l')));
    if (deflate) side.give(frame(role, 0xc1, as_text(test::bytes("f248cdc9c90700"))));
    side.give(frame(role, 0x89, std::string(125, 'q')));
    side.give(frame(role, 0x89, ""));
    side.give(frame(role, first_byte, payload));
  };
  ended_by(as_text(test::bytes("03e8627965")), 0x88);  // a Close with code and reason
  ended_by("", 0x88);                                  // one without
  ended_by("x", 0x88);                                 // one that breaks the rules: 1002
  ended_by("\xff", 0x81);                              // 1007
  ended_by("", 0x83);                                  // 1002

  Side silent(role, deflate);
  for (int i = 0; i < 3; ++i) {  // a ping, then the end
    const auto due = silent.machine.deadline();
    if (!due) break;
    silent.now = *due;
    silent.machine.handle_deadline(silent.now);
    flush(silent.machine, silent.now);
    while (silent.machine.poll_event()) continue;
  }
}

void send_heads() {
  test::SeededRandom random{7};
  ws::UpgradeOptions options{.host = "example.com", .target = "/chat?x=1", .protocols = {"a", "b"}};
  options.deflate = {.enabled = true, .window_bits = 11};
  options.headers = {{"X-Mine", "yes"}};
  const auto attempt = ws::write_upgrade_request(options, random);
  if (!attempt) return;
  write_out(as_bytes(attempt->head));
  ws::UpgradeRequest request{.key = attempt->key, .protocols = {"a"}};
  const auto accepted = ws::write_accept_response(
      request, {.protocol = "a", .deflate = ws::DeflateParameters{.server_max_window_bits = 10}});
  if (accepted) write_out(as_bytes(*accepted));
  const auto refused = ws::write_refusal(403, {}, "no");
  if (refused) write_out(as_bytes(*refused));
}

void send_responses() {
  const Time now{std::chrono::seconds(1000)};
  const http::ServerOptions options;
  for (const std::string_view request :
       {"GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
        "GET / HTTP/1.1\r\n\r\n", "nonsense\r\n\r\n", "GET /a HTTP/1.1\r\nHo"}) {
    http::ServerConnection machine(options, now);
    std::string input(request);
    machine.receive({reinterpret_cast<std::byte*>(input.data()), input.size()}, now);
    while (const auto event = machine.poll_event()) {
      if (event->type != http::ServerEventType::Request) continue;
      machine.respond("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n",
                      Buffer::copy_of(as_bytes(std::string(5000, 'x'))), false, now);
      machine.write_body(Buffer::copy_of(as_bytes(std::string(65'000, 'y'))), true, now);
    }
    if (const auto due = machine.deadline())
      machine.handle_deadline(*due);  // 408 for the one that is not whole
    flush(machine, now);
  }
}

}  // namespace
}  // namespace sinnet

int main(int count, char** arguments) {
  using namespace sinnet;
  sink = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (sink < 0) return 1;
  if (count > 1 && std::string_view(arguments[1]) == "planted") {
    // A frame whose last byte nobody set.
    Buffer buffer = Buffer::allocate(8);
    std::memset(buffer.mutable_bytes().data(), 'x', 7);
    write_out(buffer.bytes());
    return 0;
  }
  for (const Role role : {Role::Server, Role::Client}) {
    for (const auto& deflate :
         {std::optional<ws::DeflateParameters>{}, std::optional{ws::DeflateParameters{}},
          std::optional{ws::DeflateParameters{.server_no_context_takeover = true,
                                              .client_no_context_takeover = true,
                                              .server_max_window_bits = 9,
                                              .client_max_window_bits = 9}}}) {
      send_messages(role, deflate);
      send_answers(role, deflate);
    }
  }
  send_heads();
  send_responses();
  std::printf("%zu bytes written\n", total_bytes);
  return 0;
}
