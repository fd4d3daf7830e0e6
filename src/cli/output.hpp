#pragma once
/// Data goes to stdout, talk to stderr; nothing else in the program writes to either.

#include <string_view>

#include "cli/exit.hpp"

namespace sinnet::cli {

/// Data. Answers Failed, after saying so, if stdout takes it no more (a full disk), else Done.
[[nodiscard]] Exit print(std::string_view data);

/// One line for a person: "sinnet: " and `text` on stderr.
void complain(std::string_view text);
/// The same without the name in front: "demo.toml:3:1: …", as compilers write, so that editors can jump
/// there.
void complain_at_place(std::string_view text);

}  // namespace sinnet::cli
