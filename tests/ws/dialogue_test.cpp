/// Law 2 on ws::Connection, both roles: dialogues of RFC 6455 and RFC 7692 that the transport breaks off
/// anywhere. The peer's rules are connection_rules_test.cpp's.

#include "support/dialogue.hpp"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include "ws/connection_rig.hpp"

namespace sinnet::ws {
namespace {

/// A connection and its peer's end of the wire.
class ConnectionEnd {
 public:
  explicit ConnectionEnd(Role role, std::optional<DeflateParameters> deflate = std::nullopt)
      : rig(role, {.deflate = {.enabled = deflate.has_value(), .threshold_bytes = 0}}, deflate) {}

  /// Nothing is written before read(): what the input provoked may be lost with the transport.
  void give(std::string_view bytes) {
    Bytes input = as_bytes(bytes);
    while (!input.empty() && rig.machine.wants_input()) {
      rig.receive(input);
      rig.poll_all();
      rig.keep();
    }
  }
  std::string read(std::size_t) {
    rig.flush();
    return std::string(as_text(std::exchange(rig.written, {})));
  }
  void end(test::Ending ending) {
    // As io::Driver: a failed write comes between the freezing of output and its consumption.
    if (ending == test::Ending::Error) rig.machine.prepare_output(SIZE_MAX, rig.now);
    rig.machine.receive_eof(rig.now);
  }
  bool finish() {
    for (int i = 0; i < 8 && !rig.machine.is_done(); ++i) {
      rig.poll_all();
      if (!rig.machine.is_done()) rig.meet_deadline();
    }
    return rig.machine.is_done();
  }
  std::vector<std::string> told() {
    rig.poll_all();
    return rig.events;
  }
  static bool is_final(std::string_view event) {
    return event.starts_with("closed ") || event.starts_with("failed ");
  }

  Rig rig;
};

using Talk = test::Dialogue<ConnectionEnd>;

std::string wire(std::string_view hex) { return std::string(as_text(Bytes{test::bytes(hex)})); }
std::string frame(Role sender, unsigned first_byte, std::string_view payload_hex) {
  return wire(frame_hex(sender, first_byte, payload_hex));
}

Talk::Make make(Role role, std::optional<DeflateParameters> deflate = std::nullopt) {
  return [=] { return std::make_unique<ConnectionEnd>(role, deflate); };
}

TEST(ConnectionDialogue, MessagesPingsAndAnOrderlyEndOfThePeer) {
  for (const Role role : {Role::Server, Role::Client}) {
    const Role peer = other(role);
    Talk talk;
    talk.give(frame(peer, 0x81, "48656c6c6f"))
        .act([](ConnectionEnd& end) {
          EXPECT_TRUE(end.rig.machine.send(MessageKind::Binary, as_bytes("ok"), end.rig.now));
        })
        .expect(frame(role, 0x82, "6f6b"))
        .give(frame(peer, 0x01, "e2"))
        .give(frame(peer, 0x89, "70"))
        .expect(frame(role, 0x8a, "70"))
        .give(frame(peer, 0x80, "82ac"))
        .give(frame(peer, 0x8a, ""))
        .give(frame(peer, 0x88, "03e8627965"))
        .expect(frame(role, 0x88, "03e8627965"));
    talk.run(make(role), {"text Hello", "ping 70", "text \u20ac", "pong ", "closed 1000 clean bye"});
  }
}

TEST(ConnectionDialogue, OurOwnCloseWaitsForItsAnswer) {
  for (const Role role : {Role::Server, Role::Client}) {
    const Role peer = other(role);
    Talk talk;
    talk.act([](ConnectionEnd& end) {
          EXPECT_TRUE(end.rig.machine.send_piece(MessageKind::Text, as_bytes("a"), true, false, end.rig.now));
        })
        .expect(frame(role, 0x01, "61"))
        .act([](ConnectionEnd& end) {
          EXPECT_TRUE(end.rig.machine.send_piece(MessageKind::Text, as_bytes("b"), false, true, end.rig.now));
          end.rig.machine.close(CloseCode::GoingAway, "x", end.rig.now);
        })
        .expect(frame(role, 0x80, "62") + frame(role, 0x88, "03e978"))
        .give(frame(peer, 0x88, "03e9"));
    talk.run(make(role), {"closed 1001 clean "});
  }
}

TEST(ConnectionDialogue, CompressedMessagesInBothDirections) {
  for (const Role role : {Role::Server, Role::Client}) {
    const Role peer = other(role);
    Talk talk;
    talk.give(frame(peer, 0xc1, "f248cdc9c90700"))  // RFC 7692 7.2.3.1
        .give(frame(peer, 0xc1, "f200110000"))      // 7.2.3.2: refers to the message before
        .act([](ConnectionEnd& end) {
          EXPECT_TRUE(end.rig.machine.send(MessageKind::Text, as_bytes("Hello"), end.rig.now));
        })
        .expect(frame(role, 0xc1, "f248cdc9c90700"))
        .give(frame(peer, 0x41, "f248"))  // 7.2.3.1, in fragments
        .give(frame(peer, 0x80, "cdc9c90700"));
    talk.run(make(role, DeflateParameters{}),
             {"text inflated Hello", "text inflated Hello", "text inflated Hello"});
  }
}

TEST(ConnectionDialogue, PeerThatBreaksARuleIsToldOnce) {
  for (const Role role : {Role::Server, Role::Client}) {
    const Role peer = other(role);
    Talk talk;
    talk.give(frame(peer, 0x82, "00"))
        .give(frame(peer, 0x83, ""))
        .expect(wire(refusal(role, "03ea", "reserved opcode")))
        .give(frame(peer, 0x82, "01"));
    talk.run(make(role), {"binary 00", "failed 1002 reserved opcode"});
  }
}

/// Ends as planted: what the law must find.
struct PlantedEnd {
  void give(std::string_view) {}
  std::string read(std::size_t) { return has_ended ? late : ""; }
  void end(test::Ending) { has_ended = true; }
  bool finish() { return finishes; }
  std::vector<std::string> told() { return has_ended ? events : std::vector<std::string>{}; }
  static bool is_final(std::string_view event) { return event == "closed"; }

  bool finishes = true;
  std::string late{};
  std::vector<std::string> events{"closed"};
  bool has_ended = false;
};

int faults_found(const PlantedEnd& planted) {
  testing::TestPartResultArray found;
  {
    testing::ScopedFakeTestPartResultReporter reporter(&found);
    test::Dialogue<PlantedEnd>().give("ab").run([&] { return std::make_unique<PlantedEnd>(planted); }, {});
  }
  return found.size();
}

TEST(DialogueLaw, FindsEveryPlantedFault) {
  EXPECT_EQ(faults_found({}), 0) << "a sound end";
  EXPECT_GT(faults_found({.finishes = false}), 0) << "it hangs";
  EXPECT_GT(faults_found({.late = "x"}), 0) << "it writes what nobody waits for";
  EXPECT_GT(faults_found({.events = {}}), 0) << "nobody is told";
  EXPECT_GT(faults_found({.events = {"closed", "closed"}}), 0) << "told twice";
  EXPECT_GT(faults_found({.events = {"ghost", "closed"}}), 0) << "told what was not said";
  EXPECT_GT(faults_found({.events = {"closed", "ghost"}}), 0) << "told something behind the end";
}

}  // namespace
}  // namespace sinnet::ws
