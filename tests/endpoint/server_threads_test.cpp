/// A Server of four shards: one order of publications for everybody, the end from every side, and what other
/// threads may ask meanwhile.

#include <thread>

#include "endpoint/live_server.hpp"

namespace sinnet::test {
namespace {

using endpoint::CloseInfo;
using endpoint::Connection;
using endpoint::Message;
using endpoint::ServerOptions;

ServerOptions four_shards() {
  ServerOptions options;
  options.shards = 4;
  options.websocket.close_timeout = 150ms;
  return options;
}

endpoint::Callbacks channel_member(std::string channel) {
  return {.open = [channel](Connection& connection) { connection.join(channel); },
          .message =
              [channel](Connection& connection, const Message& message) {
                if (message.text() == "leave") {
                  connection.leave(channel);
                  connection.send_text("left");
                } else {
                  connection.publish(channel, message, message.text().starts_with("not me"));
                }
              }};
}

TEST(ServerShards, AllSubscribersSeeOneOrder) {
  LiveServer live(four_shards());
  ASSERT_TRUE(live.server.route("/room", channel_member("room")));
  live.start();
  std::vector<SocketClient> members;
  for (int i = 0; i < 12; ++i) members.push_back(live.open("/room"));
  constexpr int each = 50;
  std::vector<std::jthread> publishers;
  for (const char name : {'a', 'b'}) {
    publishers.emplace_back([&live, name] {
      for (int i = 0; i < each; ++i) {
        const std::string text = name + std::to_string(i);
        EXPECT_TRUE(live.server.publish("room", ws::MessageKind::Text, as_bytes(text)));
        (void)live.server.statistics();
      }
    });
  }
  for (std::size_t i = 0; i < 4; ++i) {
    for (int k = 0; k < each; ++k) members[i].send_frame(1, std::to_string(i) + "#" + std::to_string(k));
  }
  publishers.clear();
  std::vector<std::string> order;
  for (SocketClient& member : members) {
    std::vector<std::string> seen;
    for (int i = 0; i < 6 * each; ++i) {
      const auto frame = member.read_frame();
      ASSERT_TRUE(frame);
      seen.push_back(frame->payload);
    }
    if (order.empty()) order = seen;
    EXPECT_EQ(seen, order);
  }
}

TEST(ServerShards, PublisherMayBeLeftOutAndMembersLeave) {
  LiveServer live(four_shards());
  ASSERT_TRUE(live.server.route("/room", channel_member("room")));
  live.start();
  std::vector<SocketClient> members;
  for (int i = 0; i < 6; ++i) members.push_back(live.open("/room"));
  members[5].send_frame(1, "leave");
  EXPECT_EQ(members[5].read_frame()->payload, "left");
  members[0].send(wire_frame(1, "not me") + wire_frame(1, "me too"));
  EXPECT_EQ(members[0].read_frame()->payload, "me too");
  for (std::size_t i = 1; i < 5; ++i) {
    EXPECT_EQ(members[i].read_frame()->payload, "not me");
    EXPECT_EQ(members[i].read_frame()->payload, "me too");
  }
  EXPECT_TRUE(members[5].stays_silent(20));
}

TEST(ServerShards, PostsReachTheConnectionOnItsThreadOrNobody) {
  std::mutex mutex;
  std::vector<endpoint::ConnectionId> ids;
  LiveServer live(four_shards());
  ASSERT_TRUE(live.server.route("/x", {.open = [&](Connection& connection) {
                                  const std::lock_guard lock(mutex);
                                  ids.push_back(connection.id());
                                }}));
  live.start();
  std::vector<SocketClient> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(live.open("/x"));
  const std::vector<endpoint::ConnectionId> known = [&] {
    const std::lock_guard lock(mutex);
    return ids;
  }();
  std::vector<std::jthread> posters;
  for (int t = 0; t < 2; ++t) {
    posters.emplace_back([&] {
      for (const endpoint::ConnectionId id : known) {
        live.server.post(id, [](Connection& connection) { connection.send_text("posted"); });
      }
    });
  }
  posters.clear();
  for (SocketClient& client : clients) {
    EXPECT_EQ(client.read_frame()->payload, "posted");
    EXPECT_EQ(client.read_frame()->payload, "posted");
  }
  clients.clear();
  EXPECT_TRUE(comes_true([&] { return live.server.statistics().connections == 0; }));
  for (const endpoint::ConnectionId id : known) {
    live.server.post(id, [](Connection&) { ADD_FAILURE() << "the connection is gone"; });
  }
  EXPECT_TRUE(live.serves_others());
}

TEST(ServerDrain, IdleAndBusyConnectionsEndInOrder) {
  Reports ends;
  LiveServer live(four_shards());
  ASSERT_TRUE(live.server.route(
      "/x", {.open = {}, .message = {}, .drained = {}, .close = [&](Connection&, const CloseInfo& info) {
               ends.add(info.was_clean ? "clean" : "cut");
             }}));
  live.start();
  SocketClient websocket = live.open("/x");
  SocketClient idle = live.connect();
  idle.send("GET /nowhere HTTP/1.1\r\nHost: localhost\r\n");
  SocketClient silent = live.connect();
  EXPECT_TRUE(comes_true([&] { return live.server.statistics().accepted == 3; }));
  Reports done;
  live.server.drain(60s, [&] { done.add("done"); });
  EXPECT_EQ(websocket.read_close_code(), 1001u);
  websocket.send_frame(8, close_payload(1001));
  EXPECT_TRUE(websocket.waits_for_end());
  EXPECT_TRUE(silent.waits_for_end());
  EXPECT_TRUE(idle.waits_for_end());
  silent.close();
  idle.close();
  EXPECT_EQ(done.wait(1).size(), 1u);
  live.server.wait();
  EXPECT_EQ(ends.now(), std::vector<std::string>{"clean"});
  EXPECT_FALSE(live.connect().is_connected());
}

TEST(ServerDrain, SecondCallShortensTheFirst) {
  ServerOptions options = four_shards();
  options.websocket.close_timeout = 60s;
  LiveServer live(options);
  live.start();
  SocketClient stubborn = live.open();  // reads nothing, answers nothing
  Reports done;
  live.server.drain(60s, [&] { done.add("done"); });
  EXPECT_EQ(stubborn.read_close_code(), 1001u);
  EXPECT_TRUE(done.now().empty());
  live.server.drain(0s);
  EXPECT_EQ(done.wait(1).size(), 1u);
}

TEST(ServerStop, WhileClientsAreBusyAndOthersWait) {
  LiveServer live(four_shards());
  ASSERT_TRUE(live.server.route("/room", channel_member("room")));
  live.start();
  std::vector<std::jthread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&live] {
      SocketClient client = live.connect();
      client.deadline_ms = 2000;
      client.upgrade("/room");
      const std::string wire = wire_frame(1, "not me") + wire_frame(1, std::string(2000, 'x'));
      for (int k = 0; k < 20'000 && client.send(wire); ++k) {
        if (k % 8 == 7 && !client.read_frame()) break;
      }
    });
  }
  EXPECT_TRUE(comes_true([&] { return live.server.statistics().websocket.messages_received > 200; }));
  std::vector<std::jthread> waiters;
  for (int i = 0; i < 3; ++i) waiters.emplace_back([&live] { live.server.wait(); });
  live.server.stop();
  live.server.stop();
}

