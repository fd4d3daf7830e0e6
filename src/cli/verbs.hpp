#pragma once
/// The verbs there are. Each is defined in the file of its name.

#include <span>

#include "cli/command_line.hpp"

namespace sinnet::cli {

extern const Verb verb_serve;
extern const Verb verb_init;
extern const Verb verb_check;
extern const Verb verb_connect;
extern const Verb verb_listen;
extern const Verb verb_bench;
extern const Verb verb_conformance;

/// In the order of help.
[[nodiscard]] std::span<const Verb* const> verbs();

}  // namespace sinnet::cli
