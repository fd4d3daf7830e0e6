/// The dialect muxado v2 against what inconshreveable/muxado fc182d9 was seen to send
/// (tests/vectors/muxado_v2.txt), and against what its peers must know.
#include <gtest/gtest.h>

#include <set>

#include "mux/muxado_replay.hpp"
#include "sinnet/mux/muxado.hpp"
#include "support/chunking.hpp"

namespace sinnet::mux {
namespace {

using test::Record;
using test::Rig;
using test::Seen;

SessionOptions quiet() { return {.probe_interval = Duration{}, .measures_path = false}; }

TEST(MuxadoV2, VectorsDecodeAndEncodeToTheSameBytes) {
  // Malformed on purpose, an unknown flag, or a type that means nothing.
  const std::set<std::string> skipped{"unknown-type", "wndinc-zero", "wndinc-length-3", "wndinc-id-0",
                                      "rst-length-3", "rst-id-0",    "goaway-length-7", "goaway-id-5",
                                      "data-id-0",    "id-bit-31",   "syn-id-bit-31",   "unknown-data-flag"};
  const Dialect dialect = muxado_v2();
  std::size_t checked = 0;
  for (const Record& record : test::read_vectors("muxado_v2.txt")) {
    if (record.bytes.empty() || (record.is_probe && skipped.contains(record.scenario))) continue;
    if (record.scenario == "goaway-at-client" && record.is_probe) continue;
    Frame frame;
    const Decoded decoded = dialect.decode(dialect.rules, Role::Server, record.bytes, false, frame);
    ASSERT_EQ(decoded.status, DecodeStatus::Frame) << record.line;
    std::array<std::byte, 256> out{};
    const std::size_t size = dialect.encode(dialect.rules, Role::Server, frame, out);
    ASSERT_EQ(size, decoded.header_bytes) << record.line;
    EXPECT_EQ(sinnet::test::hex(Bytes{out}.first(size)), sinnet::test::hex(Bytes{record.bytes}.first(size)))
        << record.line;
    ++checked;
  }
  EXPECT_GT(checked, 100U);
}

TEST(MuxadoV2, EitherSideSpeaksAsTheReferenceDoes) {
  auto scenarios = test::by_scenario("muxado_v2.txt");
  for (const char* name : {"open-client", "open-server", "next-ids", "window-16", "no-credit-left",
                           "half-close-client", "half-close-server", "close-full"}) {
    ASSERT_TRUE(scenarios.contains(name)) << name;
    for (const Role role : {Role::Client, Role::Server}) {
      Dialect dialect = muxado_v2();
      SessionOptions options = quiet();
      if (scenarios[name].front().line.find("000010 12") != std::string::npos)  // MaxWindowSize 16
        dialect.rules.opener_sends.bytes = dialect.rules.acceptor_sends.bytes = options.stream_window = 16;
      test::MuxadoReplay(role, dialect, options).play(scenarios[name]);
    }
  }
}

TEST(MuxadoV2, ProbesAreAnsweredAsTheReferenceAnswersThem) {
  auto scenarios = test::by_scenario("muxado_v2.txt");
  for (const char* name : {"unknown-type",
                           "data-unknown-stream",
                           "fin-data-unknown-stream",
                           "empty-fin-unknown-stream",
                           "empty-data-unknown-stream",
                           "rst-unknown-stream",
                           "wndinc-unknown-stream",
                           "wndinc-zero",
                           "wndinc-length-3",
                           "wndinc-id-0",
                           "rst-length-3",
                           "rst-id-0",
                           "goaway-length-7",
                           "goaway-id-5",
                           "data-id-0",
                           "syn-wrong-parity",
                           "unknown-data-flag",
                           "syn-id-1",
                           "syn-not-monotonic",
                           "data-after-fin",
                           "window-overflow",
                           "window-exact"}) {
    ASSERT_TRUE(scenarios.contains(name)) << name;
    test::MuxadoReplay(Role::Server, muxado_v2(), quiet()).play(scenarios[name]);
  }
}

TEST(MuxadoV2, OpeningWaitsForTheFirstPayload) {
  Rig rig(Role::Client, muxado_v2(), quiet());
  const Stream stream = rig.open();
  EXPECT_EQ(rig.take(), "");
  EXPECT_EQ(rig.session.write(stream, {}, rig.now).value_or(9), 0U);
  EXPECT_EQ(rig.take(), "") << "an empty write does not use the opening up";
  (void)rig.write(stream, 1);
  EXPECT_EQ(rig.take(), "000001120000000378");
}

TEST(MuxadoV2, IdsAreGivenInTheOrderOfOpeningFrames) {
  Rig rig(Role::Client, muxado_v2(), quiet());
  const Stream first = rig.open();
  const Stream second = rig.open();
  (void)rig.write(second, 1);
  (void)rig.write(first, 1);
  EXPECT_EQ(rig.take(),
            "000001120000000378"
            "000001120000000578");
  EXPECT_EQ(rig.session.statistics(second)->id, 3U);
}

TEST(MuxadoV2, NoOpeningCarriesAFinish) {
  // The reference would close the acceptor's sending half.
  Rig rig(Role::Client, muxado_v2(), quiet());
  const Stream empty = rig.open();
  ASSERT_TRUE(rig.session.close_write(empty, rig.now));
  EXPECT_EQ(rig.take(),
            "0000001200000003"
            "0000001100000003");
  const Stream full = rig.open();
  (void)rig.write(full, 1);
  ASSERT_TRUE(rig.session.close_write(full, rig.now));
  EXPECT_EQ(rig.take(),
            "000001120000000578"
            "0000001100000005");
}

TEST(MuxadoV2, AnOpeningThatFinishesIsAnswered) {
  Rig rig(Role::Server, muxado_v2(), quiet());
  rig.give("000002 13 00000003 6869");
  EXPECT_EQ(rig.last(EventType::Data).payload, "hi");
  EXPECT_EQ(rig.count(EventType::Finished), 1U);
  EXPECT_EQ(rig.write(rig.last_opened, 2), 2U);
  ASSERT_TRUE(rig.session.close_write(rig.last_opened, rig.now));
  EXPECT_EQ(rig.take(), "00000211000000037878");
  EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::Finished);
}

TEST(MuxadoV2, APeerWithASmallerWindowIsNotLeftWaiting) {
  Rig rig(Role::Server, muxado_v2(), quiet());
  rig.give("000010 12 00000003 000102030405060708090a0b0c0d0e0f");
  EXPECT_EQ(rig.take(), "000004200000000300000010") << "any consumption is credited, once a batch";
}

TEST(MuxadoV2, RefusalsHaveTwoCodes) {
  for (const char* code : {"00000005", "00000009"}) {
    Rig rig(Role::Client, muxado_v2(), quiet());
    (void)rig.write(rig.open(), 1);
    (void)rig.take();
    rig.give(std::string("000004 00 00000003 ") + code);
    EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::Refused) << code;
  }
  Rig rig(Role::Client, muxado_v2(), quiet());
  (void)rig.write(rig.open(), 1);
  (void)rig.take();
  rig.give("000004 00 00000003 00000006");
  EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::Reset);
  EXPECT_EQ(rig.last(EventType::Ended).code, 6U);
}

