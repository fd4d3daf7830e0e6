#pragma once
/// Scheduler: whose payload goes out next. Urgencies 0-7 in strict order with a small share for the later
/// ones (RFC 9218); inside one, deficit round robin (Shreedhar, Varghese 1995) with a list for streams that
/// just became ready (FQ-CoDel, RFC 8290), so that a short message passes bulk. It frames nothing.

#include <array>
#include <cstdint>

#include "mux/stream_table.hpp"

namespace sinnet::mux {

class Scheduler {
 public:
  explicit Scheduler(StreamTable& streams) : streams_(&streams) {}

  /// The stream has something to send.
  void add(std::uint32_t slot);
  /// The next stream and how much it may send now, at most `quantum`. `no_slot`: none has anything. Streams
  /// that died while they were linked are given to `forget` on the way.
  struct Turn {
    std::uint32_t slot = no_slot;
    std::uint32_t bytes_max = 0;
  };
  template <class Forget>
  [[nodiscard]] Turn next(std::uint32_t quantum, const Forget& forget) {
    while (true) {
      const std::size_t band = pick_band();
      if (band == bands) return {};
      if (const Turn turn = next_in(band, quantum); turn.slot != no_slot) {
        if (streams_->at(turn.slot).queued() > 0) return turn;
        forget(turn.slot);
      }
    }
  }
  /// The stream of the last turn sent so many bytes.
  void spend(Turn turn, std::size_t bytes) noexcept;
  /// Only one stream has something to send.
  [[nodiscard]] bool is_alone() const noexcept { return ready_ <= 1; }

  /// A stream's queue is not empty any more, or is now.
  void count_ready() noexcept { ++ready_; }
  void count_idle() noexcept { --ready_; }
  [[nodiscard]] std::size_t ready() const noexcept { return ready_; }

 private:
  static constexpr std::size_t bands = 8;
  struct List {
    std::uint32_t head = no_slot;
    std::uint32_t tail = no_slot;
  };
  struct Band {
    List fresh;
    List old;
    [[nodiscard]] bool empty() const noexcept { return fresh.head == no_slot && old.head == no_slot; }
  };

  [[nodiscard]] std::size_t pick_band() noexcept;
  [[nodiscard]] Turn next_in(std::size_t band, std::uint32_t quantum);
  void push(List& list, std::uint32_t slot) noexcept;
  void pop(List& list) noexcept;

  StreamTable* streams_;
  std::array<Band, bands> bands_{};
  std::size_t linked_ = 0;
  std::size_t ready_ = 0;
  std::size_t owed_bytes_ = 0;  ///< sent by the most urgent band since a later one had its share
  std::size_t last_band_ = 0;   ///< of the last turn
};

}  // namespace sinnet::mux
