/// A WebSocket of a Server from its first message to its end: what the handler is told, and how it holds
/// back.

#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <set>

#include "endpoint/live_server.hpp"
#include "support/bytes.hpp"

namespace sinnet::test {
namespace {

using endpoint::Callbacks;
using endpoint::CloseInfo;
using endpoint::Connection;
using endpoint::Message;
using endpoint::ServerOptions;

/// Listening IPv4 sockets of this machine at the port (proc(5): state 0A is LISTEN).
std::size_t listening_at(std::uint16_t port) {
  std::array<char, 8> hex{};
  std::snprintf(hex.data(), hex.size(), ":%04X", static_cast<unsigned>(port));
  std::ifstream sockets("/proc/self/net/tcp");
  std::size_t count = 0;
  for (std::string line; std::getline(sockets, line);) {
    const std::size_t place = line.find(hex.data());
    // "  0: 0100007F:1F90 00000000:0000 0A …"
    count += place != std::string::npos && line.compare(place + 5, 18, " 00000000:0000 0A ") == 0 ? 1U : 0U;
  }
  return count;
}

// A program that gives up its rights between listen() and start() could bind no socket more.
TEST(ServerListen, BindsASocketForEveryShardAtOnce) {
  ServerOptions options;
  options.shards = 3;
  Server server(std::move(options));
  const auto address = server.listen("127.0.0.1:0");
  ASSERT_TRUE(address.has_value());
  EXPECT_EQ(listening_at(address->port()), 3U);
}

/// Reports how each connection ended.
class ServerEnds : public ::testing::Test {
 protected:
  void route(std::string_view path, Callbacks callbacks) {
    callbacks.close = [this](Connection& connection, const CloseInfo& info) {
      EXPECT_FALSE(connection.is_open());
      EXPECT_FALSE(connection.send_text("no"));
      connection.close();
      reports.add(std::to_string(static_cast<unsigned>(info.code)) + "/" + std::string(info.reason) +
                  (info.was_clean ? "/clean" : "") + (info.was_violation ? "/violation" : ""));
    };
    ASSERT_TRUE(live.server.route(path, std::move(callbacks)));
  }
  std::string end() {
    const auto all = reports.wait(1);
    return all.size() == 1 ? all[0] : std::to_string(all.size()) + " ends";
  }

