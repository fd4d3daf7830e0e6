/// Builds client frames and walks over server frames. Never does I/O.
#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "load.hpp"

namespace load {

namespace {

// A fixed key keeps the run repeatable; a server unmasks it like any other. No byte of it is zero, so
// that an engine which skips unmasking for a zero key gains nothing.
constexpr std::uint8_t kMaskKey[4] = {0x37, 0xfa, 0x21, 0x3d};
constexpr std::size_t kCheckedBytes = 256;  // of every chunk; a memcmp that does not show in the profile
constexpr std::uint64_t kSampleEvery = 64;

class Noise {
 public:
  std::uint32_t next() {
    return static_cast<std::uint32_t>((state_ = state_ * 6364136223846793005u + 1442695040888963407u) >> 33);
  }

 private:
  std::uint64_t state_ = 6455;
};

bool inflates_to(Bytes compressed, Bytes expected) {
  static z_stream stream = [] {
    z_stream fresh{};
    if (inflateInit2(&fresh, -15) != Z_OK) fail("inflateInit2");
    return fresh;
  }();
  inflateReset(&stream);
  std::vector<std::uint8_t> input(compressed.begin(), compressed.end());
  input.insert(input.end(), {0x00, 0x00, 0xff, 0xff});  // RFC 7692 7.2.2: what the sender removed
  std::vector<std::uint8_t> output(expected.size() + 64);
  stream.next_in = input.data();
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = output.data();
  stream.avail_out = static_cast<uInt>(output.size());
  const int result = inflate(&stream, Z_SYNC_FLUSH);
  const std::size_t size = output.size() - stream.avail_out;
  return (result == Z_OK || result == Z_STREAM_END) && size == expected.size() &&
         std::memcmp(output.data(), expected.data(), size) == 0;
}

}  // namespace

std::vector<std::uint8_t> make_payload(std::size_t bytes, bool text) {
  Noise noise;
  std::vector<std::uint8_t> payload;
  payload.reserve(bytes + 64);
  const std::size_t fresh = std::min(bytes, kPayloadPeriod);
  while (payload.size() < fresh) {
    if (!text) {
      payload.push_back(static_cast<std::uint8_t>(noise.next()));
      continue;
    }
    const std::string record = "{\"id\":" + std::to_string(noise.next() % 1000000) +
                               ",\"price\":" + std::to_string(noise.next() % 10000) + ",\"side\":\"" +
                               (noise.next() % 2 != 0 ? "buy" : "sell") + "\"}\n";
    payload.insert(payload.end(), record.begin(), record.end());
  }
  payload.erase(payload.begin() + static_cast<std::ptrdiff_t>(fresh), payload.end());
  while (payload.size() < bytes) payload.push_back(payload[payload.size() - kPayloadPeriod]);
  return payload;
}

std::vector<std::uint8_t> make_frame(std::uint8_t opcode, Bytes payload, bool compressed) {
  std::vector<std::uint8_t> frame;
  frame.reserve(payload.size() + 14);
  frame.push_back(static_cast<std::uint8_t>(0x80u | (compressed ? 0x40u : 0u) | opcode));
  // RFC 6455 5.2: 7, 16 or 64 bits of length, the shortest that fits; clients set the mask bit.
  const std::uint64_t size = payload.size();
  int length_bytes = 0;
  if (size < 126) {
    frame.push_back(static_cast<std::uint8_t>(0x80u | size));
  } else {
    length_bytes = size < 65536 ? 2 : 8;
    frame.push_back(static_cast<std::uint8_t>(0x80u | (length_bytes == 2 ? 126u : 127u)));
  }
  for (int i = length_bytes - 1; i >= 0; --i) frame.push_back(static_cast<std::uint8_t>(size >> (8 * i)));
  frame.insert(frame.end(), std::begin(kMaskKey), std::end(kMaskKey));
  for (std::size_t i = 0; i < payload.size(); ++i) {
    frame.push_back(static_cast<std::uint8_t>(payload[i] ^ kMaskKey[i & 3]));
  }
  return frame;
}

std::vector<std::uint8_t> deflate_payload(Bytes payload) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    fail("deflateInit2");
  }
  std::vector<std::uint8_t> input(payload.begin(), payload.end());
  std::vector<std::uint8_t> output(deflateBound(&stream, static_cast<uLong>(input.size())) + 16);
  stream.next_in = input.data();
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = output.data();
  stream.avail_out = static_cast<uInt>(output.size());
  deflate(&stream, Z_SYNC_FLUSH);
  output.erase(output.end() - static_cast<std::ptrdiff_t>(stream.avail_out) - 4, output.end());
  deflateEnd(&stream);
  return output;
}

