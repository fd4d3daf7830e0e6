/// Attacks on the frame layer over a real socket (docs/attacks.md, B): the exact close code, and that others
/// are served behind it.

#include "endpoint/live_server.hpp"

namespace sinnet::test {
namespace {

using endpoint::CloseInfo;
using endpoint::Connection;
using endpoint::Message;
using endpoint::ServerOptions;

constexpr std::size_t message_bytes_max = 64 * 1024;

class AttackFrames : public ::testing::Test {
 protected:
  void SetUp() override {
    ServerOptions options;
    options.websocket.message_bytes_max = message_bytes_max;
    options.websocket.close_timeout = 150ms;
    options.limits.send_queue_bytes = 256 * 1024;
    live = std::make_unique<LiveServer>(std::move(options));
    live->start();
  }
  void TearDown() override { EXPECT_TRUE(live->serves_others()); }

  /// Sends the bytes behind an opening and expects this close code, the end, and another client to be served.
  void expect_close(std::string_view wire, unsigned code) {
    SocketClient client = live->open();
    client.send(wire);
    EXPECT_EQ(client.read_close_code(), code);
    EXPECT_TRUE(client.waits_for_end());
    EXPECT_TRUE(live->serves_others());
  }

  std::unique_ptr<LiveServer> live;
};

TEST_F(AttackFrames, Attack20LengthsBeyondTheLimitFailFromTheHeader) {
  expect_close(wire_header(2, std::uint64_t{1} << 63, {.length_bytes = 8}), 1002);
  expect_close(wire_header(2, (std::uint64_t{1} << 63) - 1, {.length_bytes = 8}), 1009);
  expect_close(wire_header(2, message_bytes_max + 1, {.length_bytes = 8}), 1009);
}

TEST_F(AttackFrames, Attack21LengthOfAllOnesIs1002) { expect_close(wire_header(2, ~std::uint64_t{0}), 1002); }

TEST_F(AttackFrames, Attack22LengthsThatOverflowWithTheHeaderAreRefused) {
  for (const std::uint64_t length : {std::uint64_t{0xfffffffffffffff1}, std::uint64_t{0x7ffffffffffffff1}}) {
    expect_close(wire_header(2, length), length >> 63 != 0 ? 1002 : 1009);
  }
  // Inside a message that has begun: the sum counts.
  expect_close(wire_frame(2, std::string(100, 'x'), {.fin = false}) + wire_header(0, 0x7fffffffffffffff),
               1009);
}

TEST_F(AttackFrames, Attack23OldDraftFramesAre1002) {
  expect_close(std::string("\x00hello\xff", 7), 1002);
  expect_close(std::string(14, '\xff'), 1002);
}

TEST_F(AttackFrames, Attack24NonMinimalLengthIs1002) {
  expect_close(wire_frame(1, "x", {.length_bytes = 2}), 1002);
  expect_close(wire_frame(1, "x", {.length_bytes = 8}), 1002);
  expect_close(wire_frame(2, std::string(65'535, 'x'), {.length_bytes = 8}), 1002);
}

TEST_F(AttackFrames, Attack25ReservedBitsAndOpcodesAre1002) {
  for (const unsigned rsv : {4U, 2U, 1U}) {
    expect_close(wire_frame(1, "x", {.rsv = rsv}), 1002);
    expect_close(wire_frame(9, "x", {.rsv = rsv}), 1002);
  }
  for (const unsigned opcode : {3U, 4U, 5U, 6U, 7U, 11U, 12U, 13U, 14U, 15U})
    expect_close(wire_frame(opcode, ""), 1002);
}

TEST_F(AttackFrames, Attack26UnmaskedFrameIs1002AndMaskZeroIsLegal) {
  expect_close(wire_frame(1, "x", {.masked = false}), 1002);
  expect_close(wire_frame(8, close_payload(1000), {.masked = false}), 1002);
  SocketClient client = live->open();
  client.send_frame(1, "plain", {.mask = 0});
  EXPECT_EQ(client.read_frame()->payload, "plain");
}

TEST_F(AttackFrames, Attack27BadControlFramesAre1002) {
  expect_close(wire_frame(9, std::string(126, 'x')), 1002);
  expect_close(wire_frame(9, "x", {.fin = false}), 1002);
  expect_close(wire_frame(8, "x"), 1002);
  for (const unsigned code : {0U, 999U, 1004U, 1005U, 1006U, 1015U, 1016U, 2999U, 5000U, 65535U}) {
    expect_close(wire_frame(8, close_payload(code)), 1002);
  }
  for (const unsigned code : {1000U, 1003U, 1007U, 1014U, 3000U, 4999U}) {
    expect_close(wire_frame(8, close_payload(code)), code);
  }
  expect_close(wire_frame(8, close_payload(1000, "\xff")), 1007);
}

TEST_F(AttackFrames, Attack28FragmentsOutOfOrderAre1002) {
  expect_close(wire_frame(0, "x"), 1002);
  expect_close(wire_frame(1, "x", {.fin = false}) + wire_frame(1, "y"), 1002);
}

TEST_F(AttackFrames, Attack28PingsBetweenFragmentsAreAnsweredAtOnce) {
  SocketClient client = live->open();
  client.send(wire_frame(1, "a", {.fin = false}) + wire_frame(9, "now"));
  const auto pong = client.read_frame();
  ASSERT_TRUE(pong);
  EXPECT_EQ(pong->opcode, 10u);
  EXPECT_EQ(pong->payload, "now");
  client.send_frame(0, "b");
  EXPECT_EQ(client.read_frame()->payload, "ab");
}

TEST_F(AttackFrames, Attack29BadUtf8Is1007AtTheFirstBadByte) {
  for (const std::string_view bad : {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "ab\xe2\x82", "\xff"}) {
    expect_close(wire_frame(1, bad), 1007);
    for (std::size_t split = 0; split <= bad.size(); ++split) {
      expect_close(wire_frame(1, bad.substr(0, split), {.fin = false}) + wire_frame(0, bad.substr(split)),
                   1007);
    }
  }
  // The message is far from whole: the bad byte alone is enough.
  expect_close(wire_header(1, 60'000, {.mask = 0}) + "abc\xff", 1007);
}

TEST(AttackFramesBehindClose, Attack30WhatComesBehindACloseIsIgnored) {
  Reports reports;
  LiveServer live;
  ASSERT_TRUE(
      live.server.route("/x", {.open = {},
                               .message = [&](Connection&, const Message&) { reports.add("message"); },
                               .drained = {},
                               .close = [&](Connection&, const CloseInfo&) { reports.add("close"); }}));
  live.start();
  SocketClient client = live.open("/x");
  client.send(wire_frame(8, close_payload(1000)) + wire_frame(1, "late") + wire_frame(9, "late"));
  EXPECT_EQ(client.read_frame()->close_code(), 1000u);
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_TRUE(live.serves_others());
  live.server.stop();
  EXPECT_EQ(reports.now(), std::vector<std::string>{"close"});
}

TEST_F(AttackFrames, Attack31SegmentationChangesNothing) {
  const std::string wire = wire_frame(1, "one") + wire_frame(1, "t", {.fin = false}) + wire_frame(9, "p") +
                           wire_frame(0, "wo") + wire_frame(2, std::string(300, 'x')) +
                           wire_frame(8, close_payload(1000));
  std::vector<std::string> whole;
  for (const std::size_t piece : {wire.size(), std::size_t{1}, std::size_t{7}}) {
    SocketClient client = live->open();
    client.send_pieces(wire, piece);
    // Control frames overtake data, as far as that had not been written: they are compared by themselves.
    std::vector<std::string> answer{""};
    while (const auto frame = client.read_frame()) {
      if (frame->opcode < 8) answer.push_back(std::to_string(frame->opcode) + frame->payload);
      if (frame->opcode >= 8) answer[0] += std::to_string(frame->opcode) + frame->payload;
    }
    if (whole.empty()) whole = answer;
    EXPECT_EQ(whole.size(), 4u);
    EXPECT_EQ(answer, whole) << piece;
  }
}

TEST_F(AttackFrames, Attack31TenThousandTinyFramesInOneSegmentAreAllAnswered) {
  std::string wire;
  for (int i = 0; i < 10'000; ++i) wire += wire_frame(1, "x");
  SocketClient client = live->open();
  client.send(wire);
  EXPECT_EQ(client.read_exactly(30'000).size(), 30'000u);
  EXPECT_TRUE(live->serves_others());
}

TEST_F(AttackFrames, Attack32EndlessFragmentsAre1009) {
  SocketClient client = live->open();
  client.send_frame(2, std::string(1000, 'x'), {.fin = false});
  const std::string fragment = wire_frame(0, std::string(1000, 'x'), {.fin = false});
  for (int i = 0; i < 200 && client.send(fragment); ++i) {
  }
  EXPECT_EQ(client.read_close_code(), 1009u);
  EXPECT_TRUE(live->serves_others());
}

TEST_F(AttackFrames, Attack33SixtyFiveThousandFragmentsAreOneMessage) {
  std::string wire = wire_frame(2, "", {.fin = false});
  const std::string fragment = wire_frame(0, "x", {.fin = false});
  for (std::size_t i = 0; i < message_bytes_max; ++i) wire += fragment;
  for (int i = 0; i < 10'000; ++i) wire += wire_frame(0, "", {.fin = false});
  SocketClient client = live->open();
  EXPECT_TRUE(client.send(wire + wire_frame(0, "")));
  const auto frame = client.read_frame();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->payload, std::string(message_bytes_max, 'x'));
}

TEST(AttackDefaults, Attack34DefaultsAreFinite) {
  const ServerOptions options;
  LiveServer live(options);
  live.start();
  SocketClient client = live.open();
  client.send(wire_header(2, options.websocket.message_bytes_max + 1));
  EXPECT_EQ(client.read_close_code(), 1009u);
  EXPECT_LE(options.websocket.message_bytes_max, 16u * 1024 * 1024);
  EXPECT_LE(options.http.head.head_bytes_max, 64u * 1024);
  EXPECT_TRUE(live.serves_others());
}

TEST(AttackIdle, Attack35DeclaredButMissingPayloadEndsAtThePongDeadline) {
  ServerOptions options;
  options.websocket.message_bytes_max = std::uint64_t{1} << 30;
  options.websocket.ping_interval = 100ms;
  options.websocket.pong_timeout = 100ms;
  LiveServer live(options);
  live.start();
  SocketClient client = live.open();
  client.send(wire_header(2, std::uint64_t{1} << 30) + "abc");
  EXPECT_EQ(client.read_frame()->opcode, 9u);
  EXPECT_TRUE(client.waits_for_end());
  EXPECT_TRUE(live.serves_others());
}

TEST_F(AttackFrames, Attack36PingFloodOfAPeerThatNeverReadsIsHeldBack) {
  SocketClient client = SocketClient::tcp(live->port, "127.0.0.1", 4096);
  ASSERT_EQ(status_of(client.upgrade("/echo")), 101);
  std::string pings;
  for (int i = 0; i < 500; ++i) pings += wire_frame(9, std::string(125, 'p'));
  // Its pongs are coalesced, so it may go on for ever; what it costs us is the pings' own CPU.
  client.send_until_blocked(pings, 16 * 1024 * 1024, 100);
  EXPECT_TRUE(live->serves_others());
}

TEST_F(AttackFrames, Attack36FloodsOfPongsAndEmptyMessagesChangeNothing) {
  std::string pongs;
  for (int i = 0; i < 20'000; ++i) pongs += wire_frame(10, i % 2 == 0 ? "" : "unasked");
  SocketClient client = live->open();
  EXPECT_TRUE(client.send(pongs));
  std::string empty;
  for (int i = 0; i < 20'000; ++i) empty += wire_frame(2, "");
  EXPECT_TRUE(client.send(empty + wire_frame(8, close_payload(1000))));
  const std::string answer = client.read_to_end();
  EXPECT_EQ(answer.size(), 20'000u * 2 + 4) << "each empty message echoed, then the Close";
  EXPECT_EQ(answer.substr(answer.size() - 4), std::string("\x88\x02\x03\xe8", 4));
}

TEST_F(AttackFrames, Attack36EchoFloodOfAPeerThatNeverReadsStopsItsSocket) {
  SocketClient client = SocketClient::tcp(live->port, "127.0.0.1", 4096);
  ASSERT_EQ(status_of(client.upgrade("/echo")), 101);
  const std::size_t bytes_max = 64 * 1024 * 1024;
  EXPECT_LT(client.send_until_blocked(wire_frame(2, std::string(16 * 1024, 'x')), bytes_max), bytes_max);
  EXPECT_TRUE(live->serves_others());
}

TEST(AttackSlowReader, Attack37WhoNeverReadsABroadcastIsClosedAndNobodyElse) {
  ServerOptions options;
  options.limits.send_queue_bytes = 256 * 1024;
  options.websocket.close_timeout = 150ms;
  Reports ends;
  LiveServer live(options);
  ASSERT_TRUE(live.server.route("/all", {.open = [](Connection& connection) { connection.join("all"); },
                                         .message = {},
                                         .drained = {},
                                         .close =
                                             [&](Connection& connection, const CloseInfo& info) {
                                               ends.add(std::string(connection.protocol()) +
                                                        std::to_string(static_cast<unsigned>(info.code)));
                                             }}));
  live.start();
  SocketClient slow = SocketClient::tcp(live.port, "127.0.0.1", 4096);
  ASSERT_EQ(status_of(slow.upgrade("/all")), 101);
  SocketClient quick = live.open("/all");
  const std::string text(100'000, 'b');
  for (int i = 0; i < 300; ++i) {  // far more than the kernel takes for who does not read
    ASSERT_TRUE(live.server.publish("all", ws::MessageKind::Text, as_bytes(text)));
    const auto frame = quick.read_frame();
    ASSERT_TRUE(frame && frame->payload == text) << i;
  }
  EXPECT_EQ(ends.wait(1).size(), 1u) << "the slow one is gone, the quick one is not";
  EXPECT_TRUE(comes_true([&] { return live.server.statistics().connections == 1; }));
  ASSERT_TRUE(live.server.publish("all", ws::MessageKind::Text, as_bytes(text)));
  EXPECT_TRUE(quick.read_frame());
  EXPECT_TRUE(live.serves_others());
}

TEST_F(AttackFrames, Attack42PeerThatNeverAnswersCloseIsGoneAfterTheDeadline) {
  SocketClient client = live->open();
  client.send_frame(3, "");  // we fail it; it neither answers nor closes
  EXPECT_EQ(client.read_close_code(), 1002u);
  EXPECT_TRUE(comes_true([&] { return live->server.statistics().connections == 0; }));
}

TEST(AttackIdle, Attack42PeerThatFallsSilentIsGoneAfterTheDeadline) {
  ServerOptions options;
  options.websocket.ping_interval = 50ms;
  options.websocket.pong_timeout = 50ms;
  LiveServer live(options);
  live.start();
  SocketClient client = live.open();
  EXPECT_TRUE(comes_true([&] { return live.server.statistics().connections == 0; }));
  EXPECT_TRUE(live.serves_others());
}

TEST_F(AttackFrames, Attack43ResetOrEndAtEveryByteIsSurvived) {
  const std::string head = upgrade_head("/echo");
  const std::string wire = head + wire_frame(1, std::string(200, 'x')) + wire_frame(8, close_payload(1000));
  for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
    for (const bool resets : {true, false}) {
      SocketClient client = live->connect();
      client.send(std::string_view(wire).substr(0, cut));
      if (resets) {
        client.reset();
        continue;
      }
      client.shutdown_write();
      EXPECT_TRUE(client.waits_for_end()) << cut;
    }
  }
  EXPECT_TRUE(live->serves_others());
  EXPECT_TRUE(comes_true([&] { return live->server.statistics().connections == 0; }));
}

}  // namespace
}  // namespace sinnet::test
