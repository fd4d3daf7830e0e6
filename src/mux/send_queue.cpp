#include "mux/send_queue.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace sinnet::mux {
namespace {

/// Blocks for copies: small for a lone ping, then large enough that few segments make a frame.
constexpr std::size_t block_bytes_min = 512;
constexpr std::size_t block_bytes_max = 16 * 1024;

}  // namespace

/// Bytes that a frame references already must stay where they are: only a block of ours alone takes more.
bool SendQueue::has_room(Part& part) noexcept {
  return part.is_open && part.owner.is_unique() && !part.owner.spare().empty();
}

void SendQueue::add_copied(Bytes bytes) {
  bytes_ += bytes.size();
  while (!bytes.empty()) {
    if (first_ == parts_.size() || !has_room(parts_.back())) {
      const std::size_t used = first_ == parts_.size() ? 0 : parts_.back().bytes.size();
      const std::size_t size = std::clamp(std::max(bytes.size(), used * 2), block_bytes_min, block_bytes_max);
      parts_.push_back({.owner = Buffer::allocate(size), .bytes = {}, .is_open = true});
      parts_.back().owner.resize(0);
    }
    Part& part = parts_.back();
    const MutableBytes room = part.owner.spare();
    const std::size_t count = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), count);
    part.owner.resize(part.owner.size() + count);
    const Bytes all = part.owner.bytes();
    part.bytes = all.last(part.bytes.size() + count);
    bytes = bytes.subspan(count);
  }
}

void SendQueue::add_shared(const Buffer& owner, Bytes part) {
  if (part.empty()) return;
  if (bytes_ == 0) {
    parts_.clear();
    first_ = 0;
  }
  bytes_ += part.size();
  parts_.push_back({.owner = owner, .bytes = part});
}

void SendQueue::consume(std::size_t bytes) noexcept {
  assert(bytes <= bytes_);
  bytes_ -= bytes;
  while (bytes > 0) {
    Part& part = parts_[first_];
    const std::size_t count = std::min(bytes, part.bytes.size());
    part.bytes = part.bytes.subspan(count);
    bytes -= count;
    if (part.bytes.empty() && !(part.is_open && first_ + 1 == parts_.size() && bytes_ == 0)) {
      part.owner.reset();
      ++first_;
    }
  }
  if (bytes_ == 0) {
    clear();
  } else if (first_ >= 16 && first_ * 2 >= parts_.size()) {
    parts_.erase(parts_.begin(), parts_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void SendQueue::clear() noexcept {
  // One small block that nobody references is kept for the next write.
  const bool keeps = !parts_.empty() && parts_.back().is_open && parts_.back().owner.is_unique() &&
                     parts_.back().owner.capacity() <= block_bytes_min * 2;
  Part kept;
  if (keeps) kept = std::move(parts_.back());
  parts_.clear();
  first_ = bytes_ = 0;
  if (!keeps) return;
  kept.owner.resize(0);
  kept.bytes = {};
  parts_.push_back(std::move(kept));
}

}  // namespace sinnet::mux
