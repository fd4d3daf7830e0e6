/// Close payloads: the codes of RFC 6455 7.4 one by one, captured frames, and what may not be sent.
#include "sinnet/ws/close.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "support/bytes.hpp"

namespace sinnet::ws {
namespace {

using test::bytes;
using test::hex;

std::string written(CloseCode code, std::string_view reason) {
  std::array<std::byte, 125> out{};
  return hex(Bytes{out}.first(write_close_payload(code, reason, out)));
}

std::optional<ClosePayloadError> error_of(Bytes payload) {
  ClosePayloadError error{};
  if (parse_close_payload(payload, error)) return std::nullopt;
  return error;
}

TEST(ClosePayloadTest, CapturedPayloadsParseAndWriteExactly) {
  struct Case {
    const char* wire;
    unsigned code;
    const char* reason;
  };
  // npm ws 8.23.0 and python3-websockets 10.4.
  for (const Case& c : {Case{"03e8627965", 1000, "bye"}, Case{"0fa1", 4001, ""}, Case{"03ea", 1002, ""},
                        Case{"03ef", 1007, ""}, Case{"", 1005, ""}}) {
    SCOPED_TRACE(c.wire);
    const auto wire = bytes(c.wire);
    ClosePayloadError error{};
    const auto payload = parse_close_payload(wire, error);
    ASSERT_TRUE(payload);
    EXPECT_EQ(static_cast<unsigned>(payload->code), c.code);
    EXPECT_EQ(payload->reason, c.reason);
    EXPECT_EQ(written(payload->code, payload->reason), c.wire);
  }
}

TEST(ClosePayloadTest, Attack27OneByteIsRefused) {
  EXPECT_EQ(error_of(bytes("03")), ClosePayloadError::OneByte);
}

TEST(ClosePayloadTest, Attack27EveryCodeIsAllowedOrRefusedAsRegistered) {
  for (unsigned value = 0; value <= 0xFFFF; ++value) {
    const bool allowed = value == 1000 || value == 1001 || value == 1002 || value == 1003 || value == 1007 ||
                         value == 1008 || value == 1009 || value == 1010 || value == 1011 || value == 1012 ||
                         value == 1013 || value == 1014 || value / 1000 == 3 || value / 1000 == 4;
    ASSERT_EQ(is_sendable(static_cast<CloseCode>(value)), allowed) << value;
    const std::array<std::byte, 2> wire{static_cast<std::byte>(value >> 8U),
                                        static_cast<std::byte>(value & 0xFFU)};
    ASSERT_EQ(error_of(wire) == std::nullopt, allowed) << value;
    if (!allowed) {
      ASSERT_EQ(error_of(wire), ClosePayloadError::CodeNotAllowed) << value;
    }
  }
}

TEST(ClosePayloadTest, Attack27And29ReasonMustBeWholeUtf8) {
  for (const char* wire : {"03e8c328", "03e8c3", "03e8eda080", "03e8f4908080", "03e8c080", "03e880"}) {
    SCOPED_TRACE(wire);
    EXPECT_EQ(error_of(bytes(wire)), ClosePayloadError::ReasonNotUtf8);
  }
  EXPECT_EQ(error_of(bytes("03e8c3a9e282acf09f9880")), std::nullopt);
}

TEST(ClosePayloadTest, LongReasonIsCutBetweenCharacters) {
  const std::string ascii(200, 'x');
  EXPECT_EQ(written(CloseCode::Normal, ascii), "03e8" + hex(as_bytes(std::string(123, 'x'))));
  // 122 bytes and then a euro sign: it would end at 125, so all of it goes.
  const std::string before(122, 'x');
  EXPECT_EQ(written(CloseCode::Normal, before + "\xE2\x82\xAC"), "03e8" + hex(as_bytes(before)));
  // 41 euro signs are exactly 123 bytes.
  std::string euros;
  for (int i = 0; i < 41; ++i) euros += "\xE2\x82\xAC";
  EXPECT_EQ(written(CloseCode::GoingAway, euros + "\xE2\x82\xAC"), "03e9" + hex(as_bytes(euros)));
}

TEST(ClosePayloadTest, ReasonThatIsNotUtf8IsCutBeforeTheFault) {
  EXPECT_EQ(written(CloseCode::Normal, "ab\xC3\xA9\xFFzz"), "03e86162c3a9");
  EXPECT_EQ(written(CloseCode::Normal, "a\xE2\x82"), "03e861");
}

TEST(ClosePayloadTest, NoStatusWritesNothingEvenWithAReason) {
  EXPECT_EQ(written(CloseCode::NoStatus, "bye"), "");
}

}  // namespace
}  // namespace sinnet::ws
