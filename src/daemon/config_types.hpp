#pragma once
/// The types a configuration key can have. Each reads a Value into a field and writes the field as TOML; a
/// key names one. This file knows no key.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config.hpp"
#include "daemon/config_schema.hpp"
#include "daemon/config_text.hpp"

namespace sinnet::daemon::types {

/// A checker of config_text.hpp.
using Check = Read<std::string> (*)(std::string_view text);

/// true or false; loose ones may be yes/no, on/off, 1/0, as is usual in an environment.
struct Flag {
  using Field = bool;
  static constexpr bool is_list = false;
  static std::string name() { return "true or false"; }
  static bool read(bool& field, const Value& value, const ReadContext& context);
  static std::string write(bool field) { return field ? "true" : "false"; }
};

/// A whole number.
struct Count {
  using Field = std::uint64_t;
  static constexpr bool is_list = false;
  std::uint64_t min;
  std::uint64_t max;
  std::string_view word_for_zero = {};  ///< "auto": how 0 is written, if it is not a number to people

  static std::string name() { return "number"; }
  bool read(std::uint64_t& field, const Value& value, const ReadContext& context) const;
  std::string write(std::uint64_t field) const;
};

/// Bytes: an integer, or a string with a unit.
struct Size {
  using Field = std::uint64_t;
  static constexpr bool is_list = false;
  std::uint64_t min;
  std::uint64_t max;

  static std::string name() { return "size"; }
  bool read(std::uint64_t& field, const Value& value, const ReadContext& context) const;
  static std::string write(std::uint64_t field) { return write_size(field); }
};

/// A string with a unit of time.
struct Span {
  using Field = Duration;
  static constexpr bool is_list = false;
  Duration min;
  Duration max;

  static std::string name() { return "duration"; }
  bool read(Duration& field, const Value& value, const ReadContext& context) const;
  static std::string write(Duration field) { return write_duration(field); }
};

/// A string that `check` accepts; what it answers is kept.
struct Text {
  using Field = std::string;
  static constexpr bool is_list = false;
  Check check;

  static std::string name() { return "string"; }
  bool read(std::string& field, const Value& value, const ReadContext& context) const;
  static std::string write(const std::string& field) { return write_text(field); }
};

/// A path; kept absolute. Empty stays empty.
struct Path {
  using Field = std::string;
  static constexpr bool is_list = false;
  enum class Kind : std::uint8_t { File, Directory };
  Kind kind;

  static std::string name() { return "path"; }
  /// What is not there is refused here, where the line is known, not when the first client comes.
  bool read(std::string& field, const Value& value, const ReadContext& context) const;
  static std::string write(const std::string& field) { return write_text(field); }
};

/// "host:port", "unix:/path".
struct Target {
  using Field = std::string;
  static constexpr bool is_list = false;

  static std::string name() { return "target"; }
  static bool read(std::string& field, const Value& value, const ReadContext& context);
  static std::string write(const std::string& field) { return write_text(field); }
};

/// Strings without repetition.
struct TextList {
  using Field = std::vector<std::string>;
  static constexpr bool is_list = true;
  Check check;

  static std::string name() { return "list of strings"; }
  bool read(std::vector<std::string>& field, const Value& value, const ReadContext& context) const;
  static std::string write(const std::vector<std::string>& field);
};

/// server.listen.
struct ListenList {
  using Field = std::vector<ListenAddress>;
  static constexpr bool is_list = true;

  static std::string name() { return "list of addresses"; }
  static bool read(std::vector<ListenAddress>& field, const Value& value, const ReadContext& context);
  static std::string write(const std::vector<ListenAddress>& field);
};

/// A secret: the string itself, `{ file = "…" }` (one trailing newline dropped) or `{ env = "…" }`.
/// Never printed: write() says only whether there is one and where it came from.
struct Secret {
  struct Field {
    std::string value;
    std::string origin;  ///< `{ file = "/x" }`, `{ env = "X" }`; empty if it was written out

    friend bool operator==(const Field&, const Field&) = default;
  };
  static constexpr bool is_list = false;

  static std::string name() { return "secret"; }
  static bool read(Field& field, const Value& value, const ReadContext& context);
  static std::string write(const Field& field);
};

/// Reads one of `names` ("a, b or c" in the error); answers its place, or nothing after refusing.
[[nodiscard]] bool read_choice(std::size_t& place, std::span<const std::string> names, const Value& value,
                               const ReadContext& context);

/// One of some words: names[i] is the enumerator of value i.
template <class Enum>
struct Choice {
  using Field = Enum;
  static constexpr bool is_list = false;
  std::vector<std::string> names;

  std::string name() const {
    std::string text;
    for (const std::string& word : names) text += text.empty() ? word : " | " + word;
    return text;
  }
  bool read(Enum& field, const Value& value, const ReadContext& context) const {
    std::size_t place = 0;
    if (!read_choice(place, names, value, context)) return false;
    field = static_cast<Enum>(place);
    return true;
  }
  std::string write(Enum field) const { return write_text(names.at(static_cast<std::size_t>(field))); }
};

}  // namespace sinnet::daemon::types
