// Where values come from: defaults, files and their parts, environment, flags; and which of them wins.

#include "daemon/config_load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "daemon/config_print.hpp"
#include "daemon/config_schema.hpp"
#include "daemon/config_types.hpp"
#include "support/scratch.hpp"

namespace sinnet::daemon {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> texts(const std::vector<Problem>& problems) {
  std::vector<std::string> result;
  for (const Problem& problem : problems) result.push_back(problem.to_string());
  return result;
}

class ConfigLoad : public testing::Test {
 protected:
  Loaded load(std::string_view text, LoadOptions options = {}) {
    options.file = scratch_.write("sinnet.toml", text);
    return load_config(options);
  }
  test::ScratchDirectory scratch_;
};

TEST_F(ConfigLoad, DefaultsAreThoseOfTheDocumentation) {
  const Config config = default_config();
  ASSERT_EQ(config.server.listen.size(), 1U);
  EXPECT_EQ(config.server.listen[0].to_string(), "127.0.0.1:8080");
  EXPECT_EQ(config.server.shards, 0U);
  EXPECT_EQ(config.server.drain, 5s);
  EXPECT_EQ(config.limits.connections, 200'000U);
  EXPECT_EQ(config.limits.connections_per_ip, 1000U);
  EXPECT_EQ(config.limits.handshakes_per_ip, 100U);
  EXPECT_EQ(config.limits.message_bytes_max, 1'048'576U);
  EXPECT_EQ(config.limits.handshake_timeout, 5s);
  EXPECT_EQ(config.limits.send_queue_bytes_max, 1'048'576U);
  EXPECT_EQ(config.limits.slow_consumer, SlowConsumer::Close);
  EXPECT_EQ(config.limits.ping_interval, 25s);
  EXPECT_EQ(config.limits.pong_timeout, 10s);
  EXPECT_TRUE(config.compression.enabled);
  EXPECT_FALSE(config.compression.context_takeover);
  EXPECT_EQ(config.compression.window_bits, 15U);
  EXPECT_EQ(config.compression.threshold_bytes, 128U);
  EXPECT_THAT(config.security.allowed_origins, IsEmpty());
  EXPECT_FALSE(config.security.require_origin);
  EXPECT_EQ(config.log.format, LogFormat::Text);
  EXPECT_TRUE(config.log.access);
  EXPECT_EQ(load("").config, config);
}

TEST_F(ConfigLoad, EveryKeyIsRead) {
  scratch_.write("tls.crt", "x");
  const Loaded loaded = load(R"(
[server]
listen = ["127.0.0.1:1 tls", "[::1]:2 tls proxy", "unix:ws.sock"]
name = "WS.Example.com"
shards = 4
trusted_proxies = ["127.0.0.1", "10.0.0.0/8", "fd00::/8", "unix"]
user = "sinnet"
drain = "1m"
tls = { cert = "tls.crt", key = "./tls.crt", client_ca = "" }
[limits]
connections = 1_000
connections_per_ip = 10
handshakes_per_ip = 5
message = "64KiB"
handshake_timeout = "250ms"
send_queue = 5000
slow_consumer = "close"
ping_interval = "0s"
pong_timeout = "2h"
[compression]
enabled = false
context_takeover = true
window_bits = 9
threshold = "1KiB"
[security]
allowed_origins = ["HTTPS://Example.com:443", "http://*.b.c:8080", "*"]
require_origin = true
[[route]]
path = "/chat"
host = "*.Example.com"
protocols = ["chat.v1", "chat.v2"]
handler = "db"
[handler.db]
type = "tcp"
target = "DB.local:5432"
[handler.page]
type = "static"
root = "."
index = "home.html"
[log]
format = "json"
level = "error"
access = false
)");
  ASSERT_THAT(texts(loaded.problems), IsEmpty());
  Config wanted;
  wanted.server = {.listen = {{"127.0.0.1:1", true, false},
                              {"[::1]:2", true, true},
                              {"unix:" + scratch_.path("ws.sock"), false, false}},
                   .name = "ws.example.com",
                   .shards = 4,
                   .trusted_proxies = {"127.0.0.1", "10.0.0.0/8", "fd00::/8", "unix"},
                   .user = "sinnet",
                   .drain = 60s,
                   .tls = {scratch_.path("tls.crt"), scratch_.path("tls.crt"), ""}};
  wanted.limits = {1000, 10, 5, 65536, 250ms, 5000, SlowConsumer::Close, 0s, 2h};
  wanted.compression = {false, true, 9, 1024};
  wanted.security = {{"https://example.com", "http://*.b.c:8080", "*"}, true};
  wanted.routes = {{"/chat", "*.example.com", {"chat.v1", "chat.v2"}, "db"}};
  wanted.handlers = {{"db", HandlerType::Tcp, "", "index.html", "db.local:5432"},
                     {"page", HandlerType::Static, scratch_.path(), "home.html", ""}};
  wanted.log = {LogFormat::Json, LogLevel::Error, false};
  EXPECT_EQ(loaded.config, wanted);
  EXPECT_EQ(loaded.config.handler("db"), &loaded.config.handlers[0]);
  EXPECT_EQ(loaded.config.handler("nobody"), nullptr);
}

TEST_F(ConfigLoad, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  const std::string file = "[limits]\nmessage = 10\nsend_queue = 5000\n";
  LoadOptions options;
  EXPECT_EQ(load(file).config.limits.message_bytes_max, 10U);
  options.environment = {{"SINNET_LIMITS_MESSAGE", "20"}};
  EXPECT_EQ(load(file, options).config.limits.message_bytes_max, 20U);
  options.settings = {"limits.message=30"};
  const Loaded loaded = load(file, options);
  EXPECT_EQ(loaded.config.limits.message_bytes_max, 30U);
  EXPECT_EQ(loaded.config.limits.send_queue_bytes_max, 5000U);
  EXPECT_EQ(loaded.config.limits.connections, 200'000U);
}

TEST_F(ConfigLoad, EachValueRemembersWhoSetIt) {
  LoadOptions options;
  options.environment = {{"SINNET_LOG_LEVEL", "debug"}};
  options.settings = {"limits.message=64MiB"};
  const std::string text = print_effective(load("[server]\nname = \"a.b\"\n", options));
  EXPECT_THAT(text, HasSubstr("limits.message = \"64MiB\"  # flag --set\n"));
  EXPECT_THAT(text, HasSubstr("log.level = \"debug\"  # env SINNET_LOG_LEVEL\n"));
  EXPECT_THAT(text, HasSubstr("server.name = \"a.b\"  # file " + scratch_.path("sinnet.toml") + ":2\n"));
  EXPECT_THAT(text, HasSubstr("log.access = true  # default\n"));
}

TEST_F(ConfigLoad, PartsAppendToLists) {
  scratch_.write("conf.d/20-b.toml",
                 "[server]\nlisten = [\"127.0.0.1:3\"]\n[[route]]\npath=\"/b\"\nhandler=\"echo\"\n");
  scratch_.write("conf.d/10-a.toml",
                 "[server]\nlisten = [\"127.0.0.1:2\"]\n[[route]]\npath=\"/a\"\nhandler=\"echo\"\n");
  scratch_.write("conf.d/ignored.txt", "nonsense");
  scratch_.write("conf.d/.hidden.toml", "nonsense");
  const Loaded loaded = load("[server]\nlisten = [\"127.0.0.1:1\"]\n[handler.echo]\ntype=\"echo\"\n");
  ASSERT_THAT(texts(loaded.problems), IsEmpty());
  ASSERT_EQ(loaded.config.server.listen.size(), 3U);
  EXPECT_EQ(loaded.config.server.listen[1].address, "127.0.0.1:2");
  EXPECT_EQ(loaded.config.server.listen[2].address, "127.0.0.1:3");
  ASSERT_EQ(loaded.config.routes.size(), 2U);
  EXPECT_EQ(loaded.config.routes[0].path, "/a");
  EXPECT_EQ(loaded.sources.at("route.1.path").where(), scratch_.path("conf.d/20-b.toml") + ":4:1");
}

TEST_F(ConfigLoad, ListOfAPartReplacesTheDefaultAndDoesNotJoinIt) {
  scratch_.write("conf.d/a.toml", "[server]\nlisten = [\"127.0.0.1:2\"]\n");
  const Loaded loaded = load("");
  ASSERT_EQ(loaded.config.server.listen.size(), 1U);
  EXPECT_EQ(loaded.config.server.listen[0].address, "127.0.0.1:2");
}

TEST_F(ConfigLoad, SameScalarInTwoFilesIsAnError) {
  const std::string part =
      scratch_.write("conf.d/a.toml", "[limits]\nmessage = 2\n[handler.echo]\ntype = \"echo\"\n");
  const std::string main = scratch_.path("sinnet.toml");
  EXPECT_THAT(texts(load("[limits]\nmessage = 1\n[handler.echo]\ntype = \"echo\"\n").problems),
              ElementsAre(part + ":2:1: limits.message is already set at " + main + ":2:1",
                          part + ":4:1: handler.echo.type is already set at " + main + ":4:1"));
}

TEST_F(ConfigLoad, RelativePathsAreSeenFromTheirFile) {
  scratch_.write("conf.d/www/x", "");
  scratch_.write(
      "conf.d/a.toml",
      "[handler.page]\ntype=\"static\"\nroot=\"www\"\n[handler.db]\ntype=\"tcp\"\ntarget=\"unix:../db\"\n");
  const Loaded loaded = load("");
  ASSERT_THAT(texts(loaded.problems), IsEmpty());
  EXPECT_EQ(loaded.config.handlers[0].root, scratch_.path("conf.d/www"));
  EXPECT_EQ(loaded.config.handlers[1].target, "unix:" + scratch_.path("db"));
}

// ---- environment

TEST_F(ConfigLoad, EnvironmentIsReadByTheTypeOfTheKey) {
  LoadOptions options;
  options.environment = {{"SINNET_LOG_ACCESS", "no"},           {"SINNET_COMPRESSION_WINDOW_BITS", "10"},
                         {"SINNET_LIMITS_PING_INTERVAL", "1m"}, {"SINNET_SERVER_SHARDS", "auto"},
                         {"SINNET_SERVER_NAME", "\"a.b\""},     {"SINNET_SERVER_TLS_CERT", ""}};
  const Loaded loaded = load_config(options);
  ASSERT_THAT(texts(loaded.problems), IsEmpty());
  EXPECT_FALSE(loaded.config.log.access);
  EXPECT_EQ(loaded.config.compression.window_bits, 10U);
  EXPECT_EQ(loaded.config.limits.ping_interval, 1min);
  EXPECT_EQ(loaded.config.server.shards, 0U);
  EXPECT_EQ(loaded.config.server.name, "a.b");
}

TEST_F(ConfigLoad, BadVariableIsNamed) {
  LoadOptions options;
  options.environment = {{"SINNET_LOG_ACCESS", "maybe"}};
  EXPECT_THAT(texts(load_config(options).problems),
              ElementsAre("SINNET_LOG_ACCESS: log.access: \"maybe\" is neither true nor false"));
}

TEST_F(ConfigLoad, VariablesThatAreNotOursAreLeftAloneAndNearMissesAreWarnedAbout) {
  LoadOptions options;
  options.environment = {{"SINNET_PORT", "tcp://10.0.0.1:80"}, {"SINNET_SOCKET", "/x"}, {"PATH", "/bin"}};
  EXPECT_THAT(texts(load_config(options).warnings), IsEmpty());
  options.environment = {{"SINNET_LIMIT_MESSAGE", "1"}, {"SINNET_SERVER_LISTEN", "127.0.0.1:1"}};
  EXPECT_THAT(
      texts(load_config(options).warnings),
      ElementsAre("SINNET_LIMIT_MESSAGE: is not a key; did you mean SINNET_LIMITS_MESSAGE?",
                  "SINNET_SERVER_LISTEN: server.listen is a list; lists are not read from the environment"));
}

TEST(ConfigSchema, NamesOfVariablesAreUnambiguousAndEveryKeyIsDocumented) {
  std::set<std::string> names;
  for (const Section& section : schema()) {
    EXPECT_FALSE(section.doc.empty()) << section.name;
    for (const Key& key : section.keys) {
      EXPECT_FALSE(key.doc.empty()) << section.path_of(key);
      EXPECT_TRUE(names.insert(section.variable_of(key)).second) << section.variable_of(key);
    }
  }
}

// ---- flags

Loaded with_settings(std::vector<std::string> settings) {
  LoadOptions options;
  options.settings = std::move(settings);
  return load_config(options);
}

TEST(ConfigFlags, SetReadsListsByCommasWithQuotesOptional) {
  const auto listen_of = [](const std::string& text) {
    std::vector<std::string> result;
    for (const auto& address : with_settings({"server.listen=" + text}).config.server.listen) {
      result.push_back(address.to_string());
    }
    return result;
  };
  const auto both = ElementsAre("127.0.0.1:1", "[::1]:2");
  EXPECT_THAT(listen_of("127.0.0.1:1,[::1]:2"), both);
  EXPECT_THAT(listen_of("\"127.0.0.1:1\", \"[::1]:2\""), both);
  EXPECT_THAT(listen_of("[\"127.0.0.1:1\", '[::1]:2']"), both);
  EXPECT_THAT(listen_of("[::1]:2"), ElementsAre("[::1]:2"));
}

TEST(ConfigFlags, SetTakesQuotesOrNot) {
  EXPECT_EQ(with_settings({"limits.message=2MiB"}).config.limits.message_bytes_max, 2'097'152U);
  EXPECT_EQ(with_settings({"limits.message=\"2MiB\""}).config.limits.message_bytes_max, 2'097'152U);
  EXPECT_EQ(with_settings({"log.level='warn'"}).config.log.level, LogLevel::Warn);
  EXPECT_EQ(with_settings({"log.level=warn", "log.level=error"}).config.log.level, LogLevel::Error);
}

TEST(ConfigFlags, BadSettingsAreExplained) {
  const std::pair<const char*, const char*> cases[] = {
      {"limits.message=1XB",
       "limits.message: \"1XB\" has an unknown unit \"XB\"; sizes end in KiB, MiB or GiB"},
      {"limits.message", "expected section.key=value"},
      {"message=1", "expected section.key=value; it belongs in [limits]"},
      {"limits.mesage=1", "unknown key \"mesage\" in [limits]; did you mean \"message\"?"},
      {"limts.message=1", "unknown section [limts]; did you mean [limits]?"},
      {"route.path=/", "routes are added with --route PATH=KIND"},
      {"handler.chat.root=/", "there is no [handler.chat]"},
      {"limits.connections=many", "limits.connections: \"many\" is not a number"},
      {"limits.connections=99999999999999999999",
       "limits.connections: \"99999999999999999999\" is too large"},
  };
  for (const auto& [setting, why] : cases) {
    EXPECT_THAT(texts(with_settings({setting}).problems),
                ElementsAre("--set " + std::string(setting) + ": " + why));
  }
}

TEST_F(ConfigLoad, SetReachesADeclaredHandler) {
  LoadOptions options;
  options.settings = {"handler.db.target=b:2"};
  EXPECT_EQ(load("[handler.db]\ntype=\"tcp\"\ntarget=\"a:1\"\n", options).config.handlers[0].target, "b:2");
}

TEST_F(ConfigLoad, ListenReplacesWhatTheFileSays) {
  LoadOptions options;
  options.listen = {"127.0.0.1:9", "unix:/tmp/x"};
  const Loaded loaded = load("[server]\nlisten=[\"127.0.0.1:1\"]\n", options);
  ASSERT_EQ(loaded.config.server.listen.size(), 2U);
  EXPECT_EQ(loaded.config.server.listen[1].address, "unix:/tmp/x");
  options.listen = {"nowhere"};
  EXPECT_THAT(texts(load("", options).problems),
              ElementsAre("--listen nowhere: server.listen: \"nowhere\" has no port; write "
                          "\"127.0.0.1:8080\" or \"unix:/path\""));
}

TEST(ConfigFlags, HandlerIsOneRouteForEveryPath) {
  LoadOptions options;
  options.handler = "broadcast";
  const Loaded loaded = load_config(options);
  ASSERT_TRUE(loaded.ok());
  ASSERT_EQ(loaded.config.routes.size(), 1U);
  EXPECT_EQ(loaded.config.routes[0].path, "/*");
  EXPECT_EQ(loaded.config.handler(loaded.config.routes[0].handler)->type, HandlerType::Broadcast);
}

TEST_F(ConfigLoad, RouteFlagBeatsTheSameRouteOfTheFile) {
  LoadOptions options;
  options.routes = {"/a=broadcast", "/c=tcp:db:5432", "/d=tcp:unix:/x", "/e=echo"};
  const Loaded loaded = load(
      "[[route]]\npath=\"/a\"\nhandler=\"echo\"\n[[route]]\npath=\"/b\"\nhandler=\"echo\"\n"
      "[handler.echo]\ntype=\"echo\"\n",
      options);
  ASSERT_THAT(texts(loaded.problems), IsEmpty());
  std::vector<std::string> routes;
  for (const RouteConfig& route : loaded.config.routes) routes.push_back(route.path + " " + route.handler);
  EXPECT_THAT(routes, ElementsAre("/b echo", "/a broadcast", "/c tcp", "/d tcp-2", "/e echo-2"));
  EXPECT_EQ(loaded.sources.at("route.0.path").line, 5U);
  EXPECT_EQ(loaded.sources.at("route.1.path").origin(), "flag --route");
  EXPECT_EQ(loaded.config.handler("tcp-2")->target, "unix:/x");
}

TEST(ConfigFlags, BadKindsAreExplained) {
  const std::pair<const char*, const char*> cases[] = {
      {"ecko",
       "unknown handler \"ecko\"; there are echo, broadcast, static:DIR and tcp:HOST:PORT; did you mean "
       "\"echo\"?"},
      {"echo:1", "echo takes nothing after it"},
      {"static", "static needs a directory: static:DIR"},
      {"static:/no/where", "there is no directory \"/no/where\""},
      {"tcp:", "tcp needs a target: tcp:HOST:PORT or tcp:unix:PATH"},
      {"tcp:5432", "\"5432\" has no port; write \"host:port\" or \"unix:/path\""},
  };
  for (const auto& [kind, why] : cases) {
    const auto parsed = parse_handler_kind(kind);
    ASSERT_FALSE(parsed) << kind;
    EXPECT_EQ(parsed.error().message, why);
  }
}

// ---- printing, and reading what was printed

TEST_F(ConfigLoad, PrintedDefaultsAreTheDefaults) {
  const Loaded loaded = load(print_defaults());
  EXPECT_THAT(texts(loaded.problems), IsEmpty());
  EXPECT_EQ(loaded.config, default_config());
  for (const Section& section : schema()) {
    if (section.shape != Section::Shape::Single) continue;
    for (const Key& key : section.keys)
      EXPECT_TRUE(loaded.sources.contains(section.path_of(key))) << section.path_of(key);
  }
}

TEST_F(ConfigLoad, StarterIsAnEchoServerThatChecks) {
  const Loaded loaded = load(print_starter());
  ASSERT_THAT(texts(loaded.problems), IsEmpty());
  EXPECT_THAT(texts(loaded.warnings), IsEmpty());
  ASSERT_EQ(loaded.config.routes.size(), 1U);
  EXPECT_EQ(loaded.config.handler(loaded.config.routes[0].handler)->type, HandlerType::Echo);
  Config rest = loaded.config;
  rest.routes.clear();
  rest.handlers.clear();
  EXPECT_EQ(rest, default_config());
}

TEST_F(ConfigLoad, PrintedConfigurationLoadsToTheSame) {
  LoadOptions options;
  options.settings = {"limits.message=1000", "limits.ping_interval=90s", "limits.pong_timeout=1500ms",
                      "security.allowed_origins=https://a.b,https://c.d", "server.shards=3"};
  options.routes = {"/{x}/*=tcp:[::1]:80", "/=static:/tmp", "/=echo"};
  const Loaded first = load_config(options);
  ASSERT_THAT(texts(first.problems), IsEmpty());
  const Loaded second = load(print_effective(first));
  ASSERT_THAT(texts(second.problems), IsEmpty());
  EXPECT_EQ(second.config, first.config);
}

TEST(ConfigReload, NamesTheKeysThatNeedARestart) {
  const Config running = default_config();
  Config wanted = running;
  EXPECT_THAT(keys_needing_restart(running, wanted), IsEmpty());
  wanted.limits.message_bytes_max = 1;
  EXPECT_THAT(keys_needing_restart(running, wanted), IsEmpty());
  wanted.server.listen.clear();
  wanted.server.shards = 2;
  EXPECT_THAT(keys_needing_restart(running, wanted), ElementsAre("server.listen", "server.shards"));
}

// ---- secrets

class ConfigSecret : public ConfigLoad {
 protected:
  bool read(std::string_view toml) {
    const auto tree = parse_toml(toml, "f.toml");
    return types::Secret::read(secret_, tree->table()->front().value,
                               {"api.token", scratch_.path(), false, &problems_});
  }
  types::Secret::Field secret_;
  std::vector<Problem> problems_;
};

TEST_F(ConfigSecret, ComesFromAFileWithoutItsLastNewline) {
  scratch_.write("token", "s3cret\n\n");
  ASSERT_TRUE(read("token = { file = \"token\" }"));
  EXPECT_EQ(secret_.value, "s3cret\n");
  EXPECT_EQ(types::Secret::write(secret_), "{ file = \"" + scratch_.path("token") + "\" }");
}

TEST_F(ConfigSecret, ComesFromAVariable) {
  ::setenv("SINNET_TEST_SECRET", "abc", 1);
  ASSERT_TRUE(read("token = { env = \"SINNET_TEST_SECRET\" }"));
  EXPECT_EQ(secret_.value, "abc");
  EXPECT_EQ(types::Secret::write(secret_), "{ env = \"SINNET_TEST_SECRET\" }");
  ::unsetenv("SINNET_TEST_SECRET");
}

TEST_F(ConfigSecret, IsNeverPrinted) {
  ASSERT_TRUE(read("token = \"abc\""));
  EXPECT_EQ(secret_.value, "abc");
  EXPECT_EQ(types::Secret::write(secret_), "\"(hidden)\"");
}

TEST_F(ConfigSecret, ThatIsNotThereIsAnErrorWithItsPlace) {
  EXPECT_FALSE(read("token = { file = \"none\" }"));
  EXPECT_FALSE(read("token = { env = \"SINNET_TEST_UNSET\" }"));
  EXPECT_FALSE(read("token = { path = \"x\" }"));
  EXPECT_FALSE(read("token = 5"));
  EXPECT_THAT(
      texts(problems_),
      ElementsAre(
          "f.toml:1:9: api.token: cannot read \"" + scratch_.path("none") + "\"",
          "f.toml:1:9: api.token: the variable SINNET_TEST_UNSET is not set",
          "f.toml:1:9: api.token: expected a string, { file = \"…\" } or { env = \"…\" }",
          "f.toml:1:9: api.token: expected a string, { file = \"…\" } or { env = \"…\" }, got an integer"));
}

}  // namespace
}  // namespace sinnet::daemon
