// Opening: every way it succeeds and fails, against a server whose bytes are written here.

#include "endpoint/client_backoff.hpp"
#include "endpoint/client_fixture.hpp"
#include "io/tls_fixture.hpp"

namespace sinnet::endpoint::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;

std::string text_of(std::string_view hex) {
  const auto bytes = sinnet::test::bytes(hex);
  return std::string(as_text(bytes));
}

TEST_F(ClientTest, AsksWithWhatItWasTold) {
  ScriptedServer server(*loop_, accept_upgrade);
  const auto session =
      open("ws://user:p%40ss@127.0.0.1:" + std::to_string(server.port()) + "/chat?x=1",
           {.protocols = {"b", "a"}, .headers = {{"X-Mine", "yes"}}, .origin = "https://me"});
  ASSERT_TRUE(turn([&] { return seen_.opens == 1; }));
  const std::string& request = server.peers[0]->received;
  EXPECT_THAT(request, StartsWith("GET /chat?x=1 HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nHost: 127.0.0.1:" + std::to_string(server.port()) + "\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nSec-WebSocket-Protocol: b, a\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nX-Mine: yes\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nOrigin: https://me\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nAuthorization: Basic dXNlcjpwQHNz\r\n"));
  EXPECT_EQ(session->state(), ClientSession::State::Open);
  EXPECT_EQ(session->response().status(), 101);
  EXPECT_EQ(session->remote().port(), server.port());
  EXPECT_GT(session->timings().upgraded, session->timings().connected);
}

TEST_F(ClientTest, TakesBytesBehindTheHeadAndAnAbsentReasonPhrase) {
  // Two frames in one packet with the head: "Hello" (RFC 6455 5.7) and a Close with 1000.
  ScriptedServer server(*loop_, [](Peer& peer) {
    if (peer.step++ != 0) return;
    std::string head = peer.accept_head();
    head.replace(0, head.find("\r\n"), "HTTP/1.1 101 ");
    peer.send(head + text_of("81 05 48656c6c6f 88 02 03e8"));
  });
  const auto session = open(server.url());
  ASSERT_TRUE(turn([&] { return !seen_.closes.empty(); }));
  EXPECT_THAT(seen_.messages, ElementsAre("Hello"));
  EXPECT_THAT(seen_.closes, ElementsAre(Pair(1000, "")));
  EXPECT_EQ(seen_.opens, 1);
}

TEST_F(ClientTest, HeadMayComeByteByByteAndBehindInterimAnswers) {
  std::string head;
  std::size_t sent = 0;
  ScriptedServer server(*loop_, [&](Peer& peer) {
    if (peer.has_head() && head.empty()) {
      head = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + peer.accept_head();
    }
  });
  const auto session = open(server.url());
  ASSERT_TRUE(turn([&] {
    if (sent < head.size()) server.peers[0]->send(head.substr(sent++, 1));
    return seen_.opens == 1;
  }));
  EXPECT_EQ(sent, head.size());
}

TEST_F(ClientTest, AnswersThatOpenNothingAreTold) {
  struct Case {
    std::string answer;
    ErrorCode code;
    int status;
    std::string message;  ///< behind "127.0.0.1:port: "
    std::string body;
  };
  const std::vector<Case> cases{
      {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\n\r\nno\x1b[2Jkey", ErrorCode::PermissionDenied, 401,
       "answered 401 Unauthorized: no [2Jkey", "no\x1b[2Jkey"},
      {"HTTP/1.1 301 Moved\r\nLocation: https://x/y\r\nContent-Length: 0\r\n\r\n", ErrorCode::Refused, 301,
       "answered 301 Moved, to https://x/y", ""},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
       ErrorCode::Refused, 200, "answered 200 OK: abcde", "abcde"},
      {"HTTP/1.1 503 \r\nContent-Length: 5000\r\n\r\n" + std::string(2000, 'x'), ErrorCode::Refused, 503,
       "answered 503 Service Unavailable: " + std::string(160, 'x') + "…", std::string(1024, 'x')},
      {"HTTP/1.1 204 No Content\r\n\r\n", ErrorCode::Refused, 204, "answered 204 No Content", ""},
      {"SSH-2.0-OpenSSH_9.2\r\n\r\n", ErrorCode::ProtocolError, 0, "the answer is no HTTP: ", ""},
      {"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
       "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
       ErrorCode::ProtocolError, 101, "", ""},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.answer.substr(0, 40));
    seen_ = {};
    ScriptedServer server(*loop_, answering(test.answer));
    const OpenFailure failure = failure_of(server.url());
    EXPECT_EQ(failure.error.code, test.code);
    EXPECT_EQ(failure.status, test.status);
    EXPECT_THAT(failure.error.message,
                StartsWith("127.0.0.1:" + std::to_string(server.port()) + ": " + test.message));
    EXPECT_EQ(test.status == 101 ? "" : failure.body, test.body);
    EXPECT_EQ(failure.retry_in, std::nullopt);
  }
}

