#include "daemon/serve.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "daemon/handlers/tcp.hpp"
#include "daemon/log.hpp"
#include "daemon/privileges.hpp"
#include "sinnet/endpoint/server.hpp"
#include "sinnet/io/loop.hpp"
#include "sinnet/io/signals.hpp"
#include "sinnet/io/tls.hpp"

namespace sinnet::daemon {
namespace {

constexpr int exit_done = 0;
constexpr int exit_failed = 1;

/// What the server tells, as log lines. Any thread.
class ServerLog final : public endpoint::ServerObserver {
 public:
  ServerLog(Log& log, bool logs_access) : log_(&log), logs_access_(logs_access) {}

  [[nodiscard]] bool wants_totals() const noexcept override { return logs_access_; }

  void exchange_ended(const endpoint::AccessRecord& record) override {
    log_->access({.ip = record.peer_host,
                  .method = record.method,
                  .target = record.target,
                  .status = static_cast<std::uint16_t>(record.status)});
    if (!record.reason.empty()) {
      log_->info("request refused",
                 {{"ip", record.peer_host}, {"status", record.status}, {"reason", record.reason}});
    }
  }
  void websocket_closed(const endpoint::WebSocketRecord& record) override {
    const endpoint::CloseInfo& close = record.close;
    const auto code = static_cast<std::uint16_t>(close.code);
    const std::string conn = fmt::format("{:x}", std::to_underlying(record.id));
    if (close.was_violation) {
      log_->broken(conn, record.peer_host, code, close.reason);
    } else {
      log_->debug("connection closed", {{"conn", conn}, {"code", code}, {"reason", close.reason}});
    }
    log_->access({.ip = record.peer_host,
                  .method = "GET",  // RFC 6455 4.1: nothing else opens a WebSocket
                  .target = record.target,
                  .status = 101,
                  .conn = conn,
                  .protocol = record.protocol,
                  .close_code = code,
                  .received_bytes = record.received_bytes,
                  .sent_bytes = record.sent_bytes,
                  .lasted = record.lasted});
  }
  void connection_troubled(std::string_view peer_host, std::string_view what) override {
    log_->warn("connection troubled", {{"ip", peer_host}, {"reason", what}});
  }

 private:
  Log* log_;
  const bool logs_access_;
};

endpoint::ServerOptions server_options(const Config& config,
                                       std::shared_ptr<endpoint::ServerObserver> observer) {
  endpoint::ServerOptions options;
  options.shards = static_cast<unsigned>(config.server.shards);
  options.limits = {.connections = config.limits.connections,
                    .connections_per_ip = config.limits.connections_per_ip,
                    .handshakes_per_ip = config.limits.handshakes_per_ip,
                    .handshake_timeout = config.limits.handshake_timeout,
                    .send_queue_bytes = config.limits.send_queue_bytes_max};
  options.security.allowed_origins = config.security.allowed_origins;
  options.security.require_origin = config.security.require_origin;
  if (!config.server.name.empty()) options.security.names = {config.server.name};
  options.security.trusted_proxies = config.server.trusted_proxies;
  options.websocket.message_bytes_max = config.limits.message_bytes_max;
  options.websocket.ping_interval = config.limits.ping_interval;
  options.websocket.pong_timeout = config.limits.pong_timeout;
  options.websocket.deflate.enabled = config.compression.enabled;
  options.websocket.deflate.context_takeover = config.compression.context_takeover;
  options.websocket.deflate.window_bits = static_cast<std::uint8_t>(config.compression.window_bits);
  options.websocket.deflate.threshold_bytes = static_cast<std::uint32_t>(config.compression.threshold_bytes);
  options.observer = std::move(observer);
  return options;
}

std::shared_ptr<endpoint::Handler> make_message_handler(const HandlerConfig& handler) {
  switch (handler.type) {
    case HandlerType::Echo: return endpoint::make_echo_handler();
    case HandlerType::Broadcast: return endpoint::make_broadcast_handler(handler.name);
    case HandlerType::Tcp: return make_tcp_handler(handler.target);
    case HandlerType::Static: break;
  }
  return nullptr;
}

Result<> add_routes(endpoint::Server& server, const Config& config) {
  for (const RouteConfig& route : config.routes) {
    const HandlerConfig& handler = *config.handler(route.handler);
    endpoint::RouteOptions options{.host = route.host, .protocols = route.protocols};
    Result<> added;
    if (handler.type == HandlerType::Static) {
      added = server.files(route.path, handler.root, {.index = handler.index}, options);
    } else {
      added = server.route(route.path, make_message_handler(handler), std::move(options));
    }
    if (!added) return added;
  }
  return {};
}

std::string url_of(const ListenAddress& listen, const io::SocketAddress& bound) {
  if (!bound.is_ip()) return bound.to_string();
  return (listen.tls ? "https://" : "http://") + bound.to_string() + "/";
}

/// The running program: what must stay until the server has stopped, in the order it is made.
struct Program {
  explicit Program(const Config& program_config) : config(&program_config), log(program_config.log) {}

