#pragma once
/// sinnet's own dialect, `sinnet.mux.v1` (docs/protocol/sinnet.mux.v1.md).

#include "sinnet/mux/dialect.hpp"

namespace sinnet::mux {

/// Also the WebSocket subprotocol (RFC 6455 1.9).
inline constexpr std::string_view sinnet_v1_name = "sinnet.mux.v1";

[[nodiscard]] Dialect sinnet_v1();

}  // namespace sinnet::mux
