/// Attack 40 (docs/attacks.md, B): publishing to many subscribers whose sockets take a little at a time.
/// Every byte that arrives is compared; the over-reads themselves are AddressSanitizer's to see.

#include "endpoint/live_server.hpp"
#include "support/seeded_random.hpp"

namespace sinnet::test {
namespace {

using endpoint::Connection;

std::string text_of_seed(SeededRandom& random) {
  // Small ones are copied, large ones referenced; both lie in the same write and are cut anywhere.
  const std::size_t sizes[] = {random.below(130), random.below(5000), random.below(120'000)};
  std::string text(sizes[random.below(3)], ' ');
  for (char& c : text) c = static_cast<char>('a' + random.below(26));
  return text;
}

TEST(AttackPublish, Attack40PublicationsCutByPartialWritesArriveWhole) {
  constexpr std::uint64_t seed = 40;
  constexpr std::size_t publications = 60;
  endpoint::ServerOptions options;
  options.shards = 2;
  options.limits.send_queue_bytes = 64U << 20U;  // nobody is too slow here
  options.websocket.deflate.enabled = true;
  LiveServer live(options);
  ASSERT_TRUE(live.server.route("/all", {.open = [](Connection& connection) { connection.join("all"); }}));
  live.start();
  std::vector<SocketClient> clients;
  for (int i = 0; i < 12; ++i) {
    // The smallest receive buffer the kernel gives: each publication is written in many parts.
    clients.push_back(SocketClient::tcp(live.port, "127.0.0.1", 2048));
    ASSERT_EQ(status_of(clients.back().upgrade("/all")), 101);
  }
  // A thirteenth takes the compressed encoding of the same frames, and is gone in the middle of one.
  SocketClient deserter = SocketClient::tcp(live.port, "127.0.0.1", 2048);
  ASSERT_EQ(status_of(deserter.upgrade("/all", "Sec-WebSocket-Extensions: permessage-deflate\r\n")), 101);

  SeededRandom random(seed);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < publications; ++i) {
    texts.push_back(text_of_seed(random));
    ASSERT_TRUE(live.server.publish("all", ws::MessageKind::Text, as_bytes(texts.back())));
    if (i == publications / 2) deserter.reset();
  }
  for (SocketClient& client : clients) {
    for (std::size_t i = 0; i < publications; ++i) {
      const auto frame = client.read_frame();
      ASSERT_TRUE(frame) << i << ", seed " << seed;
      ASSERT_TRUE(frame->payload == texts[i]) << i << " of " << texts[i].size() << " bytes, seed " << seed;
    }
  }
  EXPECT_TRUE(live.serves_others());
}

}  // namespace
}  // namespace sinnet::test
