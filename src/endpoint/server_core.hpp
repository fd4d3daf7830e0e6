#pragma once
/// ServerCore: what the shards of a server share. Everything here is immutable after start(), or atomic, or
/// locks.

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "endpoint/admission.hpp"
#include "endpoint/forwarded.hpp"
#include "endpoint/origin.hpp"
#include "endpoint/router.hpp"
#include "sinnet/endpoint/server.hpp"

namespace sinnet::endpoint {

class Shard;

/// One address: a socket for each shard, bound at once. A program that gives up its rights between listen()
/// and start() could bind no second one.
struct ListenPoint {
  std::vector<std::unique_ptr<io::Listener>> sockets;
  ListenerOptions options;
};

struct ServerCore {
  explicit ServerCore(ServerOptions server_options);
  ~ServerCore();

  /// The shard a channel's publications are ordered by.
  [[nodiscard]] Shard& home_of(std::string_view channel);
  /// The shard with the fewest connections, for sockets that the kernel does not spread.
  [[nodiscard]] Shard& least_loaded();
  void run_shard(Shard& shard);
  /// Whether the caller is one of this server's shards, which must not wait for itself.
  [[nodiscard]] bool is_on_shard() const noexcept;
  void count_shard_done();

  ServerOptions options;
  Router router;
  OriginPolicy origins;
  HostPolicy hosts;
  TrustedProxies trusted;
  std::vector<ListenPoint> listen_points;
  std::vector<std::unique_ptr<Shard>> shards;
  std::vector<std::jthread> threads;  ///< guarded by `joining` once they run
  std::uint64_t channel_key = 0;      ///< keys the hash that spreads channels: their names come from peers

  std::atomic<std::size_t> connections = 0;
  AddressCounter connections_per_ip;
  AddressCounter handshakes_per_ip;

  std::atomic<bool> runs_on_caller = false;  ///< Server::run() is in the first shard's loop
  std::mutex joining;                        ///< taken by whoever waits for the threads, never on one of them
  std::mutex mutex;
  std::size_t shards_running = 0;           ///< guarded by `mutex`
  std::move_only_function<void()> drained;  ///< guarded by `mutex`; called when the last shard is done
  bool is_started = false;                  ///< guarded by `mutex`
};

}  // namespace sinnet::endpoint
