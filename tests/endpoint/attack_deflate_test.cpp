/// Attacks on permessage-deflate over a real socket (docs/attacks.md, C). The compressed bytes are written
/// bit by bit here, so that no compressor's good manners are in the way.

#include <utility>

#include "endpoint/live_server.hpp"
#include "support/bytes.hpp"

namespace sinnet::test {
namespace {

using endpoint::ServerOptions;

constexpr std::size_t message_bytes_max = 256 * 1024;
constexpr std::string_view offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

/// Raw DEFLATE with the fixed Huffman codes (RFC 1951 3.2.6).
class DeflateBits {
 public:
  DeflateBits() { put(0b010, 3); }  // BFINAL 0, BTYPE 01, least bit first
  DeflateBits& literal(char c) { return code(0x30U + static_cast<unsigned char>(c), 8); }
  /// 258 bytes from one byte back.
  DeflateBits& run() { return code(0xc5, 8).code(0, 5); }
  /// Three bytes from `distance code` 29 with all its extra bits: 32,768 back.
  DeflateBits& farthest() {
    code(0b0000001, 7).code(29, 5);
    return put(0x1fff, 13);
  }
  /// Ends as a message does: end of block, an empty stored block without its 00 00 ff ff.
  std::string message() {
    code(0, 7).put(0, 3);
    return std::exchange(out_, {});
  }

 private:
  DeflateBits& code(unsigned value, unsigned bits) {  // Huffman codes: most significant bit first
    for (unsigned i = bits; i-- > 0;) put(value >> i & 1, 1);
    return *this;
  }
  DeflateBits& put(unsigned value, unsigned bits) {
    for (unsigned i = 0; i < bits; ++i, ++count_) {
      if (count_ % 8 == 0) out_ += '\0';
      out_.back() =
          static_cast<char>(static_cast<unsigned char>(out_.back()) | (value >> i & 1) << count_ % 8);
    }
    return *this;
  }
  std::string out_;
  std::size_t count_ = 0;
};

/// Inflates to `bytes` times 'a'; needs bytes % 258 literals.
std::string deflated(std::size_t bytes) {
  DeflateBits bits;
  bits.literal('a');
  std::size_t written = 1;
  for (; written + 258 <= bytes; written += 258) bits.run();
  for (; written < bytes; ++written) bits.literal('a');
  return bits.message();
}

class AttackDeflate : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    ServerOptions options;
    options.websocket.message_bytes_max = message_bytes_max;
    options.websocket.deflate.enabled = true;
    options.websocket.deflate.context_takeover = GetParam();
    live = std::make_unique<LiveServer>(std::move(options));
    ASSERT_TRUE(live->server.route(
        "/count", {.message = [](endpoint::Connection& connection, const endpoint::Message& message) {
          connection.send_text(std::to_string(message.payload.size()));
        }}));
    live->start();
  }
  void TearDown() override { EXPECT_TRUE(live->serves_others()); }
  void expect_close(std::string_view wire, unsigned code) {
    SocketClient client = live->open("/count", offer);
    client.send(wire);
    EXPECT_EQ(client.read_close_code(), code);
    EXPECT_TRUE(client.waits_for_end());
    EXPECT_TRUE(live->serves_others());
  }
  std::string count_of(std::string_view wire) {
    SocketClient client = live->open("/count", offer);
    client.send(wire);
    const auto frame = client.read_frame();
    return !frame ? "nothing" : frame->opcode == 8 ? std::to_string(frame->close_code()) : frame->payload;
  }
  std::unique_ptr<LiveServer> live;
};
INSTANTIATE_TEST_SUITE_P(Takeover, AttackDeflate, ::testing::Bool());

TEST_P(AttackDeflate, Attack44BombIs1009) {
  const std::string bomb = deflated(8 * 1024 * 1024);
  EXPECT_LT(bomb.size(), message_bytes_max) << "only its inflation is too long";
  expect_close(wire_frame(2, bomb, {.rsv = 4}), 1009);
}

