#pragma once
/// ClientConnection: an open WebSocket of a client: its machine on its transport. It opens and reopens
/// nothing.

#include <memory>
#include <string>

#include "endpoint/client_core.hpp"
#include "endpoint/client_opening.hpp"
#include "endpoint/driven_connection.hpp"

namespace sinnet::endpoint {

/// Who hears of the end.
class ClientConnectionOwner {
 public:
  /// The last call. Gives the connection to Loop::destroy_later.
  virtual void connection_ended() = 0;

 protected:
  ~ClientConnectionOwner() = default;
};

class ClientConnection final : public DrivenConnection<ClientConnection> {
 public:
  ClientConnection(std::shared_ptr<ClientCore> core, std::shared_ptr<Handler> handler,
                   ClientConnectionOwner& owner, Opened opened);

  /// Calls Handler::open and takes the bytes that came behind the head.
  void begin();
  /// Ends without a call to anybody.
  void forsake();

  // Connection
  [[nodiscard]] ConnectionId id() const noexcept override { return id_; }
  [[nodiscard]] const OpenRequest* request() const noexcept override { return nullptr; }
  Result<> accept(const Accept& how) override;
  void refuse(int status, std::span<const http::Field> headers, std::string_view body) override;
  void answer_later(Duration timeout) override;
  void abort() override;
  void join(std::string_view channel) override;
  void leave(std::string_view channel) override;
  void publish(std::string_view channel, const Message& message, bool except_self) override;
  [[nodiscard]] std::string_view protocol() const noexcept override { return protocol_; }
  [[nodiscard]] std::string peer_host() const override { return transport().peer_address().host(); }

 private:
  friend class DrivenConnection<ClientConnection>;

  // DrivenConnection
  [[nodiscard]] ws::Connection& machine() noexcept { return machine_; }
  [[nodiscard]] const ws::Connection& machine() const noexcept { return machine_; }
  [[nodiscard]] Handler& handler() const noexcept { return *handler_; }
  [[nodiscard]] std::size_t send_queue_bytes() const noexcept { return core_->options.send_queue_bytes; }
  [[nodiscard]] static bool is_accepted() noexcept { return true; }
  [[nodiscard]] static bool ensure_accepted() noexcept { return true; }
  static void note_traffic() noexcept {}
  static void handle_closing(const CloseInfo&) noexcept {}
  void end_life();

  std::shared_ptr<ClientCore> core_;
  std::shared_ptr<Handler> handler_;
  ClientConnectionOwner* owner_;  ///< null once forsaken
  ConnectionId id_;
  std::string protocol_;
  Buffer rest_;
  ws::Connection machine_;
};

}  // namespace sinnet::endpoint
