#include "endpoint/shard.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "endpoint/proxy_preface.hpp"
#include "sinnet/io/socket_transport.hpp"
#include "sinnet/io/tls.hpp"

namespace sinnet::endpoint {

/// One listener of this shard.
class Shard::Port final : public io::AcceptHandler {
 public:
  Port(Shard& shard, std::unique_ptr<io::Listener> listener, const ListenerOptions& options)
      : shard_(&shard), listener_(std::move(listener)), options_(&options) {}
  virtual ~Port() = default;

  Result<> start() { return listener_->start(shard_->loop(), *this); }
  void close() { listener_->close(); }

  void handle_accept(int fd, const io::SocketAddress& peer) override { shard_->arrived(fd, peer, *options_); }
  void handle_accept_trouble(const Error& error) override {
    shard_->observer().connection_troubled(listener_->local_address().to_string(), error.message);
  }

 private:
  Shard* shard_;
  std::unique_ptr<io::Listener> listener_;
  const ListenerOptions* options_;
};

/// Ends a drain that takes too long.
class Shard::DrainTimer final : public io::Timer {
 public:
  explicit DrainTimer(Shard& shard) : shard_(&shard) {}
  void handle_timer() override { shard_->stop(); }

 private:
  Shard* shard_;
};

/// A copy of the machines' counters that other threads may read. The machines count without atomics; once a
/// turn is enough for whoever looks from outside.
class Shard::TrafficBoard final : public io::Task {
 public:
  explicit TrafficBoard(const ws::Statistics& source) : source_(&source) {}

  void run_task() override {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      values_[i].store(source_->*fields[i], std::memory_order_relaxed);
    }
  }
  [[nodiscard]] ws::Statistics read() const noexcept {
    ws::Statistics copy;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      copy.*fields[i] = values_[i].load(std::memory_order_relaxed);
    }
    return copy;
  }

 private:
  static constexpr std::array fields = {
      &ws::Statistics::messages_received,      &ws::Statistics::messages_sent,
      &ws::Statistics::payload_bytes_received, &ws::Statistics::payload_bytes_sent,
      &ws::Statistics::compressed_received,    &ws::Statistics::compressed_sent,
      &ws::Statistics::pings_received,         &ws::Statistics::failures};
  static_assert(sizeof(ws::Statistics) == fields.size() * sizeof(std::uint64_t));

  const ws::Statistics* source_;
  std::array<std::atomic<std::uint64_t>, fields.size()> values_{};
};

