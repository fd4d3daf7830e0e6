/// ws::Connection and virtual time: pings, pongs, write and close deadlines, and users who stop reading.
#include <gtest/gtest.h>

#include "ws/connection_rig.hpp"

namespace sinnet::ws {
namespace {

constexpr auto ping_in = "8980 00000000";

TEST(ConnectionTime, SilentPeerIsPingedAndThenGivenUp) {
  Rig server(Role::Server);
  EXPECT_EQ(server.machine.deadline(), server.now + 25s);
  server.meet_deadline();
  EXPECT_EQ(server.take(), "8900");
  EXPECT_EQ(server.machine.deadline(), server.now + 10s);
  server.meet_deadline();
  EXPECT_EQ(server.told(), Told{"closed 1006 no sign of life after a ping"});
  EXPECT_TRUE(server.machine.is_done());
  EXPECT_EQ(server.machine.deadline(), std::nullopt);
}

TEST(ConnectionTime, AnyByteIsASignOfLife) {
  Rig server(Role::Server);
  server.meet_deadline();
  server.wait(9s);
  server.give("82");  // half a header
  EXPECT_EQ(server.machine.deadline(), server.now + 25s);
}

TEST(ConnectionTime, PongTimeBeginsWhenThePingIsTaken) {
  Rig client(Role::Client);
  client.meet_deadline();
  client.wait(20s);  // the socket takes nothing for a while
  EXPECT_EQ(client.take(), "898037fa213d");
  EXPECT_EQ(client.machine.deadline(), client.now + 10s);
  // What else is sent does not put it off: half-open connections take bytes for a while.
  client.wait(8s);
  (void)client.machine.send(MessageKind::Text, as_bytes("x"), client.now);
  client.flush();
  EXPECT_EQ(client.machine.deadline(), client.now + 2s);
}

TEST(ConnectionTime, NoPingsWhenTheIntervalIsZero) {
  Rig server(Role::Server, {.ping_interval = Duration::zero()});
  EXPECT_EQ(server.machine.deadline(), std::nullopt);
}

TEST(ConnectionTime, WhileTheUserDoesNotReadThePongDeadlineStandsStill) {
  Rig server(Role::Server);
  server.meet_deadline();
  server.flush();
  server.machine.set_reading(false, server.now);
  EXPECT_EQ(server.machine.deadline(), std::nullopt);
  server.wait(1000s);
  server.machine.set_reading(true, server.now);
  EXPECT_EQ(server.machine.deadline(), server.now + 25s);
}

TEST(ConnectionTime, PeerThatTakesNothingIsGivenUp) {
  Rig server(Role::Server);
  (void)server.machine.send(MessageKind::Text, as_bytes("hello"), server.now);
  EXPECT_EQ(server.machine.deadline(), server.now + 60s);
  server.wait(59s);
  EXPECT_EQ(server.write(1), 1U);
  EXPECT_EQ(server.machine.deadline(), server.now + 60s);
  server.meet_deadline();
  EXPECT_EQ(server.told(), Told{"closed 1006 the peer takes no data"});
  EXPECT_FALSE(server.machine.has_output());
  EXPECT_TRUE(server.machine.is_done());
}

TEST(ConnectionTime, HeldMessagesAreNotThePeersFault) {
  Rig server(Role::Server);
  (void)server.machine.send_piece(MessageKind::Text, as_bytes("a"), true, false, server.now);
  server.flush();
  (void)server.machine.send(MessageKind::Text, as_bytes("held"), server.now);
  EXPECT_EQ(server.machine.deadline(), server.now + 25s) << "only the ping is due";
  server.wait(100s);
  server.give(ping_in);
  (void)server.machine.send_piece(MessageKind::Text, as_bytes("b"), false, true, server.now);
  EXPECT_EQ(server.machine.deadline(), server.now + 60s);
  EXPECT_EQ(server.take(),
            "010161"
            "8a00"
            "800162"
            "810468656c64");
}

TEST(ConnectionTime, WriteTimeoutOfZeroWaitsForEver) {
  Rig server(Role::Server, {.write_timeout = Duration::zero()});
  (void)server.machine.send(MessageKind::Text, as_bytes("hello"), server.now);
  EXPECT_EQ(server.machine.deadline(), std::nullopt);
}

TEST(ConnectionTime, Attack42PeerThatNeverAnswersACloseIsGivenUp) {
  for (const Role role : {Role::Server, Role::Client}) {
    Rig rig(role);
    rig.machine.close(CloseCode::GoingAway, {}, rig.now);
    rig.wait(1s);
    rig.flush();
    EXPECT_EQ(rig.machine.deadline(), rig.now + 5s) << "counted from when our Close was taken";
    rig.meet_deadline();
    EXPECT_EQ(rig.told(), Told{"closed 1006 the peer did not finish the closing handshake in time"});
    EXPECT_TRUE(rig.machine.is_done());
  }
}

TEST(ConnectionTime, Attack42PeerThatAnswersButNeverEndsIsGivenUp) {
  Rig client(Role::Client);
  client.machine.close(CloseCode::Normal, {}, client.now);
  client.flush();
  client.give("880203e8");
  EXPECT_EQ(client.told(), Told{"closed 1000 clean "});
  EXPECT_FALSE(client.machine.is_done()) << "RFC 6455 7.1.1: a client waits for the server's EOF";
  EXPECT_TRUE(client.machine.wants_shutdown_write());
  EXPECT_EQ(client.machine.deadline(), client.now + 5s);
  client.meet_deadline();
  EXPECT_TRUE(client.machine.is_done());
  EXPECT_EQ(client.told(), Told{});
}

TEST(ConnectionTime, Attack42PeerThatDoesNotReadOurAnswerIsGivenUp) {
  Rig server(Role::Server);
  server.receive("8882 00000000 03e8");
  server.poll_all();
  EXPECT_EQ(server.machine.state(), State::Closing);
  EXPECT_EQ(server.machine.deadline(), server.now + 5s);
  server.meet_deadline();
  EXPECT_EQ(server.told(), Told{"closed 1000 clean "});
  EXPECT_TRUE(server.machine.is_done());
}

TEST(ConnectionTime, ClosingGivesAStuckPeerTheWholeCloseTimeout) {
  Rig server(Role::Server);
  (void)server.machine.send(MessageKind::Text, as_bytes("stuck"), server.now);
  server.wait(50s);
  server.machine.close(CloseCode::GoingAway, {}, server.now);
  EXPECT_EQ(server.machine.deadline(), server.now + 5s);
}

// What old input begins is timed from when it is decoded, not from when it came.
TEST(ConnectionTime, LateDecodingDoesNotRunIntoItsOwnDeadlines) {
  for (const char* late : {"8980 00000000", "8882 00000000 03e8", "ff80 00000000"}) {
    Rig server(Role::Server);
    server.receive(std::string{"8181 00000000 61"} + late);
    EXPECT_EQ(server.poll_one(), "text a");
    server.keep();
    EXPECT_FALSE(server.machine.wants_input());
    EXPECT_EQ(server.machine.deadline(), std::nullopt) << "the peer may not speak";
    server.wait(1000s);
    server.poll_all();
    server.machine.handle_deadline(server.now);
    EXPECT_FALSE(server.machine.has_ended()) << late;
    EXPECT_GE(server.machine.deadline(), server.now + 5s) << late;
  }
}

TEST(ConnectionTime, OldInputThatIsDroppedLeavesNothingToPoll) {
  Rig server(Role::Server);
  server.receive("8181 00000000 61 8181 00000000 62");
  EXPECT_EQ(server.poll_one(), "text a");
  server.keep();
  server.machine.receive_eof(server.now);
  EXPECT_TRUE(server.machine.has_event());
  EXPECT_EQ(server.told(), Told{"closed 1006 the connection ended without a Close frame"});
  EXPECT_FALSE(server.machine.has_event());
  EXPECT_FALSE(server.machine.wants_input());
  EXPECT_TRUE(server.machine.is_done());
}

}  // namespace
}  // namespace sinnet::ws
