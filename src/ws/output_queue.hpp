#pragma once
/// OutputQueue: encoded frames on their way to a transport, as a gather list over copied, lent, owned and
/// shared bytes. It knows where frames begin (control frames may overtake data there) and nothing else of the
/// protocol.

#include <cstdint>
#include <span>
#include <vector>

#include "sinnet/base/bytes.hpp"
#include "sinnet/ws/shared_frame.hpp"

namespace sinnet::ws {

class Resources;

/// Order on the wire is the order of the calls, except that `add_control` goes before data that is not frozen
/// yet. Frames added as `held` wait aside until a fragmented message has ended.
class OutputQueue {
 public:
  OutputQueue() = default;
  OutputQueue(const OutputQueue&) = delete;
  OutputQueue& operator=(const OutputQueue&) = delete;

  /// Room for one frame of `bytes` bytes (at least one), copied in by the caller at once. `held`: it waits
  /// for release_held().
  [[nodiscard]] MutableBytes add_copied(std::size_t bytes, bool held = false) {
    if (bytes <= static_cast<std::size_t>(tail_limit_ - tail_end_) && !held) [[likely]] {
      std::byte* const place = tail_end_;
      tail_end_ += bytes;
      return {place, bytes};
    }
    return begin_copied(bytes, held);
  }
  /// A frame header (copied) with a payload referenced in lent memory until keep_lent().
  void add_lent(Bytes header, Bytes payload);
  /// A frame header (copied) with a payload inside `owner`.
  void add_owned(Bytes header, Buffer owner, Bytes payload, bool held = false);
  /// A whole frame inside `frame`.
  void add_shared(const SharedFrame& frame, Bytes encoded, bool held = false);
  /// A whole control frame (copied) before the data that is not frozen.
  void add_control(Bytes frame);

  /// Moves what was held behind the rest.
  void release_held();
  /// Forgets what was held: the message it waited for will never end.
  void drop_held();

  /// Freezes whole frames until at least `bytes_max` are frozen.
  void freeze(std::size_t bytes_max);
  [[nodiscard]] std::size_t gather(std::span<Slice> slices) const noexcept;
  /// Large buffers that were written go back to the pool.
  void consume(std::size_t bytes, Resources& resources);
  /// Copies what is referenced in lent memory.
  void keep_lent();

  /// All bytes not consumed yet, held ones included.
  [[nodiscard]] std::size_t waiting_bytes() const noexcept {
    return sendable_bytes_ + tail_bytes() + held_bytes_;
  }
  /// Bytes that may be frozen and written now.
  [[nodiscard]] std::size_t sendable_bytes() const noexcept { return sendable_bytes_ + tail_bytes(); }
  [[nodiscard]] bool empty() const noexcept { return waiting_bytes() == 0; }
  [[nodiscard]] std::size_t frozen_bytes() const noexcept { return frozen_bytes_; }
  /// Bytes of control frames not consumed yet (counted until all of them are gone).
  [[nodiscard]] std::size_t control_bytes() const noexcept { return control_bytes_; }

  /// Ready for another connection; keeps a little memory.
  void reset();

 private:
  enum class Owner : std::uint8_t { Arena, Lent, Buffer, Frame };
  struct Segment {
    const std::byte* data = nullptr;  ///< null for Owner::Arena: then `offset` counts
    std::size_t offset = 0;           ///< position in the arena, as a running number
    std::size_t size = 0;
    Owner owner = Owner::Arena;
    bool starts_frame = true;
    bool is_control = false;
    Buffer buffer{};
    SharedFrame frame{};
  };

  [[nodiscard]] MutableBytes begin_copied(std::size_t bytes, bool held);
  void close_tail();
  [[nodiscard]] std::size_t tail_bytes() const noexcept {
    return static_cast<std::size_t>(tail_end_ - tail_begin_);
  }
  [[nodiscard]] std::size_t arena_reserve(std::size_t bytes);
  [[nodiscard]] std::byte* arena_at(std::size_t offset) noexcept {
    return arena_.data() + (offset - arena_base_);
  }
  [[nodiscard]] const std::byte* data_of(const Segment& segment) const noexcept;
  Segment& add_segment(std::size_t size, bool held);
  void clear_segments() noexcept;
  void compact_segments();
  void compact_arena();

  std::vector<Segment> segments_;
  std::vector<Segment> held_;
  std::vector<std::byte> arena_;
  std::size_t arena_base_ = 0;  ///< the running number of arena_[0]
  std::size_t arena_end_ = 0;   ///< the running number behind the last used byte
  // While the last segment ends where the arena ends it may grow: neighbours become one slice. What it grew
  // by lies between these and is settled by close_tail(), so that one more short frame costs one addition.
  std::byte* tail_begin_ = nullptr;  ///< in the arena, behind what is settled
  std::byte* tail_end_ = nullptr;    ///< behind what was written there since
  std::byte* tail_limit_ = nullptr;  ///< the arena's end; all three are the same when closed
  bool is_tail_open_ = false;
  std::size_t first_ = 0;        ///< segments_ before this are consumed
  std::size_t frozen_end_ = 0;   ///< segments_ before this are frozen
  std::size_t control_end_ = 0;  ///< where the next control frame goes, if not before the frozen end
  std::size_t frozen_bytes_ = 0;
  std::size_t sendable_bytes_ = 0;
  std::size_t held_bytes_ = 0;
  std::size_t control_bytes_ = 0;
};

}  // namespace sinnet::ws
