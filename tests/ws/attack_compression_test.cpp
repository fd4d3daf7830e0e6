/// Attacks on compression below the socket (docs/attacks.md, C): where inflating may write, which zlib it is,
/// and that a secret can stay out of the compressor. Whether bombs are stopped is compressor_test.cpp's.

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <vector>

#include "support/bytes.hpp"
#include "ws/compressor.hpp"
#include "ws/connection_rig.hpp"

namespace sinnet::ws {
namespace {

using test::bytes;
using test::hex;

constexpr std::byte untouched{0xA5};

/// Inflates `message` into a buffer that has `room` bytes, of which only the first `limit` are permitted, and
/// answers the status. Fails when a byte beyond the limit was written: no sanitizer is needed to see that.
InflateStatus inflate_with_canary(Bytes message, std::size_t limit, std::size_t room) {
  Buffer out = Buffer::allocate(room);
  std::ranges::fill(out.mutable_bytes(), untouched);
  out.resize(0);
  CompressionPool pool;
  Decompressor decompressor(pool, 15, false);
  const InflateStatus status = decompressor.decompress(message, true, out, limit);
  EXPECT_LE(out.size(), limit);
  EXPECT_EQ(out.capacity(), room) << "there was room enough";
  out.resize(room);
  const Bytes beyond = out.bytes().subspan(limit);
  EXPECT_TRUE(std::ranges::all_of(beyond, [](std::byte b) { return b == untouched; })) << "limit " << limit;
  return status;
}

TEST(AttackCompression, Attack46InflatingNeverWritesBehindItsLimit) {
  // A stored block (RFC 1951 3.2.4) of 300 'x', and what ends a message. The 00 00 ff ff that the receiver
  // appends is input of its own: it never needs room behind the message or behind its inflation.
  std::vector<std::byte> message = bytes("00 2c01 d3fe");
  message.insert(message.end(), 300, std::byte{'x'});
  message.push_back(std::byte{0});
  for (std::size_t limit = 0; limit <= 310; ++limit) {
    EXPECT_EQ(inflate_with_canary(message, limit, 320),
              limit < 300 ? InflateStatus::TooBig : InflateStatus::Ok)
        << limit;
  }
}

TEST(AttackCompression, Attack46MessageThatFillsItsBufferExactlyIsWhole) {
  // Around every size at which the buffer grows: one byte less, exactly full, one byte more.
  CompressionPool pool;
  Compressor compressor(pool, 15, false, 1, 8);
  for (const std::size_t full : {256U, 512U, 1024U, 65'536U, 131'072U}) {
    for (std::size_t size = full - 2; size <= full + 2; ++size) {
      const std::string text(size, 'x');
      Buffer message;
      compressor.compress(as_bytes(text), message);
      // An exact block, so that a sanitizer sees a tail that is appended to it.
      const std::vector<std::byte> own(message.bytes().begin(), message.bytes().end());
      Decompressor decompressor(pool, 15, false);
      Buffer out;
      EXPECT_EQ(decompressor.decompress(own, true, out, size), InflateStatus::Ok) << size;
      EXPECT_EQ(as_text(out.bytes()), text) << size;
      EXPECT_LE(out.capacity(), size) << "never more room than the limit";
    }
  }
}

/// "1.2.13.1" as {1, 2, 13, 1}.
std::array<int, 4> version_numbers(std::string_view text) {
  std::array<int, 4> numbers{};
  for (int& number : numbers) {
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{}) break;
    text.remove_prefix(std::min(text.size(), static_cast<std::size_t>(stopped - text.data()) + 1));
  }
  return numbers;
}

TEST(AttackCompression, Attack50ZlibInUseIsNotOneWithKnownHoles) {
  // The library that is loaded, not the header: it is the system's and may be older than what we compiled
  // with. CVE-2018-25032 (deflate writes behind its buffer) is gone in 1.2.12, CVE-2022-37434 (inflate)
  // in 1.2.13.
  const std::string_view loaded = zlibVersion();
  EXPECT_GE(version_numbers(loaded), (std::array{1, 2, 13, 0})) << loaded;
  EXPECT_LT(version_numbers("1.2.9"), version_numbers("1.2.13"));
  EXPECT_GT(version_numbers("1.3"), version_numbers("1.2.13.1"));
}

/// A connection that compresses everything and keeps its window: the worst one for secrets.
Rig keeping_window() {
  Options options;
  options.deflate = {.enabled = true, .context_takeover = true, .threshold_bytes = 0};
  return Rig(Role::Server, options, DeflateParameters{});
}

/// Bytes on the wire of a message that an attacker chose, on a connection that has sent `secret` before.
std::size_t guess_bytes(std::string_view secret, bool compress_secret, std::string_view guess) {
  Rig rig = keeping_window();
  EXPECT_TRUE(rig.machine.send(MessageKind::Text, as_bytes(secret), rig.now, compress_secret));
  (void)rig.take();
  EXPECT_TRUE(rig.machine.send(MessageKind::Text, as_bytes(guess), rig.now));
  return rig.take().size() / 2;
}

constexpr std::string_view secret = "token=8f1b6d0c5e7a49b2";
constexpr std::string_view other_guess = "token=0a2c4e6f8b1d3f57";

TEST(AttackCompression, Attack52SecretSentUncompressedTellsAGuessNothing) {
  // CRIME, BREACH: what the peer sees shrink tells it that it guessed right. First that the danger is real …
  EXPECT_LT(guess_bytes(secret, true, secret) + 8, guess_bytes(secret, true, other_guess));
  // … then that it is gone for a message that opted out.
  EXPECT_EQ(guess_bytes(secret, false, secret), guess_bytes("", false, secret));
  EXPECT_EQ(guess_bytes(secret, false, other_guess), guess_bytes("", false, other_guess));
}

TEST(AttackCompression, Attack52MessageThatOptsOutGoesPlainAmongCompressedOnes) {
  const std::string plain = "8116" + hex(as_bytes(secret));  // FIN, text, 22 bytes, no RSV1
  Rig rig = keeping_window();
  EXPECT_TRUE(rig.machine.send(MessageKind::Text, as_bytes("Hello"), rig.now));
  EXPECT_EQ(rig.take(), "c107f248cdc9c90700");  // RFC 7692 7.2.3.1
  EXPECT_TRUE(rig.machine.send(MessageKind::Text, as_bytes(secret), rig.now, false));
  EXPECT_EQ(rig.take(), plain);
  EXPECT_TRUE(rig.machine.send(MessageKind::Text, Buffer::copy_of(as_bytes(secret)), rig.now, false));
  EXPECT_EQ(rig.take(), plain);
  EXPECT_TRUE(rig.machine.send_piece(MessageKind::Text, as_bytes(secret), true, true, rig.now));
  EXPECT_EQ(rig.take(), plain);
  EXPECT_TRUE(rig.machine.send(MessageKind::Text, as_bytes("Hello"), rig.now));
  EXPECT_EQ(rig.take(), "c105f200110000") << "RFC 7692 7.2.3.2: the window is as the first message left it";
}

TEST(AttackCompression, Attack52WindowsAreNotKeptUnlessAskedFor) {
  EXPECT_FALSE(DeflateOptions{}.context_takeover);
  EXPECT_FALSE(DeflateOptions{}.enabled);
}

}  // namespace
}  // namespace sinnet::ws
