/// Attacks on a multiplexer whose frames are messages of the carrier: wsmux and js-ws. The same numbers as in
/// attack_test.cpp.
#include <gtest/gtest.h>

#include <bit>
#include <cstdio>

#include "mux/rig.hpp"
#include "sinnet/mux/js_ws.hpp"
#include "sinnet/mux/wsmux.hpp"
#include "support/chunking.hpp"

namespace sinnet::mux {
namespace {

using test::Rig;
using test::Seen;

Dialect wsmux_unknown() { return wsmux(); }
Dialect wsmux_lenient() { return wsmux({.is_strict = false}); }

/// Frames of a client, and what its server may see of them.
struct Words {
  Dialect (*dialect)();
  std::string (*open)(std::uint32_t serial);
  std::string (*data)(std::uint32_t serial);  ///< header only: payload follows
};

std::string hex_of(const char* format, std::uint32_t value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}
std::uint32_t swapped(std::uint32_t id) { return std::byteswap(id); }

const Words wsmux_words{wsmux_unknown,
                        [](std::uint32_t serial) { return hex_of("01%08x", swapped(serial * 2 + 1)); },
                        [](std::uint32_t serial) { return hex_of("00%08x", swapped(serial * 2 + 1)); }};
const Words js_ws_words{
    js_ws, [](std::uint32_t serial) { return hex_of("%08x", 0x80000000U | serial * 2) + "000100000010"; },
    [](std::uint32_t serial) { return hex_of("%08x", 0x80000000U | serial * 2) + "0000"; }};

class MessageAttack : public ::testing::TestWithParam<Words> {};

TEST_P(MessageAttack, Attack67OpeningsWithoutEndAreRefusedAtACap) {
  Rig rig(Role::Server, GetParam().dialect(), {.unaccepted_max = 10});
  rig.accepts = false;
  for (std::uint32_t i = 0; i < 500; ++i) rig.give(GetParam().open(i));
  EXPECT_EQ(rig.session.statistics().streams, 10U);
  EXPECT_EQ(rig.session.statistics().streams_refused, 490U);
  EXPECT_LE(rig.session.waiting_bytes(), 32U * 1024);
}

TEST_P(MessageAttack, Attack68PayloadWithoutCreditIsNoStreams) {
  Rig rig(Role::Server, GetParam().dialect(), {.stream_window = 1024});
  rig.consumes = false;
  rig.give(GetParam().open(0));
  (void)rig.take();
  std::string message = GetParam().data(0);
  for (int i = 0; i < 1025; ++i) message += "78";
  rig.give(message);
  EXPECT_TRUE(rig.session.state() == SessionState::Failing ||
              rig.last(EventType::Ended).end == EndReason::Broken);
  EXPECT_EQ(rig.session.statistics().unread_bytes, 0U);
}

TEST_P(MessageAttack, Attack71EmptyPayloadInAFloodFailsTheSession) {
  Rig rig(Role::Server, GetParam().dialect());
  rig.give(GetParam().open(0));
  for (int i = 0; i < 1001 && rig.session.state() == SessionState::Open; ++i) rig.give(GetParam().data(0));
  EXPECT_EQ(rig.last(EventType::Failed).fault, Fault::Calm);
}

TEST_P(MessageAttack, Attack72BytesBeyondTheBudgetCostTheWorstStream) {
  Rig rig(Role::Server, GetParam().dialect(), {.stream_window = 100000, .budget_bytes = 64 * 1024});
  rig.consumes = false;
  for (std::uint32_t i = 0; i < 100; ++i) {
    rig.give(GetParam().open(i));
    (void)rig.take();
    const auto window = rig.session.statistics(rig.last_opened).value_or(StreamStatistics{}).window_bytes;
    std::vector<std::byte> message = sinnet::test::bytes(GetParam().data(i));
    message.resize(message.size() + window, std::byte{'x'});
    rig.give(message);
    EXPECT_LE(rig.session.statistics().unread_bytes, 64U * 1024);
    (void)rig.take();
  }
  EXPECT_EQ(rig.count(EventType::Failed), 0U);
}

TEST_P(MessageAttack, Attack74DeathTellsEveryStreamOnceAndTheSessionLast) {
  Rig rig(Role::Server, GetParam().dialect());
  rig.accepts = false;
  for (std::uint32_t i = 0; i < 50; ++i) rig.give(GetParam().open(i));
  for (int i = 0; i < 50; ++i) (void)rig.open();
  rig.give(Bytes{});
  EXPECT_FALSE(rig.session.open({}, rig.now));
  (void)rig.take();
  EXPECT_EQ(rig.count(EventType::Ended), 100U);
  EXPECT_EQ(rig.seen.back().type, EventType::Failed);
  rig.session.receive_eof(rig.now);
  rig.poll();
  EXPECT_TRUE(rig.session.is_done());
}

INSTANTIATE_TEST_SUITE_P(Dialects, MessageAttack, ::testing::Values(wsmux_words, js_ws_words),
                         [](const auto& which) { return which.index == 0 ? "Wsmux" : "JsWs"; });

TEST(MessageAttack, Attack70ResetsInAFloodFailTheSession) {
  Rig rig(Role::Server, js_ws());
  for (std::uint32_t i = 0; i < 1001 && rig.session.state() == SessionState::Open; ++i) {
    rig.give(js_ws_words.open(i));
    rig.give(hex_of("%08x", 0x80000000U | i * 2) + "00020007");
    (void)rig.take();
  }
  EXPECT_EQ(rig.last(EventType::Failed).reason, "too many resets");
}

TEST(MessageAttack, Attack70AnswersToOurOwnResetsAreNoFlood) {
  Rig rig(Role::Server, js_ws());
  for (std::uint32_t i = 0; i < 3000; ++i) {
    rig.give(js_ws_words.open(i));
    ASSERT_TRUE(rig.session.stop_receiving(rig.last_opened, 5, rig.now));
    (void)rig.take();
    rig.give(hex_of("%08x", 0x80000000U | i * 2) + "00020005");
  }
  EXPECT_EQ(rig.count(EventType::Failed), 0U);
}

/// The messages of `bytes` (a count before each), cut where `pieces` are cut.
std::string played(Dialect (*dialect)(), std::span<const std::size_t> sizes, std::span<const Bytes> pieces) {
  Rig rig(Role::Server, dialect());
  std::size_t message = 0;
  std::size_t left = sizes[0];
  bool first = true;
  for (Bytes piece : pieces) {
    while (!piece.empty()) {
      const std::size_t size = std::min(left, piece.size());
      std::vector<std::byte> block(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(size));
      piece = piece.subspan(size);
      left -= size;
      if (rig.session.wants_input()) rig.session.receive_piece(block, first, left == 0, rig.now);
      rig.poll();
      rig.session.keep_input();
      first = left == 0;
      if (first) left = ++message < sizes.size() ? sizes[message] : SIZE_MAX;
    }
  }
  std::string all;
  for (const Seen& event : rig.seen) {
    if (event.type != EventType::Data)
      all += "<" + std::to_string(static_cast<int>(event.type)) + "," + std::to_string(event.stream.slot) +
             "," + std::to_string(event.code) + event.reason + ">";
    all += event.payload;
  }
  return all + "|" + rig.take();
}

void expect_same(Dialect (*dialect)(), std::initializer_list<const char*> messages) {
  std::vector<std::byte> all;
  std::vector<std::size_t> sizes;
  for (const char* text : messages) {
    const std::vector<std::byte> bytes = sinnet::test::bytes(text);
    all.insert(all.end(), bytes.begin(), bytes.end());
    sizes.push_back(bytes.size());
  }
  sinnet::test::expect_same_for_every_chunking(
      all, [&](std::span<const Bytes> pieces) { return played(dialect, sizes, pieces); });
}

TEST(MessageAttack, Attack75EverySplitReadsTheSame) {
  expect_same(wsmux_unknown, {"01 01000000", "01 03000000", "02 01000000 10000000", "03 03000000",
                              "00 09000000 7879", "03 01000000", "02 01000000 0102030405"});
  expect_same(wsmux_lenient, {"01 01000000", "04 01", "02 01000000 0102030405", "ff", "03 01000000 00",
                              "02 03000000 01", "03 01000000", "01 03000000", "00 03000000 78"});
  expect_same(js_ws, {"00 0001 00000010", "4002 0001 00000010 ffff", "00 0003 00", "4002 0002 01 412c",
                      "04 0001 0000", "06 0001 00000010", "06 0002 02 00", "08 0000 7879", "40"});
}

}  // namespace
}  // namespace sinnet::mux
