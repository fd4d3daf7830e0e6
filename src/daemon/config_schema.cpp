#include "daemon/config_schema.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "daemon/config_types.hpp"

namespace sinnet::daemon {
namespace {

using namespace std::chrono_literals;
using types::Choice;
using types::Count;
using types::Flag;
using types::ListenList;
using types::Path;
using types::Size;
using types::Span;
using types::Target;
using types::Text;
using types::TextList;

constexpr std::uint64_t kib = 1U << 10U;
constexpr std::uint64_t mib = 1U << 20U;
constexpr std::uint64_t gib = 1U << 30U;
constexpr Duration day = 24h;

constexpr std::array<std::string_view, 4> handler_types{"echo", "broadcast", "static", "tcp"};
constexpr std::array<std::string_view, 4> log_levels{"debug", "info", "warn", "error"};

std::vector<std::string> words(std::span<const std::string_view> texts) {
  return {texts.begin(), texts.end()};
}

/// What a key has besides name, type, default and line of documentation.
struct Extra {
  Apply apply = Apply::Reload;
  bool is_required = false;
  std::string_view only_for = {};
  std::string_view example = {};
};

/// Builds a Section whose keys are fields of `Object`.
template <class Object>
class Keys {
 public:
  Keys(std::string_view name, std::string_view doc, Section::Shape shape = Section::Shape::Single) {
    section_.name = name;
    section_.doc = doc;
    section_.shape = shape;
  }

  template <class Type>
  Keys& add(std::string_view name, typename Type::Field Object::* field, const Type& type,
            std::string_view initial, std::string_view doc, Extra extra = {}) {
    Key key;
    key.name = name;
    key.type = type.name();
    key.initial = initial;
    key.doc = doc;
    key.apply = extra.apply;
    key.is_list = Type::is_list;
    key.is_required = extra.is_required;
    key.only_for = extra.only_for;
    key.example = extra.example;
    key.read = [field, type](void* object, const Value& value, const ReadContext& context) {
      return type.read(static_cast<Object*>(object)->*field, value, context);
    };
    key.write = [field, type](const void* object) {
      return type.write(static_cast<const Object*>(object)->*field);
    };
    section_.keys.push_back(std::move(key));
    return *this;
  }

  Section in(Object& (*of)(Config&)) {
    section_.of = [of](Config& config) -> void* { return &of(config); };
    return std::move(section_);
  }
  Section done() { return std::move(section_); }

