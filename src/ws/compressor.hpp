#pragma once
/// Raw deflate of whole messages and incremental inflate with a bound, with zlib's state pooled.
/// Knows RFC 7692 7.2 (the 00 00 FF FF tail) and nothing of frames.

#include <cstdint>
#include <memory>
#include <vector>

#include "sinnet/base/bytes.hpp"
#include "sinnet/ws/deflate.hpp"

namespace sinnet::ws {

/// A zlib deflate state (about 44–268 KiB) for one window size. Movable handle; null when not borrowed.
class DeflateState;
class InflateState;

/// The zlib states of one thread. Without context takeover a connection borrows one for the length of a
/// message, so idle connections hold none. Bounded: at most `spare_max` idle states of each kind are kept.
class CompressionPool {
 public:
  explicit CompressionPool(std::size_t spare_max = 4);
  ~CompressionPool();
  CompressionPool(const CompressionPool&) = delete;
  CompressionPool& operator=(const CompressionPool&) = delete;

  [[nodiscard]] std::unique_ptr<DeflateState> borrow_deflate(unsigned window_bits, unsigned level,
                                                             unsigned memory_level);
  void give_back(std::unique_ptr<DeflateState> state);
  [[nodiscard]] std::unique_ptr<InflateState> borrow_inflate(unsigned window_bits);
  void give_back(std::unique_ptr<InflateState> state);
  /// States alive, borrowed or spare, for statistics and the memory tests.
  [[nodiscard]] std::size_t states_alive() const noexcept;

 private:
  struct Spare;
  std::unique_ptr<Spare> spare_;
};

/// Compresses one message after another in one direction of one connection.
class Compressor {
 public:
  Compressor(CompressionPool& pool, unsigned window_bits, bool context_takeover, unsigned level,
             unsigned memory_level);
  ~Compressor();
  Compressor(Compressor&&) noexcept;

  /// Appends the compressed message to `out`, without the 00 00 FF FF tail (RFC 7692 7.2.1). An empty message
  /// is one 0x00.
  void compress(Bytes message, Buffer& out);

 private:
  CompressionPool* pool_;
  std::unique_ptr<DeflateState> state_;  // kept between messages only with context takeover
  std::uint8_t window_bits_, level_, memory_level_;
  bool context_takeover_;
};

enum class InflateStatus : std::uint8_t {
  Ok,          ///< all input is used
               ///< left in place
  TooBig,      ///< the message would exceed its limit
  Corrupt,     ///< not a deflate stream, or a back-reference beyond the window (RFC 7692 7.2.2)
};

/// Inflates one message after another in one direction of one connection, as its bytes arrive.
class Decompressor {
 public:
  Decompressor(CompressionPool& pool, unsigned window_bits, bool context_takeover);
  ~Decompressor();
  Decompressor(Decompressor&&) noexcept;

  /// Inflates `piece` of the current message, appending to `out`, which never grows beyond `out_size_max`
  /// bytes in all: one byte more is TooBig, exactly that many is Ok. `last` ends the message: the tail 00 00
  /// FF FF is fed from own space. A block with BFINAL set ends a deflate stream inside the message; the next
  /// one starts fresh in the same window (RFC 7692 7.2.3.4). After TooBig or Corrupt the object must not be
  [[nodiscard]] InflateStatus decompress(Bytes piece, bool last, Buffer& out, std::size_t out_size_max);

 private:
  CompressionPool* pool_;
  std::unique_ptr<InflateState> state_;
  std::uint8_t window_bits_;
  bool context_takeover_;
};

}  // namespace sinnet::ws
