#pragma once
/// The options that make a configuration, shared by `serve` and `check`, which must mean the same by them.

#include <optional>
#include <span>

#include "cli/command_line.hpp"
#include "daemon/config_load.hpp"

namespace sinnet::cli {

/// -c, --listen, --handler, --route, --set, --insecure.
[[nodiscard]] std::span<const Option> configuration_options();

/// From the options above and this process's environment.
[[nodiscard]] daemon::LoadOptions load_options(const Arguments& arguments);

/// Loads and says everything that is wrong or doubtful on stderr; nothing if it is wrong.
[[nodiscard]] std::optional<daemon::Loaded> load_or_complain(const daemon::LoadOptions& options);

}  // namespace sinnet::cli
