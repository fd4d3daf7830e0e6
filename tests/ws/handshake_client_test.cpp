#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sinnet/ws/handshake.hpp"
#include "support/bytes.hpp"

namespace sinnet::ws {
namespace {

using testing::HasSubstr;
using Kind = AcceptError::Kind;

/// Gives the bytes of RFC 6455 1.3's nonce, "the sample nonce", over and over.
class SampleNonce final : public Random {
 public:
  void fill(MutableBytes out) override {
    const Bytes nonce = as_bytes("the sample nonce");
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = nonce[i % nonce.size()];
  }
};

constexpr std::string_view key = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view token = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

UpgradeOptions options_with(const DeflateOptions& deflate, std::vector<std::string> protocols = {}) {
  UpgradeOptions options;
  options.host = "h";
  options.protocols = std::move(protocols);
  options.deflate = deflate;
  return options;
}

struct Outcome {
  std::optional<AcceptError> error;
  std::string protocol;
  std::optional<DeflateParameters> deflate;
};

Outcome check(std::string_view text, const UpgradeOptions& options, std::string_view sent_key = key) {
  http::HeadParser parser{http::HeadRole::Response};
  EXPECT_EQ(parser.receive(as_bytes(text)).status, http::HeadParser::Status::Done) << text;
  const http::ResponseHead head = parser.take_response();
  const auto agreement = check_accept_response(head, options, sent_key);
  if (!agreement.has_value()) return {.error = agreement.error(), .protocol = {}, .deflate = {}};
  return {.error = {}, .protocol = std::string{agreement->protocol}, .deflate = agreement->deflate};
}

std::string sound_response(std::string_view more) {
  std::string out = "HTTP/1.1 101\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
  return out.append(token).append("\r\n").append(more).append("\r\n");
}

Outcome check_extensions(std::string_view value, const DeflateOptions& deflate) {
  return check(sound_response("Sec-WebSocket-Extensions: " + std::string{value} + "\r\n"),
               options_with(deflate));
}

constexpr DeflateOptions takeover{.enabled = true, .context_takeover = true};
constexpr DeflateOptions no_takeover{.enabled = true, .context_takeover = false};
constexpr DeflateOptions ten_bits{.enabled = true, .context_takeover = true, .window_bits = 10};

std::string head_of(const UpgradeOptions& options) {
  SampleNonce random;
  const auto attempt = write_upgrade_request(options, random);
  EXPECT_TRUE(attempt.has_value()) << attempt.error().message;
  return attempt.has_value() ? attempt->head : std::string{};
}

TEST(HandshakeClientTest, WritesTheHandshakeOfTheRfc) {
  UpgradeOptions options;
  options.host = "server.example.com";
  options.target = "/chat";
  options.protocols = {"chat", "superchat"};
  options.origin = "http://example.com";
  options.headers = {{"X-Own", "1"}};
  SampleNonce random;
  const auto attempt = write_upgrade_request(options, random);
  ASSERT_TRUE(attempt.has_value());
  EXPECT_EQ(attempt->key, key);
  EXPECT_EQ(attempt->head,
            "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: "
            "http://example.com\r\n"
            "Sec-WebSocket-Protocol: chat, superchat\r\nX-Own: 1\r\n\r\n");
}

TEST(HandshakeClientTest, OffersWhatTheOptionsAllow) {
  EXPECT_THAT(head_of(options_with(takeover)),
              HasSubstr("\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"));
  EXPECT_THAT(head_of(options_with(no_takeover)),
              HasSubstr("\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                        "client_no_context_takeover; client_max_window_bits\r\n"));
  EXPECT_THAT(head_of(options_with(ten_bits)),
              HasSubstr("\r\nSec-WebSocket-Extensions: permessage-deflate; "
                        "server_max_window_bits=10; client_max_window_bits=10\r\n"));
}

TEST(HandshakeClientTest, Attack13OptionsThatCannotStandInAHeadAreRefused) {
  const auto refuses = [](auto change) {
    UpgradeOptions options;
    options.host = "h";
    change(options);
    SampleNonce random;
    const auto attempt = write_upgrade_request(options, random);
    return !attempt.has_value() && attempt.error().code == ErrorCode::InvalidArgument;
  };
  EXPECT_FALSE(refuses([](UpgradeOptions&) {}));
  for (const std::string bad : {"", "h\r\nX: y", "u@h", "h:99999", "a b"}) {
    EXPECT_TRUE(refuses([&](UpgradeOptions& options) { options.host = bad; })) << bad;
  }
  for (const std::string bad : {"", "chat", "/a b", "/\r\nX: y", "http://h/", "/a#b"}) {
    EXPECT_TRUE(refuses([&](UpgradeOptions& options) { options.target = bad; })) << bad;
  }
  for (const std::string bad : {"", "a b", "a,b", "a\r\nX: y"}) {
    EXPECT_TRUE(refuses([&](UpgradeOptions& options) { options.protocols = {bad}; })) << bad;
  }
  EXPECT_TRUE(refuses([](UpgradeOptions& options) { options.protocols = {"a", "b", "a"}; }));
  EXPECT_TRUE(refuses([](UpgradeOptions& options) { options.protocols.assign(protocols_max + 1, "a"); }));
  EXPECT_TRUE(refuses([](UpgradeOptions& options) { options.origin = "http://a\r\nX: y"; }));
  EXPECT_TRUE(
      refuses([](UpgradeOptions& options) { options.deflate = {.enabled = true, .window_bits = 8}; }));
  for (const std::string name :
       {"Host", "origin", "Sec-WebSocket-Key", "UPGRADE", "Content-Length", "a b", "a\r\nb"}) {
    EXPECT_TRUE(refuses([&](UpgradeOptions& options) { options.headers = {{name, "x"}}; })) << name;
  }
  EXPECT_TRUE(refuses([](UpgradeOptions& options) { options.headers = {{"X", "a\nb"}}; }));
}

// The bytes of the servers of npm ws 8.23.0 and python3-websockets 10.4.
TEST(HandshakeClientTest, AcceptsTheAnswersOfRealServers) {
  const Outcome npm = check(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
      "Upgrade\r\nSec-WebSocket-Accept: "
      "HV9cEiGw6luM5Qs/eBgeSvYWeWQ=\r\nSec-WebSocket-Protocol: p1\r\nSec-WebSocket-Extensions: "
      "permessage-deflate\r\n\r\n",
      options_with(takeover, {"p1", "p2"}), "AX4N1cWsS2Zf07GMLhtQ6A==");
  EXPECT_FALSE(npm.error.has_value());
  EXPECT_EQ(npm.protocol, "p1");
  EXPECT_EQ(npm.deflate, DeflateParameters{});
  const Outcome python = check(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
      "Upgrade\r\nSec-WebSocket-Accept: "
      "PZ5LrKx0t4t/OIAWPnBhQOOR/vg=\r\nSec-WebSocket-Extensions: permessage-deflate; "
      "server_max_window_bits=12; "
      "client_max_window_bits=12\r\nDate: Sun, 22 Nov 2026 00:09:05 GMT\r\nServer: Python/3.11 "
      "websockets/10.4\r\n\r\n",
      options_with(takeover), "4Qh2Qet4kJnxjSNret+sCg==");
  EXPECT_FALSE(python.error.has_value());
  EXPECT_EQ(python.deflate, (DeflateParameters{.server_max_window_bits = 12, .client_max_window_bits = 12}));
}

TEST(HandshakeClientTest, AcceptsAnEmptyReasonAndNoProtocol) {
  const Outcome outcome = check(sound_response("Content-Length: 0\r\n"), options_with({}, {"a"}));
  EXPECT_FALSE(outcome.error.has_value());
  EXPECT_EQ(outcome.protocol, "");
  EXPECT_FALSE(outcome.deflate.has_value());
}

TEST(HandshakeClientTest, ReportsTheFirstRuleAnAnswerBreaks) {
  const auto kind_of = [](std::string text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    const Outcome outcome = check(text, options_with(takeover, {"p"}));
    EXPECT_TRUE(outcome.error.has_value()) << text;
    return outcome.error.value_or(AcceptError{.kind = Kind::Status, .status = -1, .reason = {}}).kind;
  };
  const std::string sound = sound_response("");
  EXPECT_EQ(kind_of(sound, "101", "200"), Kind::Status);
  EXPECT_EQ(kind_of(sound, "101", "301"), Kind::Status);
  EXPECT_EQ(kind_of(sound, "HTTP/1.1", "HTTP/1.0"), Kind::Status);
  EXPECT_EQ(kind_of(sound, "Upgrade: websocket\r\n", ""), Kind::Upgrade);
  EXPECT_EQ(kind_of(sound, "websocket", "h2c"), Kind::Upgrade);
  EXPECT_EQ(kind_of(sound, "websocket", "websocket, h2c"), Kind::Upgrade);
  EXPECT_EQ(kind_of(sound, "Upgrade: websocket", "Upgrade: websocket\r\nUpgrade: websocket"), Kind::Upgrade);
  EXPECT_EQ(kind_of(sound, "Connection: Upgrade\r\n", ""), Kind::Connection);
  EXPECT_EQ(kind_of(sound, "Connection: Upgrade", "Connection: close"), Kind::Connection);
  EXPECT_EQ(kind_of(sound, "s3pP", "S3pP"), Kind::Accept);
  EXPECT_EQ(kind_of(sound, "Sec-WebSocket-Accept", "X-Accept"), Kind::Accept);
  EXPECT_EQ(kind_of(sound, "Sec-WebSocket-Accept", "Sec-WebSocket-Accept: x\r\nSec-WebSocket-Accept"),
            Kind::Accept);
  EXPECT_EQ(kind_of(sound_response("Content-Length: 5\r\n"), "x", "x"), Kind::Body);
  EXPECT_EQ(kind_of(sound_response("Transfer-Encoding: chunked\r\n"), "x", "x"), Kind::Body);
  EXPECT_EQ(kind_of(sound_response("Sec-WebSocket-Protocol: q\r\n"), "q", "q"), Kind::Protocol);
  EXPECT_EQ(kind_of(sound_response("Sec-WebSocket-Protocol: P\r\n"), "P", "P"), Kind::Protocol);
  EXPECT_EQ(kind_of(sound_response("Sec-WebSocket-Protocol: p, p\r\n"), "p", "p"), Kind::Protocol);
  EXPECT_EQ(kind_of(sound_response("Sec-WebSocket-Protocol: p\r\nSec-WebSocket-Protocol: p\r\n"), "p", "p"),
            Kind::Protocol);
}

TEST(HandshakeClientTest, TellsTheStatusOfAnOrdinaryAnswer) {
  const Outcome outcome = check("HTTP/1.1 401 Unauthorized\r\n\r\n", options_with({}));
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->status, 401);
}

TEST(HandshakeClientTest, RefusesExtensionsItDidNotOffer) {
  EXPECT_EQ(check_extensions("permessage-deflate", {}).error->kind, Kind::Extensions);
  for (const std::string_view value :
       {"x", "permessage-deflate, x", "permessage-deflate, permessage-deflate", "", ",;x",
        "permessage-deflate\r\nSec-WebSocket-Extensions: permessage-deflate"}) {
    const Outcome outcome = check_extensions(value, takeover);
    ASSERT_TRUE(outcome.error.has_value()) << value;
    EXPECT_EQ(outcome.error->kind, Kind::Extensions);
  }
}

TEST(HandshakeClientTest, Attack48BadDeflateParametersFailTheHandshake) {
  for (const std::string_view parameters :
       {"server_max_window_bits=7", "server_max_window_bits=16", "server_max_window_bits=999",
        "server_max_window_bits=\"\"", "server_max_window_bits",
        "server_max_window_bits=10; server_max_window_bits=10", "server_max_window_bits=09",
        "client_max_window_bits", "client_max_window_bits=7", "client_max_window_bits=8",
        "client_max_window_bits=16", "client_max_window_bits=10; client_max_window_bits=10",
        "server_no_context_takeover=1", "unknown",
        "client_no_context_takeover; client_no_context_takeover"}) {
    const Outcome outcome = check_extensions("permessage-deflate; " + std::string{parameters}, takeover);
    ASSERT_TRUE(outcome.error.has_value()) << parameters;
    EXPECT_EQ(outcome.error->kind, Kind::Extensions);
  }
}

TEST(HandshakeClientTest, WantsWhatItAskedFor) {
  EXPECT_TRUE(check_extensions("permessage-deflate", no_takeover).error.has_value());
  EXPECT_TRUE(check_extensions("permessage-deflate", ten_bits).error.has_value());
  EXPECT_TRUE(check_extensions("permessage-deflate; server_max_window_bits=11", ten_bits).error.has_value());
  EXPECT_TRUE(
      check_extensions("permessage-deflate; server_max_window_bits=10; client_max_window_bits=11", ten_bits)
          .error.has_value());
  EXPECT_EQ(check_extensions("permessage-deflate; server_max_window_bits=9", ten_bits).deflate,
            (DeflateParameters{.server_max_window_bits = 9, .client_max_window_bits = 10}));
  EXPECT_EQ(check_extensions("permessage-deflate; server_no_context_takeover", no_takeover).deflate,
            (DeflateParameters{.server_no_context_takeover = true, .client_no_context_takeover = true}));
  EXPECT_EQ(check_extensions("permessage-deflate; client_no_context_takeover", takeover).deflate,
            (DeflateParameters{.client_no_context_takeover = true}));
  // A server that compresses with 8 bits is read with a window of 9.
  EXPECT_EQ(check_extensions("permessage-deflate; server_max_window_bits=8", takeover).deflate,
            (DeflateParameters{.server_max_window_bits = 9}));
}

// ---- both roles

TEST(HandshakePairTest, EveryPairOfOptionsAgreesOnTheSameParameters) {
  for (const bool client_takeover : {false, true}) {
    for (const bool server_takeover : {false, true}) {
      for (std::uint8_t client_bits = 9; client_bits <= 15; ++client_bits) {
        for (std::uint8_t server_bits = 9; server_bits <= 15; ++server_bits) {
          const DeflateOptions client{
              .enabled = true, .context_takeover = client_takeover, .window_bits = client_bits};
          const DeflateOptions server{
              .enabled = true, .context_takeover = server_takeover, .window_bits = server_bits};
          SampleNonce random;
          const UpgradeOptions options = options_with(client, {"a", "b"});
          const auto attempt = write_upgrade_request(options, random);
          http::HeadParser parser{http::HeadRole::Request};
          ASSERT_EQ(parser.receive(as_bytes(attempt->head)).status, http::HeadParser::Status::Done);
          const http::RequestHead head = parser.take_request();
          const auto request = parse_upgrade(head);
          ASSERT_TRUE(request.has_value());
          const auto agreed = negotiate_deflate(request->deflate_offers, server);
          ASSERT_TRUE(agreed.has_value());
          const auto answer =
              write_accept_response(*request, {.protocol = "b", .deflate = agreed, .headers = {}});
          const Outcome outcome = check(*answer, options, attempt->key);
          ASSERT_FALSE(outcome.error.has_value()) << *answer;
          EXPECT_EQ(outcome.deflate, agreed) << *answer;
          EXPECT_EQ(outcome.protocol, "b");
        }
      }
    }
  }
}

}  // namespace
}  // namespace sinnet::ws
