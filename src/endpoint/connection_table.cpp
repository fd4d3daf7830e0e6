#include "endpoint/connection_table.hpp"

#include <array>
#include <bit>
#include <cassert>

#include "endpoint/server_connection.hpp"

namespace sinnet::endpoint {
namespace {

// A connection id: shard, generation, place. The generation keeps an id from naming a later connection.
constexpr unsigned place_bits = 24;
constexpr unsigned generation_bits = 32;
constexpr std::uint64_t place_mask = (std::uint64_t{1} << place_bits) - 1;

/// One bit of a word for each: finding a free one is one instruction.
constexpr std::size_t places_per_block = 64;

constexpr std::uint64_t bit(std::size_t index) noexcept { return std::uint64_t{1} << (index % 64); }
constexpr std::size_t place_of(ConnectionId id) noexcept {
  return static_cast<std::size_t>(static_cast<std::uint64_t>(id) & place_mask);
}

}  // namespace

struct ConnectionTable::Block {
  struct Room {
    alignas(ServerConnection) std::array<std::byte, sizeof(ServerConnection)> bytes;
  };
  [[nodiscard]] ServerConnection* at(std::size_t index) noexcept {
    return std::launder(reinterpret_cast<ServerConnection*>(rooms[index].bytes.data()));
  }

  std::uint64_t taken = 0;
  std::uint64_t known = 0;  ///< taken and not forgotten
  std::array<Room, places_per_block> rooms;
};

ConnectionTable::ConnectionTable(unsigned shard_index) : shard_index_(shard_index) {}
ConnectionTable::~ConnectionTable() = default;

ConnectionTable::Place ConnectionTable::take() {
  std::size_t word = 0;
  while (word < full_.size() && full_[word] == UINT64_MAX) ++word;
  if (word == full_.size()) full_.push_back(0);
  const std::size_t index = word * 64 + static_cast<std::size_t>(std::countr_one(full_[word]));
  if (index >= blocks_.size()) blocks_.resize(index + 1);
  // Plain make_unique would write zeros over all of it.
  if (blocks_[index] == nullptr) blocks_[index] = std::make_unique_for_overwrite<Block>();
  Block& block = *blocks_[index];
  const auto room = static_cast<std::size_t>(std::countr_one(block.taken));
  block.taken |= bit(room);
  block.known |= bit(room);
  if (block.taken == UINT64_MAX) full_[word] |= bit(index);
  const std::uint64_t place = index * places_per_block + room;
  assert(place <= place_mask);
  const ConnectionId id{(std::uint64_t{shard_index_} << (place_bits + generation_bits)) |
                        (std::uint64_t{++generation_} << place_bits) | place};
  return {.storage = block.rooms[room].bytes.data(), .id = id};
}

ServerConnection* ConnectionTable::find(ConnectionId id) noexcept {
  const std::size_t place = place_of(id);
  const std::size_t index = place / places_per_block;
  if (index >= blocks_.size() || blocks_[index] == nullptr) return nullptr;
  Block& block = *blocks_[index];
  if ((block.known & bit(place)) == 0) return nullptr;
  ServerConnection* const connection = block.at(place % places_per_block);
  return connection->id() == id ? connection : nullptr;
}

bool ConnectionTable::forget(ConnectionId id) noexcept {
  if (find(id) == nullptr) return false;
  blocks_[place_of(id) / places_per_block]->known &= ~bit(place_of(id));
  return true;
}

void ConnectionTable::give_back(ConnectionId id) noexcept {
  const std::size_t place = place_of(id);
  const std::size_t index = place / places_per_block;
  Block& block = *blocks_[index];
  assert((block.taken & ~block.known & bit(place)) != 0);
  block.taken &= ~bit(place);
  full_[index / 64] &= ~bit(index);
  // The first stays, so that a server with one visitor at a time does not allocate a block for each.
  if (block.taken == 0 && index > 0) blocks_[index].reset();
}

std::vector<ServerConnection*> ConnectionTable::all() {
  std::vector<ServerConnection*> found;
  for (const std::unique_ptr<Block>& block : blocks_) {
    if (block == nullptr) continue;
    for (std::uint64_t left = block->known; left != 0; left &= left - 1) {
      found.push_back(block->at(static_cast<std::size_t>(std::countr_zero(left))));
    }
  }
  return found;
}

}  // namespace sinnet::endpoint
