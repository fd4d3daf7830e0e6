#pragma once
/// EchoHandler: sends back what comes on each stream the peer opens, and counts it. It opens nothing.

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <mutex>
#include <unordered_map>

#include "mux_program.hpp"

namespace sinnet::example {

/// What went over the echoed streams of one session.
struct EchoTotals {
  std::uint64_t streams = 0;
  std::uint64_t live = 0;
  std::uint64_t peak = 0;
  std::uint64_t bytes = 0;
  std::uint64_t sum = 0;  ///< of the streams' checksums, so that their order does not matter
};

class EchoHandler : public endpoint::MuxHandler {
 public:
  void opened(endpoint::MuxStream stream, const endpoint::MuxOpening&) override {
    (void)stream.set_user(new Checksum);
    const std::lock_guard lock(mutex_);
    EchoTotals& totals = totals_[&stream.connection()];
    ++totals.streams;
    totals.peak = std::max(totals.peak, ++totals.live);
  }
  void readable(endpoint::MuxStream stream, MutableBytes payload) override {
    const auto taken = stream.write(payload);
    if (!taken) return;  // the peer reads no more; reset() has been told, or ended() will be
    static_cast<Checksum*>(stream.user())->add(payload.first(*taken));
    add_bytes(stream, *taken);
    stream.consume(*taken);
  }
  void writable(endpoint::MuxStream stream) override {
    while (!stream.readable().empty()) {
      const std::size_t before = stream.readable().size();
      readable(stream, stream.readable());
      if (stream.readable().size() == before) return;
    }
  }
  void finished(endpoint::MuxStream stream) override { (void)stream.close_write(); }
  void reset(endpoint::MuxStream stream, const endpoint::MuxReset& how) override {
    (void)stream.reset(how.code);
  }
  void ended(endpoint::MuxStream stream, const endpoint::MuxEnd&) override {
    const std::unique_ptr<Checksum> checksum(static_cast<Checksum*>(stream.user()));
    if (checksum == nullptr) return;
    const std::lock_guard lock(mutex_);
    EchoTotals& totals = totals_[&stream.connection()];
    totals.sum += checksum->value();
    --totals.live;
  }
  void closed(endpoint::MuxConnection& connection, const endpoint::MuxCloseInfo& info) override {
    const EchoTotals totals = take_totals(connection);
    std::printf("echoed streams %" PRIu64 " peak %" PRIu64 " bytes %" PRIu64 " sum %016" PRIx64 "%s%.*s\n",
                totals.streams, totals.peak, totals.bytes, totals.sum, info.was_violation ? " failed: " : "",
                info.was_violation ? static_cast<int>(info.reason.size()) : 0, info.reason.data());
    std::fflush(stdout);
  }

 protected:
  [[nodiscard]] EchoTotals totals_of(endpoint::MuxConnection& connection) {
    const std::lock_guard lock(mutex_);
    return totals_[&connection];
  }

 private:
  void add_bytes(const endpoint::MuxStream& stream, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    totals_[&stream.connection()].bytes += bytes;
  }
  EchoTotals take_totals(endpoint::MuxConnection& connection) {
    const std::lock_guard lock(mutex_);
    const auto node = totals_.extract(&connection);
    return node.empty() ? EchoTotals{} : node.mapped();
  }

  std::mutex mutex_;  // sessions of a WebSocket server live on its threads
  std::unordered_map<endpoint::MuxConnection*, EchoTotals> totals_;
};

}  // namespace sinnet::example
