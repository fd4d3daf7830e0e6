#include "mux/outbox.hpp"

#include <algorithm>
#include <cassert>

namespace sinnet::mux {
namespace {

/// What an empty outbox keeps: a session at rest holds no more.
constexpr std::size_t arena_kept_bytes_max = 4 * 1024;
constexpr std::size_t arena_first_bytes = 512;

}  // namespace

MutableBytes Outbox::add(std::size_t bytes) {
  if (arena_used_ + bytes > arena_.size())
    arena_.resize(std::max({arena_used_ + bytes, arena_.size() * 2, arena_first_bytes}));
  const std::size_t offset = arena_used_;
  arena_used_ += bytes;
  bytes_ += bytes;
  if (segments() > 0) {
    Segment& last = segments_.back();
    if (last.data == nullptr && last.offset + last.size == offset) {
      last.size += bytes;
      return {arena_.data() + offset, bytes};
    }
  }
  segments_.push_back({.owner = {}, .offset = offset, .size = bytes});
  return {arena_.data() + offset, bytes};
}

void Outbox::trim(std::size_t unused) noexcept {
  segments_.back().size -= unused;
  arena_used_ -= unused;
  bytes_ -= unused;
}

void Outbox::add_shared(Buffer owner, Bytes part) {
  bytes_ += part.size();
  segments_.push_back({.owner = std::move(owner), .data = part.data(), .size = part.size()});
}

std::size_t Outbox::gather(std::span<Slice> slices) const noexcept {
  std::size_t used = 0;
  for (std::size_t i = first_; i < segments_.size() && used < slices.size(); ++i) {
    const Segment& segment = segments_[i];
    if (segment.size == 0) continue;
    slices[used++] =
        Slice{segment.data != nullptr ? segment.data : arena_.data() + segment.offset, segment.size};
  }
  return used;
}

std::size_t Outbox::first_frame_bytes() const noexcept {
  if (first_frame_ == frame_ends_.size()) return 0;
  return static_cast<std::size_t>(frame_ends_[first_frame_] - taken_);
}

void Outbox::consume(std::size_t bytes) {
  assert(bytes <= bytes_);
  bytes_ -= bytes;
  taken_ += bytes;
  while (bytes > 0) {
    Segment& segment = segments_[first_];
    const std::size_t count = std::min(bytes, segment.size);
    segment.size -= count;
    bytes -= count;
    if (segment.data != nullptr) {
      segment.data += count;
    } else {
      segment.offset += count;
    }
    if (segment.size > 0) break;
    segment.owner.reset();
    ++first_;
  }
  while (first_frame_ < frame_ends_.size() && frame_ends_[first_frame_] <= taken_) ++first_frame_;
  if (bytes_ == 0) clear();
}

void Outbox::clear() noexcept {
  taken_ += bytes_;
  segments_.clear();
  frame_ends_.clear();
  first_ = first_frame_ = arena_used_ = bytes_ = 0;
  if (arena_.size() > arena_kept_bytes_max) {
    arena_.clear();
    arena_.shrink_to_fit();
  }
}

}  // namespace sinnet::mux
