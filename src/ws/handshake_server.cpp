/// The server's side of RFC 6455 4.2: reads the client's handshake, accepts or refuses it. Never decides who
/// may connect.

#include <algorithm>
#include <cassert>

#include "base/base64.hpp"
#include "base/sha1.hpp"
#include "http/head_chars.hpp"
#include "sinnet/ws/handshake.hpp"
#include "ws/handshake_extensions.hpp"
#include "ws/handshake_parts.hpp"

namespace sinnet::ws {
namespace {

constexpr http::Field allow_get[] = {{.name = "Allow", .value = "GET"}};
constexpr http::Field upgrade_to_websocket[] = {{.name = "Upgrade", .value = "websocket"},
                                                {.name = "Sec-WebSocket-Version", .value = protocol_version}};

std::unexpected<Refusal> refuse(int status, std::string_view reason,
                                std::span<const http::Field> headers = {}) {
  return std::unexpected(Refusal{.status = status, .headers = headers, .reason = reason});
}

/// Whether the text is base64 of 16 bytes. The four unused bits are not looked at: clients that make up 22
/// random characters exist, and nobody decodes the key.
bool is_key(std::string_view text) noexcept {
  constexpr std::size_t digits = 22;
  if (text.size() != digits + 2 || !text.ends_with("==")) return false;
  return std::ranges::all_of(text.substr(0, digits), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || http::is_digit(c) || c == '+' || c == '/';
  });
}

/// RFC 6455 4.1 10, 11.3.4: one or more tokens over any number of fields, no two the same.
bool read_protocols(const http::Headers& headers, std::vector<std::string_view>& protocols) {
  for (const http::Field field : headers.all("sec-websocket-protocol")) {
    std::string_view list = field.value;
    if (list.empty()) return false;
    while (!list.empty()) {
      const std::string_view protocol = http::cut_element(list);
      if (protocol.empty()) continue;
      if (!http::is_token(protocol) || protocols.size() == protocols_max) return false;
      if (std::ranges::find(protocols, protocol) != protocols.end()) return false;
      protocols.push_back(protocol);
    }
    if (protocols.empty()) return false;
  }
  return true;
}

bool read_offers(const http::Headers& headers, std::vector<DeflateOffer>& offers) {
  ExtensionList list;
  for (const http::Field field : headers.all("sec-websocket-extensions")) {
    read_extensions(field.value, list);
    if (list.is_malformed) return false;
  }
  for (const DeflateElement& element : list.deflate) {
    // RFC 7692 5.1: a server declines an offer with an unknown parameter, an invalid value or a parameter
    // twice.
    if (!element.is_sound) continue;
    offers.push_back({.server_no_context_takeover = element.server_no_context_takeover,
                      .client_no_context_takeover = element.client_no_context_takeover,
                      .server_max_window_bits = element.server_max_window_bits,
                      .client_window_bits_allowed = element.has_client_max_window_bits,
                      .client_max_window_bits = element.client_max_window_bits.value_or(15)});
  }
  return true;
}

}  // namespace

std::string accept_token(std::string_view key) {
  std::string salted{key};
  salted += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 1.3
  return base64_encode(sha1(as_bytes(salted)));
}

bool wants_upgrade(const http::RequestHead& head) noexcept {
  return head.headers().has_token("upgrade", "websocket") || head.headers().count("sec-websocket-key") > 0;
}

std::expected<UpgradeRequest, Refusal> parse_upgrade(const http::RequestHead& head) {
  const http::Headers& headers = head.headers();
  if (head.method() != "GET") return refuse(405, "a WebSocket is opened by GET", allow_get);
  if (!headers.has_token("upgrade", "websocket")) {
    return refuse(426, "this is a WebSocket; Upgrade is missing", upgrade_to_websocket);
  }
  // RFC 9110 7.8: Upgrade in an HTTP/1.0 request must be ignored.
  if (head.version_minor() < 1) return refuse(400, "a WebSocket wants HTTP/1.1");
  if (!headers.has_token("connection", "upgrade")) return refuse(400, "Connection does not list upgrade");

  const auto framing = http::body_framing(head);
  if (!framing.has_value()) return refuse(framing.error().status, framing.error().reason);
  const bool has_body = framing->kind != http::BodyFraming::Kind::None && framing->length_bytes > 0;
  if (has_body || framing->kind == http::BodyFraming::Kind::Chunked) {
    return refuse(400, "an upgrade request has no body");
  }

  // RFC 6455 4.2.2 and 4.4: any other version learns ours.
  if (headers.find_only("sec-websocket-version") != protocol_version) {
    return refuse(426, "only WebSocket version 13 is spoken here", upgrade_to_websocket);
  }
  const std::optional<std::string_view> key = headers.find_only("sec-websocket-key");
  if (!key.has_value() || !is_key(*key))
    return refuse(400, "Sec-WebSocket-Key is not one base64 of 16 bytes");

  UpgradeRequest request{.key = *key, .protocols = {}, .deflate_offers = {}};
  if (!read_protocols(headers, request.protocols)) return refuse(400, "Sec-WebSocket-Protocol is malformed");
  if (!read_offers(headers, request.deflate_offers))
    return refuse(400, "Sec-WebSocket-Extensions is malformed");
  return request;
}

