// `sinnet check`: is the configuration right, and what does it come to.

#include <fmt/format.h>

#include <vector>

#include "cli/configuration.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "daemon/config_print.hpp"

namespace sinnet::cli {
namespace {

std::span<const Option> options() {
  static const std::vector<Option> all = [] {
    const auto shared = configuration_options();
    std::vector<Option> result(shared.begin(), shared.end());
    result.push_back({"--print", "", "every value in effect and who set it"});
    result.push_back({"--print-defaults", "", "every key with its default, as a commented file"});
    return result;
  }();
  return all;
}

Exit run(const Arguments& arguments) {
  if (arguments.has("--print-defaults")) {
    if (!arguments.has("--print")) return print(daemon::print_defaults());
    complain("check: --print and --print-defaults exclude each other");
    return Exit::Usage;
  }
  const daemon::LoadOptions load = load_options(arguments);
  const auto loaded = load_or_complain(load);
  if (!loaded) return Exit::Usage;
  if (arguments.has("--print")) return print(daemon::print_effective(*loaded));
  complain(load.file ? fmt::format("{} is valid", *load.file) : "the configuration is valid (no file)");
  return Exit::Done;
}

}  // namespace

const Verb verb_check{
    .name = "check",
    .summary = "Check a configuration, or print what it comes to",
    .synopsis = "[-c FILE] [--print | --print-defaults] [options of serve]",
    .options = &options,
    .examples =
        "  sinnet check -c sinnet.toml\n"
        "  sinnet check -c sinnet.toml --set limits.message=64MiB --print\n"
        "  sinnet check --print-defaults | less\n",
    .run = &run,
};

}  // namespace sinnet::cli
