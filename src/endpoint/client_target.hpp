#pragma once
/// Where a client's URL leads: the socket to open, the names to speak, the credentials it carries. Opens
/// nothing.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sinnet/base/error.hpp"
#include "sinnet/io/address.hpp"

namespace sinnet::endpoint {

struct ClientTarget {
  bool is_secure = false;
  std::string host;  ///< a name or a numeric address without brackets; "localhost" for a Unix socket
  std::uint16_t port = 0;
  std::optional<io::SocketAddress> unix_address;  ///< instead of host and port
  std::string host_header;
  std::string authority;      ///< "host:port", for CONNECT and for messages
  std::string target = "/";   ///< path and query
  std::string authorization;  ///< the value of Authorization; empty: the URL names no user
};

/// As Client::connect() describes.
[[nodiscard]] Result<ClientTarget> parse_client_url(std::string_view url);

struct ClientProxy {
  std::string host;
  std::uint16_t port = 0;
  std::string authorization;  ///< the value of Proxy-Authorization; may be empty
};

/// "http://[user:password@]host:port". The path must be empty or "/".
[[nodiscard]] Result<ClientProxy> parse_client_proxy(std::string_view url);

}  // namespace sinnet::endpoint
