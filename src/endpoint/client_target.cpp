#include "endpoint/client_target.hpp"

#include "base/base64.hpp"
#include "sinnet/http/path.hpp"
#include "sinnet/http/url.hpp"

namespace sinnet::endpoint {
namespace {

constexpr std::string_view unix_scheme = "ws+unix:";

/// RFC 7617 2: "Basic " and base64(user ":" password).
Result<std::string> basic_credentials(const std::string& userinfo) {
  if (userinfo.empty()) return std::string{};
  std::optional<std::string> decoded = http::percent_decode(userinfo);
  if (!decoded) return fail(ErrorCode::InvalidArgument, "the URL's user and password cannot be decoded");
  if (decoded->find(':') == std::string::npos) *decoded += ':';
  return "Basic " + base64_encode(as_bytes(*decoded));
}

/// "ws+unix:/run/x.sock:/path", as the npm package ws spells it.
Result<ClientTarget> parse_unix(std::string_view rest) {
  ClientTarget target;
  const std::size_t cut = rest.rfind(":/");
  if (cut != rest.npos && cut > 0) target.target = rest.substr(cut + 1);
  const std::string path = "unix:" + std::string(rest.substr(0, cut == 0 ? rest.npos : cut));
  const Result<io::SocketAddress> address = io::SocketAddress::parse(path);
  if (!address) return std::unexpected(address.error());
  // The target has the grammar of any other URL's.
  const Result<http::Url> checked = http::parse_url("ws://localhost" + target.target);
  if (!checked) return std::unexpected(checked.error());
  target.target = checked->target;
  target.unix_address = *address;
  target.host = target.host_header = "localhost";
  target.authority = path;
  return target;
}

std::string authority_of(const http::Url& url) {
  const std::string host = url.is_ipv6 ? "[" + url.host + "]" : url.host;
  return host + ":" + std::to_string(url.port);
}

}  // namespace

Result<ClientTarget> parse_client_url(std::string_view text) {
  if (text.starts_with(unix_scheme)) return parse_unix(text.substr(unix_scheme.size()));
  const Result<http::Url> url = http::parse_url(text);
  if (!url) return std::unexpected(url.error());
  if (!url->is_websocket() && url->scheme != http::Scheme::Http && url->scheme != http::Scheme::Https) {
    return fail(ErrorCode::InvalidArgument, std::string(http::name_of(url->scheme)) +
                                                ": is no WebSocket URL; those begin with ws:// or wss://");
  }
  Result<std::string> credentials = basic_credentials(url->userinfo);
  if (!credentials) return std::unexpected(credentials.error());
  ClientTarget target;
  target.is_secure = url->is_secure();
  target.host = url->host;
  target.port = url->port;
  target.host_header = url->host_header();
  target.authority = authority_of(*url);
  target.target = url->target;
  target.authorization = std::move(*credentials);
  return target;
}

Result<ClientProxy> parse_client_proxy(std::string_view text) {
  const Result<http::Url> url = http::parse_url(text);
  if (!url) return fail(url.error().code, "proxy: " + url.error().message);
  if (url->scheme != http::Scheme::Http || url->target != "/") {
    return fail(ErrorCode::InvalidArgument, "proxy: only http://[user:password@]host:port is understood");
  }
  Result<std::string> credentials = basic_credentials(url->userinfo);
  if (!credentials) return std::unexpected(credentials.error());
  return ClientProxy{.host = url->host, .port = url->port, .authorization = std::move(*credentials)};
}

}  // namespace sinnet::endpoint
