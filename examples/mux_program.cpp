#include "mux_program.hpp"

#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "sinnet/io/socket_transport.hpp"

namespace sinnet::example {
namespace {

constexpr Duration connect_timeout = std::chrono::seconds(15);

[[noreturn]] void fail_usage(const char* program, bool is_client_program, const std::string& what) {
  std::string names;
  for (const mux::NamedDialect& dialect : mux::dialects())
    names += (names.empty() ? "" : "|") + std::string(dialect.name);
  std::fprintf(stderr,
               "%s: %s\nusage: %s --dialect %s --url ws://…|wss://…|tcp://…|tls://… [--role server|client]\n"
               "       [--cert FILE --key FILE] [--ca FILE|--insecure] [--peer-window BYTES]%s\n",
               program, what.c_str(), program, names.c_str(),
               is_client_program ? " [--streams 50] [--bytes 1MiB]" : "");
  std::exit(2);
}

/// "4096", "4KiB", "4MiB", "1GiB".
std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  constexpr std::array<std::pair<std::string_view, unsigned>, 5> units{
      {{"", 0}, {"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}}};
  for (const auto& [name, shift] : units) {
    if (unit == name && value <= UINT64_MAX >> shift) return value << shift;
  }
  return std::nullopt;
}

}  // namespace

Flags parse_flags(int argc, char** argv, mux::Role role, bool is_client_program) {
  Flags flags{.role = role};
  const auto refuse = [&](const std::string& what) { fail_usage(argv[0], is_client_program, what); };
  const auto size = [&](std::string_view name, std::string_view text) {
    const std::optional<std::uint64_t> value = parse_size(text);
    if (!value) refuse("what does " + std::string(name) + " " + std::string(text) + " mean?");
    return *value;
  };
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--insecure") {
      flags.insecure = true;
      continue;
    }
    if (i + 1 == argc) refuse(std::string(name) + " needs a value, or is unknown");
    const std::string_view value = argv[++i];
    if (name == "--dialect") {
      flags.dialect = mux::find_dialect(value);
      if (flags.dialect == nullptr) refuse("no dialect is called " + std::string(value));
    } else if (name == "--url") {
      flags.url = value;
    } else if (name == "--role") {
      if (value != "server" && value != "client") refuse("--role is server or client");
      flags.role = value == "server" ? mux::Role::Server : mux::Role::Client;
    } else if (name == "--cert") {
      flags.certificate_file = value;
    } else if (name == "--key") {
      flags.key_file = value;
    } else if (name == "--ca") {
      flags.ca_file = value;
    } else if (name == "--peer-window") {
      flags.peer_window = size(name, value);
    } else if (is_client_program && name == "--streams") {
      flags.streams = static_cast<std::uint32_t>(size(name, value));
    } else if (is_client_program && name == "--bytes") {
      flags.bytes = size(name, value);
    } else {
      refuse("unknown flag " + std::string(name));
    }
  }
  if (flags.dialect == nullptr || flags.url.empty()) refuse("--dialect and --url are needed");
  const bool needs_messages = flags.dialect->make({}).rules.framing == mux::Framing::Messages;
  if (needs_messages && !flags.url.starts_with("ws"))
    refuse(std::string(flags.dialect->name) + " frames by messages: it needs a ws:// or wss:// URL");
  return flags;
}

// ---- places

struct Carriers::Place {
  bool is_websocket = false;
  bool is_secure = false;
  std::string host;  ///< without brackets
  std::uint16_t port = 0;
  std::string path = "/";

  [[nodiscard]] std::string address() const {
    const std::string numeric = host == "localhost" ? "127.0.0.1" : host;
    return (numeric.find(':') == std::string::npos ? numeric : "[" + numeric + "]") + ":" +
           std::to_string(port);
  }

