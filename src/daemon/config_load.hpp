#pragma once
/// From flags, environment, files and defaults to one Config, or to every reason why not.
/// This file never prints and never ends the program.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/config.hpp"
#include "daemon/config_value.hpp"

namespace sinnet::daemon {

/// Where to load from. Flag beats environment beats file beats default.
struct LoadOptions {
  std::optional<std::string> file;     ///< -c; conf.d/*.toml beside it is read too, in the order of names
  std::vector<std::string> listen;     ///< --listen: replaces server.listen when not empty
  std::optional<std::string> handler;  ///< --handler KIND: one route for every path
  std::vector<std::string> routes;     ///< --route PATH=KIND: replaces a file's route of the same path
  std::vector<std::string> settings;   ///< --set section.key=value
  std::vector<std::pair<std::string, std::string>>
      environment;        ///< name and value; only SINNET_… is looked at
  bool insecure = false;  ///< --insecure: other machines may connect without authentication
};

/// One thing to tell a person: "demo.toml:3:1: unknown key …", "--set limits.message=9XB: …".
struct Problem {
  Source where;
  std::string message;

  [[nodiscard]] std::string to_string() const;
};

/// The outcome. `config` is complete and checked if and only if `problems` is empty.
struct Loaded {
  Config config;
  std::vector<Problem> problems;  ///< all that were found, by file and line
  std::vector<Problem> warnings;  ///< worth saying, not worth refusing
  /// "limits.message", "handler.chat.type" or "route.0.path" to who set it. A key that is absent has its
  /// default.
  std::map<std::string, Source, std::less<>> sources;

  [[nodiscard]] bool ok() const noexcept { return problems.empty(); }
};

/// Reads files and looks whether those named exist; nothing else of the world. Does not throw (bad_alloc
/// aside).
[[nodiscard]] Loaded load_config(const LoadOptions& options);

/// The documented defaults: what an empty file gives.
[[nodiscard]] Config default_config();

/// The keys that differ and cannot be changed while running: "server.listen". A reload names them and leaves
/// them alone.
[[nodiscard]] std::vector<std::string> keys_needing_restart(const Config& running, const Config& wanted);

/// KIND of --handler and --route: `echo`, `broadcast`, `static:DIR`, `tcp:HOST:PORT`, `tcp:unix:PATH`.
/// The name is left empty; a relative DIR is taken from the working directory.
[[nodiscard]] Result<HandlerConfig> parse_handler_kind(std::string_view kind);

/// The file used without -c, --listen and --handler: /etc/sinnet/sinnet.toml if there is one.
[[nodiscard]] std::optional<std::string> default_config_file();

}  // namespace sinnet::daemon
