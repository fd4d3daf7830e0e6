#pragma once
/// The two dialects that are called muxado. They share no frame, and nothing on the wire tells them apart:
/// the sides must know. docs/protocol/muxado.md has both.

#include "sinnet/mux/dialect.hpp"

namespace sinnet::mux {

/// inconshreveable/muxado since 2016, golang.ngrok.com/muxado/v2, ngrok's agents. Windows of 256 KiB are
/// assumed at both ends; a peer with another MaxWindowSize: set `rules.opener_sends` and `acceptor_sends`.
[[nodiscard]] Dialect muxado_v2();
/// As above between two TypedStreamSessions: every stream begins with its type (32 bits), and a stream of the
/// type 0xFFFFFFFF is the heartbeat.
[[nodiscard]] Dialect muxado_v2_typed();
/// inconshreveable/muxado until 2014, Debian's package. The heartbeat's stream opens with the session.
[[nodiscard]] Dialect muxado_v1();

}  // namespace sinnet::mux
