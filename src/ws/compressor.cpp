/// permessage-deflate on zlib (RFC 7692 7.2). Never sees a frame, never allocates by what a peer declares.
#include "ws/compressor.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <limits>
#include <new>
#include <utility>
#include <vector>

namespace sinnet::ws {
namespace {

// RFC 7692 7.2.1: what ends a flushed message and is not sent; the length fields of an empty stored block.
constexpr std::array<std::byte, 4> tail{std::byte{0x00}, std::byte{0x00}, std::byte{0xFF}, std::byte{0xFF}};

// zlib counts in unsigned int.
constexpr std::size_t zlib_bytes_max = std::numeric_limits<uInt>::max();

// The first room for an inflated message: JSON inflates to 3-6 times its size, so most messages need one
// allocation.
constexpr std::size_t inflate_ratio_expected = 4;
constexpr std::size_t inflate_room_min = 256;
constexpr std::size_t inflate_room_max = std::size_t{64} * 1024;

// The first room for a deflated message; above the minimum a quarter of the message, as text shrinks to that
// or less.
constexpr std::size_t deflate_room_min = 512;
constexpr std::size_t deflate_ratio_expected = 4;

// A full window: back-references cannot reach further in any deflate stream (RFC 1951 3.2.5).
constexpr unsigned window_bits_full = 15;

// inflate() reports its position in data_type: the low bits count unused bits of the last byte, 128 is
// between blocks.
constexpr int position_bits_mask = 0x3F;
constexpr int position_between_blocks = 128;

[[nodiscard]] Bytef* zlib_bytes(const std::byte* bytes) noexcept {
  return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes));  // zlib without ZLIB_CONST; it only reads
}

/// Makes `out` longer by what it may hold at once, at most up to `size_max`; the caller cuts it back to what
/// was written.
[[nodiscard]] MutableBytes extend(Buffer& out, std::size_t room_wanted, std::size_t size_max) {
  const std::size_t size = out.size();
  if (size >= size_max) return {};
  if (size == out.capacity()) {
    const std::size_t wanted = size + std::max(size, room_wanted);  // doubling keeps the copying linear
    out.reserve(std::min(wanted, size_max));
  }
  const std::size_t end = std::min({out.capacity(), size_max, size + zlib_bytes_max});
  out.resize(end);
  return out.mutable_bytes().subspan(size);
}

}  // namespace

class DeflateState {
 public:
  DeflateState(std::size_t& alive, unsigned window_bits, unsigned level, unsigned memory_level)
      : alive_(alive), window_bits_(window_bits), level_(level), memory_level_(memory_level) {
    assert(window_bits >= 9 && window_bits <= 15);
    const int result =
        deflateInit2(&stream_, static_cast<int>(level), Z_DEFLATED, -static_cast<int>(window_bits),
                     static_cast<int>(memory_level), Z_DEFAULT_STRATEGY);
    if (result != Z_OK) throw std::bad_alloc();
    ++alive_;
  }
  ~DeflateState() {
    deflateEnd(&stream_);
    --alive_;
  }
  DeflateState(const DeflateState&) = delete;
  DeflateState& operator=(const DeflateState&) = delete;

  [[nodiscard]] bool matches(unsigned window_bits, unsigned level, unsigned memory_level) const noexcept {
    return window_bits_ == window_bits && level_ == level && memory_level_ == memory_level;
  }
  void reset() noexcept { deflateReset(&stream_); }

  /// Appends `message` and the tail.
  void deflate_flushed(Bytes message, Buffer& out) {
    const std::size_t room_wanted = std::max(deflate_room_min, message.size() / deflate_ratio_expected);
    do {
      const Bytes part = message.first(std::min(message.size(), zlib_bytes_max));
      message = message.subspan(part.size());
      stream_.next_in = zlib_bytes(part.data());
      stream_.avail_in = static_cast<uInt>(part.size());
      const int flush = message.empty() ? Z_SYNC_FLUSH : Z_NO_FLUSH;
      do {
        const MutableBytes room = extend(out, room_wanted, std::numeric_limits<std::size_t>::max());
        stream_.next_out = zlib_bytes(room.data());
        stream_.avail_out = static_cast<uInt>(room.size());
        [[maybe_unused]] const int result = deflate(&stream_, flush);
        assert(result == Z_OK || result == Z_BUF_ERROR);
        out.resize(out.size() - stream_.avail_out);
        // A full room may hide more. If nothing was hidden the next call adds one more empty block: five
        // bytes, legal.
      } while (stream_.avail_out == 0);
    } while (!message.empty());
  }

