#pragma once
/// A configuration file, variable or flag as a tree of values that know where they were written.
/// This file knows no key: config_schema.hpp does.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sinnet/base/error.hpp"

namespace sinnet::daemon {

/// Who said it.
struct Source {
  enum class Kind : std::uint8_t { Default, File, Environment, Flag };

  Kind kind = Kind::Default;
  std::string name;          ///< the file as it was named, the variable, or the flag with its argument
  std::uint32_t line = 0;    ///< from 1; files only
  std::uint32_t column = 0;  ///< from 1, in characters; files only

  /// For an error: "demo.toml:3:1", "SINNET_LOG_LEVEL", "--set log.level=x".
  [[nodiscard]] std::string where() const;
  /// For a printed value: "file demo.toml:3", "env SINNET_LOG_LEVEL", "flag --set", "default".
  [[nodiscard]] std::string origin() const;

  friend bool operator==(const Source&, const Source&) = default;
};

struct Member;

/// One value with its position. From the environment and from flags every value is Text and `is_loose`: it is
/// read by the key's type, with quotes optional and lists separated by commas.
struct Value {
  using List = std::vector<Value>;
  using Table = std::vector<Member>;
  /// What TOML has and no key takes: dates and times.
  struct Other {};

  Source source;
  std::variant<bool, std::int64_t, double, std::string, List, Table, Other> content;
  bool is_loose = false;

  /// "a string", "an integer", …: for error messages.
  [[nodiscard]] std::string_view type_name() const noexcept;
  [[nodiscard]] const std::string* text() const noexcept { return std::get_if<std::string>(&content); }
  [[nodiscard]] const List* list() const noexcept { return std::get_if<List>(&content); }
  [[nodiscard]] const Table* table() const noexcept { return std::get_if<Table>(&content); }
};

/// A key of a table, in the order of the file, with the position of the key itself.
struct Member {
  std::string key;
  Source source;
  Value value;
};

/// A loose value.
[[nodiscard]] Value loose_value(std::string_view text, Source source);

/// What could not be read, and where.
struct SyntaxError {
  Source where;
  std::string message;
};

/// The largest configuration file taken. Ours are a few KiB; this only keeps `-c /dev/zero` finite.
inline constexpr std::size_t config_file_bytes_max = 4U << 20U;

/// Reads a file of at most `config_file_bytes_max`; positions name `path` as given.
[[nodiscard]] std::expected<Value, SyntaxError> read_toml_file(const std::string& path);
/// The same for text in memory.
[[nodiscard]] std::expected<Value, SyntaxError> parse_toml(std::string_view text, const std::string& name);

}  // namespace sinnet::daemon
