/// See proxy_protocol.hpp.
#include "endpoint/proxy_protocol.hpp"

#include <algorithm>
#include <cstring>

#include "endpoint/cidr.hpp"

namespace sinnet::endpoint {
namespace {

constexpr std::string_view v1_prefix = "PROXY ";
// Section 2.2: no text protocol's first bytes, and not valid in UTF-8 text lines either.
constexpr std::string_view v2_signature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t v2_fixed_bytes = 16;

constexpr std::uint8_t command_local = 0x20;
constexpr std::uint8_t command_proxy = 0x21;
constexpr std::uint8_t family_unspecified = 0x00;
constexpr std::uint8_t family_tcp4 = 0x11;
constexpr std::uint8_t family_tcp6 = 0x21;
constexpr std::uint8_t family_unix_stream = 0x31;

std::uint8_t octet(char c) noexcept { return static_cast<std::uint8_t>(c); }
std::uint16_t big_endian(const char* at) noexcept {
  return static_cast<std::uint16_t>(octet(at[0]) << 8 | octet(at[1]));
}

io::SocketAddress ipv4_at(const char* at, std::uint16_t port) {
  return io::SocketAddress::ipv4({octet(at[0]), octet(at[1]), octet(at[2]), octet(at[3])}, port);
}

// A mapped IPv4 address becomes IPv4, so that a client has one address whichever socket the balancer used.
io::SocketAddress ipv6_at(const char* at, std::uint16_t port) {
  IpAddress ip;
  std::memcpy(ip.octets.data(), at, ip.octets.size());
  return ip.with_port(port);
}

// The bytes of addresses of a family that may come over a stream; nothing for others.
std::optional<std::uint8_t> address_bytes(std::uint8_t family) noexcept {
  switch (family) {
    case family_unspecified: return 0;
    case family_tcp4: return 12;
    case family_tcp6: return 36;
    case family_unix_stream: return 216;
    default: return std::nullopt;
  }
}

// Takes the text up to the next blank; the blank goes too. Two blanks in a row give an empty word, which
// nothing accepts.
std::string_view take_word(std::string_view& rest) noexcept {
  const std::string_view word = rest.substr(0, std::min(rest.find(' '), rest.size()));
  rest.remove_prefix(std::min(word.size() + 1, rest.size()));
  return word;
}

// Section 2.1: decimal, 0 to 65535, no leading zeros.
std::optional<std::uint16_t> parse_port(std::string_view text) noexcept {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint32_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint32_t>(c - '0');
  }
  if (value > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(value);
}

}  // namespace

std::string_view describe(ProxyFault fault) noexcept {
  switch (fault) {
    case ProxyFault::None: return "no fault";
    case ProxyFault::NoHeader: return "the connection does not begin with a PROXY header";
    case ProxyFault::BadLine: return "the PROXY line is malformed";
    case ProxyFault::LineTooLong: return "the PROXY line is longer than 107 bytes";
    case ProxyFault::BadVersion: return "the PROXY header has an unknown version or command";
    case ProxyFault::BadFamily: return "the PROXY header names no stream address family";
    case ProxyFault::TooShort: return "the PROXY header is shorter than its addresses";
    case ProxyFault::TooLong: return "the PROXY header is longer than 4096 bytes";
    case ProxyFault::EndOfInput: return "the connection ended inside the PROXY header";
  }
  return "";
}

void ProxyParser::fail(ProxyFault fault) noexcept {
  state_ = State::Failed;
  fault_ = fault;
}

void ProxyParser::receive_eof() noexcept {
  if (state_ != State::Done && state_ != State::Failed) fail(ProxyFault::EndOfInput);
}

std::size_t ProxyParser::receive(Bytes input) {
  std::size_t taken = 0;
  while (taken < input.size() && state_ != State::Done && state_ != State::Failed) {
    const char c = static_cast<char>(input[taken]);
    switch (state_) {
      case State::Start:
        if (c == v2_signature.front()) {
          state_ = State::Binary;
          wanted_ = v2_fixed_bytes;
        } else if (c == v1_prefix.front()) {
          state_ = State::Line;
        } else {
          fail(ProxyFault::NoHeader);
        }
        break;
      case State::Line:
        take_line_byte(c);
        ++taken;
        break;
      default: taken += take_binary(input.subspan(taken)); break;
    }
  }
  return taken;
}

void ProxyParser::take_line_byte(char c) {
  if (kept_ < v1_prefix.size() && c != v1_prefix[kept_]) return fail(ProxyFault::NoHeader);
  const bool is_behind_cr = kept_ > 0 && buffer_[kept_ - 1U] == '\r';
  if (is_behind_cr != (c == '\n')) return fail(ProxyFault::BadLine);
  buffer_[kept_++] = c;
  if (c == '\n') return finish_line();
  if (kept_ == proxy_v1_bytes_max) fail(ProxyFault::LineTooLong);
}

void ProxyParser::finish_line() {
  std::string_view rest(buffer_.data(), kept_ - 2U);  // without CR LF
  rest.remove_prefix(v1_prefix.size());
  const bool is_last_word = rest.find(' ') == std::string_view::npos;
  const std::string_view protocol = take_word(rest);
  if (protocol == "UNKNOWN") {  // section 2.1: the rest of the line is to be ignored
    state_ = State::Done;
    return;
  }
  const bool is_v4 = protocol == "TCP4";
  if ((!is_v4 && protocol != "TCP6") || is_last_word || rest.ends_with(' ')) return fail(ProxyFault::BadLine);
  const std::string_view source_text = take_word(rest);
  const std::string_view destination_text = take_word(rest);
  const auto source = parse_ip(source_text);
  const auto destination = parse_ip(destination_text);
  const auto source_port = parse_port(take_word(rest));
  const auto destination_port = parse_port(take_word(rest));
  const auto fits = [&](std::string_view text) {
    return (text.find(':') == std::string_view::npos) == is_v4;
  };
  if (!source || !destination || !source_port || !destination_port || !rest.empty() || !fits(source_text) ||
      !fits(destination_text)) {
    return fail(ProxyFault::BadLine);
  }
  header_ = {source->with_port(*source_port), destination->with_port(*destination_port)};
  state_ = State::Done;
}

std::size_t ProxyParser::take_binary(Bytes input) {
  if (state_ == State::Skip) {
    const std::size_t count = std::min<std::size_t>(skip_bytes_, input.size());
    skip_bytes_ = static_cast<std::uint16_t>(skip_bytes_ - count);
    if (skip_bytes_ == 0) state_ = State::Done;
    return count;
  }
  const std::size_t count = std::min<std::size_t>(wanted_ - kept_, input.size());
  for (std::size_t i = 0; i < count; ++i) {
    const char c = static_cast<char>(input[i]);
    if (kept_ < v2_signature.size() && c != v2_signature[kept_]) {
      fail(ProxyFault::NoHeader);
      return i;
    }
    buffer_[kept_++] = c;
  }
  if (kept_ == wanted_) state_ == State::Binary ? finish_binary() : finish_addresses();
  return count;
}

void ProxyParser::finish_binary() {
  const std::uint8_t command = octet(buffer_[12]);
  const std::uint8_t family = octet(buffer_[13]);
  const std::uint16_t length = big_endian(&buffer_[14]);
  if (command != command_local && command != command_proxy) return fail(ProxyFault::BadVersion);
  if (length > proxy_v2_length_max) return fail(ProxyFault::TooLong);
  // Section 2.2: for LOCAL the receiver discards the whole block, the family included.
  const auto addresses = command == command_local ? std::optional<std::uint8_t>(0) : address_bytes(family);
  if (!addresses) return fail(ProxyFault::BadFamily);
  if (length < *addresses) return fail(ProxyFault::TooShort);
  skip_bytes_ = static_cast<std::uint16_t>(length - *addresses);
  wanted_ = static_cast<std::uint8_t>(v2_fixed_bytes + *addresses);
  state_ = State::Addresses;
  if (*addresses == 0) finish_addresses();
}

void ProxyParser::finish_addresses() {
  const char* at = buffer_.data() + v2_fixed_bytes;
  if (wanted_ == v2_fixed_bytes + 12) {
    header_ = {ipv4_at(at, big_endian(at + 8)), ipv4_at(at + 4, big_endian(at + 10))};
  } else if (wanted_ == v2_fixed_bytes + 36) {
    header_ = {ipv6_at(at, big_endian(at + 32)), ipv6_at(at + 16, big_endian(at + 34))};
  }
  state_ = skip_bytes_ == 0 ? State::Done : State::Skip;
}

}  // namespace sinnet::endpoint
