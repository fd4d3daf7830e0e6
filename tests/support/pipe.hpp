#pragma once
/// Law 3, Pair: two machines joined by a bounded pipe with latency, under a virtual clock and seeded chance.
/// It carries bytes the way io::Driver does, with reads and writes of any size; it knows no protocol.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "sinnet/base/bytes.hpp"
#include "sinnet/base/time.hpp"
#include "support/seeded_random.hpp"

namespace sinnet::test {

/// One direction: bytes arrive `latency` after they were written, in order, and at most `room_bytes` are on
/// their way or unread.
class Pipe {
 public:
  Pipe(std::size_t room_bytes, Duration latency) : room_bytes_(room_bytes), latency_(latency) {}

  [[nodiscard]] std::size_t room() const noexcept { return room_bytes_ - bytes_; }
  void write(Bytes bytes, Time now) {
    if (bytes.empty()) return;
    parts_.push_back({{bytes.begin(), bytes.end()}, now + latency_});
    bytes_ += bytes.size();
  }
  void end(Time now) {
    if (!end_) end_ = now + latency_;
  }
  /// Moves what has arrived into `out` and answers how much.
  std::size_t read(MutableBytes out, Time now) {
    std::size_t count = 0;
    while (count < out.size() && !parts_.empty() && parts_.front().arrival <= now) {
      std::vector<std::byte>& part = parts_.front().bytes;
      const std::size_t size = std::min(part.size() - offset_, out.size() - count);
      std::memcpy(out.data() + count, part.data() + offset_, size);
      count += size;
      offset_ += size;
      if (offset_ < part.size()) break;
      parts_.pop_front();
      offset_ = 0;
    }
    bytes_ -= count;
    return count;
  }
  [[nodiscard]] bool has_bytes(Time now) const noexcept {
    return !parts_.empty() && parts_.front().arrival <= now;
  }
  /// Everything was read, and no more will come.
  [[nodiscard]] bool is_at_end(Time now) const noexcept { return parts_.empty() && end_ && *end_ <= now; }
  /// When something arrives next.
  [[nodiscard]] std::optional<Time> next() const noexcept {
    if (!parts_.empty()) return parts_.front().arrival;
    return end_;
  }

 private:
  struct Part {
    std::vector<std::byte> bytes;
    Time arrival;
  };
  std::deque<Part> parts_;
  std::size_t offset_ = 0;
  std::size_t bytes_ = 0;
  std::size_t room_bytes_;
  Duration latency_;
  std::optional<Time> end_;
};

/// One machine at one end. `handle(event)` is called for each event and answers whether to go on polling.
template <class Machine>
class PipeEnd {
 public:
  PipeEnd(Machine& machine, Pipe& in, Pipe& out, SeededRandom& chance)
      : machine_(&machine), in_(&in), out_(&out), chance_(&chance) {}

  /// One slot: perhaps a read, the events, and a write of some size. True: something moved.
  template <class Handle>
  bool run(Time now, Handle&& handle) {
    bool moved = false;
    if (is_over_) return false;
    if (machine_->wants_input() && !is_paused_) {
      // Every read has a block of its own that dies with the slot: nothing lent may outlive it.
      scratch_.assign(read_size(), std::byte{0xEE});
      const MutableBytes space = machine_->input_space(scratch_);
      const std::size_t size = in_->read(space.first(std::min(space.size(), read_size())), now);
      if (size > 0) {
        machine_->receive(space.first(size), now);
        moved = true;
      } else if (in_->is_at_end(now)) {
        machine_->receive_eof(now);
        moved = true;
      }
    }
    moved |= poll(handle);
    moved |= write(now);
    moved |= poll(handle);  // what was written may have drained or ended it
    machine_->keep_output();
    machine_->keep_input();
    std::fill(scratch_.begin(), scratch_.end(), std::byte{0xDD});
    if (machine_->wants_shutdown_write()) out_->end(now);
    if (machine_->is_done()) {
      out_->end(now);
      is_over_ = true;
      moved = true;
    }
    return moved;
  }
  void set_paused(bool paused, Time now) {
    is_paused_ = paused;
    machine_->set_reading(!paused, now);
  }
  [[nodiscard]] bool is_paused() const noexcept { return is_paused_; }
  [[nodiscard]] bool is_over() const noexcept { return is_over_; }

 private:
  template <class Handle>
  bool poll(Handle& handle) {
    bool moved = false;
    while (!is_paused_ || machine_->has_ended()) {
      auto event = machine_->poll_event();
      if (!event) break;
      moved = true;
      if (!handle(*event)) break;
    }
    return moved;
  }
  [[nodiscard]] std::size_t read_size() {
    return chance_->chance(20) ? 1 + chance_->below(8) : 1 + chance_->below(64 * 1024);
  }
  /// Writes what fits; sometimes a single byte, sometimes in two goes with a frame frozen in between.
  bool write(Time now) {
    bool moved = false;
    for (int i = 0; i < 8 && machine_->has_output() && out_->room() > 0; ++i) {
      machine_->prepare_output(1 + chance_->below(100 * 1024), now);
      std::array<Slice, 16> slices;
      const std::size_t count = machine_->output(std::span{slices}.first(1 + chance_->below(slices.size())));
      std::size_t budget = std::min(out_->room(), chance_->chance(20) ? 1 : 1 + chance_->below(200 * 1024));
      std::size_t taken = 0;
      for (std::size_t s = 0; s < count && budget > 0; ++s) {
        const Bytes part = slices[s].bytes().first(std::min(slices[s].size, budget));
        out_->write(part, now);
        budget -= part.size();
        taken += part.size();
      }
      machine_->consume_output(taken, now);
      moved = true;
      if (chance_->chance(30)) break;
    }
    return moved;
  }

  Machine* machine_;
  Pipe* in_;
  Pipe* out_;
  SeededRandom* chance_;
  std::vector<std::byte> scratch_;
  bool is_paused_ = false;
  bool is_over_ = false;
};

}  // namespace sinnet::test
