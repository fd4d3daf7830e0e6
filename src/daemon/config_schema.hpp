#pragma once
/// The one table of configuration keys. Parsing, unknown-key errors, environment names, --set, --print,
/// --print-defaults and `init` are all read off it: adding a key is one field in config.hpp and one line in
/// config_schema.cpp.

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config.hpp"
#include "daemon/config_load.hpp"
#include "daemon/config_value.hpp"

namespace sinnet::daemon {

/// When a changed key takes effect.
enum class Apply : std::uint8_t { Reload, Restart };

/// What a reader needs besides the value.
struct ReadContext {
  std::string_view key;        ///< the full name, for messages: "limits.message"
  std::string_view directory;  ///< relative paths are seen from here
  bool append = false;         ///< lists: add to what another file gave
  std::vector<Problem>* problems = nullptr;

  /// Notes "key: why" at the value's place; answers false, so that a reader can `return context.refuse(…)`.
  bool refuse(const Value& value, std::string_view why) const;
};

/// One key of a section. `object` is the section's struct: ServerConfig for "server", RouteConfig for
/// "route", …
struct Key {
  std::string name;
  std::string type;     ///< for people: "size", "list of origins"
  std::string initial;  ///< the default, as one would write it after --set
  std::string doc;      ///< one line
  Apply apply = Apply::Reload;
  bool is_list = false;
  bool is_required = false;
  std::string only_for;  ///< handlers: the one `type` it belongs to; empty: every one
  std::string example;   ///< what the starter writes instead of the default; empty: the default

  std::function<bool(void* object, const Value& value, const ReadContext& context)> read;
  std::function<std::string(const void* object)> write;  ///< as TOML
};

/// One [section], all [[route]]s, or all [handler.NAME]s.
struct Section {
  enum class Shape : std::uint8_t { Single, List, Named };

  std::string name;  ///< "server.tls"; "route" and "handler" for the others
  std::string doc;
  Shape shape = Shape::Single;
  std::vector<Key> keys;
  std::function<void*(Config& config)> of;  ///< the object in a Config; Single only

  [[nodiscard]] const Key* find(std::string_view key) const noexcept;
  /// "limits.message". Single only.
  [[nodiscard]] std::string path_of(const Key& key) const { return name + "." + key.name; }
  /// "SINNET_LIMITS_MESSAGE". Single only.
  [[nodiscard]] std::string variable_of(const Key& key) const;
  [[nodiscard]] const void* of_const(const Config& config) const { return of(const_cast<Config&>(config)); }
};

/// The table. Made at the first call, so that a program which needs no configuration does not pay for it.
[[nodiscard]] std::span<const Section> schema();
/// Null if there is none.
[[nodiscard]] const Section* find_section(std::string_view name) noexcept;

/// The names of `section`'s keys.
[[nodiscard]] std::vector<std::string> key_names(const Section& section);

/// `type` of a handler as it is written: "broadcast".
[[nodiscard]] std::string_view name_of(HandlerType type) noexcept;
[[nodiscard]] std::string_view name_of(LogLevel level) noexcept;

}  // namespace sinnet::daemon
