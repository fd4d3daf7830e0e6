#include "mux/timers.hpp"

#include <algorithm>

namespace sinnet::mux {
namespace {

/// Streams that end leave their items behind. Swept when there are many more than live streams can have, so
/// that a sweep is paid for by the items set since the last one.
constexpr std::size_t items_kept = 64;

}  // namespace

void Timers::sweep() {
  if (heap_.size() < items_kept + 2 * timer_kinds * streams_->live()) return;
  std::erase_if(heap_, [this](const Item& item) { return streams_->find(item.stream) == nullptr; });
  std::make_heap(heap_.begin(), heap_.end(), is_later);
}

void Timers::set(std::uint32_t slot, TimerKind kind, Time when) {
  StreamEntry& entry = streams_->at(slot);
  if (when == time_never && entry.extra == nullptr) return;
  const auto index = static_cast<std::size_t>(kind);
  StreamExtra& extra = entry.extras();
  extra.due[index] = when;
  // An item that comes up earlier looks again then; so there is seldom more than one for a deadline.
  if (when == time_never || extra.queued[index] <= when) return;
  extra.queued[index] = when;
  sweep();
  heap_.push_back({when, streams_->handle(slot), kind});
  std::push_heap(heap_.begin(), heap_.end(), is_later);
}

std::optional<Time> Timers::next() const noexcept {
  if (heap_.empty()) return std::nullopt;
  return heap_.front().when;
}

std::optional<Timers::Expired> Timers::take_expired(Time now) {
  while (!heap_.empty() && heap_.front().when <= now) {
    std::pop_heap(heap_.begin(), heap_.end(), is_later);
    const Item item = heap_.back();
    heap_.pop_back();
    StreamEntry* entry = streams_->find(item.stream);
    if (entry == nullptr || entry->extra == nullptr) continue;
    const auto index = static_cast<std::size_t>(item.kind);
    StreamExtra& extra = *entry->extra;
    if (extra.queued[index] != item.when) continue;  // an earlier one was queued, and came up already
    extra.queued[index] = time_never;
    if (extra.due[index] > now) {
      set(item.stream.slot, item.kind, extra.due[index]);
      continue;
    }
    extra.due[index] = time_never;
    return Expired{item.stream.slot, item.kind};
  }
  return std::nullopt;
}

}  // namespace sinnet::mux
