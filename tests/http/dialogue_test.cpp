/// Law 2 on http::ServerConnection: requests and responses that the transport breaks off anywhere. What is
/// refused and when is server_connection_test.cpp's.

#include "support/dialogue.hpp"

#include <algorithm>
#include <array>

#include "sinnet/http/server_connection.hpp"

namespace sinnet::http {
namespace {

constexpr std::string_view get = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// A server's machine and its client's end of the wire. Requests wait for the script to answer them.
class ServerEnd {
 public:
  void give(std::string_view bytes) {
    unsent_ += bytes;
    pump();
  }
  std::string read(std::size_t) {
    while (machine.has_output()) write();
    pump();
    return std::exchange(written_, {});
  }
  void end(test::Ending ending) {
    // As io::Driver: a failed write comes between the freezing of output and its consumption.
    if (ending == test::Ending::Error) machine.prepare_output(1 << 20, now);
    machine.receive_eof(now);
    poll();
  }
  bool finish() {
    for (int i = 0; i < 8 && !machine.is_done(); ++i) {
      // A client that has half-closed still reads, and whoever answers late is heard.
      while (machine.has_output()) write();
      poll();
      if (is_asked_) answer();
      while (machine.has_output()) write();
      poll();
      if (const auto due = machine.deadline()) {
        now = std::max(now, *due);
        machine.handle_deadline(now);
        poll();
      }
    }
    return machine.is_done();
  }
  [[nodiscard]] std::vector<std::string> told() const { return told_; }
  static bool is_final(std::string_view event) { return event.starts_with("closed"); }

  void answer() {
    is_asked_ = false;
    machine.respond("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", Buffer::copy_of(as_bytes("hi")), true,
                    now);
  }

  ServerOptions options;
  Time now{std::chrono::seconds(1000)};
  ServerConnection machine{options, now};

 private:
  void pump() {
    while (!unsent_.empty() && machine.wants_input()) {
      std::vector<char> block(unsent_.begin(), unsent_.end());
      unsent_.clear();
      machine.receive({reinterpret_cast<std::byte*>(block.data()), block.size()}, now);
      poll();
      machine.keep_input();
    }
    poll();
    machine.keep_input();
  }
  void poll() {
    while (const auto event = machine.poll_event()) {
      switch (event->type) {
        case ServerEventType::Request:
          is_asked_ = true;
          told_.push_back("request " + std::string(machine.head().target()) + " " +
                          std::string(as_text(event->body)));
          break;
        case ServerEventType::Drained: told_.emplace_back("drained"); break;
        case ServerEventType::Failed: told_.push_back("failed " + std::to_string(event->status)); break;
        case ServerEventType::Closed:
          is_asked_ = false;
          told_.emplace_back("closed");
          break;
      }
    }
  }
  void write() {
    machine.prepare_output(1 << 20, now);
    std::array<Slice, 4> slices;
    std::size_t bytes = 0;
    const std::size_t count = machine.output(slices);
    for (std::size_t i = 0; i < count; ++i) {
      written_ += as_text(slices[i].bytes());
      bytes += slices[i].size;
    }
    machine.consume_output(bytes, now);
  }

  std::string unsent_;
  std::string written_;
  std::vector<std::string> told_;
  bool is_asked_ = false;
};

using Talk = test::Dialogue<ServerEnd>;

std::unique_ptr<ServerEnd> make() { return std::make_unique<ServerEnd>(); }
void answer(ServerEnd& end) { end.answer(); }

TEST(ServerConnectionDialogue, RequestsOnOneConnection) {
  Talk talk;
  talk.give(std::string(get))
      .act(answer)
      .expect(std::string(response))
      .give("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
      .give("hello")
      .act(answer)
      .expect(std::string(response));
  talk.run(make, {"request /a ", "request /b hello"});
}

TEST(ServerConnectionDialogue, PipelinedRequestsAreAnsweredInTheirOrder) {
  Talk talk;
  talk.give(std::string(get) + "GET /b HTTP/1.1\r\nHost: x\r\n\r\n")
      .act(answer)
      .expect(std::string(response))
      .act(answer)
      .expect(std::string(response));
  talk.run(make, {"request /a ", "request /b "});
}

TEST(ServerConnectionDialogue, ExpectationIsAnsweredBeforeTheBodyComes) {
  Talk talk;
  talk.give("PUT /c HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
      .expect("HTTP/1.1 100 Continue\r\n\r\n")
      .give("ok")
      .act(answer)
      .expect(std::string(response));
  talk.run(make, {"request /c ok"});
}

}  // namespace
}  // namespace sinnet::http
