// The only file that knows the TOML library: text to a tree of Value.

#include <toml++/toml.h>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>
#include <utility>

#include "daemon/config_value.hpp"

namespace sinnet::daemon {
namespace {

Source at(const toml::source_region& region, const std::string& name) {
  return {Source::Kind::File, name, region.begin.line, region.begin.column};
}

Value convert(const toml::node& node, const std::string& name) {
  Value value{at(node.source(), name), Value::Other{}};
  node.visit([&](const auto& typed) {
    using Node = std::remove_cvref_t<decltype(typed)>;
    if constexpr (toml::is_table<Node>) {
      Value::Table table;
      for (const auto& [key, child] : typed) {
        const Source source = at(key.source(), name);
        table.push_back({std::string(key.str()), source, convert(child, name)});
        if (table.back().value.source.line == 0) table.back().value.source = source;
      }
      // The library sorts by name; people read errors in the order they wrote.
      std::ranges::sort(table, {}, [](const Member& member) {
        return std::pair(member.source.line, member.source.column);
      });
      value.content = std::move(table);
    } else if constexpr (toml::is_array<Node>) {
      Value::List list;
      for (const toml::node& child : typed) list.push_back(convert(child, name));
      value.content = std::move(list);
    } else if constexpr (toml::is_boolean<Node> || toml::is_integer<Node> || toml::is_floating_point<Node> ||
                         toml::is_string<Node>) {
      value.content = typed.get();
    }
  });
  return value;
}

std::unexpected<SyntaxError> unreadable(const std::string& path, int errno_value) {
  return std::unexpected(SyntaxError{{Source::Kind::File, path},
                                     "cannot be read: " + std::generic_category().message(errno_value)});
}

}  // namespace

std::expected<Value, SyntaxError> parse_toml(std::string_view text, const std::string& name) {
  try {
    const toml::table table = toml::parse(text, std::string_view(name));
    return convert(table, name);
  } catch (const toml::parse_error& error) {
    return std::unexpected(SyntaxError{at(error.source(), name), std::string(error.description())});
  }
}

std::expected<Value, SyntaxError> read_toml_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), &std::fclose);
  if (!file) return unreadable(path, errno);
  std::string text(config_file_bytes_max + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return unreadable(path, errno);
  if (text.size() > config_file_bytes_max) {
    return std::unexpected(
        SyntaxError{{Source::Kind::File, path}, "is larger than 4 MiB: not a configuration"});
  }
  return parse_toml(text, path);
}

}  // namespace sinnet::daemon
