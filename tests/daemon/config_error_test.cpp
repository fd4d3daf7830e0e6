// Every mistake in a configuration file gets one line that says where it is and what would be right.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "daemon/config_load.hpp"
#include "support/scratch.hpp"

namespace sinnet::daemon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ConfigError : public testing::Test {
 protected:
  /// The problems of a file with this text; its directory is written as DIR.
  std::vector<std::string> problems_of(std::string_view text, LoadOptions options = {}) {
    options.file = scratch_.write("sinnet.toml", text);
    return texts(load_config(options).problems);
  }
  std::vector<std::string> warnings_of(std::string_view text) {
    LoadOptions options;
    options.file = scratch_.write("sinnet.toml", text);
    return texts(load_config(options).warnings);
  }
  std::vector<std::string> texts(const std::vector<Problem>& problems) const {
    std::vector<std::string> result;
    for (const Problem& problem : problems) {
      std::string line = problem.to_string();
      for (std::size_t at; (at = line.find(scratch_.path())) != line.npos;)
        line.replace(at, scratch_.path().size(), "DIR");
      result.push_back(line);
    }
    return result;
  }

  test::ScratchDirectory scratch_;
};

/// One file with one mistake, and the line it gets.
struct Mistake {
  std::string_view name;
  std::string_view text;
  std::string_view line;
};

void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.name; }

class ConfigMistake : public ConfigError, public testing::WithParamInterface<Mistake> {};

TEST_P(ConfigMistake, IsToldWithPlaceAndAdvice) {
  EXPECT_THAT(problems_of(GetParam().text), ElementsAre("DIR/sinnet.toml:" + std::string(GetParam().line)));
}