TEST(MuxadoV2, ResetsCarryCodesOf32Bits) {
  Rig rig(Role::Client, muxado_v2(), quiet());
  const Stream stream = rig.open();
  (void)rig.write(stream, 1);
  (void)rig.take();
  ASSERT_TRUE(rig.session.reset(stream, 0xDEADBEEF, rig.now));
  EXPECT_EQ(rig.take(), "0000040000000003deadbeef");
  rig.give("000001 10 00000003 00");
  EXPECT_EQ(rig.take(), "") << "payload under way provokes no second reset";
}

TEST(MuxadoV2, AFullQueueRefuses) {
  SessionOptions options = quiet();
  options.unaccepted_max = 1;
  Rig rig(Role::Server, muxado_v2(), options);
  rig.accepts = false;
  rig.give("000001 12 00000003 00  000001 12 00000005 00  000001 12 00000007 00");
  EXPECT_EQ(rig.take(),
            "000004000000000500000005"
            "000004000000000700000005");
  EXPECT_EQ(rig.session.statistics().streams, 1U);
}

TEST(MuxadoV2, ReplyOfAStreamThatWasClosedThereLosesNothingThatArrived) {
  // The reference's Close() sends a finish and answers our reply with a reset.
  Rig rig(Role::Server, muxado_v2(), quiet());
  rig.consumes = false;
  rig.give("000002 12 00000003 6869  000000 11 00000003");
  (void)rig.write(rig.last_opened, 1);
  (void)rig.take();
  rig.give("000004 00 00000003 00000004");
  EXPECT_EQ(rig.count(EventType::Stopped), 1U);
  EXPECT_EQ(as_text(rig.session.readable(rig.last_opened)), "hi");
}

