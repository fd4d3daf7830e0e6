#pragma once
/// The dialect yamux, as hashicorp/yamux speaks it (docs/protocol/yamux.md).

#include "sinnet/mux/dialect.hpp"

namespace sinnet::mux {

[[nodiscard]] Dialect yamux();

}  // namespace sinnet::mux
