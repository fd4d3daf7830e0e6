/// Attacks on a multiplexer: streams without end, windows, floods, forged ids, death in between.
#include <gtest/gtest.h>

#include "mux/rig.hpp"
#include "sinnet/mux/muxado.hpp"
#include "sinnet/mux/sinnet_v1.hpp"
#include "sinnet/mux/yamux.hpp"
#include "support/chunking.hpp"

namespace sinnet::mux {
namespace {

using namespace std::chrono_literals;
using test::Rig;
using test::Seen;

SessionOptions quiet() { return {.probe_interval = Duration{}, .measures_path = false}; }

/// The client's first frame in sinnet.mux.v1, with the least of everything.
constexpr std::string_view settings = "00 04 534d5801";

std::string yamux_frame(unsigned type, unsigned flags, std::uint32_t id, std::uint32_t length) {
  std::array<char, 25> text{};
  std::snprintf(text.data(), text.size(), "00%02x%04x%08x%08x", type, flags, id, length);
  return text.data();
}
std::string yamux_open(std::uint32_t id) { return yamux_frame(1, 1, id, 0); }

TEST(Attack, Attack67OpeningsWithoutEndAreRefusedAtACap) {
  SessionOptions options = quiet();
  options.unaccepted_max = 10;
  Rig rig(Role::Server, yamux(), options);
  rig.accepts = false;
  for (std::uint32_t i = 0; i < 500; ++i) rig.give(yamux_open(2 * i + 1));
  EXPECT_EQ(rig.session.statistics().streams, 10U);
  EXPECT_EQ(rig.session.statistics().streams_refused, 490U);
  const std::vector<std::byte> answers = rig.take_bytes();
  EXPECT_LE(answers.size(), 490U * 12) << "a refusal costs no more than its opening";
}

TEST(Attack, Attack67APeerThatReadsNoRefusalsIsFailed) {
  SessionOptions options = quiet();
  options.streams_max = 1;
  Rig rig(Role::Server, yamux(), options);
  for (std::uint32_t i = 0; i < 5000; ++i) {
    if (!rig.session.wants_input() || rig.session.state() != SessionState::Open) break;
    rig.give(yamux_open(2 * i + 1));
    EXPECT_LE(rig.session.waiting_bytes(), 32U * 1024);
  }
  EXPECT_EQ(rig.last(EventType::Failed).fault, Fault::Calm);
}

TEST(Attack, Attack67StreamCountBeyondTheCreditFails) {
  SessionOptions options = quiet();
  options.streams_max = 128;  // the least
  Rig rig(Role::Server, sinnet_v1(), options);
  rig.give(settings);
  for (unsigned id = 1; id <= 2 * 128; id += 2) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "01 04 %04x 00 03", 0x4000U | id);
    rig.give(text.data());
  }
  EXPECT_EQ(rig.count(EventType::Failed), 0U);
  rig.give("01 04 4101 00 03");
  EXPECT_EQ(rig.last(EventType::Failed).fault, Fault::FlowControl);
}

TEST(Attack, Attack68DataBeyondTheFirstWindowFailsBeforeThereIsAStream) {
  Rig rig(Role::Server, yamux(), quiet());
  rig.give("00 00 0001 00000001 00040001");
  EXPECT_EQ(rig.last(EventType::Failed).fault, Fault::FlowControl);
  EXPECT_EQ(rig.count(EventType::Opened), 0U);
  EXPECT_EQ(rig.take(), "000300000000000000000001");
}

TEST(Attack, Attack69CreditThatOverflowsFails) {
  Rig rig(Role::Client, yamux(), quiet());
  (void)rig.open();
  (void)rig.take();
  rig.give("00 01 0002 00000001 ffffffff");
  EXPECT_EQ(rig.last(EventType::Failed).fault, Fault::FlowControl);
  EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::SessionFailed);
}

TEST(Attack, Attack70PingsOfAPeerThatDoesNotReadCostNoMemory) {
  Rig rig(Role::Server, yamux(), quiet());
  for (std::uint32_t i = 0; i < 10000; ++i) rig.give(yamux_frame(2, 1, 0, i));
  EXPECT_LE(rig.session.waiting_bytes(), 256U);
  const std::string answers = rig.take();
  EXPECT_TRUE(
      answers.ends_with("0002000200000000"
                        "0000270f"))
      << "the newest is answered: " << answers;
  EXPECT_LE(answers.size(), 8U * 24);
}

