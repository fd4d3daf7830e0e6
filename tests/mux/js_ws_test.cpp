/// The dialect js-ws against what MatrixAI's program was seen to send (tests/vectors/jsws.txt), and the traps
/// its peers set.
#include "sinnet/mux/js_ws.hpp"

#include <gtest/gtest.h>

#include <set>

#include "mux/replay.hpp"

namespace sinnet::mux {
namespace {

using namespace std::chrono_literals;
using test::Record;
using test::Replay;
using test::Rig;

/// Windows of 16 as in the captures; every read is credited, as the reference does.
constexpr SessionOptions sixteen{.stream_window = 16, .stream_window_max = 16};
Dialect prompt() {
  Dialect dialect = js_ws();
  dialect.rules.credit_at_once = true;
  return dialect;
}

TEST(JsWs, VectorsDecodeAndEncodeToTheSameBytes) {
  const std::set<std::string> lossy{"varint-not-minimal"};
  const Dialect dialect = js_ws();
  std::size_t checked = 0;
  for (const Record& record : test::read_vectors("jsws.txt")) {
    if (record.bytes.empty() || lossy.contains(record.scenario)) continue;
    Frame frame;
    const Decoded decoded = dialect.decode(dialect.rules, Role::Server, record.bytes, true, frame);
    if (decoded.status != DecodeStatus::Frame) {
      EXPECT_TRUE(record.is_probe) << record.line;
      continue;
    }
    std::array<std::byte, 19> out{};
    const std::size_t size = dialect.encode(dialect.rules, Role::Server, frame, out);
    EXPECT_EQ(sinnet::test::hex(Bytes{out}.first(size)),
              sinnet::test::hex(Bytes{record.bytes}.first(decoded.header_bytes)))
        << record.line;
    ++checked;
  }
  EXPECT_GT(checked, 150U);
}

/// Scenarios "open+…" leave out the opening.
std::vector<Record> with_opening(const std::vector<Record>& records) {
  std::vector<Record> all;
  if (records.front().scenario.starts_with("open+")) {
    const auto open = sinnet::test::bytes("00 0001 00000010");
    all.push_back({.scenario = {}, .from_client = true, .word = {}, .bytes = open, .line = "opening"});
    all.push_back({.scenario = {}, .from_client = false, .word = {}, .bytes = open, .line = "acceptance"});
  }
  all.insert(all.end(), records.begin(), records.end());
  return all;
}

TEST(JsWs, EitherSideOfTheCapturedExchangesIsPlayed) {
  auto scenarios = test::by_scenario("jsws.txt");
  for (const char* name : {"open-client",
                           "open-server",
                           "next-ids",
                           "data-small",
                           "window-exact",
                           "open+empty-write",
                           "half-close-client",
                           "half-close-server",
                           "open+close-with-data-queued",
                           "open+abort-code-0",
                           "open+abort-code-63",
                           "open+abort-code-300",
                           "open+abort-code-16384",
                           "open+abort-code-1073741824",
                           "open+stop-reading",
                           "open+cancel-both",
                           "open+cancel-both-acceptor",
                           "open+abort-after-half-close",
                           "open+crossing-close",
                           "late-ack-burnt"}) {
    for (const Role role : {Role::Client, Role::Server}) {
      const std::string_view what = name;
      if (role == Role::Server && what == "late-ack-burnt") continue;  // a probe's side
      // Two answers at once: ours come in an order of their own.
      if (what == (role == Role::Server ? "open+cancel-both" : "open+cancel-both-acceptor")) continue;
      SCOPED_TRACE(name);
      ASSERT_TRUE(scenarios.contains(name));
      Replay replay(role, prompt(), sixteen);
      replay.play(with_opening(scenarios[name]));
      EXPECT_EQ(replay.rig.take(), "") << "nothing else";
      EXPECT_EQ(replay.rig.count(EventType::Failed), 0U);
    }
  }
}

TEST(JsWs, ProbesAreAnsweredAsTheReferenceAnswersThem) {
  auto scenarios = test::by_scenario("jsws.txt");
  for (const char* name :
       {"id-only", "data-unknown-stream", "close-unknown-stream", "error-unknown-stream",
        "unknown-type-unknown-stream", "varint-not-minimal", "id-8-bytes", "open-zero-credit",
        "trailing-bytes", "open+close-write-first", "open+error-read", "open+error-write", "open+reuse-id"}) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(scenarios.contains(name));
    Replay replay(Role::Server, prompt(), sixteen);
    replay.play(with_opening(scenarios[name]));
    EXPECT_EQ(replay.rig.count(EventType::Failed), 0U);
  }
}

TEST(JsWs, AnIdThatCannotBeReadFailsTheSession) {
  for (const char* message : {"", "40", "c0000000000000"}) {
    Rig rig(Role::Server, js_ws());
    rig.give(message);
    EXPECT_EQ(rig.last(EventType::Failed).fault, Fault::Malformed) << message;
    EXPECT_EQ(rig.last(EventType::Failed).close_code, 1002);
  }
}

TEST(JsWs, AMalformedMessageCostsItsStreamAlone) {
  for (const char* message : {"00 0004", "00 0001 0000", "00 0003 02", "00 0003", "00 0002 00",
                              "00 0002 00 40", "00 0002 02 00", "00"}) {
    for (const bool is_ours : {false, true}) {  // the reference's process dies of one on a stream of its own
      Rig rig(is_ours ? Role::Client : Role::Server, js_ws(), sixteen);
      if (is_ours) (void)rig.open();
      (void)rig.take();
      rig.give("00 0001 00000010");
      (void)rig.take();
      rig.give(message);
      EXPECT_EQ(rig.take(),
                "0000020100"
                "0000020000")
          << message;
      EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::Broken);
      EXPECT_EQ(rig.session.state(), SessionState::Open);
    }
  }
}

