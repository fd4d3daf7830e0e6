#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>

#include "sinnet/ws/handshake.hpp"

namespace sinnet::ws {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

http::RequestHead request(std::string_view text) {
  http::HeadParser parser{http::HeadRole::Request, {.head_bytes_max = http::head_bytes_ceiling}};
  const auto progress = parser.receive(as_bytes(text));
  EXPECT_EQ(progress.status, http::HeadParser::Status::Done) << text << parser.error().reason;
  if (progress.status != http::HeadParser::Status::Done) return {};
  return parser.take_request();
}

// The parts of a sound handshake, from RFC 6455 1.2; tests leave one out or change it.
struct Parts {
  std::string start = "GET /chat HTTP/1.1";
  std::string upgrade = "Upgrade: websocket\r\n";
  std::string connection = "Connection: Upgrade\r\n";
  std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  std::string version = "Sec-WebSocket-Version: 13\r\n";
  std::string more = {};

  [[nodiscard]] http::RequestHead head() const {
    return request(start + "\r\nHost: server.example.com\r\n" + upgrade + connection + key + version + more +
                   "\r\n");
  }
};

int status_of(const Parts& parts) {
  const http::RequestHead head = parts.head();
  const auto parsed = parse_upgrade(head);
  return parsed.has_value() ? 101 : parsed.error().status;
}

std::vector<DeflateOffer> offers_in(std::string_view extensions) {
  const http::RequestHead head =
      Parts{.more = "Sec-WebSocket-Extensions: " + std::string{extensions} + "\r\n"}.head();
  const auto parsed = parse_upgrade(head);
  EXPECT_TRUE(parsed.has_value()) << extensions;
  return parsed.has_value() ? parsed->deflate_offers : std::vector<DeflateOffer>{};
}

int status_with_extensions(std::string_view extensions) {
  return status_of({.more = "Sec-WebSocket-Extensions: " + std::string{extensions} + "\r\n"});
}

constexpr DeflateOptions takeover{.enabled = true, .context_takeover = true};
constexpr DeflateOptions no_takeover{.enabled = true, .context_takeover = false};
constexpr DeflateOptions ten_bits{.enabled = true, .context_takeover = true, .window_bits = 10};

TEST(HandshakeServerTest, AcceptTokenIsThatOfTheRfc) {
  EXPECT_EQ(accept_token("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(HandshakeServerTest, AnswersTheHandshakeOfTheRfc) {
  const http::RequestHead head = request(
      "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n"
      "Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n");
  EXPECT_TRUE(wants_upgrade(head));
  const auto parsed = parse_upgrade(head);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_THAT(parsed->protocols, ElementsAre("chat", "superchat"));
  EXPECT_EQ(write_accept_response(*parsed, {.protocol = "chat", .deflate = {}, .headers = {}}),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n");
}

// The bytes of npm ws 8.23.0, client and server, over loopback. Its server writes what ours writes, in the
// same order.
TEST(HandshakeServerTest, AnswersNpmWsAsItsOwnServerDoes) {
  struct Case {
    std::string_view extensions_and_key;
    std::string_view protocol;
    DeflateOptions options;
    std::string_view answer;
  };
  const Case cases[] = {
      {"Sec-WebSocket-Key: H8AmKIVX/AkaLlpFOX479w==\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
       "",
       {},
       "Sec-WebSocket-Accept: JEjmtP3QYb7ZiHlbstQ//GRtZjw=\r\n\r\n"},
      {"Sec-WebSocket-Key: AX4N1cWsS2Zf07GMLhtQ6A==\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
       "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nSec-WebSocket-Protocol: "
       "p1,p2\r\n",
       "p1", takeover,
       "Sec-WebSocket-Accept: HV9cEiGw6luM5Qs/eBgeSvYWeWQ=\r\nSec-WebSocket-Protocol: p1\r\n"
       "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"},
      {"Sec-WebSocket-Key: DmA1n1GQlCBJRBFf7iB0tg==\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
       "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
       "client_no_context_takeover; "
       "client_max_window_bits\r\n",
       "", no_takeover,
       "Sec-WebSocket-Accept: glpVMf4dSwJ7Z1FoHBUG97ADDS8=\r\nSec-WebSocket-Extensions: permessage-deflate; "
       "server_no_context_takeover; client_no_context_takeover\r\n\r\n"},
      {"Sec-WebSocket-Key: qbM/2kjJ0etQp5ms8CsNKg==\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
       "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10; client_max_window_bits\r\n",
       "", ten_bits,
       "Sec-WebSocket-Accept: pUmKF11uMIhHASgqpHe5PKnb4X4=\r\nSec-WebSocket-Extensions: permessage-deflate; "
       "server_max_window_bits=10; client_max_window_bits=10\r\n\r\n"},
  };
  for (const Case& c : cases) {
    const http::RequestHead head =
        request("GET /p?q=1 HTTP/1.1\r\nSec-WebSocket-Version: 13\r\n" + std::string{c.extensions_and_key} +
                "Host: 127.0.0.1:36251\r\n\r\n");
    const auto parsed = parse_upgrade(head);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(head.path_and_query(), "/p?q=1");
    const Acceptance acceptance{.protocol = c.protocol,
                                .deflate = negotiate_deflate(parsed->deflate_offers, c.options),
                                .headers = {}};
    EXPECT_EQ(write_accept_response(*parsed, acceptance),
              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
                  std::string{c.answer});
  }
}

// The bytes of a python3-websockets 10.4 client.
TEST(HandshakeServerTest, ReadsPythonWebsockets) {
  const http::RequestHead head = request(
      "GET /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1:45011\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: 4Qh2Qet4kJnxjSNret+sCg==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: "
      "permessage-deflate; client_max_window_bits\r\nUser-Agent: Python/3.11 websockets/10.4\r\n\r\n");
  const auto parsed = parse_upgrade(head);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(accept_token(parsed->key), "PZ5LrKx0t4t/OIAWPnBhQOOR/vg=");
  EXPECT_THAT(parsed->deflate_offers, ElementsAre(DeflateOffer{.client_window_bits_allowed = true}));
}

// ---- who wants to upgrade, and what is refused

TEST(HandshakeServerTest, TellsPlainHttpFromAnAttempt) {
  EXPECT_FALSE(wants_upgrade(request("GET / HTTP/1.1\r\nHost: h\r\n\r\n")));
  EXPECT_FALSE(
      wants_upgrade(request("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: "
                            "h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n")));
  EXPECT_FALSE(
      wants_upgrade(request("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websockets, websocket/13\r\n\r\n")));
  EXPECT_TRUE(wants_upgrade(request("GET / HTTP/1.1\r\nHost: h\r\nupgrade: h2c, WebSocket\r\n\r\n")));
  EXPECT_TRUE(wants_upgrade(Parts{.upgrade = "", .connection = ""}.head()));
}

TEST(HandshakeServerTest, Attack06UpgradeAndConnectionAreTokenListsWithoutCase) {
  EXPECT_EQ(status_of({.connection = "Connection: keep-alive, Upgrade\r\n"}), 101);
  EXPECT_EQ(status_of({.connection = "Connection: keep-alive\r\nCONNECTION: uPGRADE\r\n"}), 101);
  EXPECT_EQ(status_of({.upgrade = "Upgrade: WebSocket, h2c\r\n"}), 101);
  EXPECT_EQ(status_of({.upgrade = ""}), 426);
  EXPECT_EQ(status_of({.upgrade = "Upgrade: h2c\r\n"}), 426);
  EXPECT_EQ(status_of({.upgrade = "Upgrade:\r\n"}), 426);
  EXPECT_EQ(status_of({.upgrade = "Upgrade: websocket h2c\r\n"}), 426);
  EXPECT_EQ(status_of({.connection = ""}), 400);
  EXPECT_EQ(status_of({.connection = "Connection: keep-alive\r\n"}), 400);
  EXPECT_EQ(status_of({.upgrade = "", .connection = ""}), 426);
}

TEST(HandshakeServerTest, Attack07OnlyGetOverHttp11WithOneSoundKeyOpens) {
  EXPECT_EQ(status_of({.start = "POST /chat HTTP/1.1"}), 405);
  EXPECT_EQ(status_of({.start = "get /chat HTTP/1.1"}), 405);
  EXPECT_EQ(status_of({.start = "GET /chat HTTP/1.0"}), 400);
  EXPECT_EQ(status_of({.key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==  \r\n"}), 101);
  for (const std::string_view key :
       {"", "dGhlIHNhbXBsZSBub25j",  // 15 bytes
        "dGhlIHNhbXBsZSBub25jZWU=",  // 17 bytes
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25j=Q==",
        "dGhlIHNhbXBsZSBub25jZ-==", "dGhlIHNhbXBs ZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ==, a"}) {
    EXPECT_EQ(status_of({.key = "Sec-WebSocket-Key: " + std::string{key} + "\r\n"}), 400) << key;
  }
  EXPECT_EQ(status_of({.key = ""}), 400);
  const std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  EXPECT_EQ(status_of({.key = key + key}), 400);
}

TEST(HandshakeServerTest, Attack08OtherVersionsLearnOurs) {
  for (const std::string_view version :
       {"8", "99", "", "13, 8", "013", "13.0", "-13", "13\r\nSec-WebSocket-Version: 13"}) {
    const Parts parts{.version = "Sec-WebSocket-Version: " + std::string{version} + "\r\n"};
    EXPECT_EQ(status_of(parts), 426) << version;
    const auto parsed = parse_upgrade(parts.head());
    EXPECT_THAT(write_refusal(parsed.error()), HasSubstr("\r\nSec-WebSocket-Version: 13\r\n"));
  }
  EXPECT_EQ(status_of({.version = ""}), 426);
}

TEST(HandshakeServerTest, Attack12AnUpgradeHasNoBody) {
  EXPECT_EQ(status_of({.more = "Content-Length: 0\r\n"}), 101);
  EXPECT_EQ(status_of({.more = "Content-Length: 1\r\n"}), 400);
  EXPECT_EQ(status_of({.more = "Transfer-Encoding: chunked\r\n"}), 400);
  EXPECT_EQ(status_of({.more = "Content-Length: 0\r\nContent-Length: 0\r\n"}), 400);
  EXPECT_EQ(status_of({.more = "Transfer-Encoding: gzip, chunked\r\n"}), 501);
}

TEST(HandshakeServerTest, RefusalsAreWholeResponsesThatClose) {
  EXPECT_EQ(write_refusal(parse_upgrade(Parts{.start = "PUT / HTTP/1.1"}.head()).error()),
            "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 29\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nAllow: GET\r\n\r\na WebSocket is opened by GET\n");
  EXPECT_EQ(
      write_refusal(parse_upgrade(request("GET / HTTP/1.1\r\nHost: h\r\n\r\n")).error()),
      "HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade, close\r\nContent-Length: 40\r\n"
      "Content-Type: text/plain; charset=utf-8\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
      "this is a WebSocket; Upgrade is missing\n");
  EXPECT_THAT(write_refusal(http::HeadError{.status = 431, .reason = "x"}),
              testing::StartsWith("HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n"));
}

TEST(HandshakeServerTest, AnApplicationsRefusalIsChecked) {
  const http::Field challenge[] = {{.name = "WWW-Authenticate", .value = "Bearer"}};
  EXPECT_EQ(write_refusal(401, challenge, ""),
            "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\nWWW-Authenticate: "
            "Bearer\r\n\r\n");
  const http::Field json[] = {{.name = "content-type", .value = "application/json"}};
  EXPECT_EQ(write_refusal(403, json, "{}"),
            "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\ncontent-type: "
            "application/json\r\n\r\n{}");
  EXPECT_EQ(write_refusal(204, {}, ""), "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  EXPECT_FALSE(write_refusal(204, {}, "x").has_value());
  EXPECT_FALSE(write_refusal(101, {}, "").has_value());
  EXPECT_FALSE(write_refusal(600, {}, "").has_value());
  for (const std::string_view name : {"Connection", "content-length", "Transfer-Encoding", "a b"}) {
    const http::Field field[] = {{.name = name, .value = "1"}};
    EXPECT_FALSE(write_refusal(400, field, "").has_value()) << name;
  }
}

TEST(HandshakeServerTest, Attack13NothingOfTheApplicationSplitsOrOverridesTheAnswer) {
  const http::RequestHead head = Parts{.more = "Sec-WebSocket-Protocol: a\r\n"}.head();
  const auto parsed = parse_upgrade(head);
  ASSERT_TRUE(parsed.has_value());
  const auto with = [&](std::string_view name, std::string_view value) {
    const http::Field field[] = {{.name = name, .value = value}};
    return write_accept_response(*parsed, {.protocol = "", .deflate = {}, .headers = field}).has_value();
  };
  EXPECT_TRUE(with("Set-Cookie", "a=b"));
  EXPECT_FALSE(with("Set-Cookie", "a=b\r\nX: y"));
  EXPECT_FALSE(with("Set-Cookie\r\nX", "a"));
  for (const std::string_view name :
       {"Upgrade", "connection", "SEC-WebSocket-Accept", "Sec-WebSocket-Protocol", "Content-Length",
        "Sec-WebSocket-Extensions", "transfer-encoding"}) {
    EXPECT_FALSE(with(name, "x")) << name;
  }
  const auto with_protocol = [&](std::string_view protocol) {
    return write_accept_response(*parsed, {.protocol = protocol, .deflate = {}, .headers = {}}).has_value();
  };
  EXPECT_TRUE(with_protocol("a"));
  EXPECT_FALSE(with_protocol("b"));
  EXPECT_FALSE(with_protocol("a\r\nX: y"));
  const http::Field location[] = {{.name = "Location", .value = "/a\r\nSet-Cookie: x"}};
  EXPECT_FALSE(write_refusal(302, location, "").has_value());
  EXPECT_FALSE(write_accept_response(*parsed, {.protocol = "", .deflate = DeflateParameters{}, .headers = {}})
                   .has_value());
}

// ---- subprotocols

TEST(HandshakeServerTest, ReadsProtocolsOverSeveralFields) {
  const http::RequestHead head =
      Parts{.more = "Sec-WebSocket-Protocol: a,b\r\nX: y\r\nsec-websocket-protocol: ,c ,\td\r\n"}.head();
  EXPECT_THAT(parse_upgrade(head)->protocols, ElementsAre("a", "b", "c", "d"));
}

TEST(HandshakeServerTest, RefusesProtocolsThatAreNoTokensOrRepeat) {
  for (const std::string_view list :
       {"", ",", "a b", "a,b;c", "a,a", "a, b, a", "a\r\nSec-WebSocket-Protocol: a", "\"a\"", "a/b"}) {
    EXPECT_EQ(status_of({.more = "Sec-WebSocket-Protocol: " + std::string{list} + "\r\n"}), 400) << list;
  }
  std::string many = "p0";
  for (std::size_t i = 1; i < protocols_max; ++i) many += ",p" + std::to_string(i);
  EXPECT_EQ(status_of({.more = "Sec-WebSocket-Protocol: " + many + "\r\n"}), 101);
  EXPECT_EQ(status_of({.more = "Sec-WebSocket-Protocol: " + many + ",one-more\r\n"}), 400);
}

TEST(HandshakeServerTest, ChoosesTheClientsFirstThatIsSupported) {
  const std::string_view offered[] = {"a", "b", "c"};
  const std::string_view supported[] = {"c", "b"};
  EXPECT_EQ(choose_protocol(offered, supported), "b");
  EXPECT_EQ(choose_protocol(offered, {}), std::nullopt);
  EXPECT_EQ(choose_protocol({}, supported), std::nullopt);
  const std::string_view upper[] = {"A"};
  EXPECT_EQ(choose_protocol(offered, upper), std::nullopt);
}

// ---- extensions

TEST(HandshakeServerTest, Attack03SpacesInAProtocolCostLinearTime) {
  const http::RequestHead head =
      Parts{.more = "Sec-WebSocket-Protocol: b" + std::string(32'768, ' ') + "x\r\n"}.head();
  timespec before{};
  timespec after{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  EXPECT_FALSE(parse_upgrade(head).has_value());
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  // Quadratic would be 10^9 steps.
  EXPECT_LT(static_cast<double>(after.tv_sec - before.tv_sec) +
                static_cast<double>(after.tv_nsec - before.tv_nsec) * 1e-9,
            0.1);
}

TEST(HandshakeServerTest, Attack04AnUnclosedQuotedStringCostsLinearTimeAndIsRefused) {
  std::string value = "a; b=\"";
  for (int i = 0; i < 30'000; ++i) value += "\\c";
  const http::RequestHead head = Parts{.more = "Sec-WebSocket-Extensions: " + value + "\r\n"}.head();
  timespec before{};
  timespec after{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  EXPECT_EQ(parse_upgrade(head).error().status, 400);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  EXPECT_LT(static_cast<double>(after.tv_sec - before.tv_sec) +
                static_cast<double>(after.tv_nsec - before.tv_nsec) * 1e-9,
            0.1);
}

TEST(HandshakeServerTest, Attack05OddExtensionNamesAreIgnoredAndBadListsRefused) {
  for (const std::string_view list :
       {"constructor", "__proto__; toString=1", "hasOwnProperty, x-webkit-deflate-frame", ",constructor",
        "a;b=\"c\"", "a ; b = c , d"}) {
    EXPECT_EQ(status_with_extensions(list), 101) << list;
    EXPECT_THAT(offers_in(list), IsEmpty());
  }
  for (const std::string_view list :
       {",;constructor", ",;x", "", ",", ";", "a;", "a;;b", "a;b=", "a;b=\"\"", "a;b=\"c", "a b", "a;b=c d",
        "a;b=\"c\"d", "a;b=\"c d\"", "a;b=\"\\", "a=b", "\"a\"", "a;b=,c", "a;\xe9"}) {
    EXPECT_EQ(status_with_extensions(list), 400) << list;
  }
}

TEST(HandshakeServerTest, ReadsDeflateOffersInTheirOrder) {
  EXPECT_THAT(
      offers_in("x, permessage-deflate; server_max_window_bits=10; client_max_window_bits=\"1\\2\", "
                "permessage-deflate;"
                "client_no_context_takeover;server_no_context_takeover\r\nSec-WebSocket-Extensions: "
                "permessage-deflate"),
      ElementsAre(
          DeflateOffer{
              .server_max_window_bits = 10, .client_window_bits_allowed = true, .client_max_window_bits = 12},
          DeflateOffer{.server_no_context_takeover = true, .client_no_context_takeover = true},
          DeflateOffer{}));
}

TEST(HandshakeServerTest, Attack48OffersWithBadParametersAreDeclined) {
  for (const std::string_view parameters :
       {"server_max_window_bits=7", "server_max_window_bits=16", "server_max_window_bits=999",
        "server_max_window_bits", "server_max_window_bits=10; server_max_window_bits=10",
        "server_max_window_bits=08", "server_max_window_bits=1a", "client_max_window_bits=7",
        "client_max_window_bits=16", "client_max_window_bits; client_max_window_bits=10",
        "client_max_window_bits=010", "server_no_context_takeover=true", "client_no_context_takeover=1",
        "server_no_context_takeover; server_no_context_takeover",
        "client_no_context_takeover; client_no_context_takeover", "unknown", "unknown=1",
        "Server_max_window_bits=10", "server_max_window_bits=-9"}) {
    EXPECT_THAT(offers_in("permessage-deflate; " + std::string{parameters}), IsEmpty()) << parameters;
  }
  EXPECT_EQ(status_with_extensions("permessage-deflate; server_max_window_bits=\"\""), 400);
  // The next offer is still looked at.
  EXPECT_THAT(offers_in("permessage-deflate; server_max_window_bits=7, permessage-deflate"),
              ElementsAre(DeflateOffer{}));
}

TEST(HandshakeServerTest, Attack48AWindowOfEightBitsIsDeclinedAndTheNextOfferTaken) {
  EXPECT_EQ(negotiate_deflate(offers_in("permessage-deflate; server_max_window_bits=8"), takeover),
            std::nullopt);
  EXPECT_EQ(negotiate_deflate(offers_in("permessage-deflate; client_max_window_bits=8"), takeover),
            std::nullopt);
  EXPECT_EQ(
      negotiate_deflate(
          offers_in(
              "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=9"),
          takeover),
      (DeflateParameters{.server_max_window_bits = 9}));
}

TEST(HandshakeServerTest, NegotiatesTheSmallerOfOfferAndOptions) {
  EXPECT_EQ(negotiate_deflate(offers_in("permessage-deflate"), {}), std::nullopt);
  EXPECT_EQ(negotiate_deflate({}, takeover), std::nullopt);
  EXPECT_EQ(negotiate_deflate(offers_in("permessage-deflate"), takeover), DeflateParameters{});
  EXPECT_EQ(negotiate_deflate(offers_in("permessage-deflate"), no_takeover),
            (DeflateParameters{.server_no_context_takeover = true, .client_no_context_takeover = true}));
  EXPECT_EQ(negotiate_deflate(offers_in("permessage-deflate; server_no_context_takeover"), takeover),
            (DeflateParameters{.server_no_context_takeover = true}));
  EXPECT_EQ(
      negotiate_deflate(offers_in("permessage-deflate; server_max_window_bits=12; client_max_window_bits=9"),
                        ten_bits),
      (DeflateParameters{.server_max_window_bits = 10, .client_max_window_bits = 9}));
  // We may not limit a client that did not say it understands that.
  EXPECT_EQ(negotiate_deflate(offers_in("permessage-deflate"), ten_bits), std::nullopt);
}

TEST(HandshakeServerTest, NamesTheWindowThatWasAskedForEvenWhenItIsTheLargest) {
  const http::RequestHead head =
      Parts{.more = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=15\r\n"}.head();
  const auto parsed = parse_upgrade(head);
  const auto parameters = negotiate_deflate(parsed->deflate_offers, takeover);
  EXPECT_THAT(
      *write_accept_response(*parsed, {.protocol = "", .deflate = parameters, .headers = {}}),
      EndsWith("\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=15\r\n\r\n"));
}

TEST(HandshakeServerTest, Attack18TheAnswerRepeatsNothingTheClientSent) {
  const http::RequestHead head =
      Parts{.more = "X-Evil: marker\r\nSec-WebSocket-Extensions: marker\r\n"}.head();
  EXPECT_THAT(*write_accept_response(*parse_upgrade(head), {}), Not(HasSubstr("marker")));
}

}  // namespace
}  // namespace sinnet::ws