void ReplyReader::consume(Bytes input, const Expected& expected, Totals& totals) {
  while (!closed_) {
    if (!in_frame_) {
      if (input.empty()) return;
      input = input.subspan(take_header(input, expected, totals));
      if (!in_frame_) return;  // the header goes on in the next read
    }
    const std::size_t taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
    if (taken > 0) {
      take_payload(input.first(taken), expected, totals);
      input = input.subspan(taken);
      left_ -= taken;
    }
    if (left_ > 0) return;
    end_frame(expected, totals);
  }
}

std::size_t ReplyReader::take_header(Bytes input, const Expected& expected, Totals& totals) {
  std::size_t taken = 0;
  std::size_t wanted = 2;
  while (true) {
    while (header_bytes_ < wanted && taken < input.size()) header_[header_bytes_++] = input[taken++];
    if (header_bytes_ < wanted) return taken;
    if (wanted > 2 || (header_[1] & 0x7f) < 126) break;
    wanted = header_[1] == 126 ? 4 : 10;
  }
  if ((header_[1] & 0x80) != 0) fail("the server masked a frame");
  std::uint64_t length = header_[1];
  if (wanted > 2) {
    length = 0;
    for (std::size_t i = 2; i < wanted; ++i) length = length << 8 | header_[i];
  }
  begin_frame(length, expected, totals);
  return taken;
}

void ReplyReader::begin_frame(std::uint64_t length, const Expected& expected, Totals& totals) {
  const std::uint8_t opcode = header_[0] & 0x0f;
  in_frame_ = true;
  left_ = length;
  is_control_ = (opcode & 0x08) != 0;
  if (is_control_) {
    if (opcode == 9) kept_.clear();
    return;
  }
  if ((opcode == 0) != in_message_ || (opcode != 0 && opcode != expected.opcode)) {
    fail("unexpected opcode " + std::to_string(opcode) + " in a reply");
  }
  if (in_message_) return;
  in_message_ = true;
  position_ = 0;
  compressed_ = (header_[0] & 0x40) != 0;
  if (compressed_ && !expected.deflate) fail("a reply has RSV1 without an extension");
  sampled_ = totals.messages % kSampleEvery == 0;
  kept_.clear();
}

void ReplyReader::take_payload(Bytes chunk, const Expected& expected, Totals& totals) {
  if (is_control_) {
    if ((header_[0] & 0x0f) == 9) kept_.insert(kept_.end(), chunk.begin(), chunk.end());
    return;
  }
  totals.payload_bytes += chunk.size();
  if (compressed_) {
    if (sampled_) kept_.insert(kept_.end(), chunk.begin(), chunk.end());
    return;
  }
  if (position_ + chunk.size() > expected.payload.size()) fail("a reply is too long");
  const std::size_t checked = sampled_ ? chunk.size() : std::min(chunk.size(), kCheckedBytes);
  if (std::memcmp(chunk.data(), expected.payload.data() + position_, checked) != 0) {
    fail("a reply's payload differs from what was sent");
  }
  position_ += chunk.size();
}

void ReplyReader::end_frame(const Expected& expected, Totals& totals) {
  in_frame_ = false;
  header_bytes_ = 0;
  if (is_control_) {
    ++totals.control_frames;
    closed_ = (header_[0] & 0x0f) == 8;
    pinged_ = pinged_ || (header_[0] & 0x0f) == 9;
    return;
  }
  if ((header_[0] & 0x80) == 0) return;  // more fragments follow
  in_message_ = false;
  if (compressed_) {
    ++totals.compressed;
    if (sampled_ && !inflates_to(kept_, expected.payload)) fail("a reply does not inflate to what was sent");
  } else if (position_ != expected.payload.size()) {
    fail("a reply is too short");
  }
  ++totals.messages;
}

bool ReplyReader::take_ping(std::vector<std::uint8_t>& payload) {
  if (!pinged_) return false;
  pinged_ = false;
  payload = kept_;
  return true;
}

}  // namespace load
