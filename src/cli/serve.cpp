// `sinnet serve`: from the command line to a checked configuration, and into the server.

#include "daemon/serve.hpp"

#include "cli/configuration.hpp"
#include "cli/verbs.hpp"

namespace sinnet::cli {
namespace {

Exit run(const Arguments& arguments) {
  const auto loaded = load_or_complain(load_options(arguments));
  if (!loaded) return Exit::Usage;
  return static_cast<Exit>(daemon::serve(loaded->config));
}

}  // namespace

const Verb verb_serve{
    .name = "serve",
    .summary = "Run the server",
    .synopsis =
        "[-c FILE] [--listen ADDR]... [--handler KIND] [--route PATH=KIND]... [--set SECTION.KEY=VALUE]...",
    .options = &configuration_options,
    .examples =
        "  sinnet serve --handler echo                        every path echoes, on 127.0.0.1:8080\n"
        "  sinnet serve --listen 127.0.0.1:9000 --route /chat=broadcast --route '/*=static:www'\n"
        "  sinnet serve -c sinnet.toml --set log.level=debug\n",
    .run = &run,
};

}  // namespace sinnet::cli
