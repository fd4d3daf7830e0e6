#include "daemon/config_value.hpp"

#include <array>
#include <utility>

namespace sinnet::daemon {
namespace {

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string Source::where() const {
  if (kind == Kind::Default) return "default";
  if (kind != Kind::File || line == 0) return name;
  return name + ":" + std::to_string(line) + ":" + std::to_string(column);
}

std::string Source::origin() const {
  switch (kind) {
    case Kind::Default: return "default";
    case Kind::File: return "file " + name + ":" + std::to_string(line);
    case Kind::Environment: return "env " + name;
    case Kind::Flag: return "flag " + name.substr(0, name.find(' '));
  }
  std::unreachable();
}

std::string_view Value::type_name() const noexcept {
  static constexpr std::array<std::string_view, 7> names{
      "true or false", "an integer", "a float", "a string", "a list", "a table", "a date or time"};
  return names.at(content.index());
}

Value loose_value(std::string_view text, Source source) {
  std::string_view inner = trimmed(text);
  const bool is_quoted =
      inner.size() >= 2 && (inner.front() == '"' || inner.front() == '\'') && inner.back() == inner.front();
  // "a","b" begins and ends with quotes that belong to its elements.
  if (is_quoted && inner.substr(1, inner.size() - 2).find(inner.front()) == inner.npos) {
    inner = inner.substr(1, inner.size() - 2);
  }
  return {std::move(source), std::string(inner), true};
}

}  // namespace sinnet::daemon