  [[nodiscard]] static std::optional<Place> parse(std::string_view url) {
    Place place;
    const std::size_t scheme_end = url.find("://");
    if (scheme_end == std::string_view::npos) return std::nullopt;
    const std::string_view scheme = url.substr(0, scheme_end);
    if (scheme != "ws" && scheme != "wss" && scheme != "tcp" && scheme != "tls") return std::nullopt;
    place.is_websocket = scheme.starts_with("ws");
    place.is_secure = scheme == "wss" || scheme == "tls";
    std::string_view rest = url.substr(scheme_end + 3);
    if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
      place.path = rest.substr(slash);
      rest = rest.substr(0, slash);
    }
    const std::size_t colon = rest.rfind(':');
    if (colon == std::string_view::npos || rest.ends_with(']')) {
      if (!place.is_websocket) return std::nullopt;
      place.port = place.is_secure ? 443 : 80;
      place.host = rest;
    } else {
      place.host = rest.substr(0, colon);
      const std::string_view digits = rest.substr(colon + 1);
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), place.port);
      if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    }
    if (place.host.starts_with('[')) place.host = place.host.substr(1, place.host.size() - 2);
    return place;
  }
};

// ---- carriers

Carriers::Carriers(Flags flags, std::shared_ptr<endpoint::MuxHandler> handler)
    : flags_(std::move(flags)), handler_(std::move(handler)) {
  options_.dialect = flags_.dialect->make({.peer_window = flags_.peer_window});
  options_.subprotocol = flags_.dialect->subprotocol;
  options_.session.unaccepted_max = options_.session.streams_max;  // everything is accepted at once
  options_.session.opens_waiting_max = 100'000;
  // An echo keeps what its peer does not take back yet: a window of every stream, where the wire (yamux)
  // cannot grant less. Beyond the budget the session would reset streams.
  options_.session.budget_bytes = 512 * 1024 * 1024;
}

Carriers::~Carriers() = default;

void Carriers::give_up(std::string_view what, const Error& error) {
  std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(what.size()), what.data(), error.message.c_str());
  failed_ = true;
  if (loop_) loop_->stop();
}

bool Carriers::run() {
  const std::optional<Place> place = Place::parse(flags_.url);
  if (!place) {
    std::fprintf(stderr, "%s is no ws://, wss://, tcp:// or tls:// URL\n", flags_.url.c_str());
    return false;
  }
  io::ignore_broken_pipes();
  auto loop = io::Loop::create();
  if (!loop) return give_up("loop", loop.error()), false;
  loop_ = std::move(*loop);
  constexpr std::array ends{SIGTERM, SIGINT};
  auto signals = io::SignalWatcher::create(*loop_, ends, [this](int) { loop_->stop(); });
  if (!signals) return give_up("signals", signals.error()), false;
  signals_ = std::move(*signals);
  if (!begin(*place)) return false;
  loop_->run();
  if (server_) server_->stop();
  // What uses the loop goes before it does.
  client_session_.reset();
  client_.reset();
  connecting_.reset();
  listener_.reset();
  carrier_.reset();
  return !failed_;
}

bool Carriers::begin(const Place& place) {
  if (flags_.role == mux::Role::Server) {
    if (place.is_secure) {
      io::TlsServerOptions tls;
      tls.certificate = {flags_.certificate_file, flags_.key_file};
      auto context = io::TlsServerContext::create(std::move(tls));
      if (!context) return give_up("--cert and --key", context.error()), false;
      tls_server_ = std::move(*context);
    }
    return place.is_websocket ? serve(place) : listen(place);
  }
  if (place.is_websocket) return open_websocket(place);
  if (place.is_secure) {
    auto context = io::TlsClientContext::create({.ca_file = flags_.ca_file, .insecure = flags_.insecure});
    if (!context) return give_up("--ca", context.error()), false;
    tls_client_ = std::move(*context);
  }
  dial(place);
  return true;
}

// ---- TCP and TLS

