#pragma once
/// Server: WebSocket handlers, files and plain HTTP routes behind any number of listeners, on one loop per
/// shard. It reads no configuration file and handles no signal; the daemon does.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sinnet/base/error.hpp"
#include "sinnet/endpoint/handler.hpp"
#include "sinnet/http/query.hpp"
#include "sinnet/http/server_connection.hpp"
#include "sinnet/io/listener.hpp"
#include "sinnet/io/loop.hpp"
#include "sinnet/ws/connection.hpp"

namespace sinnet::io {
class TlsServerContext;
}

namespace sinnet::endpoint {

struct ServerCore;

struct ServerLimits {
  std::size_t connections = 200'000;
  std::size_t connections_per_ip =
      1000;  ///< by the client's address; one a trusted proxy does not name is not counted
  std::size_t handshakes_per_ip = 100;                   ///< not yet answered with a 101 or a response
  Duration handshake_timeout = std::chrono::seconds(5);  ///< PROXY line, TLS and head together
  Duration open_timeout =
      std::chrono::seconds(10);  ///< the longest a handler may take to answer (Connection::answer_later)
  std::size_t send_queue_bytes = 1024 * 1024;  ///< what may wait behind the message being written
};

struct ServerSecurity {
  std::vector<std::string> allowed_origins;  ///< see endpoint/origin: empty = the request's own origin
  bool require_origin = false;
  std::vector<std::string> names;  ///< the server's own; a Host that is none of them is 421. Empty: any
  std::vector<std::string> trusted_proxies;  ///< "127.0.0.1", "10.0.0.0/8", "unix"
};

/// One HTTP exchange that was answered, for an access log. Views live until the call returns.
struct AccessRecord {
  std::string_view peer_host;
  std::string_view method;
  std::string_view target;
  int status = 0;
  std::string_view reason;  ///< why it was refused; empty otherwise
};

/// A WebSocket that is over. Views live until the call returns.
struct WebSocketRecord {
  ConnectionId id{};
  std::string_view peer_host;
  std::string_view protocol;  ///< the subprotocol agreed on; empty for none
  const CloseInfo& close;
  // Only for who wants_totals():
  std::string_view target{};         ///< of the request, as sent
  std::uint64_t received_bytes = 0;  ///< payload of messages, uncompressed
  std::uint64_t sent_bytes = 0;      ///< likewise; some may not have reached the client
  Duration lasted{};                 ///< since the 101
};

/// Is told what happens, for logs. Calls come from every shard's thread.
class ServerObserver {
 public:
  virtual ~ServerObserver() = default;
  /// Whether websocket_closed() gets totals: some 200 bytes more for each connection. Must not change.
  [[nodiscard]] virtual bool wants_totals() const noexcept { return false; }
  virtual void exchange_ended(const AccessRecord& record) { static_cast<void>(record); }
  virtual void websocket_closed(const WebSocketRecord& record) { static_cast<void>(record); }
  /// A listener could not accept, TLS failed, a PROXY line was bad.
  virtual void connection_troubled(std::string_view peer_host, std::string_view what) {
    static_cast<void>(peer_host);
    static_cast<void>(what);
  }
};

struct ServerOptions {
  unsigned shards = 1;  ///< loops, each on a thread of its own; 0 = one for each core
  ServerLimits limits;
  ServerSecurity security;
  ws::Options websocket;  ///< the defaults of all routes. `deflate.enabled`: accept a client's offer
  http::ServerOptions http;
  io::LoopOptions loop;
  std::shared_ptr<ServerObserver> observer;
};

struct ListenerOptions {
  std::shared_ptr<io::TlsServerContext> tls;  ///< null: none
  bool proxy_protocol = false;                ///< every connection begins with a PROXY header, v1 or v2
  io::ListenOptions socket;
};

struct RouteOptions {
  std::string host;  ///< "chat.example.com", "*.example.com"; empty: any
  std::vector<std::string>
      protocols;  ///< subprotocols; a client that offers none of them gets 400. Empty: none is agreed on
};

/// A plain request to a route of our own.
struct HttpRequest {
  const http::RequestHead& head;
  std::string_view path;   ///< decoded once and normalised
  std::string_view query;  ///< as sent
  std::span<const std::pair<std::string, std::string>> parameters;
  Bytes body;
  std::string_view peer_host;
};

struct HttpResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
};
using HttpResponder = std::function<HttpResponse(const HttpRequest&)>;

struct FilesOptions {
  std::string index = "index.html";  ///< served for a directory
};

/// Totals since the start, gathered from all shards.
struct ServerStatistics {
  std::size_t connections = 0;  ///< WebSockets open now
  std::vector<std::size_t> connections_per_shard;
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;               ///< for a limit
  std::uint64_t publications_dropped = 0;  ///< another shard's mailbox was full
  ws::Statistics websocket;
};

/// Thread rule: configure (route, files, get, listen) before start(); everything else from any thread.
class Server {
 public:
  explicit Server(ServerOptions options = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Hands the WebSockets of a path to a handler. "/x" is exact, "{name}" one segment, "/dir/*" a prefix; the
  /// most specific pattern wins, with a host before without. InvalidArgument for a pattern that cannot be
  /// read.
  Result<> route(std::string_view pattern, std::shared_ptr<Handler> handler, RouteOptions options = {});
  Result<> route(std::string_view pattern, Callbacks callbacks, RouteOptions options = {}) {
    return route(pattern, make_handler(std::move(callbacks)), std::move(options));
  }
  /// Answers plain requests of any method on a path. Called on the shards' threads; must not block.
  Result<> respond(std::string_view pattern, HttpResponder responder, const RouteOptions& options = {});
  /// Serves the files below a directory for GET and HEAD. With a pattern that is exact, its index.
  Result<> files(std::string_view pattern, std::string directory, FilesOptions files = {},
                 const RouteOptions& options = {});

  /// Binds now ("127.0.0.1:8080", "[::1]:0", "unix:/run/x.sock") and accepts from start() on. Answers the
  /// address bound.
  Result<io::SocketAddress> listen(std::string_view address, ListenerOptions options = {});
  /// The same for a descriptor that listens already.
  Result<io::SocketAddress> adopt(int listening_fd, ListenerOptions options = {});

  /// Starts the shards' threads.
  Result<> start();
  /// As start(), with the first shard on the calling thread; returns when stop() or drain() is complete. With
  /// one shard the server has no other thread, which makes each of its system calls a little cheaper.
  Result<> run();
  /// Stops accepting, closes WebSockets with 1001 and other connections when they are idle, and stops when
  /// all are gone or the time is up. A second call with less time shortens it. `done`, if given with the
  /// first call, runs on a shard's thread once every shard has stopped.
  void drain(Duration timeout, std::move_only_function<void()> done = nullptr);
  /// Ends everything now. Waits for the threads, unless called on one of them.
  void stop();
  void wait();

  /// Runs `work` with the connection on its thread, if it still lives. False: there is no room for the
  /// request.
  bool post(ConnectionId id, std::move_only_function<void(Connection&)> work);
  /// To all who joined the channel, on all shards, in one order for everybody. False: there is no room for
  /// the request.
  bool publish(std::string_view channel, ws::MessageKind kind, Bytes payload);
  [[nodiscard]] ServerStatistics statistics() const;

 private:
  std::shared_ptr<ServerCore> core_;
};

}  // namespace sinnet::endpoint

namespace sinnet {
using endpoint::Connection;
using endpoint::Message;
using endpoint::Server;
}  // namespace sinnet
