#pragma once
/// Outbox: frozen frames on their way to the carrier, a gather list over an arena of headers and short
/// payloads and over referenced buffers. It knows where frames end only for carriers of messages.

#include <cstdint>
#include <span>
#include <vector>

#include "sinnet/base/bytes.hpp"

namespace sinnet::mux {

class Outbox {
 public:
  /// Room at the end for `bytes` bytes; give back with trim() what is not used.
  [[nodiscard]] MutableBytes add(std::size_t bytes);
  void trim(std::size_t unused) noexcept;
  void add_shared(Buffer owner, Bytes part);
  /// The frame is complete; only for carriers of messages.
  void end_frame() { frame_ends_.push_back(taken_ + bytes_); }

  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] bool empty() const noexcept { return bytes_ == 0; }
  [[nodiscard]] std::size_t segments() const noexcept { return segments_.size() - first_; }
  [[nodiscard]] std::size_t gather(std::span<Slice> slices) const noexcept;
  [[nodiscard]] std::size_t first_frame_bytes() const noexcept;
  void consume(std::size_t bytes);
  /// Bytes ever added, and ever consumed: positions of frames.
  [[nodiscard]] std::uint64_t added_total() const noexcept { return taken_ + bytes_; }
  [[nodiscard]] std::uint64_t taken_total() const noexcept { return taken_; }
  /// Drops everything. Only when nothing was offered, or nobody will take it.
  void clear() noexcept;

 private:
  struct Segment {
    Buffer owner;  ///< empty: in the arena
    const std::byte* data = nullptr;
    std::size_t offset = 0;
    std::size_t size = 0;
  };
  std::vector<Segment> segments_;
  std::vector<std::byte> arena_;
  std::vector<std::uint64_t> frame_ends_;
  std::size_t first_frame_ = 0;
  std::size_t arena_used_ = 0;
  std::size_t first_ = 0;
  std::size_t bytes_ = 0;
  std::uint64_t taken_ = 0;
};

}  // namespace sinnet::mux
