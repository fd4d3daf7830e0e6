/// Law 2 on the client's opening, and what follows it, over a real socket: the server (or the proxy before
/// it) ends or resets the connection at every step and in the middle of what it says.

#include "endpoint/client_fixture.hpp"
#include "support/dialogue.hpp"

namespace sinnet::endpoint::test {
namespace {

/// A client and the server it talks to. The nonce of a request is written as KEY in what is expected, and
/// ACCEPT in what is given becomes the answer to it.
class ClientEnd {
 public:
  explicit ClientEnd(bool by_proxy)
      : server_(*loop_, [](Peer&) {}), by_proxy_(by_proxy), client_(make_client()) {
    auto session = client_->connect(
        by_proxy_ ? "ws://chat.example/" : server_.url(),
        {.open = [this](Connection&) { told_.emplace_back("open"); },
         .message =
             [this](Connection&, const Message& message) {
               told_.push_back("message " + std::string(message.text()));
             },
         .close = [this](Connection&, const CloseInfo&) { told_.emplace_back("closed"); }},
        [this](const OpenFailure& failure) { told_.push_back("failed " + std::to_string(failure.status)); });
    EXPECT_TRUE(session) << (session ? "" : session.error().message);
    if (session) session_ = std::move(*session);
    EXPECT_TRUE(turn_until(*loop_, [&] { return !server_.peers.empty(); }));
  }
  ~ClientEnd() { session_.reset(); }

  void give(std::string_view text) {
    std::string bytes(text);
    if (const std::size_t at = bytes.find("ACCEPT"); at != bytes.npos) {
      bytes.replace(at, 6, ws::accept_token(key_));
    }
    const std::size_t told = told_.size();
    peer().send(bytes);
    // Until it reacts or has certainly read it: nothing tells when a read changes nothing.
    for (int i = 0; i < 3 && told_.size() == told; ++i) loop_->run_once(std::chrono::milliseconds(0));
  }
  std::string read(std::size_t bytes) {
    if (bytes > 0) {
      EXPECT_TRUE(turn_until(*loop_, [&] { return unread().size() >= bytes; })) << unread();
    }
    std::string text = unread();
    read_ = peer().received.size();
    return text;
  }
  void end(sinnet::test::Ending ending) {
    if (ending == sinnet::test::Ending::Error)
      (void)read(0);  // what went out before it is not written to a lost one
    // An EOF of the server's is the end for a client too: nobody answers any more.
    peer().hang_up(ending == sinnet::test::Ending::Eof ? io::CloseMode::Orderly : io::CloseMode::Reset);
  }
  bool finish() {
    return turn_until(*loop_, [&] { return session_->state() == ClientSession::State::Over; });
  }
  std::vector<std::string> told() { return told_; }
  static bool is_final(std::string_view event) {
    return event.starts_with("closed") || event.starts_with("failed");
  }
  void hears(std::size_t events) {
    EXPECT_TRUE(turn_until(*loop_, [&] { return told_.size() >= events; }));
  }
  ClientSession& session() { return *session_; }

 private:
  std::unique_ptr<Client> make_client() {
    ClientOptions options;
    options.open_timeout = std::chrono::seconds(20);
    if (by_proxy_) options.proxy = "http://127.0.0.1:" + std::to_string(server_.port());
    auto client = Client::create(*loop_, std::move(options));
    EXPECT_TRUE(client) << (client ? "" : client.error().message);
    return std::move(*client);
  }
  Peer& peer() { return *server_.peers.front(); }
  /// As received, with KEY for the nonce and HOST for where we listen.
  std::string unread() {
    std::string text = peer().received.substr(std::min(read_, peer().received.size()));
    constexpr std::string_view field = "Sec-WebSocket-Key: ";
    if (const std::size_t at = text.find(field); at != text.npos && text.size() >= at + field.size() + 24) {
      key_ = text.substr(at + field.size(), 24);
      text.replace(at + field.size(), 24, "KEY");
    }
    const std::string host = "127.0.0.1:" + std::to_string(server_.port());
    if (const std::size_t at = text.find(host); at != text.npos) text.replace(at, host.size(), "HOST");
    return text;
  }

  std::unique_ptr<io::Loop> loop_ = io::test::make_loop();
  ScriptedServer server_;
  bool by_proxy_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<ClientSession> session_;
  std::vector<std::string> told_;
  std::string key_;
  std::size_t read_ = 0;
};

using Talk = sinnet::test::Dialogue<ClientEnd>;

std::string request(std::string_view host) {
  return "GET / HTTP/1.1\r\nHost: " + std::string(host) +
         "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: KEY\r\n"
         "Sec-WebSocket-Version: 13\r\n\r\n";
}
constexpr std::string_view acceptance =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: ACCEPT\r\n\r\n";
const std::string hello = "\x81\x05Hello";  // RFC 6455 5.7

TEST(ClientDialogue, OpeningAndItsFirstMessage) {
  Talk talk;
  talk.expect(request("HOST"))
      .give(std::string(acceptance))
      .act([](ClientEnd& end) { end.hears(1); })
      .give(hello)
      .act([](ClientEnd& end) { end.hears(2); });
  talk.run([] { return std::make_unique<ClientEnd>(false); }, {"open", "message Hello"});
}

TEST(ClientDialogue, OpeningBehindInterimAnswersWithFramesInTheSameSegment) {
  Talk talk;
  talk.expect(request("HOST"))
      .give("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
      .give(std::string(acceptance) + hello)
      .act([](ClientEnd& end) { end.hears(2); });
  talk.run([] { return std::make_unique<ClientEnd>(false); }, {"open", "message Hello"});
}

TEST(ClientDialogue, OpeningThroughAProxy) {
  Talk talk;
  talk.expect("CONNECT chat.example:80 HTTP/1.1\r\nHost: chat.example:80\r\n\r\n")
      .give("HTTP/1.1 200 Connection established\r\n\r\n")
      .expect(request("chat.example"))
      .give(std::string(acceptance))
      .act([](ClientEnd& end) { end.hears(1); });
  talk.run([] { return std::make_unique<ClientEnd>(true); }, {"open"});
}

}  // namespace
}  // namespace sinnet::endpoint::test
