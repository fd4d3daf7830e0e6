/// Our client as run.py's `client --url URL [--deflate [--takeover]]`: checks a peer's server through the
/// public blocking face, and through Client for what the answer to the upgrade says. One line per check;
/// never prints payloads.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sinnet/endpoint/client.hpp"
#include "sinnet/io/loop.hpp"

namespace {

using sinnet::ws::CloseCode;
using sinnet::ws::MessageKind;

constexpr std::size_t sizes[] = {0, 1, 125, 126, 65535, 65536, 1 << 20, 16 << 20};
constexpr std::uint64_t message_bytes_max = 64 << 20;  // as the peers
constexpr auto step = std::chrono::seconds{60};        // only bounds a hang

struct Wanted {
  std::string url;
  bool deflate = false;
  bool takeover = false;
};

int faults = 0;

void report(std::string_view name, std::string_view fault = {}) {
  if (fault.empty()) {
    std::cout << "ok " << name << std::endl;
    return;
  }
  faults += 1;
  std::cout << "FAIL " << name << ": " << fault << std::endl;
}

/// Exactly `size` bytes of UTF-8 with sequences of one to four bytes.
std::string text_of(std::size_t size) {
  constexpr std::string_view unit = "sinnet \u00e9 \u2713 \U0001d11e ";
  std::string out;
  out.reserve(size);
  while (out.size() + unit.size() <= size) out += unit;
  out.append(size - out.size(), 'x');
  return out;
}

/// Bytes that are no UTF-8 and do not repeat soon.
std::string binary_of(std::size_t size) {
  std::string out(size, '\0');
  std::uint32_t state = 0x9e3779b9;
  for (char& byte : out) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return out;
}

sinnet::ClientOptions options_of(const Wanted& wanted) {
  sinnet::ClientOptions options;
  options.websocket.message_bytes_max = message_bytes_max;
  options.websocket.deflate.enabled = wanted.deflate;
  options.websocket.deflate.context_takeover = wanted.takeover;
  options.websocket.deflate.threshold_bytes = 0;
  return options;
}

void check_extensions(const Wanted& wanted) {
  const auto loop = sinnet::io::Loop::create();
  if (!loop) return report("connection", loop.error().message);
  const auto client = sinnet::Client::create(**loop, options_of(wanted));
  if (!client) return report("connection", client.error().message);
  sinnet::endpoint::Callbacks callbacks;
  callbacks.open = [&loop](sinnet::Connection&) { (*loop)->stop(); };
  std::string refusal;
  const auto session =
      (*client)->connect(wanted.url, std::move(callbacks), [&](const sinnet::endpoint::OpenFailure& failure) {
        refusal = failure.error.message;
        (*loop)->stop();
      });
  if (!session) return report("connection", session.error().message);
  (*loop)->run();
  if (!refusal.empty()) return report("connection", refusal);
  const std::string got{
      (*session)->response().headers().find("Sec-WebSocket-Extensions").value_or(std::string_view{})};
  if (!wanted.deflate) return report("no compression unasked", got);
  const bool is_agreed = got.starts_with("permessage-deflate");
  report("compression negotiated", is_agreed ? "" : "the answer is \"" + got + "\"");
  const bool is_reset = got.contains("server_no_context_takeover");
  report(wanted.takeover ? "context takeover kept" : "context takeover declined",
         is_reset == wanted.takeover ? "the answer is \"" + got + "\"" : "");
}

void check_echo(sinnet::WebSocket& socket, MessageKind kind, const std::string& payload) {
  const std::string name =
      (kind == MessageKind::Text ? "text of " : "binary of ") + std::to_string(payload.size());
  if (const auto sent = socket.send(kind, sinnet::as_bytes(payload)); !sent) {
    return report(name, sent.error().message);
  }
  const auto got = socket.receive(step);
  if (!got) return report(name, got.error().message);
  if (got->kind != kind) return report(name, "came back as the other kind");
  report(name, got->text() == payload ? "" : "what came back is not the same");
}

void check_close(const Wanted& wanted, std::uint16_t code, const std::string& reason, bool by_order) {
  const std::string name = by_order ? "close from the server" : "close " + std::to_string(code) + " answered";
  const auto socket = sinnet::connect(wanted.url, options_of(wanted));
  if (!socket) return report(name, socket.error().message);
  if (by_order) {
    (void)(*socket)->send_text("close " + std::to_string(code) + " " + reason);
    if ((*socket)->receive(step)) return report(name, "a message came instead");
  } else {
    (*socket)->close(static_cast<CloseCode>(code), reason);
  }
  if ((*socket)->is_open()) return report(name, "is still open");
  const auto got = static_cast<std::uint16_t>((*socket)->close_code());
  if (got != code) return report(name, "closed with " + std::to_string(got));
  report(name, (*socket)->close_reason() == reason ? "" : "the reason is another");
}

void check_all(const Wanted& wanted) {
  check_extensions(wanted);
  const auto socket = sinnet::connect(wanted.url, options_of(wanted));
  if (!socket) return report("connection", socket.error().message);
  for (const std::size_t size : sizes) {
    check_echo(**socket, MessageKind::Text, text_of(size));
    check_echo(**socket, MessageKind::Binary, binary_of(size));
  }
  (*socket)->close();
  check_close(wanted, 1000, "done", false);
  check_close(wanted, 1001, "leaving \u2713", false);
  check_close(wanted, 3000, "registered", false);
  check_close(wanted, 4999, std::string(123, 'p'), false);
  check_close(wanted, 4001, "asked to", true);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  const auto has = [&](std::string_view flag) {
    return std::find(arguments.begin(), arguments.end(), flag) != arguments.end();
  };
  const auto url = std::find(arguments.begin(), arguments.end(), "--url");
  if (arguments.empty() || arguments[0] != "client" || arguments.end() - url < 2) {
    std::cerr << "usage: interop_client client --url URL [--deflate [--takeover]]\n";
    return 2;
  }
  check_all({.url = std::string(url[1]), .deflate = has("--deflate"), .takeover = has("--takeover")});
  return faults == 0 ? 0 : 1;
}
