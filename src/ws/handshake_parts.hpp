#pragma once
/// What both roles of the opening handshake share. Private to src/ws/handshake_*.cpp.

#include <cstddef>
#include <string_view>

#include "sinnet/http/head.hpp"

namespace sinnet::ws {

/// RFC 6455 4.1: the one version we speak (attacks on the drafts' framing end here).
inline constexpr std::string_view protocol_version = "13";

inline constexpr std::size_t nonce_bytes = 16;

/// Whether only the handshake itself may write that header: framing, hop-by-hop and Sec-WebSocket-*.
[[nodiscard]] inline bool is_handshake_header(std::string_view name) noexcept {
  constexpr std::string_view prefix = "sec-websocket-";
  return http::equals_case_blind(name.substr(0, prefix.size()), prefix) ||
         http::equals_case_blind(name, "connection") || http::equals_case_blind(name, "upgrade") ||
         http::equals_case_blind(name, "content-length") ||
         http::equals_case_blind(name, "transfer-encoding");
}

}  // namespace sinnet::ws
