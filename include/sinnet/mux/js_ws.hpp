#pragma once
/// The dialect js-ws, as MatrixAI's npm package `@matrixai/ws` speaks it (docs/protocol/js-ws.md). One frame
/// is one binary message of a WebSocket.

#include "sinnet/mux/dialect.hpp"

namespace sinnet::mux {

[[nodiscard]] Dialect js_ws();

}  // namespace sinnet::mux
