/// http::ServerConnection: its transition table, the chunking law, ends and deadlines in virtual time.

#include "sinnet/http/server_connection.hpp"

#include <gtest/gtest.h>

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
          log += "request " + std::string(machine.head().method()) + ' ' + std::string(machine.head().target()) +
                 " [" + std::string(as_text(event->body)) + "]\n";
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
  client.machine.respond(ok_head, text("hi"), true, client.now);
  client.poll();
  EXPECT_EQ(client.log, "request GET /1 []\nrequest GET /2 []\n");
}

}  // namespace
}  // namespace sinnet::http
