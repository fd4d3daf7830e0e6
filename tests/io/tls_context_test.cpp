/// Contexts: which files are usable, which certificate a name gets, and the swap of certificates under live
/// connections.

#include "sinnet/io/tls.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "io/tls_fixture.hpp"

namespace sinnet::test {
namespace {

using ::testing::HasSubstr;

class TlsContextTest : public TlsTest {
 protected:
  /// What a client that trusts our authority sees when it asks for `name` but checks no name.
  std::string subject_for(const io::TlsServerContext& server, const std::string& name) {
    auto with = client_options();
    const auto client = client_context(with);
    auto joined = join(MemoryPair{}, server, *client, name);
    exchange(joined);
    const std::string failure{joined.client->transport->failure()};
    return failure.empty() ? joined.client->transport->tls()->peer_subject : failure;
  }

  io::TlsCertificate leaf(const std::string& name, std::vector<std::string> dns_names) {
    return world.issue(name, {.common_name = name, .dns_names = std::move(dns_names)});
  }
};

TEST_F(TlsContextTest, MissingFilesAreNamed) {
  auto result = io::TlsServerContext::create({.certificate = {"/nowhere/x.pem", world.server.key_file}});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::NotFound);
  EXPECT_EQ(result.error().message, "certificate file /nowhere/x.pem: No such file or directory");
  result = io::TlsServerContext::create({.certificate = {world.server.certificate_file, "/nowhere/x.key"}});
  EXPECT_EQ(result.error().message, "key file /nowhere/x.key: No such file or directory");
  result = io::TlsServerContext::create({.certificate = world.server, .client_ca_file = "/nowhere/ca.pem"});
  EXPECT_EQ(result.error().message, "client CA file /nowhere/ca.pem: No such file or directory");
  auto client = io::TlsClientContext::create({.ca_file = "/nowhere/ca.pem"});
  EXPECT_EQ(client.error().message, "CA file /nowhere/ca.pem: No such file or directory");
  result = io::TlsServerContext::create({});
  EXPECT_EQ(result.error().code, ErrorCode::InvalidArgument);
}

TEST_F(TlsContextTest, AKeyOfAnotherCertificateIsRefused) {
  const auto result =
      io::TlsServerContext::create({.certificate = {world.server.certificate_file, world.client.key_file}});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::TlsFailed);
  EXPECT_EQ(result.error().message, "key file " + world.client.key_file +
                                        ": does not belong to certificate file " +
                                        world.server.certificate_file);
}

TEST_F(TlsContextTest, AnEncryptedKeyIsRefusedWithoutAskingForAPassPhrase) {
  const IssuedCertificate issued = world.authority.issue({.dns_names = {"example.org"}});
  io::TlsCertificate files = world.write("locked", issued);
  world.folder.write("locked.key", encrypt_key(issued.key, "open sesame"));
  const auto result = io::TlsServerContext::create({.certificate = files});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message, "key file " + files.key_file + ": is encrypted, which is not supported");
}

TEST_F(TlsContextTest, FilesThatAreNotPemAreRefused) {
  const std::string junk = world.folder.write("junk.pem", "hello\n");
  const std::string empty = world.folder.write("empty.pem", "");
  for (const std::string& file : {junk, empty, world.folder.path("")}) {
    SCOPED_TRACE(file);
    const auto as_certificate = io::TlsServerContext::create({.certificate = {file, world.server.key_file}});
    const auto as_key = io::TlsServerContext::create({.certificate = {world.server.certificate_file, file}});
    const auto as_client_ca =
        io::TlsServerContext::create({.certificate = world.server, .client_ca_file = file});
    ASSERT_FALSE(as_certificate.has_value() || as_key.has_value() || as_client_ca.has_value());
    EXPECT_THAT(as_certificate.error().message, HasSubstr("certificate file " + file + ": "));
    EXPECT_THAT(as_key.error().message, HasSubstr("key file " + file + ": "));
    EXPECT_THAT(as_client_ca.error().message, HasSubstr("client CA file " + file + ": "));
    const auto as_ca = io::TlsClientContext::create({.ca_file = file});
    ASSERT_FALSE(as_ca.has_value());
    EXPECT_THAT(as_ca.error().message, HasSubstr("CA file " + file + ": "));
  }
}

TEST_F(TlsContextTest, ProtocolNamesHaveOneTo255Bytes) {
  for (const std::string& name : {std::string{}, std::string(256, 'x')}) {
    const auto server = io::TlsServerContext::create({.certificate = world.server, .alpn = {name}});
    ASSERT_FALSE(server.has_value());
    EXPECT_EQ(server.error().code, ErrorCode::InvalidArgument);
    EXPECT_FALSE(io::TlsClientContext::create({.alpn = {"h2", name}}).has_value());
  }
  EXPECT_TRUE(io::TlsClientContext::create({.alpn = {std::string(255, 'x')}}).has_value());
}

TEST_F(TlsContextTest, TheNameAClientAsksForChoosesTheCertificate) {
  const std::vector<std::string> all{"example.org",     "a.example.org",  "b.example.org",
                                     "x.a.example.org", "shop.test",      "www.shop.test",
                                     "self.test",       "deep.self.test", "elsewhere.test"};
  const auto options =
      io::TlsServerOptions{.certificate = leaf("default", all),
                           .by_name = {{{"*.example.org"}, leaf("wild", all)},
                                       {{"A.Example.org", "shop.test."}, leaf("exact", all)},
                                       {{}, leaf("own names", {"self.test", "*.self.test"})}}};
  const auto server = server_context(options);
  EXPECT_EQ(subject_for(*server, "example.org"), "CN=default")
      << "a wildcard stands for one label, not for none";
  EXPECT_EQ(subject_for(*server, "b.example.org"), "CN=wild");
  EXPECT_EQ(subject_for(*server, "a.EXAMPLE.org"), "CN=exact") << "exact wins over the earlier wildcard";
  EXPECT_EQ(subject_for(*server, "x.a.example.org"), "CN=default") << "nor for two";
  EXPECT_EQ(subject_for(*server, "shop.test"), "CN=exact");
  EXPECT_EQ(subject_for(*server, "www.shop.test"), "CN=default");
  EXPECT_EQ(subject_for(*server, "self.test"), "CN=own names");
  EXPECT_EQ(subject_for(*server, "deep.self.test"), "CN=own names");
  EXPECT_EQ(subject_for(*server, "elsewhere.test"), "CN=default");
}

