#pragma once
/// The dialect wsmux, as Taskcluster's websocktunnel speaks it (docs/protocol/wsmux.md). One frame is one
/// binary message of a WebSocket.

#include <cstdint>

#include "sinnet/mux/dialect.hpp"

namespace sinnet::mux {

/// StreamBufferSize as the reference's programs set it: never on the wire, so it must be known.
inline constexpr std::uint32_t wsmux_window_library = 1024;           ///< of the library, if nobody says more
inline constexpr std::uint32_t wsmux_window_tunnel_before_94 = 4096;  ///< websocktunnel before v94
inline constexpr std::uint32_t wsmux_window_tunnel = 4 * 1024 * 1024;  ///< websocktunnel since v94

struct WsmuxOptions {
  /// The peer's StreamBufferSize: what it holds when it opens, and what it believes us to hold when it
  /// accepts. 0: not known; then it gets no more than the smallest, and we are ready for the largest.
  std::uint32_t peer_window = 0;
  /// Frames that cannot be read fail the session (the reference since July 2026) or are passed over (before).
  bool is_strict = true;
};

[[nodiscard]] Dialect wsmux(const WsmuxOptions& options = {});

}  // namespace sinnet::mux
