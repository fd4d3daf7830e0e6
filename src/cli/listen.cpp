// `sinnet listen`: connect with the roles swapped: waits for one client and talks to it.

#include <fmt/format.h>

#include <array>
#include <csignal>

#include "cli/connect_conversation.hpp"
#include "cli/connect_options.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "sinnet/endpoint/server.hpp"
#include "sinnet/io/signals.hpp"
#include "sinnet/io/tls.hpp"

namespace sinnet::cli {
namespace {

std::span<const Option> options() {
  static const std::vector<Option> all = [] {
    std::vector<Option> own = conversation_options();
    own.push_back({"-s,--subprotocol", "PROTO", "a subprotocol to speak", true});
    own.push_back({"--cert", "FILE", "speak TLS with this certificate (PEM)"});
    own.push_back({"--key", "FILE", "its private key, if it is not in the same file"});
    own.push_back({"--any-origin", "", "let pages of any origin in"});
    return own;
  }();
  return all;
}

/// Lets the first client in and refuses all others.
class OneClient final : public endpoint::Handler {
 public:
  explicit OneClient(Conversation& conversation) : conversation_(conversation) {}

  void open(endpoint::Connection& connection) override {
    if (is_taken_) return connection.refuse(503, {}, "somebody else is connected\n");
    is_taken_ = true;
    if (connection.accept()) conversation_.open(connection);
  }
  void message(endpoint::Connection& connection, const endpoint::Message& message) override {
    conversation_.message(connection, message);
  }
  void drained(endpoint::Connection& connection) override { conversation_.drained(connection); }
  void close(endpoint::Connection& connection, const endpoint::CloseInfo& info) override {
    conversation_.close(connection, info);
    // On the loop they belong to, before it goes.
    conversation_.end();
  }

 private:
  Conversation& conversation_;
  bool is_taken_ = false;
};

std::optional<endpoint::ListenerOptions> listener_options(const Arguments& arguments) {
  endpoint::ListenerOptions listener;
  const auto certificate = arguments.value("--cert");
  if (!certificate) return listener;
  auto tls = io::TlsServerContext::create(
      {.certificate = {.certificate_file = *certificate,
                       .key_file = arguments.value("--key").value_or(*certificate)}});
  if (!tls) {
    complain(tls.error().message);
    return std::nullopt;
  }
  listener.tls = std::move(*tls);
  return listener;
}

Exit complain_about(const Error& error) {
  complain(error.message);
  return error.code == ErrorCode::InvalidArgument ? Exit::Usage : Exit::Failed;
}

Exit run(const Arguments& arguments) {
  const auto conversing = read_conversation_options(arguments);
  if (arguments.operands().empty()) complain("listen: expected an address; see: sinnet listen --help");
  if (!conversing || arguments.operands().empty()) return Exit::Usage;
  auto listener = listener_options(arguments);
  if (!listener) return Exit::Usage;

  Conversation conversation(*conversing);
  endpoint::ServerOptions options;
  apply_conversation_limits(arguments, options.websocket);
  if (arguments.has("--frames")) options.websocket.trace = &conversation.report();
  if (arguments.has("--any-origin")) options.security.allowed_origins = {"*"};
  auto loop = io::Loop::create();
  if (!loop) return complain_about(loop.error());

  endpoint::Server server(std::move(options));
  const Result<> routed = server.route("/*", std::make_shared<OneClient>(conversation),
                                       {.host = {}, .protocols = arguments.values("--subprotocol")});
  if (!routed) return complain_about(routed.error());
  const auto bound = server.listen(arguments.operands()[0], std::move(*listener));
  if (!bound) return complain_about(bound.error());
  // Signals are blocked before the server's thread begins, so that they come here only.
  constexpr std::array signals{SIGINT, SIGTERM};
  constexpr Duration patience = std::chrono::seconds{2};
  const auto watcher = io::SignalWatcher::create(
      **loop, signals, [&](int) { server.drain(patience, [&loop] { (*loop)->stop(); }); });
  conversation.on_close = [&loop] { (*loop)->stop(); };
  if (const Result<> started = server.start(); !started) return complain_about(started.error());
  complain(fmt::format("waiting for a client on {}", bound->to_string()));
  (*loop)->run();
  server.drain(patience);
  server.wait();
  return conversation.exit();
}

}  // namespace

const Verb verb_listen{
    .name = "listen",
    .summary = "Wait for one WebSocket client and talk to it",
    .synopsis = "ADDR [-s PROTO]... [--json] [--hex] [--frames] [--exec CMD] [--cert FILE]",
    .options = &options,
    .operands_max = 1,
    .examples =
        "  sinnet listen 127.0.0.1:9000                 what the client says, and lines to type back\n"
        "  sinnet listen 127.0.0.1:9000 --json | jq -r .data\n"
        "  sinnet listen unix:/tmp/debug.sock --frames\n",
    .run = &run,
};

}  // namespace sinnet::cli