TEST(JsWs, ALateAckForAStreamOfOursOpensNoGhost) {
  Rig rig(Role::Client, js_ws(), sixteen);
  const Stream stream = rig.open();
  EXPECT_EQ(rig.take(), "00000100000010");
  rig.give("00 0001 00000010");
  ASSERT_TRUE(rig.session.close_write(stream, rig.now));
  rig.give("00 0003 00");
  EXPECT_EQ(rig.take(),
            "00000300"
            "00000301");
  EXPECT_FALSE(rig.session.is_live(stream));
  rig.give("00 0001 00000005");
  rig.give("00 0003 01");
  EXPECT_EQ(rig.count(EventType::Opened), 0U);
  EXPECT_EQ(rig.take(), "");
}

TEST(JsWs, ALateAckForAStreamOfThePeerOpensNoGhost) {
  Rig rig(Role::Server, js_ws(), sixteen);
  rig.give("00 0001 00000010");
  rig.give("00 0003 00");
  ASSERT_TRUE(rig.session.close_write(rig.last_opened, rig.now));
  (void)rig.take();
  EXPECT_EQ(rig.count(EventType::Ended), 1U);
  rig.give("00 0001 00000005");
  EXPECT_EQ(rig.count(EventType::Opened), 1U);
  EXPECT_EQ(rig.take(), "");
}

TEST(JsWs, NothingIsAcceptedThatThePeerHasDropped) {
  // Its Ack would be the opening of a stream with the peer's own id there.
  Rig rig(Role::Server, js_ws(), sixteen);
  rig.give("00 0001 00000010");
  rig.give("00 0002 01 07");
  rig.give("00 0002 00 07");
  const std::string answers = rig.take();
  EXPECT_EQ(answers.find("0000010000"), std::string::npos) << answers;
  EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::Reset);
  EXPECT_EQ(rig.last(EventType::Ended).code, 7U);
}

TEST(JsWs, NoCreditFollowsThePeersFinish) {
  Rig rig(Role::Server, prompt(), sixteen);
  rig.consumes = false;
  rig.give("00 0001 00000010");
  (void)rig.take();
  rig.give("00 0000 7879");
  rig.give("00 0003 00");
  rig.session.consume(rig.last_opened, 2, rig.now);
  EXPECT_EQ(rig.take(), "00000301");
}

TEST(JsWs, EachHalfIsCancelledForItselfWithItsCode) {
  Rig rig(Role::Server, js_ws(), sixteen);
  rig.give("00 0001 00000010");
  (void)rig.take();
  rig.give("00 0002 00 412c");
  EXPECT_EQ(rig.last(EventType::Aborted).code, 300U);
  EXPECT_EQ(rig.write(rig.last_opened, 2), 2U) << "the other half goes on";
  EXPECT_EQ(rig.take(),
            "00000201412c"
            "0000007878");
  rig.give("00 0002 01 80004000");
  EXPECT_EQ(rig.take(), "0000020080004000");
  EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::Reset);
  EXPECT_EQ(rig.last(EventType::Ended).code, 16384U);
}

