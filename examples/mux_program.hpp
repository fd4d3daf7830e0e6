#pragma once
/// What mux_echo and mux_client have in common: their flags, and the carriers that a URL can name. It knows
/// nothing of what is sent over the streams.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sinnet/endpoint/client.hpp"
#include "sinnet/endpoint/mux.hpp"
#include "sinnet/endpoint/server.hpp"
#include "sinnet/io/connector.hpp"
#include "sinnet/io/listener.hpp"
#include "sinnet/io/signals.hpp"
#include "sinnet/mux/dialects.hpp"

namespace sinnet::example {

struct Flags {
  const mux::NamedDialect* dialect = nullptr;
  std::string url{};
  mux::Role role = mux::Role::Server;
  std::string certificate_file{};
  std::string key_file{};
  std::string ca_file{};
  bool insecure = false;
  std::uint64_t peer_window = 0;
  std::uint32_t streams = 50;
  std::uint64_t bytes = 1024 * 1024;
};

/// Reads the command line; on an error says so, with the usage, and exits with 2. `role` is the default, and
/// only a client knows --streams and --bytes.
[[nodiscard]] Flags parse_flags(int argc, char** argv, mux::Role role, bool is_client_program);

/// FNV-1a, 64 bits: not against anybody, only against mistakes. The Go programs have it too.
class Checksum {
 public:
  void add(Bytes bytes) noexcept {
    for (const std::byte byte : bytes) value_ = (value_ ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3;
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325;
};

/// Listens or connects as the URL and the role say, runs sessions, and returns when stop() was called,
/// SIGTERM or SIGINT came, or nothing is left to do. Sessions of ws and wss servers run on the server's own
/// thread.
class Carriers final : private io::AcceptHandler {
 public:
  Carriers(Flags flags, std::shared_ptr<endpoint::MuxHandler> handler);
  ~Carriers();

  /// False: could not listen or connect; a line on stderr says why.
  [[nodiscard]] bool run();
  /// From any thread.
  void stop() noexcept { loop_->stop(); }

 private:
  struct Place;  // what a URL says
  [[nodiscard]] bool begin(const Place& place);
  [[nodiscard]] bool listen(const Place& place);
  [[nodiscard]] bool serve(const Place& place);
  void dial(const Place& place);
  [[nodiscard]] bool open_websocket(const Place& place);
  void handle_accept(int fd, const io::SocketAddress& peer) override;
  void give_up(std::string_view what, const Error& error);

  Flags flags_;
  endpoint::MuxOptions options_;
  std::shared_ptr<endpoint::MuxHandler> handler_;
  std::unique_ptr<io::Loop> loop_;
  std::unique_ptr<io::SignalWatcher> signals_;
  std::shared_ptr<io::TlsServerContext> tls_server_;
  std::unique_ptr<io::TlsClientContext> tls_client_;
  std::unique_ptr<endpoint::MuxCarrier> carrier_;
  std::unique_ptr<io::Listener> listener_;
  std::unique_ptr<io::Resolver> resolver_;
  std::unique_ptr<io::Pending> connecting_;
  std::unique_ptr<endpoint::Server> server_;
  std::unique_ptr<endpoint::Client> client_;
  std::unique_ptr<endpoint::ClientSession> client_session_;
  bool failed_ = false;
};

}  // namespace sinnet::example