bool Carriers::listen(const Place& place) {
  const auto address = io::SocketAddress::parse(place.address());
  if (!address) return give_up(flags_.url, address.error()), false;
  auto listener = io::Listener::open(*address);
  if (!listener) return give_up(flags_.url, listener.error()), false;
  listener_ = std::move(*listener);
  carrier_ = std::make_unique<endpoint::MuxCarrier>(*loop_, options_, handler_);
  if (const auto started = listener_->start(*loop_, *this); !started)
    return give_up(flags_.url, started.error()), false;
  std::printf("listening on %s://%s\n", place.is_secure ? "tls" : "tcp",
              listener_->local_address().to_string().c_str());
  std::fflush(stdout);
  return true;
}

void Carriers::handle_accept(int fd, const io::SocketAddress& peer) {
  std::unique_ptr<io::Transport> transport = io::make_socket_transport(*loop_, fd, peer);
  if (transport == nullptr) return;
  if (tls_server_ != nullptr) {
    transport = io::wrap_server(*tls_server_, std::move(transport));
    if (!transport->attach(*loop_)) return;
  }
  carrier_->carry(std::move(transport), mux::Role::Server);
}

void Carriers::dial(const Place& place) {
  carrier_ = std::make_unique<endpoint::MuxCarrier>(*loop_, options_, handler_);
  auto resolver = io::Resolver::create(*loop_);
  if (!resolver) return give_up("resolver", resolver.error());
  resolver_ = std::move(*resolver);
  connecting_ =
      io::connect_host(*loop_, *resolver_, place.host, place.port, io::Loop::read_clock() + connect_timeout,
                       [this, host = place.host](Result<std::unique_ptr<io::Transport>> connected) {
                         if (!connected) return give_up(flags_.url, connected.error());
                         std::unique_ptr<io::Transport> transport = std::move(*connected);
                         if (tls_client_ != nullptr) {
                           transport = io::wrap_client(*tls_client_, std::move(transport), host);
                           if (const auto attached = transport->attach(*loop_); !attached)
                             return give_up(flags_.url, attached.error());
                         }
                         carrier_->carry(std::move(transport), mux::Role::Client);
                       });
}

// ---- WebSockets

bool Carriers::serve(const Place& place) {
  endpoint::ServerOptions options;
  options.limits.connections_per_ip = options.limits.connections;
  server_ = std::make_unique<endpoint::Server>(std::move(options));
  if (const auto routed = server_->route(place.path == "/" ? "/*" : place.path,
                                         endpoint::make_mux_handler(options_, handler_));
      !routed)
    return give_up(flags_.url, routed.error()), false;
  endpoint::ListenerOptions listener;
  listener.tls = tls_server_;
  const auto address = server_->listen(place.address(), std::move(listener));
  if (!address) return give_up(flags_.url, address.error()), false;
  if (const auto started = server_->start(); !started) return give_up(flags_.url, started.error()), false;
  std::printf("listening on %s://%s%s\n", place.is_secure ? "wss" : "ws", address->to_string().c_str(),
              place.path.c_str());
  std::fflush(stdout);
  return true;
}

bool Carriers::open_websocket(const Place&) {
  endpoint::ClientOptions options;
  if (!flags_.dialect->subprotocol.empty()) options.protocols.emplace_back(flags_.dialect->subprotocol);
  options.tls = {.ca_file = flags_.ca_file, .insecure = flags_.insecure};
  auto client = endpoint::Client::create(*loop_, std::move(options));
  if (!client) return give_up(flags_.url, client.error()), false;
  client_ = std::move(*client);
  auto session =
      client_->connect(flags_.url, endpoint::make_mux_handler(options_, handler_),
                       [this](const endpoint::OpenFailure& failure) { give_up(flags_.url, failure.error); });
  if (!session) return give_up(flags_.url, session.error()), false;
  client_session_ = std::move(*session);
  return true;
}

}  // namespace sinnet::example
