#pragma once
/// The running server: everything behind `sinnet serve` once the configuration is known.

#include "daemon/config.hpp"

namespace sinnet::daemon {

/// Binds, serves until a signal ends it, and answers the exit code of the program (0 done, 1 failed).
/// `config` must be checked (Loaded::ok()) and outlive the call. What goes wrong is one line on stderr.
[[nodiscard]] int serve(const Config& config);

}  // namespace sinnet::daemon