TEST(Attack, Attack70ResetsInAFloodFailTheSession) {
  Rig rig(Role::Server, yamux(), quiet());
  for (std::uint32_t i = 0; i < 1001; ++i) {
    rig.give(yamux_open(2 * i + 1) + yamux_frame(1, 8, 2 * i + 1, 0));
    if (rig.session.state() != SessionState::Open) break;
    (void)rig.take();
  }
  EXPECT_EQ(rig.last(EventType::Failed).reason, "too many resets");
  EXPECT_EQ(rig.count(EventType::Opened), rig.count(EventType::Ended));
}

TEST(Attack, Attack70ManyBytesForOneAreNotGiven) {
  // A byte of payload in a window of bytes: credit goes back for an eighth of it, not for each read.
  Rig rig(Role::Server, yamux(), quiet());
  rig.give(yamux_open(1));
  (void)rig.take();
  for (int i = 0; i < 10000; ++i) rig.give(yamux_frame(0, 0, 1, 1) + "78");
  EXPECT_EQ(rig.take(), "");
}

/// What a frame at a wrong time does to a session in which streams 1 (live), 3 (finished by the peer) and 5
/// (over) were opened by the peer.
struct WrongTime {
  const char* frame;
  const char* answer;  ///< hex of what goes out; empty: nothing
  bool fails = false;
};

class Attack71 : public ::testing::TestWithParam<WrongTime> {};