 private:
  Section section_;
};

constexpr Extra restart{.apply = Apply::Restart};

Section server_section() {
  return Keys<ServerConfig>("server", "Where to listen and who we are.")
      .add("listen", &ServerConfig::listen, ListenList{}, "127.0.0.1:8080",
           "also \"unix:/run/sinnet/ws.sock\", \"0.0.0.0:443 tls\", \"127.0.0.1:81 proxy\"",
           {.apply = Apply::Restart, .example = "127.0.0.1:8080"})
      .add("name", &ServerConfig::name, Text{check_host_name}, "",
           "the server's own name, \"ws.example.com\": Host check, URLs, Server header")
      .add("shards", &ServerConfig::shards, Count{1, 1024, "auto"}, "auto", "one loop per core", restart)
      .add("trusted_proxies", &ServerConfig::trusted_proxies, TextList{check_proxy}, "",
           "\"127.0.0.1\", \"10.0.0.0/8\", \"unix\": X-Forwarded-For is read right to left up to the first "
           "untrusted hop")
      .add("user", &ServerConfig::user, Text{check_plain_text}, "",
           "after binding: groups, gid, uid dropped, no_new_privs", restart)
      .add("drain", &ServerConfig::drain, Span{0s, day}, "5s",
           "SIGTERM: how long busy connections may take to finish")
      .in([](Config& config) -> ServerConfig& { return config.server; });
}

Section tls_section() {
  return Keys<TlsConfig>("server.tls",
                         "For addresses with the word tls. Files are read again when they change.")
      .add("cert", &TlsConfig::cert, Path{Path::Kind::File}, "", "PEM: the certificate and its chain")
      .add("key", &TlsConfig::key, Path{Path::Kind::File}, "", "PEM")
      .add("client_ca", &TlsConfig::client_ca, Path{Path::Kind::File}, "",
           "set: mutual TLS; the subject is visible to handlers and selectors")
      .in([](Config& config) -> TlsConfig& { return config.server.tls; });
}

Section limits_section() {
  return Keys<LimitsConfig>("limits", "What one client, one message and one slow reader may cost.")
      .add("connections", &LimitsConfig::connections, Count{1, 10'000'000}, "200_000",
           "the soft descriptor limit is raised; what does not fit is warned about")
      .add("connections_per_ip", &LimitsConfig::connections_per_ip, Count{1, 10'000'000}, "1000",
           "by forwarded address; a trusted proxy that forwards none is not counted")
      .add("handshakes_per_ip", &LimitsConfig::handshakes_per_ip, Count{1, 10'000'000}, "100",
           "unfinished ones")
      .add("message", &LimitsConfig::message_bytes_max, Size{1, 4 * gib}, "1MiB", "after inflation")
      .add("handshake_timeout", &LimitsConfig::handshake_timeout, Span{100ms, 1h}, "5s",
           "from accepting a connection to the end of its request head")
      .add("send_queue", &LimitsConfig::send_queue_bytes_max, Size{4 * kib, 4 * gib}, "1MiB",
           "what waits behind the message being written; one permitted message always fits")
      .add("slow_consumer", &LimitsConfig::slow_consumer, Choice<SlowConsumer>{{"close"}}, "close",
           "for messages from others when the queue is full: close (with 1008)")
      .add("ping_interval", &LimitsConfig::ping_interval, Span{0s, day}, "25s", "\"0s\": no pings")
      .add("pong_timeout", &LimitsConfig::pong_timeout, Span{100ms, day}, "10s",
           "no answer to a ping for so long: gone")
      .in([](Config& config) -> LimitsConfig& { return config.limits; });
}

Section compression_section() {
  return Keys<CompressionConfig>("compression", "permessage-deflate.")
      .add("enabled", &CompressionConfig::enabled, Flag{}, "true",
           "accept a client's offer; the server cannot offer")
      .add("context_takeover", &CompressionConfig::context_takeover, Flag{}, "false",
           "keep the window between messages: smaller messages, much more memory per connection")
      .add("window_bits", &CompressionConfig::window_bits, Count{9, 15}, "15", "9 to 15; less saves memory")
      .add("threshold", &CompressionConfig::threshold_bytes, Size{0, mib}, "128",
           "shorter messages are sent as they are")
      .in([](Config& config) -> CompressionConfig& { return config.compression; });
}

Section security_section() {
  return Keys<SecurityConfig>("security", "Which pages' scripts may connect.")
      .add("allowed_origins", &SecurityConfig::allowed_origins, TextList{check_origin}, "",
           "\"https://example.com\", \"https://*.example.com\", \"*\"; empty = same origin")
      .add("require_origin", &SecurityConfig::require_origin, Flag{}, "false",
           "refuse requests without Origin (they do not come from browsers)")
      .in([](Config& config) -> SecurityConfig& { return config.security; });
}

Section route_section() {
  return Keys<RouteConfig>("route", "One [[route]] per path. The most specific path wins.",
                           Section::Shape::List)
      .add("path", &RouteConfig::path, Text{check_route_path}, "",
           "\"/x\" exact, \"{name}\" one segment, \"/dir/*\" prefix", {.is_required = true, .example = "/*"})
      .add("host", &RouteConfig::host, Text{check_route_host}, "",
           "only for this Host; \"*.example.com\" too; empty = any")
      .add("protocols", &RouteConfig::protocols, TextList{check_protocol}, "",
           "none fits what the client offers: 400 with the list; empty = any")
      .add("handler", &RouteConfig::handler, Text{check_name}, "", "the name of a [handler.NAME]",
           {.is_required = true, .example = "echo"})
      .done();
}

Section handler_section() {
  return Keys<HandlerConfig>("handler", "One [handler.NAME] per name.", Section::Shape::Named)
      .add("type", &HandlerConfig::type, Choice<HandlerType>{words(handler_types)}, "echo",
           "echo | broadcast (to all others on the route) | static | tcp",
           {.is_required = true, .example = "echo"})
      .add("root", &HandlerConfig::root, Path{Path::Kind::Directory}, "", "the directory that is served",
           {.is_required = true, .only_for = "static"})
      .add("index", &HandlerConfig::index, Text{check_index}, "index.html", "the file served for a directory",
           {.only_for = "static"})
      .add("target", &HandlerConfig::target, Target{}, "", "\"127.0.0.1:5432\", \"unix:/run/x.sock\"",
           {.is_required = true, .only_for = "tcp"})
      .done();
}

Section log_section() {
  return Keys<LogConfig>("log", "Lines on stderr.")
      .add("format", &LogConfig::format, Choice<LogFormat>{{"text", "json"}}, "text", "text | json", restart)
      .add("level", &LogConfig::level, Choice<LogLevel>{words(log_levels)}, "info",
           "debug | info | warn | error")
      .add("access", &LogConfig::access, Flag{}, "true", "one line per request and per connection")
      .in([](Config& config) -> LogConfig& { return config.log; });
}

}  // namespace

bool ReadContext::refuse(const Value& value, std::string_view why) const {
  problems->push_back({value.source, std::string(key).append(": ").append(why)});
  return false;
}

const Key* Section::find(std::string_view key) const noexcept {
  const auto found = std::ranges::find(keys, key, &Key::name);
  return found == keys.end() ? nullptr : &*found;
}

std::string Section::variable_of(const Key& key) const {
  std::string result = "SINNET_" + path_of(key);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c == '.') c = '_';
  }
  return result;
}

std::span<const Section> schema() {
  static const std::array sections{server_section(),      tls_section(),      limits_section(),
                                   compression_section(), security_section(), route_section(),
                                   handler_section(),     log_section()};
  return sections;
}

const Section* find_section(std::string_view name) noexcept {
  const auto sections = schema();
  const auto found = std::ranges::find(sections, name, &Section::name);
  return found == sections.end() ? nullptr : &*found;
}

std::vector<std::string> key_names(const Section& section) {
  std::vector<std::string> names;
  names.reserve(section.keys.size());
  for (const Key& key : section.keys) names.push_back(key.name);
  return names;
}

std::string_view name_of(HandlerType type) noexcept { return handler_types[static_cast<std::size_t>(type)]; }
std::string_view name_of(LogLevel level) noexcept { return log_levels[static_cast<std::size_t>(level)]; }

}  // namespace sinnet::daemon
