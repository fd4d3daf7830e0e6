#pragma once
/// ServerConnection: one WebSocket of a server: its opening, its channels, its limits and its end. It
/// parses nothing.

#include <memory>
#include <new>
#include <string>
#include <vector>

#include "endpoint/admission.hpp"
#include "endpoint/channels.hpp"
#include "endpoint/driven_connection.hpp"
#include "endpoint/router.hpp"
#include "sinnet/endpoint/handler.hpp"
#include "sinnet/ws/connection.hpp"
#include "sinnet/ws/handshake.hpp"

namespace sinnet::endpoint {

class Shard;

/// What HttpSession found out about a client that wants a WebSocket.
struct OpeningRequest {
  http::RequestHead head;
  ws::UpgradeRequest upgrade;  ///< views of `head`
  std::string path;
  PathParameters parameters;
  const Route* route = nullptr;
  std::optional<ws::DeflateParameters> deflate;
  std::string
      forwarded_host;  ///< the client's address by a trusted proxy's word; empty: the transport's peer
  AddressTicket address_ticket;
  TotalTicket total_ticket;
  Buffer rest;  ///< bytes that came behind the head
};

/// Alive from the opening until its end; then destroyed at the end of the turn. Lives in the shard's
/// ConnectionTable. Its members are few and in this order for the ten thousand idle ones.
class ServerConnection final : public DrivenConnection<ServerConnection> {
 public:
  ServerConnection(Shard& shard, ConnectionId id, std::unique_ptr<io::Transport> transport,
                   OpeningRequest request);
  ~ServerConnection() override;
  /// Destroys it and gives its storage back to the table.
  static void operator delete(ServerConnection* connection, std::destroying_delete_t);

  /// Asks the handler. Destroys nothing: a refused connection ends at the turn's end.
  void begin();
  /// A message of somebody else. False when it is closing, or its queue is full (then it is closed as too
  /// slow).
  bool send_from_others(const ws::SharedFrame& frame);
  /// The server goes away.
  void drain();
  [[nodiscard]] std::vector<Channels::Membership>& memberships();

  // Connection
  [[nodiscard]] ConnectionId id() const noexcept override { return id_; }
  [[nodiscard]] const OpenRequest* request() const noexcept override;
  Result<> accept(const Accept& how) override;
  void refuse(int status, std::span<const http::Field> headers, std::string_view body) override;
  void answer_later(Duration timeout) override;
  void abort() override;
  void join(std::string_view channel) override;
  void leave(std::string_view channel) override;
  void publish(std::string_view channel, const Message& message, bool except_self) override;
  [[nodiscard]] std::string_view protocol() const noexcept override {
    return protocol_ == nullptr ? std::string_view() : *protocol_;
  }
  [[nodiscard]] std::string peer_host() const override;

 private:
  friend class DrivenConnection<ServerConnection>;
  struct Opening;
  struct Rare;

  // DrivenConnection
  [[nodiscard]] ws::Connection& machine() noexcept { return machine_; }
  [[nodiscard]] const ws::Connection& machine() const noexcept { return machine_; }
  [[nodiscard]] Handler& handler() const noexcept { return *route_->handler; }
  [[nodiscard]] std::size_t send_queue_bytes() const noexcept;
  [[nodiscard]] bool is_accepted() const noexcept { return is_accepted_; }
  [[nodiscard]] bool ensure_accepted();
  void note_traffic();
  void handle_closing(const CloseInfo& info);
  void end_life();

  [[nodiscard]] bool is_opening() const noexcept;
  [[nodiscard]] Rare& rare();
  [[nodiscard]] TotalTicket take_total_ticket() noexcept;
  void handle_open_timeout();
  void carry_out_answer();

  bool is_accepted_ : 1 = false;
  bool is_counted_ : 1 = true;  ///< it holds a TotalTicket of the shard's core
  Shard* shard_;
  const Route* route_;
  ConnectionId id_;
  std::unique_ptr<Opening> opening_;       ///< until the answer to the opening is on its way
  std::unique_ptr<Rare> rare_;             ///< what few connections have
  const std::string* protocol_ = nullptr;  ///< in the route or in rare_; null for none
  AddressTicket address_ticket_;
  ws::Connection machine_;
};

static_assert(sizeof(void*) != 8 || sizeof(ServerConnection) <= 264);

}  // namespace sinnet::endpoint
