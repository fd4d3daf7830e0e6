#pragma once
/// The options of a conversation, which `connect` and `listen` share.

#include <optional>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/connect_conversation.hpp"

namespace sinnet::cli {

/// --json, --hex, --frames, --binary, --exec, --wait, --no-deflate.
[[nodiscard]] std::vector<Option> conversation_options();
/// Nothing, after complaining, when one cannot be used.
[[nodiscard]] std::optional<ConversationOptions> read_conversation_options(const Arguments& arguments);
/// A person looks at what comes whatever its size; compression unless --no-deflate.
void apply_conversation_limits(const Arguments& arguments, ws::Options& options);

}  // namespace sinnet::cli