TEST_F(ClientTest, ABodyThatDribblesIsNotWaitedForToItsEnd) {
  ScriptedServer server(*loop_, answering("HTTP/1.1 403 Forbidden\r\n\r\nbecause"));
  const OpenFailure failure = failure_of(server.url());
  EXPECT_EQ(failure.status, 403);
  EXPECT_EQ(failure.body, "because");
}

TEST_F(ClientTest, ConnectionsThatEndWithoutAnswerAreTold) {
  ScriptedServer hanging_up(*loop_, [](Peer& peer) { peer.hang_up(); });
  const OpenFailure closed = failure_of(hanging_up.url());
  EXPECT_THAT(closed.error.message, HasSubstr("closed the connection before it answered"));

  seen_ = {};
  const std::string url = hanging_up.url();
  hanging_up.stop_listening();
  const OpenFailure refused = failure_of(url);
  EXPECT_EQ(refused.error.code, ErrorCode::Refused);
  EXPECT_EQ(refused.status, 0);

  seen_ = {};
  const OpenFailure unknown = failure_of("ws://no-such-host.invalid/");
  EXPECT_THAT(unknown.error.message, StartsWith("no-such-host.invalid: "));
}

TEST_F(ClientTest, OneDeadlineCoversTheOpening) {
  ScriptedServer silent(*loop_, [](Peer&) {});
  const OpenFailure failure = failure_of(silent.url(), {.open_timeout = 30ms});
  EXPECT_EQ(failure.error.code, ErrorCode::TimedOut);
  EXPECT_THAT(failure.error.message, HasSubstr(": no answer to the upgrade in time"));
}

TEST_F(ClientTest, UrlsThatCannotBeAskedForAreRefusedAtOnce) {
  Client& any = client();
  for (const char* url : {"", "localhost", "ws://", "ws://h/#f", "tcp://h:1", "ftp://h/", "ws://h:99999/",
                          "ws+unix:/x.sock:/a b"}) {
    const auto session = any.connect(url, record());
    ASSERT_FALSE(session.has_value()) << url;
    EXPECT_EQ(session.error().code, ErrorCode::InvalidArgument) << url;
  }
  const auto smuggled = client({.headers = {{"X", "a\r\nY: b"}}}).connect("ws://h/", record());
  EXPECT_FALSE(smuggled.has_value());
  EXPECT_FALSE(Client::create(*loop_, {.proxy = "socks5://h:1"}).has_value());
}

TEST_F(ClientTest, SpeaksOverAUnixSocket) {
  io::test::TemporaryFolder folder;
  ScriptedServer server(*loop_, accept_upgrade, "unix:" + folder.path("s.sock"));
  const auto session = open("ws+unix:" + folder.path("s.sock") + ":/chat?a=b");
  ASSERT_TRUE(turn([&] { return seen_.opens == 1; }));
  EXPECT_THAT(server.peers[0]->received, StartsWith("GET /chat?a=b HTTP/1.1\r\nHost: localhost\r\n"));
  seen_ = {};
  EXPECT_EQ(failure_of("ws+unix:" + folder.path("none.sock")).error.code, ErrorCode::NotFound);
}

// ---- proxy

TEST_F(ClientTest, AsksAProxyToConnect) {
  ScriptedServer proxy(*loop_, [](Peer& peer) {
    if (peer.step == 0 && peer.has_head()) {
      EXPECT_EQ(peer.received,
                "CONNECT far.example:80 HTTP/1.1\r\nHost: far.example:80\r\n"
                "Proxy-Authorization: Basic dTpw\r\n\r\n");
      peer.received.clear();
      peer.step = 1;
      peer.send("HTTP/1.1 200 Connection established\r\n\r\n");
    } else if (peer.step == 1 && peer.has_head()) {
      peer.step = 2;
      peer.send(peer.accept_head());
    }
  });
  const auto session =
      open("ws://far.example/x", {.proxy = "http://u:p@127.0.0.1:" + std::to_string(proxy.port())});
  ASSERT_TRUE(turn([&] { return seen_.opens == 1; }));
  EXPECT_THAT(proxy.peers[0]->received, StartsWith("GET /x HTTP/1.1\r\nHost: far.example\r\n"));
  EXPECT_GT(session->timings().proxied, session->timings().connected);
}

