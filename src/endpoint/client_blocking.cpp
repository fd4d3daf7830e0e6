/// The blocking WebSocket: a client and a loop that turns inside the calls only.

#include <deque>
#include <utility>

#include "sinnet/endpoint/client.hpp"

namespace sinnet::endpoint {
namespace {

// Messages kept while send() or close() waits; beyond it the server is held back.
constexpr std::size_t kept_bytes_max = 4 * 1024 * 1024;

class BlockingWebSocket final : public WebSocket, private Handler {
 public:
  static Result<std::unique_ptr<WebSocket>> open(std::string_view url, ClientOptions options) {
    auto loop = io::Loop::create();
    if (!loop) return std::unexpected(loop.error());
    options.reconnect.enabled = false;
    auto self = std::unique_ptr<BlockingWebSocket>(new BlockingWebSocket);
    self->loop_ = std::move(*loop);
    auto client = Client::create(*self->loop_, std::move(options));
    if (!client) return std::unexpected(client.error());
    self->client_ = std::move(*client);
    std::optional<Error> failed;
    // The session never outlives this object, so the handler is lent, not shared.
    auto session = self->client_->connect(url, std::shared_ptr<Handler>(std::shared_ptr<void>(), self.get()),
                                          [&failed](const OpenFailure& failure) { failed = failure.error; });
    if (!session) return std::unexpected(session.error());
    self->session_ = std::move(*session);
    while (!failed && self->session_->state() == ClientSession::State::Opening) {
      self->loop_->run_once(Duration::max());
    }
    if (failed) return std::unexpected(std::move(*failed));
    return self;
  }

  ~BlockingWebSocket() override {
    session_.reset();
    loop_->run_once(Duration::zero());  // what was to be destroyed at the turn's end
    client_.reset();
  }

  Result<> send(ws::MessageKind kind, Bytes payload) override {
    Connection* connection = session_->connection();
    if (connection == nullptr || !connection->send(kind, payload)) return over();
    loop_->run_once(Duration::zero());
    while ((connection = session_->connection()) != nullptr && connection->room_bytes() == 0) {
      loop_->run_once(Duration::max());
    }
    if (connection == nullptr) return over();
    return {};
  }

  Result<ReceivedMessage> receive(Duration timeout) override {
    const Time begun = io::Loop::read_clock();
    while (kept_.empty()) {
      if (session_->connection() == nullptr) return over();
      const Duration left = timeout == Duration::max() ? timeout : timeout - (io::Loop::read_clock() - begun);
      if (left < Duration::zero()) return fail(ErrorCode::TimedOut, "no message in time");
      loop_->run_once(left);
    }
    ReceivedMessage message = std::move(kept_.front());
    kept_.pop_front();
    kept_bytes_ -= message.payload.size();
    if (is_held_ && kept_bytes_ < kept_bytes_max && session_->connection() != nullptr) {
      is_held_ = false;
      session_->connection()->resume();
    }
    return message;
  }

  void close(ws::CloseCode code, std::string_view reason) override {
    session_->close(code, reason);
    is_closing_ = true;  // what still comes ends soon: it is kept whatever its size
    if (std::exchange(is_held_, false) && session_->connection() != nullptr) {
      session_->connection()->resume();
    }
    while (session_->connection() != nullptr) loop_->run_once(Duration::max());
  }

  [[nodiscard]] bool is_open() const noexcept override {
    return session_->connection() != nullptr && session_->connection()->is_open();
  }
  [[nodiscard]] ws::CloseCode close_code() const noexcept override { return code_; }
  [[nodiscard]] std::string_view close_reason() const noexcept override { return reason_; }
  [[nodiscard]] std::string_view protocol() const noexcept override { return protocol_; }

 private:
  BlockingWebSocket() = default;

  void open(Connection& connection) override { protocol_ = connection.protocol(); }
  void message(Connection& connection, const Message& message) override {
    kept_bytes_ += message.payload.size();
    kept_.push_back({.kind = message.kind, .payload = Buffer::copy_of(message.payload)});
    if (kept_bytes_ < kept_bytes_max || is_closing_) return;
    is_held_ = true;
    connection.pause();
  }
  void close(Connection&, const CloseInfo& info) override {
    code_ = info.code;
    reason_ = info.reason;
  }

  [[nodiscard]] std::unexpected<Error> over() const {
    std::string text = "the WebSocket is closed: " + std::to_string(std::to_underlying(code_));
    if (!reason_.empty()) text += " " + reason_;
    return fail(ErrorCode::Closed, std::move(text));
  }

  std::unique_ptr<io::Loop> loop_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<ClientSession> session_;
  std::deque<ReceivedMessage> kept_;
  std::size_t kept_bytes_ = 0;
  bool is_held_ = false;
  bool is_closing_ = false;
  ws::CloseCode code_ = ws::CloseCode::NoStatus;
  std::string reason_;
  std::string protocol_;
};

}  // namespace

Result<std::unique_ptr<WebSocket>> connect(std::string_view url, ClientOptions options) {
  return BlockingWebSocket::open(url, std::move(options));
}

}  // namespace sinnet::endpoint
