#include "daemon/config_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "daemon/config_schema.hpp"
#include "daemon/config_suggest.hpp"
#include "daemon/config_text.hpp"

namespace sinnet::daemon {
namespace {

/// Who set `path`, or what it is in: "route.0" for "route.0.host".
Source source_of(const Loaded& loaded, std::string path) {
  while (true) {
    if (const auto found = loaded.sources.find(path); found != loaded.sources.end()) return found->second;
    const std::size_t dot = path.rfind('.');
    if (dot == path.npos) return {};
    path.resize(dot);
  }
}

class Checker {
 public:
  Checker(Loaded& loaded, bool insecure) : loaded_(loaded), config_(loaded.config), insecure_(insecure) {}

  void run() {
    handlers();
    routes();
    listeners();
    tls();
  }

 private:
  /// `path` is a key; `where` is looked up for it.
  void problem(const std::string& path, std::string message) {
    loaded_.problems.push_back({source_of(loaded_, path), std::move(message)});
  }
  void warning(const std::string& path, std::string message) {
    loaded_.warnings.push_back({source_of(loaded_, path), std::move(message)});
  }
  bool is_set(const std::string& path) const { return loaded_.sources.contains(path); }

  void required(const Section& section, const std::string& prefix, const void* object,
                std::string_view type) {
    const std::string header =
        section.shape == Section::Shape::List ? "[[" + section.name + "]]" : "[" + prefix + "]";
    for (const Key& key : section.keys) {
      if (!key.is_required || (!key.only_for.empty() && key.only_for != type)) continue;
      const std::string path = prefix + "." + key.name;
      const bool is_empty = is_set(path) && key.write(object) == "\"\"" && !had_problem(path);
      if (is_set(path) && !is_empty) continue;
      const bool for_type = !key.only_for.empty();
      problem(path, fmt::format("{} needs {}{}", header, write_text(key.name),
                                for_type ? fmt::format(" for type {}", write_text(type)) : ""));
    }
  }

  /// Whether reading the key itself was refused, so that its empty field is no second finding.
  bool had_problem(const std::string& path) const {
    return std::ranges::any_of(loaded_.problems,
                               [&](const Problem& known) { return known.message.starts_with(path + ":"); });
  }

  void handlers() {
    const Section& section = *find_section("handler");
    for (const HandlerConfig& handler : config_.handlers) {
      const std::string prefix = "handler." + handler.name;
      const std::string type_path = prefix + ".type";
      if (!is_set(type_path)) {
        problem(prefix, fmt::format("[{}] needs \"type\"", prefix));
        continue;
      }
      if (had_problem(type_path)) continue;
      const std::string_view type = name_of(handler.type);
      required(section, prefix, &handler, type);
      for (const Key& key : section.keys) {
        const std::string path = prefix + "." + key.name;
        if (key.only_for.empty() || key.only_for == type || !is_set(path)) continue;
        problem(path, fmt::format("[{}]: {} belongs to type {}; this handler's type is {}", prefix,
                                  write_text(key.name), write_text(key.only_for), write_text(type)));
      }
      const bool is_used =
          std::ranges::find(config_.routes, handler.name, &RouteConfig::handler) != config_.routes.end();
      if (!is_used) warning(prefix, fmt::format("no route uses [{}]", prefix));
    }
  }

