#pragma once
/// Byte ranges, gather slices and the counted Buffer: how bytes are named, lent and owned everywhere.
/// This file never does I/O and knows no protocol.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace sinnet {

/// A lent, read-only range of bytes. Whoever hands one out says how long it lives.
using Bytes = std::span<const std::byte>;

/// A lent, writable range of bytes.
using MutableBytes = std::span<std::byte>;

/// The bytes of `text`, as a view of the same memory.
[[nodiscard]] inline Bytes as_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// The same memory read as characters. No encoding is implied.
[[nodiscard]] inline std::string_view as_text(Bytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// One element of a gather list. Laid out like POSIX `struct iovec`, so that a transport passes a list on
/// unchanged. Without initial values: a list of 64 is made for every write, and most writes use one.
struct Slice {
  const void* data;
  std::size_t size;

  [[nodiscard]] Bytes bytes() const noexcept { return {static_cast<const std::byte*>(data), size}; }
};

/// Owned bytes on the heap, shared by counting. Copying a Buffer copies the reference, not the bytes.
///
/// The count is atomic, so references may be dropped on any thread; the bytes may be written only while
/// `is_unique()`. An empty Buffer owns nothing and costs one pointer.
class Buffer {
 public:
  Buffer() noexcept = default;
  Buffer(const Buffer& other) noexcept;
  Buffer(Buffer&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Buffer() { release(); }

  /// `size_bytes` uninitialised bytes. Throws std::bad_alloc only.
  [[nodiscard]] static Buffer allocate(std::size_t size_bytes);
  [[nodiscard]] static Buffer copy_of(Bytes bytes);

  [[nodiscard]] std::size_t size() const noexcept { return block_ == nullptr ? 0 : block_->size; }
  [[nodiscard]] std::size_t capacity() const noexcept { return block_ == nullptr ? 0 : block_->capacity; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] bool is_unique() const noexcept;

  [[nodiscard]] Bytes bytes() const noexcept { return {data(), size()}; }
  /// Requires `is_unique()` (or an empty buffer).
  [[nodiscard]] MutableBytes mutable_bytes() noexcept;

  /// The uninitialised room behind the bytes, for reading into; `resize` then takes it in. Requires
  /// `is_unique()`.
  [[nodiscard]] MutableBytes spare() noexcept;

  /// Changes the size within the capacity; new bytes are uninitialised. Requires `is_unique()`, or an empty
  /// buffer and 0.
  void resize(std::size_t size_bytes) noexcept;
  /// Grows the capacity to at least `capacity_bytes`, moving the bytes if it must (views end). Requires
  /// `is_unique()`. A large block is moved by remapping pages, not by copying, where the allocator can.
  void reserve(std::size_t capacity_bytes);
  /// Appends, doubling the capacity when it is short. Requires `is_unique()`; views end.
  void append(Bytes bytes);
  void reset() noexcept {
    release();
    block_ = nullptr;
  }

 private:
  struct Block {
    std::uint32_t count;  // atomic: see bytes.cpp
    std::size_t size;
    std::size_t capacity;
  };
  [[nodiscard]] std::byte* data() const noexcept {
    return block_ == nullptr ? nullptr : reinterpret_cast<std::byte*>(block_ + 1);
  }
  void release() noexcept;

  Block* block_ = nullptr;
};

}  // namespace sinnet
