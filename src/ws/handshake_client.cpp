/// The client's side of RFC 6455 4.1: writes the handshake and judges the answer. Never opens a connection.

#include <algorithm>
#include <array>

#include "base/base64.hpp"
#include "sinnet/ws/handshake.hpp"
#include "ws/handshake_extensions.hpp"
#include "ws/handshake_parts.hpp"

namespace sinnet::ws {
namespace {

using Kind = AcceptError::Kind;

/// What is wrong with the options; empty when nothing is.
std::string_view complaint_about(const UpgradeOptions& options) noexcept {
  if (!http::is_host(options.host)) return "the host is malformed";
  // RFC 9112 3.2.1: origin-form.
  if (!options.target.starts_with('/')) return "the target does not start with a slash";
  if (options.protocols.size() > protocols_max) return "there are too many subprotocols";
  for (auto protocol = options.protocols.begin(); protocol != options.protocols.end(); ++protocol) {
    if (!http::is_token(*protocol)) return "a subprotocol is not a token";
    if (std::find(options.protocols.begin(), protocol, *protocol) != protocol)
      return "a subprotocol occurs twice";
  }
  if (options.deflate.enabled && (options.deflate.window_bits < 9 || options.deflate.window_bits > 15)) {
    return "window bits are not 9–15";
  }
  for (const auto& [name, value] : options.headers) {
    if (is_handshake_header(name) || http::equals_case_blind(name, "host") ||
        http::equals_case_blind(name, "origin")) {
      return "that header belongs to the opening handshake";
    }
  }
  return {};
}

std::string join(const std::vector<std::string>& protocols) {
  std::string out;
  for (const std::string& protocol : protocols) {
    if (!out.empty()) out += ", ";
    out += protocol;
  }
  return out;
}

/// RFC 7692 7.1: the answer must fit what write_deflate_offer wrote for these options. nullopt when it does
/// not.
std::optional<DeflateParameters> check_deflate(const DeflateElement& answer,
                                               const DeflateOptions& options) noexcept {
  // 7.1.1.1: what we asked for is accepted by naming it.
  if (!options.context_takeover && !answer.server_no_context_takeover) return std::nullopt;
  // 7.1.2.1: no more than we asked for, and named if we asked.
  const std::uint8_t server_bits = answer.server_max_window_bits.value_or(15);
  if (server_bits > options.window_bits) return std::nullopt;
  // 7.1.2.2: an answer has a value; zlib cannot compress with a window of 8 bits.
  const std::uint8_t client_bits = answer.client_max_window_bits.value_or(options.window_bits);
  if (answer.has_client_max_window_bits && !answer.client_max_window_bits.has_value()) return std::nullopt;
  if (client_bits < 9 || client_bits > options.window_bits) return std::nullopt;
  return DeflateParameters{
      .server_no_context_takeover = answer.server_no_context_takeover,
      // 7.1.1.2: a client may always do without.
      .client_no_context_takeover = answer.client_no_context_takeover || !options.context_takeover,
      .server_max_window_bits =
          std::max<std::uint8_t>(server_bits, 9),  // inflating, a larger window reads an 8-bit one
      .client_max_window_bits = client_bits};
}

}  // namespace

Result<UpgradeAttempt> write_upgrade_request(const UpgradeOptions& options, Random& random) {
  if (const std::string_view complaint = complaint_about(options); !complaint.empty()) {
    return fail(ErrorCode::InvalidArgument, std::string{complaint});
  }
  std::array<std::byte, nonce_bytes> nonce;
  random.fill(nonce);
  UpgradeAttempt attempt{.head = {}, .key = base64_encode(nonce)};

  const std::string protocols = join(options.protocols);
  const std::string offer = options.deflate.enabled ? write_deflate_offer(options.deflate) : std::string{};
  std::vector<http::Field> fields{{.name = "Host", .value = options.host},
                                  {.name = "Upgrade", .value = "websocket"},
                                  {.name = "Connection", .value = "Upgrade"},
                                  {.name = "Sec-WebSocket-Key", .value = attempt.key},
                                  {.name = "Sec-WebSocket-Version", .value = protocol_version}};
  if (!options.origin.empty()) fields.push_back({.name = "Origin", .value = options.origin});
  if (!protocols.empty()) fields.push_back({.name = "Sec-WebSocket-Protocol", .value = protocols});
  if (!offer.empty()) fields.push_back({.name = "Sec-WebSocket-Extensions", .value = offer});
  for (const auto& [name, value] : options.headers) fields.push_back({.name = name, .value = value});

  const http::RequestLine line{.method = "GET", .target = options.target};
  if (auto written = http::write_head(attempt.head, line, fields); !written) {
    return std::unexpected(std::move(written.error()));
  }
  return attempt;
}

std::expected<Agreement, AcceptError> check_accept_response(const http::ResponseHead& head,
                                                            const UpgradeOptions& options,
                                                            std::string_view key) {
  const http::Headers& headers = head.headers();
  const auto refuse = [&](Kind kind, std::string_view reason) {
    return std::unexpected(AcceptError{.kind = kind, .status = head.status(), .reason = reason});
  };
  if (head.status() != 101 || head.version_minor() < 1) {
    return refuse(Kind::Status, "the server did not switch protocols (RFC 6455 4.1 1)");
  }
  const auto upgrade = headers.find_only("upgrade");
  if (!upgrade.has_value() || !http::equals_case_blind(*upgrade, "websocket")) {
    return refuse(Kind::Upgrade, "Upgrade is not websocket (RFC 6455 4.1 2)");
  }
  if (!headers.has_token("connection", "upgrade")) {
    return refuse(Kind::Connection, "Connection does not list upgrade (RFC 6455 4.1 3)");
  }
  if (headers.find_only("sec-websocket-accept") != std::string_view{accept_token(key)}) {
    return refuse(Kind::Accept, "Sec-WebSocket-Accept does not answer our key (RFC 6455 4.1 4)");
  }
  if (headers.count("transfer-encoding") > 0 || headers.find("content-length").value_or("0") != "0") {
    return refuse(Kind::Body, "a 101 has no body (RFC 9110 8.6)");
  }

  Agreement agreement;
  if (const std::size_t fields = headers.count("sec-websocket-extensions"); fields > 0) {
    ExtensionList list;
    read_extensions(*headers.find("sec-websocket-extensions"), list);
    if (fields > 1 || list.is_malformed || list.has_unknown || list.deflate.size() != 1 ||
        !options.deflate.enabled) {
      return refuse(Kind::Extensions, "the extensions are not those we offered (RFC 6455 4.1 5)");
    }
    if (list.deflate.front().is_sound)
      agreement.deflate = check_deflate(list.deflate.front(), options.deflate);
    if (!agreement.deflate.has_value()) {
      return refuse(Kind::Extensions, "the deflate parameters do not fit our offer (RFC 7692 7.1)");
    }
  }
  if (headers.count("sec-websocket-protocol") > 0) {
    const auto protocol = headers.find_only("sec-websocket-protocol");
    if (!protocol.has_value() || std::ranges::find(options.protocols, *protocol) == options.protocols.end()) {
      return refuse(Kind::Protocol, "the subprotocol is not one we offered (RFC 6455 4.1 6)");
    }
    agreement.protocol = *protocol;
  }
  return agreement;
}

}  // namespace sinnet::ws