  const Config* config;
  Log log;
  std::unique_ptr<io::Loop> loop;  ///< the observer: signals and files
  std::unique_ptr<io::SignalWatcher> signals;
  std::unique_ptr<io::FileWatcher> certificate_watcher;
  std::shared_ptr<io::TlsServerContext> tls;
  std::unique_ptr<endpoint::Server> server;
  bool is_draining = false;

  Result<> prepare();
  Result<> make_tls();
  Result<> listen();
  void handle_signal(int signal);
  void reload_certificate();
};

Result<> Program::make_tls() {
  const TlsConfig& files = config->server.tls;
  if (files.cert.empty()) return {};
  auto made =
      io::TlsServerContext::create({.certificate = {.certificate_file = files.cert, .key_file = files.key},
                                    .client_ca_file = files.client_ca,
                                    .alpn = {"http/1.1"}});
  if (!made) return std::unexpected(made.error());
  tls = std::move(*made);
  auto watcher = io::FileWatcher::create(*loop, {files.cert, files.key},
                                         [this](const std::string&) { reload_certificate(); });
  if (!watcher) return std::unexpected(watcher.error());
  certificate_watcher = std::move(*watcher);
  return {};
}

void Program::reload_certificate() {
  if (const Result<> reloaded = tls->reload(); !reloaded) {
    return log.error("certificate not reloaded; the old one stays", {{"reason", reloaded.error().message}});
  }
  log.info("certificate reloaded");
}

Result<> Program::listen() {
  for (const ListenAddress& listen : config->server.listen) {
    endpoint::ListenerOptions options{
        .tls = listen.tls ? tls : nullptr, .proxy_protocol = listen.proxy, .socket = {}};
    const Result<io::SocketAddress> bound = server->listen(listen.address, std::move(options));
    if (!bound) return std::unexpected(bound.error());
    log.info("listening", {{"address", bound->to_string()}, {"url", url_of(listen, *bound)}});
  }
  return {};
}

Result<> Program::prepare() {
  auto made = io::Loop::create();
  if (!made) return std::unexpected(made.error());
  loop = std::move(*made);
  static constexpr int handled[] = {SIGTERM, SIGINT, SIGHUP};
  auto watcher = io::SignalWatcher::create(*loop, handled, [this](int signal) { handle_signal(signal); });
  if (!watcher) return std::unexpected(watcher.error());
  signals = std::move(*watcher);
  io::ignore_broken_pipes();
  if (auto with_tls = make_tls(); !with_tls) return with_tls;

  const std::uint64_t fit = raise_descriptor_limit(config->limits.connections);
  if (fit < config->limits.connections) {
    log.warn("the descriptor limit allows fewer connections than limits.connections",
             {{"limits.connections", config->limits.connections}, {"possible", fit}});
  }
  server = std::make_unique<endpoint::Server>(
      server_options(*config, std::make_shared<ServerLog>(log, config->log.access)));
  if (auto routes = add_routes(*server, *config); !routes) return routes;
  if (auto listening = listen(); !listening) return listening;
  if (!config->server.user.empty()) {
    if (auto became = become_user(config->server.user); !became) return became;
  }
  return server->start();
}

void Program::handle_signal(int signal) {
  if (signal == SIGHUP) {
    if (tls != nullptr) reload_certificate();
    return;
  }
  if (is_draining) {
    log.info("stopping at once");
    loop->stop();
    return;
  }
  is_draining = true;
  log.info("draining", {{"seconds", std::chrono::duration<double>(config->server.drain).count()}});
  server->drain(config->server.drain, [this] { loop->stop(); });
}

}  // namespace

int serve(const Config& config) {
  Program program(config);
  if (const Result<> ready = program.prepare(); !ready) {
    std::fprintf(stderr, "sinnet: %s\n", ready.error().message.c_str());
    return exit_failed;
  }
  program.loop->run();
  program.server->stop();
  program.log.info("stopped");
  return exit_done;
}

}  // namespace sinnet::daemon