TEST(MuxadoV2, StopReceivingDrainsAndResetsAfterALinger) {
  Rig rig(Role::Server, muxado_v2(), quiet());
  rig.give("000001 12 00000003 00");
  (void)rig.take();
  ASSERT_TRUE(rig.session.stop_receiving(rig.last_opened, 1, rig.now));
  rig.give("000002 10 00000003 0001");
  EXPECT_EQ(rig.take(), "000004200000000300000002");
  rig.now += std::chrono::seconds(30);
  rig.session.handle_deadline(rig.now);
  EXPECT_EQ(rig.take(), "000004000000000300000006");
}

TEST(MuxadoV2, GoAwayIsSentLast) {
  // The reference reads 8 bytes too many of it.
  Rig rig(Role::Server, muxado_v2(), quiet());
  rig.give("000001 12 00000003 00");
  (void)rig.take();
  rig.session.go_away(0, "no error", rig.now);
  EXPECT_EQ(rig.take(), "");
  rig.give("000001 12 00000005 00  000000 11 00000003");
  EXPECT_EQ(rig.take(), "000004000000000500000005") << "refused, and its payload passed over";
  ASSERT_TRUE(rig.session.close_write(rig.last_opened, rig.now));
  EXPECT_EQ(rig.take(),
            "0000001100000003"
            "0000103000000000"
            "00000005"
            "00000000"
            "6e6f206572726f72");
  EXPECT_TRUE(rig.session.wants_shutdown_write());
}

TEST(MuxadoV2, GoAwayWithTextLeavesTheNextFrameWhole) {
  Rig rig(Role::Server, muxado_v2(), quiet());
  rig.give("00000a 30 00000000 00000000 00000000 0001  000001 12 00000003 61");
  EXPECT_EQ(rig.count(EventType::GoneAway), 1U);
  EXPECT_EQ(rig.last(EventType::Data).payload, "a");
}

TEST(MuxadoV2, GoAwayWithALongTextIsPassedOver) {
  Rig rig(Role::Server, muxado_v2(), quiet());
  rig.give("010008 30 00000000 00000000 00000000");
  rig.give(std::vector<std::byte>(0x10000, std::byte{'x'}));
  EXPECT_EQ(rig.last(EventType::GoneAway).reason.size(), 120U);
  rig.give("000001 12 00000003 61");
  EXPECT_EQ(rig.last(EventType::Data).payload, "a");
}

TEST(MuxadoV2, GoAwayEndsOurStreamsAboveTheLastHandled) {
  Rig rig(Role::Client, muxado_v2(), quiet());
  const Stream handled = rig.open();
  const Stream late = rig.open();
  (void)rig.write(handled, 1);
  (void)rig.write(late, 1);
  (void)rig.take();
  rig.give("000008 30 00000000 00000003 00000000");
  EXPECT_TRUE(rig.session.is_live(handled));
  EXPECT_FALSE(rig.session.is_live(late));
  EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::Refused);
  EXPECT_EQ(rig.session.open({}, rig.now).error(), VerbError::Closed);
}

TEST(MuxadoV2, AStreamIsNotOpenedTwiceAtOnce) {
  Rig rig(Role::Server, muxado_v2(), quiet());
  rig.give("000001 12 00000003 00  000002 12 00000003 0001");
  EXPECT_EQ(rig.last(EventType::Failed).fault, Fault::Protocol);
}

TEST(MuxadoV2, IdsOf32BitsFail) {
  for (const char* frame :
       {"000001 12 80000009 00", "000001 10 80000009 00", "000004 00 80000009 00000001"}) {
    Rig rig(Role::Server, muxado_v2(), quiet());
    rig.give(frame);
    EXPECT_EQ(rig.last(EventType::Failed).fault, Fault::Protocol) << frame;
    EXPECT_TRUE(
        rig.take().starts_with("00001830"
                               "00000000"
                               "00000000"
                               "00000001"));
  }
}

// ---- typed streams and the heartbeat

TEST(MuxadoV2Typed, TypedStreamsAreTheBytesOfTheReference) {
  Rig rig(Role::Client, muxado_v2_typed(), quiet());
  const Stream stream = rig.open({.stream_type = 7});
  EXPECT_EQ(rig.take(),
            "00000412"
            "00000003"
            "00000007");
  EXPECT_EQ(rig.session.write(stream, sinnet::test::bytes("00"), rig.now).value_or(0), 1U);
  EXPECT_EQ(rig.take(),
            "00000110"
            "00000003"
            "00");
}

TEST(MuxadoV2Typed, TheTypeCountsForTheWindow) {
  Dialect dialect = muxado_v2_typed();
  dialect.rules.opener_sends.bytes = 16;
  Rig rig(Role::Client, dialect, quiet());
  EXPECT_EQ(rig.write(rig.open(), 100), 12U);
}