const Mistake mistakes[] = {
    {"UnknownKey", "[server]\nlimts = 1\n",
     "2:1: unknown key \"limts\" in [server]; did you mean \"limits\"?"},
    {"UnknownKeyNearOne", "[limits]\nmesage = 1\n",
     "2:1: unknown key \"mesage\" in [limits]; did you mean \"message\"?"},
    {"SwappedLetters", "[log]\n  lveel = 1\n",
     "2:3: unknown key \"lveel\" in [log]; did you mean \"level\"?"},
    {"UnknownKeyFarFromAll", "[log]\nxylophone = 1\n", "2:1: unknown key \"xylophone\" in [log]"},
    {"KeyOfAnotherSection", "[server]\nmessage = 1\n",
     "2:1: unknown key \"message\" in [server]; it belongs in [limits]"},
    {"KeyOutsideSections", "listen = []\n",
     "1:1: unknown key \"listen\" outside of any section; it belongs in [server]"},
    {"UnknownSection", "[limts]\nx = 1\n", "1:2: unknown section [limts]; did you mean [limits]?"},
    {"UnknownListOfTables", "[[rout]]\n", "1:3: unknown section [[rout]]; did you mean [[route]]?"},
    {"KeyOfALaterVersion", "[auth]\njwt = {}\n", "1:2: unknown section [auth]"},
    {"UnknownSubsection", "[server.tsl]\n", "1:9: unknown key \"tsl\" in [server]; did you mean \"tls\"?"},
    {"SectionThatIsAValue", "limits = 3\n", "1:10: limits: expected a table [limits], got an integer"},
    {"RouteWithoutDoubleBrackets", "[route]\n", "1:2: route: expected [[route]], got a table"},
    {"RouteListOfNumbers", "route = [1]\n", "1:10: route: expected a table, got an integer"},
    {"HandlerThatIsAValue", "[handler]\nchat = 1\n",
     "2:1: handler: expected a table [handler.chat], got an integer"},
    {"HandlerWithBadName", "[handler.\"a b\"]\ntype = \"echo\"\n",
     "1:10: handler: \"a b\" is not a name (1 to 64 letters, digits, _ and -)"},
    {"StringForList", "[server]\nlisten = \"127.0.0.1:1\"\n",
     "2:10: server.listen: expected a list such as [\"127.0.0.1:8080\"], got a string"},
    {"NumberInList", "[server]\nlisten = [\"127.0.0.1:1\", 5]\n",
     "2:26: server.listen: expected an address such as \"127.0.0.1:8080\", got an integer"},
    {"AddressWithoutPort", "[server]\nlisten = [\"127.0.0.1\"]\n",
     "2:11: server.listen: \"127.0.0.1\" has no port; write \"127.0.0.1:8080\" or \"unix:/path\""},
    {"AddressThatIsAName", "[server]\nlisten = [\"localhost:80\"]\n",
     "2:11: server.listen: \"localhost:80\" is not a numeric address; write \"127.0.0.1:8080\" or "
     "\"[::1]:8080\""},
    {"AddressWithoutBrackets", "[server]\nlisten = [\"::1:80\"]\n",
     "2:11: server.listen: \"::1:80\" is an IPv6 address without brackets; write \"[::1]:80\""},
    {"PortTooLarge", "[server]\nlisten = [\"127.0.0.1:65536\"]\n",
     "2:11: server.listen: \"127.0.0.1:65536\" has a port that is not 0 to 65535"},
    {"WordBehindAddress", "[server]\nlisten = [\"127.0.0.1:1 ssl\"]\n",
     "2:11: server.listen: \"ssl\" cannot follow an address; the words are tls and proxy"},
    {"AddressTwice", "[server]\nlisten = [\"127.0.0.1:1\", \"127.0.0.1:1\"]\n",
     "2:26: server.listen: \"127.0.0.1:1\" is listed twice"},
    {"NoAddress", "[server]\nlisten = []\n", "2:1: server.listen: is empty; there is nothing to listen on"},
    {"ShardsWord", "[server]\nshards = \"many\"\n",
     "2:10: server.shards: expected a number or \"auto\", got \"many\""},
    {"ShardsZero", "[server]\nshards = 0\n", "2:10: server.shards: 0 is out of range: 1 to 1024"},
    {"ShardsTooMany", "[server]\nshards = 1025\n", "2:10: server.shards: 1025 is out of range: 1 to 1024"},
    {"NameWithPort", "[server]\nname = \"a.b:80\"\n",
     "2:8: server.name: \"a.b:80\" is not a host name (letters, digits, - and dots; no port)"},
    {"ProxyWord", "[server]\ntrusted_proxies = [\"proxy\"]\n",
     "2:20: server.trusted_proxies: \"proxy\" is not an address, a range such as \"10.0.0.0/8\", or "
     "\"unix\""},
    {"ProxyRange", "[server]\ntrusted_proxies = [\"10.0.0.0/33\"]\n",
     "2:20: server.trusted_proxies: \"10.0.0.0/33\": the prefix must be 0 to 32"},
    {"DurationWithoutUnit", "[server]\ndrain = \"5\"\n",
     "2:9: server.drain: \"5\" needs a unit: ms, s, m, h or d"},
    {"DurationAsNumber", "[server]\ndrain = 5\n",
     "2:9: server.drain: expected a duration such as \"5s\", got an integer"},
    {"DurationUnit", "[server]\ndrain = \"5sec\"\n",
     "2:9: server.drain: \"5sec\" has an unknown unit \"sec\"; durations end in ms, s, m, h or d"},
    {"DurationTooLong", "[server]\ndrain = \"25h\"\n",
     "2:9: server.drain: \"25h\" is out of range: \"0s\" to \"1d\""},
    {"DurationOverflow", "[server]\ndrain = \"99999999999d\"\n",
     "2:9: server.drain: \"99999999999d\" is too large"},
    {"NegativeNumber", "[limits]\nconnections = -1\n", "2:15: limits.connections: -1 is negative"},
    {"NumberAsString", "[limits]\nconnections = \"5\"\n",
     "2:15: limits.connections: expected a number, got a string"},
    {"NumberAsFloat", "[limits]\nconnections = 1.5\n",
     "2:15: limits.connections: expected a number, got a float"},
    {"DateForNumber", "[limits]\nconnections = 2020-01-01\n",
     "2:15: limits.connections: expected a number, got a date or time"},
    {"SizeUnit", "[limits]\nmessage = \"1MB\"\n",
     "2:11: limits.message: \"1MB\" has an unknown unit \"MB\"; sizes end in KiB, MiB or GiB"},
    {"SizeWord", "[limits]\nmessage = \"big\"\n",
     "2:11: limits.message: \"big\" is not a size such as \"64KiB\", \"1MiB\" or 1000"},
    {"SizeTooLarge", "[limits]\nmessage = \"5GiB\"\n",
     "2:11: limits.message: \"5GiB\" is out of range: 1 to \"4GiB\""},
    {"SizeOverflow", "[limits]\nmessage = \"99999999999GiB\"\n",
     "2:11: limits.message: \"99999999999GiB\" is too large"},
    {"Choice", "[limits]\nslow_consumer = \"cloze\"\n",
     "2:17: limits.slow_consumer: \"cloze\" is not one of close; did you mean \"close\"?"},
    {"ChoiceAsBool", "[log]\nformat = true\n",
     "2:10: log.format: expected one of text, json, got true or false"},
    {"BoolAsString", "[log]\naccess = \"true\"\n", "2:10: log.access: expected true or false, got a string"},
    {"WindowBits", "[compression]\nwindow_bits = 8\n",
     "2:15: compression.window_bits: 8 is out of range: 9 to 15"},
    {"OriginWithPath", "[security]\nallowed_origins = [\"https://a.b/\"]\n",
     "2:20: security.allowed_origins: \"https://a.b/\" has a path; an origin is scheme, host and port alone"},
    {"OriginWithoutScheme", "[security]\nallowed_origins = [\"a.b\"]\n",
     "2:20: security.allowed_origins: \"a.b\" is not an origin such as \"https://example.com\""},
    {"CertIsMissing", "[server]\nlisten = [\"127.0.0.1:1 tls\"]\n",
     "2:1: server.listen: \"127.0.0.1:1 tls\" needs server.tls.cert and server.tls.key"},
    {"CertIsNotThere", "[server.tls]\ncert = \"no.crt\"\n",
     "2:8: server.tls.cert: there is no file \"DIR/no.crt\""},
    {"CertIsADirectory", "[server.tls]\ncert = \".\"\n", "2:8: server.tls.cert: \"DIR\" is a directory"},
    {"KeyIsMissing", "[server.tls]\ncert = \"sinnet.toml\"\n",
     "2:1: server.tls: cert is set, key is missing"},
    {"ClientCaAlone", "[server.tls]\nclient_ca = \"sinnet.toml\"\n",
     "2:1: server.tls: client_ca is set, cert and key are missing"},
    {"PublicAddress", "[server]\nlisten = [\"0.0.0.0:80\"]\n",
     "2:1: server.listen: \"0.0.0.0:80\" can be reached from other machines and nobody has to authenticate; "
     "listen on "
     "127.0.0.1, or say --insecure if that is meant"},
    {"SyntaxError", "[server\n", "1:8: Error while parsing table header: expected ']', saw '\\n'"},
};

