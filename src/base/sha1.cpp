/// SHA-1 by RFC 3174 6.1, in its plainest form: one short message per connection does not pay for more.

#include "base/sha1.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

namespace sinnet {
namespace {

constexpr std::size_t block_bytes = 64;
using State = std::array<std::uint32_t, 5>;
using Block = std::span<const std::byte, block_bytes>;

void digest_block(State& state, Block block) noexcept {
  std::array<std::uint32_t, 80> words;
  for (std::size_t t = 0; t < 16; ++t) {
    words[t] = std::to_integer<std::uint32_t>(block[t * 4]) << 24U |
               std::to_integer<std::uint32_t>(block[t * 4 + 1]) << 16U |
               std::to_integer<std::uint32_t>(block[t * 4 + 2]) << 8U |
               std::to_integer<std::uint32_t>(block[t * 4 + 3]);
  }
  for (std::size_t t = 16; t < 80; ++t) {
    words[t] = std::rotl(words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16], 1);
  }
  auto [a, b, c, d, e] = state;
  for (std::size_t t = 0; t < 80; ++t) {
    std::uint32_t mix = 0;
    std::uint32_t constant = 0;
    if (t < 20) {
      mix = (b & c) | (~b & d);
      constant = 0x5A827999;
    } else if (t < 40) {
      mix = b ^ c ^ d;
      constant = 0x6ED9EBA1;
    } else if (t < 60) {
      mix = (b & c) | (b & d) | (c & d);
      constant = 0x8F1BBCDC;
    } else {
      mix = b ^ c ^ d;
      constant = 0xCA62C1D6;
    }
    const std::uint32_t next = std::rotl(a, 5) + mix + e + words[t] + constant;
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d, state[4] + e};
}

}  // namespace

std::array<std::byte, 20> sha1(Bytes message) noexcept {
  State state{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  Bytes rest = message;
  while (rest.size() >= block_bytes) {
    digest_block(state, rest.first<block_bytes>());
    rest = rest.subspan(block_bytes);
  }

  // RFC 3174 4: a one bit, zeros, and the length in bits as 64 bits, filling one block or two.
  std::array<std::byte, 2 * block_bytes> tail{};
  if (!rest.empty()) std::memcpy(tail.data(), rest.data(), rest.size());
  tail[rest.size()] = std::byte{0x80};
  const std::size_t tail_bytes = rest.size() + 9 <= block_bytes ? block_bytes : 2 * block_bytes;
  const std::uint64_t message_bits = std::uint64_t{message.size()} * 8;
  for (std::size_t i = 0; i < 8; ++i) {
    tail[tail_bytes - 1 - i] = static_cast<std::byte>(message_bits >> (8 * i));
  }
  const std::span<const std::byte> blocks{tail.data(), tail_bytes};
  digest_block(state, blocks.first<block_bytes>());
  if (tail_bytes > block_bytes) digest_block(state, blocks.last<block_bytes>());

  std::array<std::byte, 20> digest;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    digest[i] = static_cast<std::byte>(state[i / 4] >> (24 - 8 * (i % 4)));
  }
  return digest;
}

}  // namespace sinnet
