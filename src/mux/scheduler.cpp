#include "mux/scheduler.hpp"

#include <algorithm>
#include <cassert>

namespace sinnet::mux {
namespace {

/// Later urgencies get one turn after so many bytes of the first one: with turns of 16 KiB about a sixteenth.
constexpr std::size_t share_after_bytes = std::size_t{15} * 16 * 1024;

}  // namespace

void Scheduler::push(List& list, std::uint32_t slot) noexcept {
  streams_->at(slot).ready_next = no_slot;
  if (list.tail == no_slot) {
    list.head = slot;
  } else {
    streams_->at(list.tail).ready_next = slot;
  }
  list.tail = slot;
}

void Scheduler::pop(List& list) noexcept {
  StreamEntry& entry = streams_->at(list.head);
  list.head = entry.ready_next;
  if (list.head == no_slot) list.tail = no_slot;
  entry.ready_next = no_slot;
}

void Scheduler::add(std::uint32_t slot) {
  StreamEntry& entry = streams_->at(slot);
  if (entry.is_scheduled) return;
  entry.is_scheduled = true;
  entry.is_new = true;
  entry.deficit = 0;
  entry.band = entry.urgency;
  ++linked_;
  push(bands_[entry.band].fresh, slot);
}

/// The most urgent band with streams, or, now and then, the next one.
std::size_t Scheduler::pick_band() noexcept {
  std::size_t first = 0;
  while (first < bands && bands_[first].empty()) ++first;
  last_band_ = first;
  if (first == bands || owed_bytes_ < share_after_bytes) return first;
  owed_bytes_ = 0;
  for (std::size_t band = first + 1; band < bands; ++band) {
    if (!bands_[band].empty()) {
      last_band_ = band;
      return band;
    }
  }
  return first;
}

/// One step of RFC 8290 4.2. Answers a stream that may send, or one that left the lists (nothing is queued),
/// or none when it only moved somebody.
Scheduler::Turn Scheduler::next_in(std::size_t band, std::uint32_t quantum) {
  Band& lists = bands_[band];
  List& list = lists.fresh.head != no_slot ? lists.fresh : lists.old;
  const std::uint32_t slot = list.head;
  StreamEntry& entry = streams_->at(slot);
  if (entry.queued() == 0) {
    pop(list);
    if (entry.is_new && !entry.is_dead) {
      // Through the old list even when empty: else a thousand sparse streams, new every time, starve bulk.
      entry.is_new = false;
      push(lists.old, slot);
      return {};
    }
    entry.is_scheduled = false;
    --linked_;
    return {.slot = slot};
  }
  if (entry.is_new && entry.deficit == 0) entry.deficit = static_cast<std::int32_t>(quantum);
  if (entry.deficit <= 0) {
    entry.deficit += static_cast<std::int32_t>(quantum);
    pop(list);
    entry.is_new = false;
    push(lists.old, slot);
    return {};
  }
  return {.slot = slot, .bytes_max = std::min(quantum, static_cast<std::uint32_t>(entry.deficit))};
}

void Scheduler::spend(Turn turn, std::size_t bytes) noexcept {
  StreamEntry& entry = streams_->at(turn.slot);
  entry.deficit -= static_cast<std::int32_t>(bytes);
  // A new stream that used its turn up is not new any more (and its deficit of 0 does not mean "fresh").
  if (entry.is_new && entry.deficit <= 0) entry.deficit = -1;
  bool others_wait = false;
  for (std::size_t band = last_band_ + 1; band < bands; ++band) others_wait |= !bands_[band].empty();
  if (others_wait) owed_bytes_ += bytes;
}

}  // namespace sinnet::mux
