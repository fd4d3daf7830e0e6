/// See forwarded.hpp.
#include "endpoint/forwarded.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace sinnet::endpoint {
namespace {

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Takes the last entry off a comma-separated list.
std::string_view take_last(std::string_view& list) noexcept {
  const std::size_t comma = list.rfind(',');
  const std::string_view entry = list.substr(comma + 1);  // npos + 1 is 0: the only entry
  list = comma == std::string_view::npos ? std::string_view() : list.substr(0, comma);
  return trim(entry);
}

std::size_t count_entries(std::string_view list) noexcept {
  return list.empty() ? 0 : static_cast<std::size_t>(std::ranges::count(list, ',')) + 1;
}

// The entry with `behind` others to its right.
std::string_view entry_from_right(std::string_view list, std::size_t behind) noexcept {
  for (; behind > 0; --behind) static_cast<void>(take_last(list));
  return take_last(list);
}

std::optional<std::uint16_t> parse_port(std::string_view text) noexcept {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

struct Hop {
  IpAddress ip;
  std::uint16_t port = 0;
};

// "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80": what proxies write.
std::optional<Hop> parse_hop(std::string_view text) noexcept {
  if (const auto bare = parse_ip(text)) return Hop{*bare, 0};
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (host.find(':') == std::string_view::npos) return std::nullopt;
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    host = text.substr(0, colon);
    port = text.substr(colon);
  }
  const auto ip = parse_ip(host);
  if (!ip || (!port.empty() && port.front() != ':')) return std::nullopt;
  if (port.empty()) return Hop{*ip, 0};
  const auto number = parse_port(port.substr(1));
  return number ? std::optional(Hop{*ip, *number}) : std::nullopt;
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) noexcept {
  return std::ranges::equal(text, lower, {},
                            [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
}

}  // namespace

Result<TrustedProxies> TrustedProxies::parse(std::span<const std::string> entries) {
  TrustedProxies trusted;
  for (const std::string& entry : entries) {
    if (entry == "unix") {
      trusted.trusts_unix_ = true;
      continue;
    }
    auto block = Cidr::parse(entry);
    if (!block)
      return fail(ErrorCode::InvalidArgument, block.error().message + "; \"unix\" trusts Unix sockets");
    trusted.blocks_.push_back(*block);
  }
  return trusted;
}

bool TrustedProxies::trusts(const IpAddress& address) const noexcept {
  return std::ranges::any_of(blocks_, [&](const Cidr& block) { return block.contains(address); });
}

bool TrustedProxies::trusts(const io::SocketAddress& peer) const {
  if (peer.family() == io::AddressFamily::Unix) return trusts_unix_;
  const auto ip = ip_of(peer);
  return ip && trusts(*ip);
}

ClientView evaluate_forwarded(const ForwardedHeaders& headers, const io::SocketAddress& peer, bool is_secure,
                              const TrustedProxies& trusted) {
  ClientView client{
      .address = peer, .source = ClientSource::Peer, .is_secure = is_secure, .host = headers.host};
  if (!trusted.trusts(peer)) return client;

  client.source = ClientSource::Unnamed;
  std::size_t behind = 0;  // entries to the right of the client's
  for (std::string_view list = headers.forwarded_for; !list.empty();) {
    const auto hop = parse_hop(take_last(list));
    if (!hop) {
      // Nothing to the left of it can be vouched for; what the hop to its right is remains true, but that is
      // a proxy.
      client.source = ClientSource::Unnamed;
      break;
    }
    client.address = hop->ip.with_port(hop->port);
    client.source = ClientSource::Forwarded;
    if (list.empty() || !trusted.trusts(hop->ip)) break;
    ++behind;
  }

  const std::size_t hops = count_entries(headers.forwarded_for);
  const auto pick = [&](std::string_view list) {
    return entry_from_right(list, count_entries(list) == hops ? std::min(behind, hops - 1) : 0);
  };
  if (!headers.forwarded_proto.empty()) {
    const std::string_view proto = pick(headers.forwarded_proto);
    if (equals_ignoring_case(proto, "https") || equals_ignoring_case(proto, "wss")) client.is_secure = true;
    if (equals_ignoring_case(proto, "http") || equals_ignoring_case(proto, "ws")) client.is_secure = false;
  }
  if (!headers.forwarded_host.empty()) client.host = pick(headers.forwarded_host);
  return client;
}

}  // namespace sinnet::endpoint
