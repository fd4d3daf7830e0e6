#include "sinnet/base/bytes.hpp"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <new>

namespace sinnet {
namespace {

std::atomic_ref<std::uint32_t> count_of(std::uint32_t& count) noexcept {
  return std::atomic_ref<std::uint32_t>{count};
}

}  // namespace

Buffer::Buffer(const Buffer& other) noexcept : block_(other.block_) {
  if (block_ != nullptr) count_of(block_->count).fetch_add(1, std::memory_order_relaxed);
}

void Buffer::release() noexcept {
  if (block_ == nullptr) return;
  // A sole owner need not pay for the atomic decrement: nobody else can be taking a reference.
  if (count_of(block_->count).load(std::memory_order_acquire) == 1 ||
      count_of(block_->count).fetch_sub(1, std::memory_order_acq_rel) == 1) {
    std::free(block_);
  }
}

Buffer Buffer::allocate(std::size_t size_bytes) {
  // malloc, not new: large blocks then grow by realloc, which remaps pages instead of copying them.
  auto* block = static_cast<Block*>(std::malloc(sizeof(Block) + size_bytes));
  if (block == nullptr) throw std::bad_alloc();
  *block = Block{.count = 1, .size = size_bytes, .capacity = size_bytes};
  Buffer buffer;
  buffer.block_ = block;
  return buffer;
}

Buffer Buffer::copy_of(Bytes bytes) {
  if (bytes.empty()) return {};
  Buffer buffer = allocate(bytes.size());
  std::memcpy(buffer.data(), bytes.data(), bytes.size());
  return buffer;
}

bool Buffer::is_unique() const noexcept {
  return block_ != nullptr && count_of(block_->count).load(std::memory_order_acquire) == 1;
}

MutableBytes Buffer::mutable_bytes() noexcept {
  assert(block_ == nullptr || is_unique());
  return {data(), size()};
}

MutableBytes Buffer::spare() noexcept {
  if (block_ == nullptr) return {};
  assert(is_unique());
  return {data() + block_->size, block_->capacity - block_->size};
}

void Buffer::resize(std::size_t size_bytes) noexcept {
  if (block_ == nullptr) {
    assert(size_bytes == 0);
    return;
  }
  assert(is_unique() && size_bytes <= block_->capacity);
  block_->size = size_bytes;
}

void Buffer::reserve(std::size_t capacity_bytes) {
  if (block_ == nullptr) {
    *this = allocate(capacity_bytes);
    block_->size = 0;
    return;
  }
  assert(is_unique());
  if (capacity_bytes <= block_->capacity) return;
  void* moved = std::realloc(block_, sizeof(Block) + capacity_bytes);
  if (moved == nullptr) throw std::bad_alloc();
  block_ = static_cast<Block*>(moved);
  block_->capacity = capacity_bytes;
}

void Buffer::append(Bytes bytes) {
  if (bytes.empty()) return;
  const std::size_t old_size = size();
  if (old_size + bytes.size() > capacity()) reserve(std::max(old_size + bytes.size(), capacity() * 2));
  block_->size = old_size + bytes.size();
  std::memcpy(data() + old_size, bytes.data(), bytes.size());
}

}  // namespace sinnet
