// `sinnet connect`: what goes to stdout, what to stderr, and the exit codes.

#include "cli/program.hpp"

namespace sinnet::cli::test {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

using Connect = ProgramTest;

TEST_F(Connect, LinesAreMessagesAndMessagesAreLines) {
  ScriptedServer server(*loop_, on_frames(&echo));
  const Ran ran = run({"connect", server.url(), "--wait", "100ms"}, "one\ntwo\r\nlast");
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.out, "one\ntwo\nlast\n");
  EXPECT_THAT(ran.err, HasSubstr("sinnet: closed: 1000\n"));
}

TEST_F(Connect, BinaryInputIsOneMessageAndComesOutAsItIs) {
  ScriptedServer server(*loop_, on_frames(&echo));
  const std::string input("a\0\n\xff", 4);
  EXPECT_EQ(run({"connect", server.url(), "--binary", "--wait", "100ms"}, input).out, input);
  EXPECT_EQ(run({"connect", server.url(), "--binary", "--hex", "--wait", "100ms"}, input).out,
            "00000000  61 00 0a ff                                       |a...|\n");
}

TEST_F(Connect, JsonEventsEscapeWhatTheyMust) {
  ScriptedServer server(*loop_, on_frames([](Peer& peer, const ws::FrameHeader& header, std::string) {
    if (header.opcode != ws::Opcode::Text) return;
    peer.send(server_frame(0x81, "a\"\\\n\x1b") + server_frame(0x82, "\xff") +
              server_frame(0x88, "\x0f\xa1no"));
    peer.hang_up();
  }));
  const Ran ran = run({"connect", server.url(), "--json"}, "x\n");
  EXPECT_EQ(ran.exit, 1) << "closed with 4001";
  EXPECT_THAT(ran.out, HasSubstr("{\"ev\":\"message\",\"data\":\"a\\\"\\\\\\n\\u001b\"}\n"
                                 "{\"ev\":\"message\",\"data_b64\":\"/w==\"}\n"
                                 "{\"ev\":\"close\",\"code\":4001,\"reason\":\"no\",\"clean\":true}\n"));
}

TEST_F(Connect, FramesAreShownOnStderr) {
  ScriptedServer server(*loop_, on_frames(&echo));
  const Ran ran = run({"connect", server.url(), "--frames", "--wait", "50ms"}, "hi\n");
  EXPECT_EQ(ran.out, "hi\n");
  EXPECT_THAT(ran.err, HasSubstr("> FIN=1 RSV=000 opcode=1 text mask=1 length=2\n"));
  EXPECT_THAT(ran.err, HasSubstr("< FIN=1 RSV=000 opcode=1 text mask=0 length=2\n"));
  EXPECT_THAT(ran.err, HasSubstr("> FIN=1 RSV=000 opcode=8 close mask=1 length=2\n"));
}

TEST_F(Connect, WriteOutHasTimesInTheirOrder) {
  ScriptedServer server(*loop_, on_frames(&echo));
  const Ran ran = run({"connect", server.url(), "--wait", "10ms", "-w",
                       "%{http_code} %{remote_ip} %{time_upgrade} %{messages_sent} %{nothing}\\n"},
                      "a\nb\n");
  EXPECT_THAT(ran.out, MatchesRegex("a\nb\n101 127\\.0\\.0\\.1 0\\.[0-9]{6} 2 %\\{nothing\\}\n"));
}

TEST_F(Connect, SendsHeadersOriginAndProtocols) {
  std::string head;
  const Peer::React echoing = on_frames(&echo);
  ScriptedServer server(*loop_, [&](Peer& peer) {
    if (peer.step == 0) head = peer.received;
    echoing(peer);
  });
  const Ran ran = run({"connect", server.url("/p?q"), "-H", "X-A: b", "-s", "v2", "-s", "v1", "--origin",
                       "https://me", "--wait", "10ms", "--no-deflate"});
  // Offered protocols may be declined.
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_THAT(head, StartsWith("GET /p?q HTTP/1.1\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nX-A: b\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nOrigin: https://me\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nSec-WebSocket-Protocol: v2, v1\r\n"));
  EXPECT_THAT(head, testing::Not(HasSubstr("Extensions")));
  EXPECT_EQ(run({"connect", server.url(), "-H", "nonsense"}).exit, 2);
}

TEST_F(Connect, ExitCodesSayWhatHappened) {
  ScriptedServer refusing(
      *loop_, endpoint::test::answering("HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno\r\n"));
  const Ran refused = run({"connect", refusing.url()});
  EXPECT_EQ(refused.exit, 1);
  EXPECT_THAT(refused.err, HasSubstr("answered 403 Forbidden: no\n"));
  ScriptedServer silent(*loop_, [](Peer&) {});
  EXPECT_EQ(run({"connect", silent.url(), "--timeout", "50ms"}).exit, 6);
  const std::string gone = silent.url();
  silent.stop_listening();
  EXPECT_EQ(run({"connect", gone}).exit, 3);
  EXPECT_EQ(run({"connect"}).exit, 2);
  EXPECT_EQ(run({"connect", "ws://h/#f"}).exit, 2);
}

TEST_F(Connect, ExecSpeaksWithAProgramInLines) {
  std::vector<std::string> heard;
  ScriptedServer server(*loop_, on_frames([&](Peer& peer, const ws::FrameHeader& header, std::string text) {
    if (header.opcode != ws::Opcode::Text) return echo(peer, header, text);
    heard.push_back(text);
    peer.send(server_frame(0x81, "to " + text));
  }));
  const Ran ran = run({"connect", server.url(), "--exec", "echo one; read x; echo \"$x!\"; read y; exit 0"});
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_THAT(heard, testing::ElementsAre("one", "to one!"));
  EXPECT_EQ(run({"connect", server.url(), "--exec", "exit 3"}).exit, 1);
}

TEST_F(Connect, ReconnectGoesOnWithTheInput) {
  int visits = 0;
  ScriptedServer server(*loop_, [&](Peer& peer) {
    if (peer.step == 0 && peer.has_head() && ++visits == 1) {
      peer.step = 9;
      return peer.send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    }
    if (peer.step != 9) on_frames (&echo)(peer);
  });
  const Ran ran = run({"connect", server.url(), "--reconnect", "--wait", "50ms"}, "hello\n");
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_EQ(ran.out, "hello\n");
  EXPECT_EQ(visits, 2);
  EXPECT_THAT(ran.err, HasSubstr("; again in 0."));
}

using Conformance = ProgramTest;

TEST_F(Conformance, RunsEveryCaseAndAsksForTheReport) {
  std::vector<std::string> visited;
  ScriptedServer server(*loop_, [&](Peer& peer) {
    if (peer.step == 0 && peer.has_head()) {
      const std::string target = peer.received.substr(4, peer.received.find(' ', 4) - 4);
      visited.push_back(target);
      peer.step = 1;
      peer.send(peer.accept_head());
      peer.received.clear();
      if (target == "/getCaseCount") peer.send(server_frame(0x81, "3"));
      peer.send(server_frame(0x88, "\x03\xe8"));
    }
    if (peer.step == 1 && peer.received.size() >= 8) peer.hang_up();  // the Close is masked: 2 + 4 + 2
  });
  const Ran ran = run({"conformance", server.url(), "a b"});
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_THAT(visited, testing::ElementsAre("/getCaseCount", "/runCase?case=1&agent=a%20b",
                                            "/runCase?case=2&agent=a%20b", "/runCase?case=3&agent=a%20b",
                                            "/updateReports?agent=a%20b"));
}

}  // namespace
}  // namespace sinnet::cli::test
