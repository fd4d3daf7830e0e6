#pragma once
/// What no single key can tell: routes against handlers, addresses against TLS and authentication.
/// This file reads no text and no file.

#include "daemon/config_load.hpp"

namespace sinnet::daemon {

/// Adds to `loaded.problems` and `loaded.warnings` what is wrong with `loaded.config` as a whole.
/// `insecure`: other machines may connect without authentication.
void check_config(Loaded& loaded, bool insecure);

/// Routes with an equal key answer the same requests: names of segments do not matter.
[[nodiscard]] std::string pattern_of(std::string_view route_path);

}  // namespace sinnet::daemon