TEST(MuxadoV2Typed, TypesComeInPieces) {
  Rig rig(Role::Server, muxado_v2_typed(), quiet());
  rig.give("000001 12 00000003 00");
  rig.give("000001 12 00000005 00");  // silent from here on, and in nobody's way
  rig.give("000002 10 00000003 0001");
  EXPECT_EQ(rig.count(EventType::Opened), 0U);
  rig.give("000003 10 00000003 026869");
  EXPECT_EQ(rig.count(EventType::Opened), 1U);
  EXPECT_EQ(rig.last(EventType::Data).payload, "hi");
  EXPECT_EQ(rig.take(),
            "00000420"
            "00000003"
            "00000006")
      << "the type's bytes are credited with the others";
  rig.now += std::chrono::seconds(30);
  rig.session.handle_deadline(rig.now);
  EXPECT_EQ(rig.take(),
            "00000400"
            "00000005"
            "00000006");
  EXPECT_EQ(rig.count(EventType::Ended), 0U) << "nobody heard of it";
}

TEST(MuxadoV2Typed, AStreamWithoutAWholeTypeIsReset) {
  Rig rig(Role::Server, muxado_v2_typed(), quiet());
  rig.give("000002 13 00000003 0000");
  EXPECT_EQ(rig.take(),
            "00000400"
            "00000003"
            "00000001");
  EXPECT_EQ(rig.count(EventType::Opened), 0U);
}

TEST(MuxadoV2Typed, TheHeartbeatIsAStreamAtItsFirstBeat) {
  Rig rig(Role::Client, muxado_v2_typed(), quiet());
  EXPECT_EQ(rig.take(), "");
  ASSERT_TRUE(rig.session.ping(rig.now));
  EXPECT_EQ(rig.take(),
            "00000412"
            "00000003"
            "ffffffff"
            "00000410"
            "00000003"
            "00000000");
  rig.give("000004 20 00000003 00000008  000004 10 00000003 00000001");
  EXPECT_EQ(rig.count(EventType::Pong), 0U) << "not what was sent";
  rig.give("000004 10 00000003 00000000");
  EXPECT_EQ(rig.count(EventType::Pong), 1U);
  EXPECT_EQ(rig.take(),
            "00000420"
            "00000003"
            "00000008");
  ASSERT_TRUE(rig.session.ping(rig.now));
  EXPECT_EQ(rig.take(),
            "00000410"
            "00000003"
            "00000001");
  EXPECT_EQ(rig.session.statistics().streams, 0U);
}

TEST(MuxadoV2Typed, TheHeartbeatOfTheReferenceIsEchoed) {
  auto scenarios = test::by_scenario("muxado_v2.txt");
  Rig rig(Role::Client, muxado_v2_typed(), quiet());
  std::string answers;
  std::string wanted;
  for (const Record& record : scenarios["heartbeat"]) {
    if (record.bytes[7] != std::byte{2}) continue;  // the server's stream
    if (!record.from_client && record.bytes[3] != std::byte{0x20}) rig.give(record.bytes);
    if (record.from_client) wanted += sinnet::test::hex(record.bytes);
    answers += rig.take();
  }
  EXPECT_EQ(answers, wanted);
  EXPECT_EQ(rig.count(EventType::Opened), 0U);
}

TEST(MuxadoV2Typed, AHeartbeatNobodyTakesEndsProbingAndNothingElse) {
  Rig rig(Role::Client, muxado_v2_typed(), {.measures_path = false});
  rig.now += std::chrono::seconds(25);
  rig.session.handle_deadline(rig.now);
  EXPECT_NE(rig.take(), "");
  rig.give("000004 00 00000003 00000004");
  rig.now += std::chrono::seconds(60);
  rig.session.handle_deadline(rig.now);
  EXPECT_EQ(rig.session.state(), SessionState::Open);
  EXPECT_FALSE(rig.session.ping(rig.now));
  EXPECT_EQ(rig.take(), "");
}

TEST(MuxadoV2Typed, SilenceBehindABeatEndsTheSession) {
  Rig rig(Role::Client, muxado_v2_typed(), {.measures_path = false});
  rig.now += std::chrono::seconds(25);
  rig.session.handle_deadline(rig.now);
  (void)rig.take();
  rig.now += std::chrono::seconds(10);
  rig.session.handle_deadline(rig.now);
  rig.poll();
  EXPECT_EQ(rig.last(EventType::Closed).reason, "no sign of life");
}

}  // namespace
}  // namespace sinnet::mux
