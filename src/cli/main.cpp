// The program: finds the verb, lets it parse and run, and turns what it answers into an exit code.

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "daemon/config_suggest.hpp"

namespace sinnet::cli {
namespace {

std::string help() {
  std::string text =
      "Usage: sinnet COMMAND [OPTION]...\n\nA WebSocket server that the shell controls.\n\nCommands:\n";
  for (const Verb* verb : verbs()) text += fmt::format("  {:<12}{}\n", verb->name, verb->summary);
  text +=
      "  help        Show this, or the help of a command: sinnet help serve\n"
      "  version     Show the version\n"
      "\n"
      "Examples:\n"
      "  sinnet serve --handler echo                  a WebSocket echo server on 127.0.0.1:8080\n"
      "  sinnet init > sinnet.toml                    a configuration to start with\n"
      "  sinnet check -c sinnet.toml --print          what it comes to\n"
      "\n"
      "Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 not reachable, 4 nothing matched, 5 "
      "denied,\n"
      "6 timed out, 7 partly done.\n";
  return text;
}

const Verb* find_verb(std::string_view name) {
  for (const Verb* verb : verbs()) {
    if (verb->name == name) return verb;
  }
  return nullptr;
}

Exit unknown_command(std::string_view name) {
  std::vector<std::string> names{"help", "version", "--help", "--version"};
  for (const Verb* verb : verbs()) names.emplace_back(verb->name);
  const std::string_view kind = name.starts_with('-') ? "option" : "command";
  complain(fmt::format("unknown {} \"{}\"{}", kind, name, daemon::did_you_mean(name, names)));
  complain("see: sinnet --help");
  return Exit::Usage;
}

Exit show_help(std::span<char* const> topics) {
  if (topics.empty()) return print(help());
  const Verb* verb = find_verb(topics.front());
  return verb == nullptr ? unknown_command(topics.front()) : print(help_of(*verb));
}

Exit run(std::span<char* const> typed) {
  if (typed.empty()) {
    complain("a command is missing; see: sinnet --help");
    return Exit::Usage;
  }
  const std::string_view name = typed.front();
  const auto rest = typed.subspan(1);
  if (name == "--version" || name == "-V" || name == "version") return print("sinnet " SINNET_VERSION "\n");
  if (name == "--help" || name == "-h" || name == "help") return show_help(rest);
  const Verb* verb = find_verb(name);
  if (verb == nullptr) return unknown_command(name);
  const auto arguments = parse_arguments(*verb, rest);
  if (!arguments) {
    complain(fmt::format("{}: {}", name, arguments.error()));
    complain(fmt::format("see: sinnet {} --help", name));
    return Exit::Usage;
  }
  if (arguments->has("--help")) return print(help_of(*verb));
  return verb->run(*arguments);
}

}  // namespace
}  // namespace sinnet::cli

int main(int argc, char** argv) {
  const std::span<char* const> all(argv, static_cast<std::size_t>(argc));
  return std::to_underlying(sinnet::cli::run(all.subspan(argc > 0 ? 1 : 0)));
}
