#include "ws/output_queue.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "sinnet/ws/resources.hpp"

namespace sinnet::ws {
namespace {

/// What a queue at rest in the pool may keep.
constexpr std::size_t arena_kept_bytes_max = 64 * 1024;
constexpr std::size_t segments_kept_max = 64;
/// The arena's first size: some small frames.
constexpr std::size_t arena_first_bytes = 512;

}  // namespace

const std::byte* OutputQueue::data_of(const Segment& segment) const noexcept {
  return segment.owner == Owner::Arena ? arena_.data() + (segment.offset - arena_base_) : segment.data;
}

/// Room for `bytes` more in the arena; answers the running number of the first.
std::size_t OutputQueue::arena_reserve(std::size_t bytes) {
  const std::size_t offset = arena_end_;
  // Looked at only when full, so that its cost is spread over the bytes added since.
  if (arena_end_ - arena_base_ + bytes > arena_.size()) compact_arena();
  const std::size_t needed = arena_end_ - arena_base_ + bytes;
  if (needed > arena_.size()) arena_.resize(std::max({needed, arena_.size() * 2, arena_first_bytes}));
  arena_end_ += bytes;
  return offset;
}

OutputQueue::Segment& OutputQueue::add_segment(std::size_t size, bool held) {
  (held ? held_bytes_ : sendable_bytes_) += size;
  Segment& segment = (held ? held_ : segments_).emplace_back();
  segment.size = size;
  return segment;
}

MutableBytes OutputQueue::begin_copied(std::size_t bytes, bool held) {
  const bool grows = is_tail_open_ && !held;  // the arena was only too small
  close_tail();
  const std::size_t offset = arena_reserve(bytes);
  if (grows) {
    segments_.back().size += bytes;
    sendable_bytes_ += bytes;
  } else {
    add_segment(bytes, held).offset = offset;
  }
  if (!held) {
    is_tail_open_ = true;
    tail_begin_ = tail_end_ = arena_at(arena_end_);
    tail_limit_ = arena_.data() + arena_.size();
  }
  return {arena_at(offset), bytes};
}

/// Frozen bytes stay the same, and whatever comes between breaks the neighbourhood: the next copied frame
/// begins a segment of its own.
void OutputQueue::close_tail() {
  if (!is_tail_open_) return;
  segments_.back().size += tail_bytes();
  sendable_bytes_ += tail_bytes();
  arena_end_ += tail_bytes();
  tail_begin_ = tail_end_ = tail_limit_ = nullptr;
  is_tail_open_ = false;
}

void OutputQueue::add_lent(Bytes header, Bytes payload) {
  std::memcpy(add_copied(header.size()).data(), header.data(), header.size());
  close_tail();
  Segment& segment = add_segment(payload.size(), false);
  segment.data = payload.data();
  segment.owner = Owner::Lent;
  segment.starts_frame = false;
}

void OutputQueue::add_owned(Bytes header, Buffer owner, Bytes payload, bool held) {
  std::memcpy(add_copied(header.size(), held).data(), header.data(), header.size());
  close_tail();
  Segment& segment = add_segment(payload.size(), held);
  segment.data = payload.data();
  segment.owner = Owner::Buffer;
  segment.starts_frame = false;
  segment.buffer = std::move(owner);
}

void OutputQueue::add_shared(const SharedFrame& frame, Bytes encoded, bool held) {
  close_tail();
  Segment& segment = add_segment(encoded.size(), held);
  segment.data = encoded.data();
  segment.owner = Owner::Frame;
  segment.frame = frame;
}

void OutputQueue::add_control(Bytes frame) {
  close_tail();
  const std::size_t offset = arena_reserve(frame.size());
  std::memcpy(arena_at(offset), frame.data(), frame.size());
  control_bytes_ += frame.size();
  sendable_bytes_ += frame.size();
  const std::size_t place = std::max({first_, frozen_end_, control_end_});
  // A flood of pings moves the entries behind it once, not once for every pong.
  if (control_end_ > std::max(first_, frozen_end_)) {
    Segment& last = segments_[control_end_ - 1];
    if (last.offset + last.size == offset) {
      last.size += frame.size();
      return;
    }
  }
  segments_.insert(segments_.begin() + static_cast<std::ptrdiff_t>(place),
                   Segment{.offset = offset, .size = frame.size(), .is_control = true});
  control_end_ = place + 1;
}

void OutputQueue::release_held() {
  close_tail();
  for (Segment& segment : held_) segments_.push_back(std::move(segment));
  sendable_bytes_ += held_bytes_;
  drop_held();
}

void OutputQueue::drop_held() {
  held_.clear();
  held_bytes_ = 0;
}

void OutputQueue::freeze(std::size_t bytes_max) {
  close_tail();
  while (frozen_end_ < segments_.size()) {
    const Segment& next = segments_[frozen_end_];
    if (frozen_bytes_ >= bytes_max && next.starts_frame) return;
    frozen_bytes_ += next.size;
    ++frozen_end_;
  }
}

std::size_t OutputQueue::gather(std::span<Slice> slices) const noexcept {
  std::size_t used = 0;
  for (std::size_t i = first_; i < frozen_end_ && used < slices.size(); ++i) {
    const Segment& segment = segments_[i];
    const std::byte* data = data_of(segment);
    // A header and the payload copied behind it may be two segments but are one slice.
    if (used > 0 && static_cast<const std::byte*>(slices[used - 1].data) + slices[used - 1].size == data) {
      slices[used - 1].size += segment.size;
    } else {
      slices[used++] = Slice{data, segment.size};
    }
  }
  return used;
}

void OutputQueue::consume(std::size_t bytes, Resources& resources) {
  assert(bytes <= frozen_bytes_);
  const bool takes_all = bytes == frozen_bytes_ && frozen_end_ == segments_.size() && held_.empty();
  frozen_bytes_ -= bytes;
  sendable_bytes_ -= bytes;
  if (takes_all) {
    for (Segment& segment : std::span(segments_).subspan(first_)) {
      if (segment.owner == Owner::Buffer) resources.give_back(std::move(segment.buffer));
    }
    return clear_segments();
  }
  while (bytes > 0 || (first_ < frozen_end_ && segments_[first_].size == 0)) {
    Segment& segment = segments_[first_];
    const std::size_t count = std::min(bytes, segment.size);
    segment.size -= count;
    bytes -= count;
    if (segment.owner == Owner::Arena) {
      segment.offset += count;
    } else {
      segment.data += count;
    }
    if (segment.size > 0) return;
    if (segment.owner == Owner::Buffer) resources.give_back(std::move(segment.buffer));
    segment.frame = {};
    ++first_;
  }
  if (control_end_ <= first_) control_bytes_ = 0;
  if (first_ == segments_.size() && held_.empty()) {
    clear_segments();
  } else {
    compact_segments();
  }
}

/// Everything is consumed and nothing is held.
void OutputQueue::clear_segments() noexcept {
  segments_.clear();
  first_ = frozen_end_ = control_end_ = 0;
  arena_base_ = arena_end_ = 0;
  control_bytes_ = 0;
}

/// Drops consumed entries while a slow reader keeps the queue from ever running empty.
void OutputQueue::compact_segments() {
  if (first_ < segments_kept_max || first_ * 2 < segments_.size()) return;
  segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(first_));
  frozen_end_ -= first_;
  control_end_ = control_end_ > first_ ? control_end_ - first_ : 0;
  first_ = 0;
}

