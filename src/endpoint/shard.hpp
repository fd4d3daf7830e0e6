#pragma once
/// Shard: one loop of a server with its connections, its slice of the channels and its listeners. What
/// happens on a shard happens on its thread; other threads reach it through its loop's mailbox.

#include <atomic>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "endpoint/channels.hpp"
#include "endpoint/connection_table.hpp"
#include "endpoint/http_session.hpp"
#include "endpoint/server_connection.hpp"
#include "endpoint/server_core.hpp"
#include "sinnet/io/listener.hpp"
#include "sinnet/io/loop.hpp"
#include "sinnet/ws/resources.hpp"

namespace sinnet::endpoint {

class ProxyPreface;

/// A client on its way in, before anything was read.
struct Arrival {
  std::unique_ptr<io::Transport> transport;
  const ListenerOptions* listener = nullptr;
  std::string forwarded_host;  ///< by a PROXY header; empty: the transport's peer
  /// The same with its port, and null without a PROXY header: whom X-Forwarded-For must be trusted from.
  std::unique_ptr<io::SocketAddress> proxied_peer;
  AddressTicket address_ticket;
  AddressTicket handshake_ticket;
  TotalTicket total_ticket;
  Time since;
};

class Shard {
 public:
  Shard(ServerCore& core, unsigned index, std::unique_ptr<io::Loop> loop);
  ~Shard();

  [[nodiscard]] io::Loop& loop() noexcept { return *loop_; }
  [[nodiscard]] ServerCore& core() noexcept { return *core_; }
  [[nodiscard]] ws::Resources& resources() noexcept { return resources_; }
  [[nodiscard]] Channels& channels() noexcept { return channels_; }
  [[nodiscard]] ConnectionTable& connections() noexcept { return connections_; }
  [[nodiscard]] ServerObserver& observer() noexcept { return *core_->options.observer; }

  // ---- any thread
  [[nodiscard]] std::size_t load() const noexcept { return load_.load(std::memory_order_relaxed); }

  // ---- before the thread runs
  Result<> add_port(std::unique_ptr<io::Listener> listener, const ListenerOptions& options);

  // ---- the shard's thread
  void run();
  void enter(int fd, const io::SocketAddress& peer, const ListenerOptions& listener);
  void begin_http(Arrival arrival);
  /// Writes a whole response and closes, with nothing more read.
  void answer_and_close(Arrival leaving, std::string_view response);

  [[nodiscard]] ServerConnection& open(std::unique_ptr<io::Transport> transport, OpeningRequest request);
  void close(ServerConnection& connection);
  void close(HttpSession& session);
  void close(ProxyPreface& preface);
  /// The PROXY header is read: on to TLS and HTTP.
  void hand_over(ProxyPreface& preface, Arrival arrival);
  [[nodiscard]] ServerConnection* find(ConnectionId id) noexcept { return connections_.find(id); }

  /// Publishes in the one order of the channel: on its home shard first, then from there on all others.
  void publish(std::string_view channel, const ws::SharedFrame& frame, ConnectionId except);
  /// As the home shard.
  void publish_ordered(const std::string& channel, const ws::SharedFrame& frame, ConnectionId except);

  void drain(Time until);
  void stop();

  struct Counters {
    std::atomic<std::uint64_t> accepted = 0;
    std::atomic<std::uint64_t> refused = 0;
    std::atomic<std::uint64_t> publications_dropped = 0;
    std::atomic<std::size_t> connections = 0;
  };
  [[nodiscard]] Counters& counters() noexcept { return counters_; }
  /// Payload bytes received and sent since the last call. Each connection calls it for itself right behind
  /// its machine, so the difference is its own.
  struct Payload {
    std::uint64_t received_bytes = 0;
    std::uint64_t sent_bytes = 0;
  };
  [[nodiscard]] Payload take_payload() noexcept;
  /// Something was counted in the resources' statistics: other threads shall see it by the end of the turn.
  void note_traffic();
  /// Any thread.
  [[nodiscard]] ws::Statistics traffic() const noexcept;

 private:
  class Port;
  class DrainTimer;
  class TrafficBoard;

  [[nodiscard]] bool admit(Arrival& arrival, const io::SocketAddress& peer);
  void tell_refused(const io::SocketAddress& peer);
  void arrived(int fd, const io::SocketAddress& peer, const ListenerOptions& listener);
  void note_gone();
  void end_all();

  ServerCore* core_;
  std::unique_ptr<io::Loop> loop_;
  ws::Resources resources_;
  Channels channels_;
  std::vector<std::unique_ptr<Port>> ports_;
  ConnectionTable connections_;
  // Short-lived, so owned here rather than in a table: the unordered set's keys are our own addresses.
  std::unordered_set<HttpSession*> http_sessions_;
  std::unordered_set<ProxyPreface*> prefaces_;
  std::unique_ptr<DrainTimer> drain_timer_;
  std::unique_ptr<TrafficBoard> traffic_board_;
  Payload noted_;  ///< of the resources' statistics at the last take_payload()
  Time refusal_told_{};
  bool is_draining_ = false;
  std::atomic<std::size_t> load_ = 0;
  Counters counters_;
};

}  // namespace sinnet::endpoint
