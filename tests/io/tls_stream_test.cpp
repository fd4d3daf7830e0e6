/// The open connection: bytes in quantity and in pieces, readiness of what OpenSSL holds, endings,
/// renegotiation, memory.

#include <gmock/gmock.h>
#include <malloc.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <cstdio>
#include <random>

#include "io/tls_fixture.hpp"

namespace sinnet::test {
namespace {

using io::CloseMode;
using io::IoStatus;

std::string noise(std::size_t size, unsigned seed) {
  std::minstd_rand random{seed};
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random() >> 8);
  return text;
}

class TlsStreamTest : public TlsTest {
 protected:
  const std::unique_ptr<io::TlsServerContext> server = server_context(server_options());
  const std::unique_ptr<io::TlsClientContext> client = client_context(client_options());

  Joined open(MemoryPair pair, std::string client_says = {}, std::string server_says = {}) {
    Joined joined = join(std::move(pair), *server, *client, "example.org", std::move(client_says),
                         std::move(server_says));
    EXPECT_TRUE(turn_until([&] {
      return !joined.client->transport->tls()->version.empty() &&
             !joined.server->transport->tls()->version.empty();
    }));
    return joined;
  }
};

TEST_F(TlsStreamTest, SixteenMebibytesPassBothWaysThroughSmallBuffers) {
  constexpr std::size_t size = 16 * 1024 * 1024;
  auto joined = open(MemoryPair{no_limit, 40'000}, noise(size, 1), noise(size, 2));
  joined.client->read_max = 10'000;
  joined.server->read_max = 100'000;
  EXPECT_TRUE(exchange(joined)) << joined.client->transport->failure() << joined.server->transport->failure();
}

TEST_F(TlsStreamTest, SlicesOfAnyShapeArriveInOrderUnderBackpressure) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::minstd_rand random{seed};
    auto joined = open(MemoryPair{1 + random() % 30'000, 1 + random() % 60'000}, noise(200'000, seed));
    joined.client->slicer = [&random](std::string_view rest) {
      std::vector<Slice> slices;
      while (!rest.empty()) {
        const std::size_t limits[] = {1, 20, 300, 16'384, 40'000};
        const std::size_t size = std::min<std::size_t>(rest.size(), random() % (limits[random() % 5] + 1));
        slices.push_back({size == 0 ? nullptr : rest.data(), size});
        rest.remove_prefix(size);
      }
      return slices;
    };
    ASSERT_TRUE(
        turn_until([&] { return joined.server->received.size() == 200'000 || joined.client->is_over(); }));
    EXPECT_EQ(joined.server->received, joined.client->to_send);
  }
}

TEST_F(TlsStreamTest, SmallSlicesShareARecord) {
  MemoryPair pair;
  MemoryEnd& client_end = *pair.client_end;
  Joined joined = open(std::move(pair));
  const std::size_t before = client_end.writes;
  std::vector<Slice> slices(100, Slice{"0123456789", 10});
  const io::IoResult result = joined.client->transport->write(slices);
  EXPECT_EQ(result.bytes, 1000u);
  EXPECT_EQ(client_end.writes, before + 1);
  // RFC 8446 5.2: 5 bytes of header, 1 of content type, 16 of tag.
  EXPECT_EQ(client_end.out().waiting.size(), 1022u);
  EXPECT_TRUE(turn_until([&] { return joined.server->received.size() == 1000; }, 10));
}

TEST_F(TlsStreamTest, WritingNothingIsNoRecord) {
  auto joined = open(MemoryPair{});
  const Slice empty{};
  EXPECT_EQ(joined.client->transport->write({}).bytes, 0u);
  EXPECT_EQ(joined.client->transport->write({&empty, 1}).status, IoStatus::Ok);
}

TEST_F(TlsStreamTest, PlaintextThatIsHeldIsReportedInEveryTurnUntilItIsRead) {
  auto joined = open(MemoryPair{});
  joined.server->read_max = 1;
  joined.client->send(noise(1000, 3));
  ASSERT_TRUE(turn_until([&] { return joined.server->received.size() == 1; }, 10));
  // The inner transport is empty now: only the next turns can bring the rest, a byte each.
  for (std::size_t size = 2; size <= 1000; ++size) {
    loop->run_once(Duration::zero());
    ASSERT_EQ(joined.server->received.size(), size);
  }
  const std::size_t reports = joined.server->reports;
  turn(10);
  EXPECT_LE(joined.server->reports, reports + 1) << "nothing is held any more";
  EXPECT_EQ(joined.server->received, joined.client->to_send);
}

TEST_F(TlsStreamTest, HeldPlaintextWaitsWhileReadingIsNotWanted) {
  auto joined = open(MemoryPair{});
  joined.server->read_max = 400;
  joined.client->send(noise(1000, 4));
  ASSERT_TRUE(turn_until([&] { return joined.server->received.size() == 400; }, 10));
  joined.server->wants_reading = false;
  joined.server->update_wants();
  turn(20);
  EXPECT_EQ(joined.server->received.size(), 400u);
  joined.server->wants_reading = true;
  joined.server->update_wants();
  EXPECT_TRUE(turn_until([&] { return joined.server->received.size() == 1000; }, 10));
}

TEST_F(TlsStreamTest, HeldPlaintextMovesWithTheConnectionToAnotherLoop) {
  auto joined = open(MemoryPair{});
  joined.server->read_max = 400;
  joined.client->send(noise(1000, 5));
  ASSERT_TRUE(turn_until([&] { return joined.server->received.size() == 400; }, 10));
  joined.server->transport->detach();
  turn(20);
  EXPECT_EQ(joined.server->received.size(), 400u);
  const auto other = *io::Loop::create({.scratch_bytes = 4096});
  ASSERT_TRUE(joined.server->transport->attach(*other).has_value());
  for (int i = 0; i < 10; ++i) other->run_once(Duration::zero());
  EXPECT_EQ(joined.server->received.size(), 1000u);
  joined.server->transport->close(CloseMode::Reset);
}

TEST_F(TlsStreamTest, HandlerMayDestroyTheTransportWhenToldOfHeldPlaintext) {
  struct Quitter final : io::ReadyHandler {
    void handle_ready(bool, bool) override {
      std::array<std::byte, 10> buffer{};
      if (++reports < 3) {
        transport->read(buffer);
      } else {
        transport.reset();
      }
    }
    std::unique_ptr<io::Transport> transport;
    int reports = 0;
  };
  auto joined = open(MemoryPair{});
  Quitter quitter;
  quitter.transport = std::move(joined.server->transport);
  quitter.transport->set_ready_handler(&quitter);
  joined.client->send(noise(1000, 6));
  EXPECT_TRUE(turn_until([&] { return quitter.transport == nullptr; }, 20));
  turn(5);
  EXPECT_EQ(quitter.reports, 3);
}

TEST_F(TlsStreamTest, ShutdownEndsOneDirectionOnly) {
  auto joined = open(MemoryPair{7, 50}, "the question");
  ASSERT_TRUE(turn_until([&] { return joined.client->has_sent_all(); }, 200));
  joined.client->transport->shutdown_write();
  ASSERT_TRUE(turn_until([&] { return joined.server->is_at_eof; }, 200));
  EXPECT_EQ(joined.server->received, "the question");
  EXPECT_FALSE(joined.server->transport->tls()->truncated);
  joined.server->send(noise(5000, 7));
  EXPECT_TRUE(turn_until([&] { return joined.client->received == joined.server->to_send; }, 2000));
  const Slice more{"x", 1};
  EXPECT_EQ(joined.client->transport->write({&more, 1}).errno_value, EPIPE);
}

TEST_F(TlsStreamTest, ShutdownDuringTheHandshakeComesAfterIt) {
  auto joined = join(MemoryPair{}, *server, *client, "example.org", "", "answer");
  joined.client->transport->shutdown_write();
  EXPECT_TRUE(
      turn_until([&] { return joined.server->is_at_eof && joined.client->received == "answer"; }, 100));
  EXPECT_FALSE(joined.server->transport->tls()->truncated);
}

TEST_F(TlsStreamTest, ShutdownBehindABlockedRecordWaitsForIt) {
  MemoryPair pair{no_limit, 3000};
  auto to_server = pair.to_server;
  auto joined = open(std::move(pair));
  joined.server->wants_reading = false;
  joined.server->update_wants();
  turn(5);
  const std::string text = noise(10'000, 8);
  const Slice slice{text.data(), text.size()};
  ASSERT_EQ(joined.client->transport->write({&slice, 1}).status, IoStatus::Blocked);
  joined.client->transport->shutdown_write();
  joined.server->wants_reading = true;
  joined.server->update_wants();
  ASSERT_TRUE(turn_until([&] { return joined.server->is_at_eof; }, 100));
  EXPECT_EQ(joined.server->received, text);
  EXPECT_FALSE(joined.server->transport->tls()->truncated);
}

TEST_F(TlsStreamTest, OrderlyCloseIsNoTruncationAndResetIsOne) {
  for (const CloseMode mode : {CloseMode::Orderly, CloseMode::Reset}) {
    auto joined = open(MemoryPair{}, "all");
    ASSERT_TRUE(turn_until([&] { return joined.server->received == "all"; }, 50));
    joined.client->transport->close(mode);
    joined.client->transport->close(mode);
    ASSERT_TRUE(turn_until([&] { return joined.server->is_at_eof; }, 10));
    EXPECT_EQ(joined.server->transport->tls()->truncated, mode == CloseMode::Reset);
    const std::size_t reports = joined.client->reports;
    turn(5);
    EXPECT_EQ(joined.client->reports, reports);
  }
}

TEST_F(TlsStreamTest, TamperedRecordIsAFailureNotData) {
  MemoryPair pair;
  auto to_server = pair.to_server;
  auto joined = open(std::move(pair));
  turn(5);
  const Slice slice{"secret", 6};
  ASSERT_EQ(joined.client->transport->write({&slice, 1}).bytes, 6u);
  to_server->waiting.back() ^= std::byte{1};
  turn(10);
  EXPECT_EQ(joined.server->error, EPROTO);
  EXPECT_EQ(joined.server->received, "");
  EXPECT_EQ(joined.server->transport->failure(), "TLS read: decryption failed or bad record mac");
  EXPECT_EQ(joined.client->transport->failure(), "TLS read: the peer sent the alert bad record mac");
}

/// OpenSSL itself as the peer, for what our own client never does.
class RawClient {
 public:
  explicit RawClient(std::unique_ptr<MemoryEnd> end) : end_(std::move(end)) {
    SSL_set_max_proto_version(ssl_, TLS1_2_VERSION);
    SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_);
  }
  ~RawClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }

  [[nodiscard]] SSL* ssl() { return ssl_; }
  void pump() {
    std::array<std::byte, 4096> buffer{};
    while (true) {
      const int count = BIO_read(SSL_get_wbio(ssl_), buffer.data(), static_cast<int>(buffer.size()));
      if (count <= 0) break;
      const Slice slice{buffer.data(), static_cast<std::size_t>(count)};
      EXPECT_EQ(end_->write({&slice, 1}).bytes, slice.size);
    }
    while (true) {
      const io::IoResult result = end_->read(buffer);
      if (result.status != IoStatus::Ok) break;
      BIO_write(SSL_get_rbio(ssl_), buffer.data(), static_cast<int>(result.bytes));
    }
  }

 private:
  std::unique_ptr<MemoryEnd> end_;
  SSL_CTX* context_ = SSL_CTX_new(TLS_client_method());
  SSL* ssl_ = SSL_new(context_);
};

TEST_F(TlsStreamTest, Attack19RenegotiationIsRefused) {
  MemoryPair pair;
  Talker talker{*loop, io::wrap_server(*server, std::move(pair.server_end))};
  RawClient raw{std::move(pair.client_end)};
  for (int i = 0; i < 20 && SSL_do_handshake(raw.ssl()) != 1; ++i) {
    raw.pump();
    turn(3);
    raw.pump();
  }
  ASSERT_TRUE(SSL_is_init_finished(raw.ssl()));
  ASSERT_EQ(SSL_write(raw.ssl(), "before", 6), 6);
  raw.pump();
  turn(5);
  EXPECT_EQ(talker.transport->tls()->version, "TLSv1.2");
  EXPECT_EQ(talker.received, "before");
  ASSERT_EQ(SSL_renegotiate(raw.ssl()), 1);
  std::string reason;
  for (int i = 0; i < 20 && reason.empty(); ++i) {
    ERR_clear_error();
    const int result = SSL_do_handshake(raw.ssl());
    ASSERT_LE(result, 0) << "a new handshake was made";
    // RFC 5246 7.2.2: no_renegotiation is a warning; OpenSSL's client gives up on it.
    if (SSL_get_error(raw.ssl(), result) == SSL_ERROR_SSL) reason = ERR_reason_error_string(ERR_peek_error());
    raw.pump();
    turn(3);
    raw.pump();
  }
  EXPECT_EQ(reason, "no renegotiation");
  ERR_clear_error();
}

TEST_F(TlsStreamTest, VersionsBelowTheMinimumAreRefused) {
  auto options = server_options();
  options.version_min = io::TlsVersion::Tls13;
  const auto strict = server_context(options);
  MemoryPair pair;
  Talker talker{*loop, io::wrap_server(*strict, std::move(pair.server_end))};
  RawClient raw{std::move(pair.client_end)};  // speaks TLS 1.2 at most
  SSL_do_handshake(raw.ssl());
  raw.pump();
  turn(5);
  EXPECT_EQ(talker.error, EPROTO);
  EXPECT_EQ(talker.transport->failure(), "TLS handshake: unsupported protocol");
}

TEST_F(TlsStreamTest, IdleServerConnectionsStayBelowEighteenKibibytes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer's allocator counts otherwise";
#endif
  constexpr std::size_t count = 1000;
  struct Silent final : io::Transport {
    io::IoResult read(MutableBytes into) override { return inner->read(into); }
    io::IoResult write(std::span<const Slice> slices) override { return inner->write(slices); }
    void want(bool, bool) override {}
    void shutdown_write() override {}
    void close(CloseMode) override {}
    [[nodiscard]] std::size_t write_room() const override { return 0; }
    void set_ready_handler(io::ReadyHandler*) override {}
    void detach() override {}
    Result<> attach(io::Loop&) override { return {}; }
    [[nodiscard]] io::SocketAddress peer_address() const override { return {}; }
    MemoryEnd* inner = nullptr;
  };
  std::array<std::byte, 64 * 1024> buffer;
  std::vector<MemoryPair> pairs(count);
  std::vector<std::unique_ptr<io::Transport>> clients(count);
  std::vector<std::unique_ptr<io::Transport>> servers(count);
  const Slice hello{"hello", 5};
  for (std::size_t i = 0; i < count; ++i) {
    auto to_server = std::make_unique<Silent>();
    to_server->inner = pairs[i].client_end.get();
    auto to_client = std::make_unique<Silent>();
    to_client->inner = pairs[i].server_end.get();
    clients[i] = io::wrap_client(*client, std::move(to_server), "example.org");
    servers[i] = io::wrap_server(*server, std::move(to_client));
    for (int turn = 0; turn < 4; ++turn) {
      clients[i]->read(buffer);
      servers[i]->read(buffer);
    }
    EXPECT_EQ(clients[i]->write({&hello, 1}).bytes, 5u);
    EXPECT_EQ(servers[i]->write({&hello, 1}).bytes, 5u);
    for (int turn = 0; turn < 2; ++turn) {
      clients[i]->read(buffer);
      servers[i]->read(buffer);
    }
  }
  const std::size_t both = ::mallinfo2().uordblks;
  servers.clear();
  const std::size_t without_servers = ::mallinfo2().uordblks;
  clients.clear();
  const std::size_t server_bytes = (both - without_servers) / count;
  const std::size_t client_bytes = (without_servers - ::mallinfo2().uordblks) / count;
  std::printf("idle TLS connection: client %zu B, server %zu B\n", client_bytes, server_bytes);
  EXPECT_LE(server_bytes, 18u * 1024);
  // A client also keeps the server's certificate, parsed, with its key: OpenSSL has no way to let go of it.
  EXPECT_LE(client_bytes, 20u * 1024);
}

}  // namespace
}  // namespace sinnet::test
