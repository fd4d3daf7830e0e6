#include "daemon/handlers/tcp.hpp"

#include <charconv>
#include <chrono>
#include <utility>
#include <vector>

#include "sinnet/http/url.hpp"
#include "sinnet/io/connector.hpp"
#include "sinnet/io/loop.hpp"
#include "sinnet/io/resolver.hpp"

namespace sinnet::daemon {
namespace {

using endpoint::Connection;
using endpoint::Message;

constexpr Duration connect_timeout = std::chrono::seconds(5);
/// What may wait in one direction before the other side is held back.
constexpr std::size_t waiting_bytes_max = 256 * 1024;

/// The two directions between a WebSocket and its target. Owned by the connection as its context.
class Bridge final : public io::ReadyHandler, public io::Task {
 public:
  explicit Bridge(Connection& connection) : connection_(&connection) {}
  ~Bridge() override {
    if (target_ != nullptr) target_->close(io::CloseMode::Orderly);
  }

  /// A resolver of its own: it must end before the loop does, and a connection surely does.
  void connect(const http::Authority& target) {
    io::Loop& loop = connection_->loop();
    auto resolver = io::Resolver::create(loop);
    if (!resolver) return connection_->refuse(502, {}, "no name can be resolved here\n");
    resolver_ = std::move(*resolver);
    pending_ =
        io::connect_host(loop, *resolver_, target.host, target.port.value_or(0), loop.now() + connect_timeout,
                         [this](auto result) { handle_connected(std::move(result)); });
  }

  void connect(const io::SocketAddress& address) {
    io::Loop& loop = connection_->loop();
    pending_ = io::connect_address(loop, address, loop.now() + connect_timeout,
                                   [this](auto result) { handle_connected(std::move(result)); });
  }

  /// From the client to the target.
  void forward(Bytes payload) {
    if (target_ == nullptr) return;
    if (waiting_.empty()) {
      const Slice slice{payload.data(), payload.size()};
      const io::IoResult result = target_->write({&slice, 1});
      if (result.status == io::IoStatus::Error)
        return end(ws::CloseCode::InternalError, "the target is gone");
      payload = payload.subspan(result.bytes);
    }
    if (payload.empty()) return;
    waiting_.append(payload);
    if (waiting_.size() - taken_ >= waiting_bytes_max) connection_->pause();
    update_wants();
  }

  /// The client takes data again.
  void handle_drained() {
    if (!reads_target_) {
      reads_target_ = true;
      update_wants();
    }
  }

 private:
  void handle_connected(Result<std::unique_ptr<io::Transport>> result) {
    if (!result) {
      connection_->refuse(result.error().code == ErrorCode::TimedOut ? 504 : 502, {},
                          "the target cannot be reached\n");
      return;  // this is destroyed at the end of the turn, with the connection
    }
    target_ = std::move(*result);
    target_->set_ready_handler(this);
    update_wants();
    (void)connection_->accept();
  }

  void handle_ready(bool readable, bool writable) override {
    if (writable) flush();
    if (readable && target_ != nullptr && reads_target_) read_target();
  }

  void flush() {
    const Bytes rest = waiting_.bytes().subspan(taken_);
    const Slice slice{rest.data(), rest.size()};
    if (!rest.empty()) {
      const io::IoResult result = target_->write({&slice, 1});
      if (result.status == io::IoStatus::Error)
        return end(ws::CloseCode::InternalError, "the target is gone");
      taken_ += result.bytes;
    }
    if (taken_ == waiting_.size()) {
      waiting_.reset();
      taken_ = 0;
    }
    if (waiting_.size() - taken_ < waiting_bytes_max / 2) connection_->resume();
    update_wants();
  }

  void read_target() {
    const MutableBytes space = connection_->loop().scratch().first(64 * 1024);
    const io::IoResult result = target_->read(space);
    switch (result.status) {
      case io::IoStatus::Blocked: return;
      case io::IoStatus::Eof: return end(ws::CloseCode::Normal, "");
      case io::IoStatus::Error: return end(ws::CloseCode::InternalError, "the target is gone");
      case io::IoStatus::Ok: break;
    }
    const ws::SendResult waiting = connection_->send_binary(space.first(result.bytes));
    if (!waiting || *waiting >= waiting_bytes_max) {
      reads_target_ = false;
      update_wants();
      if (waiting)
        connection_->loop().flush_later(*this);  // it may drain before drained() has a reason to be called
    }
  }

  /// At the end of the turn in which the client's queue was full: it may have been taken at once.
  void run_task() override {
    if (connection_->waiting_bytes() < waiting_bytes_max) handle_drained();
  }

  void update_wants() {
    if (target_ != nullptr) target_->want(reads_target_, !waiting_.empty());
  }

  void end(ws::CloseCode code, std::string_view reason) {
    target_->close(io::CloseMode::Orderly);
    target_.reset();
    waiting_.reset();
    taken_ = 0;
    connection_->resume();
    connection_->close(code, reason);
  }

  Connection* connection_;
  std::unique_ptr<io::Resolver> resolver_;
  std::unique_ptr<io::Pending> pending_;
  std::unique_ptr<io::Transport> target_;
  Buffer waiting_;
  std::size_t taken_ = 0;
  bool reads_target_ = true;
};

class TcpHandler final : public endpoint::Handler {
 public:
  explicit TcpHandler(std::string target) : target_(std::move(target)) {}

  void open(Connection& connection) override {
    auto bridge = std::make_unique<Bridge>(connection);
    Bridge& started = *bridge;
    connection.set_context(std::move(bridge));
    connection.answer_later(connect_timeout * 2);
    if (const Result<io::SocketAddress> address = io::SocketAddress::parse(target_))
      return started.connect(*address);
    const Result<http::Authority> authority = http::parse_authority(target_);
    if (!authority) return connection.refuse(502, {}, "the target's address cannot be read\n");
    started.connect(*authority);
  }

  void message(Connection& connection, const Message& message) override {
    connection.context_as<Bridge>().forward(message.payload);
  }
  void drained(Connection& connection) override { connection.context_as<Bridge>().handle_drained(); }
  [[nodiscard]] ws::Delivery delivery() const noexcept override { return ws::Delivery::Pieces; }

 private:
  std::string target_;
};

}  // namespace

std::shared_ptr<endpoint::Handler> make_tcp_handler(std::string target) {
  return std::make_shared<TcpHandler>(std::move(target));
}

}  // namespace sinnet::daemon
