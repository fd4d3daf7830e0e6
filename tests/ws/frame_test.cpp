/// Frame headers against the bytes RFC 6455 5.2 and 5.7 print, and against npm ws 8.23.0 and
/// python3-websockets 10.4.
#include "sinnet/ws/frame.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

#include "support/bytes.hpp"

namespace sinnet::ws {
namespace {

using test::bytes;
using test::hex;

std::string written(const FrameHeader& header) {
  std::array<std::byte, frame_header_bytes_max> out{};
  return hex(Bytes{out}.first(write_frame_header(header, out)));
}

struct Case {
  const char* name;
  const char* wire;
  FrameHeader header;
};

constexpr MaskKey key(unsigned value) {
  return {static_cast<std::byte>(value >> 24U), static_cast<std::byte>(value >> 16U & 0xFFU),
          static_cast<std::byte>(value >> 8U & 0xFFU), static_cast<std::byte>(value & 0xFFU)};
}

FrameHeader head(Opcode opcode, std::uint64_t payload_bytes, bool fin = true, bool rsv1 = false) {
  return {.fin = fin, .rsv1 = rsv1, .opcode = opcode, .payload_bytes = payload_bytes};
}

FrameHeader masked(FrameHeader header, unsigned mask_key) {
  header.masked = true;
  header.mask_key = key(mask_key);
  return header;
}

// Headers as sent: RFC 6455 5.7's examples, then captures of npm ws 8.23.0 and python3-websockets 10.4.
std::vector<Case> reference_headers() {
  return {
      {"RFC 6455 5.7 text", "8105", head(Opcode::Text, 5)},
      {"RFC 6455 5.7 masked text", "818537fa213d", masked(head(Opcode::Text, 5), 0x37fa213d)},
      {"RFC 6455 5.7 first fragment", "0103", head(Opcode::Text, 3, false)},
      {"RFC 6455 5.7 last fragment", "8002", head(Opcode::Continuation, 2)},
      {"RFC 6455 5.7 ping", "8905", head(Opcode::Ping, 5)},
      {"RFC 6455 5.7 masked pong", "8a8537fa213d", masked(head(Opcode::Pong, 5), 0x37fa213d)},
      {"RFC 6455 5.7 256 bytes", "827e0100", head(Opcode::Binary, 256)},
      {"RFC 6455 5.7 65536 bytes", "827f0000000000010000", head(Opcode::Binary, 65536)},
      {"npm empty, client", "818086b4d9b9", masked(head(Opcode::Text, 0), 0x86b4d9b9)},
      {"npm empty, server", "8200", head(Opcode::Binary, 0)},
      {"npm 125, client", "82fd51ebe614", masked(head(Opcode::Binary, 125), 0x51ebe614)},
      {"npm 125, server", "827d", head(Opcode::Binary, 125)},
      {"npm 126, client", "82fe007e8b540ff3", masked(head(Opcode::Binary, 126), 0x8b540ff3)},
      {"npm 126, server", "827e007e", head(Opcode::Binary, 126)},
      {"npm 127, client", "82fe007f91c0b812", masked(head(Opcode::Binary, 127), 0x91c0b812)},
      {"npm 65535, client", "82feffff9285ffd6", masked(head(Opcode::Binary, 65535), 0x9285ffd6)},
      {"npm 65535, server", "827effff", head(Opcode::Binary, 65535)},
      {"npm 65536, client", "82ff00000000000100009ed236f1", masked(head(Opcode::Binary, 65536), 0x9ed236f1)},
      {"npm close, client", "88853cae9af3", masked(head(Opcode::Close, 5), 0x3cae9af3)},
      {"npm deflate, server", "c10b", head(Opcode::Text, 11, true, true)},
      {"npm deflate, client", "c18bceabbad1", masked(head(Opcode::Text, 11, true, true), 0xceabbad1)},
      {"npm deflate 269, server", "c27e010d", head(Opcode::Binary, 269, true, true)},
      {"npm deflate first fragment", "4108", head(Opcode::Text, 8, false, true)},
      {"npm deflate middle fragment", "0008", head(Opcode::Continuation, 8, false)},
  };
}

TEST(FrameHeaderTest, ReferenceHeadersParseAndWriteExactly) {
  for (const Case& c : reference_headers()) {
    SCOPED_TRACE(c.name);
    const auto wire = bytes(c.wire);
    FrameHeader header;
    const FrameHeaderResult result = parse_frame_header(wire, header);
    EXPECT_EQ(result.status, FrameHeaderStatus::Done);
    EXPECT_EQ(result.header_bytes, wire.size());
    EXPECT_EQ(header, c.header);
    EXPECT_EQ(written(c.header), c.wire);
  }
}

TEST(FrameHeaderTest, EveryPrefixNeedsMoreAndLeavesTheHeaderAlone) {
  const FrameHeader untouched = masked(head(static_cast<Opcode>(0xB), 77), 0x01020304);
  for (const Case& c : reference_headers()) {
    SCOPED_TRACE(c.name);
    const auto wire = bytes(c.wire);
    for (std::size_t size = 0; size < wire.size(); ++size) {
      FrameHeader header = untouched;
      const FrameHeaderResult result = parse_frame_header(Bytes{wire}.first(size), header);
      EXPECT_EQ(result.status, FrameHeaderStatus::NeedMore) << size;
      EXPECT_EQ(result.header_bytes, 0U);
      EXPECT_EQ(header, untouched);
    }
  }
}

TEST(FrameHeaderTest, PayloadBehindTheHeaderIsNotLookedAt) {
  auto wire = bytes("8105 ffffffffffffffffffffffffffffffff");
  FrameHeader header;
  const FrameHeaderResult result = parse_frame_header(wire, header);
  EXPECT_EQ(result.header_bytes, 2U);
  EXPECT_EQ(header, head(Opcode::Text, 5));
}

TEST(FrameHeaderTest, AllFirstBytesSurviveIncludingReservedBitsAndOpcodes) {
  for (unsigned first = 0; first < 256; ++first) {
    const std::vector<std::byte> wire{static_cast<std::byte>(first), std::byte{0x7d}};
    FrameHeader header;
    ASSERT_EQ(parse_frame_header(wire, header).status, FrameHeaderStatus::Done);
    EXPECT_EQ(header.fin, first >= 0x80);
    EXPECT_EQ(header.rsv1, (first & 0x40U) != 0);
    EXPECT_EQ(header.rsv2, (first & 0x20U) != 0);
    EXPECT_EQ(header.rsv3, (first & 0x10U) != 0);
    EXPECT_EQ(static_cast<unsigned>(header.opcode), first & 0x0FU);
    EXPECT_EQ(written(header), hex(wire));
  }
}

TEST(FrameHeaderTest, Attack24NonMinimalLengthIsRefusedBeforeTheKey) {
  for (const char* wire : {"827e0000", "827e007d", "82fe007d", "827f0000000000000000", "827f000000000000007d",
                           "827f000000000000ffff", "82ff000000000000007e", "82ff000000000000ffff"}) {
    SCOPED_TRACE(wire);
    FrameHeader header;
    EXPECT_EQ(parse_frame_header(bytes(wire), header).status, FrameHeaderStatus::LengthNotMinimal);
  }
}

TEST(FrameHeaderTest, Attack20And21LengthWithTheTopBitIsRefusedBeforeTheKey) {
  for (const char* wire : {"827f8000000000000000", "82ffffffffffffffffff", "82ff8000000000000001"}) {
    SCOPED_TRACE(wire);
    FrameHeader header;
    EXPECT_EQ(parse_frame_header(bytes(wire), header).status, FrameHeaderStatus::LengthTopBitSet);
  }
}

TEST(FrameHeaderTest, LargestLegalLengthParses) {
  FrameHeader header;
  EXPECT_EQ(parse_frame_header(bytes("827f7fffffffffffffff"), header).status, FrameHeaderStatus::Done);
  EXPECT_EQ(header.payload_bytes, 0x7fffffffffffffffU);
}

TEST(FrameHeaderTest, WhatIsWrittenIsReadBack) {
  EXPECT_TRUE(rc::check("parse(write(header)) == header", [] {
    FrameHeader header;
    header.fin = *rc::gen::arbitrary<bool>();
    header.rsv1 = *rc::gen::arbitrary<bool>();
    header.rsv2 = *rc::gen::arbitrary<bool>();
    header.rsv3 = *rc::gen::arbitrary<bool>();
    header.opcode = static_cast<Opcode>(*rc::gen::inRange(0, 16));
    header.masked = *rc::gen::arbitrary<bool>();
    if (header.masked) header.mask_key = key(*rc::gen::arbitrary<unsigned>());
    // Any magnitude is as likely as any other.
    header.payload_bytes = *rc::gen::arbitrary<std::uint64_t>() >> *rc::gen::inRange(1, 64);
    std::array<std::byte, frame_header_bytes_max> out{};
    const std::size_t size = write_frame_header(header, out);
    FrameHeader again;
    const FrameHeaderResult result = parse_frame_header(Bytes{out}.first(size), again);
    RC_ASSERT(result.status == FrameHeaderStatus::Done);
    RC_ASSERT(result.header_bytes == size);
    RC_ASSERT(again == header);
  }));
}

TEST(OpcodeTest, ControlAndReservedFollowTheRegistry) {
  for (unsigned value = 0; value < 16; ++value) {
    const auto opcode = static_cast<Opcode>(value);
    EXPECT_EQ(is_control(opcode), value >= 8) << value;
    EXPECT_EQ(is_reserved(opcode), (value >= 3 && value <= 7) || value >= 0xB) << value;
  }
}

}  // namespace
}  // namespace sinnet::ws
