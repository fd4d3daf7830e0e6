/// Frame headers, masks and Close payloads: what parses is written back exactly, and cuts change nothing.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "sinnet/ws/close.hpp"
#include "sinnet/ws/frame.hpp"

namespace {

using namespace sinnet;
using namespace sinnet::ws;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_header(Bytes input, FrameHeader& header, FrameHeaderResult& result) {
  result = parse_frame_header(input, header);
  for (std::size_t size = 0; size < input.size() && size < frame_header_bytes_max; ++size) {
    FrameHeader early;
    const FrameHeaderResult answer = parse_frame_header(input.first(size), early);
    require(answer.status == FrameHeaderStatus::NeedMore || answer.status == result.status);
  }
  if (result.status != FrameHeaderStatus::Done) return;
  std::array<std::byte, frame_header_bytes_max> out{};
  require(write_frame_header(header, out) == result.header_bytes);
  for (std::size_t i = 0; i < result.header_bytes; ++i) require(out[i] == input[i]);
}

void check_mask(Bytes payload, MaskKey key) {
  std::vector<std::byte> whole(payload.begin(), payload.end());
  apply_mask(whole, key);
  std::vector<std::byte> pieces(payload.size());
  const std::size_t cut =
      payload.empty() ? 0 : std::to_integer<std::size_t>(payload.front()) % payload.size();
  copy_masked(MutableBytes{pieces}.first(cut), payload.first(cut), key);
  copy_masked(MutableBytes{pieces}.subspan(cut), payload.subspan(cut), key, cut);
  require(whole == pieces);
  for (std::size_t i = 0; i < whole.size(); ++i) require((whole[i] ^ key[i % 4]) == payload[i]);
}

void check_close(Bytes payload) {
  ClosePayloadError error{};
  const auto parsed = parse_close_payload(payload, error);
  if (!parsed || payload.size() > control_payload_bytes_max) return;
  std::array<std::byte, 125> out{};
  require(write_close_payload(parsed->code, parsed->reason, out) == payload.size());
  for (std::size_t i = 0; i < payload.size(); ++i) require(out[i] == payload[i]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input{reinterpret_cast<const std::byte*>(data), size};
  FrameHeader header;
  FrameHeaderResult result;
  check_header(input, header, result);
  const Bytes payload = input.subspan(result.header_bytes);
  check_mask(payload, header.mask_key);
  check_close(payload);
  return 0;
}
