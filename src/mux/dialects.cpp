#include "sinnet/mux/dialects.hpp"

#include <algorithm>
#include <array>

#include "sinnet/mux/js_ws.hpp"
#include "sinnet/mux/muxado.hpp"
#include "sinnet/mux/sinnet_v1.hpp"
#include "sinnet/mux/wsmux.hpp"
#include "sinnet/mux/yamux.hpp"

namespace sinnet::mux {
namespace {

Dialect make_wsmux(const DialectOptions& options) {
  return wsmux(
      {.peer_window = static_cast<std::uint32_t>(std::min<std::uint64_t>(options.peer_window, UINT32_MAX)),
       .is_strict = true});
}

/// MaxWindowSize of the peer, which is ours too: the wire never says it.
Dialect with_window(Dialect dialect, const DialectOptions& options) {
  if (options.peer_window > 0)
    dialect.rules.opener_sends.bytes = dialect.rules.acceptor_sends.bytes = options.peer_window;
  return dialect;
}

constexpr std::array table{
    NamedDialect{.name = "jsws", .subprotocol = {}, .make = [](const DialectOptions&) { return js_ws(); }},
    NamedDialect{
        .name = "muxado1", .subprotocol = {}, .make = [](const DialectOptions&) { return muxado_v1(); }},
    NamedDialect{.name = "muxado2",
                 .subprotocol = {},
                 .make = [](const DialectOptions& options) { return with_window(muxado_v2(), options); }},
    NamedDialect{
        .name = "muxado2-typed",
        .subprotocol = {},
        .make = [](const DialectOptions& options) { return with_window(muxado_v2_typed(), options); }},
    NamedDialect{.name = "sinnet",
                 .subprotocol = sinnet_v1_name,
                 .make = [](const DialectOptions&) { return sinnet_v1(); }},
    NamedDialect{.name = "wsmux", .subprotocol = {}, .make = make_wsmux},
    NamedDialect{.name = "yamux", .subprotocol = {}, .make = [](const DialectOptions&) { return yamux(); }},
};

}  // namespace

std::span<const NamedDialect> dialects() noexcept { return table; }

const NamedDialect* find_dialect(std::string_view name) noexcept {
  for (const NamedDialect& dialect : table) {
    if (dialect.name == name) return &dialect;
  }
  return nullptr;
}

}  // namespace sinnet::mux