/// Moves the live bytes to the front of the arena when at least half of it is consumed.
void OutputQueue::compact_arena() {
  std::size_t lowest = arena_end_;
  const auto look_at = [&](const Segment& segment) {
    if (segment.owner == Owner::Arena) lowest = std::min(lowest, segment.offset);
  };
  std::for_each(segments_.begin() + static_cast<std::ptrdiff_t>(first_), segments_.end(), look_at);
  std::for_each(held_.begin(), held_.end(), look_at);
  const std::size_t consumed = lowest - arena_base_;
  if (consumed == 0 || consumed * 2 < arena_end_ - arena_base_) return;
  std::memmove(arena_.data(), arena_.data() + consumed, arena_end_ - lowest);
  arena_base_ = lowest;
}

void OutputQueue::keep_lent() {
  for (std::size_t i = first_; i < segments_.size(); ++i) {
    Segment& segment = segments_[i];
    if (segment.owner != Owner::Lent) continue;
    segment.buffer = Buffer::copy_of({segment.data, segment.size});
    segment.data = segment.buffer.bytes().data();
    segment.owner = Owner::Buffer;
  }
}

void OutputQueue::reset() {
  close_tail();
  drop_held();
  clear_segments();
  frozen_bytes_ = sendable_bytes_ = 0;
  if (segments_.capacity() > segments_kept_max) segments_.shrink_to_fit();
  if (held_.capacity() > 0) held_.shrink_to_fit();
  if (arena_.size() > arena_kept_bytes_max) {
    arena_.clear();
    arena_.shrink_to_fit();
  }
}

}  // namespace sinnet::ws