TEST_F(ClientTest, AProxysRefusalNamesTheProxy) {
  ScriptedServer proxy(*loop_, answering("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"));
  const std::string where = "127.0.0.1:" + std::to_string(proxy.port());
  const OpenFailure failure = failure_of("wss://far.example/", {.proxy = "http://" + where});
  EXPECT_EQ(failure.error.code, ErrorCode::PermissionDenied);
  EXPECT_EQ(failure.error.message, "proxy " + where + ": answered 407 Proxy Authentication Required");
}

TEST_F(ClientTest, BytesBehindAProxysAnswerAreNotTakenForTheServers) {
  ScriptedServer proxy(*loop_, answering("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 S\r\n"));
  const OpenFailure failure =
      failure_of("ws://far.example/", {.proxy = "http://127.0.0.1:" + std::to_string(proxy.port())});
  EXPECT_EQ(failure.error.code, ErrorCode::ProtocolError);
}

// ---- TLS

class ClientTlsTest : public ClientTest {
 protected:
  const sinnet::test::TlsWorld& world_ = sinnet::test::TlsWorld::instance();
  std::unique_ptr<io::TlsServerContext> tls_ =
      std::move(*io::TlsServerContext::create({.certificate = world_.server}));
};

TEST_F(ClientTlsTest, TrustsTheGivenIssuers) {
  ScriptedServer server(*loop_, accept_upgrade, "127.0.0.1:0", tls_.get());
  const auto session = open(server.url(), {.tls = {.ca_file = world_.ca_file}});
  ASSERT_TRUE(turn([&] { return seen_.opens + static_cast<int>(seen_.failures.size()) > 0; }));
  ASSERT_EQ(seen_.opens, 1) << seen_.failures.front().error.message;
  ASSERT_NE(session->connection()->tls(), nullptr);
  EXPECT_THAT(session->connection()->tls()->version, StartsWith("TLSv1."));
  EXPECT_GT(session->timings().secured, session->timings().connected);
  EXPECT_GE(session->timings().upgraded, session->timings().secured);
}

TEST_F(ClientTlsTest, StrangersCertificatesAreRefusedUnlessInsecure) {
  ScriptedServer server(*loop_, accept_upgrade, "127.0.0.1:0", tls_.get());
  const OpenFailure failure = failure_of(server.url(), {.tls = {.ca_file = world_.stranger_file}});
  EXPECT_EQ(failure.error.code, ErrorCode::TlsFailed);
  EXPECT_THAT(failure.error.message, HasSubstr("certificate"));
  const auto session = open(server.url(), {.tls = {.insecure = true}});
  EXPECT_TRUE(turn([&] { return seen_.opens == 1; }));
}

TEST_F(ClientTlsTest, PlainServersFailTheHandshake) {
  ScriptedServer server(*loop_, [](Peer& peer) { peer.send("HTTP/1.1 400 Bad Request\r\n\r\n"); });
  const OpenFailure failure = failure_of("wss://127.0.0.1:" + std::to_string(server.port()) + "/");
  EXPECT_EQ(failure.error.code, ErrorCode::TlsFailed);
}

// ---- the connection

TEST_F(ClientTest, EndsWithTheClosingHandshake) {
  // Answers the client's Close (masked, 1000 "bye") with one of its own.
  ScriptedServer server(*loop_, [](Peer& peer) {
    accept_upgrade(peer);
    const std::size_t head_end = peer.received.find("\r\n\r\n") + 4;
    if (peer.step == 1 && peer.received.size() >= head_end + 6 + 5) {
      peer.step = 2;
      peer.send(text_of("88 02 03e8"));
      peer.hang_up();
    }
  });
  const auto session = open(server.url());
  ASSERT_TRUE(turn([&] { return seen_.opens == 1; }));
  session->close(ws::CloseCode::Normal, "bye");
  ASSERT_TRUE(turn([&] { return session->state() == ClientSession::State::Over; }));
  EXPECT_THAT(seen_.closes, ElementsAre(Pair(1000, "")));
  const std::string& received = server.peers[0]->received;
  const std::string frame = received.substr(received.find("\r\n\r\n") + 4);
  EXPECT_EQ(frame.substr(0, 2), text_of("88 85"));  // FIN, Close; masked, five bytes
}

TEST_F(ClientTest, AStalledReaderIsDroppedAfterTheWriteTimeout) {
  ScriptedServer server(*loop_, [](Peer& peer) {
    accept_upgrade(peer);
    peer.stop_reading();
  });
  ClientOptions options;
  options.websocket.write_timeout = 50ms;
  const auto session = open(server.url(), options);
  ASSERT_TRUE(turn([&] { return seen_.opens == 1; }));
  const std::vector<std::byte> much(32 * 1024 * 1024);  // beyond what the kernel buffers for loopback
  ASSERT_TRUE(session->connection()->send_binary(much).has_value());
  EXPECT_EQ(session->connection()->room_bytes(), 0U);
  ASSERT_TRUE(turn([&] { return !seen_.closes.empty(); }));
  EXPECT_EQ(seen_.closes[0].first, 1006);
  EXPECT_TRUE(turn([&] { return session->state() == ClientSession::State::Over; }));
}

