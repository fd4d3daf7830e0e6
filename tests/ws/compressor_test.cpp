/// permessage-deflate below the frames: the examples of RFC 7692 7.2.3, captures, and attacks 44-53 as far as
/// they apply here. Hostile streams are written bit by bit after RFC 1951, not by zlib.
#include "ws/compressor.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "support/bytes.hpp"

namespace sinnet::ws {
namespace {

using test::bytes;
using test::hex;

constexpr std::size_t no_limit = std::size_t{1} << 30U;

std::vector<std::byte> byte_rule(std::size_t size) {
  std::vector<std::byte> out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::byte>(i % 251);
  return out;
}

/// Writes a raw deflate stream (RFC 1951 3.2), with fixed Huffman codes and stored blocks.
class DeflateWriter {
 public:
  DeflateWriter& begin_fixed(bool final = false) {
    put(final ? 1 : 0, 1);
    put(1, 2);
    return *this;
  }
  DeflateWriter& literal(unsigned value) {
    if (value < 144)
      put_code(0x30 + value, 8);
    else
      put_code(0x190 + value - 144, 9);
    return *this;
  }
  DeflateWriter& text(std::string_view text) {
    for (const char c : text) literal(static_cast<unsigned char>(c));
    return *this;
  }
  /// Length 3 or 258, at any distance.
  DeflateWriter& match(unsigned length, unsigned distance) {
    if (length == 3)
      put_code(257 - 256, 7);
    else
      put_code(0xC0 + 285 - 280, 8);
    unsigned code = 0;
    unsigned base = 1;
    unsigned extra = 0;
    while (distance >= base + (1U << extra)) {
      base += 1U << extra;
      ++code;
      extra = code < 4 ? 0 : code / 2 - 1;
    }
    put_code(code, 5);
    put(distance - base, extra);
    return *this;
  }
  DeflateWriter& end_block() {
    put_code(0, 7);
    return *this;
  }
  DeflateWriter& stored(Bytes content, bool final = false) {
    put(final ? 1 : 0, 3);
    align();
    put(static_cast<unsigned>(content.size()), 16);
    put(~static_cast<unsigned>(content.size()) & 0xFFFFU, 16);
    for (const std::byte b : content) put(std::to_integer<unsigned>(b), 8);
    return *this;
  }
  DeflateWriter& align() {
    while (used_ != 0) put(0, 1);
    return *this;
  }
  /// The message as it is sent: an empty stored block begins, its 00 00 FF FF is left out (RFC 7692 7.2.1).
  std::vector<std::byte> message() {
    put(0, 3);
    align();
    return take();
  }
  std::vector<std::byte> take() {
    align();
    return std::exchange(out_, {});
  }

 private:
  void put(unsigned value, unsigned bits) {
    for (unsigned i = 0; i < bits; ++i) {
      if (used_ == 0) out_.push_back(std::byte{0});
      if ((value >> i & 1U) != 0) out_.back() |= static_cast<std::byte>(1U << used_);
      used_ = (used_ + 1) % 8;
    }
  }
  void put_code(unsigned code, unsigned bits) {  // RFC 1951 3.1.1: Huffman codes start with their highest bit
    for (unsigned i = bits; i-- != 0;) put(code >> i & 1U, 1);
  }

