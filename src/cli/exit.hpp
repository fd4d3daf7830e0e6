#pragma once
/// The exit codes of the program: a promise to scripts.

#include <cstdint>

namespace sinnet::cli {

enum class Exit : std::uint8_t {
  Done = 0,
  Failed = 1,
  Usage = 2,        ///< the command line or the configuration cannot be used
  Unreachable = 3,  ///< no daemon, no server
  NoMatch = 4,      ///< no such connection; nothing matched; nobody received with --require-receiver
  Denied = 5,       ///< the message says which configuration lines would allow it
  TimedOut = 6,
  Partly = 7,  ///< partly delivered, or degraded
};

}  // namespace sinnet::cli
