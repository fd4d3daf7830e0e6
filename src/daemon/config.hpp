#pragma once
/// What the configuration says, as plain values. This file never parses: config_load.hpp makes a Config, and
/// config_schema.cpp is the one table that ties each field to its key, default, range and documentation.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sinnet/base/error.hpp"
#include "sinnet/base/time.hpp"

namespace sinnet::daemon {

/// One entry of server.listen: an address and what is spoken on it.
struct ListenAddress {
  std::string address;  ///< what io::SocketAddress::parse takes: "127.0.0.1:80", "[::1]:80", "unix:/path"
  bool tls = false;     ///< the suffix word `tls`
  bool proxy = false;   ///< the suffix word `proxy`: a PROXY protocol line comes first

  [[nodiscard]] bool is_unix() const noexcept { return address.starts_with("unix:"); }
  /// True if other machines can reach it. A Unix socket is local.
  [[nodiscard]] bool is_public() const noexcept;
  /// What parse_listen_address() takes.
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

/// "127.0.0.1:8080", "[::1]:80", "unix:/path", "unix:@name", each with the words ` tls` and ` proxy` behind
/// it. Port 0 asks the kernel for one. Numeric addresses only: which address a name means is not the
/// configuration's to guess.
[[nodiscard]] Result<ListenAddress> parse_listen_address(std::string_view text);

struct TlsConfig {
  std::string cert;       ///< absolute path of a PEM chain; empty: no TLS
  std::string key;        ///< absolute path
  std::string client_ca;  ///< absolute path; set: clients must show a certificate signed by it

  friend bool operator==(const TlsConfig&, const TlsConfig&) = default;
};

struct ServerConfig {
  std::vector<ListenAddress> listen;
  std::string name;                          ///< the server's own name; empty: it has none
  std::uint64_t shards = 0;                  ///< loops, each with its thread; 0: one per core ("auto")
  std::vector<std::string> trusted_proxies;  ///< numeric addresses, CIDR ranges or "unix"
  std::string user;                          ///< empty: stay who we are
  Duration drain{};                          ///< how long SIGTERM waits for busy connections
  TlsConfig tls;

  friend bool operator==(const ServerConfig&, const ServerConfig&) = default;
};

/// What to do with a message from others when a connection's queue is full.
enum class SlowConsumer : std::uint8_t { Close };

struct LimitsConfig {
  std::uint64_t connections = 0;
  std::uint64_t connections_per_ip = 0;
  std::uint64_t handshakes_per_ip = 0;
  std::uint64_t message_bytes_max = 0;
  Duration handshake_timeout{};
  std::uint64_t send_queue_bytes_max = 0;
  SlowConsumer slow_consumer = SlowConsumer::Close;
  Duration ping_interval{};  ///< 0: no pings
  Duration pong_timeout{};

  friend bool operator==(const LimitsConfig&, const LimitsConfig&) = default;
};

struct CompressionConfig {
  bool enabled = false;
  bool context_takeover = false;
  std::uint64_t window_bits = 0;  ///< 9–15
  std::uint64_t threshold_bytes = 0;

  friend bool operator==(const CompressionConfig&, const CompressionConfig&) = default;
};

struct SecurityConfig {
  std::vector<std::string>
      allowed_origins;  ///< "https://host[:port]", "https://*.host" or "*"; empty: same origin only
  bool require_origin = false;

  friend bool operator==(const SecurityConfig&, const SecurityConfig&) = default;
};

/// How a path is matched. The most specific pattern wins: exact, then names, then the longest prefix.
///
///     "/x"        exact          "/a/{name}/b"   {name} is one segment, not empty
///     "/dir/*"    everything below /dir/; "/*" is every path
struct RouteConfig {
  std::string path;
  std::string host;  ///< empty: any; "chat.example.com" or "*.example.com", lower case
  std::vector<std::string> protocols;
  std::string handler;  ///< the name of an entry of Config::handlers

  friend bool operator==(const RouteConfig&, const RouteConfig&) = default;
};

enum class HandlerType : std::uint8_t { Echo, Broadcast, Static, Tcp };

/// One [handler.NAME]. Which of the fields mean something is decided by `type`.
struct HandlerConfig {
  std::string name;
  HandlerType type = HandlerType::Echo;
  std::string root;    ///< static: absolute path of the directory
  std::string index;   ///< static: the file served for a directory
  std::string target;  ///< tcp: "host:port", "[::1]:80" or "unix:/path"

  friend bool operator==(const HandlerConfig&, const HandlerConfig&) = default;
};

enum class LogFormat : std::uint8_t { Text, Json };
enum class LogLevel : std::uint8_t { Debug, Info, Warn, Error };

struct LogConfig {
  LogFormat format = LogFormat::Text;
  LogLevel level = LogLevel::Info;
  bool access = false;

  friend bool operator==(const LogConfig&, const LogConfig&) = default;
};

/// Everything the daemon is told. A default-constructed Config is empty; default_config() (config_load.hpp)
/// has the documented defaults. Copyable, no thread of its own: shards are handed a const one.
struct Config {
  ServerConfig server;
  LimitsConfig limits;
  CompressionConfig compression;
  SecurityConfig security;
  std::vector<RouteConfig> routes;      ///< in the order written: files, then flags
  std::vector<HandlerConfig> handlers;  ///< names are unique
  LogConfig log;

  /// Null if there is none. Lives as long as the Config is not changed.
  [[nodiscard]] const HandlerConfig* handler(std::string_view name) const noexcept;

  friend bool operator==(const Config&, const Config&) = default;
};

}  // namespace sinnet::daemon
