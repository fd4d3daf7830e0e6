/// Attacks on our client by a server or a proxy in the way (docs/attacks.md, A to C), over a real socket: the
/// exact failure, and that the next connection opens.

#include <set>

#include "endpoint/client_fixture.hpp"

namespace sinnet::endpoint::test {
namespace {

using testing::ElementsAre;

std::string text_of(std::string_view hex) {
  const auto bytes = sinnet::test::bytes(hex);
  return std::string(as_text(bytes));
}

class AttackClient : public ClientTest {
 protected:
  /// The failure of one opening against a server that reacts so.
  OpenFailure failure_against(const Peer::React& react, ClientOptions options = {}) {
    seen_ = {};
    ScriptedServer server(*loop_, react);
    return failure_of(server.url(), std::move(options));
  }
  /// What an attack must not change.
  void TearDown() override {
    seen_ = {};
    ScriptedServer sound(*loop_, accept_upgrade);
    const auto session = open(sound.url());
    EXPECT_TRUE(turn([&] { return seen_.opens == 1; }));
    EXPECT_TRUE(seen_.failures.empty());
  }
};

TEST_F(AttackClient, Attack09FramesBehindAnythingButACheckedAcceptanceAreNoMessages) {
  const std::string hello = text_of("81 05 48656c6c6f");
  const std::string wrong_accept =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n";
  const OpenFailure unchecked = failure_against(answering(wrong_accept + hello));
  EXPECT_EQ(unchecked.error.code, ErrorCode::ProtocolError);
  EXPECT_EQ(unchecked.status, 101);
  EXPECT_TRUE(seen_.messages.empty());
  const OpenFailure refused =
      failure_against(answering("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n" + hello));
  EXPECT_EQ(refused.error.code, ErrorCode::Refused);
  EXPECT_EQ(refused.status, 426);
  EXPECT_TRUE(seen_.messages.empty());
  // An HTTP/2 upgrade that nobody asked for is not one.
  const OpenFailure other = failure_against([hello](Peer& peer) {
    if (!peer.has_head()) return;
    std::string head = peer.accept_head();
    head.replace(head.find("websocket"), 9, "h2c");
    peer.send(head + hello);
  });
  EXPECT_EQ(other.error.code, ErrorCode::ProtocolError);
  EXPECT_TRUE(seen_.messages.empty());
}

TEST_F(AttackClient, Attack26MaskedFrameOfAServerIs1002) {
  ScriptedServer server(*loop_, [](Peer& peer) {
    if (peer.step++ == 0) peer.send(peer.accept_head() + text_of("81 85 37fa213d 7f9f4d5158"));
  });
  const auto session = open(server.url());
  ASSERT_TRUE(turn([&] { return !seen_.closes.empty(); }));
  EXPECT_EQ(seen_.closes.front().first, 1002);
  EXPECT_TRUE(seen_.messages.empty());
}

TEST_F(AttackClient, Attack41TenThousandFramesCarryTenThousandMasks) {
  ScriptedServer server(*loop_, accept_upgrade);
  const auto session = open(server.url());
  ASSERT_TRUE(turn([&] { return seen_.opens == 1; }));
  constexpr std::size_t frames = 10'000;
  constexpr std::size_t frame_bytes = 2 + 4 + 4;
  const std::size_t head_bytes = server.peers[0]->received.size();
  for (std::size_t i = 0; i < frames; ++i) ASSERT_TRUE(session->connection()->send_text("same"));
  ASSERT_TRUE(turn([&] { return server.peers[0]->received.size() >= head_bytes + frames * frame_bytes; }));
  const std::string_view wire = std::string_view(server.peers[0]->received).substr(head_bytes);
  std::set<std::string_view> masks;
  for (std::size_t i = 0; i < frames; ++i) {
    const std::string_view frame = wire.substr(i * frame_bytes, frame_bytes);
    ASSERT_EQ(frame.substr(0, 2), "\x81\x84") << i;
    const std::string_view mask = frame.substr(2, 4);
    for (std::size_t byte = 0; byte < 4; ++byte) {
      ASSERT_EQ(static_cast<char>(frame[6 + byte] ^ mask[byte]), "same"[byte]) << i;
    }
    masks.insert(mask);
  }
  // Of 10,000 draws out of 2^32 one pair is expected to be equal in 86 runs; ten never are.
  EXPECT_GT(masks.size(), frames - 10);
}

TEST_F(AttackClient, Attack48OddDeflateParametersFailTheOpening) {
  for (const char* odd :
       {"server_max_window_bits=7", "server_max_window_bits=16", "server_max_window_bits=999",
        "server_max_window_bits=\"\"", "server_max_window_bits=10; server_max_window_bits=10",
        "server_max_window_bits", "client_max_window_bits=8", "client_max_window_bits=0", "unknown=1"}) {
    SCOPED_TRACE(odd);
    ClientOptions options;
    options.websocket.deflate = {.enabled = true, .context_takeover = true};
    const OpenFailure failure = failure_against(
        [odd](Peer& peer) {
          if (!peer.has_head() || peer.step++ != 0) return;
          peer.send(
              peer.accept_head("Sec-WebSocket-Extensions: permessage-deflate; " + std::string(odd) + "\r\n"));
        },
        std::move(options));
    EXPECT_EQ(failure.error.code, ErrorCode::ProtocolError);
    EXPECT_EQ(failure.status, 101);
    EXPECT_EQ(seen_.opens, 0);
  }
}

TEST_F(AttackClient, Attack42EndlessLengthsAndControlFramesEndWithACode) {
  // CVE-2025-5399 is a client that loops on one crafted frame. These end at once, with a code.
  const std::vector<std::pair<std::string, int>> crafted{
      {"82 7f ffffffffffffffff", 1002},
      {"82 7f 7fffffffffffffff", 1009},
      {"89 7e 007e", 1002},
      {"09 00", 1002},
      {"88 01 03", 1002},
      {"80 00", 1002},
      {"c1 01 00", 1002},
      {"83 00", 1002},
  };
  for (const auto& [hex, code] : crafted) {
    SCOPED_TRACE(hex);
    seen_ = {};
    const std::string frame = text_of(hex);
    ScriptedServer server(*loop_, [&frame](Peer& peer) {
      if (peer.step++ == 0) peer.send(peer.accept_head() + frame);
    });
    const auto session = open(server.url());
    ASSERT_TRUE(turn([&] { return !seen_.closes.empty(); }));
    EXPECT_EQ(seen_.closes.front().first, code);
  }
}

}  // namespace
}  // namespace sinnet::endpoint::test
