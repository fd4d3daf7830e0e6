/// The dialect wsmux against what Taskcluster's program was seen to send (tests/vectors/wsmux.txt), and the
/// traps its peers set.
#include "sinnet/mux/wsmux.hpp"

#include <gtest/gtest.h>

#include <set>

#include "mux/replay.hpp"

namespace sinnet::mux {
namespace {

using namespace std::chrono_literals;
using test::Record;
using test::Replay;
using test::Rig;

/// Windows of 16 as in the captures.
constexpr SessionOptions sixteen{.stream_window = 16, .stream_window_max = 16};

TEST(Wsmux, VectorsDecodeAndEncodeToTheSameBytes) {
  const Dialect dialect = wsmux();
  std::size_t checked = 0;
  for (const Record& record : test::read_vectors("wsmux.txt")) {
    if (record.bytes.empty()) continue;
    Frame frame;
    const Decoded decoded = dialect.decode(dialect.rules, Role::Server, record.bytes, true, frame);
    if (decoded.status != DecodeStatus::Frame) continue;  // the next tests say which must not be read
    std::array<std::byte, 10> out{};
    const std::size_t size = dialect.encode(dialect.rules, Role::Server, frame, out);
    EXPECT_EQ(sinnet::test::hex(Bytes{out}.first(size)),
              sinnet::test::hex(Bytes{record.bytes}.first(decoded.header_bytes)))
        << record.line;
    ++checked;
  }
  EXPECT_GT(checked, 140U);
}

TEST(Wsmux, EitherSideOfTheCapturedExchangesIsPlayed) {
  auto scenarios = test::by_scenario("wsmux.txt");
  for (const char* name :
       {"open-client", "open-server", "next-ids", "data-small", "window-exact", "window-exact-acceptor",
        "half-close-client", "half-close-server", "close-both", "stop-reading"}) {
    for (const Role role : {Role::Client, Role::Server}) {
      SCOPED_TRACE(name);
      ASSERT_TRUE(scenarios.contains(name));
      Replay replay(role, wsmux({.peer_window = 16}), sixteen);
      replay.play(scenarios[name]);
      EXPECT_EQ(replay.rig.take(), "") << "nothing else";
      EXPECT_EQ(replay.rig.count(EventType::Failed), 0U);
    }
  }
}

TEST(Wsmux, ProbesAreAnsweredAsTheReferenceAnswersThem) {
  auto scenarios = test::by_scenario("wsmux.txt");
  Dialect dialect = wsmux({.peer_window = 16});
  dialect.rules.credit_at_once = true;  // the reference credits each read
  for (const char* name :
       {"text-message", "unknown-type", "unknown-type-ff", "short-message", "empty-message",
        "syn-with-payload", "fin-with-payload", "ack-3-bytes", "ack-5-bytes", "data-unknown-stream",
        "ack-unknown-stream", "fin-unknown-stream", "syn-duplicate", "fin-twice", "empty-data",
        "write-after-peer-fin", "fragmented-message"}) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(scenarios.contains(name));
    Replay replay(Role::Server, dialect, sixteen);
    replay.play(scenarios[name]);
  }
}

TEST(Wsmux, AnOldPeersUnreadableFramesArePassedOver) {
  Rig rig(Role::Server, wsmux({.is_strict = false}));
  rig.give("01 01000000");
  (void)rig.take();
  for (const char* frame : {"04 01000000", "ff", "01 010000", "01 03000000 00", "03 01000000 00",
                            "02 01000000 010203", "02 01000000 0102030405"})
    rig.give(frame);
  rig.give(Bytes{});
  EXPECT_EQ(rig.count(EventType::Failed), 0U);
  EXPECT_EQ(rig.count(EventType::Opened), 1U);
  rig.give("00 01000000 78");
  EXPECT_EQ(rig.last(EventType::Data).payload, "x");
}

TEST(Wsmux, AnAcceptorSendsAnUnknownPeerNoMoreThanTheSmallestWindow) {
  for (const auto& [known, credit] :
       std::vector<std::pair<std::uint32_t, std::size_t>>{{0, 1024},
                                                          {wsmux_window_library, 1024},
                                                          {wsmux_window_tunnel_before_94, 4096},
                                                          {wsmux_window_tunnel, 4194304}}) {
    Rig rig(Role::Server, wsmux({.peer_window = known}), {.unsent_bytes_max = 8 << 20});
    rig.give("01 01000000");
    EXPECT_EQ(rig.write(rig.last_opened, 5000000), credit);
    (void)rig.take();
    EXPECT_EQ(rig.write(rig.last_opened, 1), 0U);
    rig.give("02 01000000 05000000");
    EXPECT_EQ(rig.write(rig.last_opened, 10), 5U);
  }
}

TEST(Wsmux, AnOpenerIsReadyForTheLargestWindowAPeerMayBelieve) {
  Rig rig(Role::Client, wsmux(), {.budget_bytes = 8 << 20});
  rig.consumes = false;
  const Stream stream = rig.open();
  EXPECT_EQ(rig.take(), "0101000000");
  rig.give("02 01000000 00004000");
  // It may believe less: it is given a window on top, at once.
  EXPECT_EQ(rig.take(), "020100000000000400");
  std::vector<std::byte> data = sinnet::test::bytes("00 01000000");
  data.resize(5 + (4U << 20) + (256U << 10), std::byte{'x'});
  rig.give(data);
  EXPECT_EQ(rig.session.readable(stream).size(), data.size() - 5);
  rig.give("00 01000000 78");
  EXPECT_EQ(rig.last(EventType::Failed).fault, Fault::FlowControl);
  EXPECT_EQ(rig.last(EventType::Failed).close_code, 1008);
}

TEST(Wsmux, CreditOfAPeerWithAnUnknownWindowIsNeverHeldBack) {
  Rig rig(Role::Client, wsmux());
  (void)rig.open();
  (void)rig.take();
  rig.give("02 01000000 00040000");
  (void)rig.take();
  for (int i = 0; i < 100; ++i) {
    rig.give("00 01000000 78");
    EXPECT_EQ(rig.take(), "020100000001000000") << i;
  }
}

TEST(Wsmux, NeitherCreditNorFinishPrecedesTheAcceptance) {
  Rig rig(Role::Client, wsmux({.peer_window = 16}));
  const Stream stream = rig.open();
  EXPECT_EQ(rig.write(stream, 5), 0U) << "no credit yet";
  ASSERT_TRUE(rig.session.close_write(stream, rig.now));
  rig.give("00 01000000 000102030405060708090a0b0c0d0e0f");
  EXPECT_EQ(rig.take(), "0101000000");
  rig.give("02 01000000 10000000");
  EXPECT_EQ(rig.count(EventType::Accepted), 1U);
  EXPECT_TRUE(rig.take().starts_with("0301000000")) << "the finish waited";
}

TEST(Wsmux, AFinishBeforeTheAcceptanceIsKept) {
  Rig rig(Role::Server, wsmux());
  rig.accepts = false;
  rig.give("01 01000000");
  rig.give("03 01000000");
  ASSERT_TRUE(rig.session.accept(rig.last_opened, rig.now));
  rig.poll();
  EXPECT_EQ(rig.count(EventType::Finished), 1U);
}

TEST(Wsmux, OpeningsGivenUpKeepTheirPlaceInThePeersQueue) {
  Rig rig(Role::Client, wsmux());
  for (int i = 0; i < 250; ++i) (void)rig.open();
  EXPECT_EQ(rig.take_bytes().size(), 200U * 5) << "the 201st would block the reference for good";
  rig.now += 31s;
  rig.session.handle_deadline(rig.now);
  rig.poll();
  EXPECT_EQ(rig.count(EventType::Ended), 200U);
  EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::TimedOut);
  EXPECT_EQ(rig.take(), "") << "no frame says it, and its queue is full still";
  rig.give("02 05000000 00040000");
  EXPECT_EQ(rig.take(),
            "0205000000ffffff7f"
            "0305000000"
            "0191010000")
      << "accepted late: nobody writes or reads there; one more may be opened";
  rig.give("00 05000000 7879");
  EXPECT_EQ(rig.count(EventType::Failed), 0U);
}

