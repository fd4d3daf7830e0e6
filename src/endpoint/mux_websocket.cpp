#include <algorithm>
#include <string>

#include "sinnet/endpoint/mux.hpp"
#include "sinnet/io/loop.hpp"
#include "sinnet/stack/mux_over_ws.hpp"

namespace sinnet::endpoint {
namespace {

/// No batch is frozen while so much waits below: what is frozen late is scheduled well. Above what makes
/// ws::Options::drained_below_bytes (64 KiB) tell us when to go on.
constexpr std::size_t waiting_bytes_max = 128 * 1024;
/// Behind the WebSockets' own tasks it would be a turn late; deeper ones run first, and one write carries
/// both.
constexpr unsigned flush_depth = 1;

}  // namespace

/// Runs a session on each WebSocket.
class MuxWebSocketHandler final : public Handler {
 public:
  MuxWebSocketHandler(MuxOptions options, std::shared_ptr<MuxHandler> handler) {
    options.session.probe_interval = {};  // the WebSocket's own pings keep it alive
    shared_ = std::make_shared<const MuxConnection::Shared>(std::move(options), std::move(handler));
  }

  void open(Connection& connection) override;
  void message(Connection& connection, const Message& message) override;
  void drained(Connection& connection) override;
  void close(Connection& connection, const CloseInfo& info) override;
  [[nodiscard]] ws::Delivery delivery() const noexcept override { return ws::Delivery::Pieces; }

 private:
  class Carried;
  std::shared_ptr<const MuxConnection::Shared> shared_;
};

/// A session on a WebSocket; the Connection's context.
class MuxWebSocketHandler::Carried final : public MuxConnection, public io::Task, public io::Timer {
 public:
  Carried(Connection& connection, const std::shared_ptr<const Shared>& shared, mux::Role role)
      : MuxConnection(shared, role, connection.loop()), connection_(&connection) {}

  void begin() {
    shared_->handler->started(*this);
    schedule();
  }
  void receive(const Message& message) {
    if (!session_.wants_input()) return;
    // A Message shows what the WebSocket's machine lends as read-only. It is writable: it was unmasked there.
    auto* const data = const_cast<std::byte*>(message.payload.data());
    stack::receive_message(session_, message.kind, {data, message.payload.size()}, message.first,
                           message.last, loop().now());
    poll();
    session_.keep_output();
    session_.keep_input();
    schedule();
  }
  void flush() {
    in_flush_ = true;
    while (connection_->is_open() && connection_->waiting_bytes() < waiting_bytes_max) {
      Buffer message = stack::take_message(session_, loop().now());
      if (message.empty()) break;
      (void)connection_->send(ws::MessageKind::Binary, std::move(message));
      poll();
    }
    if (connection_->is_open() && (session_.wants_shutdown_write() || session_.has_ended())) {
      poll();
      connection_->close(close_code_, close_reason_);
    }
    if (const std::optional<Time> due = session_.deadline(); due && (!is_armed() || *due < when()))
      loop().arm(*this, *due);
    in_flush_ = false;
  }
  void end() { dispatch_rest(loop().now()); }

  // MuxConnection
  [[nodiscard]] io::Loop& loop() const noexcept override { return connection_->loop(); }
  void abort() override { connection_->abort(); }

 private:
  void schedule() override {
    if (!in_flush_ && !is_queued()) loop().flush_later(*this, flush_depth);
  }
  void run_task() override { flush(); }
  void handle_timer() override {
    session_.handle_deadline(loop().now());
    poll();
    flush();
  }
  void poll() {
    while (session_.has_event()) {
      const std::optional<mux::Event> event = session_.poll_event();
      if (!event) return;
      if (event->type == mux::EventType::Closed || event->type == mux::EventType::Failed) {
        close_code_ = stack::close_code_of(*event);
        close_reason_ = event->reason;
      }
      dispatch(*event);
    }
  }

  Connection* connection_;
  bool in_flush_ = false;
  ws::CloseCode close_code_ = ws::CloseCode::Normal;
  std::string close_reason_;
};

void MuxWebSocketHandler::open(Connection& connection) {
  const mux::Role role = connection.request() == nullptr ? mux::Role::Client : mux::Role::Server;
  auto carried = std::make_unique<Carried>(connection, shared_, role);
  Carried& session = *carried;
  if (const OpenRequest* const request = connection.request(); request != nullptr) {
    const std::string& ours = shared_->options.subprotocol;
    if (std::ranges::find(request->protocols, ours) != request->protocols.end())
      (void)connection.accept({.protocol = ours});
  }
  connection.set_context(std::move(carried));
  session.begin();
}

void MuxWebSocketHandler::message(Connection& connection, const Message& message) {
  connection.context_as<Carried>().receive(message);
}

void MuxWebSocketHandler::drained(Connection& connection) { connection.context_as<Carried>().flush(); }

void MuxWebSocketHandler::close(Connection& connection, const CloseInfo&) {
  if (connection.context() != nullptr) connection.context_as<Carried>().end();
}

std::shared_ptr<Handler> make_mux_handler(MuxOptions options, std::shared_ptr<MuxHandler> handler) {
  return std::make_shared<MuxWebSocketHandler>(std::move(options), std::move(handler));
}

}  // namespace sinnet::endpoint
