#include "sinnet/ws/shared_frame.hpp"

#include <array>
#include <cstring>

#include "sinnet/ws/deflate.hpp"
#include "sinnet/ws/frame.hpp"
#include "sinnet/ws/resources.hpp"
#include "ws/compressor.hpp"

namespace sinnet::ws {
namespace {

struct Encoded {
  Buffer frame;
  std::size_t header_bytes = 0;
};

Encoded encode(MessageKind kind, bool compressed, Bytes payload) {
  std::array<std::byte, frame_header_bytes_max> header;
  const std::size_t header_bytes =
      write_frame_header({.rsv1 = compressed,
                          .opcode = kind == MessageKind::Text ? Opcode::Text : Opcode::Binary,
                          .payload_bytes = payload.size()},
                         header);
  Buffer frame;
  frame.reserve(header_bytes + payload.size());
  frame.append({header.data(), header_bytes});
  frame.append(payload);
  return {std::move(frame), header_bytes};
}

}  // namespace

SharedFrame::SharedFrame(MessageKind kind, Bytes payload) : block_(new Block) {
  Encoded encoded = encode(kind, false, payload);
  block_->kind = kind;
  block_->header_bytes = static_cast<std::uint8_t>(encoded.header_bytes);
  block_->plain = std::move(encoded.frame);
}

Bytes SharedFrame::deflated(const DeflateOptions& options, Resources& resources) const {
  if (block_->deflated_window_bits == 0) {
    block_->deflated_window_bits = options.window_bits;
    Buffer compressed;
    Compressor{resources.compression(), options.window_bits, false, options.level, options.memory_level}
        .compress(payload(), compressed);
    if (compressed.size() < payload().size())
      block_->deflated = encode(block_->kind, true, compressed.bytes()).frame;
  }
  return block_->deflated_window_bits == options.window_bits ? block_->deflated.bytes() : Bytes{};
}

SharedFrame SharedFrame::share() const {
  SharedFrame copy;
  if (block_ == nullptr) return copy;
  copy.block_ = new Block(*block_);
  copy.block_->count = 1;
  return copy;
}

void SharedFrame::release() noexcept {
  if (block_ != nullptr && --block_->count == 0) delete block_;
}

}  // namespace sinnet::ws