TEST_P(Attack71, FramesForStreamsInTheWrongStateAreHeldToTheTable) {
  Rig rig(Role::Server, yamux(), quiet());
  rig.give(yamux_open(1) + yamux_open(3) + yamux_frame(1, 4, 3, 0) + yamux_open(5) + yamux_frame(1, 8, 5, 0));
  (void)rig.take();
  rig.give(GetParam().frame);
  EXPECT_EQ(rig.count(EventType::Failed), GetParam().fails ? 1U : 0U);
  if (!GetParam().fails) {
    EXPECT_EQ(rig.take(), GetParam().answer);
    rig.give(yamux_frame(0, 0, 1, 1) + "79");
    EXPECT_EQ(rig.last(EventType::Data).payload, "y") << "the session goes on";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Yamux, Attack71,
    ::testing::Values(
        WrongTime{"00 00 0000 00000005 00000001 78", ""},                          // payload, closed stream
        WrongTime{"00 00 0000 00000009 00000001 78", ""},                          // payload, never opened
        WrongTime{"00 00 0000 00000003 00000001 78", "000100080000000300000000"},  // behind a finish
        WrongTime{"00 01 0004 00000003 00000000", "000100080000000300000000"},     // finished twice
        WrongTime{"00 01 0008 00000003 00000000", ""},                             // reset behind a finish
        WrongTime{"00 01 0000 00000005 00000100", ""},                             // credit, dead stream
        WrongTime{"00 01 0001 00000005 00000000", "000100020000000500000000"},  // id used again: dead, so new
        WrongTime{"00 01 0001 00000001 00000000", "", true},                    // opened twice
        WrongTime{"00 01 0001 00000002 00000000", "", true},                    // our parity
        WrongTime{"00 01 0001 00000000 00000000", "", true}));                  // the session's own id

TEST(Attack, Attack71TheOwnDialectRefusesLowerAndUnopenedIds) {
  for (const char* frame :
       {"01 03 01 00 03", "01 04 03 00 03 00", "10 02 05 78", "04 02 05 10", "01 03 02 00 03"}) {
    Rig rig(Role::Server, sinnet_v1(), quiet());
    rig.give(settings);
    rig.give("01 04 03 00 03 61");
    EXPECT_EQ(rig.count(EventType::Opened), 1U);
    rig.give(frame);
    EXPECT_EQ(rig.last(EventType::Failed).fault, Fault::Protocol) << frame;
  }
}

TEST(Attack, Attack71IdsRunOutWithAnAnswerToTheCaller) {
  Dialect dialect = yamux();
  dialect.rules.id_last = 5;
  Rig rig(Role::Client, dialect, quiet());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(rig.session.open({}, rig.now));
  EXPECT_EQ(rig.session.open({}, rig.now).error(), VerbError::LimitReached);
  (void)rig.take();
  EXPECT_EQ(rig.session.open({}, rig.now).error(), VerbError::LimitReached);
}

TEST(Attack, Attack71EmptyPayloadInAFloodFailsTheSession) {
  Rig rig(Role::Server, yamux(), quiet());
  rig.give(yamux_open(1));
  for (int i = 0; i < 1001 && rig.session.state() == SessionState::Open; ++i)
    rig.give(yamux_frame(0, 0, 1, 0));
  EXPECT_EQ(rig.last(EventType::Failed).fault, Fault::Calm);
}

TEST(Attack, Attack72AStreamNobodyReadsStopsNoOther) {
  for (const auto dialect : {yamux, sinnet_v1, muxado_v2, muxado_v2_typed, muxado_v1}) {
    Rig client(Role::Client, dialect(), quiet());
    Rig server(Role::Server, dialect(), quiet());
    server.consumes = false;
    const Stream stalled = client.open();
    const Stream other = client.open();
    for (int turn = 0; turn < 200; ++turn) {
      (void)client.write(stalled, 64 * 1024);
      if (const auto bytes = client.take_bytes(); !bytes.empty()) server.give(bytes);
      if (const auto bytes = server.take_bytes(); !bytes.empty()) client.give(bytes);
    }
    EXPECT_LE(server.session.statistics().unread_bytes, 256U * 1024) << "bounded by the stream's credit";
    EXPECT_EQ(client.write(other, 1000), 1000U);
    server.give(client.take_bytes());
    EXPECT_EQ(server.last(EventType::Data).payload.size(), 1000U);
  }
}

TEST(Attack, Attack72BytesBeyondTheBudgetCostTheWorstStream) {
  SessionOptions options = quiet();
  options.budget_bytes = 300 * 1024;
  Rig client(Role::Client, yamux(), quiet());
  Rig server(Role::Server, yamux(), options);
  server.consumes = false;
  const Stream large = client.open();
  const Stream small = client.open();
  for (int turn = 0; turn < 8; ++turn) {
    (void)client.write(large, 64 * 1024);
    (void)client.write(small, turn < 3 ? 32 * 1024 : 64 * 1024);
    server.give(client.take_bytes());
    EXPECT_LE(server.session.statistics().unread_bytes, options.budget_bytes);
  }
  EXPECT_EQ(server.last(EventType::Ended).end, EndReason::Overloaded);
  client.give(server.take_bytes());
  EXPECT_FALSE(client.session.is_live(large));
  EXPECT_TRUE(client.session.is_live(small));
}

TEST(Attack, Attack73APingPassesBulk) {
  Rig client(Role::Client, sinnet_v1(), quiet());
  Rig server(Role::Server, sinnet_v1(), quiet());
  const Stream bulk = client.open();
  const Stream ping = client.open();
  server.give(client.take_bytes());
  client.give(server.take_bytes());
  std::size_t behind = 0;
  for (int turn = 0; turn < 1000; ++turn) {  // some 60 MiB
    (void)client.write(bulk, 64 * 1024);
    (void)client.write(ping, 1);
    client.session.prepare_output(256 * 1024, client.now);
    const std::vector<std::byte> bytes = client.take_bytes();
    server.seen.clear();
    server.give(bytes);
    std::size_t bulk_before = 0;
    for (const Seen& event : server.seen) {
      if (event.type == EventType::Data && event.payload.size() == 1) break;
      bulk_before += event.payload.size();
    }
    behind = std::max(behind, bulk_before);
    client.give(server.take_bytes());
  }
  EXPECT_LE(behind, 64U * 1024) << "bytes of bulk before a ping written behind them";
}

TEST(Attack, Attack73WindowsGrowOnlyWithinTheBudget) {
  SessionOptions options = quiet();
  options.budget_bytes = 1024 * 1024;
  options.measures_path = true;
  Rig client(Role::Client, sinnet_v1());
  Rig server(Role::Server, sinnet_v1(), options);
  const Stream stream = client.open();
  for (int turn = 0; turn < 2000; ++turn) {
    (void)client.write(stream, 64 * 1024);
    client.now += 10ms;
    server.now += 10ms;
    server.give(client.take_bytes());
    client.give(server.take_bytes());
  }
  ASSERT_TRUE(server.session.is_live(server.last_opened));
  const StreamStatistics statistics = server.session.statistics(server.last_opened).value();
  EXPECT_LE(statistics.window_bytes, options.budget_bytes);
}

TEST(Attack, Attack74DeathTellsEveryStreamOnceAndTheSessionLast) {
  Rig rig(Role::Server, yamux(), quiet());
  rig.accepts = false;
  for (std::uint32_t i = 0; i < 50; ++i) rig.give(yamux_open(2 * i + 1));
  std::vector<Stream> own;
  for (int i = 0; i < 50; ++i) own.push_back(rig.open());
  rig.give("ff");  // no version of yamux
  EXPECT_FALSE(rig.session.open({}, rig.now)) << "opening races with the end";
  (void)rig.take();
  EXPECT_EQ(rig.count(EventType::Ended), 100U);
  EXPECT_EQ(rig.count(EventType::Failed), 1U);
  EXPECT_EQ(rig.seen.back().type, EventType::Failed);
  for (const Stream stream : own) EXPECT_FALSE(rig.session.is_live(stream));
  rig.session.receive_eof(rig.now);
  rig.poll();
  EXPECT_EQ(rig.count(EventType::Ended), 100U);
  EXPECT_TRUE(rig.session.is_done());
}

TEST(Attack, Attack74GoAwayWithStreamsInFlightEndsThoseNotHandled) {
  Rig rig(Role::Client, sinnet_v1(), quiet());
  const Stream first = rig.open();
  const Stream second = rig.open();
  (void)rig.take();
  rig.give(std::string(settings) + "09 02 01 00");
  EXPECT_TRUE(rig.session.is_live(first));
  EXPECT_FALSE(rig.session.is_live(second));
  EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::Refused);
  EXPECT_EQ(rig.count(EventType::GoneAway), 1U);
  EXPECT_EQ(rig.session.open({}, rig.now).error(), VerbError::Closed);
}

