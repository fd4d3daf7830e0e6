/// Fuzzes the opening handshake: the input is a request or a response head. What a server agrees to, it must
/// be able to write and a client that offered the same must accept.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "sinnet/ws/handshake.hpp"

namespace {

using namespace sinnet;

void require(bool condition) {
  if (!condition) std::abort();
}

void require_sound(const ws::DeflateParameters& parameters) {
  require(parameters.server_max_window_bits >= 9 && parameters.server_max_window_bits <= 15);
  require(parameters.client_max_window_bits >= 9 && parameters.client_max_window_bits <= 15);
}

void serve(const http::RequestHead& head, const ws::DeflateOptions& deflate) {
  static_cast<void>(ws::wants_upgrade(head));
  const auto request = ws::parse_upgrade(head);
  if (!request.has_value()) {
    require(request.error().status >= 400 && !ws::write_refusal(request.error()).empty());
    return;
  }
  require(ws::wants_upgrade(head));
  ws::Acceptance acceptance{.deflate = ws::negotiate_deflate(request->deflate_offers, deflate)};
  if (acceptance.deflate.has_value()) require_sound(*acceptance.deflate);
  if (!request->protocols.empty()) acceptance.protocol = request->protocols.back();
  const auto answer = ws::write_accept_response(*request, acceptance);
  require(answer.has_value());

  http::HeadParser parser{http::HeadRole::Response, {.head_bytes_max = http::head_bytes_ceiling}};
  require(parser.receive(as_bytes(*answer)).status == http::HeadParser::Status::Done);
  const http::ResponseHead response = parser.take_response();
  ws::UpgradeOptions options;
  options.deflate = {.enabled = true, .context_takeover = true};
  for (const std::string_view protocol : request->protocols) options.protocols.emplace_back(protocol);
  const auto agreement = ws::check_accept_response(response, options, request->key);
  require(agreement.has_value() && agreement->protocol == acceptance.protocol);
  require(agreement->deflate == acceptance.deflate);
}

void connect(const http::ResponseHead& head, const ws::DeflateOptions& deflate) {
  ws::UpgradeOptions options;
  options.protocols = {"a", "b"};
  options.deflate = deflate;
  const auto agreement = ws::check_accept_response(head, options, "dGhlIHNhbXBsZSBub25jZQ==");
  if (!agreement.has_value()) {
    require(!agreement.error().reason.empty());
    return;
  }
  require(agreement->protocol.empty() || agreement->protocol == "a" || agreement->protocol == "b");
  if (!agreement->deflate.has_value()) return;
  require_sound(*agreement->deflate);
  require(deflate.enabled && agreement->deflate->server_max_window_bits <= deflate.window_bits);
  require(agreement->deflate->client_max_window_bits <= deflate.window_bits);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const unsigned choice = data[0];
  const Bytes input = std::as_bytes(std::span{data + 1, size - 1});
  const ws::DeflateOptions deflate{.enabled = (choice & 2U) != 0,
                                   .context_takeover = (choice & 4U) != 0,
                                   .window_bits = static_cast<std::uint8_t>(9 + (choice >> 3U) % 7)};
  const auto role = (choice & 1U) != 0 ? http::HeadRole::Response : http::HeadRole::Request;
  http::HeadParser parser{role, {.head_bytes_max = 32 * 1024}};
  if (parser.receive(input).status != http::HeadParser::Status::Done) return 0;
  if (role == http::HeadRole::Request) {
    serve(parser.take_request(), deflate);
  } else {
    connect(parser.take_response(), deflate);
  }
  return 0;
}
