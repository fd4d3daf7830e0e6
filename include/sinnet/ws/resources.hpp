#pragma once
/// What the connections of one thread share: random bytes, pools of output queues, of half-done input and
/// of zlib states, counters.
/// A connection at rest owns none of it, which is why ten thousand of them cost little.

#include <cstdint>
#include <memory>

#include "sinnet/base/random.hpp"

namespace sinnet::ws {

class CompressionPool;
class OutputQueue;
struct Unfinished;

/// Totals over all connections that use these resources.
struct Statistics {
  std::uint64_t messages_received = 0;
  std::uint64_t messages_sent = 0;
  std::uint64_t payload_bytes_received = 0;  ///< after inflation
  std::uint64_t payload_bytes_sent = 0;      ///< before deflation
  std::uint64_t compressed_received = 0;
  std::uint64_t compressed_sent = 0;
  std::uint64_t pings_received = 0;
  std::uint64_t failures = 0;  ///< peers that broke the protocol
};

/// Owned by a thread; outlives every connection made with it. `random` outlives this.
class Resources {
 public:
  explicit Resources(Random& random);
  ~Resources();
  Resources(const Resources&) = delete;
  Resources& operator=(const Resources&) = delete;

  [[nodiscard]] Random& random() noexcept { return *random_; }
  [[nodiscard]] Statistics& statistics() noexcept { return statistics_; }
  [[nodiscard]] const Statistics& statistics() const noexcept { return statistics_; }

  // For this library's own machines.
  [[nodiscard]] CompressionPool& compression() noexcept { return *compression_; }
  [[nodiscard]] std::unique_ptr<OutputQueue> borrow_output();
  void give_back(std::unique_ptr<OutputQueue> queue);
  [[nodiscard]] std::unique_ptr<Unfinished> borrow_unfinished();
  void give_back(std::unique_ptr<Unfinished> unfinished);
  /// A buffer of size 0: one given back before that holds `wanted_bytes`, else one of `capacity_bytes`.
  [[nodiscard]] Buffer borrow_buffer(std::size_t capacity_bytes, std::uint64_t wanted_bytes = 0);
  /// Keeps a large unshared buffer for the next borrower (at most 16 MiB of them in all); drops any other.
  void give_back(Buffer buffer);

 private:
  struct Pools;
  Random* random_;
  std::unique_ptr<CompressionPool> compression_;
  std::unique_ptr<Pools> pools_;
  Statistics statistics_;
};

}  // namespace sinnet::ws