TEST_F(TlsContextTest, ACertificateChosenByNameStillDemandsTheClients) {
  const auto server = server_context({.certificate = world.server,
                                      .by_name = {{{"other.test"}, leaf("other", {"other.test"})}},
                                      .client_ca_file = world.ca_file,
                                      .alpn = {"h2"}});
  const auto without = client_context(client_options());
  auto refused = join(MemoryPair{}, *server, *without, "other.test");
  turn(50);
  EXPECT_EQ(refused.server->error, EPROTO);
  auto with = client_options();
  with.certificate = world.client;
  with.alpn = {"h2"};
  const auto client = client_context(with);
  auto joined = join(MemoryPair{}, *server, *client, "other.test");
  ASSERT_TRUE(exchange(joined)) << joined.server->transport->failure();
  EXPECT_EQ(joined.client->transport->tls()->peer_subject, "CN=other");
  EXPECT_THAT(joined.server->transport->tls()->peer_subject, HasSubstr("CN=agent 7"));
  EXPECT_EQ(joined.server->transport->tls()->alpn, "h2");
}

TEST_F(TlsContextTest, ReloadServesNewConnectionsAndLeavesOldOnesAlone) {
  const io::TlsCertificate files = leaf("before", {"example.org"});
  auto server = server_context({.certificate = files});
  const auto client = client_context(client_options());
  auto old = join(MemoryPair{}, *server, *client);
  ASSERT_TRUE(exchange(old));
  MemoryPair pair;  // wrapped before the reload, handshake after it
  auto half = join(std::move(pair), *server, *client);

  const IssuedCertificate renewed =
      world.authority.issue({.common_name = "after", .dns_names = {"example.org"}});
  world.folder.write("before.pem", renewed.certificate);
  const auto torn = server->reload();  // the key is not there yet
  ASSERT_FALSE(torn.has_value());
  EXPECT_THAT(torn.error().message, HasSubstr("does not belong to"));
  EXPECT_EQ(subject_for(*server, "example.org"), "CN=before");
  world.folder.write("before.key", renewed.key);
  ASSERT_TRUE(server->reload().has_value());
  EXPECT_EQ(subject_for(*server, "example.org"), "CN=after");

  ASSERT_TRUE(exchange(half));
  EXPECT_EQ(half.client->transport->tls()->peer_subject, "CN=before");
  server.reset();  // connections keep what they need
  old.client->send("still here");
  old.server->send("and there");
  old.client->received.clear();
  old.server->received.clear();
  EXPECT_TRUE(exchange(old));
}

TEST_F(TlsContextTest, ReloadWithOtherOptionsReplacesThemOnlyIfTheyWork) {
  const auto server = server_context({.certificate = leaf("first", {"example.org"})});
  EXPECT_FALSE(server->reload({.certificate = {"/nowhere/a", "/nowhere/b"}}).has_value());
  ASSERT_TRUE(server->reload().has_value()) << "the old options are kept";
  ASSERT_TRUE(server->reload({.certificate = leaf("second", {"example.org"})}).has_value());
  ASSERT_TRUE(server->reload().has_value());
  EXPECT_EQ(subject_for(*server, "example.org"), "CN=second");
}

TEST_F(TlsContextTest, ClientsReloadTheirAuthorities) {
  const auto server = server_context(
      {.certificate = world.write("moved", world.stranger.issue({.dns_names = {"example.org"}}))});
  const auto client = client_context(client_options());
  auto refused = join(MemoryPair{}, *server, *client);
  EXPECT_FALSE(exchange(refused));
  ASSERT_TRUE(client->reload({.ca_file = world.stranger_file}).has_value());
  auto joined = join(MemoryPair{}, *server, *client);
  EXPECT_TRUE(exchange(joined)) << joined.client->transport->failure();
}

TEST_F(TlsContextTest, ReloadsAndHandshakesOnManyThreadsDoNotMeet) {
  const auto server = server_context(server_options());
  const auto client = client_context(client_options());
  std::atomic<bool> is_done{false};
  std::jthread reloader{[&] {
    while (!is_done) EXPECT_TRUE(server->reload().has_value() && client->reload().has_value());
  }};
  {
    std::vector<std::jthread> shards;
    for (int shard = 0; shard < 3; ++shard) {
      shards.emplace_back([&] {
        const auto own_loop = *io::Loop::create({.scratch_bytes = 4096});
        for (int i = 0; i < 20; ++i) {
          MemoryPair pair;
          Talker a{*own_loop, io::wrap_client(*client, std::move(pair.client_end), "example.org"), "ping"};
          Talker b{*own_loop, io::wrap_server(*server, std::move(pair.server_end)), "pong"};
          for (int turns = 0; turns < 50; ++turns) own_loop->run_once(Duration::zero());
          EXPECT_EQ(a.received, "pong") << a.transport->failure();
          EXPECT_EQ(b.received, "ping") << b.transport->failure();
        }
      });
    }
  }
  is_done = true;
}

}  // namespace
}  // namespace sinnet::test
