#pragma once
/// Timers: all deadlines of all streams of a session in one heap, which holds nothing while none is set. It
/// reads no clock; entries that moved away are noticed when they come up.

#include <cstdint>
#include <optional>
#include <vector>

#include "mux/stream_table.hpp"

namespace sinnet::mux {

class Timers {
 public:
  explicit Timers(StreamTable& streams) : streams_(&streams) {}

  /// `time_never` takes it away.
  void set(std::uint32_t slot, TimerKind kind, Time when);
  /// At or before the earliest deadline: one that moved later may still be in front.
  [[nodiscard]] std::optional<Time> next() const noexcept;
  /// Items in the heap, those of streams that are gone included: at most a few for each stream.
  [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }
  struct Expired {
    std::uint32_t slot;
    TimerKind kind;
  };
  /// Takes one that is over; call until none.
  [[nodiscard]] std::optional<Expired> take_expired(Time now);

 private:
  struct Item {
    Time when;
    Stream stream;
    TimerKind kind;
  };
  void sweep();
  [[nodiscard]] static bool is_later(const Item& a, const Item& b) noexcept { return a.when > b.when; }

  StreamTable* streams_;
  std::vector<Item> heap_;
};

}  // namespace sinnet::mux
