/// The dialect yamux against what hashicorp/yamux was seen to send (tests/vectors/yamux.txt).
#include "sinnet/mux/yamux.hpp"

#include <gtest/gtest.h>

#include <set>

#include "mux/rig.hpp"
#include "mux/vectors.hpp"

namespace sinnet::mux {
namespace {

using test::Record;
using test::Rig;

/// No pings of our own: the reference sends none in these scenarios either.
SessionOptions quiet() { return {.probe_interval = Duration{}, .measures_path = false}; }

TEST(Yamux, VectorsDecodeAndEncodeToTheSameBytes) {
  // Frames that mean nothing, or one thing in two forms: a ping without flags is a pong, ids of pings and
  // unknown flags are dropped, an opening of stream 0 is refused.
  const std::set<std::string> lossy{"ping-no-flags", "ping-with-id", "unknown-flag", "syn-id-0"};
  const Dialect dialect = yamux();
  std::size_t checked = 0;
  for (const Record& record : test::read_vectors("yamux.txt")) {
    if (record.bytes.size() < 12 || lossy.contains(record.scenario)) continue;
    Frame frame;
    const Decoded decoded = dialect.decode(dialect.rules, Role::Server, record.bytes, false, frame);
    if (record.scenario == "version-1" || record.scenario == "type-4") {
      EXPECT_EQ(decoded.status, DecodeStatus::MalformedSession) << record.line;
      continue;
    }
    if (frame.id == 0 && frame.type == FrameType::Data) continue;
    ASSERT_EQ(decoded.status, DecodeStatus::Frame) << record.line;
    std::array<std::byte, 12> out{};
    ASSERT_EQ(dialect.encode(dialect.rules, Role::Server, frame, out), 12U);
    EXPECT_EQ(sinnet::test::hex(out), sinnet::test::hex(Bytes{record.bytes}.first(12))) << record.line;
    ++checked;
  }
  EXPECT_GT(checked, 100U);
}

/// Plays a probe's side to our session in place of the program, and compares what comes back.
void replay_probe(const std::string& name, const std::vector<Record>& records) {
  SCOPED_TRACE(name);
  Rig rig(Role::Server, yamux(), quiet());
  rig.accepts = false;
  rig.consumes = false;
  for (const Record& record : records) {
    if (record.from_client) {
      if (!record.bytes.empty()) rig.give(record.bytes);
      continue;
    }
    if (record.word == "EOF") {
      EXPECT_EQ(rig.count(EventType::Failed) + rig.count(EventType::Closed) +
                    (rig.session.state() == SessionState::Closing ? 1U : 0U),
                1U)
          << record.line;
      return;
    }
    const bool accepts =
        record.bytes.size() == 12 && record.bytes[3] == std::byte{2} && record.bytes[1] == std::byte{1};
    if (accepts) {
      ASSERT_TRUE(rig.session.accept(rig.last_opened, rig.now)) << record.line;
    }
    if (record.bytes.size() > 12) {  // the program's own payload: 0, 1, 2 …
      (void)rig.session.write(rig.last_opened, Bytes{record.bytes}.subspan(12), rig.now);
    }
    EXPECT_EQ(rig.take(), sinnet::test::hex(record.bytes)) << record.line;
  }
}

TEST(Yamux, ProbesAreAnsweredAsTheReferenceAnswersThem) {
  auto scenarios = test::by_scenario("yamux.txt");
  for (const char* name : {"version-1",
                           "type-4",
                           "data-unknown-stream",
                           "window-update-unknown-stream",
                           "fin-unknown-stream",
                           "rst-unknown-stream",
                           "ack-unknown-stream",
                           "data-syn",
                           "data-syn-fin",
                           "syn-rst",
                           "syn-not-monotonic",
                           "syn-duplicate",
                           "ping-with-id",
                           "ping-no-flags",
                           "ping-ack-unknown",
                           "unknown-flag",
                           "goaway-0",
                           "goaway-1",
                           "goaway-9",
                           "data-over-window",
                           "window-overflow",
                           "reset-received",
                           "data-without-ack"}) {
    ASSERT_TRUE(scenarios.contains(name)) << name;
    replay_probe(name, scenarios[name]);
  }
}

TEST(Yamux, ClientOpensWithAWindowUpdateAndWritesAtOnce) {
  Rig rig(Role::Client, yamux(), quiet());
  const Stream stream = rig.open();
  const auto payload = sinnet::test::bytes("0001020304");
  EXPECT_EQ(rig.session.write(stream, payload, rig.now), 5U);
  EXPECT_EQ(rig.take(),
            "000100010000000100000000"
            "000000000000000100000005"
            "0001020304");
  rig.give("00 01 0002 00000001 00000000");
  EXPECT_EQ(rig.count(EventType::Accepted), 1U);
  rig.give("00 00 0000 00000001 00000002 0001");
  EXPECT_EQ(rig.last(EventType::Data).payload, std::string("\0\1", 2));
}

TEST(Yamux, LargerWindowRidesOnSynAndAck) {
  SessionOptions options = quiet();
  options.stream_window = 1024 * 1024;
  Rig client(Role::Client, yamux(), options);
  (void)client.open();
  EXPECT_EQ(client.take(), "0001000100000001000c0000");
  Rig server(Role::Server, yamux(), options);
  server.give("00 01 0001 00000001 000c0000");
  EXPECT_EQ(server.take(), "0001000200000001000c0000");
}

TEST(Yamux, HalfCloseKeepsTheOtherDirection) {
  Rig rig(Role::Client, yamux(), quiet());
  const Stream stream = rig.open();
  ASSERT_TRUE(rig.session.close_write(stream, rig.now));
  EXPECT_EQ(rig.take(),
            "000100010000000100000000"
            "000100040000000100000000");
  rig.give("00 01 0002 00000001 00000000  00 00 0000 00000001 00000002 0001  00 01 0004 00000001 00000000");
  EXPECT_EQ(rig.last(EventType::Data).payload, std::string("\0\1", 2));
  EXPECT_EQ(rig.count(EventType::Finished), 1U);
  EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::Finished);
  EXPECT_FALSE(rig.session.is_live(stream));
}

TEST(Yamux, PayloadOfAStreamThatIsResetMeanwhileIsDropped) {
  Rig rig(Role::Server, yamux(), quiet());
  rig.consumes = false;
  rig.give("00 01 0001 00000001 00000000  00 00 0000 00000001 00000006 0001");
  ASSERT_TRUE(rig.session.reset(rig.last_opened, 0, rig.now));
  (void)rig.take();  // its slot is free now
  rig.give("02030405");
  EXPECT_EQ(rig.session.statistics().unread_bytes, 0U);
  EXPECT_EQ(rig.count(EventType::Failed), 0U);
  rig.give("00 01 0001 00000003 00000000  00 00 0000 00000003 00000001 78");
  EXPECT_EQ(rig.last(EventType::Data).payload, "x") << "the next in that slot has its own bytes alone";
}

TEST(Yamux, NoMoreThan256OpeningsWaitForTheirAcceptance) {
  Rig rig(Role::Client, yamux(), quiet());
  for (int i = 0; i < 300; ++i) (void)rig.open();
  EXPECT_EQ(rig.take_bytes().size(), 256U * 12);
  rig.give("00 01 0002 00000001 00000000");
  EXPECT_EQ(rig.take(), "000100010000020100000000");
}

TEST(Yamux, ResetOfAnOpeningIsARefusal) {
  Rig rig(Role::Client, yamux(), quiet());
  const Stream stream = rig.open();
  (void)rig.take();
  rig.give("00 01 0008 00000001 00000000");
  EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::Refused);
  EXPECT_FALSE(rig.session.write(stream, as_bytes("x"), rig.now));
}