TEST(JsWs, StoppingAndAbortingAreToldAndTheirAnswersMeanNothing) {
  Rig rig(Role::Client, js_ws(), sixteen);
  const Stream stream = rig.open();
  (void)rig.take();
  rig.give("00 0001 00000010");
  ASSERT_TRUE(rig.session.stop_receiving(stream, 5, rig.now));
  EXPECT_EQ(rig.take(), "0000020105");
  rig.give("00 0002 00 05");
  EXPECT_EQ(rig.take(), "");
  EXPECT_TRUE(rig.session.is_live(stream));
  ASSERT_TRUE(rig.session.abort_write(stream, UINT64_MAX, rig.now));
  EXPECT_EQ(rig.take(), "00000200ffffffffffffffff") << "as much as a varint holds";
  rig.give("00 0002 01 ffffffffffffffff");
  EXPECT_EQ(rig.take(), "");
  EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::ResetHere);
}

TEST(JsWs, AnOverflowIsLoudAndTheSameInPieces) {
  for (const std::size_t cut : {0U, 1U, 16U, 17U}) {
    Rig rig(Role::Server, js_ws(), sixteen);
    rig.give("00 0001 00000010");
    (void)rig.take();
    std::vector<std::byte> message = sinnet::test::bytes("00 0000");
    message.resize(3 + 17, std::byte{'x'});
    const MutableBytes all{message};
    rig.session.receive_piece(all.first(3 + cut), true, false, rig.now);
    rig.poll();
    rig.session.keep_input();
    rig.session.receive_piece(all.subspan(3 + cut), false, true, rig.now);
    rig.poll();
    std::size_t got = 0;
    for (const test::Seen& event : rig.seen) got += event.payload.size();
    EXPECT_EQ(got, 16U) << "what the credit allows";
    EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::Broken);
    EXPECT_TRUE(
        rig.take().ends_with("0000020100"
                             "0000020000"));
    rig.give("02 0001 00000010");
    EXPECT_EQ(rig.count(EventType::Opened), 2U) << "the session goes on";
  }
}

TEST(JsWs, PayloadBehindTheFinishCostsTheStream) {
  Rig rig(Role::Server, js_ws(), sixteen);
  rig.give("00 0001 00000010");
  rig.give("00 0003 00");
  (void)rig.take();
  rig.give("00 0000 78");
  EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::Broken);
  EXPECT_EQ(rig.take(), "0000020000") << "our half; the peer's is over";
}

TEST(JsWs, IdsGrowIntoLongerVarints) {
  Rig rig(Role::Client, js_ws(), sixteen);
  for (int i = 0; i < 32; ++i) (void)rig.open();
  EXPECT_TRUE(rig.take().ends_with("3e000100000010"));
  (void)rig.open();
  EXPECT_EQ(rig.take(), "4040000100000010");
}

TEST(JsWs, ARefusalFailsBothHalves) {
  Rig rig(Role::Server, js_ws(), {.unaccepted_max = 1});
  rig.accepts = false;
  rig.give("00 0001 00000010");
  rig.give("02 0001 00000010");
  EXPECT_EQ(rig.take(),
            "0200020000"
            "0200020100")
      << "beyond the cap";
  ASSERT_TRUE(rig.session.refuse(rig.last_opened, 9, rig.now));
  EXPECT_EQ(rig.take(),
            "0000020109"
            "0000020009");
  Rig client(Role::Client, js_ws(), sixteen);
  (void)client.open();
  (void)client.take();
  client.give("00 0002 01 09");
  client.give("00 0002 00 09");
  EXPECT_EQ(client.last(EventType::Ended).end, EndReason::Refused);
  EXPECT_EQ(client.last(EventType::Ended).code, 9U);
}

TEST(JsWs, OpeningsOfOurIdsAndLowerOnesAreIgnored) {
  Rig rig(Role::Server, js_ws(), sixteen);
  rig.give("02 0001 00000010");
  (void)rig.take();
  rig.give("01 0001 00000010");
  rig.give("00 0001 00000010");
  EXPECT_EQ(rig.take(), "");
  EXPECT_EQ(rig.count(EventType::Opened), 1U);
}

}  // namespace
}  // namespace sinnet::mux
