/// Attacks 52 and 53 over a real socket (docs/attacks.md, C): secrets beside an attacker's text, and deflate
/// streams that are slow to inflate.

#include "endpoint/live_server.hpp"
#include "support/bytes.hpp"

namespace sinnet::test {
namespace {

constexpr std::string_view offer =
    "Sec-WebSocket-Extensions: permessage-deflate\r\n";  // leaves takeover to the server

endpoint::ServerOptions compressing() {
  endpoint::ServerOptions options;
  options.websocket.message_bytes_max = 1024 * 1024;
  options.websocket.deflate = {.enabled = true, .context_takeover = true, .threshold_bytes = 0};
  return options;
}

constexpr std::string_view secret = "token=8f1b6d0c5e7a49b2";

/// A route that answers "secret" with a secret, kept out of the compressor or not, and else echoes.
std::unique_ptr<LiveServer> serve_secret(bool compress_secret) {
  auto live = std::make_unique<LiveServer>(compressing());
  const auto answer = [=](endpoint::Connection& connection, const endpoint::Message& message) {
    if (message.text() != "secret") {
      (void)connection.send(message);
    } else if (compress_secret) {
      (void)connection.send_text(secret);
    } else {
      (void)connection.send_uncompressed(ws::MessageKind::Text, as_bytes(secret));
    }
  };
  EXPECT_TRUE(live->server.route("/bank", {.open = {}, .message = answer}));
  live->start();
  return live;
}

/// The frame that answers a guess, on a connection that was told the secret before.
std::size_t answer_bytes(const LiveServer& live, std::string_view guess, bool compressed_secret) {
  SocketClient client = live.open("/bank", offer);
  client.send_frame(1, "secret");
  const auto told = client.read_frame();
  EXPECT_TRUE(told);
  if (!told) return 0;
  EXPECT_EQ(told->rsv, compressed_secret ? 4U : 0U);
  if (!compressed_secret) {
    EXPECT_EQ(told->payload, secret);
  }
  client.send_frame(1, guess);
  const auto echo = client.read_frame();
  EXPECT_TRUE(echo);
  EXPECT_EQ(echo ? echo->rsv : 0, 4U) << "only the secret opts out";
  return echo ? echo->payload.size() : 0;
}

TEST(AttackCompression, Attack52SecretSentUncompressedTellsAGuessNothing) {
  constexpr std::string_view wrong = "token=0a2c4e6f8b1d3f57";
  const auto leaking = serve_secret(true);
  EXPECT_LT(answer_bytes(*leaking, secret, true) + 8, answer_bytes(*leaking, wrong, true))
      << "compressed together with a secret, a right guess shows by its size";
  const auto silent = serve_secret(false);
  const std::size_t right_bytes = answer_bytes(*silent, secret, false);
  const std::size_t wrong_bytes = answer_bytes(*silent, wrong, false);
  EXPECT_LE(std::max(right_bytes, wrong_bytes) - std::min(right_bytes, wrong_bytes), 2u)
      << right_bytes << " for the right guess, " << wrong_bytes << " for a wrong one";
  EXPECT_TRUE(silent->serves_others());
}

/// Blocks with the fixed codes (RFC 1951 3.2.6), BFINAL 0, four at a time, since four end on a byte: each
/// holds an 'a' (3 + 8 + 7 bits), or nothing (3 + 7 bits).
constexpr std::string_view four_blocks_of_one_byte = "4a042811a044801201";
constexpr std::string_view four_empty_blocks = "0208208000";

std::string repeat(std::string_view hex, std::size_t times) {
  const std::vector<std::byte> unit = bytes(hex);
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += as_text(unit);
  return out + std::string(1, '\0');  // an empty stored block without its 00 00 ff ff ends the message
}

TEST(AttackCompression, Attack53TinyBlocksInflateWhileOthersAreServed) {
  LiveServer live(compressing());
  ASSERT_TRUE(live.server.route(
      "/count", {.message = [](endpoint::Connection& connection, const endpoint::Message& message) {
        (void)connection.send_uncompressed(ws::MessageKind::Text,
                                           as_bytes(std::to_string(message.payload.size())));
      }}));
  live.start();
  const auto expect_count = [&](const std::string& deflated, std::string_view count) {
    SocketClient client = live.open("/count", offer);
    SocketClient neighbour = live.open("/echo");
    EXPECT_TRUE(client.send_frame(2, deflated, {.rsv = 4}));
    EXPECT_TRUE(neighbour.echoes("meanwhile"));
    const auto answer = client.read_frame();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->payload, count);
    EXPECT_TRUE(live.serves_others());
  };
  expect_count(repeat(four_blocks_of_one_byte, 50'000), "200000");
  // No byte of output, however long it goes on; the message limit counts the input too.
  expect_count(repeat(four_empty_blocks, 50'000), "0");
}

TEST(AttackCompression, Attack53EndlessEmptyBlocksAre1009) {
  LiveServer live(compressing());
  live.start();
  SocketClient client = live.open("/echo", offer);
  const std::string blocks = repeat(four_empty_blocks, 4000);
  std::string_view unfinished(blocks);
  unfinished.remove_suffix(1);
  client.send_frame(2, unfinished, {.fin = false, .rsv = 4});
  for (int i = 0; i < 5000 && client.send(wire_frame(0, unfinished, {.fin = false})); ++i) {
  }
  EXPECT_EQ(client.read_close_code(), 1009u);
  EXPECT_TRUE(live.serves_others());
}

}  // namespace
}  // namespace sinnet::test
