#pragma once
/// SharedFrame: one message encoded once and referenced by the output of many connections.

#include <cstdint>
#include <utility>

#include "sinnet/base/bytes.hpp"
#include "sinnet/ws/event.hpp"

namespace sinnet::ws {

class Resources;
struct DeflateOptions;

/// An immutable message with its server encodings: plain, and (made when first needed) deflated without
/// context takeover. Counted without atomics: a SharedFrame and its copies stay on one thread. `share()`
/// makes one for another thread that references the same bytes.
class SharedFrame {
 public:
  SharedFrame() noexcept = default;
  SharedFrame(MessageKind kind, Bytes payload);
  SharedFrame(const SharedFrame& other) noexcept : block_(other.block_) {
    if (block_ != nullptr) ++block_->count;
  }
  SharedFrame(SharedFrame&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  SharedFrame& operator=(SharedFrame other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~SharedFrame() { release(); }

  [[nodiscard]] explicit operator bool() const noexcept { return block_ != nullptr; }
  [[nodiscard]] MessageKind kind() const noexcept { return block_->kind; }
  /// The message itself, for clients (which mask) and carriers that are not WebSockets.
  [[nodiscard]] Bytes payload() const noexcept { return block_->plain.bytes().subspan(block_->header_bytes); }
  /// The whole unmasked frame.
  [[nodiscard]] Bytes plain() const noexcept { return block_->plain.bytes(); }
  /// The whole unmasked frame with RSV1, deflated in a window of `options.window_bits`; empty if that would
  /// not be smaller.
  [[nodiscard]] Bytes deflated(const DeflateOptions& options, Resources& resources) const;

  /// The same bytes with a count of its own, to be moved to another thread. Encodings made later are not
  /// shared back.
  [[nodiscard]] SharedFrame share() const;

 private:
  struct Block {
    std::size_t count = 1;
    MessageKind kind = MessageKind::Binary;
    std::uint8_t header_bytes = 0;
    std::uint8_t deflated_window_bits = 0;  ///< 0: not tried yet
    Buffer plain;
    Buffer deflated;
  };
  void release() noexcept;

  Block* block_ = nullptr;
};

}  // namespace sinnet::ws