TEST(Wsmux, ARefusalIsAcceptedAndFinished) {
  Rig rig(Role::Server, wsmux());
  rig.accepts = false;
  rig.give("01 01000000");
  ASSERT_TRUE(rig.session.refuse(rig.last_opened, 5, rig.now));
  EXPECT_EQ(rig.take(),
            "0201000000ffffff7f"
            "0301000000");
  rig.give("00 01000000 7879");
  rig.give("03 01000000");
  EXPECT_EQ(rig.count(EventType::Data), 0U);
  EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::RefusedHere);
}

TEST(Wsmux, BeyondTheCapsAnOpeningIsLeftToTheOpenersDeadline) {
  Rig rig(Role::Server, wsmux(), {.unaccepted_max = 2});
  rig.accepts = false;
  for (const char* frame : {"01 01000000", "01 03000000", "01 05000000", "01 07000000"}) rig.give(frame);
  EXPECT_EQ(rig.count(EventType::Opened), 2U);
  EXPECT_EQ(rig.session.statistics().streams, 2U);
  EXPECT_EQ(rig.session.statistics().streams_refused, 2U);
  EXPECT_EQ(rig.take(), "");
}

TEST(Wsmux, WhoeverIsNotReadAnyMoreIsNotHeldUp) {
  Rig rig(Role::Server, wsmux(), sixteen);
  rig.give("01 01000000");
  EXPECT_EQ(rig.take(), "020100000010000000");
  ASSERT_TRUE(rig.session.stop_receiving(rig.last_opened, 0, rig.now));
  EXPECT_EQ(rig.take(), "0201000000efffff7f");
  rig.give("00 01000000 " + std::string(2000, '7'));
  EXPECT_EQ(rig.count(EventType::Data), 0U);
  EXPECT_EQ(rig.session.statistics().unread_bytes, 0U);
  rig.now += 31s;
  rig.session.handle_deadline(rig.now);
  EXPECT_EQ(rig.write(rig.last_opened, 3), 3U) << "our half goes on";
  EXPECT_EQ(rig.take(), "0001000000787878");
}

