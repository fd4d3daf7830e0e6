#pragma once
/// Raw deflate of whole messages and incremental inflate with a bound, with zlib's state pooled.
/// Knows RFC 7692 7.2 (the 00 00 FF FF tail) and nothing of frames. Everything here belongs to one thread.

#include <cstdint>
#include <memory>

#include "sinnet/base/bytes.hpp"
#include "sinnet/ws/deflate.hpp"

namespace sinnet::ws {

/// A zlib deflate state for one window size: about 6 KiB + 2^(window_bits + 2) + 2^(memory_level + 9) bytes,
/// which is 264 KiB for (15, 8) and 24 KiB for (10, 5).
class DeflateState;
/// A zlib inflate state: about 7 KiB, and 2^window_bits more from its first byte on.
class InflateState;

/// The zlib states of one thread. Without context takeover a connection borrows one for the length of a
/// message, so idle connections hold none. Bounded: at most `spare_max` idle states of each kind are kept,
/// those used last. Must outlive whoever borrowed from it.
class CompressionPool {
 public:
  explicit CompressionPool(std::size_t spare_max = 4);
  ~CompressionPool();
  CompressionPool(const CompressionPool&) = delete;
  CompressionPool& operator=(const CompressionPool&) = delete;

  /// A state that remembers nothing. Window bits are 9–15. Throws std::bad_alloc only.
  [[nodiscard]] std::unique_ptr<DeflateState> borrow_deflate(unsigned window_bits, unsigned level,
                                                             unsigned memory_level);
  [[nodiscard]] std::unique_ptr<InflateState> borrow_inflate(unsigned window_bits);
  /// Takes a state in any condition; null is ignored.
  void give_back(std::unique_ptr<DeflateState> state) noexcept;
  void give_back(std::unique_ptr<InflateState> state) noexcept;
  /// States alive, borrowed or spare, for statistics and the memory tests.
  [[nodiscard]] std::size_t states_alive() const noexcept;

 private:
  struct Spare;
  std::unique_ptr<Spare> spare_;
};

/// Compresses one message after another in one direction of one connection. With context takeover it holds
/// its state from the first message until it dies; without, only inside `compress`.
class Compressor {
 public:
  Compressor(CompressionPool& pool, unsigned window_bits, bool context_takeover, unsigned level,
             unsigned memory_level);
  ~Compressor();
  Compressor(Compressor&& other) noexcept;

  /// Appends the compressed message to `out`, without the 00 00 FF FF tail (RFC 7692 7.2.1). An empty message
  /// is one 0x00. The result may be longer than the message; with context takeover it must be sent all the
  /// same. `out` is empty or unique.
  void compress(Bytes message, Buffer& out);

 private:
  CompressionPool* pool_;
  std::unique_ptr<DeflateState> state_;  // kept between messages only with context takeover
  std::uint8_t window_bits_, level_, memory_level_;
  bool context_takeover_;
};

enum class InflateStatus : std::uint8_t {
  Ok,       ///< all input is used
  TooBig,   ///< the message would exceed its limit
  Corrupt,  ///< not a deflate stream, cut in the middle of a block, or a back-reference beyond the history
};

/// Inflates one message after another in one direction of one connection, as its bytes arrive. With context
/// takeover it holds its state and window from the first message until it dies; without, from a message's
/// first byte to its end.
///
/// A back-reference to before the message (without takeover) or to before the connection's last 2^window_bits
/// bytes as they were when this call began is Corrupt. What the bytes of the call itself may refer to is not
/// cut down to an agreed window below 15 bits: zlib cannot, and it is the peer's own text. Without takeover a
/// full window is used, so that how a message was cut into pieces never decides whether it is legal.
class Decompressor {
 public:
  Decompressor(CompressionPool& pool, unsigned window_bits, bool context_takeover);
  ~Decompressor();
  Decompressor(Decompressor&& other) noexcept;

  /// Inflates `piece` of the current message, appending to `out`, which never grows beyond `out_size_max`
  /// bytes in all: one byte more is TooBig, exactly that many is Ok. `last` ends the message: the tail 00 00
  /// FF FF is fed from own space (RFC 7692 7.2.2). A block with BFINAL set ends a deflate stream inside the
  /// message; the next one starts fresh in the same window (RFC 7692 7.2.3.4). A message that ends there
  /// without the 0x00 the RFC asks for, or has no bytes at all, is accepted: nothing is left open. After
  /// TooBig or Corrupt the object must not be used again; its memory is gone already. `out` is empty or
  /// unique and grows with what is inflated, never by a declared size.
  [[nodiscard]] InflateStatus decompress(Bytes piece, bool last, Buffer& out, std::size_t out_size_max);

 private:
  CompressionPool* pool_;
  std::unique_ptr<InflateState> state_;
  std::uint8_t window_bits_;
  bool context_takeover_;
  bool has_input_ = false;  // the current message had a byte
};

}  // namespace sinnet::ws
