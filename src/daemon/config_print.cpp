#include "daemon/config_print.hpp"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "daemon/config_schema.hpp"

namespace sinnet::daemon {
namespace {

/// Where the documentation begins: most `key = value` end before it.
constexpr std::size_t doc_column = 36;

std::string documented(std::string line, const Key& key) {
  if (line.size() < doc_column) line.append(doc_column - line.size(), ' ');
  std::string doc = key.only_for.empty() ? key.doc : key.only_for + ": " + key.doc;
  if (key.apply == Apply::Restart) doc += " (needs a restart)";
  return fmt::format("{} # {}\n", line, doc);
}

std::string origin_of(const Loaded& loaded, const std::string& path) {
  const auto found = loaded.sources.find(path);
  return found == loaded.sources.end() ? Source{}.origin() : found->second.origin();
}

std::string effective_table(const Loaded& loaded, const Section& section, const std::string& header,
                            const std::string& prefix, const void* object, std::string_view type) {
  std::string text = fmt::format("\n{}  # {}\n", header, origin_of(loaded, prefix));
  for (const Key& key : section.keys) {
    if (!key.only_for.empty() && key.only_for != type) continue;
    text += fmt::format("{} = {}  # {}\n", key.name, key.write(object),
                        origin_of(loaded, prefix + "." + key.name));
  }
  return text;
}

/// A section's struct by itself, for what has no place in an empty Config.
struct Scratch {
  Config config;
  RouteConfig route;
  HandlerConfig handler;

  void* of(const Section& section) {
    switch (section.shape) {
      case Section::Shape::Single: return section.of(config);
      case Section::Shape::List: return &route;
      case Section::Shape::Named: return &handler;
    }
    std::unreachable();
  }
};

/// `key = value` with `text` as the value; an empty string where the key takes none.
std::string assignment(const Section& section, const Key& key, const std::string& text) {
  Scratch scratch;
  std::vector<Problem> none;
  void* object = scratch.of(section);
  if (!text.empty() || !key.is_required)
    key.read(object, loose_value(text, {}), {key.name, {}, false, &none});
  return fmt::format("{} = {}", key.name, key.write(object));
}

std::string header_of(const Section& section) {
  switch (section.shape) {
    case Section::Shape::Single: return fmt::format("[{}]", section.name);
    case Section::Shape::List: return fmt::format("[[{}]]", section.name);
    case Section::Shape::Named: return fmt::format("[{}.echo]", section.name);
  }
  std::unreachable();
}

}  // namespace

std::string print_effective(const Loaded& loaded) {
  std::string text;
  for (const Section& section : schema()) {
    if (section.shape != Section::Shape::Single) continue;
    for (const Key& key : section.keys) {
      const std::string path = section.path_of(key);
      text += fmt::format("{} = {}  # {}\n", path, key.write(section.of_const(loaded.config)),
                          origin_of(loaded, path));
    }
  }
  const Section& routes = *find_section("route");
  for (std::size_t at = 0; at < loaded.config.routes.size(); ++at) {
    text += effective_table(loaded, routes, "[[route]]", fmt::format("route.{}", at),
                            &loaded.config.routes[at], "");
  }
  const Section& handlers = *find_section("handler");
  for (const HandlerConfig& handler : loaded.config.handlers) {
    const std::string prefix = "handler." + handler.name;
    text += effective_table(loaded, handlers, "[" + prefix + "]", prefix, &handler, name_of(handler.type));
  }
  return text;
}

std::string print_defaults() {
  std::string text =
      "# Every key and its default. Environment: SINNET_SECTION_KEY, such as SINNET_LIMITS_MESSAGE.\n";
  for (const Section& section : schema()) {
    const std::string_view mark = section.shape == Section::Shape::Single ? "" : "# ";
    text += fmt::format("\n# {}\n{}{}\n", section.doc, mark, header_of(section));
    for (const Key& key : section.keys) {
      text += documented(fmt::format("{}{}", mark, assignment(section, key, key.initial)), key);
    }
  }
  return text;
}

std::string print_starter() {
  std::string text =
      "# A configuration for sinnet. What is commented out shows its default.\n"
      "# Look whether it is right: sinnet check -c FILE          Run it: sinnet serve -c FILE\n";
  for (const Section& section : schema()) {
    text += fmt::format("\n# {}\n{}\n", section.doc, header_of(section));
    for (const Key& key : section.keys) {
      const bool is_example = !key.example.empty();
      const std::string line = assignment(section, key, is_example ? key.example : key.initial);
      text += documented(is_example ? line : "# " + line, key);
    }
  }
  return text;
}

}  // namespace sinnet::daemon