INSTANTIATE_TEST_SUITE_P(All, ConfigMistake, testing::ValuesIn(mistakes),
                         [](const auto& about) { return std::string(about.param.name); });

// ---- routes and handlers

constexpr std::string_view echo = "[handler.echo]\ntype = \"echo\"\n";

std::string with_path(std::string_view path) {
  return "[[route]]\nhandler = \"echo\"\npath = \"" + std::string(path) + "\"\n" + std::string(echo);
}

TEST_F(ConfigError, PathPatternsAreExactNamedOrPrefix) {
  for (const char* path : {"/", "/x", "/x/", "/a/{b}/c", "/{a}/{b}", "/*", "/dir/*", "/{a}/*", "/é"}) {
    EXPECT_THAT(problems_of(with_path(path)), IsEmpty()) << path;
  }
}

TEST_F(ConfigError, BadPathPatternsAreExplained) {
  const std::pair<const char*, const char*> cases[] = {
      {"x", "must begin with /"},
      {"", "must begin with /"},
      {"/a//b", "has an empty segment"},
      {"/*/a", "has * before its end; only \"/dir/*\" is a prefix"},
      {"/a*", "has * inside a segment; only \"/dir/*\" is a prefix"},
      {"/a{b}", "has a brace inside a segment; \"{name}\" stands for a whole one"},
      {"/{}", "has a brace inside a segment; \"{name}\" stands for a whole one"},
      {"/{a}/{a}", "has {a} twice"},
      {"/{a b}", "has a name of other than letters, digits, _ and -"},
      {"/a/../b", "has a segment . or .., which no request keeps"},
      {"/a?b", "has a query or fragment; routes look at the path alone"},
      {"/a%20b", "has a % escape; write the character itself"},
      {"/a b", "has a blank, backslash or control character"},
  };
  for (const auto& [path, why] : cases) {
    EXPECT_THAT(problems_of(with_path(path)),
                ElementsAre("DIR/sinnet.toml:3:8: route.0.path: \"" + std::string(path) + "\" " + why));
  }
}

