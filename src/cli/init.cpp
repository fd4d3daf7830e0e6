// `sinnet init`: a configuration to start with, on stdout.

#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "daemon/config_print.hpp"

namespace sinnet::cli {
namespace {

std::span<const Option> no_options() { return {}; }

Exit run(const Arguments&) { return print(daemon::print_starter()); }

}  // namespace

const Verb verb_init{
    .name = "init",
    .summary = "Print a commented starter configuration",
    .synopsis = "> FILE",
    .options = &no_options,
    .examples = "  sinnet init > sinnet.toml && sinnet serve -c sinnet.toml\n",
    .run = &run,
};

}  // namespace sinnet::cli