 private:
  z_stream stream_{};
  std::size_t& alive_;
  unsigned window_bits_, level_, memory_level_;
};

class InflateState {
 public:
  InflateState(std::size_t& alive, unsigned window_bits) : alive_(alive), window_bits_(window_bits) {
    assert(window_bits >= 9 && window_bits <= 15);
    if (inflateInit2(&stream_, -static_cast<int>(window_bits)) != Z_OK) throw std::bad_alloc();
    ++alive_;
  }
  ~InflateState() {
    inflateEnd(&stream_);
    --alive_;
  }
  InflateState(const InflateState&) = delete;
  InflateState& operator=(const InflateState&) = delete;

  [[nodiscard]] bool matches(unsigned window_bits) const noexcept { return window_bits_ == window_bits; }
  void reset() noexcept {
    inflateReset(&stream_);
    stream_ended_ = false;
  }

  [[nodiscard]] InflateStatus receive(Bytes piece, Buffer& out, std::size_t out_size_max) {
    while (!piece.empty()) {
      const Bytes part = piece.first(std::min(piece.size(), zlib_bytes_max));
      piece = piece.subspan(part.size());
      stream_.next_in = zlib_bytes(part.data());
      stream_.avail_in = static_cast<uInt>(part.size());
      const InflateStatus status = inflate_all(out, out_size_max);
      if (status != InflateStatus::Ok) return status;
    }
    return InflateStatus::Ok;
  }

  /// Feeds the tail and wants it to end exactly between two blocks: otherwise the message was cut.
  [[nodiscard]] InflateStatus receive_end(Buffer& out, std::size_t out_size_max) {
    if (stream_ended_) return InflateStatus::Ok;
    stream_.next_in = zlib_bytes(tail.data());
    stream_.avail_in = static_cast<uInt>(tail.size());
    const InflateStatus status = inflate_all(out, out_size_max);
    if (status != InflateStatus::Ok || stream_ended_) return status;
    const bool is_between_blocks = (stream_.data_type & position_between_blocks) != 0;
    const bool is_at_byte = (stream_.data_type & position_bits_mask) == 0;
    return is_between_blocks && is_at_byte ? InflateStatus::Ok : InflateStatus::Corrupt;
  }

 private:
  /// Inflates until the input is used and nothing more comes of it.
  [[nodiscard]] InflateStatus inflate_all(Buffer& out, std::size_t out_size_max) {
    for (;;) {
      if (stream_ended_) {
        if (stream_.avail_in == 0) return InflateStatus::Ok;
        inflateResetKeep(&stream_);  // keeps the window: RFC 7692 7.2.3.4
        stream_ended_ = false;
      }
      const std::size_t room_wanted =
          std::clamp(stream_.avail_in * inflate_ratio_expected, inflate_room_min, inflate_room_max);
      const MutableBytes room = extend(out, room_wanted, out_size_max);
      // At the limit there may still be input that makes no output; one byte of room tells.
      std::byte probe{};
      const bool is_at_limit = room.empty();
      stream_.next_out = zlib_bytes(is_at_limit ? &probe : room.data());
      stream_.avail_out = is_at_limit ? 1 : static_cast<uInt>(room.size());
      const int result = inflate(&stream_, Z_SYNC_FLUSH);
      if (is_at_limit && stream_.avail_out == 0) return InflateStatus::TooBig;
      if (!is_at_limit) out.resize(out.size() - stream_.avail_out);

      if (result == Z_STREAM_END) {
        stream_ended_ = true;
      } else if (result == Z_MEM_ERROR) {
        throw std::bad_alloc();
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        return InflateStatus::Corrupt;
      } else if (stream_.avail_in == 0 && stream_.avail_out != 0) {
        return InflateStatus::Ok;
      }
    }
  }

  z_stream stream_{};
  std::size_t& alive_;
  unsigned window_bits_;
  bool stream_ended_ = false;  // a block with BFINAL set was the last thing
};

struct CompressionPool::Spare {
  std::size_t spare_max;
  std::size_t alive = 0;
  std::vector<std::unique_ptr<DeflateState>> deflates;  // the last one was used last
  std::vector<std::unique_ptr<InflateState>> inflates;
};

