#include "mux/stream_table.hpp"

#include <cassert>
#include <utility>

namespace sinnet::mux {
namespace {

/// 64 x 64 -> 128 bits, folded: every bit of the key reaches every bit of the answer.
std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

constexpr std::size_t buckets_first = 16;

}  // namespace

StreamTable::StreamTable(Random& random) {
  random.fill(std::as_writable_bytes(std::span{key_}));
  key_[1] |= 1U;
}

std::uint32_t StreamTable::add() {
  std::uint32_t slot = free_;
  if (slot != no_slot) {
    free_ = at(slot).due_next;
  } else {
    if (slots_ % chunk_entries == 0) chunks_.push_back(std::make_unique<Chunk>());
    slot = slots_++;
  }
  StreamEntry& entry = at(slot);
  const std::uint32_t generation = entry.generation + 1;
  entry = StreamEntry{};
  entry.generation = generation == 0 ? 1 : generation;
  entry.is_dead = false;
  ++live_;
  return slot;
}

void StreamTable::remove(std::uint32_t slot) {
  StreamEntry& entry = at(slot);
  assert(!entry.is_due && !entry.is_telling && !entry.is_scheduled);
  unmap(slot);
  const std::uint32_t generation = entry.generation;
  entry = StreamEntry{};
  entry.generation = generation;
  entry.due_next = std::exchange(free_, slot);
  --live_;
}

std::size_t StreamTable::bucket_of(std::uint64_t id) const noexcept {
  return fold(id ^ key_[0], key_[1]) & (buckets_.size() - 1);
}

void StreamTable::grow() {
  buckets_.assign(buckets_.empty() ? buckets_first : buckets_.size() * 2, no_slot);
  for (std::uint32_t slot = 0; slot < slots_; ++slot) {
    StreamEntry& entry = at(slot);
    if (!entry.in_table) continue;
    entry.hash_next = std::exchange(buckets_[bucket_of(entry.id)], slot);
  }
}

void StreamTable::map(std::uint64_t id, std::uint32_t slot) {
  assert(slot_of(id) == no_slot);
  if (mapped_ >= buckets_.size()) grow();
  StreamEntry& entry = at(slot);
  entry.id = id;
  entry.has_id = true;
  entry.in_table = true;
  entry.hash_next = std::exchange(buckets_[bucket_of(id)], slot);
  ++mapped_;
}

void StreamTable::unmap(std::uint32_t slot) noexcept {
  StreamEntry& entry = at(slot);
  if (!entry.in_table) return;
  entry.in_table = false;
  --mapped_;
  std::uint32_t* link = &buckets_[bucket_of(entry.id)];
  while (*link != slot) link = &at(*link).hash_next;
  *link = entry.hash_next;
}

std::uint32_t StreamTable::slot_of(std::uint64_t id) noexcept {
  if (buckets_.empty()) return no_slot;
  std::uint32_t slot = buckets_[bucket_of(id)];
  while (slot != no_slot && at(slot).id != id) slot = at(slot).hash_next;
  return slot;
}

}  // namespace sinnet::mux
