/// How ws::Connection gathers messages: memory, deflate, pieces, and law 1 (chunking) with an EOF at every
/// byte.
#include <gtest/gtest.h>

#include "support/chunking.hpp"
#include "ws/compressor.hpp"
#include "ws/connection_rig.hpp"

namespace sinnet::ws {
namespace {

constexpr std::array both_roles{Role::Server, Role::Client};

std::string deflated_hex(std::string_view text) {
  CompressionPool pool;
  Buffer out;
  Compressor(pool, 15, false, 9, 9).compress(as_bytes(text), out);
  return test::hex(out.bytes());
}

TEST(ConnectionMessage, Attack33ManyTinyFragmentsMakeOneMessage) {
  for (const Role role : both_roles) {
    const Role peer = other(role);
    std::string input = frame_hex(peer, 0x02, "61");
    const std::string fragment = frame_hex(peer, 0x00, "61") + frame_hex(peer, 0x00, "");
    for (int i = 0; i < 65535; ++i) input += fragment;
    Rig rig(role);
    rig.give(input + frame_hex(peer, 0x80, ""));
    EXPECT_EQ(rig.told(), Told{"binary of 65536"});
  }
}

TEST(ConnectionMessage, Attack35MemoryGrowsWithWhatArrivesNotWithWhatIsDeclared) {
  Rig client(Role::Client, {.message_bytes_max = std::uint64_t{1} << 31U});
  client.give("827f 0000000040000000");
  std::array<std::byte, 16> scratch{};
  std::size_t arrived = 0;
  while (arrived < 8'000'000) {
    const MutableBytes space = client.machine.input_space(scratch);
    ASSERT_NE(space.data(), scratch.data()) << "a large payload is read into its message";
    ASSERT_LE(space.size(), std::max<std::size_t>(1024 * 1024, arrived * 3));
    std::fill(space.begin(), space.end(), std::byte{7});
    arrived += space.size();
    client.machine.receive(space, client.now);
    EXPECT_EQ(client.poll_one(), "");
    client.keep();
  }
}

TEST(ConnectionMessage, LargePayloadIsReadIntoItsMessageInBothRoles) {
  std::string payload(200000, 'x');
  for (std::size_t i = 0; i < payload.size(); i += 7) payload[i] = static_cast<char>('a' + i % 26);
  for (const Role role : both_roles) {
    const std::vector<std::byte> wire =
        test::bytes(frame_hex(other(role), 0x81, test::hex(as_bytes(payload))));
    for (const std::size_t read : {1000UZ, 64UZ * 1024}) {
      Rig rig(role);
      Bytes left = wire;
      Bytes first = left.first(read);
      left = left.subspan(read);
      rig.give(first);
      while (left.size() > 1) {
        Bytes part = left.first(left.size() - 1);
        const std::size_t before = part.size();
        rig.receive(part);
        EXPECT_EQ(rig.poll_one(), "");
        rig.keep();
        left = left.subspan(before - part.size());
      }
      rig.receive(left);
      const auto event = rig.machine.poll_event();
      ASSERT_TRUE(event);
      EXPECT_TRUE(as_text(event->payload) == payload);
    }
  }
}

TEST(ConnectionMessage, Attack44BombEndsAtTheLimit) {
  const std::string bomb = deflated_hex(std::string(3'000'000, '\0'));
  for (const Role role : both_roles) {
    Rig rig(role, {}, DeflateParameters{});
    // In fragments of some bytes.
    for (std::size_t i = 0; i < bomb.size() && rig.machine.state() == State::Open; i += 200)
      rig.give(frame_hex(other(role), i == 0 ? 0x42 : 0x00, std::string_view{bomb}.substr(i, 200)));
    EXPECT_EQ(rig.told(), Told{"failed 1009 message too big after inflation"});
    EXPECT_EQ(rig.take(), refusal(role, "03f1", "message too big after inflation"));
  }
}

TEST(ConnectionMessage, Attack45InflatedMessageOfExactlyTheLimitPasses) {
  for (const Role role : both_roles) {
    Rig rig(role, {.message_bytes_max = 5000}, DeflateParameters{});
    rig.give(frame_hex(other(role), 0xC2, deflated_hex(std::string(5000, 'a'))));
    EXPECT_EQ(rig.told(), Told{"binary inflated of 5000"});
    rig.give(frame_hex(other(role), 0xC2, deflated_hex(std::string(5001, 'a'))));
    EXPECT_EQ(rig.told(), Told{"failed 1009 message too big after inflation"});
  }
}

TEST(ConnectionMessage, Attack47UnusualButLegalDeflateIsInflated) {
  const DeflateParameters parameters{.server_no_context_takeover = true, .client_no_context_takeover = true};
  for (const Role role : both_roles) {
    const Role peer = other(role);
    Rig rig(role, {}, parameters);
    rig.give(frame_hex(peer, 0xC1, "00") +
             frame_hex(peer, 0xC1, ""));                        // RFC 7692 7.2.3.6, and no bytes at all
    rig.give(frame_hex(peer, 0xC1, "f348cdc9c9070000"));        // RFC 7692 7.2.3.4: BFINAL
    rig.give(frame_hex(peer, 0xC1, "000500faff48656c6c6f00"));  // RFC 7692 7.2.3.3: stored
    EXPECT_EQ(rig.told(),
              (Told{"text inflated ", "text inflated ", "text inflated Hello", "text inflated Hello"}));
  }
}

TEST(ConnectionMessage, Attack49CorruptDeflateAndReachingBackTooFarAreRefused) {
  const DeflateParameters parameters{.server_no_context_takeover = true, .client_no_context_takeover = true};
  for (const Role role : both_roles) {
    const Role peer = other(role);
    // f200110000 is "Hello" from the window of the message before (RFC 7692 7.2.3.2): there is none.
    for (const char* bad : {"ff", "07ffff", "f2001100"}) {
      Rig rig(role, {}, parameters);
      rig.give(frame_hex(peer, 0xC1, "f248cdc9c90700") + frame_hex(peer, 0xC1, bad));
      EXPECT_EQ(rig.told(), (Told{"text inflated Hello", "failed 1007 compressed data is corrupt"})) << bad;
    }
    Rig takeover(role, {}, DeflateParameters{});
    takeover.give(frame_hex(peer, 0xC1, "f248cdc9c90700") + frame_hex(peer, 0xC1, "f200110000"));
    EXPECT_EQ(takeover.told(), (Told{"text inflated Hello", "text inflated Hello"}));
  }
}

TEST(ConnectionMessage, PiecesAreToldAsTheyArrive) {
  for (const Role role : both_roles) {
    const Role peer = other(role);
    Rig rig(role, {.delivery = Delivery::Pieces}, DeflateParameters{});
    rig.give(frame_hex(peer, 0x01, "6162"));
    rig.give(frame_hex(peer, 0x00, "") + frame_hex(peer, 0x89, ""));
    const std::string end = frame_hex(peer, 0x80, "6364");
    rig.give(end.substr(0, end.size() - 2));
    rig.give(end.substr(end.size() - 2));
    EXPECT_EQ(rig.told(), (Told{"text first ab", "ping ", "text more c", "text last d"}));
    rig.give(frame_hex(peer, 0x02, "") + frame_hex(peer, 0x80, ""));
    EXPECT_EQ(rig.told(), Told{"binary "});
    rig.give(frame_hex(peer, 0x41, "f248") + frame_hex(peer, 0x00, "cdc9c9") + frame_hex(peer, 0x80, "0700"));
    std::string text;
    for (const std::string& event : rig.told()) text += event + ";";
    EXPECT_EQ(text.substr(0, 19), "text inflated first") << text;
    EXPECT_NE(text.find("text inflated last"), std::string::npos) << text;
  }
}

std::string outcome(Rig& rig) {
  std::string text;
  for (const std::string& event : rig.told()) text += event + "\n";
  return text + rig.take();
}

TEST(ConnectionMessage, HowInputIsCutDecidesNothing) {
  for (const Role role : both_roles) {
    const Role peer = other(role);
    const auto control_and_data = frame_hex(peer, 0x81, "61c3a9") + frame_hex(peer, 0x89, "0102") +
                                  frame_hex(peer, 0x01, "e2") + frame_hex(peer, 0x8A, "") +
                                  frame_hex(peer, 0x80, "82ac") + frame_hex(peer, 0xC1, "f248cdc9c90700") +
                                  frame_hex(peer, 0x82, std::string(400, 'a'));
    for (const std::string& end :
         {frame_hex(peer, 0x88, "03e8627965"), frame_hex(peer, 0x83, ""), frame_hex(peer, 0x01, "ff"),
          frame_hex(peer, 0xC1, "f248ff"), frame_hex(peer, 0x88, "03"), frame_hex(peer, 0x80, "61")}) {
      test::expect_same_for_every_chunking(test::bytes(control_and_data + end),
                                           [&](std::span<const Bytes> pieces) {
                                             Rig rig(role, {}, DeflateParameters{});
                                             for (const Bytes piece : pieces) rig.give(piece);
                                             return outcome(rig);
                                           });
    }
  }
}

TEST(ConnectionMessage, EofAtEveryByteIsOneLastEvent) {
  for (const Role role : both_roles) {
    const Role peer = other(role);
    const std::vector<std::byte> wire = test::bytes(
        frame_hex(peer, 0x01, "6162") + frame_hex(peer, 0x89, "01") + frame_hex(peer, 0x80, "63") +
        frame_hex(peer, 0xC1, "f248cdc9c90700") + frame_hex(peer, 0x88, "03e8"));
    for (std::size_t size = 0; size <= wire.size(); ++size) {
      Rig rig(role, {}, DeflateParameters{});
      rig.give(Bytes{wire}.first(size));
      rig.machine.receive_eof(rig.now);
      const Told told = rig.told();
      EXPECT_EQ(
          std::count_if(told.begin(), told.end(), [](const auto& e) { return e.starts_with("closed"); }), 1);
      EXPECT_EQ(told.back(), size == wire.size() ? "closed 1000 clean "
                                                 : "closed 1006 the connection ended without a Close frame");
      EXPECT_TRUE(rig.machine.is_done());
      EXPECT_FALSE(rig.machine.has_event());
    }
  }
}

}  // namespace
}  // namespace sinnet::ws
