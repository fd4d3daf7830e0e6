#pragma once
/// ClientConnection: an open WebSocket of a client: its machine on its transport. It opens and reopens
/// nothing.

#include <memory>
#include <string>

#include "endpoint/client_core.hpp"
#include "endpoint/client_opening.hpp"
#include "sinnet/endpoint/handler.hpp"
#include "sinnet/io/driver.hpp"

namespace sinnet::endpoint {

/// Who hears of the end.
class ClientConnectionOwner {
 public:
  /// The last call. Gives the connection to Loop::destroy_later.
  virtual void connection_ended() = 0;

 protected:
  ~ClientConnectionOwner() = default;
};

class ClientConnection final : public Connection, public io::Driver<ClientConnection> {
 public:
  ClientConnection(std::shared_ptr<ClientCore> core, std::shared_ptr<Handler> handler,
                   ClientConnectionOwner& owner, Opened opened);

  /// Calls Handler::open and takes the bytes that came behind the head.
  void begin();
  /// Ends without a call to anybody.
  void forsake();

  // Connection
  [[nodiscard]] ConnectionId id() const noexcept override { return id_; }
  [[nodiscard]] io::Loop& loop() const noexcept override { return Driver::loop(); }
  [[nodiscard]] const OpenRequest* request() const noexcept override { return nullptr; }
  Result<> accept(const Accept& how) override;
  void refuse(int status, std::span<const http::Field> headers, std::string_view body) override;
  void answer_later(Duration timeout) override;
  using Connection::send;
  ws::SendResult send(ws::MessageKind kind, Bytes payload) override;
  ws::SendResult send(ws::MessageKind kind, Buffer&& payload) override;
  ws::SendResult send(const ws::SharedFrame& frame) override;
  ws::SendResult send_piece(ws::MessageKind kind, Bytes piece, bool first, bool last) override;
  ws::SendResult ping(Bytes payload) override;
  [[nodiscard]] std::size_t waiting_bytes() const noexcept override { return machine_.waiting_bytes(); }
  [[nodiscard]] std::size_t room_bytes() const noexcept override;
  void pause() override { Driver::pause(); }
  void resume() override { Driver::resume(); }
  void close(ws::CloseCode code, std::string_view reason) override;
  void abort() override;
  [[nodiscard]] bool is_open() const noexcept override;
  void join(std::string_view channel) override;
  void leave(std::string_view channel) override;
  void publish(std::string_view channel, const Message& message, bool except_self) override;
  [[nodiscard]] std::string_view protocol() const noexcept override { return protocol_; }
  [[nodiscard]] std::string peer_host() const override { return transport().peer_address().host(); }
  [[nodiscard]] const io::TlsInfo* tls() const noexcept override { return transport().tls(); }
  [[nodiscard]] bool uses_compression() const noexcept override { return machine_.uses_compression(); }

 private:
  friend class io::Driver<ClientConnection>;

  // Driver
  [[nodiscard]] ws::Connection& machine() noexcept { return machine_; }
  [[nodiscard]] std::size_t reply_bytes_max() const noexcept { return core_->options.send_queue_bytes; }
  [[nodiscard]] bool handle_event(const ws::Event& event);
  void handle_finished() { end_life(); }

  ws::SendResult after_send(ws::SendResult result);
  void tell_closed(const CloseInfo& info);
  void end_life();

  std::shared_ptr<ClientCore> core_;
  std::shared_ptr<Handler> handler_;
  ClientConnectionOwner* owner_;  ///< null once forsaken
  ConnectionId id_;
  std::string protocol_;
  Buffer rest_;
  bool told_closed_ = false;
  ws::Connection machine_;
};

}  // namespace sinnet::endpoint
