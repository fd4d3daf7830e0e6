/// Attacks on the opening handshake over a real socket (docs/attacks.md, A): the exact answer, and that
/// others are served behind it.

#include <ctime>

#include "endpoint/live_server.hpp"

namespace sinnet::test {
namespace {

using endpoint::ServerOptions;

class AttackHandshake : public ::testing::Test {
 protected:
  /// Sends it on a connection of its own, expects the status and the end, and another client to be served.
  std::string expect_refused(std::string_view request, int status) {
    const std::string answer = live.answer_to(request);
    EXPECT_EQ(status_of(answer), status) << answer;
    EXPECT_EQ(answer.find("HTTP/1.1 ", 1), std::string::npos) << "answered twice: " << answer;
    EXPECT_TRUE(live.serves_others());
    return answer;
  }
  std::string expect_upgrade_refused(std::string_view extra, int status) {
    return expect_refused(upgrade_head("/echo", extra), status);
  }
  void expect_opens(std::string_view head) {
    SocketClient client = live.connect();
    client.send(head);
    const std::string answer = client.read_until("\r\n\r\n");
    EXPECT_EQ(status_of(answer), 101) << head << answer;
    EXPECT_NE(answer.find(sample_accept), std::string::npos);
    EXPECT_TRUE(client.echoes("in"));
  }

