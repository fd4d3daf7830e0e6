#pragma once
/// How a verb says what it takes, and what it gets. The parser behind it is known to command_line.cpp alone.

#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/exit.hpp"

namespace sinnet::cli {

/// "-c,--config" with a value FILE, or a flag.
struct Option {
  std::string_view names;  ///< the last one is what Arguments are asked for
  std::string_view value;  ///< how help calls the value; empty: a flag
  std::string_view doc;
  bool repeats = false;

  [[nodiscard]] std::string_view key() const noexcept { return names.substr(names.rfind(',') + 1); }
};

/// What was typed behind the verb.
class Arguments {
 public:
  [[nodiscard]] bool has(std::string_view option) const { return values_.contains(option); }
  /// Of an option that does not repeat.
  [[nodiscard]] std::optional<std::string> value(std::string_view option) const;
  /// In the order they were typed.
  [[nodiscard]] std::vector<std::string> values(std::string_view option) const;
  /// What is not an option.
  [[nodiscard]] const std::vector<std::string>& operands() const noexcept { return operands_; }

 private:
  friend std::expected<Arguments, std::string> parse_arguments(const struct Verb& verb,
                                                               std::span<char* const> typed);

  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> operands_;
};

/// One verb, one file: `extern const Verb verb_check;` in verbs.hpp and a line in verbs.cpp.
struct Verb {
  std::string_view name;
  std::string_view summary;   ///< one line of `sinnet --help`
  std::string_view synopsis;  ///< what follows the name
  std::span<const Option> (*options)();
  std::size_t operands_max = 0;
  std::string_view examples;  ///< lines, indented by two
  Exit (*run)(const Arguments& arguments);
};

/// A usage error is half a sentence: `unknown option "--prnt"; did you mean "--print"?`.
[[nodiscard]] std::expected<Arguments, std::string> parse_arguments(const Verb& verb,
                                                                    std::span<char* const> typed);

/// `sinnet check --help`.
[[nodiscard]] std::string help_of(const Verb& verb);

}  // namespace sinnet::cli
