#pragma once
/// The dialects this library speaks, by name: what a command line or a configuration chooses from. A dialect
/// that is added to the table in src/mux/dialects.cpp appears everywhere by itself.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "sinnet/mux/dialect.hpp"

namespace sinnet::mux {

/// What some dialects must be told, because their wire does not say it. Others ignore it.
struct DialectOptions {
  std::uint64_t peer_window = 0;  ///< bytes the peer is believed to take ahead; 0: safe for unknown peers
};

struct NamedDialect {
  std::string_view name;         ///< as in `--dialect`
  std::string_view subprotocol;  ///< of a WebSocket (RFC 6455 1.9); empty: its peers offer none
  Dialect (*make)(const DialectOptions& options);
};

[[nodiscard]] std::span<const NamedDialect> dialects() noexcept;
/// Null: no such name.
[[nodiscard]] const NamedDialect* find_dialect(std::string_view name) noexcept;

}  // namespace sinnet::mux
