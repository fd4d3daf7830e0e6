#pragma once
/// ConnectionTable: where the connections of one shard live, and which one an id names. It opens, closes and
/// calls none of them.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "sinnet/endpoint/handler.hpp"

namespace sinnet::endpoint {

class ServerConnection;

/// Memory for connections in blocks of 64, lowest place first: an idle one costs its own bytes, with no
/// allocator's header, no pointer to it and no hole that something short-lived left. Blocks that become empty
/// are freed. The shard's thread only.
class ConnectionTable {
 public:
  explicit ConnectionTable(unsigned shard_index);
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;
  ~ConnectionTable();

  struct Place {
    void* storage;    ///< for one ServerConnection
    ConnectionId id;  ///< names it, and none before it or after it
  };
  /// A connection must be built there at once; from then on find() answers it.
  [[nodiscard]] Place take();
  /// The id names nothing any more. False: it did not before.
  bool forget(ConnectionId id) noexcept;
  /// The connection is forgotten and destroyed, and its storage free.
  void give_back(ConnectionId id) noexcept;

  /// Null if it is forgotten, or never was.
  [[nodiscard]] ServerConnection* find(ConnectionId id) noexcept;
  /// All that are not forgotten, as a copy: each may end while they are walked.
  [[nodiscard]] std::vector<ServerConnection*> all();

 private:
  struct Block;

  unsigned shard_index_;
  std::uint32_t generation_ = 0;  ///< of the newest id
  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<std::uint64_t> full_;  ///< one bit for each block that has no free place
};

}  // namespace sinnet::endpoint