/// A descriptor on its way to another shard, closed if it never arrives.
class TravellingDescriptor {
 public:
  explicit TravellingDescriptor(int fd) : fd_(fd) {}
  TravellingDescriptor(TravellingDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  TravellingDescriptor& operator=(TravellingDescriptor&&) = delete;
  ~TravellingDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Shard::Shard(ServerCore& core, unsigned index, std::unique_ptr<io::Loop> loop)
    : core_(&core), loop_(std::move(loop)), resources_(loop_->random()), connections_(index) {
  traffic_board_ = std::make_unique<TrafficBoard>(resources_.statistics());
}

// Nothing is left to end: run() did, or never was. Turning the loop here could reach shards destroyed before.
Shard::~Shard() = default;

Result<> Shard::add_port(std::unique_ptr<io::Listener> listener, const ListenerOptions& options) {
  ports_.push_back(std::make_unique<Port>(*this, std::move(listener), options));
  return ports_.back()->start();
}

void Shard::run() {
  loop_->run();
  end_all();
  core_->count_shard_done();
}

void Shard::end_all() {
  is_draining_ = true;  // what other shards still send here is turned away
  ports_.clear();
  for (ServerConnection* connection : connections_.all()) connection->abort();
  while (!http_sessions_.empty()) {
    HttpSession& session = **http_sessions_.begin();
    session.abort();
    close(session);
  }
  while (!prefaces_.empty()) close(**prefaces_.begin());
  loop_->run_once(Duration::zero());  // destroys what was closed
}

// ---- arrivals

void Shard::arrived(int fd, const io::SocketAddress& peer, const ListenerOptions& listener) {
  // The kernel spreads connections over sockets that share an address. A socket that all shards watch (Unix,
  // or inherited) is another matter: epoll wakes whom it likes, so we spread those.
  Shard& target = listener.socket.shared ? *this : core_->least_loaded();
  if (&target == this) return enter(fd, peer, listener);
  target.load_.fetch_add(1, std::memory_order_relaxed);  // on its way: the next one must not go there too
  const bool posted =
      target.loop().post([&target, travelling = TravellingDescriptor(fd), peer, &listener]() mutable {
        target.enter(travelling.release(), peer, listener);
        target.note_gone();  // from the way; by now it counts as itself
      });
  if (!posted) target.load_.fetch_sub(1, std::memory_order_relaxed);
}

void Shard::enter(int fd, const io::SocketAddress& peer, const ListenerOptions& listener) {
  counters_.accepted.fetch_add(1, std::memory_order_relaxed);
  Arrival arrival;
  arrival.listener = &listener;
  arrival.since = loop_->now();
  if (is_draining_ || !admit(arrival, peer)) {
    counters_.refused.fetch_add(1, std::memory_order_relaxed);
    ::close(fd);
    if (!is_draining_) tell_refused(peer);
    return;
  }
  arrival.transport = io::make_socket_transport(*loop_, fd, peer);
  if (arrival.transport == nullptr) return;
  load_.fetch_add(1, std::memory_order_relaxed);
  if (!listener.proxy_protocol) return begin_http(std::move(arrival));
  auto preface = std::make_unique<ProxyPreface>(*this, std::move(arrival));
  prefaces_.insert(preface.get());
  preface.release()->begin();
}

/// Once a second at most: whoever knocks a thousand times shall not fill the log.
void Shard::tell_refused(const io::SocketAddress& peer) {
  if (loop_->now() < refusal_told_ + std::chrono::seconds(1)) return;
  refusal_told_ = loop_->now();
  const std::uint64_t refused = counters_.refused.load(std::memory_order_relaxed);
  observer().connection_troubled(peer.host(),
                                 "closed at once: limits.connections, connections_per_ip or " +
                                     std::string("handshakes_per_ip is reached; refused so far ") +
                                     std::to_string(refused));
}

bool Shard::admit(Arrival& arrival, const io::SocketAddress& peer) {
  if (core_->connections.fetch_add(1, std::memory_order_relaxed) >= core_->options.limits.connections) {
    core_->connections.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  arrival.total_ticket = TotalTicket(core_->connections);
  // Whoever speaks for others is counted once it has said for whom.
  if (arrival.listener->proxy_protocol || core_->trusted.trusts(peer)) return true;
  const std::optional<IpAddress> address = ip_of(peer);
  if (!address) return true;
  auto handshake = AddressTicket::take(core_->handshakes_per_ip, *address);
  auto connection = AddressTicket::take(core_->connections_per_ip, *address);
  if (!handshake || !connection) return false;
  arrival.handshake_ticket = std::move(*handshake);
  arrival.address_ticket = std::move(*connection);
  return true;
}

void Shard::begin_http(Arrival arrival) {
  if (arrival.listener->tls != nullptr) {
    arrival.transport->detach();
    arrival.transport = io::wrap_server(*arrival.listener->tls, std::move(arrival.transport));
    if (!arrival.transport->attach(*loop_)) return note_gone();
  }
  auto session = std::make_unique<HttpSession>(*this, std::move(arrival));
  http_sessions_.insert(session.get());
  session.release()->begin();
}

void Shard::answer_and_close(Arrival leaving, std::string_view response) {
  auto session = std::make_unique<HttpSession>(*this, std::move(leaving));
  http_sessions_.insert(session.get());
  load_.fetch_add(1, std::memory_order_relaxed);
  session.release()->begin_refusal(response);
}

// ---- connections

ServerConnection& Shard::open(std::unique_ptr<io::Transport> transport, OpeningRequest request) {
  const ConnectionTable::Place place = connections_.take();
  auto* const connection =
      ::new (place.storage) ServerConnection(*this, place.id, std::move(transport), std::move(request));
  counters_.connections.fetch_add(1, std::memory_order_relaxed);
  load_.fetch_add(1, std::memory_order_relaxed);
  return *connection;
}

void Shard::close(ServerConnection& connection) {
  if (!connections_.forget(connection.id())) return;
  counters_.connections.fetch_sub(1, std::memory_order_relaxed);
  note_traffic();  // its last slot may have ended early
  loop_->destroy_later(std::unique_ptr<io::Destroyable>(&connection));
  note_gone();
}

void Shard::close(HttpSession& session) {
  if (http_sessions_.erase(&session) == 0) return;
  loop_->destroy_later(std::unique_ptr<io::Destroyable>(&session));
  note_gone();
}

void Shard::close(ProxyPreface& preface) {
  if (prefaces_.erase(&preface) == 0) return;
  loop_->destroy_later(std::unique_ptr<io::Destroyable>(&preface));
  note_gone();
}

void Shard::hand_over(ProxyPreface& preface, Arrival arrival) {
  load_.fetch_add(1, std::memory_order_relaxed);
  close(preface);
  begin_http(std::move(arrival));
}

void Shard::note_gone() {
  if (load_.fetch_sub(1, std::memory_order_relaxed) == 1 && is_draining_) loop_->stop();
}

void Shard::note_traffic() {
  if (!traffic_board_->is_queued()) loop_->flush_later(*traffic_board_);
}

Shard::Payload Shard::take_payload() noexcept {
  const ws::Statistics& now = resources_.statistics();
  const Payload all{.received_bytes = now.payload_bytes_received, .sent_bytes = now.payload_bytes_sent};
  const Payload before = std::exchange(noted_, all);
  return {.received_bytes = all.received_bytes - before.received_bytes,
          .sent_bytes = all.sent_bytes - before.sent_bytes};
}

ws::Statistics Shard::traffic() const noexcept { return traffic_board_->read(); }

// ---- channels

void Shard::publish(std::string_view channel, const ws::SharedFrame& frame, ConnectionId except) {
  Shard& home = core_->home_of(channel);
  if (&home == this) return publish_ordered(std::string(channel), frame, except);
  const bool posted = home.loop().post([&home, name = std::string(channel), copy = frame.share(), except] {
    home.publish_ordered(name, copy, except);
  });
  if (!posted) counters_.publications_dropped.fetch_add(1, std::memory_order_relaxed);
}

void Shard::publish_ordered(const std::string& channel, const ws::SharedFrame& frame, ConnectionId except) {
  for (const auto& shard : core_->shards) {
    if (shard.get() == this) continue;
    const bool posted = shard->loop().post([target = shard.get(), channel, copy = frame.share(), except] {
      (void)target->channels().deliver(channel, copy, except);
    });
    if (!posted) counters_.publications_dropped.fetch_add(1, std::memory_order_relaxed);
  }
  (void)channels_.deliver(channel, frame, except);
}

// ---- the end

void Shard::drain(Time until) {
  for (const auto& port : ports_) port->close();
  if (drain_timer_ == nullptr) drain_timer_ = std::make_unique<DrainTimer>(*this);
  if (!drain_timer_->is_armed() || until < drain_timer_->when()) loop_->arm(*drain_timer_, until);
  if (is_draining_) return;
  is_draining_ = true;
  while (!prefaces_.empty()) close(**prefaces_.begin());
  // Copies, since each may end within the call.
  const std::vector<HttpSession*> sessions(http_sessions_.begin(), http_sessions_.end());
  for (HttpSession* session : sessions) session->drain();
  for (ServerConnection* connection : connections_.all()) connection->drain();
  if (load() == 0) loop_->stop();
}

void Shard::stop() { loop_->stop(); }

}  // namespace sinnet::endpoint