TEST_F(ConfigError, RouteToAnUndefinedHandlerNamesTheNearest) {
  EXPECT_THAT(
      problems_of("[[route]]\npath = \"/\"\nhandler = \"ehco\"\n" + std::string(echo)),
      ElementsAre("DIR/sinnet.toml:3:1: route \"/\": there is no [handler.ehco]; did you mean \"echo\"?"));
}

TEST_F(ConfigError, RouteNeedsPathAndHandler) {
  EXPECT_THAT(problems_of("[[route]]\n"), ElementsAre("DIR/sinnet.toml:1:1: [[route]] needs \"path\"",
                                                      "DIR/sinnet.toml:1:1: [[route]] needs \"handler\""));
}

TEST_F(ConfigError, TwoRoutesForTheSameRequestsAreRefused) {
  const std::string second = "[[route]]\npath = \"/{b}\"\nhandler = \"echo\"\n";
  EXPECT_THAT(
      problems_of(with_path("/{a}") + second),
      ElementsAre(
          "DIR/sinnet.toml:7:1: route \"/{b}\": the route at DIR/sinnet.toml:3:1 answers the same requests"));
  EXPECT_THAT(problems_of(with_path("/{a}") + second + "host = \"a.b\"\n"), IsEmpty());
}

TEST_F(ConfigError, RoutesThatDifferInProtocolsMaySharePath) {
  const std::string route = "[[route]]\npath = \"/\"\nhandler = \"echo\"\nprotocols = ";
  EXPECT_THAT(problems_of(std::string(echo) + route + "[\"a\"]\n" + route + "[\"b\"]\n"), IsEmpty());
  EXPECT_THAT(problems_of(std::string(echo) + route + "[\"a\", \"c\"]\n" + route + "[\"b\", \"a\"]\n"),
              testing::SizeIs(1));
}

TEST_F(ConfigError, PageAndWebSocketMaySharePath) {
  EXPECT_THAT(
      problems_of("[[route]]\npath=\"/\"\nhandler=\"page\"\n[handler.page]\ntype=\"static\"\nroot=\".\"\n" +
                  with_path("/")),
      IsEmpty());
}

TEST_F(ConfigError, HandlerNeedsATypeAndWhatTheTypeNeeds) {
  EXPECT_THAT(problems_of("[handler.a]\n"), ElementsAre("DIR/sinnet.toml:1:10: [handler.a] needs \"type\""));
  EXPECT_THAT(problems_of("[handler.a]\ntype = \"static\"\n"),
              ElementsAre("DIR/sinnet.toml:1:10: [handler.a] needs \"root\" for type \"static\""));
  EXPECT_THAT(problems_of("[handler.a]\ntype = \"tcp\"\n"),
              ElementsAre("DIR/sinnet.toml:1:10: [handler.a] needs \"target\" for type \"tcp\""));
  EXPECT_THAT(
      problems_of("[handler.a]\ntype = \"worker\"\n"),
      ElementsAre(
          "DIR/sinnet.toml:2:8: handler.a.type: \"worker\" is not one of echo, broadcast, static, tcp"));
  EXPECT_THAT(problems_of("[handler.a]\ntype = \"static\"\nroot = \"nowhere\"\n"),
              ElementsAre("DIR/sinnet.toml:3:8: handler.a.root: there is no directory \"DIR/nowhere\""));
  EXPECT_THAT(problems_of("[handler.a]\ntype = \"static\"\nroot = \"\"\n"),
              ElementsAre("DIR/sinnet.toml:3:1: [handler.a] needs \"root\" for type \"static\""));
  EXPECT_THAT(problems_of("[handler.a]\ntype = \"echo\"\ntarget = \"db:1\"\n"),
              ElementsAre("DIR/sinnet.toml:3:1: [handler.a]: \"target\" belongs to type \"tcp\"; this "
                          "handler's type is \"echo\""));
}

