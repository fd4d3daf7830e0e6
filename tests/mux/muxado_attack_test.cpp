/// Attacks 67 to 75 in the dialects muxado: what their own words make possible.
#include <gtest/gtest.h>

#include "mux/rig.hpp"
#include "sinnet/mux/muxado.hpp"
#include "support/chunking.hpp"

namespace sinnet::mux {
namespace {

using test::Rig;
using test::Seen;

SessionOptions quiet() { return {.probe_interval = Duration{}, .measures_path = false}; }

std::string frame(const char* format, std::uint32_t id) {
  std::array<char, 96> text{};
  std::snprintf(text.data(), text.size(), format, id);
  return text.data();
}
constexpr const char* v1_open = "0000 00 01 %08x";
constexpr const char* v1_reset = "0004 00 02 %08x 00000007";
constexpr const char* v2_open = "000000 12 %08x";
constexpr const char* v2_reset = "000004 00 %08x 00000006";

struct Kind {
  Dialect (*dialect)();
  const char* open;
  const char* reset;
};
constexpr std::array<Kind, 2> kinds{{{muxado_v1, v1_open, v1_reset}, {muxado_v2, v2_open, v2_reset}}};

TEST(MuxadoAttack, Attack67OpeningsWithoutEndAreRefusedAtACap) {
  for (const Kind& kind : kinds) {
    SessionOptions options = quiet();
    options.unaccepted_max = 10;
    Rig rig(Role::Server, kind.dialect(), options);
    rig.accepts = false;
    (void)rig.take();
    for (std::uint32_t i = 0; i < 500; ++i) rig.give(frame(kind.open, 2 * i + 3));
    EXPECT_EQ(rig.session.statistics().streams, 10U);
    EXPECT_EQ(rig.take_bytes().size(), 490U * 12);
  }
}

TEST(MuxadoAttack, Attack67APeerThatReadsNoRefusalsIsFailed) {
  for (const Kind& kind : kinds) {
    SessionOptions options = quiet();
    options.streams_max = 1;
    Rig rig(Role::Server, kind.dialect(), options);
    for (std::uint32_t i = 0; i < 5000 && rig.session.state() == SessionState::Open; ++i) {
      rig.give(frame(kind.open, 2 * i + 3));
      EXPECT_LE(rig.session.waiting_bytes(), 32U * 1024);
    }
    EXPECT_EQ(rig.last(EventType::Failed).fault, Fault::Calm);
  }
}

TEST(MuxadoAttack, Attack67SilentTypedStreamsAreRefusedAtACap) {
  SessionOptions options = quiet();
  options.unaccepted_max = 10;
  Rig rig(Role::Server, muxado_v2_typed(), options);
  for (std::uint32_t i = 0; i < 500; ++i) rig.give(frame(v2_open, 2 * i + 3));
  EXPECT_EQ(rig.session.statistics().streams, 10U);
  EXPECT_EQ(rig.take_bytes().size(), 490U * 12);
}

TEST(MuxadoAttack, Attack68PayloadBeyondTheFirstWindowIsResetBeforeAnybodyHears) {
  Rig rig(Role::Server, muxado_v2(), quiet());
  rig.give("040001 12 00000003");
  EXPECT_EQ(rig.take(),
            "00000400"
            "00000003"
            "00000003");
  EXPECT_EQ(rig.count(EventType::Opened), 0U);
  rig.give(std::vector<std::byte>(0x40001, std::byte{'x'}));
  rig.give("000001 12 00000005 61");
  EXPECT_EQ(rig.last(EventType::Data).payload, "a") << "the session goes on";
}

TEST(MuxadoAttack, Attack69CreditThatOverflowsResets) {
  Rig rig(Role::Client, muxado_v2(), quiet());
  (void)rig.write(rig.open(), 1);
  (void)rig.take();
  rig.give("000004 20 00000003 7fffffff  000004 20 00000003 7fffffff");
  EXPECT_EQ(rig.take(),
            "00000400"
            "00000003"
            "00000003");
  EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::Broken);
}

TEST(MuxadoAttack, Attack70ResetsInAFloodFailTheSession) {
  for (const Kind& kind : kinds) {
    Rig rig(Role::Server, kind.dialect(), quiet());
    for (std::uint32_t i = 0; i < 1001 && rig.session.state() == SessionState::Open; ++i) {
      rig.give(frame(kind.open, 2 * i + 3) + frame(kind.reset, 2 * i + 3));
      (void)rig.take();
    }
    EXPECT_EQ(rig.last(EventType::Failed).reason, "too many resets");
  }
}

TEST(MuxadoAttack, Attack70CreditForSingleBytesIsMerged) {
  Rig rig(Role::Server, muxado_v2(), quiet());
  rig.give("000000 12 00000003");
  for (int i = 0; i < 10000; ++i) rig.give("000001 10 00000003 78");
  EXPECT_EQ(rig.take(),
            "00000420"
            "00000003"
            "00002710")
      << "one for all that was read meanwhile";
}

TEST(MuxadoAttack, Attack71EmptyPayloadInAFloodFailsTheSession) {
  for (const char* flood : {"000000 10 00000003", "000000 10 00000009"}) {
    Rig rig(Role::Server, muxado_v2(), quiet());
    rig.give("000000 12 00000003");
    for (int i = 0; i < 1001 && rig.session.state() == SessionState::Open; ++i) rig.give(flood);
    EXPECT_EQ(rig.last(EventType::Failed).fault, Fault::Calm) << flood;
  }
}

TEST(MuxadoAttack, Attack71IdsRunOutWithAnAnswerToTheCaller) {
  for (const Kind& kind : kinds) {
    Dialect dialect = kind.dialect();
    dialect.rules.id_last = 7;
    Rig rig(Role::Client, dialect, quiet());
    (void)rig.take();
    const unsigned opens = dialect.rules.probe_at_start ? 2 : 3;
    for (unsigned i = 0; i < opens; ++i) (void)rig.write(rig.open(), 1);
    EXPECT_EQ(rig.session.open({}, rig.now).error(), VerbError::LimitReached);
    (void)rig.take();
    EXPECT_EQ(rig.session.open({}, rig.now).error(), VerbError::LimitReached);
  }
}

TEST(MuxadoAttack, Attack74DeathTellsEveryStreamOnceAndTheSessionLast) {
  for (const Kind& kind : kinds) {
    Rig rig(Role::Server, kind.dialect(), quiet());
    rig.accepts = false;
    for (std::uint32_t i = 0; i < 50; ++i) rig.give(frame(kind.open, 2 * i + 3));
    for (int i = 0; i < 50; ++i) (void)rig.open();
    rig.give(frame(kind.open, 2));  // our parity
    (void)rig.take();
    EXPECT_EQ(rig.count(EventType::Ended), 100U);
    EXPECT_EQ(rig.count(EventType::Failed), 1U);
    EXPECT_EQ(rig.seen.back().type, EventType::Failed);
    rig.session.receive_eof(rig.now);
    rig.poll();
    EXPECT_TRUE(rig.session.is_done());
  }
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

void expect_same_however_cut(Dialect (*dialect)(), std::string_view hex) {
  const auto bytes = sinnet::test::bytes(hex);
  sinnet::test::expect_same_for_every_chunking(bytes, [&](std::span<const Bytes> pieces) {
    Rig rig(Role::Server, dialect(), quiet());
    for (const Bytes piece : pieces) rig.give(piece);
    return told(rig);
  });
}

TEST(MuxadoAttack, Attack75EverySplitReadsTheSame) {
  expect_same_however_cut(
      muxado_v2,
      "000005 12 00000003 68656c6c6f  000003 40 00000005 000102  000004 20 00000003 00000007"
      "000002 13 00000005 6869  000001 10 00000009 00  000004 00 00000003 00000006"
      "00000b 30 00000000 00000000 00000000 627965  000003 20 00000003 000000");
  expect_same_however_cut(
      muxado_v2_typed,
      "000004 12 00000003 00000007  000006 12 00000005 ffffffff 0102  000002 10 00000005 0304"
      "000003 13 00000007 000000  000005 12 00000009 0000000861  000000 11 00000003"
      "000008 30 00000005 0000000000000000");
  expect_same_however_cut(
      muxado_v1,
      "0008 06 01 00000003 7fffffff fffffeff  0004 00 03 00000003 00000007"
      "0004 04 01 00000005 00000002  0002 01 03 00000005 6869  0004 00 04 00000005 00000001"
      "0000 00 01 00000007  0004 00 02 00000007 00000007"
      "001f 00 06 00000000 00000000 00000000  0000 00 07 00000000");
}

TEST(MuxadoAttack, Attack75ForgedBeatsAreNoAnswer) {
  Rig rig(Role::Client, muxado_v2_typed(), quiet());
  ASSERT_TRUE(rig.session.ping(rig.now));
  (void)rig.take();
  rig.give("000008 10 00000003 00000009 80000000");
  EXPECT_EQ(rig.count(EventType::Pong), 0U);
}

}  // namespace
}  // namespace sinnet::mux
