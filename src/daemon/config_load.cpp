#include "daemon/config_load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "daemon/config_check.hpp"
#include "daemon/config_schema.hpp"
#include "daemon/config_suggest.hpp"
#include "daemon/config_text.hpp"

namespace sinnet::daemon {
namespace {

constexpr std::string_view default_file = "/etc/sinnet/sinnet.toml";

/// The key as it is written in a header: [server.tls], [[route]], [handler.chat].
std::string header_of(const Section& section, std::string_view prefix) {
  return section.shape == Section::Shape::List ? "[[" + section.name + "]]" : fmt::format("[{}]", prefix);
}

void apply_defaults(const Section& section, void* object) {
  std::vector<Problem> none;
  for (const Key& key : section.keys) {
    if (key.is_required) continue;
    key.read(object, loose_value(key.initial, {}), {key.name, {}, false, &none});
  }
}

/// The names a table at `prefix` may hold besides keys: "tls" in "server", every first part at the root.
std::vector<std::string> children_of(std::string_view prefix) {
  std::vector<std::string> names;
  for (const Section& section : schema()) {
    std::string_view name = section.name;
    if (!prefix.empty()) {
      if (!name.starts_with(prefix) || name.size() <= prefix.size() || name[prefix.size()] != '.') continue;
      name.remove_prefix(prefix.size() + 1);
    }
    names.emplace_back(name.substr(0, name.find('.')));
  }
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

/// "; did you mean …" or "; it belongs in …" for a key that `section` (null: the root) does not have.
std::string advice(std::string_view key, const Section* section, std::string_view prefix) {
  if (section == nullptr || section->shape == Section::Shape::Single) {
    for (const Section& other : schema()) {
      if (other.shape == Section::Shape::Single && &other != section && other.find(key) != nullptr) {
        return fmt::format("; it belongs in [{}]", other.name);
      }
    }
  }
  std::vector<std::string> near = section == nullptr ? std::vector<std::string>{} : key_names(*section);
  std::ranges::copy(children_of(prefix), std::back_inserter(near));
  if (std::string found = did_you_mean(key, near); !found.empty()) return found;
  return did_you_mean(key, children_of({}));
}

class Loader {
 public:
  explicit Loader(const LoadOptions& options) : options_(options) {}

  Loaded run() {
    loaded_.config = default_config();
    read_files();
    read_environment();
    read_flags();
    check_config(loaded_, options_.insecure);
    sort_problems();
    return std::move(loaded_);
  }

 private:
  void problem(const Source& where, std::string message) {
    loaded_.problems.push_back({where, std::move(message)});
  }

  /// By place; what has the same place stays in the order it was found.
  void sort_problems() {
    std::multimap<std::tuple<Source::Kind, std::size_t, std::uint32_t, std::uint32_t>, Problem> ordered;
    for (Problem& found : loaded_.problems) {
      const Source& where = found.where;
      ordered.emplace(std::tuple(where.kind, file_order(where), where.line, where.column), std::move(found));
    }
    loaded_.problems.clear();
    for (auto& [place, found] : ordered) loaded_.problems.push_back(std::move(found));
  }

  std::size_t file_order(const Source& source) const {
    return static_cast<std::size_t>(std::ranges::find(files_, source.name) - files_.begin());
  }

  // ---- files

  void read_files() {
    if (!options_.file) return;
    files_ = {*options_.file};
    const std::filesystem::path directory = std::filesystem::path(*options_.file).parent_path();
    std::error_code error;
    std::vector<std::string> parts;
    for (auto entry = std::filesystem::directory_iterator(directory / "conf.d", error);
         !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
      const bool is_hidden = entry->path().filename().string().starts_with('.');
      if (entry->path().extension() == ".toml" && !is_hidden) parts.push_back(entry->path().string());
    }
    std::ranges::sort(parts);
    std::ranges::copy(parts, std::back_inserter(files_));
    for (const std::string& file : files_) {
      directory_ = std::filesystem::path(file).parent_path().string();
      const auto tree = read_toml_file(file);
      if (tree) {
        read_table(*tree->table(), {});
      } else {
        problem(tree.error().where, tree.error().message);
      }
    }
  }

  /// The root (`prefix` empty) or a [section] with its sub-sections.
  void read_table(const Value::Table& table, const std::string& prefix) {
    const Section* section = find_section(prefix);
    for (const Member& member : table) {
      const std::string path = prefix.empty() ? member.key : prefix + "." + member.key;
      const std::vector<std::string> children = children_of(prefix);
      const Section* child = find_section(path);
      if (child != nullptr && child->shape == Section::Shape::List) {
        read_routes(*child, member);
      } else if (child != nullptr && child->shape == Section::Shape::Named) {
        read_handlers(*child, member);
      } else if (std::ranges::find(children, member.key) != children.end()) {
        if (const Value::Table* inner = member.value.table()) {
          read_table(*inner, path);
        } else {
          problem(member.value.source,
                  fmt::format("{}: expected a table [{}], got {}", path, path, member.value.type_name()));
        }
      } else if (section != nullptr) {
        read_member(*section, prefix, section->of(loaded_.config), member);
      } else {
        unknown_at_root(member);
      }
    }
  }

  void unknown_at_root(const Member& member) {
    const Value::List* list = member.value.list();
    const std::vector<std::string> children = children_of({});
    const bool is_list = list != nullptr && !list->empty() && list->front().table() != nullptr;
    if (member.value.table() != nullptr || is_list) {
      const auto meant = nearest(member.key, children);
      const Section* section = meant ? find_section(*meant) : nullptr;
      const bool means_list = section != nullptr && section->shape == Section::Shape::List;
      problem(
          member.source,
          fmt::format("unknown section {}{}{}{}", is_list ? "[[" : "[", member.key, is_list ? "]]" : "]",
                      did_you_mean(member.key, children, means_list ? "[[" : "[", means_list ? "]]" : "]")));
    } else {
      problem(member.source, fmt::format("unknown key {} outside of any section{}", write_text(member.key),
                                         advice(member.key, nullptr, {})));
    }
  }

  /// One key of a section whose struct is `object`.
  void read_member(const Section& section, const std::string& prefix, void* object, const Member& member) {
    const Key* key = section.find(member.key);
    const std::string path = prefix + "." + member.key;
    if (key == nullptr) {
      problem(member.source, fmt::format("unknown key {} in {}{}", write_text(member.key),
                                         header_of(section, prefix), advice(member.key, &section, prefix)));
      return;
    }
    const auto before = loaded_.sources.find(path);
    const bool is_second = before != loaded_.sources.end();
    if (is_second && !key->is_list) {
      problem(member.source, fmt::format("{} is already set at {}", path, before->second.where()));
      return;
    }
    key->read(object, member.value, {path, directory_, is_second, &loaded_.problems});
    loaded_.sources.emplace(path, member.source);
  }

  void read_routes(const Section& section, const Member& member) {
    const Value::List* list = member.value.list();
    if (list == nullptr) {
      problem(member.source,
              fmt::format("{}: expected [[{}]], got {}", member.key, member.key, member.value.type_name()));
      return;
    }
    for (const Value& entry : *list) {
      if (entry.table() == nullptr) {
        problem(entry.source, fmt::format("{}: expected a table, got {}", member.key, entry.type_name()));
        continue;
      }
      const std::string prefix = fmt::format("{}.{}", section.name, loaded_.config.routes.size());
      RouteConfig route;
      apply_defaults(section, &route);
      loaded_.sources.emplace(prefix, entry.source);
      for (const Member& inner : *entry.table()) read_member(section, prefix, &route, inner);
      loaded_.config.routes.push_back(std::move(route));
    }
  }

  void read_handlers(const Section& section, const Member& member) {
    if (member.value.table() == nullptr) {
      problem(member.source, fmt::format("{}: expected [{}.NAME], got {}", member.key, member.key,
                                         member.value.type_name()));
      return;
    }
    for (const Member& entry : *member.value.table()) {
      if (entry.value.table() == nullptr) {
        problem(entry.source, fmt::format("{}: expected a table [{}.{}], got {}", section.name, section.name,
                                          entry.key, entry.value.type_name()));
        continue;
      }
      if (const auto name = check_name(entry.key); !name) {
        problem(entry.source, fmt::format("{}: {}", section.name, name.error()));
        continue;
      }
      const std::string prefix = fmt::format("{}.{}", section.name, entry.key);
      HandlerConfig& handler = handler_named(section, entry.key);
      loaded_.sources.emplace(prefix, entry.source);
      for (const Member& inner : *entry.value.table()) read_member(section, prefix, &handler, inner);
    }
  }

  HandlerConfig& handler_named(const Section& section, const std::string& name) {
    auto& handlers = loaded_.config.handlers;
    if (const auto found = std::ranges::find(handlers, name, &HandlerConfig::name); found != handlers.end())
      return *found;
    handlers.emplace_back().name = name;
    apply_defaults(section, &handlers.back());
    return handlers.back();
  }

  // ---- environment

  void read_environment() {
    std::vector<std::string> known;
    for (const auto& [name, text] : options_.environment) {
      if (!name.starts_with("SINNET_")) continue;
      bool is_known = false;
      known.clear();
      for (const Section& section : schema()) {
        if (section.shape != Section::Shape::Single) continue;
        for (const Key& key : section.keys) {
          if (key.is_list && section.variable_of(key) != name) continue;
          known.push_back(section.variable_of(key));
          if (known.back() != name) continue;
          is_known = true;
          read_variable(section, key, name, text);
        }
      }
      // Others may own such names (a container platform sets SINNET_PORT for a service called sinnet): only a
      // near miss is worth a word.
      if (const std::string meant = did_you_mean(name, known, "", ""); !is_known && !meant.empty()) {
        loaded_.warnings.push_back({{Source::Kind::Environment, name}, "is not a key" + meant});
      }
    }
  }

  void read_variable(const Section& section, const Key& key, const std::string& name,
                     const std::string& text) {
    const Source source{Source::Kind::Environment, name};
    if (key.is_list) {
      loaded_.warnings.push_back({source, fmt::format("{} is a list; lists are not read from the environment",
                                                      section.path_of(key))});
      return;
    }
    set(section, key, loose_value(text, source));
  }

  // ---- flags

  void set(const Section& section, const Key& key, const Value& value) {
    const std::string path = section.path_of(key);
    key.read(section.of(loaded_.config), value, {path, {}, false, &loaded_.problems});
    loaded_.sources[path] = value.source;
  }

  void read_flags() {
    for (const std::string& setting : options_.settings) read_setting(setting);
    if (!options_.listen.empty()) {
      const Section& server = *find_section("server");
      Value list{{Source::Kind::Flag, "--listen"}, Value::List{}};
      for (const std::string& address : options_.listen) {
        std::get<Value::List>(list.content)
            .push_back(loose_value(address, {Source::Kind::Flag, "--listen " + address}));
      }
      set(server, *server.find("listen"), list);
    }
    if (options_.handler)
      add_route("/*", *options_.handler, {Source::Kind::Flag, "--handler " + *options_.handler});
    for (const std::string& route : options_.routes) {
      const Source source{Source::Kind::Flag, "--route " + route};
      const std::size_t equals = route.find('=');
      if (equals == route.npos) {
        problem(source, "expected PATH=KIND, such as /chat=broadcast");
      } else {
        add_route(route.substr(0, equals), route.substr(equals + 1), source);
      }
    }
  }

  void read_setting(const std::string& setting) {
    const Source source{Source::Kind::Flag, "--set " + setting};
    const std::size_t equals = setting.find('=');
    if (equals == setting.npos) return problem(source, "expected section.key=value");
    const std::string path = setting.substr(0, equals);
    const std::size_t dot = path.rfind('.');
    if (dot == path.npos) return problem(source, "expected section.key=value" + advice(path, nullptr, {}));
    const std::string prefix = path.substr(0, dot);
    const std::string name = path.substr(dot + 1);
    const Value value = loose_value(setting.substr(equals + 1), source);
    if (prefix == "handler" || prefix.starts_with("handler.")) return set_handler(prefix, name, value);
    const Section* section = find_section(prefix);
    if (section == nullptr) {
      std::vector<std::string> names;
      for (const Section& known : schema()) names.push_back(known.name);
      return problem(source,
                     fmt::format("unknown section [{}]{}", prefix, did_you_mean(prefix, names, "[", "]")));
    }
    if (section->shape == Section::Shape::List)
      return problem(source, "routes are added with --route PATH=KIND");
    const Key* key = section->find(name);
    if (key == nullptr) {
      return problem(source, fmt::format("unknown key {} in [{}]{}", write_text(name), prefix,
                                         advice(name, section, prefix)));
    }
    set(*section, *key, value);
  }

  /// `--set handler.NAME.key=value`, for a handler that a file declared.
  void set_handler(const std::string& prefix, const std::string& name, const Value& value) {
    const Section& section = *find_section("handler");
    std::vector<std::string> names;
    names.reserve(loaded_.config.handlers.size());
    for (const HandlerConfig& handler : loaded_.config.handlers) names.push_back(handler.name);
    const std::string which = prefix.size() > 8 ? prefix.substr(8) : name;
    const auto found = std::ranges::find(loaded_.config.handlers, which, &HandlerConfig::name);
    if (found == loaded_.config.handlers.end()) {
      return problem(value.source,
                     fmt::format("there is no [handler.{}]{}", which, did_you_mean(which, names)));
    }
    const Key* key = prefix.size() > 8 ? section.find(name) : nullptr;
    if (key == nullptr) {
      return problem(value.source, fmt::format("unknown key {} in [{}]{}", write_text(name), prefix,
                                               did_you_mean(name, key_names(section))));
    }
    const std::string path = prefix + "." + name;
    key->read(&*found, value, {path, {}, false, &loaded_.problems});
    loaded_.sources[path] = value.source;
  }

  void add_route(const std::string& path, const std::string& kind, const Source& source) {
    const auto checked = check_route_path(path);
    if (!checked) return problem(source, "path: " + checked.error());
    auto handler = parse_handler_kind(kind);
    if (!handler) return problem(source, handler.error().message);
    const std::string type{name_of(handler->type)};
    handler->name = type;
    for (int number = 2; loaded_.config.handler(handler->name) != nullptr; ++number) {
      handler->name = fmt::format("{}-{}", type, number);
    }
    forget_routes(pattern_of(path), handler->type == HandlerType::Static);
    const std::string prefix = fmt::format("route.{}", loaded_.config.routes.size());
    for (const std::string& key : {prefix, prefix + ".path", prefix + ".handler", "handler." + handler->name,
                                   "handler." + handler->name + ".type"}) {
      loaded_.sources[key] = source;
    }
    if (handler->type == HandlerType::Static) loaded_.sources["handler." + handler->name + ".root"] = source;
    if (handler->type == HandlerType::Tcp) loaded_.sources["handler." + handler->name + ".target"] = source;
    RouteConfig route;
    route.path = *checked;
    route.handler = handler->name;
    loaded_.config.routes.push_back(std::move(route));
    loaded_.config.handlers.push_back(std::move(*handler));
  }

  /// A flag beats the file: drops the file's routes for any host with this pattern, and renumbers the
  /// sources.
  void forget_routes(const std::string& pattern, bool is_static) {
    auto& routes = loaded_.config.routes;
    for (std::size_t at = routes.size(); at-- > 0;) {
      const HandlerConfig* handler = loaded_.config.handler(routes[at].handler);
      const bool same_kind = handler != nullptr && (handler->type == HandlerType::Static) == is_static;
      const bool is_from_flag = loaded_.sources[fmt::format("route.{}", at)].kind == Source::Kind::Flag;
      if (is_from_flag || !same_kind || !routes[at].host.empty() || pattern_of(routes[at].path) != pattern)
        continue;
      routes.erase(routes.begin() + static_cast<std::ptrdiff_t>(at));
      std::map<std::string, Source, std::less<>> renumbered;
      for (auto& [key, source] : loaded_.sources) {
        if (!key.starts_with("route.")) {
          renumbered.emplace(key, std::move(source));
          continue;
        }
        const std::size_t dot = key.find('.', 6);
        const std::size_t number = static_cast<std::size_t>(std::stoul(key.substr(6, dot - 6)));
        const std::string rest = dot == key.npos ? "" : key.substr(dot);
        if (number != at)
          renumbered.emplace(fmt::format("route.{}{}", number > at ? number - 1 : number, rest), source);
      }
      loaded_.sources = std::move(renumbered);
    }
  }

  const LoadOptions& options_;
  Loaded loaded_;
  std::vector<std::string> files_;
  std::string directory_;
};

}  // namespace

std::string Problem::to_string() const {
  return where.kind == Source::Kind::Default ? message : where.where() + ": " + message;
}

Loaded load_config(const LoadOptions& options) { return Loader(options).run(); }

Config default_config() {
  Config config;
  for (const Section& section : schema()) {
    if (section.shape == Section::Shape::Single) apply_defaults(section, section.of(config));
  }
  return config;
}

std::vector<std::string> keys_needing_restart(const Config& running, const Config& wanted) {
  std::vector<std::string> names;
  for (const Section& section : schema()) {
    if (section.shape != Section::Shape::Single) continue;
    for (const Key& key : section.keys) {
      if (key.apply != Apply::Restart) continue;
      if (key.write(section.of_const(running)) != key.write(section.of_const(wanted)))
        names.push_back(section.path_of(key));
    }
  }
  return names;
}

Result<HandlerConfig> parse_handler_kind(std::string_view kind) {
  static const std::vector<std::string> kinds{"echo", "broadcast", "static", "tcp"};
  const std::size_t colon = kind.find(':');
  const std::string_view type = kind.substr(0, colon);
  const std::string_view rest = colon == kind.npos ? std::string_view{} : kind.substr(colon + 1);
  const auto found = std::ranges::find(kinds, type);
  const auto refuse = [](std::string message) {
    return fail(ErrorCode::InvalidArgument, std::move(message));
  };
  if (found == kinds.end()) {
    return refuse(fmt::format("unknown handler {}; there are echo, broadcast, static:DIR and tcp:HOST:PORT{}",
                              write_text(type), did_you_mean(type, kinds)));
  }
  HandlerConfig handler;
  apply_defaults(*find_section("handler"), &handler);
  handler.type = static_cast<HandlerType>(found - kinds.begin());
  const bool takes_more = handler.type == HandlerType::Static || handler.type == HandlerType::Tcp;
  if (!takes_more && colon != kind.npos) return refuse(fmt::format("{} takes nothing after it", type));
  if (takes_more && rest.empty()) {
    return refuse(handler.type == HandlerType::Static ? "static needs a directory: static:DIR"
                                                      : "tcp needs a target: tcp:HOST:PORT or tcp:unix:PATH");
  }
  if (handler.type == HandlerType::Static) {
    handler.root = resolve_path(rest, {});
    std::error_code error;
    if (!std::filesystem::is_directory(handler.root, error)) {
      return refuse(fmt::format("there is no directory {}", write_text(handler.root)));
    }
  }
  if (handler.type == HandlerType::Tcp) {
    auto target = check_target(rest, {});
    if (!target) return refuse(target.error());
    handler.target = std::move(*target);
  }
  return handler;
}

std::optional<std::string> default_config_file() {
  std::error_code error;
  if (std::filesystem::exists(default_file, error)) return std::string(default_file);
  return std::nullopt;
}

}  // namespace sinnet::daemon
