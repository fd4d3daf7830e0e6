/// How a Server answers requests for a WebSocket: routes, the handler's answers, and what it is told.

#include "endpoint/live_server.hpp"

namespace sinnet::test {
namespace {

using endpoint::Callbacks;
using endpoint::CloseInfo;
using endpoint::Connection;
using endpoint::Message;
using endpoint::ServerOptions;

std::string get(std::string_view target, std::string_view host = "localhost") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: " + std::string(host) +
         "\r\nConnection: close\r\n\r\n";
}

std::string describe(const CloseInfo& info) {
  return std::to_string(static_cast<unsigned>(info.code)) + (info.was_clean ? " clean" : "") +
         (info.was_violation ? " violation" : "");
}

TEST(ServerRoutes, NamesPrefixesAndHostsChooseTheRoute) {
  ServerOptions options;
  options.security.names = {"localhost", "chat.localhost"};
  LiveServer live(options);
  const auto say = [](std::string what) {
    return Callbacks{.open = [what](Connection& connection) {
      std::string text = what + " " + std::string(connection.request()->path);
      for (const auto& [name, value] : connection.request()->parameters) text += " " + name + "=" + value;
      connection.send_text(text);
    }};
  };
  ASSERT_TRUE(live.server.route("/rooms/{room}/{seat}", say("named")));
  ASSERT_TRUE(live.server.route("/rooms/*", say("prefix")));
  ASSERT_TRUE(live.server.route("/here", say("any host")));
  ASSERT_TRUE(live.server.route("/here", say("chat"), {.host = "chat.localhost", .protocols = {}}));
  live.start();
  EXPECT_EQ(live.open("/rooms/red/7").read_frame()->payload, "named /rooms/red/7 room=red seat=7");
  EXPECT_EQ(live.open("/rooms/a/b/c").read_frame()->payload, "prefix /rooms/a/b/c");
  EXPECT_EQ(live.open("/rooms/%72ed/7?q").read_frame()->payload, "named /rooms/red/7 room=red seat=7");
  EXPECT_EQ(live.open("/here").read_frame()->payload, "any host /here");
  std::string head = upgrade_head("/here");
  head.replace(head.find("Host: localhost"), 15, "Host: chat.localhost");
  SocketClient chat = live.connect();
  chat.send(head);
  EXPECT_EQ(status_of(chat.read_until("\r\n\r\n")), 101);
  EXPECT_EQ(chat.read_frame()->payload, "chat /here");
  EXPECT_EQ(status_of(live.answer_to(upgrade_head("/roomsx"))), 404);
}

TEST(ServerRoutes, PageAndWebSocketShareAPath) {
  LiveServer live;
  ASSERT_TRUE(live.server.respond(
      "/echo", [](const endpoint::HttpRequest&) { return endpoint::HttpResponse{.body = "the page"}; }));
  ASSERT_TRUE(live.server.respond("/page", [](const endpoint::HttpRequest& request) {
    return endpoint::HttpResponse{.status = 201, .body = std::string(request.query)};
  }));
  ASSERT_TRUE(live.server.route("/socket", endpoint::make_echo_handler()));
  live.start();
  EXPECT_TRUE(live.answer_to(get("/echo")).ends_with("\r\n\r\nthe page"));
  EXPECT_TRUE(live.serves_others());
  EXPECT_TRUE(live.answer_to(get("/page?a=b")).ends_with("\r\n\r\na=b"));
  const std::string plain = live.answer_to(get("/socket"));
  EXPECT_EQ(status_of(plain), 426);
  EXPECT_NE(plain.find("Upgrade: websocket\r\n"), std::string::npos);
  EXPECT_EQ(status_of(live.answer_to(upgrade_head("/page"))), 404);
  EXPECT_EQ(status_of(live.answer_to(get("/nowhere"))), 404);
}

TEST(ServerRoutes, SubprotocolIsTheClientsFirstThatTheRouteSpeaks) {
  LiveServer live;
  ASSERT_TRUE(live.server.route(
      "/p", {.open = [](Connection& connection) { connection.send_text(connection.request()->protocol); }},
      {.host = {}, .protocols = {"b", "c"}}));
  live.start();
  SocketClient client = live.connect();
  const std::string answer =
      client.upgrade("/p", "Sec-WebSocket-Protocol: a, c\r\nSec-WebSocket-Protocol: b\r\n");
  EXPECT_NE(answer.find("Sec-WebSocket-Protocol: c\r\n"), std::string::npos) << answer;
  EXPECT_EQ(client.read_frame()->payload, "c");
  for (const std::string_view extra : {"", "Sec-WebSocket-Protocol: a\r\n"}) {
    const std::string refused = live.answer_to(upgrade_head("/p", extra));
    EXPECT_EQ(status_of(refused), 400);
    EXPECT_NE(refused.find(": b c\n"), std::string::npos) << refused;
  }
}

TEST(ServerOpening, SendsInsideOpenComeBeforeAnswersToEarlyFrames) {
  LiveServer live;
  ASSERT_TRUE(live.server.route(
      "/hello",
      {.open =
           [](Connection& connection) {
             connection.send_text("one");
             connection.send_text("two");
             EXPECT_TRUE(connection.is_open());
           },
       .message = [](Connection& connection, const Message& message) { connection.send(message); }}));
  live.start();
  SocketClient client = live.connect();
  client.send(upgrade_head("/hello") + wire_frame(1, "three") + wire_frame(8, close_payload(1000)));
  EXPECT_EQ(status_of(client.read_until("\r\n\r\n")), 101);
  for (const std::string_view expected : {"one", "two", "three"})
    EXPECT_EQ(client.read_frame()->payload, expected);
  EXPECT_EQ(client.read_close_code(), 1000u);
  EXPECT_TRUE(client.waits_for_end());
}

TEST(ServerOpening, EarlyFramesWaitUntilOpenHasReturned) {
  Reports reports;
  LiveServer live;
  ASSERT_TRUE(live.server.route(
      "/order", {.open =
                     [&](Connection& connection) {
                       reports.add("open");
                       connection.send_text("answers by itself");
                       reports.add("opened");
                     },
                 .message = [&](Connection&, const Message&) { reports.add("message"); },
                 .drained = {},
                 .close = [&](Connection&, const CloseInfo& info) { reports.add(describe(info)); }}));
  live.start();
  SocketClient client = live.connect();
  client.send(upgrade_head("/order") + wire_frame(1, "x") + wire_frame(8, close_payload(4000)));
  EXPECT_TRUE(client.waits_for_end());
  EXPECT_EQ(reports.wait(4), (std::vector<std::string>{"open", "opened", "message", "4000 clean"}));
}

TEST(ServerOpening, RefusalCarriesStatusHeadersAndBody) {
  Reports reports;
  LiveServer live;
  ASSERT_TRUE(
      live.server.route("/no", {.open =
                                    [&](Connection& connection) {
                                      const http::Field field{"X-Why", "because"};
                                      connection.refuse(403, {&field, 1}, "not you");
                                      reports.add(connection.peer_host());  // still asked behind the refusal
                                      EXPECT_EQ(connection.tls(), nullptr);
                                      EXPECT_EQ(connection.request(), nullptr);
                                      EXPECT_FALSE(connection.send_text("too late"));
                                    },
                                .message = {},
                                .drained = {},
                                .close = [&](Connection&, const CloseInfo&) { reports.add("closed"); }}));
  live.start();
  const std::string answer = live.answer_to(upgrade_head("/no") + wire_frame(1, "early"));
  EXPECT_EQ(status_of(answer), 403);
  EXPECT_NE(answer.find("X-Why: because\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\nnot you")) << answer;
  EXPECT_TRUE(live.serves_others());
  live.server.stop();
  EXPECT_EQ(reports.now(), (std::vector<std::string>{"127.0.0.1"}));
}

TEST(ServerOpening, AnswerComesLater) {
  std::atomic<endpoint::ConnectionId> waiting{};
  Reports reports;
  LiveServer live;
  ASSERT_TRUE(live.server.route(
      "/later",
      {.open =
           [&](Connection& connection) {
             connection.answer_later(5s);
             waiting = connection.id();
             reports.add("waits");
           },
       .message = [](Connection& connection, const Message& message) { connection.send(message); }}));
  live.start();
  SocketClient client = live.connect();
  client.send(upgrade_head("/later") + wire_frame(1, "early"));
  reports.wait(1);
  EXPECT_TRUE(client.stays_silent(30));
  EXPECT_TRUE(live.server.post(waiting, [](Connection& connection) {
    EXPECT_TRUE(connection.accept());
    EXPECT_FALSE(connection.accept());
    connection.send_text("welcome");
  }));
  EXPECT_EQ(status_of(client.read_until("\r\n\r\n")), 101);
  EXPECT_EQ(client.read_frame()->payload, "welcome");
  EXPECT_EQ(client.read_frame()->payload, "early");

  SocketClient other = live.connect();
  other.send(upgrade_head("/later"));
  reports.wait(2);
  EXPECT_TRUE(live.server.post(waiting, [](Connection& connection) { connection.refuse(401, {}, "no"); }));
  EXPECT_EQ(status_of(other.read_to_end()), 401);
}

TEST(ServerOpening, UnansweredOpeningIs503AndTheHandlerIsTold) {
  Reports reports;
  LiveServer live;
  ASSERT_TRUE(
      live.server.route("/never", {.open = [](Connection& connection) { connection.answer_later(50ms); },
                                   .message = {},
                                   .drained = {},
                                   .close =
                                       [&](Connection& connection, const CloseInfo& info) {
                                         EXPECT_FALSE(connection.send_text("does not let it in"));
                                         reports.add(describe(info));
                                       }}));
  live.start();
  EXPECT_EQ(status_of(live.answer_to(upgrade_head("/never"))), 503);
  EXPECT_EQ(reports.wait(1), std::vector<std::string>{"1013"});
  EXPECT_TRUE(live.serves_others());
}

TEST(ServerOpening, StopTellsAHandlerThatAskedForTime) {
  Reports reports;
  LiveServer live;
  ASSERT_TRUE(
      live.server.route("/wait", {.open =
                                      [&](Connection& connection) {
                                        connection.answer_later(5s);
                                        reports.add("open");
                                      },
                                  .message = {},
                                  .drained = {},
                                  .close = [&](Connection&, const CloseInfo&) { reports.add("close"); }}));
  live.start();
  SocketClient client = live.connect();
  client.send(upgrade_head("/wait"));
  reports.wait(1);
  live.server.stop();
  EXPECT_EQ(reports.now(), (std::vector<std::string>{"open", "close"}));
  EXPECT_TRUE(client.waits_for_end());
}

TEST(ServerOpening, AbortInsideOpenAnswersNothing) {
  Reports reports;
  LiveServer live;
  ASSERT_TRUE(
      live.server.route("/abort", {.open = [](Connection& connection) { connection.abort(); },
                                   .message = {},
                                   .drained = {},
                                   .close = [&](Connection&, const CloseInfo&) { reports.add("close"); }}));
  live.start();
  EXPECT_EQ(live.answer_to(upgrade_head("/abort")), "");
  EXPECT_TRUE(live.serves_others());
  live.server.stop();
  EXPECT_TRUE(reports.now().empty());
}

TEST(ServerOpening, CompressionIsNegotiatedAndCounted) {
  ServerOptions options;
  options.websocket.deflate.enabled = true;
  LiveServer live(options);
  live.start();
  SocketClient client = live.connect();
  const std::string answer = client.upgrade("/echo", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
  EXPECT_NE(answer.find("Sec-WebSocket-Extensions: permessage-deflate"), std::string::npos) << answer;
  client.send_frame(1, std::string(4000, 'a'));
  const auto frame = client.read_frame();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->rsv, 4u);
  EXPECT_LT(frame->payload.size(), 100u);
  EXPECT_TRUE(comes_true([&] { return live.server.statistics().websocket.compressed_sent == 1; }));
  const ws::Statistics counted = live.server.statistics().websocket;
  EXPECT_EQ(counted.messages_received, 1u);
  EXPECT_EQ(counted.messages_sent, 1u);
  EXPECT_EQ(counted.payload_bytes_sent, 4000u);
  EXPECT_EQ(counted.compressed_received, 0u);
}

}  // namespace
}  // namespace sinnet::test
