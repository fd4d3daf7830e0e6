// The only file that knows CLI11.

#include "cli/command_line.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <deque>

#include "daemon/config_suggest.hpp"

namespace sinnet::cli {
namespace {

constexpr Option help_option{"-h,--help", "", "show this"};

std::vector<Option> options_of(const Verb& verb) {
  const std::span<const Option> own = verb.options();
  std::vector<Option> all(own.begin(), own.end());
  all.push_back(help_option);
  return all;
}

std::string unknown_option(const std::vector<Option>& options, std::string_view typed) {
  std::vector<std::string> names;
  names.reserve(options.size());
  for (const Option& option : options) names.emplace_back(option.key());
  const std::string_view name = typed.substr(0, typed.find('='));
  return fmt::format("unknown option \"{}\"{}", name, daemon::did_you_mean(name, names));
}

}  // namespace

std::optional<std::string> Arguments::value(std::string_view option) const {
  const auto found = values_.find(option);
  if (found == values_.end() || found->second.empty()) return std::nullopt;
  return found->second.front();
}

std::vector<std::string> Arguments::values(std::string_view option) const {
  const auto found = values_.find(option);
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

std::expected<Arguments, std::string> parse_arguments(const Verb& verb, std::span<char* const> typed) {
  const std::vector<Option> options = options_of(verb);
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  std::deque<std::vector<std::string>> values;
  for (const Option& option : options) {
    values.emplace_back();
    if (option.value.empty()) {
      app.add_flag(std::string(option.names));
    } else {
      app.add_option(std::string(option.names), values.back())
          ->expected(1)
          ->allow_extra_args(false)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }
  }
  std::vector<std::string> reversed(typed.rbegin(), typed.rend());  // what CLI11 wants of a vector
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ArgumentMismatch&) {
    // Of our kinds of options only one fails so: an option with a value, at the end of the line.
    return std::unexpected(fmt::format("{} needs a value", typed.back()));
  } catch (const CLI::ParseError& error) {
    std::string message = error.what();
    std::ranges::replace(message, '\n', ' ');
    return std::unexpected(message);
  }
  Arguments result;
  for (std::size_t at = 0; at < options.size(); ++at) {
    const Option& option = options[at];
    if (app.count(std::string(option.key())) == 0) continue;
    if (values[at].size() > 1 && !option.repeats) {
      return std::unexpected(fmt::format("{} is given more than once", option.key()));
    }
    result.values_.emplace(option.key(), std::move(values[at]));
  }
  bool after_dashes = false;
  for (const std::string& rest : app.remaining()) {
    if (rest == "--" && !after_dashes) {
      after_dashes = true;
    } else if (rest.size() > 1 && rest.starts_with('-') && !after_dashes) {
      return std::unexpected(unknown_option(options, rest));
    } else {
      result.operands_.push_back(rest);
    }
  }
  if (result.operands_.size() > verb.operands_max && !result.has("--help")) {
    return std::unexpected(fmt::format("unexpected argument \"{}\"", result.operands_[verb.operands_max]));
  }
  return result;
}

std::string help_of(const Verb& verb) {
  std::string text =
      fmt::format("Usage: sinnet {} {}\n\n{}.\n\nOptions:\n", verb.name, verb.synopsis, verb.summary);
  for (const Option& option : options_of(verb)) {
    std::string names{option.names};
    if (const std::size_t comma = names.find(','); comma != names.npos) names.insert(comma + 1, " ");
    if (!names.starts_with("-") || names.starts_with("--")) names.insert(0, "    ");
    if (!option.value.empty()) names.append(" ").append(option.value);
    text += fmt::format("  {:<30}{}\n", names, option.doc);
  }
  if (!verb.examples.empty()) text += fmt::format("\nExamples:\n{}", verb.examples);
  return text;
}

}  // namespace sinnet::cli