  Reports reports;
  LiveServer live{[] {
    ServerOptions options;
    options.websocket.close_timeout = 150ms;
    return options;
  }()};
};

TEST_F(ServerEnds, ClientsCloseIsAnsweredAndTold) {
  route("/x", {});
  live.start();
  SocketClient client = live.open("/x");
  client.send_frame(8, close_payload(4001, "enough"));
  const auto frame = client.read_frame();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->close_code(), 4001u);
  EXPECT_TRUE(client.waits_for_end());
  EXPECT_EQ(end(), "4001/enough/clean");
}

TEST_F(ServerEnds, LostConnectionIs1006) {
  route("/x", {});
  live.start();
  live.open("/x").reset();
  EXPECT_TRUE(end().starts_with("1006/"));
}

TEST_F(ServerEnds, BrokenRuleIsAViolation) {
  route("/x", {});
  live.start();
  SocketClient client = live.open("/x");
  client.send_frame(3, "");
  EXPECT_EQ(client.read_close_code(), 1002u);
  EXPECT_TRUE(end().ends_with("/violation"));
}

TEST_F(ServerEnds, OurCloseGoesBehindWhatWaitsAndEndsWithoutAnAnswer) {
  route("/x", {.open = [](Connection& connection) {
          connection.send_text("last words");
          connection.close(ws::CloseCode::PolicyViolation, "go");
        }});
  live.start();
  SocketClient client = live.open("/x");
  EXPECT_EQ(client.read_frame()->payload, "last words");
  EXPECT_EQ(client.read_close_code(), 1008u);
  EXPECT_TRUE(client.waits_for_end());  // at the close timeout: we never answer
  EXPECT_EQ(reports.wait(1).size(), 1u);
}

TEST_F(ServerEnds, AbortInsideAMessageTellsTheEndOnceAndOutsideOfTheCall) {
  std::atomic<bool> is_inside = false;
  Reports ends;
  ASSERT_TRUE(live.server.route("/x", {.open = {},
                                       .message =
                                           [&](Connection& connection, const Message&) {
                                             is_inside = true;
                                             connection.abort();
                                             connection.abort();
                                             EXPECT_FALSE(connection.send_text("no"));
                                             is_inside = false;
                                           },
                                       .drained = {},
                                       .close =
                                           [&](Connection& connection, const CloseInfo&) {
                                             ends.add((is_inside ? "inside " : "outside ") +
                                                      connection.peer_host());
                                           }}));
  live.start();
  SocketClient client = live.open("/x");
  client.send(wire_frame(1, "a") + wire_frame(1, "b"));
  EXPECT_TRUE(client.waits_for_end());
  EXPECT_EQ(ends.wait(1), std::vector<std::string>{"outside 127.0.0.1"});
  EXPECT_TRUE(live.serves_others());
  live.server.stop();
  EXPECT_EQ(ends.now().size(), 1u);
}

TEST_F(ServerEnds, PauseHoldsTheClientBackAndResumeLetsItGoOn) {
  std::atomic<endpoint::ConnectionId> id{};
  Reports messages;
  route("/x",
        {.open = [&](Connection& connection) { id = connection.id(); },
         .message = [&](Connection&,
                        const Message& message) { messages.add(std::string(message.text().substr(0, 4))); }});
  live.start();
  SocketClient client = live.open("/x");
  // From outside of any event, and before anything was read.
  Reports paused;
  live.server.post(id, [&](Connection& connection) {
    connection.pause();
    paused.add("paused");
  });
  paused.wait(1);
  const std::string frame = wire_frame(1, std::string(64 * 1024, 'm'));
  const std::size_t sent = client.send_until_blocked(frame, 64 * 1024 * 1024);
  EXPECT_LT(sent, 64u * 1024 * 1024) << "the socket never filled";
  EXPECT_TRUE(messages.now().empty());
  EXPECT_TRUE(live.serves_others());
  live.server.post(id, [](Connection& connection) { connection.resume(); });
  EXPECT_GE(messages.wait(sent / frame.size()).size(), sent / frame.size());
  live.server.stop();
}

TEST_F(ServerEnds, PauseInsideAMessageStopsTheNextOne) {
  std::atomic<endpoint::ConnectionId> id{};
  Reports messages;
  route("/x", {.open = {}, .message = [&](Connection& connection, const Message& message) {
                 id = connection.id();
                 messages.add(std::string(message.text()));
                 connection.pause();
               }});
  live.start();
  SocketClient client = live.open("/x");
  client.send(wire_frame(1, "one") + wire_frame(1, "two"));
  messages.wait(1);
  EXPECT_TRUE(live.serves_others());
  EXPECT_EQ(messages.now(), std::vector<std::string>{"one"});
  live.server.post(id, [](Connection& connection) { connection.resume(); });
  EXPECT_EQ(messages.wait(2), (std::vector<std::string>{"one", "two"}));
  live.server.stop();
}

TEST_F(ServerEnds, DrainedFollowsASendBeyondTheMark) {
  Reports drained;
  route("/x", {.open =
                   [](Connection& connection) {
                     connection.send(ws::MessageKind::Binary,
                                     Buffer::copy_of(std::vector<std::byte>(8 * 1024 * 1024)));
                   },
               .message = {},
               .drained =
                   [&](Connection& connection) {
                     drained.add(std::to_string(connection.waiting_bytes() < 64 * 1024));
                   }});
  live.start();
  SocketClient client = live.open("/x");
  EXPECT_EQ(client.read_frame()->payload.size(), 8u * 1024 * 1024);
  EXPECT_EQ(drained.wait(1), std::vector<std::string>{"1"});
  live.server.stop();
}

TEST(ServerLimits, TotalAndPerAddressAreKeptAndGivenBack) {
  ServerOptions options;
  options.limits.connections = 3;
  options.limits.connections_per_ip = 2;
  LiveServer live(options);
  live.start();
  SocketClient first = live.open();
  SocketClient second = live.open();
  EXPECT_TRUE(live.connect().waits_for_end());  // the third of this address
  SocketClient third = SocketClient::tcp(live.port, "127.0.0.2");
  EXPECT_EQ(status_of(third.upgrade("/echo")), 101);
  EXPECT_TRUE(SocketClient::tcp(live.port, "127.0.0.3").waits_for_end());  // the fourth of all
  EXPECT_EQ(live.server.statistics().refused, 2u);
  EXPECT_EQ(live.server.statistics().connections, 3u);
  first.close();
  EXPECT_TRUE(comes_true([&] { return live.serves_others(); }));
}

TEST(ServerProxies, ForwardedForCountsFromTrustedPeersOnly) {
  for (const bool trusts : {true, false}) {
    ServerOptions options;
    if (trusts) options.security.trusted_proxies = {"127.0.0.1"};
    LiveServer live(options);
    ASSERT_TRUE(live.server.route(
        "/who", {.open = [](Connection& connection) { connection.send_text(connection.peer_host()); }}));
    live.start();
    SocketClient client = live.open("/who", "X-Forwarded-For: 203.0.113.7\r\n");
    EXPECT_EQ(client.read_frame()->payload, trusts ? "203.0.113.7" : "127.0.0.1");
  }
}

class ServerBehindProxy : public ::testing::Test {
 protected:
  void SetUp() override {
    ServerOptions options;
    options.security.trusted_proxies = {"127.0.0.1"};
    options.limits.handshake_timeout = 300ms;
    live = std::make_unique<LiveServer>(std::move(options));
    ASSERT_TRUE(live->server.route(
        "/who", {.open = [](Connection& connection) { connection.send_text(connection.peer_host()); }}));
    endpoint::ListenerOptions listener;
    listener.proxy_protocol = true;
    live->start(std::move(listener));
  }
  std::string who(std::string_view preface, std::string_view extra = {}) {
    SocketClient client = live->connect();
    client.send(std::string(preface) + upgrade_head("/who", extra));
    if (status_of(client.read_until("\r\n\r\n")) != 101) return "refused";
    const auto frame = client.read_frame();
    return frame ? frame->payload : "nothing";
  }
  std::unique_ptr<LiveServer> live;
};

TEST_F(ServerBehindProxy, BothVersionsNameTheClient) {
  EXPECT_EQ(who("PROXY TCP4 203.0.113.9 10.0.0.1 4000 80\r\n"), "203.0.113.9");
  const std::string v2(as_text(bytes("0d0a0d0a000d0a515549540a 21 11 000c cb00710a 0a000001 0fa0 0050")));
  EXPECT_EQ(who(v2), "203.0.113.10");
  EXPECT_EQ(who("PROXY UNKNOWN\r\n"), "127.0.0.1");
}

TEST_F(ServerBehindProxy, Attack77ForwardedForBehindAProxyHeaderIsTheClientsOwnWord) {
  EXPECT_EQ(who("PROXY TCP4 203.0.113.9 10.0.0.1 4000 80\r\n", "X-Forwarded-For: 192.0.2.1\r\n"),
            "203.0.113.9");
  EXPECT_EQ(who("PROXY TCP4 127.0.0.1 10.0.0.1 4000 80\r\n", "X-Forwarded-For: 192.0.2.1\r\n"), "192.0.2.1");
}

TEST_F(ServerBehindProxy, Attack77ClientThatTheHeaderDoesNotNameCannotNameItself) {
  // Haproxy spec 2.1 and 2.2: for UNKNOWN and LOCAL the socket's own peer counts. It is in trusted_proxies
  // here, but who speaks HTTP through it is unknown.
  const std::string_view forged = "X-Forwarded-For: 192.0.2.1\r\n";
  EXPECT_EQ(who("PROXY UNKNOWN\r\n", forged), "127.0.0.1");
  EXPECT_EQ(who("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", forged), "127.0.0.1");
  const std::string local(as_text(bytes("0d0a0d0a000d0a515549540a 20 00 0000")));
  EXPECT_EQ(who(local), "127.0.0.1");
  EXPECT_EQ(who(local, forged), "127.0.0.1");
  EXPECT_TRUE(who("PROXY TCP4 203.0.113.9 10.0.0.1 4000 80\r\n") == "203.0.113.9");
}

TEST_F(ServerBehindProxy, GarbageOrSilenceEndsTheConnection) {
  for (const std::string_view garbage :
       {"GET / HTTP/1.1\r\n\r\n", "PROXY TCP4 1.2.3.4\r\n", "PROXY ", "\r\n\r\nxxxxxxxxxxxxxxxx", ""}) {
    SocketClient client = live->connect();
    client.send(garbage);
    EXPECT_EQ(client.read_to_end(), "") << garbage;
  }
  EXPECT_EQ(who("PROXY TCP4 203.0.113.9 10.0.0.1 4000 80\r\n"), "203.0.113.9");
}

/// Connections come and go in many orders; an id must never reach another than the one it named.
TEST(ServerIds, AnIdOfAConnectionThatEndedNamesNoLaterOne) {
  ServerOptions options;
  options.shards = 1;
  options.limits.connections_per_ip = options.limits.handshakes_per_ip = 1000;
  Reports ids;  // before the server, whose end still reports
  Reports ends;
  Reports reached;
  LiveServer live(options);
  ASSERT_TRUE(live.server.route(
      "/id", Callbacks{.open =
                           [&](Connection& connection) {
                             ids.add(std::to_string(static_cast<std::uint64_t>(connection.id())));
                           },
                       .close = [&](Connection&, const CloseInfo&) { ends.add("end"); }}));
  live.start();
  // More than two blocks of the table, so that one is filled, one emptied and one begun again.
  constexpr std::size_t count = 150;
  std::vector<SocketClient> clients;
  for (std::size_t i = 0; i < count; ++i) clients.push_back(live.open("/id"));
  for (std::size_t i = 0; i < count; ++i) {
    if (i % 3 == 0 || i >= 64) clients[i].reset();
  }
  const std::size_t ended = 22 + (count - 64);
  ASSERT_EQ(ends.wait(ended).size(), ended);
  for (std::size_t i = 0; i < ended; ++i) clients.push_back(live.open("/id"));
  const std::vector<std::string> all = ids.wait(count + ended);
  ASSERT_EQ(all.size(), count + ended);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());

  for (const std::string& id : all) {
    live.server.post(endpoint::ConnectionId{std::stoull(id)}, [&reached, id](Connection& connection) {
      reached.add(id);
      EXPECT_EQ(static_cast<std::uint64_t>(connection.id()), std::stoull(id));
    });
  }
  std::vector<std::string> living;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool is_gone = i < count && (i % 3 == 0 || i >= 64);
    if (!is_gone) living.push_back(all[i]);
  }
  EXPECT_EQ(reached.wait(living.size()), living);
}

}  // namespace
}  // namespace sinnet::test
