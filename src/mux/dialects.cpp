#include "sinnet/mux/dialects.hpp"

#include <array>

#include "sinnet/mux/sinnet_v1.hpp"
#include "sinnet/mux/yamux.hpp"

namespace sinnet::mux {
namespace {

constexpr std::array table{
    NamedDialect{.name = "sinnet",
                 .subprotocol = sinnet_v1_name,
                 .make = [](const DialectOptions&) { return sinnet_v1(); }},
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