  void routes() {
    const Section& section = *find_section("route");
    std::vector<std::string> names;
    names.reserve(config_.handlers.size());
    for (const HandlerConfig& handler : config_.handlers) names.push_back(handler.name);
    for (std::size_t at = 0; at < config_.routes.size(); ++at) {
      const RouteConfig& route = config_.routes[at];
      const std::string prefix = fmt::format("route.{}", at);
      required(section, prefix, &route, "");
      if (route.path.empty() || route.handler.empty()) continue;
      const HandlerConfig* handler = config_.handler(route.handler);
      if (handler == nullptr) {
        problem(prefix + ".handler",
                fmt::format("route {}: there is no [handler.{}]{}", write_text(route.path), route.handler,
                            did_you_mean(route.handler, names)));
        continue;
      }
      if (handler->type == HandlerType::Static && !route.protocols.empty()) {
        problem(prefix + ".protocols",
                fmt::format("route {}: a static handler speaks no subprotocol", write_text(route.path)));
      }
      for (std::size_t before = 0; before < at; ++before) {
        if (!collide(config_.routes[before], route, handler->type == HandlerType::Static)) continue;
        problem(prefix + ".path", fmt::format("route {}: {} answers the same requests",
                                              write_text(route.path), describe(before)));
        break;
      }
    }
  }

  std::string describe(std::size_t at) const {
    return fmt::format("the route at {}", source_of(loaded_, fmt::format("route.{}.path", at)).where());
  }

  /// A page and a WebSocket may share a path, and so may handlers that different subprotocols choose.
  bool collide(const RouteConfig& first, const RouteConfig& second, bool second_is_static) const {
    const HandlerConfig* handler = config_.handler(first.handler);
    if (handler == nullptr || (handler->type == HandlerType::Static) != second_is_static) return false;
    if (first.host != second.host || pattern_of(first.path) != pattern_of(second.path)) return false;
    if (first.protocols.empty() || second.protocols.empty())
      return first.protocols.empty() == second.protocols.empty();
    return std::ranges::find_first_of(first.protocols, second.protocols) != first.protocols.end();
  }

  void listeners() {
    if (config_.server.listen.empty() && !had_problem("server.listen")) {
      problem("server.listen", "server.listen: is empty; there is nothing to listen on");
    }
    if (insecure_) return;
    for (const ListenAddress& address : config_.server.listen) {
      if (!address.is_public()) continue;
      const std::string who = config_.routes.empty() ? "nobody has to"
                                                     : fmt::format("on route {} nobody has to",
                                                                   write_text(config_.routes[0].path));
      problem("server.listen",
              fmt::format("server.listen: {} can be reached from other machines and {} authenticate; "
                          "listen on 127.0.0.1, or say --insecure if that is meant",
                          write_text(address.address), who));
    }
  }

  void tls() {
    const TlsConfig& files = config_.server.tls;
    const auto secured = std::ranges::find(config_.server.listen, true, &ListenAddress::tls);
    const bool listens = secured != config_.server.listen.end();
    const bool any_problem = had_problem("server.tls.cert") || had_problem("server.tls.key");
    if (any_problem) return;
    if (files.cert.empty() != files.key.empty()) {
      const bool no_key = files.key.empty();
      problem(no_key ? "server.tls.cert" : "server.tls.key",
              fmt::format("server.tls: {} is set, {} is missing", no_key ? "cert" : "key",
                          no_key ? "key" : "cert"));
    } else if (listens && files.cert.empty()) {
      problem("server.listen", fmt::format("server.listen: {} needs server.tls.cert and server.tls.key",
                                           write_text(secured->to_string())));
    } else if (!listens && !files.cert.empty()) {
      warning("server.tls.cert",
              "server.tls: no address in server.listen has the word tls; the certificate is not used");
    } else if (files.cert.empty() && !files.client_ca.empty()) {
      problem("server.tls.client_ca", "server.tls: client_ca is set, cert and key are missing");
    }
  }

  Loaded& loaded_;
  const Config& config_;
  bool insecure_;
};

}  // namespace

std::string pattern_of(std::string_view route_path) {
  std::string result;
  bool in_name = false;
  for (const char c : route_path) {
    if (c == '}') in_name = false;
    if (!in_name) result += c;
    if (c == '{') in_name = true;
  }
  return result;
}

void check_config(Loaded& loaded, bool insecure) { Checker(loaded, insecure).run(); }

}  // namespace sinnet::daemon
