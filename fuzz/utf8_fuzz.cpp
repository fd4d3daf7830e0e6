/// UTF-8 whole, byte by byte and in two pieces: one verdict, given at the first bad byte.
#include <cstdint>
#include <cstdlib>

#include "sinnet/ws/utf8.hpp"

namespace {

using sinnet::Bytes;
using sinnet::ws::Utf8Validator;

void require(bool holds) {
  if (!holds) std::abort();
}

/// How many bytes are taken one by one before the refusal.
std::size_t good_bytes(Bytes text, bool& complete) {
  Utf8Validator validator;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!validator.receive(text.subspan(i, 1))) return i;
  }
  complete = validator.is_complete();
  return text.size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes text{reinterpret_cast<const std::byte*>(data), size};
  bool complete = false;
  const std::size_t good = good_bytes(text, complete);
  require(sinnet::ws::is_utf8(text) == (good == size && complete));
  for (std::size_t cut = 0; cut <= size && cut <= 200; ++cut) {
    Utf8Validator validator;
    require(validator.receive(text.first(cut)) == (cut <= good));
    if (cut > good) continue;
    require(validator.receive(text.subspan(cut)) == (good == size));
    if (good == size) require(validator.is_complete() == complete);
  }
  return 0;
}
