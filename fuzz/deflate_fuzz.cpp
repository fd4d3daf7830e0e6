/// Inflating hostile bytes whole and in pieces gives one verdict and one text within the limit, and what we
/// deflate ourselves comes back. First byte: settings; second: size of the pieces.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "ws/compressor.hpp"

namespace {

using namespace sinnet;
using namespace sinnet::ws;

constexpr std::size_t limit = 100000;  // inflated bytes; small, so that bombs end soon

void require(bool holds) {
  if (!holds) std::abort();
}

InflateStatus inflate_message(CompressionPool& pool, Bytes message, std::size_t piece_bytes, bool takeover,
                              Buffer& out) {
  Decompressor decompressor(pool, 15, takeover);
  InflateStatus status = InflateStatus::Ok;
  do {
    const Bytes piece = message.first(std::min(piece_bytes, message.size()));
    message = message.subspan(piece.size());
    status = decompressor.decompress(piece, message.empty(), out, limit);
    require(out.size() <= limit && out.capacity() <= limit);
  } while (status == InflateStatus::Ok && !message.empty());
  return status;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const unsigned settings = data[0];
  const std::size_t piece_bytes = std::size_t{data[1]} + 1;
  const Bytes input{reinterpret_cast<const std::byte*>(data + 2), size - 2};
  const bool takeover = (settings & 1U) != 0;
  CompressionPool pool(1);

  Buffer whole;
  Buffer pieces;
  const InflateStatus status = inflate_message(pool, input, size, takeover, whole);
  require(inflate_message(pool, input, piece_bytes, takeover, pieces) == status);
  if (status == InflateStatus::Ok) require(as_text(whole.bytes()) == as_text(pieces.bytes()));

  if (input.size() > limit) return 0;
  Compressor compressor(pool, 9 + (settings >> 1U) % 7, false, 1 + (settings >> 4U) % 9, 8);
  Buffer message;
  Buffer back;
  compressor.compress(input, message);
  require(inflate_message(pool, message.bytes(), piece_bytes, false, back) == InflateStatus::Ok);
  require(as_text(back.bytes()) == as_text(input));
  return 0;
}