namespace {

/// Takes the state used last among those that match, reset; or null.
template <typename State, typename... Key>
std::unique_ptr<State> take_spare(std::vector<std::unique_ptr<State>>& spares, Key... key) noexcept {
  for (std::size_t i = spares.size(); i-- != 0;) {
    if (!spares[i]->matches(key...)) continue;
    std::unique_ptr<State> state = std::move(spares[i]);
    spares.erase(spares.begin() + static_cast<std::ptrdiff_t>(i));
    state->reset();
    return state;
  }
  return nullptr;
}

/// The vectors have their full capacity from the start, so nothing is allocated here.
template <typename State>
void keep_spare(std::vector<std::unique_ptr<State>>& spares, std::size_t spare_max,
                std::unique_ptr<State> state) noexcept {
  if (state == nullptr || spare_max == 0) return;
  if (spares.size() == spare_max) spares.erase(spares.begin());
  spares.push_back(std::move(state));
}

}  // namespace

CompressionPool::CompressionPool(std::size_t spare_max)
    : spare_(new Spare{.spare_max = spare_max, .alive = 0, .deflates = {}, .inflates = {}}) {
  spare_->deflates.reserve(spare_max);
  spare_->inflates.reserve(spare_max);
}

CompressionPool::~CompressionPool() {
  spare_->deflates.clear();
  spare_->inflates.clear();
  assert(spare_->alive == 0 && "the pool outlives its borrowers");
}

std::unique_ptr<DeflateState> CompressionPool::borrow_deflate(unsigned window_bits, unsigned level,
                                                              unsigned memory_level) {
  auto state = take_spare(spare_->deflates, window_bits, level, memory_level);
  if (state != nullptr) return state;
  return std::make_unique<DeflateState>(spare_->alive, window_bits, level, memory_level);
}

std::unique_ptr<InflateState> CompressionPool::borrow_inflate(unsigned window_bits) {
  auto state = take_spare(spare_->inflates, window_bits);
  if (state != nullptr) return state;
  return std::make_unique<InflateState>(spare_->alive, window_bits);
}

void CompressionPool::give_back(std::unique_ptr<DeflateState> state) noexcept {
  keep_spare(spare_->deflates, spare_->spare_max, std::move(state));
}

void CompressionPool::give_back(std::unique_ptr<InflateState> state) noexcept {
  keep_spare(spare_->inflates, spare_->spare_max, std::move(state));
}

std::size_t CompressionPool::states_alive() const noexcept { return spare_->alive; }

Compressor::Compressor(CompressionPool& pool, unsigned window_bits, bool context_takeover, unsigned level,
                       unsigned memory_level)
    : pool_(&pool),
      window_bits_(static_cast<std::uint8_t>(window_bits)),
      level_(static_cast<std::uint8_t>(level)),
      memory_level_(static_cast<std::uint8_t>(memory_level)),
      context_takeover_(context_takeover) {
  assert(window_bits >= 9 && window_bits <= 15 && level >= 1 && level <= 9 && memory_level >= 1 &&
         memory_level <= 9);
}

Compressor::~Compressor() {
  if (state_ != nullptr) pool_->give_back(std::move(state_));
}

Compressor::Compressor(Compressor&& other) noexcept = default;

void Compressor::compress(Bytes message, Buffer& out) {
  if (message.empty()) {
    // RFC 7692 7.2.3.6. zlib would make nothing of a flush right after a flush.
    out.append(Bytes{tail}.first(1));
    return;
  }
  if (state_ == nullptr) state_ = pool_->borrow_deflate(window_bits_, level_, memory_level_);
  state_->deflate_flushed(message, out);
  assert(std::ranges::equal(out.bytes().last(tail.size()), tail));
  out.resize(out.size() - tail.size());
  if (!context_takeover_) pool_->give_back(std::move(state_));
}

Decompressor::Decompressor(CompressionPool& pool, unsigned window_bits, bool context_takeover)
    : pool_(&pool),
      window_bits_(static_cast<std::uint8_t>(context_takeover ? window_bits : window_bits_full)),
      context_takeover_(context_takeover) {
  assert(window_bits >= 9 && window_bits <= 15);
}

Decompressor::~Decompressor() {
  if (state_ != nullptr) pool_->give_back(std::move(state_));
}

Decompressor::Decompressor(Decompressor&& other) noexcept = default;

InflateStatus Decompressor::decompress(Bytes piece, bool last, Buffer& out, std::size_t out_size_max) {
  has_input_ = has_input_ || !piece.empty();
  InflateStatus status = InflateStatus::Ok;
  if (has_input_) {
    if (state_ == nullptr) state_ = pool_->borrow_inflate(window_bits_);
    status = state_->receive(piece, out, out_size_max);
    if (status == InflateStatus::Ok && last) status = state_->receive_end(out, out_size_max);
  }
  if (last) has_input_ = false;
  const bool has_failed = status != InflateStatus::Ok;
  if (state_ != nullptr && (has_failed || (last && !context_takeover_))) pool_->give_back(std::move(state_));
  return status;
}

}  // namespace sinnet::ws