std::string told(Rig& rig) {
  std::string all;
  for (const Seen& event : rig.seen) {
    if (event.type != EventType::Data)
      all += "<" + std::to_string(static_cast<int>(event.type)) + "," + std::to_string(event.stream.slot) +
             "," + std::to_string(event.code) + event.reason + ">";
    all += event.payload;
  }
  return all + "|" + rig.take();
}

TEST(Attack, Attack75EverySplitReadsTheSame) {
  const auto yamux_bytes = sinnet::test::bytes(
      "00 01 0001 00000001 00000000  00 00 0000 00000001 00000005 68656c6c6f  00 02 0001 00000000 00000007"
      "00 00 0005 00000003 00000002 6869  00 01 0008 00000003 00000000  00 00 0004 00000001 00000000  00 04");
  sinnet::test::expect_same_for_every_chunking(yamux_bytes, [](std::span<const Bytes> pieces) {
    Rig rig(Role::Server, yamux(), quiet());
    for (const Bytes piece : pieces) rig.give(piece);
    return told(rig);
  });
  const auto own_bytes = sinnet::test::bytes(
      "00 11 534d5801 01 80040000 02 80080000 03 6710 01 06 01 4abc 02 6d65  10 06 01 68656c6c6f  90 02 "
      "0000"
      "07 08 0102030405060708  01 04 03 00 07 78  11 01 03  02 03 01 412c  09 05 00 4105 6279  7f");
  sinnet::test::expect_same_for_every_chunking(own_bytes, [](std::span<const Bytes> pieces) {
    Rig rig(Role::Server, sinnet_v1(), quiet());
    for (const Bytes piece : pieces) rig.give(piece);
    return told(rig);
  });
}

TEST(Attack, Attack75LengthsAndTypesAtTheirEnds) {
  for (const char* frame :
       {"00 00 0001 00000001 ffffffff", "00 04 0000 00000000 00000000", "01 00 0000 00000000 00000000"}) {
    Rig rig(Role::Server, yamux(), quiet());
    rig.give(frame);
    EXPECT_EQ(rig.count(EventType::Failed), 1U) << frame;
  }
  for (const char* frame : {"11 ffffffffffffffff 01", "0a 00", "03 ffffffffffffffff", "10 00", "10 01 40"}) {
    Rig rig(Role::Server, sinnet_v1(), quiet());
    rig.give(settings);
    rig.give("01 04 01 00 03 00");
    rig.give(frame);
    EXPECT_EQ(rig.count(EventType::Failed), 1U) << frame;
  }
}

TEST(Attack, Attack75ForgedPongsAreNoAnswer) {
  Rig rig(Role::Client, yamux(), quiet());
  ASSERT_TRUE(rig.session.ping(rig.now));
  EXPECT_EQ(rig.take(), "000200010000000000000000");
  rig.give("00 02 0002 00000000 00000009");
  EXPECT_EQ(rig.count(EventType::Pong), 0U);
  rig.give("00 02 0002 00000005 00000000");
  EXPECT_EQ(rig.count(EventType::Pong), 1U);
}

}  // namespace
}  // namespace sinnet::mux