TEST_P(AttackDeflate, Attack44BombInFragmentsIs1009) {
  const std::string bomb = deflated(8 * 1024 * 1024);
  std::string wire;
  for (std::size_t i = 0; i < bomb.size(); i += 2048) {
    wire += wire_frame(i == 0 ? 2 : 0, std::string_view(bomb).substr(i, 2048),
                       {.fin = i + 2048 >= bomb.size(), .rsv = i == 0 ? 4U : 0U});
  }
  expect_close(wire, 1009);
}

TEST_P(AttackDeflate, Attack45ExactLimitPassesAndOneMoreFails) {
  EXPECT_EQ(count_of(wire_frame(2, deflated(message_bytes_max), {.rsv = 4})),
            std::to_string(message_bytes_max));
  EXPECT_EQ(count_of(wire_frame(2, deflated(message_bytes_max + 1), {.rsv = 4})), "1009");
}

TEST_P(AttackDeflate, Attack47LegalOddBlocksAreDecoded) {
  const auto odd = [&](std::string_view hex) {
    return count_of(wire_frame(2, as_text(bytes(hex)), {.rsv = 4}));
  };
  EXPECT_EQ(odd("00"), "0");                          // an empty message (RFC 7692 7.2.3.6)
  EXPECT_EQ(odd("f248cdc9c90700"), "5");              // "Hello" (7.2.3.1)
  EXPECT_EQ(odd("f348cdc9c9070000"), "5");            // BFINAL set (7.2.3.4)
  EXPECT_EQ(odd("000500faff48656c6c6f00"), "5");      // stored (7.2.3.3)
  EXPECT_EQ(odd("f24805000000ffffcac9c90700"), "5");  // two blocks (7.2.3.5)
  const std::string stored =
      std::string(as_text(bytes("00 ffff 0000"))) + std::string(0xffff, 'x') + std::string(1, '\0');
  EXPECT_EQ(count_of(wire_frame(2, stored, {.rsv = 4})), "65535");
}

TEST_P(AttackDeflate, Attack47BadBlocksAre1007) {
  for (const std::string_view bad : {"07", "000500ffff48656c6c6f00", "ffffffff"}) {
    expect_close(wire_frame(2, as_text(bytes(bad)), {.rsv = 4}), 1007);
  }
}

TEST_P(AttackDeflate, Attack49BackReferenceBeforeTheBeginningIs1007) {
  expect_close(wire_frame(2, DeflateBits().literal('a').farthest().message(), {.rsv = 4}), 1007);
}

TEST_P(AttackDeflate, Attack49BackReferenceIntoAnEarlierMessageNeedsTakeover) {
  const std::string first = wire_frame(2, deflated(300), {.rsv = 4});
  SocketClient client = live->open("/count", offer);
  client.send(first + wire_frame(2, DeflateBits().run().message(), {.rsv = 4}));
  EXPECT_EQ(client.read_frame()->payload, "300");
  const auto second = client.read_frame();
  ASSERT_TRUE(second);
  if (GetParam()) {
    EXPECT_EQ(second->payload, "258");
  } else {
    EXPECT_EQ(second->close_code(), 1007u);
  }
}

TEST_P(AttackDeflate, Attack48OddWindowOffersAreDeclined) {
  for (const std::string_view odd :
       {"server_max_window_bits=7", "server_max_window_bits=16", "server_max_window_bits=999",
        "server_max_window_bits=\"\"", "server_max_window_bits=10; server_max_window_bits=11",
        "server_max_window_bits", "client_max_window_bits=8x", "unknown", "server_max_window_bits=8"}) {
    SocketClient client = live->connect();
    const std::string answer =
        client.upgrade("/echo", "Sec-WebSocket-Extensions: permessage-deflate; " + std::string(odd) + "\r\n");
    // Declined, or refused where it is not even a list; never agreed to.
    EXPECT_TRUE(status_of(answer) == 101 || status_of(answer) == 400) << odd;
    EXPECT_EQ(answer.find("permessage-deflate"), std::string::npos) << odd << answer;
  }
  EXPECT_TRUE(live->serves_others());
}

}  // namespace
}  // namespace sinnet::test
