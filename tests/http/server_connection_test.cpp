/// http::ServerConnection: its transition table, the chunking law, ends and deadlines in virtual time.

#include "sinnet/http/server_connection.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "support/chunking.hpp"

namespace sinnet::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view get_request = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view ok_head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
constexpr std::string_view ok_response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

Buffer text(std::string_view content) { return Buffer::copy_of(as_bytes(content)); }

/// A machine with a client's end and a clock that only moves when told. Input is fed as the driver does: only
/// while it is wanted, the rest when it is again.
struct Client {
  explicit Client(const ServerOptions& settings = {}) : options(settings), machine(options, now) {}

  void feed(std::string_view input) {
    unsent += input;
    pump();
  }
  void pump() {
    while (!unsent.empty() && machine.wants_input()) {
      block.assign(unsent.begin(), unsent.end());
      unsent.clear();
      machine.receive({reinterpret_cast<std::byte*>(block.data()), block.size()}, now);
      poll();
      machine.keep_input();
      block.assign(block.size(), '!');  // what was lent is gone
    }
    poll();
    machine.keep_input();
  }
  void feed_eof() {
    machine.receive_eof(now);
    poll();
  }
  /// Whatever waits goes out.
  void drain() {
    while (machine.has_output()) {
      machine.prepare_output(1 << 20, now);
      std::array<Slice, 4> slices;
      std::size_t bytes = 0;
      const std::size_t count = machine.output(slices);
      for (std::size_t i = 0; i < count; ++i) {
        received += as_text(slices[i].bytes());
        bytes += slices[i].size;
      }
      machine.consume_output(bytes, now);
    }
    poll();
  }
  void poll() {
    while (auto event = machine.poll_event()) {
      switch (event->type) {
        case ServerEventType::Request:
          log += "request " + std::string(machine.head().method()) + ' ' +
                 std::string(machine.head().target()) + " [" + std::string(as_text(event->body)) + "]\n";
          if (answers) machine.respond(ok_head, text("hi"), true, now);
          break;
        case ServerEventType::Drained: log += "drained\n"; break;
        case ServerEventType::Failed: log += "failed " + std::to_string(event->status) + '\n'; break;
        case ServerEventType::Closed:
          log += "closed";
          log += event->reason.empty() ? "" : ": ";
          log += event->reason;
          log += '\n';
          break;
      }
    }
    EXPECT_FALSE(machine.has_event());
  }
  /// Lets time pass, waking the machine when it asks for it.
  void wait(Duration duration) {
    const Time end = now + duration;
    while (machine.deadline() && *machine.deadline() <= end) {
      now = std::max(now, *machine.deadline());
      machine.handle_deadline(now);
      poll();
    }
    now = end;
  }

  ServerOptions options;
  Time now{seconds(1000)};
  ServerConnection machine;
  bool answers = true;
  std::string unsent;
  std::vector<char> block;
  std::string log;
  std::string received;
};

constexpr std::string_view refusal_head_end = "\r\n\r\n";

/// A whole refusal, and nothing but it.
bool is_refusal(std::string_view received, int status) {
  const std::size_t end = received.find(refusal_head_end);
  return received.starts_with("HTTP/1.1 " + std::to_string(status) + ' ') && end != std::string_view::npos &&
         received.find("\r\nConnection: close\r\n") < end &&
         received.find("\nHTTP/1.1") == std::string_view::npos;
}

/// The input is refused with `status`, nothing behind it is parsed, and the connection ends in order.
void expect_refused(std::string_view input, int status) {
  SCOPED_TRACE(testing::PrintToString(input));
  Client client;
  client.feed(std::string(input) + std::string(get_request));
  EXPECT_EQ(client.log, "failed " + std::to_string(status) + '\n');
  client.feed(get_request);
  client.drain();
  EXPECT_TRUE(is_refusal(client.received, status)) << client.received;
  EXPECT_TRUE(client.machine.wants_shutdown_write());
  EXPECT_FALSE(client.machine.is_done());
  client.feed_eof();
  EXPECT_TRUE(client.machine.is_done());
  EXPECT_EQ(client.log, "failed " + std::to_string(status) + "\nclosed\n");
}