TEST_F(ClientTest, MayBeDestroyedInsideEveryCallback) {
  ScriptedServer server(*loop_, [](Peer& peer) {
    accept_upgrade(peer);
    if (peer.step++ == 1) peer.send(text_of("81 01 61 88 02 03e8"));
  });
  ScriptedServer refusing(*loop_, answering("HTTP/1.1 404 Not Found\r\n\r\n"));
  for (const std::string place : {"open", "message", "close", "failed"}) {
    SCOPED_TRACE(place);
    std::unique_ptr<ClientSession> session;
    bool is_gone = false;
    const auto at = [&](const std::string& here) {
      if (here != place) return;
      session.reset();
      is_gone = true;
    };
    Callbacks callbacks{.open = [&](Connection&) { at("open"); },
                        .message = [&](Connection&, const Message&) { at("message"); },
                        .close = [&](Connection&, const CloseInfo&) { at("close"); }};
    session = std::move(*client().connect(place == "failed" ? refusing.url() : server.url(),
                                          std::move(callbacks), [&](const OpenFailure&) { at("failed"); }));
    EXPECT_TRUE(turn([&] { return is_gone; }));
    for (int i = 0; i < 5; ++i) loop_->run_once(1ms);
  }
}

// ---- again

class CountingRandom final : public Random {
 public:
  explicit CountingRandom(std::byte value) : value_(value) {}
  void fill(MutableBytes out) override { std::ranges::fill(out, value_); }

 private:
  std::byte value_;
};

TEST(Backoff, DoublesUpToItsMostAndTakesTheRandomPartOff) {
  const ReconnectPolicy policy{.enabled = true, .first_delay = 100ms, .delay_max = 1s, .jitter = 0.5};
  CountingRandom lowest{std::byte{0}};
  CountingRandom highest{std::byte{0xFF}};
  Backoff full(policy);
  Backoff half(policy);
  for (const Duration expected : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
    EXPECT_EQ(full.next(lowest), expected);
    EXPECT_NEAR(static_cast<double>(half.next(highest).count()), static_cast<double>(expected.count()) / 2,
                2);
  }
}

TEST(Backoff, StartsAnewOnlyAfterAConnectionLongerThanTheDelay) {
  const ReconnectPolicy policy{.enabled = true, .first_delay = 100ms, .delay_max = 1s, .jitter = 0};
  CountingRandom random{std::byte{0x80}};
  Backoff backoff(policy);
  EXPECT_EQ(backoff.next(random), 100ms);
  EXPECT_EQ(backoff.next(random), 200ms);
  backoff.note_success(199ms);
  EXPECT_EQ(backoff.next(random), 400ms);
  backoff.note_success(400ms);
  EXPECT_EQ(backoff.next(random), 100ms);
}

TEST_F(ClientTest, ComesBackAfterFailuresAndLosses) {
  int visits = 0;
  ScriptedServer server(*loop_, [&](Peer& peer) {
    if (peer.step != 0 || !peer.has_head()) return;
    peer.step = 1;
    ++visits;
    if (visits == 1) return peer.send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    peer.send(peer.accept_head());
    if (visits == 2) peer.hang_up();
  });
  const auto session =
      open(server.url(), {.reconnect = {.enabled = true, .first_delay = 5ms, .delay_max = 20ms}});
  ASSERT_TRUE(turn([&] { return seen_.opens == 2; }));
  EXPECT_EQ(session->attempts(), 3U);
  ASSERT_EQ(seen_.failures.size(), 1U);
  EXPECT_TRUE(seen_.failures[0].retry_in.has_value());
  EXPECT_THAT(seen_.closes, ElementsAre(Pair(1006, testing::_)));
}

TEST_F(ClientTest, DoesNotComeBackWhenToldToEndOrWhenItWouldBeTheSame) {
  ScriptedServer refusing(*loop_, answering("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
  const ClientOptions options{.reconnect = {.enabled = true, .first_delay = 5ms}};
  EXPECT_EQ(failure_of(refusing.url(), options).retry_in, std::nullopt);

  seen_ = {};
  ScriptedServer busy(*loop_, answering("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"));
  const auto session = open(busy.url(), options);
  ASSERT_TRUE(turn([&] { return seen_.failures.size() == 2; }));
  session->close();
  EXPECT_EQ(session->state(), ClientSession::State::Over);
  for (int i = 0; i < 10; ++i) loop_->run_once(5ms);
  EXPECT_EQ(session->attempts(), 2U);
}

}  // namespace
}  // namespace sinnet::endpoint::test