  LiveServer live;
  void SetUp() override { live.start(); }
  void TearDown() override { EXPECT_TRUE(live.serves_others()); }
};

std::string head_with(std::string_view lines) {
  return "GET /echo HTTP/1.1\r\n" + std::string(lines) + "\r\n";
}

std::string sound_lines_without(std::string_view name) {
  std::string lines;
  for (const std::string_view line :
       {"Host: localhost\r\n", "Upgrade: websocket\r\n", "Connection: Upgrade\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "Sec-WebSocket-Version: 13\r\n"}) {
    if (!line.starts_with(name)) lines += line;
  }
  return lines;
}

TEST_F(AttackHandshake, Attack01TwoThousandHeadersAre431) {
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "X" + std::to_string(i) + ": 1\r\n";
  expect_refused("GET /echo HTTP/1.1\r\n" + many + sound_lines_without("none") + "\r\n", 431);
}

TEST_F(AttackHandshake, Attack02OneHugeTrickledHeaderIs431) {
  SocketClient client = live.connect();
  client.send("GET /echo HTTP/1.1\r\nHost: localhost\r\nX: ");
  const std::string piece(64 * 1024, 'a');
  for (int i = 0; i < 320 && client.send(piece); ++i) {
  }
  EXPECT_EQ(status_of(client.read_until("\r\n\r\n")), 431);
  EXPECT_TRUE(live.serves_others());
}

TEST_F(AttackHandshake, Attack02HeadSentByteByByteIsParsedOnce) {
  SocketClient client = live.connect();
  EXPECT_TRUE(client.send_pieces(upgrade_head("/echo", "X: " + std::string(8000, 'a') + "\r\n"), 1));
  EXPECT_EQ(status_of(client.read_until("\r\n\r\n")), 101);
}

TEST_F(AttackHandshake, Attack03SpacesInProtocolListAreLinear) {
  expect_upgrade_refused("Sec-WebSocket-Protocol: b" + std::string(12 * 1024, ' ') + "x\r\n", 400);
}

TEST_F(AttackHandshake, Attack04UnclosedQuoteInExtensionsIs400) {
  std::string quoted = "Sec-WebSocket-Extensions: a; b=\"";
  for (int i = 0; i < 6000; ++i) quoted += "\\c";
  expect_upgrade_refused(quoted + "\r\n", 400);
}

TEST_F(AttackHandshake, Attack05OddExtensionNamesOpenNothing) {
  expect_opens(upgrade_head("/echo", "Sec-WebSocket-Extensions: constructor, __proto__\r\n"));
  expect_upgrade_refused("Sec-WebSocket-Extensions: ,;constructor\r\n", 400);
}

TEST_F(AttackHandshake, Attack06HalfAnUpgradeIsRefused) {
  expect_refused(head_with(sound_lines_without("Upgrade")), 426);
  expect_refused(head_with(sound_lines_without("Connection")), 400);
}

TEST_F(AttackHandshake, Attack06UpgradeTokensStandInListsOfAnyCase) {
  expect_opens(head_with(sound_lines_without("Connection") + "Connection: keep-alive, UPGRADE\r\n"));
  expect_opens(head_with(sound_lines_without("Upgrade") + "Upgrade: WebSocket, h2c\r\n"));
}

TEST_F(AttackHandshake, Attack07OnlyGetMayUpgrade) {
  expect_refused("POST" + upgrade_head("/echo").substr(3), 405);
}

TEST_F(AttackHandshake, Attack07OldVersionAndHostsAreRefused) {
  std::string old = upgrade_head("/echo");
  old.replace(old.find("HTTP/1.1"), 8, "HTTP/1.0");
  expect_refused(old, 400);
  expect_refused(head_with(sound_lines_without("Host")), 400);
  expect_upgrade_refused("Host: localhost\r\n", 400);
}

TEST_F(AttackHandshake, Attack07KeyIsOneOfSixteenBytes) {
  const std::string without = sound_lines_without("Sec-WebSocket-Key");
  for (const std::string_view key : {"AAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA=",
                                     "dGhlIHNhbXBsZSBub25jZQ=", "!!!!!!!!!!!!!!!!!!!!!!==", ""}) {
    expect_refused(head_with(without + "Sec-WebSocket-Key: " + std::string(key) + "\r\n"), 400);
  }
  expect_upgrade_refused("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400);
  expect_refused(head_with(without), 400);
}

TEST_F(AttackHandshake, Attack08OtherVersionsAre426WithOurs) {
  const std::string without = sound_lines_without("Sec-WebSocket-Version");
  for (const std::string_view version : {"8", "99", "", "13, 8", "013"}) {
    const std::string answer =
        expect_refused(head_with(without + "Sec-WebSocket-Version: " + std::string(version) + "\r\n"), 426);
    EXPECT_NE(answer.find("Sec-WebSocket-Version: 13\r\n"), std::string::npos) << answer;
  }
  expect_upgrade_refused("Sec-WebSocket-Version: 13\r\n", 426);
}

TEST_F(AttackHandshake, Attack09NothingBehindARefusedUpgradeIsRead) {
  std::string bad = upgrade_head("/echo");
  bad.replace(bad.find("Version: 13"), 11, "Version: 99");
  // What a proxy that believes in the upgrade would pass on: never answered as a request of its own.
  expect_refused(bad + "GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n", 426);
}

TEST_F(AttackHandshake, Attack10UpgradeToH2cIsAPlainRequest) {
  expect_refused(
      "GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close, Upgrade, HTTP2-Settings\r\n"
      "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
      426);
}

TEST_F(AttackHandshake, Attack11AbsoluteTargetPicksNoOtherBackend) {
  expect_refused(upgrade_head("http://169.254.169.254/"), 400);  // not what Host says
  std::string agreeing = upgrade_head("http://169.254.169.254/echo");
  agreeing.replace(agreeing.find("Host: localhost"), 15, "Host: 169.254.169.254");
  expect_refused(agreeing, 421);
  expect_refused(upgrade_head("http://localhost/nowhere"), 404);
}

TEST_F(AttackHandshake, Attack12FramingTricksAre400AndEndTheConnection) {
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  for (const std::string& lines : {
           chunked + "Content-Length: 4\r\n",
           std::string("Content-Length: 4\r\nContent-Length: 5\r\n"),
           std::string("Transfer-Encoding : chunked\r\n"),
           std::string("Transfer-Encoding:\r\n chunked\r\n"),
           std::string("Content-Length: +5\r\n"),
           std::string("Content-Length: 0x5\r\n"),
           std::string("Content-Length: 5,5\r\n"),
           std::string("X: a\nY: b\r\n"),
           std::string("X: a\rY: b\r\n"),
           std::string("X: a\0b\r\n", 8),
           std::string("X : a\r\n"),
       }) {
    const std::string tail = "GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n";
    expect_refused("POST /echo HTTP/1.1\r\nHost: localhost\r\n" + lines + "\r\n" + tail, 400);
  }
  expect_refused("POST /echo HTTP/1.1\r\nHost: localhost\r\n" + chunked +
                     "\r\nFFFFFFFFFFFFFFFF0\r\nGET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 411);
}

TEST_F(AttackHandshake, Attack12AnUpgradeWithABodyIs400) {
  expect_refused(upgrade_head("/echo", "Content-Length: 5\r\n") + "hello", 400);
}

TEST_F(AttackHandshake, Attack15BytesBeforeTheRequestAre400) {
  expect_refused("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n" + upgrade_head("/echo"), 400);
  expect_refused(std::string("\x16\x03\x01\x00\x05hello\r\n\r\n", 14), 400);
}

TEST_F(AttackHandshake, Attack15FramesInTheSegmentOfTheHeadAreAnswered) {
  SocketClient client = live.connect();
  client.send(upgrade_head("/echo") + wire_frame(1, "early") + wire_frame(1, "bird"));
  EXPECT_EQ(status_of(client.read_until("\r\n\r\n")), 101);
  EXPECT_EQ(client.read_frame()->payload, "early");
  EXPECT_EQ(client.read_frame()->payload, "bird");
  EXPECT_TRUE(live.serves_others());
}

TEST_F(AttackHandshake, Attack16ForeignOriginsAre403) {
  for (const std::string_view origin : {"http://evil.example", "null", "http://localhost.evil.example",
                                        "http://evil-localhost", "http://localhost:81", "https://localhost",
                                        "HTTP://localhost", "http://user@localhost", "http://localhost/"}) {
    expect_upgrade_refused("Cookie: sid=1\r\nOrigin: " + std::string(origin) + "\r\n", 403);
  }
  expect_opens(upgrade_head("/echo", "Origin: http://localhost\r\n"));
}

TEST_F(AttackHandshake, Attack17ReboundNameOnALoopbackPortIs421) {
  expect_refused(head_with(sound_lines_without("Host") + "Host: rebound.example\r\n"), 421);
  expect_refused("GET /echo HTTP/1.1\r\nHost: rebound.example\r\n\r\n", 421);
}

TEST_F(AttackHandshake, Attack18AnswerReflectsNothingOfTheRequest) {
  SocketClient client = live.connect();
  const std::string answer = client.upgrade("/echo", "X-Probe: reflected\r\nCookie: reflected\r\n");
  EXPECT_EQ(status_of(answer), 101);
  EXPECT_EQ(answer.find("reflected"), std::string::npos) << answer;
  EXPECT_EQ(answer.find(sample_key), std::string::npos) << answer;
}

TEST(AttackSlowHandshake, Attack14UnfinishedHeadsEndAtTheDeadline) {
  ServerOptions options;
  options.limits.handshake_timeout = 150ms;
  LiveServer live(options);
  live.start();
  SocketClient silent = live.connect();
  SocketClient begun = live.connect();
  begun.send("GET /echo HTTP/1.1\r\nHost: lo");
  // One byte now and then does not move the deadline.
  SocketClient trickling = live.connect();
  const std::string head = upgrade_head("/echo", "X: " + std::string(14'000, 'a') + "\r\n");
  for (const char& byte : head) {
    if (!trickling.send({&byte, 1}) || !trickling.stays_silent(10)) break;
  }
  EXPECT_EQ(status_of(trickling.read_to_end()), 408);
  EXPECT_EQ(status_of(begun.read_to_end()), 408);
  EXPECT_TRUE(silent.waits_for_end());
  EXPECT_TRUE(live.serves_others());
}

TEST(AttackSlowHandshake, Attack14UnfinishedHandshakesOfOneAddressAreLimited) {
  ServerOptions options;
  options.limits.handshakes_per_ip = 4;
  LiveServer live(options);
  live.start();
  std::vector<SocketClient> holders;
  for (int i = 0; i < 4; ++i) {
    holders.push_back(live.connect());
    holders.back().send("GET /");
  }
  EXPECT_TRUE(comes_true([&] { return live.server.statistics().accepted == 4; }));
  EXPECT_TRUE(live.connect().waits_for_end());
  SocketClient elsewhere = SocketClient::tcp(live.port, "127.0.0.2");
  EXPECT_EQ(status_of(elsewhere.upgrade("/echo")), 101);
  holders.pop_back();  // a place is free again
  EXPECT_TRUE(comes_true([&] { return live.serves_others(); }));
  EXPECT_GE(live.server.statistics().refused, 1u);
}

TEST(AttackResponse, Attack13LineBreaksInAnApplicationsHeadersAreRefused) {
  Reports reports;
  LiveServer live;
  ASSERT_TRUE(live.server.route("/split", {.open = [&](endpoint::Connection& connection) {
                                  const http::Field bad{"X-A", "b\r\nSet-Cookie: c=d"};
                                  const auto accepted =
                                      connection.accept({.protocol = {}, .headers = {&bad, 1}});
                                  reports.add(accepted ? "accepted" : "invalid");
                                  const auto chosen =
                                      connection.accept({.protocol = "a\r\nX: y", .headers = {}});
                                  reports.add(chosen ? "accepted" : "invalid");
                                  connection.refuse(302, {&bad, 1}, "");
                                }}));
  (void)live.server.respond("/plain", [](const endpoint::HttpRequest&) {
    return endpoint::HttpResponse{.status = 302, .headers = {{"Location", "/a\r\nSet-Cookie: c=d"}}};
  });
  live.start();
  const std::string answer = live.answer_to(upgrade_head("/split"));
  EXPECT_EQ(status_of(answer), 500);
  EXPECT_EQ(answer.find("Set-Cookie"), std::string::npos);
  EXPECT_EQ(reports.wait(2), (std::vector<std::string>{"invalid", "invalid"}));
  const std::string plain = live.answer_to("GET /plain HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(status_of(plain), 500);
  EXPECT_EQ(plain.find("Set-Cookie"), std::string::npos);
  EXPECT_TRUE(live.serves_others());
}

}  // namespace
}  // namespace sinnet::test
