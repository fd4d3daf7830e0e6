/// Any bytes as the beginning of a connection with a PROXY header: whole and in pieces give the same. The
/// first byte says how long the pieces are.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "endpoint/proxy_protocol.hpp"

namespace {

using namespace sinnet;  // NOLINT(google-build-using-namespace): one small program

void require(bool holds) {
  if (!holds) std::abort();
}

std::size_t feed(endpoint::ProxyParser& parser, Bytes input, std::size_t piece_bytes) {
  std::size_t taken = 0;
  while (taken < input.size() && !parser.is_done() && !parser.has_failed()) {
    const Bytes piece = input.subspan(taken, std::min(piece_bytes, input.size() - taken));
    const std::size_t count = parser.receive(piece);
    require(count <= piece.size());
    taken += count;
  }
  return taken;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes input = std::as_bytes(std::span(data, size)).subspan(1);
  endpoint::ProxyParser whole;
  endpoint::ProxyParser pieces;
  const std::size_t taken = feed(whole, input, input.size());
  require(feed(pieces, input, std::max<std::size_t>(data[0], 1)) == taken);
  require(whole.state() == pieces.state() && whole.fault() == pieces.fault());
  if (whole.is_done()) require(whole.header() == pieces.header());
  require(taken <= 16 + endpoint::proxy_v2_length_max);
  return 0;
}
