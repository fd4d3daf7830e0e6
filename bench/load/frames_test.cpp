/// Tests that the generator sends what RFC 6455 says and notices replies that are wrong: a generator that
/// counts anything would call a broken server fast.
#include <gtest/gtest.h>

#include "load.hpp"

namespace load {
namespace {

using Octets = std::vector<std::uint8_t>;

Expected hello() {
  Expected expected;
  expected.opcode = 1;
  expected.payload = {'H', 'e', 'l', 'l', 'o'};
  return expected;
}

void consume(const Octets& input, const Expected& expected) {
  ReplyReader reader;
  Totals totals;
  reader.consume(input, expected, totals);
}

// RFC 6455 5.7's "Hello" masked with 37 fa 21 3d, the key this generator uses too.
TEST(LoadFrames, MaskedHelloIsTheSpecificationsOwn) {
  EXPECT_EQ(make_frame(1, hello().payload, false),
            (Octets{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}));
}

TEST(LoadFrames, LengthsTakeTheShortestForm) {
  EXPECT_EQ(make_frame(2, Octets(125), false)[1], 0x80 | 125);
  const Octets medium = make_frame(2, Octets(126), false);
  EXPECT_EQ(Octets(medium.begin(), medium.begin() + 4), (Octets{0x82, 0xfe, 0x00, 0x7e}));
  const Octets large = make_frame(2, Octets(65536), false);
  EXPECT_EQ(Octets(large.begin(), large.begin() + 10), (Octets{0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0}));
}

TEST(LoadFrames, LargePayloadsRepeatEveryPeriod) {
  const Octets payload = make_payload(2 * kPayloadPeriod + 5, false);
  EXPECT_EQ(payload[kPayloadPeriod + 3], payload[3]);
  EXPECT_EQ(payload[2 * kPayloadPeriod + 4], payload[4]);
  EXPECT_NE(Octets(payload.begin(), payload.begin() + 16),
            Octets(payload.begin() + 16, payload.begin() + 32));
}

TEST(LoadReplies, FragmentsAndPingsCountAsOneMessageAtEverySplit) {
  // "Hel" without FIN, a ping, "lo" with FIN, and a whole "Hello" behind it.
  const Octets input = {0x01, 0x03, 'H',  'e',  'l', 0x89, 0x01, 'p', 0x80, 0x02,
                        'l',  'o',  0x81, 0x05, 'H', 'e',  'l',  'l', 'o'};
  for (std::size_t split = 0; split <= input.size(); ++split) {
    ReplyReader reader;
    Totals totals;
    const Bytes all(input);
    reader.consume(all.first(split), hello(), totals);
    reader.consume(all.subspan(split), hello(), totals);
    EXPECT_EQ(totals.messages, 2u) << split;
    EXPECT_EQ(totals.payload_bytes, 10u) << split;
    EXPECT_EQ(totals.control_frames, 1u) << split;
  }
}

TEST(LoadReplies, CompressedHelloIsInflated) {
  Expected expected = hello();
  expected.deflate = true;
  ReplyReader reader;
  Totals totals;
  // RFC 7692 7.2.3.1: "Hello" compressed.
  reader.consume(Octets{0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}, expected, totals);
  EXPECT_EQ(totals.messages, 1u);
  EXPECT_EQ(totals.compressed, 1u);
}

TEST(LoadRepliesDeathTest, WrongRepliesEndTheRun) {
  const Expected expected = hello();
  const auto status = testing::ExitedWithCode(2);
  EXPECT_EXIT(consume({0x81, 0x05, 'H', 'e', 'l', 'l', 'a'}, expected), status, "differs");
  EXPECT_EXIT(consume({0x81, 0x04, 'H', 'e', 'l', 'l'}, expected), status, "too short");
  EXPECT_EXIT(consume({0x81, 0x06, 'H', 'e', 'l', 'l', 'o', '!'}, expected), status, "too long");
  EXPECT_EXIT(consume({0x82, 0x05, 'H', 'e', 'l', 'l', 'o'}, expected), status, "opcode 2");
  EXPECT_EXIT(consume({0x80, 0x05, 'H', 'e', 'l', 'l', 'o'}, expected), status, "opcode 0");
  EXPECT_EXIT(consume({0xc1, 0x05, 'H', 'e', 'l', 'l', 'o'}, expected), status, "RSV1");
  EXPECT_EXIT(consume({0x81, 0x85, 0, 0, 0, 0}, expected), status, "masked");
}

}  // namespace
}  // namespace load
