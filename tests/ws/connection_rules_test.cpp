/// Every rule of RFC 6455 a peer can break, in both roles: the exact Close frame, one last event, and nothing
/// afterwards.
#include <gtest/gtest.h>

#include "ws/connection_rig.hpp"

namespace sinnet::ws {
namespace {

constexpr std::array both_roles{Role::Server, Role::Client};
constexpr auto protocol_error = "03ea";
constexpr auto invalid_payload = "03ef";
constexpr auto too_big = "03f1";

/// `input` (hex, as sent) must be refused by `role` with exactly this Close, and nothing else be told.
void expect_refused(Role role, const std::string& input, std::string_view code, std::string_view reason,
                    const Options& options = {}) {
  SCOPED_TRACE(input.substr(0, 80) + (role == Role::Server ? " to a server" : " to a client"));
  Rig rig(role, options);
  rig.give(input);
  EXPECT_EQ(rig.take(), refusal(role, code, reason));
  const auto number = std::stoul(std::string{code}, nullptr, 16);
  EXPECT_EQ(rig.told(), Told{"failed " + std::to_string(number) + " " + std::string{reason}});
  EXPECT_EQ(rig.machine.state(), State::Failing);
  EXPECT_TRUE(rig.machine.wants_shutdown_write());
  EXPECT_EQ(rig.resources.statistics().failures, 1U);
  // Nothing that follows is looked at, answered or told.
  rig.give(frame_hex(other(role), 0x89, "70") + frame_hex(other(role), 0x88, "03e8"));
  EXPECT_EQ(rig.take(), "");
  EXPECT_EQ(rig.told(), Told{});
  EXPECT_FALSE(rig.machine.send(MessageKind::Text, Bytes{}, rig.now).has_value());
  rig.machine.receive_eof(rig.now);
  EXPECT_TRUE(rig.machine.is_done());
  EXPECT_EQ(rig.told(), Told{});
}

void expect_frame_refused(unsigned first_byte, std::string_view payload, std::string_view code,
                          std::string_view reason) {
  for (const Role role : both_roles) {
    expect_refused(role, frame_hex(other(role), first_byte, payload), code, reason);
  }
}

/// The start of a header with this length field; a server gets the mask bit.
std::string length_header(Role role, unsigned mark, std::string_view length) {
  const std::array second{static_cast<std::byte>(mark | (role == Role::Server ? 0x80U : 0U))};
  return "82" + test::hex(second) + std::string{length};
}

TEST(ConnectionRules, Attack20LengthWithItsTopBitIsRefusedBeforeTheKey) {
  for (const Role role : both_roles) {
    for (const char* length : {"8000000000000000", "8000000000000001", "fffffffffffffff0"}) {
      expect_refused(role, length_header(role, 127, length), protocol_error,
                     "payload length with its top bit set");
    }
  }
}

TEST(ConnectionRules, Attack20LengthNearTheLargestIsTooBigFromTheHeaderAlone) {
  for (const Role role : both_roles) {
    const std::string key = role == Role::Server ? "00000000" : "";
    for (const char* length : {"7fffffffffffffff", "7ffffffffffffff0", "0000000000100001"}) {
      expect_refused(role, length_header(role, 127, length) + key, too_big, "message too big");
    }
  }
}

TEST(ConnectionRules, Attack21LengthOfAllOnesIsRefused) {
  for (const Role role : both_roles) {
    expect_refused(role, length_header(role, 127, "ffffffffffffffff"), protocol_error,
                   "payload length with its top bit set");
  }
}

TEST(ConnectionRules, Attack22LengthsAreAddedWithoutOverflow) {
  for (const Role role : both_roles) {
    // A fragment of one byte, then one of the largest length: their sum must not wrap, whatever the limit.
    const std::string key = role == Role::Server ? "00000000" : "";
    const std::string rest = role == Role::Server ? "80ff7fffffffffffffff" : "807f7fffffffffffffff";
    expect_refused(role, frame_hex(other(role), 0x02, "61") + rest + key, too_big, "message too big",
                   {.message_bytes_max = INT64_MAX});
  }
}

TEST(ConnectionRules, Attack24NonMinimalLengthIsRefused) {
  for (const Role role : both_roles) {
    for (const char* length : {"0000", "007d"})
      expect_refused(role, length_header(role, 126, length), protocol_error,
                     "payload length not in its minimal form");
    for (const char* length : {"0000000000000000", "000000000000ffff"})
      expect_refused(role, length_header(role, 127, length), protocol_error,
                     "payload length not in its minimal form");
  }
}

TEST(ConnectionRules, Attack25ReservedBitsAreRefused) {
  for (const unsigned first : {0xC1U, 0xC2U, 0x41U})
    expect_frame_refused(first, "61", protocol_error, "unexpected RSV1");
  for (const unsigned first : {0xA1U, 0x91U, 0xB2U, 0xA9U, 0x99U, 0x98U})
    expect_frame_refused(first, "61", protocol_error, "reserved bit set");
  for (const unsigned first : {0xC8U, 0xC9U, 0xCAU})
    expect_frame_refused(first, "", protocol_error, "compressed control frame");
}

TEST(ConnectionRules, Attack25Rsv1OnContinuationIsRefusedThoughDeflateWasAgreed) {
  for (const Role role : both_roles) {
    Rig rig(role, {}, DeflateParameters{});
    rig.give(frame_hex(other(role), 0x41, "f248cdc9") + frame_hex(other(role), 0xC0, "c90700"));
    EXPECT_EQ(rig.take(), refusal(role, protocol_error, "unexpected RSV1"));
    Rig control(role, {}, DeflateParameters{});
    control.give(frame_hex(other(role), 0xC9, ""));
    EXPECT_EQ(control.take(), refusal(role, protocol_error, "compressed control frame"));
  }
}

TEST(ConnectionRules, Attack25ReservedOpcodesAreRefused) {
  for (const unsigned opcode : {3U, 4U, 5U, 6U, 7U, 0xBU, 0xCU, 0xDU, 0xEU, 0xFU})
    expect_frame_refused(0x80U | opcode, "61", protocol_error, "reserved opcode");
}

TEST(ConnectionRules, Attack26UnmaskedClientFrameIsRefused) {
  for (const char* frame : {"810161", "8900", "880203e8", "8200"})
    expect_refused(Role::Server, frame, protocol_error, "unmasked frame from a client");
}

TEST(ConnectionRules, Attack26MaskedServerFrameIsRefused) {
  for (const char* frame : {"8181 00000000 61", "8980 01020304", "8882 00000000 03e8"})
    expect_refused(Role::Client, frame, protocol_error, "masked frame from a server");
}

TEST(ConnectionRules, Attack26MaskKeyOfZeroIsLegal) {
  Rig server(Role::Server);
  server.give("8185 00000000 48656c6c6f 8185 37fa213d 7f9f4d5158");
  EXPECT_EQ(server.told(), (Told{"text Hello", "text Hello"}));
}

TEST(ConnectionRules, Attack27ControlFramesAreShortAndWhole) {
  const std::string payload(252, '6');  // 126 bytes
  for (const unsigned first : {0x88U, 0x89U, 0x8AU})
    expect_frame_refused(first, payload, protocol_error, "control frame longer than 125 bytes");
  for (const unsigned first : {0x08U, 0x09U, 0x0AU})
    expect_frame_refused(first, "", protocol_error, "fragmented control frame");
}

TEST(ConnectionRules, Attack27ControlFrameOf125BytesIsLegal) {
  const std::string payload(250, '6');
  for (const Role role : both_roles) {
    Rig rig(role);
    rig.give(frame_hex(other(role), 0x89, payload));
    EXPECT_EQ(rig.take(), frame_hex(role, 0x8A, payload));
    EXPECT_EQ(rig.told(), Told{"ping " + payload});
  }
}

TEST(ConnectionRules, Attack27CloseOfOneByteIsRefused) {
  expect_frame_refused(0x88, "03", protocol_error, "Close with one byte of payload");
}

TEST(ConnectionRules, Attack27CloseCodesThatMayNotBeSentAreRefused) {
  for (const char* code : {"0000", "03e7", "03ec", "03ed", "03ee", "03f7", "03f8", "07d0", "0bb7", "1388",
                           "ffff"}) {  // 0 999 1004 1005 1006 1015 1016 2000 2999 5000 65535
    expect_frame_refused(0x88, code, protocol_error, "close code not allowed");
  }
}

TEST(ConnectionRules, Attack27CloseReasonMustBeUtf8) {
  for (const char* reason : {"03e8ff", "03e8eda080", "03e8c3", "03e8c080"})
    expect_frame_refused(0x88, reason, invalid_payload, "close reason not UTF-8");
}

TEST(ConnectionRules, Attack28FragmentsOutOfOrderAreRefused) {
  expect_frame_refused(0x80, "61", protocol_error, "continuation without a beginning");
  expect_frame_refused(0x00, "", protocol_error, "continuation without a beginning");
  for (const Role role : both_roles) {
    const Role peer = other(role);
    for (const unsigned first : {0x81U, 0x82U, 0x01U, 0x02U}) {
      expect_refused(role, frame_hex(peer, 0x01, "61") + frame_hex(peer, first, "62"), protocol_error,
                     "new message inside a fragmented one");
    }
    // The message before ended, so there is nothing to continue.
    Rig rig(role);
    rig.give(frame_hex(peer, 0x81, "61") + frame_hex(peer, 0x80, "62"));
    EXPECT_EQ(rig.told(), (Told{"text a", "failed 1002 continuation without a beginning"}));
  }
}

TEST(ConnectionRules, Attack28ControlFramesBetweenFragmentsAreServedAtOnce) {
  for (const Role role : both_roles) {
    const Role peer = other(role);
    Rig rig(role);
    rig.give(frame_hex(peer, 0x01, "48656c"));
    rig.give(frame_hex(peer, 0x89, "0102"));
    EXPECT_EQ(rig.take(), frame_hex(role, 0x8A, "0102")) << "before the message ends";
    rig.give(frame_hex(peer, 0x8A, "03"));
    rig.give(frame_hex(peer, 0x00, "") + frame_hex(peer, 0x80, "6c6f"));
    EXPECT_EQ(rig.told(), (Told{"ping 0102", "pong 03", "text Hello"}));
    // A Close there ends the message for good.
    rig.give(frame_hex(peer, 0x02, "61") + frame_hex(peer, 0x88, "") + frame_hex(peer, 0x80, "62"));
    EXPECT_EQ(rig.told(), Told{"closed 1005 clean "});
    EXPECT_EQ(rig.take(), frame_hex(role, 0x88, ""));
  }
}

TEST(ConnectionRules, Attack29BadTextIsRefusedAtItsFirstBadByte) {
  // Overlong, surrogate, beyond U+10FFFF, a stray continuation; complete frames and the beginning of long
  // ones.
  for (const char* text : {"c080", "eda080", "f4908080", "80", "61ff62", "e08080", "f8"}) {
    expect_frame_refused(0x81, text, invalid_payload, "text is not UTF-8");
    for (const Role role : both_roles) {
      // The frame claims 100 bytes; the bad ones are enough.
      const std::string head = role == Role::Server ? "81e400000000" : "8164";
      expect_refused(role, head + text, invalid_payload, "text is not UTF-8");
      expect_refused(role, frame_hex(other(role), 0x01, text), invalid_payload, "text is not UTF-8");
    }
  }
}

TEST(ConnectionRules, Attack29TextCutInACharacterIsRefusedAtItsEnd) {
  for (const char* text : {"61c3", "e282", "f09f98"}) {
    expect_frame_refused(0x81, text, invalid_payload, "text is not UTF-8");
    for (const Role role : both_roles) {
      expect_refused(role, frame_hex(other(role), 0x01, text) + frame_hex(other(role), 0x80, ""),
                     invalid_payload, "text is not UTF-8");
    }
  }
}

TEST(ConnectionRules, Attack29CharactersMayBeCutByFragmentsAnywhere) {
  constexpr std::string_view text = "c3a9e282acf09f9880";  // U+E9 U+20AC U+1F600
  for (const Role role : both_roles) {
    for (std::size_t cut = 0; cut <= text.size(); cut += 2) {
      Rig rig(role);
      rig.give(frame_hex(other(role), 0x01, text.substr(0, cut)));
      rig.give(frame_hex(other(role), 0x80, text.substr(cut)));
      EXPECT_EQ(rig.told(), Told{"text \u00e9\u20ac\U0001F600"}) << cut;
    }
  }
}

TEST(ConnectionRules, Attack29BinaryIsNotLookedAt) {
  for (const Role role : both_roles) {
    Rig rig(role);
    rig.give(frame_hex(other(role), 0x82, "ff80") + frame_hex(other(role), 0x02, "c3") +
             frame_hex(other(role), 0x80, ""));
    EXPECT_EQ(rig.told(), (Told{"binary ff80", "binary c3"}));
  }
}

TEST(ConnectionRules, Attack30NothingIsTakenAfterThePeersClose) {
  for (const Role role : both_roles) {
    const Role peer = other(role);
    Rig rig(role);
    rig.give(frame_hex(peer, 0x88, "03e9627965") + frame_hex(peer, 0x81, "61") + frame_hex(peer, 0x89, "70"));
    EXPECT_EQ(rig.take(), frame_hex(role, 0x88, "03e9627965"));
    EXPECT_EQ(rig.told(), Told{"closed 1001 clean bye"});
    if (role == Role::Client) rig.give(frame_hex(peer, 0x89, "70") + "ffffff");
    EXPECT_EQ(rig.take(), "");
    EXPECT_EQ(rig.told(), Told{});
  }
}

TEST(ConnectionRules, Attack30AfterOurCloseNothingIsToldOrAnsweredButRulesHold) {
  for (const Role role : both_roles) {
    const Role peer = other(role);
    Rig rig(role);
    rig.machine.close(CloseCode::Normal, {}, rig.now);
    EXPECT_EQ(rig.take(), frame_hex(role, 0x88, "03e8"));
    rig.give(frame_hex(peer, 0x81, "61") + frame_hex(peer, 0x89, "70") + frame_hex(peer, 0x8A, "70") +
             frame_hex(peer, 0x01, "62"));
    EXPECT_EQ(rig.told(), Told{});
    EXPECT_EQ(rig.take(), "");
    Rig broken(role);
    broken.machine.close(CloseCode::Normal, {}, broken.now);
    EXPECT_EQ(broken.take(), frame_hex(role, 0x88, "03e8"));
    broken.give(frame_hex(peer, 0x83, ""));
    EXPECT_EQ(broken.told(), Told{"failed 1002 reserved opcode"});
    EXPECT_EQ(broken.take(), "") << "one Close only";
    rig.give(frame_hex(peer, 0x88, "03e8"));
    EXPECT_EQ(rig.told(), Told{"closed 1000 clean "});
    EXPECT_EQ(rig.machine.has_ended(), role == Role::Server);
  }
}

TEST(ConnectionRules, Attack32EndlessFragmentsEndAtTheLimit) {
  for (const Role role : both_roles) {
    const Role peer = other(role);
    Rig rig(role, {.message_bytes_max = 1000});
    const std::string ten(20, '6');
    rig.give(frame_hex(peer, 0x02, ten));
    std::string more;
    for (int i = 0; i < 99; ++i) more += frame_hex(peer, 0x00, ten);
    rig.give(more);
    EXPECT_EQ(rig.told(), Told{}) << "1000 bytes are allowed";
    rig.give(frame_hex(peer, 0x00, "61"));
    EXPECT_EQ(rig.told(), Told{"failed 1009 message too big"});
    EXPECT_EQ(rig.take(), refusal(role, too_big, "message too big"));
  }
}

TEST(ConnectionRules, Attack34TheLimitIsFiniteUnlessAskedFor) {
  EXPECT_EQ(Options{}.message_bytes_max, 1048576U);
}

TEST(ConnectionRules, Attack45MessageOfExactlyTheLimitPasses) {
  for (const Role role : both_roles) {
    for (const Delivery delivery : {Delivery::Whole, Delivery::Pieces}) {
      const std::string bytes(2 * 500, '6');
      Rig rig(role, {.message_bytes_max = 500, .delivery = delivery});
      rig.give(frame_hex(other(role), 0x82, bytes));
      EXPECT_EQ(rig.told(), Told{"binary of 500"});
      rig.give(frame_hex(other(role), 0x02, bytes.substr(0, 400)) +
               frame_hex(other(role), 0x80, bytes.substr(400)));
      EXPECT_EQ(rig.machine.state(), State::Open);
      rig.give(frame_hex(other(role), 0x82, bytes + "61"));
      EXPECT_EQ(rig.told().back(), "failed 1009 message too big");
    }
  }
}

TEST(ConnectionRules, RepliesToWhatWasGoodGoBeforeTheCloseOfWhatWasNot) {
  Rig server(Role::Server);
  server.receive("8181 00000000 61 8981 00000000 70 8081 00000000 62 8181 00000000 63");
  EXPECT_EQ(server.poll_one(), "text a");
  (void)server.machine.send(MessageKind::Text, as_bytes("A"), server.now);
  EXPECT_EQ(server.told(), (Told{"ping 70", "failed 1002 continuation without a beginning"}));
  EXPECT_EQ(server.take(),
            "8a0170"
            "810141" +
                refusal(Role::Server, protocol_error, "continuation without a beginning"));
}

}  // namespace
}  // namespace sinnet::ws