TEST_F(ConfigError, BadTargetsAreExplained) {
  const std::pair<const char*, const char*> cases[] = {
      {"db", "has no port; write \"host:port\" or \"unix:/path\""},
      {"db:0", "has a port that is not 1 to 65535"},
      {"db:x", "has a port that is not 1 to 65535"},
      {"::1:80", "is an IPv6 address without brackets; write \"[::1]:80\""},
      {"unix:", "names no socket"},
      {"a b:1", "is not \"host:port\" or \"unix:/path\""},
  };
  for (const auto& [target, why] : cases) {
    EXPECT_THAT(
        problems_of("[handler.a]\ntype=\"tcp\"\ntarget = \"" + std::string(target) + "\"\n"),
        ElementsAre("DIR/sinnet.toml:3:10: handler.a.target: \"" + std::string(target) + "\" " + why));
  }
}

TEST_F(ConfigError, Attack91SocketPathThatDoesNotFitIsAnErrorAndNotCut) {
  const std::string fits(101, 'x');  // with "/tmp/" 106, then 107 and 108 bytes
  const auto with = [&](const std::string& path) {
    return problems_of("[server]\nlisten = [\"unix:/tmp/" + path + "\"]\n");
  };
  EXPECT_THAT(with(fits + "y"), IsEmpty());
  ASSERT_THAT(with(fits + "yz"), testing::SizeIs(1));
  EXPECT_THAT(with(fits + "yz")[0], testing::EndsWith("is longer than the 107 bytes a socket path may have"));
}

TEST_F(ConfigError, AllMistakesAreToldAtOnceInTheOrderOfTheFile) {
  EXPECT_THAT(
      problems_of("[server]\nnam = \"x\"\n[limits]\nmessage = true\n[log]\nlevel = \"loud\"\n"),
      ElementsAre(
          "DIR/sinnet.toml:2:1: unknown key \"nam\" in [server]; did you mean \"name\"?",
          "DIR/sinnet.toml:4:11: limits.message: expected a size such as \"64KiB\", got true or false",
          "DIR/sinnet.toml:6:9: log.level: \"loud\" is not one of debug, info, warn, error"));
}

TEST_F(ConfigError, InsecureAllowsOtherMachines) {
  LoadOptions options;
  options.insecure = true;
  EXPECT_THAT(problems_of("[server]\nlisten = [\"0.0.0.0:80\", \"[::]:80\"]\n", options), IsEmpty());
  EXPECT_THAT(
      problems_of("[server]\nlisten = [\"[::1]:80\", \"127.9.9.9:80\", \"unix:/tmp/x\", \"unix:@x\"]\n"),
      IsEmpty());
}

TEST_F(ConfigError, WhatIsNotUsedIsAWarning) {
  EXPECT_THAT(warnings_of(echo), ElementsAre("DIR/sinnet.toml:1:10: no route uses [handler.echo]"));
  EXPECT_THAT(
      warnings_of("[server.tls]\ncert = \"sinnet.toml\"\nkey = \"sinnet.toml\"\n"),
      ElementsAre(
          "DIR/sinnet.toml:2:1: server.tls: no address in server.listen has the word tls; the certificate "
          "is not used"));
}

TEST_F(ConfigError, FileThatCannotBeReadIsNamed) {
  LoadOptions options;
  options.file = scratch_.path("absent.toml");
  EXPECT_THAT(texts(load_config(options).problems),
              ElementsAre("DIR/absent.toml: cannot be read: No such file or directory"));
  options.file = scratch_.path();
  EXPECT_THAT(texts(load_config(options).problems), ElementsAre("DIR: cannot be read: Is a directory"));
  options.file = "/dev/zero";
  EXPECT_THAT(texts(load_config(options).problems),
              ElementsAre("/dev/zero: is larger than 4 MiB: not a configuration"));
}

}  // namespace
}  // namespace sinnet::daemon
