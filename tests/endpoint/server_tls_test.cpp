/// A Server behind TLS: WebSockets through it, and attacks on its handshake (docs/attacks.md, 14 and 19).

#include <openssl/ssl.h>
#include <sys/socket.h>

#include "endpoint/live_server.hpp"
#include "sinnet/io/tls.hpp"
#include "support/certificates.hpp"

namespace sinnet::test {
namespace {

using endpoint::Connection;
using endpoint::ServerOptions;

/// OpenSSL's own blocking client, so that none of our TLS is at both ends.
class TlsSocketClient {
 public:
  TlsSocketClient(SocketClient socket, const char* name, std::string_view alpn = {})
      : socket_(std::move(socket)), context_(SSL_CTX_new(TLS_client_method())), tls_(SSL_new(context_)) {
    const timeval deadline{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    SSL_set_fd(tls_, socket_.fd());
    if (name != nullptr)
      SSL_ctrl(tls_, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(name));
    if (!alpn.empty()) {
      SSL_set_alpn_protos(tls_, reinterpret_cast<const unsigned char*>(alpn.data()),
                          static_cast<unsigned>(alpn.size()));
    }
    is_open_ = SSL_connect(tls_) == 1;
  }
  TlsSocketClient(const TlsSocketClient&) = delete;
  TlsSocketClient& operator=(const TlsSocketClient&) = delete;
  ~TlsSocketClient() {
    SSL_free(tls_);
    SSL_CTX_free(context_);
  }

  [[nodiscard]] bool is_open() const { return is_open_; }
  void send(std::string_view text) { SSL_write(tls_, text.data(), static_cast<int>(text.size())); }
  std::string read_until(std::string_view end) {
    std::string text;
    char byte = 0;
    while (!text.ends_with(end) && SSL_read(tls_, &byte, 1) == 1) text += byte;
    return text;
  }

 private:
  SocketClient socket_;
  SSL_CTX* context_;
  SSL* tls_;
  bool is_open_ = false;
};

class ServerTls : public ::testing::Test {
 protected:
  void SetUp() override {
    const IssuedCertificate issued = authority.issue(
        {.common_name = "localhost", .dns_names = {"localhost"}, .ip_addresses = {"127.0.0.1"}});
    auto context = io::TlsServerContext::create(
        {.certificate = {folder.write("s.pem", issued.certificate), folder.write("s.key", issued.key)},
         .alpn = {"http/1.1"}});
    ASSERT_TRUE(context);
    ServerOptions options;
    options.limits.handshake_timeout = 150ms;
    live = std::make_unique<LiveServer>(std::move(options));
    ASSERT_TRUE(live->server.route(
        "/tls", {.open = [](Connection& connection) {
          connection.send_text(connection.tls() != nullptr ? connection.tls()->server_name : "plain");
        }}));
    endpoint::ListenerOptions listener;
    listener.tls = std::move(*context);
    live->start(std::move(listener));
  }
  void expect_served() {
    TlsSocketClient client(live->connect(), "localhost");
    ASSERT_TRUE(client.is_open());
    client.send(upgrade_head("/tls") + wire_frame(8, close_payload(1000)));
    EXPECT_EQ(status_of(client.read_until("\r\n\r\n")), 101);
    EXPECT_EQ(client.read_until("t"), std::string("\x81\x09localhost"));
  }

  CertificateAuthority authority{"Test Authority"};
  TemporaryFolder folder;
  std::unique_ptr<LiveServer> live;
};

TEST_F(ServerTls, WebSocketOpensAndKnowsTheNameAskedFor) { expect_served(); }

TEST_F(ServerTls, OneOriginMeansHttps) {
  TlsSocketClient client(live->connect(), "localhost");
  client.send(upgrade_head("/tls", "Origin: http://localhost\r\n"));
  EXPECT_EQ(status_of(client.read_until("\r\n\r\n")), 403);
}

TEST_F(ServerTls, Attack14SlowHelloEndsAtTheDeadline) {
  SocketClient silent = live->connect();
  SocketClient begun = live->connect();
  begun.send(std::string("\x16\x03\x01\x02\x00\x01", 6));
  EXPECT_TRUE(silent.waits_for_end());
  EXPECT_TRUE(begun.waits_for_end());
  expect_served();
}

TEST_F(ServerTls, Attack14PlainBytesOnATlsPortEndTheConnection) {
  EXPECT_EQ(status_of(live->answer_to(upgrade_head("/tls"))), 0);
  expect_served();
}

TEST_F(ServerTls, Attack19AlpnWithoutOursIsRefused) {
  EXPECT_FALSE(TlsSocketClient(live->connect(), "localhost", "\x02h2").is_open());
  EXPECT_TRUE(TlsSocketClient(live->connect(), "localhost", "\x02h2\x08http/1.1").is_open());
  expect_served();
}

TEST_F(ServerTls, Attack19AnotherHostThanTheNameOfTheHandshakeIs421) {
  TlsSocketClient client(live->connect(), "other.example");
  client.send(upgrade_head("/tls"));
  EXPECT_EQ(status_of(client.read_until("\r\n\r\n")), 421);
  TlsSocketClient unnamed(live->connect(), nullptr);
  unnamed.send(upgrade_head("/tls"));
  EXPECT_EQ(status_of(unnamed.read_until("\r\n\r\n")), 101);
  expect_served();
}

TEST_F(ServerTls, Attack43ResetAtEachByteOfTheHelloIsSurvived) {
  std::string hello("\x16\x03\x01\x00\x30\x01\x00\x00\x2c\x03\x03", 11);
  hello.resize(53, 'r');
  for (std::size_t cut = 0; cut <= hello.size(); ++cut) {
    SocketClient client = live->connect();
    client.send(std::string_view(hello).substr(0, cut));
    client.reset();
  }
  expect_served();
}

}  // namespace
}  // namespace sinnet::test