TEST(Wsmux, AResetIsAFinishAndWhatComesIsDropped) {
  Rig rig(Role::Server, wsmux(), sixteen);
  rig.give("01 01000000");
  (void)rig.take();
  (void)rig.write(rig.last_opened, 5);
  ASSERT_TRUE(rig.session.reset(rig.last_opened, 9, rig.now));
  EXPECT_EQ(rig.take(),
            "0201000000efffff7f"
            "0301000000");
  rig.give("03 01000000");
  EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::ResetHere);
}

TEST(Wsmux, AnOverflowIsLoudAndTheSameInPieces) {
  for (const std::size_t cut : {0U, 1U, 16U, 17U}) {
    Rig rig(Role::Server, wsmux(), sixteen);
    rig.give("01 01000000");
    (void)rig.take();
    std::vector<std::byte> message = sinnet::test::bytes("00 01000000");
    message.resize(5 + 17, std::byte{'x'});
    const MutableBytes all{message};
    rig.session.receive_piece(all.first(5 + cut), true, false, rig.now);
    rig.poll();
    rig.session.keep_input();
    rig.session.receive_piece(all.subspan(5 + cut), false, true, rig.now);
    rig.poll();
    std::size_t got = 0;
    for (const test::Seen& event : rig.seen) got += event.payload.size();
    EXPECT_EQ(got, 16U) << "what the credit allows";
    EXPECT_EQ(rig.last(EventType::Failed).fault, Fault::FlowControl);
  }
}

TEST(Wsmux, IdsBeginAgainPastThoseThatLive) {
  Dialect dialect = wsmux();
  dialect.rules.id_last = 4;
  Rig rig(Role::Server, dialect);
  const Stream first = rig.open();
  const Stream second = rig.open();
  (void)rig.open();
  EXPECT_EQ(rig.take(),
            "01000000000102000000"
            "0104000000");
  rig.give("02 02000000 00040000");
  ASSERT_TRUE(rig.session.close_write(second, rig.now));
  rig.give("03 02000000");
  (void)rig.take();
  EXPECT_FALSE(rig.session.is_live(second));
  (void)rig.open();
  EXPECT_EQ(rig.take(), "0102000000") << "0 and 4 live";
  EXPECT_TRUE(rig.session.is_live(first));
}

TEST(Wsmux, AnOpeningWithAnIdOfOursIsIgnored) {
  Rig rig(Role::Server, wsmux());
  rig.give("01 02000000");
  EXPECT_EQ(rig.take(), "");
  EXPECT_EQ(rig.count(EventType::Opened) + rig.count(EventType::Failed), 0U);
}

}  // namespace
}  // namespace sinnet::mux
