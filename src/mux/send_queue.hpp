#pragma once
/// SendQueue: what one stream has taken from write() and not framed yet. Short pieces are copied together,
/// long ones referenced. It knows no frames.

#include <cstddef>
#include <vector>

#include "sinnet/base/bytes.hpp"

namespace sinnet::mux {

class SendQueue {
 public:
  void add_copied(Bytes bytes);
  void add_shared(const Buffer& owner, Bytes part);

  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] bool empty() const noexcept { return bytes_ == 0; }
  /// The first bytes that lie together.
  [[nodiscard]] Bytes front() const noexcept { return parts_[first_].bytes; }
  [[nodiscard]] const Buffer& front_owner() const noexcept { return parts_[first_].owner; }
  void consume(std::size_t bytes) noexcept;
  void clear() noexcept;

 private:
  struct Part {
    Buffer owner;
    Bytes bytes;
    bool is_open = false;  ///< ours alone: what follows may be copied behind it
  };
  [[nodiscard]] static bool has_room(Part& part) noexcept;

  std::vector<Part> parts_;
  std::size_t first_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace sinnet::mux
