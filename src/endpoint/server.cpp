#include "sinnet/endpoint/server.hpp"

#include <algorithm>
#include <utility>

#include "endpoint/server_core.hpp"
#include "endpoint/shard.hpp"
#include "sinnet/io/random.hpp"

namespace sinnet::endpoint {

ServerCore::ServerCore(ServerOptions server_options)
    : options(std::move(server_options)),
      connections_per_ip(options.limits.connections_per_ip),
      handshakes_per_ip(options.limits.handshakes_per_ip) {
  if (options.shards == 0) options.shards = std::max(1U, std::thread::hardware_concurrency());
  if (options.observer == nullptr) options.observer = std::make_shared<ServerObserver>();
  options.http.head_timeout = options.limits.handshake_timeout;
  io::SystemRandom random;
  random.fill(std::as_writable_bytes(std::span(&channel_key, 1)));
}

ServerCore::~ServerCore() = default;

Shard& ServerCore::home_of(std::string_view channel) {
  // FNV-1a from a secret start. A peer that found collisions would only load one shard with channels of its
  // own.
  std::uint64_t hash = channel_key;
  for (const char c : channel) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return *shards[(hash >> 32) % shards.size()];
}

Shard& ServerCore::least_loaded() {
  return **std::min_element(shards.begin(), shards.end(),
                            [](const auto& a, const auto& b) { return a->load() < b->load(); });
}

namespace {
thread_local const ServerCore* core_of_this_thread = nullptr;
}

void ServerCore::run_shard(Shard& shard) {
  const ServerCore* outer = std::exchange(core_of_this_thread, this);
  shard.run();
  core_of_this_thread = outer;
}

bool ServerCore::is_on_shard() const noexcept { return core_of_this_thread == this; }

void ServerCore::count_shard_done() {
  std::move_only_function<void()> call;
  {
    const std::lock_guard lock(mutex);
    if (--shards_running == 0) call = std::move(drained);
  }
  if (call) call();
}

Server::Server(ServerOptions options) : core_(std::make_shared<ServerCore>(std::move(options))) {}

Server::~Server() { stop(); }

Result<> Server::route(std::string_view pattern, std::shared_ptr<Handler> handler, RouteOptions options) {
  const Result<PathPattern> parsed = PathPattern::parse(pattern);
  if (!parsed) return std::unexpected(parsed.error());
  Route& route = core_->router.at(options.host, *parsed);
  route.websocket = core_->options.websocket;
  route.websocket.delivery = handler->delivery();
  route.protocols = std::move(options.protocols);
  route.handler = std::move(handler);
  return {};
}

Result<> Server::respond(std::string_view pattern, HttpResponder responder, const RouteOptions& options) {
  const Result<PathPattern> parsed = PathPattern::parse(pattern);
  if (!parsed) return std::unexpected(parsed.error());
  core_->router.at(options.host, *parsed).responder = std::move(responder);
  return {};
}

Result<> Server::files(std::string_view pattern, std::string directory, FilesOptions files,
                       const RouteOptions& options) {
  const Result<PathPattern> parsed = PathPattern::parse(pattern);
  if (!parsed) return std::unexpected(parsed.error());
  core_->router.at(options.host, *parsed).files =
      std::make_unique<StaticFiles>(std::move(directory), std::move(files.index));
  return {};
}

namespace {

/// Every shard gets its own socket at the address; the last one gets the original, which owns a Unix socket's
/// file.
Result<io::SocketAddress> add_point(ServerCore& core, std::unique_ptr<io::Listener> original,
                                    ListenerOptions options) {
  io::SocketAddress address = original->local_address();
  ListenPoint point{.sockets = {}, .options = std::move(options)};
  for (unsigned i = 1; i < core.options.shards; ++i) {
    auto shared = original->share();
    if (!shared) return std::unexpected(shared.error());
    point.sockets.push_back(std::move(*shared));
  }
  point.sockets.push_back(std::move(original));
  core.listen_points.push_back(std::move(point));
  return address;
}

}  // namespace

Result<io::SocketAddress> Server::listen(std::string_view address, ListenerOptions options) {
  const Result<io::SocketAddress> parsed = io::SocketAddress::parse(address);
  if (!parsed) return std::unexpected(parsed.error());
  options.socket.shared = parsed->is_ip() && core_->options.shards > 1;
  auto listener = io::Listener::open(*parsed, options.socket);
  if (!listener) return std::unexpected(listener.error());
  return add_point(*core_, std::move(*listener), std::move(options));
}

Result<io::SocketAddress> Server::adopt(int listening_fd, ListenerOptions options) {
  auto listener = io::Listener::adopt(listening_fd);
  if (!listener) return std::unexpected(listener.error());
  return add_point(*core_, std::move(*listener), std::move(options));
}

namespace {

Result<> read_policies(ServerCore& core) {
  const ServerSecurity& security = core.options.security;
  auto origins = OriginPolicy::parse(security.allowed_origins, security.require_origin);
  if (!origins) return std::unexpected(origins.error());
  auto trusted = TrustedProxies::parse(security.trusted_proxies);
  if (!trusted) return std::unexpected(trusted.error());
  const bool is_loopback_only =
      std::all_of(core.listen_points.begin(), core.listen_points.end(),
                  [](const auto& point) { return point.sockets.front()->local_address().is_loopback(); });
  const bool has_tcp =
      std::any_of(core.listen_points.begin(), core.listen_points.end(),
                  [](const auto& point) { return point.sockets.front()->local_address().is_ip(); });
  auto hosts = HostPolicy::parse(security.names, is_loopback_only && has_tcp);
  if (!hosts) return std::unexpected(hosts.error());
  core.origins = std::move(*origins);
  core.trusted = std::move(*trusted);
  core.hosts = std::move(*hosts);
  return {};
}

Result<> spread_listeners(ServerCore& core) {
  for (ListenPoint& point : core.listen_points) {
    for (std::size_t i = 0; i < core.shards.size(); ++i) {
      auto added = core.shards[i]->add_port(std::move(point.sockets[i]), point.options);
      if (!added) return added;
    }
  }
  return {};
}

/// Shards and listeners, with no thread yet.
Result<> prepare(ServerCore& core) {
  {
    const std::lock_guard lock(core.mutex);
    if (core.is_started) return fail(ErrorCode::InvalidArgument, "the server runs already");
    core.is_started = true;
  }
  if (auto policies = read_policies(core); !policies) return policies;
  for (unsigned i = 0; i < core.options.shards; ++i) {
    auto loop = io::Loop::create(core.options.loop);
    if (!loop) return std::unexpected(loop.error());
    core.shards.push_back(std::make_unique<Shard>(core, i, std::move(*loop)));
  }
  if (auto spread = spread_listeners(core); !spread) return spread;
  core.shards_running = core.shards.size();
  return {};
}

void start_threads(ServerCore& core, std::size_t first) {
  for (std::size_t i = first; i < core.shards.size(); ++i) {
    core.threads.emplace_back([&core, target = core.shards[i].get()] { core.run_shard(*target); });
  }
}

}  // namespace

Result<> Server::start() {
  if (auto prepared = prepare(*core_); !prepared) return prepared;
  start_threads(*core_, 0);
  return {};
}

Result<> Server::run() {
  if (auto prepared = prepare(*core_); !prepared) return prepared;
  core_->runs_on_caller.store(true);
  start_threads(*core_, 1);
  core_->run_shard(*core_->shards.front());
  core_->runs_on_caller.store(false);
  core_->runs_on_caller.notify_all();
  wait();
  return {};
}

void Server::drain(Duration timeout, std::move_only_function<void()> done) {
  if (done) {
    const std::lock_guard lock(core_->mutex);
    core_->drained = std::move(done);
  }
  for (const auto& shard : core_->shards) {
    shard->loop().post_reserved(
        [target = shard.get(), timeout] { target->drain(target->loop().now() + timeout); });
  }
}

void Server::stop() {
  for (const auto& shard : core_->shards) shard->stop();
  wait();
}

void Server::wait() {
  if (core_->is_on_shard()) return;
  // Several may wait: run() on one thread, stop() on another.
  const std::lock_guard joining(core_->joining);
  core_->threads.clear();  // joins
  core_->runs_on_caller.wait(true);
}

bool Server::post(ConnectionId id, std::move_only_function<void(Connection&)> work) {
  const std::size_t index = static_cast<std::uint64_t>(id) >> 56;
  if (index >= core_->shards.size()) return false;
  Shard& shard = *core_->shards[index];
  return shard.loop().post([&shard, id, work = std::move(work)]() mutable {
    if (ServerConnection* connection = shard.find(id)) work(*connection);
  });
}

bool Server::publish(std::string_view channel, ws::MessageKind kind, Bytes payload) {
  if (core_->shards.empty()) return false;
  Shard& home = core_->home_of(channel);
  return home.loop().post([&home, name = std::string(channel), frame = ws::SharedFrame(kind, payload)] {
    home.publish_ordered(name, frame, ConnectionId{});
  });
}

namespace {

void add(ws::Statistics& sum, const ws::Statistics& part) {
  sum.messages_received += part.messages_received;
  sum.messages_sent += part.messages_sent;
  sum.payload_bytes_received += part.payload_bytes_received;
  sum.payload_bytes_sent += part.payload_bytes_sent;
  sum.compressed_received += part.compressed_received;
  sum.compressed_sent += part.compressed_sent;
  sum.pings_received += part.pings_received;
  sum.failures += part.failures;
}

}  // namespace

ServerStatistics Server::statistics() const {
  ServerStatistics sum;
  for (const auto& shard : core_->shards) {
    Shard::Counters& counters = shard->counters();
    sum.connections_per_shard.push_back(counters.connections.load(std::memory_order_relaxed));
    sum.connections += sum.connections_per_shard.back();
    sum.accepted += counters.accepted.load(std::memory_order_relaxed);
    sum.refused += counters.refused.load(std::memory_order_relaxed);
    sum.publications_dropped += counters.publications_dropped.load(std::memory_order_relaxed);
    add(sum.websocket, shard->traffic());
  }
  return sum;
}

}  // namespace sinnet::endpoint
