/// The built-in message handlers: functions, echo, broadcast.

#include <utility>

#include "sinnet/endpoint/handler.hpp"

namespace sinnet::endpoint {
namespace {

class CallbackHandler final : public Handler {
 public:
  explicit CallbackHandler(Callbacks callbacks) : callbacks_(std::move(callbacks)) {}

  void open(Connection& connection) override {
    if (callbacks_.open) callbacks_.open(connection);
  }
  void message(Connection& connection, const Message& message) override {
    if (callbacks_.message) callbacks_.message(connection, message);
  }
  void drained(Connection& connection) override {
    if (callbacks_.drained) callbacks_.drained(connection);
  }
  void close(Connection& connection, const CloseInfo& info) override {
    if (callbacks_.close) callbacks_.close(connection, info);
  }

 private:
  Callbacks callbacks_;
};

class EchoHandler final : public Handler {
 public:
  void message(Connection& connection, const Message& message) override { (void)connection.send(message); }
};

class BroadcastHandler final : public Handler {
 public:
  explicit BroadcastHandler(std::string channel) : channel_(std::move(channel)) {}

  void open(Connection& connection) override { connection.join(channel_); }
  void message(Connection& connection, const Message& message) override {
    connection.publish(channel_, message, true);
  }

 private:
  std::string channel_;
};

}  // namespace

std::shared_ptr<Handler> make_handler(Callbacks callbacks) {
  return std::make_shared<CallbackHandler>(std::move(callbacks));
}

std::shared_ptr<Handler> make_echo_handler() { return std::make_shared<EchoHandler>(); }

std::shared_ptr<Handler> make_broadcast_handler(std::string route_name) {
  // A control character keeps the name apart from channels that programs choose.
  return std::make_shared<BroadcastHandler>("\x01route:" + std::move(route_name));
}

}  // namespace sinnet::endpoint
