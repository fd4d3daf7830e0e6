#pragma once
/// A TCP or Unix server whose every byte a test decides, on the same loop as the client under test.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/sockets.hpp"
#include "sinnet/endpoint/client.hpp"
#include "sinnet/io/tls.hpp"
#include "sinnet/ws/handshake.hpp"
#include "support/bytes.hpp"

namespace sinnet::endpoint::test {

using namespace std::chrono_literals;
using io::test::turn_until;

/// One accepted connection. `react` is called with everything received so far, whenever there is more.
class Peer final : public io::ReadyHandler {
 public:
  using React = std::function<void(Peer&)>;

  Peer(std::unique_ptr<io::Transport> transport_in, React react)
      : transport(std::move(transport_in)), react_(std::move(react)) {
    transport->set_ready_handler(this);
    transport->want(true, false);
  }

  void send(std::string_view text) {
    to_send_ += text;
    write_some();
  }
  void hang_up(io::CloseMode mode = io::CloseMode::Orderly) {
    is_closed_ = true;
    transport->close(mode);
  }
  /// What a server answers to the request received, RFC 6455 4.2.2.
  [[nodiscard]] std::string accept_head(std::string_view more = {}) const {
    constexpr std::string_view field = "Sec-WebSocket-Key: ";
    const std::size_t at = received.find(field);
    const std::string key = at == received.npos ? "" : received.substr(at + field.size(), 24);
    return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Accept: " +
           ws::accept_token(key) + "\r\n" + std::string(more) + "\r\n";
  }
  [[nodiscard]] bool has_head() const { return received.find("\r\n\r\n") != received.npos; }
  void stop_reading() { transport->want(false, false); }

  std::unique_ptr<io::Transport> transport;
  std::string received;
  bool is_at_eof = false;
  int step = 0;  ///< the script's own

 private:
  void handle_ready(bool readable, bool writable) override {
    if (writable) write_some();
    if (!readable || is_closed_) return;
    std::vector<std::byte> space(64 * 1024);
    const io::IoResult result = transport->read(space);
    if (result.status == io::IoStatus::Blocked) return;
    if (result.status != io::IoStatus::Ok) {
      is_at_eof = true;
      return hang_up();
    }
    received += as_text(Bytes{space}.first(result.bytes));
    react_(*this);
  }
  void write_some() {
    if (is_closed_ || to_send_.empty()) return;
    const Slice slice{to_send_.data(), to_send_.size()};
    to_send_.erase(0, transport->write({&slice, 1}).bytes);
    transport->want(true, !to_send_.empty());
  }

  React react_;
  std::string to_send_;
  bool is_closed_ = false;
};

class ScriptedServer final : public io::AcceptHandler {
 public:
  ScriptedServer(io::Loop& loop, Peer::React react, const std::string& address = "127.0.0.1:0",
                 const io::TlsServerContext* tls = nullptr)
      : loop_(loop), react_(std::move(react)), tls_(tls) {
    auto listener = io::Listener::open(*io::SocketAddress::parse(address));
    if (!listener) std::abort();
    listener_ = std::move(*listener);
    if (!listener_->start(loop, *this)) std::abort();
  }
  void handle_accept(int fd, const io::SocketAddress&) override {
    auto transport = io::make_socket_transport(loop_, fd);
    if (tls_ != nullptr) {
      transport->detach();
      transport = io::wrap_server(*tls_, std::move(transport));
      EXPECT_TRUE(transport->attach(loop_).has_value());
    }
    peers.push_back(std::make_unique<Peer>(std::move(transport), react_));
  }
  [[nodiscard]] std::uint16_t port() const { return listener_->local_address().port(); }
  [[nodiscard]] std::string url(const std::string& path = "/") const {
    return (tls_ == nullptr ? "ws://127.0.0.1:" : "wss://127.0.0.1:") + std::to_string(port()) + path;
  }
  void stop_listening() { listener_->close(); }

  std::vector<std::unique_ptr<Peer>> peers;

 private:
  io::Loop& loop_;
  Peer::React react_;
  const io::TlsServerContext* tls_;
  std::unique_ptr<io::Listener> listener_;
};

/// Accepts the upgrade, then takes whatever comes.
inline void accept_upgrade(Peer& peer) {
  if (peer.step != 0 || !peer.has_head()) return;
  peer.step = 1;
  peer.send(peer.accept_head());
}

/// A reaction that answers a whole head with a fixed text.
inline Peer::React answering(std::string text) {
  return [text = std::move(text)](Peer& peer) {
    if (peer.has_head()) peer.send(text);
  };
}

class ClientTest : public testing::Test {
 protected:
  /// What one session saw.
  struct Seen {
    int opens = 0;
    std::vector<std::string> messages;
    std::vector<std::pair<int, std::string>> closes;
    std::deque<OpenFailure> failures;
  };

  Client& client(ClientOptions options = {}) {
    auto made = Client::create(*loop_, std::move(options));
    EXPECT_TRUE(made.has_value()) << made.error().message;
    clients_.push_back(std::move(*made));
    return *clients_.back();
  }
  [[nodiscard]] Callbacks record() {
    return {.open = [this](Connection&) { ++seen_.opens; },
            .message = [this](Connection&,
                              const Message& message) { seen_.messages.emplace_back(message.text()); },
            .close =
                [this](Connection&, const CloseInfo& info) {
                  seen_.closes.emplace_back(std::to_underlying(info.code), std::string(info.reason));
                }};
  }
  std::unique_ptr<ClientSession> open(Client& client, const std::string& url) {
    auto session = client.connect(url, record(),
                                  [this](const OpenFailure& failure) { seen_.failures.push_back(failure); });
    EXPECT_TRUE(session.has_value()) << session.error().message;
    return session ? std::move(*session) : nullptr;
  }
  std::unique_ptr<ClientSession> open(const std::string& url, ClientOptions options = {}) {
    return open(client(std::move(options)), url);
  }
  [[nodiscard]] bool turn(const std::function<bool()>& done) { return turn_until(*loop_, done); }
  /// The only failure, once it came.
  OpenFailure failure_of(const std::string& url, ClientOptions options = {}) {
    const auto session = open(url, std::move(options));
    EXPECT_TRUE(turn([&] { return !seen_.failures.empty() || seen_.opens > 0; }));
    if (seen_.failures.empty()) return {};
    EXPECT_EQ(session->state(), ClientSession::State::Over);
    return seen_.failures.front();
  }

  std::unique_ptr<io::Loop> loop_ = io::test::make_loop();
  std::vector<std::unique_ptr<Client>> clients_;
  Seen seen_;
};

}  // namespace sinnet::endpoint::test
