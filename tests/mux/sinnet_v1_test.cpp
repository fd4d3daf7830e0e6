/// The dialect sinnet.mux.v1 against its page (docs/protocol/sinnet.mux.v1.md), in bytes.
#include "sinnet/mux/sinnet_v1.hpp"

#include <gtest/gtest.h>

#include "mux/rig.hpp"

namespace sinnet::mux {
namespace {

using namespace std::chrono_literals;
using test::Rig;

SessionOptions quiet() { return {.probe_interval = Duration{}, .measures_path = false}; }

/// Section 9: 256 KiB, 512 KiB, 10000.
constexpr std::string_view defaults =
    "0011534d5801018004000002800800000"
    "36710";
constexpr std::string_view least = "00 04 534d5801";

TEST(SinnetV1, ThePagesExampleIsWhatGoesOverTheWire) {
  Rig client(Role::Client, sinnet_v1(), quiet());
  Rig server(Role::Server, sinnet_v1(), quiet());
  const Stream stream = client.open();
  ASSERT_EQ(client.session.write(stream, as_bytes("hello"), client.now), 5U);
  ASSERT_TRUE(client.session.close_write(stream, client.now));
  const std::vector<std::byte> sent = client.take_bytes();
  EXPECT_EQ(sinnet::test::hex(sent), std::string(defaults) + "0103010003" +
                                         "110601"
                                         "68656c6c6f");
  server.give(sent);
  EXPECT_EQ(server.last(EventType::Data).payload, "hello");
  EXPECT_EQ(server.count(EventType::Finished), 1U);
  ASSERT_EQ(server.session.write(server.last_opened, as_bytes("ok"), server.now), 2U);
  ASSERT_TRUE(server.session.close_write(server.last_opened, server.now));
  const std::vector<std::byte> answer = server.take_bytes();
  EXPECT_EQ(sinnet::test::hex(answer), std::string(defaults) +
                                           "110301"
                                           "6f6b");
  client.give(answer);
  EXPECT_EQ(client.last(EventType::Ended).end, EndReason::Finished);
  client.session.go_away(0, "", client.now);
  EXPECT_EQ(client.take(), "09020000");
  EXPECT_TRUE(client.session.wants_shutdown_write());
}

TEST(SinnetV1, OpeningCarriesTypeUrgencyAndMetadata) {
  Rig client(Role::Client, sinnet_v1(), quiet());
  (void)client.take();
  (void)client.open({.stream_type = 700, .urgency = 1, .metadata = as_bytes("db")});
  EXPECT_EQ(client.take(), "01060142bc016462");
  Rig server(Role::Server, sinnet_v1(), quiet());
  std::vector<std::byte> block = sinnet::test::bytes(std::string(least) + "01060142bc016462");
  server.session.receive(block, server.now);
  const std::optional<Event> event = server.session.poll_event();
  ASSERT_TRUE(event && event->type == EventType::Opened);
  EXPECT_EQ(event->stream_type, 700U);
  EXPECT_EQ(event->urgency, 1U);
  EXPECT_EQ(as_text(event->metadata), "db");
}

TEST(SinnetV1, AStopIsAnsweredWithAResetOfTheSameCode) {
  Rig rig(Role::Client, sinnet_v1(), quiet());
  const Stream stream = rig.open();
  (void)rig.take();
  rig.give(std::string(least) + "03 03 01 412c");
  EXPECT_EQ(rig.last(EventType::Stopped).code, 300U);
  EXPECT_EQ(rig.take(), "020301412c");
  EXPECT_FALSE(rig.session.write(stream, as_bytes("x"), rig.now));
  EXPECT_TRUE(rig.session.is_live(stream)) << "the other direction goes on";
  rig.give("11 03 01 6f6b");
  EXPECT_EQ(rig.last(EventType::Data).payload, "ok");
  EXPECT_EQ(rig.last(EventType::Ended).code, 300U);
}

TEST(SinnetV1, StopReceivingStopsOneDirection) {
  Rig rig(Role::Client, sinnet_v1(), quiet());
  const Stream stream = rig.open();
  (void)rig.take();
  rig.give(least);
  ASSERT_TRUE(rig.session.stop_receiving(stream, 256, rig.now));
  EXPECT_EQ(rig.take(), "0303014100");
  rig.give("10 02 01 78  02 03 01 4100");
  EXPECT_EQ(rig.count(EventType::Data), 0U);
  EXPECT_EQ(rig.session.write(stream, as_bytes("x"), rig.now), 1U);
}

TEST(SinnetV1, ResetAndRefusalSayBothDirections) {
  Rig rig(Role::Server, sinnet_v1(), quiet());
  rig.accepts = false;
  rig.give(std::string(least) + "01 03 01 00 03  01 03 03 00 03");
  (void)rig.take();
  ASSERT_TRUE(rig.session.refuse({.slot = 0, .generation = 1}, 0, rig.now));
  EXPECT_EQ(rig.take(),
            "03020103"
            "02020103");
  ASSERT_TRUE(rig.session.reset({.slot = 1, .generation = 1}, 256, rig.now));
  EXPECT_EQ(rig.take(),
            "0303034100"
            "0203034100");
}

TEST(SinnetV1, RefusalIsToldAsOne) {
  Rig rig(Role::Client, sinnet_v1(), quiet());
  (void)rig.open();
  (void)rig.take();
  rig.give(std::string(least) + "03 02 01 03  02 02 01 03");
  EXPECT_EQ(rig.last(EventType::Ended).end, EndReason::Refused);
}

TEST(SinnetV1, ConnectionCreditAdvancesOnReceiptThoughNobodyReads) {
  Rig rig(Role::Server, sinnet_v1(), quiet());
  rig.consumes = false;
  rig.give(std::string(least) + "01 03 01 00 03");
  (void)rig.take();
  const std::vector<std::byte> payload(65536, std::byte{'x'});
  std::vector<std::byte> frame = sinnet::test::bytes("10 80010001 01");
  frame.insert(frame.end(), payload.begin(), payload.end());
  rig.give(frame);
  EXPECT_EQ(rig.take(), "050480090000") << "524288 + 65536, and no credit for the stream";
  rig.session.consume(rig.last_opened, 65536, rig.now);
  EXPECT_EQ(rig.take(), "04050180050000") << "262144 + 65536";
}

TEST(SinnetV1, BlockedIsSaidWhenCreditRunsOut) {
  Rig rig(Role::Client, sinnet_v1(), quiet());
  const Stream stream = rig.open();
  (void)rig.take();
  rig.give(least);
  std::size_t sent = 0;
  std::vector<std::byte> bytes;
  for (int i = 0; i < 4; ++i) {
    sent += rig.write(stream, 30000);
    if (std::vector<std::byte> frame = rig.take_bytes(); !frame.empty()) bytes = std::move(frame);
  }
  EXPECT_EQ(sent, 65536U);
  EXPECT_EQ(bytes.at(0), std::byte{0x12}) << "the last one";
  rig.give("04 05 01 80020000");
  EXPECT_EQ(rig.count(EventType::Writable), 1U);
  EXPECT_EQ(rig.write(stream, 100), 100U);
}

TEST(SinnetV1, OpeningsBeyondTheCountWaitForCredit) {
  Rig rig(Role::Client, sinnet_v1(), quiet());
  for (int i = 0; i < 130; ++i) (void)rig.open();
  (void)rig.take();
  EXPECT_EQ(rig.session.statistics().frames_sent, 1U + 128)
      << "settings and the least that every peer allows";
  rig.give(std::string(least) + "06 02 4081");
  EXPECT_EQ(rig.take(), "010441010003");
}

TEST(SinnetV1, SettingsComeFirstAndOnce) {
  for (const char* bytes : {"01 03 01 00 03", "00 04 534d5801 00 04 534d5801", "00 04 474554 20",
                            "00 06 534d5801 03 01", "00 08 534d5801 03 4100 03"}) {
    Rig rig(Role::Server, sinnet_v1(), quiet());
    rig.give(bytes);
    EXPECT_EQ(rig.count(EventType::Failed), 1U) << bytes;
  }
  Rig rig(Role::Server, sinnet_v1(), quiet());
  rig.give("00 0a 534d5801 4abc 07 03 4100  ff 03 616263");  // an unknown key, an extension's frame
  EXPECT_EQ(rig.count(EventType::Failed), 0U);
}

TEST(SinnetV1, WindowsGrowWithThePath) {
  Rig client(Role::Client, sinnet_v1());
  Rig server(Role::Server, sinnet_v1());
  const Stream stream = client.open();
  // 50 ms each way would be the path: what is taken now is given in the next turn.
  std::vector<std::byte> up;
  std::vector<std::byte> down;
  std::uint64_t most = 0;
  for (int turn = 0; turn < 40; ++turn) {
    client.now += 25ms;
    server.now += 25ms;
    while (client.write(stream, 64 * 1024) > 0) {
      const std::vector<std::byte> more = client.take_bytes();
      up.insert(up.end(), more.begin(), more.end());
    }
    const std::vector<std::byte> more = client.take_bytes();
    up.insert(up.end(), more.begin(), more.end());
    const std::vector<std::byte> answers = server.take_bytes();
    const std::uint64_t before = server.session.statistics().payload_bytes_received;
    if (!up.empty()) server.give(std::exchange(up, {}));
    if (!down.empty()) client.give(std::exchange(down, {}));
    down = answers;
    most = std::max(most, server.session.statistics().payload_bytes_received - before);
  }
  EXPECT_GT(most, 8U * 256 * 1024) << "bytes of one half round trip; the first window was 256 KiB";
}

}  // namespace
}  // namespace sinnet::mux
