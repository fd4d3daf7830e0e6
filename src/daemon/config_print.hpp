#pragma once
/// The configuration as text, all of it read off the schema: what holds, what the defaults are, and a file to
/// start with. Each can be loaded again and then says the same.

#include <string>

#include "daemon/config_load.hpp"

namespace sinnet::daemon {

/// `limits.message = "64MiB"  # flag --set`, one key a line; routes and handlers as tables behind them.
/// Paths are absolute. Secrets are not shown.
[[nodiscard]] std::string print_effective(const Loaded& loaded);

/// Every key with its default and its line of documentation; what has no default is commented out.
[[nodiscard]] std::string print_defaults();

/// `sinnet init`: a server that echoes, with every other key commented out.
[[nodiscard]] std::string print_starter();

}  // namespace sinnet::daemon
