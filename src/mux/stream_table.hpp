#pragma once
/// StreamTable: the slab of stream entries, and the keyed hash from wire ids to them. It knows no rule of any
/// protocol.

#include <cstdint>
#include <memory>
#include <vector>

#include "mux/stream_entry.hpp"
#include "sinnet/base/random.hpp"

namespace sinnet::mux {

/// Entries stay where they are while they live. Slots of dead streams are used again, under new generations.
class StreamTable {
 public:
  explicit StreamTable(Random& random);

  [[nodiscard]] std::uint32_t add();
  /// Requires that no list links the entry.
  void remove(std::uint32_t slot);

  [[nodiscard]] StreamEntry& at(std::uint32_t slot) noexcept {
    return (*chunks_[slot / chunk_entries])[slot % chunk_entries];
  }
  /// Null for a dead handle.
  [[nodiscard]] StreamEntry* find(Stream stream) noexcept {
    if (stream.generation == 0 || stream.slot >= slots_) return nullptr;
    StreamEntry& entry = at(stream.slot);
    return entry.generation == stream.generation && !entry.is_dead ? &entry : nullptr;
  }
  [[nodiscard]] Stream handle(std::uint32_t slot) noexcept { return {slot, at(slot).generation}; }

  /// Requires that the id is not there.
  void map(std::uint64_t id, std::uint32_t slot);
  void unmap(std::uint32_t slot) noexcept;
  [[nodiscard]] std::uint32_t slot_of(std::uint64_t id) noexcept;

  /// Slots that were ever used: `at` is valid below this.
  [[nodiscard]] std::uint32_t slots() const noexcept { return slots_; }
  [[nodiscard]] std::size_t live() const noexcept { return live_; }

 private:
  static constexpr std::uint32_t chunk_entries = 32;  // 4 KiB
  using Chunk = std::array<StreamEntry, chunk_entries>;

  [[nodiscard]] std::size_t bucket_of(std::uint64_t id) const noexcept;
  void grow();

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<std::uint32_t> buckets_;
  std::uint32_t slots_ = 0;
  std::uint32_t free_ = no_slot;
  std::size_t live_ = 0;
  std::size_t mapped_ = 0;
  std::array<std::uint64_t, 2> key_{};
};

}  // namespace sinnet::mux