TEST(Yamux, AResetBehindTheFinishLeavesWhatArrived) {
  Rig rig(Role::Server, yamux(), quiet());
  rig.consumes = false;
  rig.give("00 01 0001 00000001 00000000  00 00 0004 00000001 00000002 6869  00 01 0008 00000001 00000000");
  EXPECT_EQ(rig.count(EventType::Stopped), 1U);
  EXPECT_EQ(rig.count(EventType::Ended), 0U);
  EXPECT_EQ(as_text(rig.session.readable(rig.last_opened)), "hi");
  rig.session.consume(rig.last_opened, 2, rig.now);
  rig.poll();
  EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::Reset);
}

TEST(Yamux, RefusalIsAReset) {
  Rig rig(Role::Server, yamux(), quiet());
  rig.accepts = false;
  rig.give("00 01 0001 00000001 00000000");
  ASSERT_TRUE(rig.session.refuse(rig.last_opened, 0, rig.now));
  EXPECT_EQ(rig.take(), "000100080000000100000000");
  EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::RefusedHere);
}

TEST(Yamux, ClosingSaysGoAwayAndShutsDown) {
  Rig rig(Role::Client, yamux(), quiet());
  (void)rig.open();
  (void)rig.take();
  rig.session.close(0, "", rig.now);
  EXPECT_EQ(rig.take(), "000300000000000000000000");
  EXPECT_TRUE(rig.session.wants_shutdown_write());
  EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::SessionClosed);
  rig.session.receive_eof(rig.now);
  rig.poll();
  EXPECT_EQ(rig.count(EventType::Closed), 1U);
  EXPECT_TRUE(rig.session.is_done());
}

TEST(Yamux, KeepaliveCountsAnyByteAsLife) {
  Rig rig(Role::Client, yamux(),
          {.probe_interval = std::chrono::seconds(25), .probe_timeout = std::chrono::seconds(10)});
  rig.now += std::chrono::seconds(25);
  rig.session.handle_deadline(rig.now);
  EXPECT_EQ(rig.take(), "000200010000000000000000");
  rig.now += std::chrono::seconds(9);
  rig.give("00");  // the first byte of some frame
  rig.now += std::chrono::seconds(2);
  rig.session.handle_deadline(rig.now);
  rig.poll();
  EXPECT_EQ(rig.session.state(), SessionState::Open);
  rig.now += std::chrono::seconds(60);
  rig.session.handle_deadline(rig.now);
  (void)rig.take();
  rig.now += std::chrono::seconds(10);
  rig.session.handle_deadline(rig.now);
  rig.poll();
  EXPECT_EQ(rig.last(EventType::Closed).reason, "no sign of life");
}

}  // namespace
}  // namespace sinnet::mux