TEST(ServerStop, CalledOnAShardReturnsAtOnce) {
  LiveServer live(four_shards());
  ASSERT_TRUE(live.server.route("/stop", {.open = [&](Connection&) { live.server.stop(); }}));
  live.start();
  SocketClient client = live.connect();
  client.send(upgrade_head("/stop"));
  live.server.wait();
  EXPECT_TRUE(client.waits_for_end());
}

TEST(ServerStop, WithHandlersThatActInTheirLastCall) {
  std::atomic<int> ends = 0;
  LiveServer live(four_shards());
  ASSERT_TRUE(live.server.route("/x", {.open = [](Connection& connection) { connection.join("c"); },
                                       .message = {},
                                       .drained = {},
                                       .close =
                                           [&](Connection& connection, const CloseInfo&) {
                                             connection.join("d");
                                             connection.publish("c", Message{.payload = {}});
                                             connection.leave("c");
                                             connection.abort();
                                             live.server.post(connection.id(), [](Connection&) {});
                                             ++ends;
                                           }}));
  live.start();
  std::vector<SocketClient> clients;
  for (int i = 0; i < 16; ++i) clients.push_back(live.open("/x"));
  live.server.stop();
  EXPECT_EQ(ends, 16);
}

}  // namespace
}  // namespace sinnet::test