  std::vector<std::byte> out_;
  unsigned used_ = 0;
};

struct Inflated {
  InflateStatus status = InflateStatus::Ok;
  std::string text;
};

Inflated inflate_message(Decompressor& decompressor, Bytes message, std::size_t limit = no_limit,
                         std::size_t piece_bytes = std::numeric_limits<std::size_t>::max()) {
  Buffer out;
  Inflated result;
  do {
    // A copy of exactly this size, so that the sanitizer sees a read or write behind it (attack 46).
    const Bytes piece = message.first(std::min(piece_bytes, message.size()));
    const std::vector<std::byte> own(piece.begin(), piece.end());
    message = message.subspan(piece.size());
    result.status = decompressor.decompress(own, message.empty(), out, limit);
    EXPECT_LE(out.size(), limit);
  } while (result.status == InflateStatus::Ok && !message.empty());
  result.text = as_text(out.bytes());
  return result;
}

Inflated inflate_once(Bytes message, std::size_t limit = no_limit,
                      std::size_t piece_bytes = std::numeric_limits<std::size_t>::max()) {
  CompressionPool pool;
  Decompressor decompressor(pool, 15, false);
  return inflate_message(decompressor, message, limit, piece_bytes);
}

void expect_inflates(Bytes message, std::string_view expected) {
  for (const std::size_t piece_bytes :
       {std::numeric_limits<std::size_t>::max(), std::size_t{1}, std::size_t{3}}) {
    const Inflated result = inflate_once(message, no_limit, piece_bytes);
    EXPECT_EQ(result.status, InflateStatus::Ok) << hex(message);
    EXPECT_EQ(result.text, expected) << hex(message);
  }
}

void expect_corrupt(Bytes message) {
  for (const std::size_t piece_bytes :
       {std::numeric_limits<std::size_t>::max(), std::size_t{1}, std::size_t{3}}) {
    EXPECT_EQ(inflate_once(message, no_limit, piece_bytes).status, InflateStatus::Corrupt) << hex(message);
  }
}

std::vector<std::byte> deflate_once(Compressor& compressor, Bytes message) {
  Buffer out;
  compressor.compress(message, out);
  return {out.bytes().begin(), out.bytes().end()};
}

TEST(DecompressorTest, ExamplesOfRfc7692Inflate) {
  expect_inflates(bytes("f248cdc9c90700"), "Hello");              // 7.2.3.1
  expect_inflates(bytes("000500faff48656c6c6f00"), "Hello");      // 7.2.3.3, stored
  expect_inflates(bytes("f348cdc9c9070000"), "Hello");            // 7.2.3.4, BFINAL
  expect_inflates(bytes("f24805000000ffffcac9c90700"), "Hello");  // 7.2.3.5, two blocks
  expect_inflates(bytes("00"), "");                               // 7.2.3.6
}

TEST(DecompressorTest, SecondExampleOfRfc7692NeedsTheWindow) {  // 7.2.3.2
  CompressionPool pool;
  Decompressor decompressor(pool, 15, true);
  EXPECT_EQ(inflate_message(decompressor, bytes("f248cdc9c90700")).text, "Hello");
  EXPECT_EQ(inflate_message(decompressor, bytes("f200110000")).text, "Hello");
  expect_corrupt(bytes("f200110000"));
}

// Captured from npm ws 8.23.0 and python3-websockets 10.4, both with context takeover.
TEST(DecompressorTest, CapturedDialogueWithTakeoverInflates) {
  // 00 01 02 … 250 and around again, 300 bytes; no text repeats before byte 251.
  const auto binary = bytes(
      "6260646266616563e7e0e4e2e6e1e5e3171014121611151397909492969195935750545256515553d7d0d4d2d6d1d5d3373034"
      "3236313533"
      "b7b0b4b2b6b1b5b37770747276717573f7f0f4f2f6f1f5f30f080c0a0e090d0b8f888c8a8e898d8b4f484c4a4e494d4bcfc8cc"
      "cacec9cdcb"
      "2f282c2a2e292d2bafa8acaaaea9adab6f686c6a6e696d6befe8eceaeee9edeb9f3071d2e42953a74d9f3173d6ec3973e7cd5f"
      "b070d1e225"
      "4b972d5fb172d5ea356bd7addfb071d3e62d5bb76ddfb173d7ee3d7bf7ed3f70f0d0e123478f1d3f71f2d4e93367cf9dbf70f1"
      "d2e52b57af"
      "5dbf71f3d6ed3b77efdd7ff0f0d1e3274f9f3d7ff1f2d5eb376fdfbdfff0f1d3e72f5fbf7dfff1f317c95e0700");
  const auto binary_plain = byte_rule(300);
  CompressionPool pool;
  for (const std::size_t piece_bytes : {std::size_t{1} << 20U, std::size_t{1}, std::size_t{7}}) {
    Decompressor npm(pool, 15, true);
    const auto next = [&npm, piece_bytes](Bytes message) {
      return inflate_message(npm, message, no_limit, piece_bytes).text;
    };
    EXPECT_EQ(next(bytes("f248cdc9c957f040900000")), "Hello Hello Hello");
    EXPECT_EQ(next(bytes("f240170000")), "Hello Hello Hello");
    EXPECT_EQ(next(binary), as_text(binary_plain));
    EXPECT_EQ(next(bytes("00")), "");
    EXPECT_EQ(next(bytes("82041b000000ffff 829000000000ffff 02930000")), "Hello Hello Hello");

    Decompressor python(pool, 15, true);
    EXPECT_EQ(inflate_message(python, bytes("f248cdc9c957f040900000")).text, "Hello Hello Hello");
    EXPECT_EQ(inflate_message(python, bytes("f240170000")).text, "Hello Hello Hello");
    EXPECT_EQ(inflate_message(python, bytes("823001000000ffff 829000000000ffff 029300000000ffff 00"),
                              no_limit, piece_bytes)
                  .text,
              "Hello Hello Hello");
    EXPECT_EQ(inflate_message(python, binary).text, as_text(binary_plain));
  }
}

TEST(DecompressorTest, CapturedMessagesWithoutTakeoverInflateAlone) {
  expect_inflates(bytes("f248cdc9c957f040900000"), "Hello Hello Hello");
  expect_inflates(bytes("f248cdc9c95700000000ffff f2009300000000ffff 02930000"), "Hello Hello Hello");  // npm
  expect_inflates(bytes("f248cdc9c95700000000ffff f2009300000000ffff 029300000000ffff 00"),
                  "Hello Hello Hello");
  expect_corrupt(bytes("ffffff"));  // npm's own probe for 1007
}

// ---- Attack 44: bombs

/// About `size` bytes of zeros, 258 for each 13 bits: the highest ratio fixed codes reach.
std::vector<std::byte> bomb(std::size_t size) {
  DeflateWriter writer;
  writer.begin_fixed().literal(0);
  for (std::size_t i = 0; i < size; i += 258) writer.match(258, 1);
  return writer.end_block().message();
}

TEST(DecompressorTest, Attack44BombIsStoppedAtTheLimitWithoutHoldingMore) {
  constexpr std::size_t limit = 1U << 20U;
  const auto message = bomb(64U << 20U);
  for (const std::size_t piece_bytes : {message.size(), std::size_t{2048}}) {
    CompressionPool pool;
    Decompressor decompressor(pool, 15, false);
    Buffer out;
    Bytes rest{message};
    InflateStatus status = InflateStatus::Ok;
    while (status == InflateStatus::Ok) {
      ASSERT_FALSE(rest.empty());
      const Bytes piece = rest.first(std::min(piece_bytes, rest.size()));
      rest = rest.subspan(piece.size());
      status = decompressor.decompress(piece, rest.empty(), out, limit);
      ASSERT_LE(out.capacity(), limit);
    }
    EXPECT_EQ(status, InflateStatus::TooBig);
  }
}

TEST(DecompressorTest, Attack44CapturedBombOfNpmWsIsTooBig) {
  const auto message = bytes("63601805a360148c02ca01");
  EXPECT_EQ(inflate_once(message, 1000).status, InflateStatus::TooBig);
  EXPECT_EQ(inflate_once(message, 1000, 1).status, InflateStatus::TooBig);
}

TEST(DecompressorTest, Attack44LimitCountsEachMessageAloneWithTakeover) {
  CompressionPool pool;
  Decompressor decompressor(pool, 15, true);
  const auto message = bomb(50000);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(inflate_message(decompressor, message, 60000).status, InflateStatus::Ok) << i;
  }
  EXPECT_EQ(inflate_message(decompressor, bomb(70000), 60000).status, InflateStatus::TooBig);
}

TEST(DecompressorTest, Attack45ExactLimitPassesAndOneByteMoreFails) {
  for (const std::size_t size : {1U, 2U, 255U, 256U, 257U, 1000U, 4096U, 65535U, 65536U, 70000U}) {
    CompressionPool pool;
    Compressor compressor(pool, 15, false, 6, 8);
    const auto plain = byte_rule(size);
    const auto message = deflate_once(compressor, plain);
    for (const std::size_t piece_bytes : {message.size(), std::size_t{1}, std::size_t{100}}) {
      const Inflated exact = inflate_once(message, size, piece_bytes);
      EXPECT_EQ(exact.status, InflateStatus::Ok) << size;
      EXPECT_EQ(exact.text, as_text(plain));
      EXPECT_EQ(inflate_once(message, size - 1, piece_bytes).status, InflateStatus::TooBig) << size;
    }
  }
  EXPECT_EQ(inflate_once(bytes("00"), 0).status, InflateStatus::Ok);
}

TEST(DecompressorTest, LimitCountsWhatTheBufferHeldBefore) {
  CompressionPool pool;
  Decompressor decompressor(pool, 15, false);
  Buffer out = Buffer::copy_of(as_bytes("12345"));
  EXPECT_EQ(decompressor.decompress(bytes("f248cdc9c90700"), true, out, 10), InflateStatus::Ok);
  EXPECT_EQ(as_text(out.bytes()), "12345Hello");
  EXPECT_EQ(decompressor.decompress(bytes("f248cdc9c90700"), true, out, 14), InflateStatus::TooBig);
}

// ---- Attack 47: the odd ends of deflate

TEST(DecompressorTest, Attack47OddButLegalStreamsInflate) {
  expect_inflates(bytes("0200"), "");
  expect_inflates(DeflateWriter().stored(byte_rule(65535)).message(), as_text(byte_rule(65535)));
  // Two finished streams in one message: the second refers to the first one's text.
  DeflateWriter writer;
  writer.begin_fixed(true).text("abc").end_block().align();
  writer.begin_fixed(true).match(3, 3).end_block().align();
  expect_inflates(writer.begin_fixed().text("!").end_block().message(), "abcabc!");
  // A stored block with BFINAL, then an open one.
  DeflateWriter stored;
  expect_inflates(
      stored.stored(test::text_bytes("xyz"), true).begin_fixed().match(3, 3).end_block().message(), "xyzxyz");
}

TEST(DecompressorTest, Attack47MessageEndingWithItsFinalBlockIsAcceptedAndTheNextOneWorks) {
  CompressionPool pool;
  Decompressor decompressor(pool, 15, true);
  const auto finished = DeflateWriter().begin_fixed(true).text("abc").end_block().take();
  EXPECT_EQ(inflate_message(decompressor, finished).text, "abc");
  const auto next = DeflateWriter().begin_fixed().match(3, 3).end_block().message();
  const Inflated result = inflate_message(decompressor, next);
  EXPECT_EQ(result.status, InflateStatus::Ok);
  EXPECT_EQ(result.text, "abc");
}

TEST(DecompressorTest, Attack47MessageWithoutAnyByteIsEmptyAndChangesNothing) {
  CompressionPool pool;
  Decompressor decompressor(pool, 15, true);
  EXPECT_EQ(inflate_message(decompressor, {}).status, InflateStatus::Ok);
  EXPECT_EQ(pool.states_alive(), 0U);
  EXPECT_EQ(inflate_message(decompressor, bytes("f248cdc9c90700")).text, "Hello");
  EXPECT_EQ(inflate_message(decompressor, {}).text, "");
  EXPECT_EQ(inflate_message(decompressor, bytes("f200110000")).text, "Hello");
}

TEST(DecompressorTest, Attack47BrokenStreamsAreCorrupt) {
  expect_corrupt(bytes("06"));                      // block type 3
  expect_corrupt(bytes("000500ffff48656c6c6f00"));  // stored length and its complement disagree
  expect_corrupt(bytes("f348cdc9c90700ff"));        // garbage behind the final block
  expect_corrupt(bytes("f348cdc9c90700 06"));
  expect_corrupt(bytes("edfdffffffffffffffff00"));  // dynamic block with an impossible code
}

// A cut between two blocks is a legal end; inside fixed codes it cannot be.
TEST(DecompressorTest, Attack47MessageCutInsideABlockIsCorrupt) {
  const auto whole = bytes("f248cdc9c90700");
  for (std::size_t size = 1; size < whole.size(); ++size) {
    EXPECT_EQ(inflate_once(Bytes{whole}.first(size)).status, InflateStatus::Corrupt) << size;
  }
}

// ---- Attack 49: references to what must be forgotten

TEST(DecompressorTest, Attack49ReferenceBeforeTheMessageIsCorruptWithoutTakeover) {
  CompressionPool pool;
  Decompressor decompressor(pool, 15, false);
  const auto first = DeflateWriter().begin_fixed().text("secret").end_block().message();
  const auto second = DeflateWriter().begin_fixed().match(3, 3).end_block().message();
  EXPECT_EQ(inflate_message(decompressor, first).text, "secret");
  const Inflated result = inflate_message(decompressor, second);
  EXPECT_EQ(result.status, InflateStatus::Corrupt);
  EXPECT_EQ(result.text, "");
}

TEST(DecompressorTest, Attack49PooledStateForgetsTheConnectionBefore) {
  CompressionPool pool;
  {
    Decompressor victim(pool, 15, true);
    EXPECT_EQ(
        inflate_message(victim, DeflateWriter().begin_fixed().text("secret").end_block().message()).text,
        "secret");
  }
  EXPECT_EQ(pool.states_alive(), 1U);
  Decompressor thief(pool, 15, true);
  const Inflated result =
      inflate_message(thief, DeflateWriter().begin_fixed().match(3, 6).end_block().message());
  EXPECT_EQ(result.status, InflateStatus::Corrupt);
  EXPECT_EQ(result.text, "");
}

TEST(DecompressorTest, Attack49ReferenceBeyondTheWindowIsCorruptAndAtItsEdgeIsNot) {
  for (unsigned bits = 9; bits <= 14; ++bits) {
    const unsigned window = 1U << bits;
    for (const bool beyond : {false, true}) {
      CompressionPool pool;
      Decompressor decompressor(pool, bits, true);
      const std::string plain(window + 100, 'x');
      ASSERT_EQ(
          inflate_message(decompressor, DeflateWriter().begin_fixed().text(plain).end_block().message()).text,
          plain);
      const auto message =
          DeflateWriter().begin_fixed().match(3, window + (beyond ? 1 : 0)).end_block().message();
      const Inflated result = inflate_message(decompressor, message);
      EXPECT_EQ(result.status, beyond ? InflateStatus::Corrupt : InflateStatus::Ok) << bits;
    }
  }
}

TEST(DecompressorTest, ReferenceAcrossAFullWindowInflatesHoweverTheMessageWasCut) {
  const auto head = byte_rule(32768);
  const auto message = DeflateWriter().stored(head).begin_fixed().match(258, 32768).end_block().message();
  const std::string expected = std::string(as_text(head)) + std::string(as_text(Bytes{head}.first(258)));
  for (const std::size_t piece_bytes : {message.size(), std::size_t{1000}, std::size_t{1}}) {
    EXPECT_EQ(inflate_once(message, no_limit, piece_bytes).text, expected);
  }
}

TEST(DecompressorTest, Attack53ManyTinyBlocksInflateInStepWithTheirInput) {
  DeflateWriter writer;
  std::string expected;
  for (int i = 0; i < 100000; ++i) {
    writer.begin_fixed(i % 3 == 0).literal('a').end_block();
    if (i % 3 == 0) writer.align();
    expected += 'a';
  }
  const auto message = writer.message();
  EXPECT_EQ(inflate_once(message).text, expected);
  EXPECT_EQ(inflate_once(message, no_limit, 1).text, expected);
}

// ---- Attack 51: what idle connections hold

TEST(CompressionPoolTest, Attack51IdleConnectionsWithoutTakeoverHoldNoState) {
  CompressionPool pool(2);
  std::vector<Decompressor> decompressors;
  std::vector<Compressor> compressors;
  for (int i = 0; i < 100; ++i) {
    decompressors.emplace_back(pool, 15U, false);
    compressors.emplace_back(pool, 15U, false, 1U, 8U);
    EXPECT_EQ(inflate_message(decompressors.back(), bytes("f248cdc9c90700")).text, "Hello");
    (void)deflate_once(compressors.back(), as_bytes("Hello"));
  }
  EXPECT_EQ(pool.states_alive(), 2U);  // one of each kind, spare
}

TEST(CompressionPoolTest, SpareStatesAreBoundedAndTheUnusedKindGoesFirst) {
  CompressionPool pool(2);
  for (unsigned bits = 9; bits <= 15; ++bits) {
    Compressor compressor(pool, bits, false, 1, 8);
    (void)deflate_once(compressor, as_bytes("Hello"));
    EXPECT_LE(pool.states_alive(), 2U);
  }
}

TEST(CompressionPoolTest, OpenMessageHoldsAStateUntilItsEndOrItsFailure) {
  CompressionPool pool(0);
  Decompressor decompressor(pool, 15, false);
  Buffer out;
  EXPECT_EQ(decompressor.decompress(bytes("f248"), false, out, 100), InflateStatus::Ok);
  EXPECT_EQ(pool.states_alive(), 1U);
  EXPECT_EQ(decompressor.decompress(bytes("cdc9c90700"), true, out, 100), InflateStatus::Ok);
  EXPECT_EQ(pool.states_alive(), 0U);
  Decompressor broken(pool, 15, true);
  EXPECT_EQ(broken.decompress(bytes("06"), false, out, 100), InflateStatus::Corrupt);
  EXPECT_EQ(pool.states_alive(), 0U);
}

TEST(CompressionPoolTest, MovedCodecsTakeTheirStateAlong) {
  CompressionPool pool(0);
  Compressor compressor(pool, 15, true, 6, 8);
  Decompressor decompressor(pool, 15, true);
  EXPECT_EQ(inflate_message(decompressor, deflate_once(compressor, as_bytes("Hello Hello Hello"))).text,
            "Hello Hello Hello");
  Compressor moved_compressor(std::move(compressor));
  Decompressor moved_decompressor(std::move(decompressor));
  const auto second = deflate_once(moved_compressor, as_bytes("Hello Hello Hello"));
  EXPECT_LT(second.size(), 8U);  // only with the window of the first
  EXPECT_EQ(inflate_message(moved_decompressor, second).text, "Hello Hello Hello");
  EXPECT_EQ(pool.states_alive(), 2U);
}

// ---- the compressor

TEST(CompressorTest, EmptyMessageIsOneZeroByteWhateverWasSentBefore) {
  CompressionPool pool;
  for (const bool takeover : {false, true}) {
    Compressor compressor(pool, 15, takeover, 1, 8);
    Decompressor decompressor(pool, 15, takeover);
    for (const std::string_view text : {"", "", "Hello", "", "Hello", "", ""}) {
      const auto message = deflate_once(compressor, as_bytes(text));
      if (text.empty()) {
        EXPECT_EQ(hex(message), "00");
      }
      EXPECT_EQ(inflate_message(decompressor, message).text, text);
    }
  }
}

TEST(CompressorTest, MessagesWithoutTakeoverComeOutAlike) {
  CompressionPool pool;
  Compressor compressor(pool, 12, false, 6, 8);
  const auto first = deflate_once(compressor, as_bytes("Hello Hello Hello"));
  EXPECT_EQ(deflate_once(compressor, as_bytes("Hello Hello Hello")), first);
}

TEST(CompressorTest, AppendsBehindWhatIsThere) {
  CompressionPool pool;
  Compressor compressor(pool, 15, false, 1, 8);
  Buffer out = Buffer::copy_of(as_bytes("head"));
  compressor.compress(as_bytes("Hello"), out);
  EXPECT_EQ(as_text(out.bytes().first(4)), "head");
  EXPECT_EQ(inflate_once(out.bytes().subspan(4)).text, "Hello");
}

TEST(CompressorTest, IncompressibleAndLargeMessagesSurviveWhereverTheRoomEnds) {
  std::string noise;
  std::uint32_t state = 1;
  while (noise.size() < 300000) {
    state = state * 1664525U + 1013904223U;
    noise += static_cast<char>(state >> 24U);
  }
  CompressionPool pool;
  for (unsigned bits = 9; bits <= 15; bits += 3) {
    Compressor compressor(pool, bits, true, 1, 8);
    Decompressor decompressor(pool, bits, true);
    // Around the first room of 512 bytes every end of a flush is met.
    for (std::size_t size = 480; size < 530; ++size) {
      const Bytes plain = as_bytes(noise).first(size);
      ASSERT_EQ(inflate_message(decompressor, deflate_once(compressor, plain)).text, as_text(plain)) << size;
    }
    const auto message = deflate_once(compressor, as_bytes(noise));
    ASSERT_EQ(inflate_message(decompressor, message, noise.size()).text, noise);
  }
}

TEST(CompressorTest, WhatIsDeflatedInflatesForAllSettingsAndCuts) {
  EXPECT_TRUE(rc::check("inflate(deflate(messages)) == messages", [] {
    const auto bits = *rc::gen::inRange(9U, 16U);
    const bool takeover = *rc::gen::arbitrary<bool>();
    const auto level = *rc::gen::inRange(1U, 10U);
    const auto memory_level = *rc::gen::inRange(1U, 10U);
    CompressionPool pool(1);
    Compressor compressor(pool, bits, takeover, level, memory_level);
    Decompressor decompressor(pool, bits, takeover);
    for (int i = 0; i < 4; ++i) {
      // Few letters and repetition, so that there is something to refer to.
      auto text = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("abcd")));
      const auto times = *rc::gen::inRange(1, 50);
      std::string plain;
      for (int k = 0; k < times; ++k) plain += text;
      const auto message = deflate_once(compressor, as_bytes(plain));
      const auto piece_bytes = *rc::gen::inRange<std::size_t>(1, message.size() + 1);
      const Inflated result = inflate_message(decompressor, message, plain.size(), piece_bytes);
      RC_ASSERT(result.status == InflateStatus::Ok);
      RC_ASSERT(result.text == plain);
    }
  }));
}

}  // namespace
}  // namespace sinnet::ws
