/// What ws::Connection puts on the wire, in which order, from whose memory; and what a user who stalls or
/// sends too late gets.
#include <gtest/gtest.h>

#include "ws/connection_rig.hpp"

namespace sinnet::ws {
namespace {

constexpr std::array both_roles{Role::Server, Role::Client};

/// Two bytes that tell frames apart.
std::string number(int i) { return test::hex(std::array{std::byte(i / 256), std::byte(i % 256)}); }

SendResult send_text(Rig& rig, std::string_view text) {
  return rig.machine.send(MessageKind::Text, as_bytes(text), rig.now);
}

TEST(ConnectionSend, MessagesAndControlFramesAsRfc6455Section57PrintsThem) {
  Rig server(Role::Server);
  (void)send_text(server, "Hello");
  EXPECT_EQ(server.take(), "810548656c6c6f");
  (void)server.machine.ping(as_bytes("Hello"), server.now);
  EXPECT_EQ(server.take(), "890548656c6c6f");
  Rig client(Role::Client);
  (void)send_text(client, "Hello");
  EXPECT_EQ(client.take(), "818537fa213d7f9f4d5158");
  (void)client.machine.pong(as_bytes("Hello"), client.now);
  EXPECT_EQ(client.take(), "8a8537fa213d7f9f4d5158");
  (void)server.machine.send_piece(MessageKind::Text, as_bytes("Hel"), true, false, server.now);
  (void)server.machine.send_piece(MessageKind::Text, as_bytes("lo"), false, true, server.now);
  EXPECT_EQ(server.take(), "010348656c80026c6f");
}

TEST(ConnectionSend, EveryLengthGetsItsShortestForm) {
  for (const Role role : both_roles) {
    for (const std::size_t size : {0UZ, 125UZ, 126UZ, 2047UZ, 2048UZ, 65535UZ, 65536UZ, 70000UZ}) {
      const std::string payload(size, 'x');
      const std::string expected = frame_hex(role, 0x82, test::hex(as_bytes(payload)));
      Rig rig(role);
      (void)rig.machine.send(MessageKind::Binary, as_bytes(payload), rig.now);
      EXPECT_TRUE(rig.take() == expected) << size;
      (void)rig.machine.send(MessageKind::Binary, Buffer::copy_of(as_bytes(payload)), rig.now);
      EXPECT_TRUE(rig.take() == expected) << size << " in a buffer";
      (void)rig.machine.send(SharedFrame{MessageKind::Binary, as_bytes(payload)}, rig.now);
      EXPECT_TRUE(rig.take() == expected) << size << " shared";
    }
  }
}

TEST(ConnectionSend, Attack41MasksAreConsecutiveDraws) {
  test::SeededRandom random(41);
  test::SeededRandom same(41);
  Resources resources(random);
  const Options options;
  Connection client(Role::Client, options, resources, Time{}, std::nullopt);
  for (int i = 0; i < 10'000; ++i) {
    const std::string payload(static_cast<std::size_t>(i % 7 == 0 ? 3000 : i % 100), 'x');
    (void)(i % 5 == 0 && payload.size() < 125 ? client.ping(as_bytes(payload), Time{})
                                              : client.send(MessageKind::Text, as_bytes(payload), Time{}));
    client.prepare_output(SIZE_MAX, Time{});
    std::array<Slice, 4> slices;
    ASSERT_GE(client.output(slices), 1U);
    const Bytes head = slices[0].bytes();
    const std::size_t key_at = payload.size() < 126 ? 2 : 4;
    const auto key = same.word();
    ASSERT_EQ(test::hex(head.subspan(key_at, 4)), test::hex(key)) << "frame " << i;
    client.consume_output(client.waiting_bytes(), Time{});
  }
}

TEST(ConnectionSend, PrefaceGoesBeforeThePongToAnEarlyPing) {
  Rig server(Role::Server);
  server.machine.send_preface(as_bytes("HTTP/1.1 101 "), server.now);
  server.give("8981 00000000 70 8181 00000000 61");
  EXPECT_EQ(server.take(), test::hex(as_bytes("HTTP/1.1 101 ")) + "8a0170");
}

TEST(ConnectionSend, ControlFramesOvertakeDataThatIsNotFrozen) {
  Rig server(Role::Server);
  const std::string large(3000, 'a');
  (void)send_text(server, large);
  (void)send_text(server, "b");
  EXPECT_EQ(server.write(1, 1), 1U) << "the first frame is frozen and begun";
  (void)server.machine.ping(as_bytes("1"), server.now);
  server.give("8981 00000000 32");
  EXPECT_EQ(server.take(), "817e0bb8" + test::hex(as_bytes(large)) + "890131" + "8a0132" + "810162");
}

TEST(ConnectionSend, FrozenBytesStayTheSameWhateverIsSent) {
  Rig server(Role::Server);
  const std::string large(3000, 'a');
  (void)send_text(server, "one");
  (void)send_text(server, large);
  server.machine.prepare_output(1, server.now);
  const auto frozen = [&] {
    std::array<Slice, 8> slices;
    std::string text;
    const std::size_t count = server.machine.output(slices);
    for (const Slice& slice : std::span{slices}.first(count)) text += test::hex(slice.bytes());
    return text;
  };
  const std::string before = frozen();
  for (int i = 0; i < 2000; ++i) {
    (void)send_text(server, "more");
    (void)server.machine.ping({}, server.now);
  }
  EXPECT_EQ(frozen(), before);
}

TEST(ConnectionSend, Attack36PongsComeInOrderAndAreCoalescedWhenThePeerDoesNotRead) {
  Rig server(Role::Server);
  std::string pings;
  for (int i = 0; i < 3000; ++i) pings += "8982 00000000 " + number(i);
  const std::vector<std::byte> input = test::bytes(pings);
  Bytes view = input;
  while (!view.empty()) {
    server.receive(view);
    server.poll_all();
    server.keep();
    EXPECT_LE(server.machine.waiting_bytes(), 5000U);
  }
  EXPECT_EQ(server.told().size(), 3000U);
  std::string expected;
  for (int i = 0; i < 1024; ++i) expected += "8a02" + number(i);
  EXPECT_EQ(server.take(), expected + "8a020bb7") << "the first 4096 bytes of pongs, then the newest";
  server.give("8982 00000000 0007");
  EXPECT_EQ(server.take(), "8a020007");
}

TEST(ConnectionSend, Attack36NewestOfManyPingsIsAnsweredEvenIfEmpty) {
  Rig server(Role::Server);
  std::string pings;
  for (int i = 0; i < 600; ++i) pings += "8986 00000000 010203040506";
  server.receive(pings + "8980 00000000");
  server.poll_all();
  const std::string wire = server.take();
  EXPECT_EQ(wire.size() / 2, 512U * 8 + 2);
  EXPECT_EQ(wire.substr(wire.size() - 4), "8a00");
}

TEST(ConnectionSend, MessagesWaitForTheEndOfAFragmentedOne) {
  Rig server(Role::Server);
  (void)server.machine.send_piece(MessageKind::Text, as_bytes("a"), true, false, server.now);
  const auto held = send_text(server, "held");
  EXPECT_EQ(held, 9U) << "what is held waits too";
  (void)server.machine.send(SharedFrame{MessageKind::Text, as_bytes("shared")}, server.now);
  const std::string large(3000, 'x');
  (void)server.machine.send(MessageKind::Text, Buffer::copy_of(as_bytes(large)), server.now);
  (void)server.machine.ping({}, server.now);
  EXPECT_EQ(server.take(), "8900010161");
  EXPECT_EQ(server.machine.waiting_bytes(), 6U + 8U + 3004U);
  EXPECT_FALSE(server.machine.has_output());
  (void)server.machine.send_piece(MessageKind::Text, {}, false, true, server.now);
  EXPECT_EQ(server.take(),
            "8000"
            "810468656c64"
            "8106736861726564"
            "817e0bb8" +
                test::hex(as_bytes(large)));
}

TEST(ConnectionSend, PiecesOutOfOrderAreRefused) {
  Rig rig(Role::Server);
  EXPECT_EQ(rig.machine.send_piece(MessageKind::Text, {}, false, true, rig.now).error(),
            SendError::OutOfOrder);
  EXPECT_TRUE(rig.machine.send_piece(MessageKind::Text, {}, true, false, rig.now).has_value());
  EXPECT_EQ(rig.machine.send_piece(MessageKind::Text, {}, true, false, rig.now).error(),
            SendError::OutOfOrder);
  EXPECT_EQ(rig.take(), "0100");
}

TEST(ConnectionSend, CloseDropsWhatIsHeldByAMessageThatWillNotEnd) {
  Rig rig(Role::Server);
  (void)rig.machine.send_piece(MessageKind::Text, as_bytes("a"), true, false, rig.now);
  (void)send_text(rig, "held");
  rig.machine.close(CloseCode::Normal, {}, rig.now);
  EXPECT_EQ(rig.take(),
            "010161"
            "880203e8");
  EXPECT_EQ(rig.machine.waiting_bytes(), 0U);
}

TEST(ConnectionSend, NothingIsSentAfterClose) {
  for (const Role role : both_roles) {
    Rig rig(role);
    rig.machine.close(CloseCode::NoStatus, {}, rig.now);
    EXPECT_EQ(rig.take(), frame_hex(role, 0x88, ""));
    EXPECT_EQ(send_text(rig, "x").error(), SendError::Closing);
    EXPECT_EQ(rig.machine.send(MessageKind::Text, Buffer::allocate(5000), rig.now).error(),
              SendError::Closing);
    EXPECT_EQ(rig.machine.send(SharedFrame{MessageKind::Text, {}}, rig.now).error(), SendError::Closing);
    EXPECT_EQ(rig.machine.send_piece(MessageKind::Text, {}, true, true, rig.now).error(), SendError::Closing);
    EXPECT_EQ(rig.machine.ping({}, rig.now).error(), SendError::Closing);
    EXPECT_EQ(rig.machine.pong({}, rig.now).error(), SendError::Closing);
    rig.machine.close(CloseCode::Normal, {}, rig.now);
    EXPECT_EQ(rig.take(), "");
  }
}

TEST(ConnectionSend, CloseReasonIsCutBeforeACharacterThatDoesNotFit) {
  Rig rig(Role::Server);
  rig.machine.close(CloseCode::GoingAway, std::string(122, 'a') + "\u20ac", rig.now);
  EXPECT_EQ(rig.take(), "887c03e9" + test::hex(as_bytes(std::string(122, 'a'))));
}

TEST(ConnectionSend, DrainedIsToldOnceTheQueueIsBelowHalf) {
  Rig rig(Role::Server, {.drained_below_bytes = 1000});
  (void)send_text(rig, std::string(900, 'a'));
  rig.flush();
  EXPECT_EQ(rig.told(), Told{}) << "it never was above";
  EXPECT_EQ(send_text(rig, std::string(1200, 'a')), 1204U);
  EXPECT_EQ(rig.write(703), 703U);
  EXPECT_EQ(rig.told(), Told{});
  EXPECT_EQ(rig.write(1), 1U);
  EXPECT_TRUE(rig.machine.has_event());
  EXPECT_EQ(rig.told(), Told{"drained"});
  rig.flush();
  EXPECT_EQ(rig.told(), Told{}) << "once";
}

TEST(ConnectionSend, NothingIsToldAfterClosed) {
  Rig rig(Role::Client, {.drained_below_bytes = 10});
  (void)send_text(rig, "more than ten bytes");
  rig.receive("880203e8");
  rig.poll_all();
  rig.flush();
  EXPECT_EQ(rig.told(), Told{"closed 1000 clean "});
  EXPECT_FALSE(rig.machine.has_event());
}

TEST(ConnectionSend, EchoOfALentPayloadReferencesItUntilItIsKept) {
  Rig server(Role::Server);
  const std::string payload(5000, 'e');
  server.receive("82fe138800000000" + test::hex(as_bytes(payload)));
  const auto event = server.machine.poll_event();
  ASSERT_TRUE(event);
  (void)server.machine.send(MessageKind::Binary, event->payload, server.now);
  server.machine.prepare_output(SIZE_MAX, server.now);
  std::array<Slice, 4> slices;
  ASSERT_EQ(server.machine.output(slices), 2U);
  EXPECT_EQ(slices[1].data, event->payload.data()) << "not copied";
  EXPECT_EQ(slices[1].size, 5000U);
  server.machine.consume_output(4 + 1000, server.now);
  server.keep();
  std::fill(server.block.begin(), server.block.end(), std::byte{0});
  ASSERT_EQ(server.machine.output(slices), 1U);
  EXPECT_TRUE(as_text(slices[0].bytes()) == std::string(4000, 'e'));
}

TEST(ConnectionSend, EchoOfACollectedMessageSharesItsMemory) {
  Rig server(Role::Server);
  const std::string payload(5000, 'e');
  server.give("02fe138800000000" + test::hex(as_bytes(payload)));
  server.receive("8080 00000000");
  const auto event = server.machine.poll_event();
  ASSERT_TRUE(event);
  const void* at = event->payload.data();
  (void)server.machine.send(MessageKind::Binary, event->payload, server.now);
  EXPECT_EQ(server.poll_one(), "");
  server.keep();
  server.machine.prepare_output(SIZE_MAX, server.now);
  std::array<Slice, 4> slices;
  ASSERT_EQ(server.machine.output(slices), 2U);
  EXPECT_EQ(slices[1].data, at);
  EXPECT_TRUE(as_text(slices[1].bytes()) == payload);
}

// The stalled reader: the user stops polling, later goes on, and nothing is lost or changed.
TEST(ConnectionSend, StalledUserFindsEveryMessageLater) {
  for (const Role role : both_roles) {
    const Role peer = other(role);
    const std::string input = frame_hex(peer, 0x81, "61") + frame_hex(peer, 0x01, "62") +
                              frame_hex(peer, 0x89, "70") + frame_hex(peer, 0x80, "63") +
                              frame_hex(peer, 0x82, "0102") + frame_hex(peer, 0x81, "64").substr(0, 4);
    for (int polled = 0; polled <= 4; ++polled) {
      Rig rig(role);
      rig.receive(input);
      Told all;
      for (int i = 0; i < polled; ++i) all.push_back(rig.poll_one());
      rig.keep();
      std::fill(rig.block.begin(), rig.block.end(), std::byte{0xEE});
      EXPECT_FALSE(rig.machine.wants_input());
      EXPECT_TRUE(rig.machine.has_event());
      rig.wait(1000s);
      // Again one at a time, with a pause after each.
      for (std::string event = rig.poll_one(); !event.empty(); event = rig.poll_one()) {
        all.push_back(event);
        rig.keep();
      }
      EXPECT_EQ(all, (Told{"text a", "ping 70", "text bc", "binary 0102"}));
      EXPECT_EQ(rig.take(), frame_hex(role, 0x8A, "70"));
      EXPECT_TRUE(rig.machine.wants_input());
      rig.give(frame_hex(peer, 0x81, "64").substr(4));
      EXPECT_EQ(rig.told(), Told{"text d"});
    }
  }
}

}  // namespace
}  // namespace sinnet::ws