TEST(ServerConnection, AnswersARequestAndStaysForTheNext) {
  Client client;
  client.feed(get_request);
  client.drain();
  EXPECT_EQ(client.received, ok_response);
  client.feed("GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  client.drain();
  EXPECT_EQ(client.log, "request GET /a []\nrequest GET /b []\n");
  EXPECT_FALSE(client.machine.wants_shutdown_write());
  client.feed_eof();
  EXPECT_TRUE(client.machine.is_done());
  EXPECT_EQ(client.log, "request GET /a []\nrequest GET /b []\nclosed\n");
}

TEST(ServerConnection, CollectsABodyOfKnownLength) {
  Client client;
  client.feed("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
  EXPECT_EQ(client.log, "");
  client.feed("lo");
  EXPECT_EQ(client.log, "request POST / [hello]\n");
}

TEST(ServerConnection, HoldsPipelinedRequestsUntilTheResponseIsComplete) {
  Client client;
  client.answers = false;
  client.feed("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.log, "request GET /1 []\n");
  EXPECT_FALSE(client.machine.wants_input());
  client.machine.respond(ok_head, text("h"), false, client.now);
  client.pump();
  EXPECT_FALSE(client.machine.wants_input());
  EXPECT_EQ(client.log, "request GET /1 []\n");
  client.machine.write_body(text("i"), true, client.now);
  client.pump();
  EXPECT_EQ(client.log, "request GET /1 []\nrequest GET /2 []\n");
  client.drain();
  EXPECT_EQ(client.received, ok_response);
}

TEST(ServerConnection, AnswersPipelinedRequestsInOrderAndInOneGather) {
  Client client;
  client.feed("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: x\r\n\r\n" +
              std::string(get_request));
  std::array<Slice, 8> slices;
  EXPECT_EQ(client.machine.output(slices), 3U);
  client.drain();
  EXPECT_EQ(client.received, std::string(ok_response) + std::string(ok_head) + std::string(ok_response));
}

TEST(ServerConnection, AnswersAreTheSameHoweverTheStreamIsCut) {
  for (const std::string_view input : {
           std::string_view(
               "GET / HTTP/1.1\r\nHost: x\r\n\r\nPOST /p HTTP/1.1\r\nHost: x\r\n"
               "Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabcHEAD /h HTTP/1.1\r\nHost: x\r\n\r\n"
               "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /never"),
           std::string_view(
               "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
           std::string_view("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
           std::string_view("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nshort"),
       }) {
    test::expect_same_for_every_chunking(as_bytes(input), [](std::span<const Bytes> pieces) {
      Client client;
      for (const Bytes piece : pieces) client.feed(as_text(piece));
      client.drain();
      client.feed_eof();
      client.drain();
      return client.log + client.received;
    });
  }
}

TEST(ServerConnection, HeadResponsesHaveNoBody) {
  Client client;
  client.answers = false;
  client.feed("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  client.machine.respond(ok_head, text("h"), false, client.now);
  EXPECT_EQ(client.machine.write_body(text("i"), true, client.now), ok_head.size());
  client.drain();
  EXPECT_EQ(client.received, ok_head);

  Client refused;
  refused.feed("HEAD / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  refused.drain();
  EXPECT_TRUE(is_refusal(refused.received, 411));
  EXPECT_TRUE(refused.received.ends_with(refusal_head_end));
}

TEST(ServerConnection, KeepAliveFollowsTheVersionAndTheFields) {
  struct Case {
    std::string_view request;
    bool stays;
  };
  for (const Case& c : {Case{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", true},
                        Case{"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n", true},
                        Case{"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false},
                        Case{"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, CLOSE\r\n\r\n", false},
                        Case{"GET / HTTP/1.0\r\n\r\n", false},
                        Case{"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false}}) {
    SCOPED_TRACE(c.request);
    Client client;
    client.answers = false;
    client.feed(c.request);
    EXPECT_EQ(client.machine.keeps_alive(), c.stays);
    client.machine.respond(ok_head, text("hi"), true, client.now);
    client.feed(get_request);
    client.drain();
    EXPECT_EQ(client.machine.wants_shutdown_write(), !c.stays);
    EXPECT_EQ(client.log.ends_with("request GET /a []\n"), c.stays);
  }
}

TEST(ServerConnection, AResponseThatSaysCloseEndsTheConnection) {
  Client client;
  client.answers = false;
  client.feed(get_request);
  client.machine.respond("HTTP/1.1 200 OK\r\nCONNECTION: Upgrade,  Close\r\n\r\n", text("until the end"),
                         true, client.now);
  client.drain();
  EXPECT_TRUE(client.machine.wants_shutdown_write());
}

TEST(ServerConnection, AsksForTheBodyAClientHoldsBack) {
  Client client;
  client.feed("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n");
  client.drain();
  EXPECT_EQ(client.received, "HTTP/1.1 100 Continue\r\n\r\n");
  client.feed("ab");
  EXPECT_EQ(client.log, "request POST / [ab]\n");

  Client without_body;
  without_body.feed("GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n");
  without_body.drain();
  EXPECT_EQ(without_body.received, ok_response);

  Client old;  // RFC 9110 10.1.1: an HTTP/1.0 client would not understand the 100
  old.feed("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_FALSE(old.machine.has_output());
}

TEST(ServerConnection, RefusesWhatItCannotTake) {
  expect_refused("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 411);
  expect_refused("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", 413);
  expect_refused("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\nExpect: 100-continue\r\n\r\n", 413);
  expect_refused("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 200-ok\r\n\r\n", 417);
  expect_refused("GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nExpect: x\r\n\r\n", 417);
  expect_refused("GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505);
}

TEST(ServerConnection, ABodyOfExactlyTheLimitPasses) {
  ServerOptions options;
  options.body_bytes_max = 4;
  Client client(options);
  client.feed("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nfour");
  EXPECT_EQ(client.log, "request POST / [four]\n");
  client.feed("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nfives");
  EXPECT_EQ(client.log, "request POST / [four]\nfailed 413\n");
}

TEST(ServerConnection, Attack1TooManyFieldsAreRefused) {
  std::string request = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 2000; ++i) request += "a:b\r\n";
  expect_refused(request + "\r\n", 431);
}

TEST(ServerConnection, Attack2AHugeHeadIsRefusedAtTheLimit) {
  Client client;
  const std::string piece = "GET / HTTP/1.1\r\nHost: x\r\na: " + std::string(16 * 1024, 'b');
  for (const char c : piece) client.feed({&c, 1});
  EXPECT_EQ(client.log, "failed 431\n");
  client.drain();
  EXPECT_TRUE(is_refusal(client.received, 431));
}

TEST(ServerConnection, Attack12WhatTwoReadersCouldReadDifferentlyIsRefused) {
  const std::string post = "POST / HTTP/1.1\r\nHost: x\r\n";
  for (const std::string_view fields :
       {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: +5\r\n", "Content-Length: 0x5\r\n", "Content-Length: 5,5\r\n",
        "Content-Length: \r\n", "Transfer-Encoding : chunked\r\n", "Transfer-Encoding:\r\n chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "a: b\n", "a: b\rc\r\n",
        "Host : x\r\n"}) {
    expect_refused(post + std::string(fields) + "\r\n", 400);
  }
  expect_refused(post + std::string("a: b\0c\r\n\r\n", 10), 400);
  expect_refused(post + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501);
  expect_refused("\r\n" + post, 400);
}

TEST(ServerConnection, Attack14ATrickledFirstHeadHasTheTimeoutInAllFromTheStart) {
  Client client;
  client.wait(seconds(1));
  for (const char c : get_request) {
    client.feed({&c, 1});
    client.drain();
    client.wait(milliseconds(900));
  }
  EXPECT_EQ(client.log, "failed 408\nclosed\n");  // the client goes on trickling and gets no more time for it
  EXPECT_TRUE(client.machine.is_done());
}

TEST(ServerConnection, Attack14AHeadInTimePasses) {
  Client client;
  client.wait(milliseconds(4999));
  client.feed(get_request);
  EXPECT_EQ(client.log, "request GET /a []\n");
}

TEST(ServerConnection, Attack14SilenceEndsWithoutAnAnswer) {
  Client client;
  client.wait(milliseconds(4999));
  EXPECT_FALSE(client.machine.has_ended());
  client.wait(milliseconds(1));
  EXPECT_EQ(client.log, "closed: no request in time\n");
  EXPECT_FALSE(client.machine.has_output());
}

TEST(ServerConnection, Attack14ALaterHeadHasTheTimeoutFromItsFirstByte) {
  Client client;
  client.feed(get_request);
  client.drain();
  client.wait(seconds(59));
  client.feed("G");
  client.wait(milliseconds(4999));
  EXPECT_EQ(client.log, "request GET /a []\n");
  client.wait(milliseconds(1));
  client.drain();
  EXPECT_EQ(client.log, "request GET /a []\nfailed 408\n");
  EXPECT_TRUE(is_refusal(client.received.substr(ok_response.size()), 408));
}

TEST(ServerConnection, Attack15BytesBehindAnUpgradeAreKeptForTheNextMachine) {
  Client client;
  client.answers = false;
  client.feed("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x80rest");
  EXPECT_EQ(client.log, "request GET /ws []\n");
  EXPECT_FALSE(client.machine.wants_input());
  const Buffer rest = client.machine.take_rest();
  EXPECT_EQ(as_text(rest.bytes()), "\x81\x80rest");
  EXPECT_TRUE(client.machine.is_done());
  client.poll();
  EXPECT_EQ(client.log, "request GET /ws []\n");
}

TEST(ServerConnection, Attack15DataBeforeTheRequestIsRefused) {
  expect_refused("PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n", 400);
  expect_refused("\r\n\r\n" + std::string("\0", 1) + "\r\nQUIT\n", 400);
  expect_refused("\x16\x03\x01", 400);
}

TEST(ServerConnection, AnUpgradeWaitsUntilEarlierResponsesAreGone) {
  Client client;
  client.feed(std::string(get_request) +
              "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nrest");
  EXPECT_EQ(client.log, "request GET /a []\n");
  client.answers = false;
  client.drain();
  EXPECT_EQ(client.log, "request GET /a []\nrequest GET /ws []\n");
  EXPECT_EQ(as_text(client.machine.take_rest().bytes()), "rest");
}

TEST(ServerConnection, EndsCleanlyWhereverTheClientLeaves) {
  const std::string script =
      "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
  const std::size_t first = script.find("POST");
  for (std::size_t cut = 0; cut <= script.size(); ++cut) {
    SCOPED_TRACE(cut);
    Client client;
    client.feed(script.substr(0, cut));
    client.feed_eof();
    client.drain();
    EXPECT_TRUE(client.machine.is_done());
    std::string expected = cut >= first ? "request GET /1 []\n" : "";
    if (cut == script.size()) expected += "request POST /2 [abc]\n";
    const bool is_clean = cut == 0 || cut == first || cut == script.size();
    expected += is_clean ? "closed\n" : "closed: the client left in the middle of a request\n";
    EXPECT_EQ(client.log, expected);
    EXPECT_EQ(client.received.size(), (cut >= first ? 1U : 0U) * ok_response.size() +
                                          (cut == script.size() ? 1U : 0U) * ok_response.size());
  }
}

TEST(ServerConnection, AClientThatHalfClosesGetsItsResponse) {
  Client client;
  client.answers = false;
  client.feed(get_request);
  client.feed_eof();
  EXPECT_EQ(client.log, "request GET /a []\n");
  EXPECT_FALSE(client.machine.keeps_alive());
  client.machine.respond(ok_head, text("h"), false, client.now);
  client.drain();
  EXPECT_FALSE(client.machine.has_ended());
  client.machine.write_body(text("i"), true, client.now);
  client.drain();
  EXPECT_EQ(client.received, ok_response);
  EXPECT_TRUE(client.machine.is_done());
}

TEST(ServerConnection, AFailedWriteEndsAtOnce) {
  for (const bool last : {false, true}) {
    Client client;
    client.answers = false;
    client.feed(get_request);
    client.machine.respond(ok_head, text("hi"), last, client.now);
    client.machine.prepare_output(1 << 20, client.now);
    client.feed_eof();
    EXPECT_TRUE(client.machine.is_done());
    EXPECT_FALSE(client.machine.has_output());
    EXPECT_EQ(client.log, "request GET /a []\nclosed: the connection was lost\n");
    client.machine.respond(ok_head, {}, true, client.now);  // too late, and no harm
    EXPECT_FALSE(client.machine.has_output());
  }
}

TEST(ServerConnection, SaysDrainedWhenAStreamedBodyHasRoom) {
  ServerOptions options;
  options.drained_below_bytes = 100;
  Client client(options);
  client.answers = false;
  client.feed(get_request);
  client.machine.respond("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", {}, false, client.now);
  client.drain();
  EXPECT_EQ(client.log, "request GET /a []\n");
  EXPECT_EQ(client.machine.write_body(text(std::string(3000, 'a')), false, client.now), 3000U);
  client.drain();
  EXPECT_EQ(client.log, "request GET /a []\ndrained\n");
  client.machine.write_body(text(std::string(2000, 'b')), true, client.now);
  client.drain();
  EXPECT_EQ(client.log, "request GET /a []\ndrained\n");
  EXPECT_TRUE(client.received.ends_with(std::string(3000, 'a') + std::string(2000, 'b')));
}

TEST(ServerConnection, PartialWritesLoseAndRepeatNothing) {
  Client client;
  client.feed(std::string(get_request) + std::string(get_request));
  std::string received;
  while (client.machine.has_output()) {
    client.machine.prepare_output(1, client.now);
    std::array<Slice, 1> slice;
    ASSERT_EQ(client.machine.output(slice), 1U);
    const std::size_t bytes = std::min<std::size_t>(slice[0].size, 7);
    received += as_text(slice[0].bytes().first(bytes));
    client.machine.consume_output(bytes, client.now);
  }
  EXPECT_EQ(received, std::string(ok_response) + std::string(ok_response));
}

TEST(ServerConnection, ABodyThatDoesNotComeIsGivenUp) {
  Client client;
  client.feed("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na");
  client.wait(milliseconds(9999));
  EXPECT_EQ(client.log, "");
  client.wait(milliseconds(1));
  client.drain();
  EXPECT_EQ(client.log, "failed 408\n");
  EXPECT_TRUE(is_refusal(client.received, 408));
  client.wait(seconds(2));
  EXPECT_EQ(client.log, "failed 408\nclosed\n");
  EXPECT_TRUE(client.machine.is_done());
}

TEST(ServerConnection, AnIdleClientIsLetGo) {
  Client client;
  client.feed(get_request);
  client.drain();
  client.wait(milliseconds(59'999));
  EXPECT_FALSE(client.machine.has_ended());
  client.wait(milliseconds(1));
  EXPECT_EQ(client.log, "request GET /a []\nclosed: no request in time\n");
}

TEST(ServerConnection, AClientThatTakesNoDataIsGivenUp) {
  Client client;
  client.feed(get_request);
  client.wait(milliseconds(29'999));
  EXPECT_FALSE(client.machine.has_ended());
  client.wait(milliseconds(1));
  EXPECT_EQ(client.log, "request GET /a []\nclosed: the client takes no data\n");
  EXPECT_FALSE(client.machine.has_output());
}

TEST(ServerConnection, AUserMayTakeAnyTimeToAnswer) {
  Client client;
  client.answers = false;
  client.feed(get_request);
  EXPECT_FALSE(client.machine.deadline().has_value());
}

TEST(ServerConnection, DeadlinesStandStillWhileTheUserDoesNotRead) {
  Client client;
  client.feed("GET / HT");
  client.machine.set_reading(false, client.now);
  EXPECT_FALSE(client.machine.deadline().has_value());
  client.wait(seconds(100));
  client.machine.set_reading(true, client.now);
  EXPECT_EQ(client.machine.deadline(), client.now + seconds(5));
}

TEST(ServerConnection, CloseWaitsForTheResponseUnderWay) {
  Client idle;
  idle.machine.close(idle.now);
  EXPECT_TRUE(idle.machine.wants_shutdown_write());
  idle.wait(seconds(2));
  EXPECT_EQ(idle.log, "closed\n");

  Client pending;
  pending.answers = false;
  pending.feed(get_request);
  pending.machine.close(pending.now);
  EXPECT_FALSE(pending.machine.keeps_alive());
  EXPECT_FALSE(pending.machine.wants_shutdown_write());
  pending.machine.respond(ok_head, text("hi"), true, pending.now);
  pending.drain();
  EXPECT_EQ(pending.received, ok_response);
  EXPECT_TRUE(pending.machine.wants_shutdown_write());
}

TEST(ServerConnection, RefuseEndsTheConnectionWithAWholeResponse) {
  constexpr std::string_view busy =
      "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  Client early;
  early.machine.refuse(busy, early.now);
  early.feed(get_request);
  early.drain();
  EXPECT_EQ(early.received, busy);
  EXPECT_EQ(early.log, "");
  early.feed_eof();
  EXPECT_EQ(early.log, "closed\n");

  Client pending;
  pending.answers = false;
  pending.feed(std::string(get_request) + std::string(get_request));
  pending.machine.refuse(busy, pending.now);
  pending.drain();
  EXPECT_EQ(pending.received, busy);
  EXPECT_TRUE(pending.machine.wants_shutdown_write());

  Client streaming;
  streaming.answers = false;
  streaming.feed(get_request);
  streaming.machine.respond(ok_head, text("h"), false, streaming.now);
  streaming.machine.refuse(busy, streaming.now);
  streaming.drain();
  EXPECT_EQ(streaming.received, std::string(ok_head) + "h");
  EXPECT_TRUE(streaming.machine.wants_shutdown_write());
}

}  // namespace
}  // namespace sinnet::http