std::optional<std::string_view> choose_protocol(std::span<const std::string_view> offered,
                                                std::span<const std::string_view> supported) noexcept {
  const auto chosen = std::ranges::find_first_of(offered, supported);
  return chosen == offered.end() ? std::nullopt : std::optional<std::string_view>{*chosen};
}

std::optional<DeflateParameters> negotiate_deflate(std::span<const DeflateOffer> offers,
                                                   const DeflateOptions& options) noexcept {
  assert(options.window_bits >= 9 && options.window_bits <= 15);
  if (!options.enabled) return std::nullopt;
  for (const DeflateOffer& offer : offers) {
    const std::uint8_t server_bits = std::min(offer.server_max_window_bits.value_or(15), options.window_bits);
    const std::uint8_t client_bits = std::min(offer.client_max_window_bits, options.window_bits);
    // zlib makes no raw window of 8 bits, and RFC 7692 7.1.2 lets no side answer more than was offered.
    if (server_bits < 9 || client_bits < 9) continue;
    // RFC 7692 7.1.2.2: without the client's word we may not limit its window.
    if (client_bits < 15 && !offer.client_window_bits_allowed) continue;
    return DeflateParameters{
        .server_no_context_takeover = offer.server_no_context_takeover || !options.context_takeover,
        .client_no_context_takeover = offer.client_no_context_takeover || !options.context_takeover,
        .server_max_window_bits = server_bits,
        .client_max_window_bits = client_bits};
  }
  return std::nullopt;
}

Result<std::string> write_accept_response(const UpgradeRequest& request, const Acceptance& acceptance) {
  const std::string token = accept_token(request.key);
  std::string extensions;
  std::vector<http::Field> fields{{.name = "Upgrade", .value = "websocket"},
                                  {.name = "Connection", .value = "Upgrade"},
                                  {.name = "Sec-WebSocket-Accept", .value = token}};
  if (!acceptance.protocol.empty()) {
    if (std::ranges::find(request.protocols, acceptance.protocol) == request.protocols.end()) {
      return fail(ErrorCode::InvalidArgument, "the client did not offer that subprotocol");
    }
    fields.push_back({.name = "Sec-WebSocket-Protocol", .value = acceptance.protocol});
  }
  if (acceptance.deflate.has_value()) {
    const auto& offers = request.deflate_offers;
    const bool limits_client = acceptance.deflate->client_max_window_bits < 15;
    if (offers.empty() ||
        (limits_client && std::ranges::none_of(offers, &DeflateOffer::client_window_bits_allowed))) {
      return fail(ErrorCode::InvalidArgument, "the client did not offer these deflate parameters");
    }
    // RFC 7692 7.1.2.1: an offer with the parameter is accepted by naming it; an answer may always name it.
    const bool states_window = std::ranges::any_of(
        offers, [](const auto& offer) { return offer.server_max_window_bits.has_value(); });
    extensions = write_deflate_answer(*acceptance.deflate, states_window);
    fields.push_back({.name = "Sec-WebSocket-Extensions", .value = extensions});
  }
  for (const http::Field& field : acceptance.headers) {
    if (is_handshake_header(field.name)) {
      return fail(ErrorCode::InvalidArgument, "that header belongs to the opening handshake");
    }
    fields.push_back(field);
  }
  std::string out;
  if (auto written = http::write_head(out, http::StatusLine{.status = 101, .reason = {}}, fields); !written) {
    return std::unexpected(std::move(written.error()));
  }
  return out;
}

Result<std::string> write_refusal(int status, std::span<const http::Field> headers, std::string_view body) {
  const bool is_bodiless = status == 204 || status == 304;
  if (status < 200 || status > 599 || (is_bodiless && !body.empty())) {
    return fail(ErrorCode::InvalidArgument, "no such response ends a connection");
  }
  const auto carries = [&](std::string_view name) {
    return std::ranges::any_of(headers,
                               [&](const auto& field) { return http::equals_case_blind(field.name, name); });
  };
  if (carries("connection") || carries("content-length") || carries("transfer-encoding")) {
    return fail(ErrorCode::InvalidArgument, "that header belongs to the response's framing");
  }
  const std::string length = std::to_string(body.size());
  std::vector<http::Field> fields;
  // RFC 9110 7.8: who sends Upgrade lists it in Connection, so that no proxy passes it on.
  fields.push_back({.name = "Connection", .value = carries("upgrade") ? "Upgrade, close" : "close"});
  if (!is_bodiless) fields.push_back({.name = "Content-Length", .value = length});
  if (!body.empty() && !carries("content-type")) {
    fields.push_back({.name = "Content-Type", .value = "text/plain; charset=utf-8"});
  }
  fields.insert(fields.end(), headers.begin(), headers.end());
  std::string out;
  if (auto written = http::write_head(out, http::StatusLine{.status = status, .reason = {}}, fields);
      !written) {
    return std::unexpected(std::move(written.error()));
  }
  out.append(body);
  return out;
}

std::string write_refusal(const Refusal& refusal) {
  std::string body{refusal.reason};
  body += '\n';
  auto written = write_refusal(refusal.status, refusal.headers, body);
  assert(written.has_value());
  return std::move(*written);
}

std::string write_refusal(const http::HeadError& error) {
  return write_refusal(Refusal{.status = error.status, .headers = {}, .reason = error.reason});
}

}  // namespace sinnet::ws
