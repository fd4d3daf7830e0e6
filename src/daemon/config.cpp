#include "daemon/config.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace sinnet::daemon {
namespace {

std::string_view next_word(std::string_view& text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

/// "127.0.0.1" of "127.0.0.1:80", "::1" of "[::1]:80".
std::string host_of(std::string_view address) {
  std::string_view host = address.substr(0, address.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return std::string(host);
}

Result<> check_address(std::string_view address) {
  const std::string shown = "\"" + std::string(address) + "\"";
  if (address.starts_with("unix:")) {
    if (address.size() == 5 || address == "unix:@")
      return fail(ErrorCode::InvalidArgument, shown + " names no socket");
    constexpr std::size_t path_bytes_max = 107;  // sun_path has 108 with the final zero (unix(7))
    if (address.size() - 5 <= path_bytes_max) return {};
    return fail(ErrorCode::InvalidArgument, shown + " is longer than the 107 bytes a socket path may have");
  }
  const std::size_t colon = address.rfind(':');
  const std::string_view port = colon == address.npos ? "" : address.substr(colon + 1);
  if (port.empty()) {
    return fail(ErrorCode::InvalidArgument,
                shown + " has no port; write \"127.0.0.1:8080\" or \"unix:/path\"");
  }
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc{} || end != port.data() + port.size() || port.size() > 5 || number > 65535) {
    return fail(ErrorCode::InvalidArgument, shown + " has a port that is not 0 to 65535");
  }
  const std::string host = host_of(address);
  const bool has_brackets = address.starts_with('[');
  in6_addr out{};
  if (inet_pton(AF_INET6, host.c_str(), &out) == 1) {
    if (has_brackets) return {};
    return fail(ErrorCode::InvalidArgument,
                shown + " is an IPv6 address without brackets; write \"[::1]:80\"");
  }
  if (!has_brackets && inet_pton(AF_INET, host.c_str(), &out) == 1) return {};
  return fail(ErrorCode::InvalidArgument,
              shown + " is not a numeric address; write \"127.0.0.1:8080\" or \"[::1]:8080\"");
}

}  // namespace

bool ListenAddress::is_public() const noexcept {
  if (is_unix()) return false;
  const std::string host = host_of(address);
  return !(host.starts_with("127.") || host == "::1" || host.starts_with("::ffff:127."));
}

std::string ListenAddress::to_string() const {
  std::string text = address;
  if (tls) text += " tls";
  if (proxy) text += " proxy";
  return text;
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const bool is_plain =
      std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (!is_plain) return fail(ErrorCode::InvalidArgument, "the address holds a control character");
  ListenAddress result;
  result.address = next_word(text);
  if (result.address.empty()) return fail(ErrorCode::InvalidArgument, "the address is empty");
  if (auto checked = check_address(result.address); !checked) return std::unexpected(checked.error());
  for (std::string_view word = next_word(text); !word.empty(); word = next_word(text)) {
    bool* flag = word == "tls" ? &result.tls : word == "proxy" ? &result.proxy : nullptr;
    if (flag == nullptr) {
      return fail(ErrorCode::InvalidArgument,
                  "\"" + std::string(word) + "\" cannot follow an address; the words are tls and proxy");
    }
    if (*flag) return fail(ErrorCode::InvalidArgument, "\"" + std::string(word) + "\" is written twice");
    *flag = true;
  }
  return result;
}

const HandlerConfig* Config::handler(std::string_view name) const noexcept {
  const auto found = std::ranges::find(handlers, name, &HandlerConfig::name);
  return found == handlers.end() ? nullptr : &*found;
}

}  // namespace sinnet::daemon
