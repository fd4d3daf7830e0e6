/// Handshakes: what both sides agree on and learn about each other, in pieces of any size, and what is
/// refused.

#include <gmock/gmock.h>

#include "io/tls_fixture.hpp"

namespace sinnet::test {
namespace {

using io::CloseMode;
using io::TlsVersion;
using ::testing::HasSubstr;

class TlsHandshakeTest : public TlsTest {};

TEST_F(TlsHandshakeTest, BothSidesLearnVersionProtocolAndName) {
  auto server_with = server_options();
  server_with.alpn = {"h2", "http/1.1"};
  auto client_with = client_options();
  client_with.alpn = {"http/1.1", "h2"};
  const auto server = server_context(server_with);
  const auto client = client_context(client_with);
  auto joined = join(MemoryPair{}, *server, *client, "Example.org.");
  ASSERT_TRUE(exchange(joined)) << joined.client->transport->failure() << joined.server->transport->failure();
  for (const Talker* side : {joined.client.get(), joined.server.get()}) {
    const io::TlsInfo* info = side->transport->tls();
    ASSERT_NE(info, nullptr);
    EXPECT_EQ(info->version, "TLSv1.3");
    EXPECT_EQ(info->alpn, "h2");  // the server's preference
    EXPECT_EQ(info->server_name, "Example.org");
    EXPECT_FALSE(info->truncated);
  }
  EXPECT_EQ(joined.client->transport->tls()->peer_subject, "CN=server");
  EXPECT_EQ(joined.server->transport->tls()->peer_subject, "");
}

TEST_F(TlsHandshakeTest, PiecesOfEverySizeCarryIt) {
  const auto server = server_context(server_options());
  const auto client = client_context(client_options());
  for (const std::size_t chunk : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 16u, 64u, 500u, 1000u, 5000u, 20'000u}) {
    SCOPED_TRACE(chunk);
    auto joined = join(MemoryPair{chunk}, *server, *client);
    EXPECT_TRUE(exchange(joined)) << joined.client->transport->failure()
                                  << joined.server->transport->failure();
  }
  for (const std::size_t capacity : {1u, 2u, 5u, 100u}) {
    SCOPED_TRACE(capacity);
    auto joined = join(MemoryPair{no_limit, capacity}, *server, *client);
    EXPECT_TRUE(exchange(joined)) << joined.client->transport->failure()
                                  << joined.server->transport->failure();
  }
}

TEST_F(TlsHandshakeTest, WantingOnlyToReadOrOnlyToWriteFinishesIt) {
  const auto server = server_context(server_options());
  const auto client = client_context(client_options());
  auto joined = join(MemoryPair{}, *server, *client, "example.org", "", "");  // both want to read only
  EXPECT_TRUE(turn_until([&] { return joined.server->transport->tls()->version == "TLSv1.3"; }, 100));
  auto writing = join(MemoryPair{}, *server, *client);
  writing.client->wants_reading = false;
  writing.client->update_wants();
  EXPECT_TRUE(turn_until([&] { return writing.server->received == "ping"; }, 100));
}

TEST_F(TlsHandshakeTest, ReadsAndWritesAreBlockedUntilItIsDone) {
  const auto client = client_context(client_options());
  MemoryPair pair;
  const auto transport = io::wrap_client(*client, std::move(pair.client_end), "example.org");
  std::array<std::byte, 16> buffer{};
  const Slice slice{"x", 1};
  EXPECT_EQ(transport->write({&slice, 1}).status, io::IoStatus::Blocked);
  EXPECT_EQ(transport->read(buffer).status, io::IoStatus::Blocked);
  EXPECT_EQ(transport->write_room(), 0u);
  EXPECT_GT(pair.to_server->waiting.size(), 100u) << "the ClientHello is on its way";
}

TEST_F(TlsHandshakeTest, MutualTlsShowsBothSubjects) {
  auto server_with = server_options();
  server_with.client_ca_file = world.ca_file;
  auto client_with = client_options();
  client_with.certificate = world.client;
  const auto server = server_context(server_with);
  const auto client = client_context(client_with);
  auto joined = join(MemoryPair{7}, *server, *client);
  ASSERT_TRUE(exchange(joined)) << joined.client->transport->failure() << joined.server->transport->failure();
  EXPECT_EQ(joined.client->transport->tls()->peer_subject, "CN=server");
  EXPECT_EQ(joined.server->transport->tls()->peer_subject, "CN=agent 7,O=Strands\\, Inc.");  // RFC 2253 2.4
}

TEST_F(TlsHandshakeTest, MutualTlsRefusesClientsWithoutOrWithAStrangersCertificate) {
  auto server_with = server_options();
  server_with.client_ca_file = world.ca_file;
  const auto server = server_context(server_with);
  const auto without = client_context(client_options());
  auto joined = join(MemoryPair{}, *server, *without);
  turn(50);
  EXPECT_EQ(joined.server->error, EPROTO);
  EXPECT_THAT(std::string{joined.server->transport->failure()},
              HasSubstr("peer did not return a certificate"));
  EXPECT_EQ(joined.client->error, EPROTO);
  EXPECT_THAT(std::string{joined.client->transport->failure()}, HasSubstr("the peer sent the alert"));

  auto client_with = client_options();
  client_with.certificate = world.write("forged", world.stranger.issue({.common_name = "agent 7"}));
  const auto forged = client_context(client_with);
  auto second = join(MemoryPair{}, *server, *forged);
  turn(50);
  EXPECT_EQ(second.server->error, EPROTO);
  EXPECT_THAT(std::string{second.server->transport->failure()}, HasSubstr("certificate refused"));
  EXPECT_EQ(second.server->transport->tls()->peer_subject, "");
  EXPECT_EQ(second.server->received, "");
}

TEST_F(TlsHandshakeTest, WrongHostIsRefused) {
  const auto server = server_context(server_options());
  const auto client = client_context(client_options());
  auto joined = join(MemoryPair{}, *server, *client, "evil.example");
  turn(50);
  EXPECT_EQ(joined.client->error, EPROTO);
  EXPECT_EQ(joined.client->transport->failure(),
            "TLS handshake: certificate refused: hostname mismatch (expected evil.example)");
  EXPECT_EQ(joined.server->received, "");
}

TEST_F(TlsHandshakeTest, TheCommonNameIsNoServerName) {
  const auto server = server_context(server_options());
  const auto client = client_context(client_options());
  auto joined = join(MemoryPair{}, *server, *client, "server");  // the CN; RFC 9525 6.3 forbids it
  turn(50);
  EXPECT_EQ(joined.client->error, EPROTO);
}

TEST_F(TlsHandshakeTest, AddressesAreComparedAndNotSent) {
  const auto server = server_context(server_options());
  const auto client = client_context(client_options());
  for (const std::string_view name : {"127.0.0.1", "::1", "[::1]"}) {
    SCOPED_TRACE(name);
    auto joined = join(MemoryPair{}, *server, *client, name);
    ASSERT_TRUE(exchange(joined)) << joined.client->transport->failure();
    EXPECT_EQ(joined.server->transport->tls()->server_name, "");
  }
  auto joined = join(MemoryPair{}, *server, *client, "127.0.0.2");
  turn(50);
  EXPECT_EQ(joined.client->transport->failure(),
            "TLS handshake: certificate refused: IP address mismatch (expected 127.0.0.2)");
}

TEST_F(TlsHandshakeTest, ExpiredUntrustedAndFutureCertificatesAreRefused) {
  struct Case {
    io::TlsCertificate certificate;
    const char* reason;
  };
  const LeafRequest old{.dns_names = {"example.org"}, .valid_from_s = -7200, .valid_until_s = -3600};
  const LeafRequest early{.dns_names = {"example.org"}, .valid_from_s = 3600, .valid_until_s = 7200};
  const LeafRequest good{.dns_names = {"example.org"}};
  const Case cases[] = {{world.issue("old", old), "certificate has expired"},
                        {world.issue("early", early), "certificate is not yet valid"},
                        {world.write("unknown", world.stranger.issue(good)), "unable to get local issuer"}};
  const auto client = client_context(client_options());
  for (const Case& one : cases) {
    const auto server = server_context({.certificate = one.certificate});
    auto joined = join(MemoryPair{}, *server, *client);
    turn(50);
    EXPECT_EQ(joined.client->error, EPROTO);
    EXPECT_THAT(std::string{joined.client->transport->failure()}, HasSubstr(one.reason));
    EXPECT_EQ(joined.server->error, EPROTO);
    EXPECT_EQ(joined.server->received, "");
  }
}

TEST_F(TlsHandshakeTest, SystemAuthoritiesDoNotKnowOurs) {
  const auto server = server_context(server_options());
  const auto client = client_context({});
  auto joined = join(MemoryPair{}, *server, *client);
  turn(50);
  EXPECT_THAT(std::string{joined.client->transport->failure()}, HasSubstr("certificate refused"));
}

TEST_F(TlsHandshakeTest, InsecureClientsTakeAnythingAndClaimNothing) {
  const auto server =
      server_context({.certificate = world.write("any", world.stranger.issue({.common_name = "anybody"}))});
  const auto client = client_context({.insecure = true});
  for (const std::string_view name : {"", "example.org"}) {
    auto joined = join(MemoryPair{}, *server, *client, name);
    ASSERT_TRUE(exchange(joined)) << joined.client->transport->failure();
    EXPECT_EQ(joined.client->transport->tls()->peer_subject, "") << "not verified, so not told";
    EXPECT_EQ(joined.server->transport->tls()->server_name, name);
  }
}

TEST_F(TlsHandshakeTest, VerifyingClientsNeedAUsableServerName) {
  const auto client = client_context(client_options());
  for (const std::string_view name :
       {std::string_view{""}, std::string_view{".example.org"}, std::string_view{"example.org\0.evil", 17}}) {
    MemoryPair pair;
    Talker talker{*loop, io::wrap_client(*client, std::move(pair.client_end), name), "ping"};
    turn(5);
    EXPECT_EQ(talker.error, EPROTO);
    EXPECT_THAT(std::string{talker.transport->failure()}, HasSubstr("not a server name"));
    EXPECT_EQ(pair.to_server->waiting.size(), 0u);
  }
}

TEST_F(TlsHandshakeTest, Attack19OnlyUnknownProtocolsOfferedIsFatal) {
  auto server_with = server_options();
  server_with.alpn = {"http/1.1"};
  auto client_with = client_options();
  client_with.alpn = {"h3", "spdy/1"};
  const auto server = server_context(server_with);
  const auto client = client_context(client_with);
  auto joined = join(MemoryPair{}, *server, *client);
  turn(50);
  EXPECT_EQ(joined.server->error, EPROTO);
  EXPECT_EQ(joined.client->error, EPROTO);
  EXPECT_EQ(joined.client->transport->failure(),
            "TLS handshake: the peer sent the alert no application protocol");
}

TEST_F(TlsHandshakeTest, ClientsThatOfferNoProtocolAreServed) {
  auto server_with = server_options();
  server_with.alpn = {"http/1.1"};
  const auto server = server_context(server_with);
  const auto client = client_context(client_options());
  auto joined = join(MemoryPair{}, *server, *client);
  ASSERT_TRUE(exchange(joined));
  EXPECT_EQ(joined.server->transport->tls()->alpn, "");
}

TEST_F(TlsHandshakeTest, SomethingElseThanTlsIsAFailureWithItsReason) {
  const auto server = server_context(server_options());
  MemoryPair pair;
  Talker talker{*loop, io::wrap_server(*server, std::move(pair.server_end))};
  const std::string_view request = "GET / HTTP/1.1\r\n\r\n";
  const Slice slice{request.data(), request.size()};
  pair.client_end->write({&slice, 1});
  turn(5);
  EXPECT_EQ(talker.error, EPROTO);
  EXPECT_EQ(talker.transport->failure(), "TLS handshake: http request");
}

TEST_F(TlsHandshakeTest, FailureStaysAndIsReportedOnEveryCall) {
  const auto server = server_context(server_options());
  const auto client = client_context(client_options());
  auto joined = join(MemoryPair{}, *server, *client, "evil.example");
  turn(50);
  std::array<std::byte, 16> buffer{};
  const Slice slice{"x", 1};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(joined.client->transport->read(buffer).errno_value, EPROTO);
    EXPECT_EQ(joined.client->transport->write({&slice, 1}).errno_value, EPROTO);
  }
  joined.client->transport->close(CloseMode::Orderly);
  EXPECT_EQ(joined.client->transport->read(buffer).errno_value, ENOTCONN);
  EXPECT_NE(joined.client->transport->failure(), "");
}

// Every prefix of either direction, ended by EOF or by an error of the inner transport: an end on both sides,
// no crash, and never bytes that were not sent.
class TlsCutTest : public TlsTest, public ::testing::WithParamInterface<int> {};

TEST_P(TlsCutTest, AnEndAtEveryByteIsAnEndAndNothingElse) {
  const auto server = server_context(server_options());
  const auto client = client_context(client_options());
  for (const bool cuts_client : {false, true}) {
    bool reached_all = false;
    for (std::size_t cut = 0; !reached_all; ++cut) {
      ASSERT_LT(cut, 20'000u);
      MemoryPair pair;
      const std::shared_ptr<Wire> wire = cuts_client ? pair.to_server : pair.to_client;
      wire->cut_after = cut;
      wire->cut_errno = GetParam();
      auto joined = join(std::move(pair), *server, *client);
      Talker& cut_off = cuts_client ? *joined.server : *joined.client;
      const std::string& said = cuts_client ? joined.client->to_send : joined.server->to_send;
      ASSERT_TRUE(
          turn_until([&] { return cut_off.is_over() || cut_off.is_at_eof || wire->carried < cut; }, 60));
      turn(6);
      ASSERT_TRUE(said.starts_with(cut_off.received));
      reached_all = wire->carried < cut;  // the whole dialogue was shorter
      if (reached_all) {
        ASSERT_EQ(cut_off.received, said);
      } else if (GetParam() != 0) {
        ASSERT_EQ(cut_off.error, GetParam()) << cut;
      } else if (cut_off.is_at_eof) {
        ASSERT_TRUE(cut_off.transport->tls()->truncated) << cut;
      } else {
        ASSERT_EQ(cut_off.error, EPROTO) << cut;
        ASSERT_EQ(cut_off.transport->failure(), "TLS handshake: the peer closed the connection");
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ends, TlsCutTest, ::testing::Values(0, ECONNRESET));

}  // namespace
}  // namespace sinnet::test
