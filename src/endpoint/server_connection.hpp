#pragma once
/// ServerConnection: one WebSocket of a server: its machine on its transport, its opening, its channels. It
/// applies the limits of a connection and calls the handler; it parses nothing.

#include <memory>
#include <string>
#include <vector>

#include "endpoint/admission.hpp"
#include "endpoint/channels.hpp"
#include "endpoint/router.hpp"
#include "sinnet/endpoint/handler.hpp"
#include "sinnet/io/driver.hpp"
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

/// Alive from the opening until handle_finished; then destroyed at the end of the turn.
class ServerConnection final : public Connection, public io::Driver<ServerConnection> {
 public:
  ServerConnection(Shard& shard, ConnectionId id, std::unique_ptr<io::Transport> transport,
                   OpeningRequest request);
  ~ServerConnection() override;

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
  [[nodiscard]] io::Loop& loop() const noexcept override { return Driver::loop(); }
  [[nodiscard]] const OpenRequest* request() const noexcept override;
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
  [[nodiscard]] std::string peer_host() const override;
  [[nodiscard]] const io::TlsInfo* tls() const noexcept override { return transport().tls(); }
  [[nodiscard]] bool uses_compression() const noexcept override { return machine_.uses_compression(); }

 private:
  friend class io::Driver<ServerConnection>;
  struct Opening;
  struct Rare;

  // Driver
  [[nodiscard]] ws::Connection& machine() noexcept { return machine_; }
  [[nodiscard]] std::size_t reply_bytes_max() const noexcept;
  [[nodiscard]] bool handle_event(const ws::Event& event);
  void handle_slot_end();
  void handle_finished();

  [[nodiscard]] bool is_opening() const noexcept;
  [[nodiscard]] bool ensure_accepted();
  void handle_open_timeout();
  void carry_out_answer();
  void tell_closed(const CloseInfo& info);
  ws::SendResult after_send(ws::SendResult result);
  void end_life();

  Shard* shard_;
  const Route* route_;
  ConnectionId id_;
  std::unique_ptr<Opening> opening_;  ///< until the answer to the opening is on its way
  std::unique_ptr<Rare> rare_;        ///< what few connections have
  std::string_view protocol_;         ///< in the route or in rare_
  AddressTicket address_ticket_;
  TotalTicket total_ticket_;
  bool is_accepted_ : 1 = false;
  bool told_closed_ : 1 = false;
  ws::Connection machine_;
};

}  // namespace sinnet::endpoint
