#include "cli/configuration.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "cli/output.hpp"

namespace sinnet::cli {
namespace {

constexpr std::array options{
    Option{"-c,--config", "FILE", "the configuration; FILE's conf.d/*.toml is read with it"},
    Option{"--listen", "ADDR", "instead of server.listen: 127.0.0.1:8080, [::1]:80, unix:/path", true},
    Option{"--handler", "KIND", "one route for every path: echo, broadcast, static:DIR, tcp:HOST:PORT"},
    Option{"--route", "PATH=KIND", "one more route", true},
    Option{"--set", "SECTION.KEY=VALUE", "one setting: --set limits.message=64KiB", true},
    Option{"--insecure", "", "other machines may connect without authentication"},
};

void say(const daemon::Problem& problem, std::string_view kind) {
  using Kind = daemon::Source::Kind;
  const bool has_place = problem.where.kind == Kind::File;
  const std::string where = problem.where.kind == Kind::Default ? "" : problem.where.where() + ": ";
  const std::string line = fmt::format("{}{}{}", where, kind, problem.message);
  has_place ? complain_at_place(line) : complain(line);
}

}  // namespace

std::span<const Option> configuration_options() { return options; }

daemon::LoadOptions load_options(const Arguments& arguments) {
  daemon::LoadOptions result;
  result.file = arguments.value("--config");
  result.listen = arguments.values("--listen");
  result.handler = arguments.value("--handler");
  result.routes = arguments.values("--route");
  result.settings = arguments.values("--set");
  result.insecure = arguments.has("--insecure");
  if (!result.file && result.listen.empty() && !result.handler) result.file = daemon::default_config_file();
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const std::size_t equals = text.find('=');
    if (!text.starts_with("SINNET_") || equals == text.npos) continue;
    result.environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return result;
}

std::optional<daemon::Loaded> load_or_complain(const daemon::LoadOptions& load) {
  daemon::Loaded loaded = daemon::load_config(load);
  for (const daemon::Problem& problem : loaded.problems) say(problem, "");
  for (const daemon::Problem& warning : loaded.warnings) say(warning, "warning: ");
  if (loaded.ok()) return loaded;
  const std::size_t count = loaded.problems.size();
  if (count > 1) complain(fmt::format("{} errors in the configuration", count));
  return std::nullopt;
}

}  // namespace sinnet::cli
