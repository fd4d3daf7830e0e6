#include "cli/connect_options.hpp"

#include <unistd.h>

#include "cli/client_options.hpp"
#include "cli/output.hpp"

namespace sinnet::cli {
namespace {

constexpr std::uint64_t message_bytes_max = 256 * 1024 * 1024;  // it is held in memory

}  // namespace

std::vector<Option> conversation_options() {
  return {
      {"--json", "", "events as lines of JSON on stdout"},
      {"--hex", "", "binary messages as a hex dump (a terminal always shows them so)"},
      {"--frames", "", "every frame's header on stderr"},
      {"--binary", "", "all of stdin is one binary message"},
      {"--exec", "CMD", "speak with a program of the shell: its lines are messages, messages its lines"},
      {"--wait", "DURATION", "after the end of stdin, until so long nothing came (default 1s)"},
      {"--no-deflate", "", "no compression"},
  };
}

std::optional<ConversationOptions> read_conversation_options(const Arguments& arguments) {
  ConversationOptions options;
  options.report.json = arguments.has("--json");
  options.report.hex = arguments.has("--hex");
  options.report.terminal = ::isatty(STDOUT_FILENO) != 0 && !options.report.json;
  options.binary = arguments.has("--binary");
  options.exec = arguments.value("--exec").value_or("");
  const auto wait = duration_option(arguments, "--wait", options.wait);
  if (!wait) return std::nullopt;
  options.wait = *wait;
  if (options.binary && !options.exec.empty()) {
    complain("--binary and --exec exclude each other");
    return std::nullopt;
  }
  return options;
}

void apply_conversation_limits(const Arguments& arguments, ws::Options& options) {
  options.message_bytes_max = message_bytes_max;
  options.deflate.enabled = !arguments.has("--no-deflate");
  options.deflate.context_takeover = true;
}

}  // namespace sinnet::cli
