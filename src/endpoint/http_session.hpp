#pragma once
/// HttpSession: the HTTP/1.1 phase of a connection: plain requests answered, and the request that becomes a
/// WebSocket found, judged by policy and handed on. It knows routes; it never reads a WebSocket frame.

#include <memory>
#include <string>

#include "endpoint/admission.hpp"
#include "endpoint/forwarded.hpp"
#include "endpoint/router.hpp"
#include "endpoint/static_files.hpp"
#include "sinnet/http/server_connection.hpp"
#include "sinnet/io/driver.hpp"
#include "sinnet/ws/handshake.hpp"

namespace sinnet::endpoint {

class Shard;
struct Arrival;

class HttpSession final : public io::Driver<HttpSession> {
 public:
  HttpSession(Shard& shard, Arrival arrival);
  ~HttpSession() override;

  void begin() { start({}); }
  /// Writes a whole response and closes.
  void begin_refusal(std::string_view response);
  /// The server goes away: ends when what is under way is answered.
  void drain();
  void abort() { abandon(io::CloseMode::Reset); }

 private:
  friend class io::Driver<HttpSession>;
  struct Request;

  // Driver
  [[nodiscard]] http::ServerConnection& machine() noexcept { return machine_; }
  [[nodiscard]] std::size_t reply_bytes_max() const noexcept;
  [[nodiscard]] bool handle_event(const http::ServerEvent& event);
  void handle_finished();

  void handle_request(Bytes body);
  void handle_upgrade(const Request& request);
  void handle_plain(const Request& request, Bytes body);
  void answer_files(const Request& request, const Route& route);
  void answer_responder(const Request& request, const RouteMatch& match, Bytes body);
  void continue_file();
  void refuse(int status, std::string_view reason, std::span<const http::Field> headers = {});
  void refuse_handshake(const ws::Refusal& refusal);
  void log_exchange(int status, std::string_view reason);
  [[nodiscard]] bool take_address_ticket(const ClientView& client);

  Shard* shard_;
  http::ServerConnection machine_;
  std::unique_ptr<FileBody> file_;
  std::string forwarded_host_;
  std::unique_ptr<const io::SocketAddress> proxied_peer_;  ///< by a PROXY header
  AddressTicket address_ticket_;
  AddressTicket handshake_ticket_;
  TotalTicket total_ticket_;
};

}  // namespace sinnet::endpoint
