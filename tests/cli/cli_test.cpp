// The program itself: what it prints where, and what it answers.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "support/scratch.hpp"

namespace sinnet::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Ran {
  int exit = -1;
  std::string out;
  std::string err;
};

class Cli : public testing::Test {
 protected:
  Ran run(std::vector<std::string> arguments, std::vector<std::string> environment = {},
          std::string out = {}) {
    if (out.empty()) out = scratch_.path("out");
    const std::string err = scratch_.path("err");
    arguments.insert(arguments.begin(), SINNET_PROGRAM);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t child = 0;
    const int failed = posix_spawn(&child, SINNET_PROGRAM, &actions, nullptr, pointers(arguments).data(),
                                   pointers(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    EXPECT_EQ(failed, 0);
    int status = 0;
    waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, content(out), content(err)};
  }

  test::ScratchDirectory scratch_;

 private:
  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (std::string& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
  }
  static std::string content(const std::string& path) {
    if (path.starts_with("/dev/")) return {};
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

TEST_F(Cli, VersionIsDataAndEndsWithinTenMilliseconds) {
  std::vector<double> milliseconds;
  for (int round = 0; round < 15; ++round) {
    const auto start = std::chrono::steady_clock::now();
    const Ran ran = run({"--version"});
    milliseconds.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    ASSERT_EQ(ran.exit, 0);
    ASSERT_THAT(ran.out, testing::MatchesRegex("sinnet [0-9]+\\.[0-9]+\\.[0-9]+\n"));
    ASSERT_EQ(ran.err, "");
  }
  // The best of several: the promise is about the program, not about what else the machine does.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(*std::ranges::min_element(milliseconds), 10.0);
#endif
}

TEST_F(Cli, HelpListsVerbsAndHasExamples) {
  for (const std::vector<std::string>& typed : {std::vector<std::string>{"--help"}, {"-h"}, {"help"}}) {
    const Ran ran = run(typed);
    EXPECT_EQ(ran.exit, 0);
    EXPECT_THAT(ran.out, HasSubstr("\n  serve "));
    EXPECT_THAT(ran.out, HasSubstr("\nExamples:\n"));
  }
  for (const char* verb : {"serve", "init", "check"}) {
    const Ran ran = run({verb, "--help"});
    EXPECT_EQ(ran.exit, 0);
    EXPECT_THAT(ran.out, StartsWith(std::string("Usage: sinnet ") + verb));
    EXPECT_THAT(ran.out, HasSubstr("\nExamples:\n"));
    EXPECT_EQ(run({"help", verb}).out, ran.out);
  }
}

TEST_F(Cli, UsageErrorsAreTwoAndSayWhatWasMeant) {
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{}, "sinnet: a command is missing; see: sinnet --help\n"},
      {{"sevre"}, "sinnet: unknown command \"sevre\"; did you mean \"serve\"?\nsinnet: see: sinnet --help\n"},
      {{"--verison"},
       "sinnet: unknown option \"--verison\"; did you mean \"--version\"?\nsinnet: see: sinnet --help\n"},
      {{"help", "chek"},
       "sinnet: unknown command \"chek\"; did you mean \"check\"?\nsinnet: see: sinnet --help\n"},
      {{"check", "--prnt"},
       "sinnet: check: unknown option \"--prnt\"; did you mean \"--print\"?\nsinnet: see: sinnet check "
       "--help\n"},
      {{"check", "-c"}, "sinnet: check: -c needs a value\nsinnet: see: sinnet check --help\n"},
      {{"check", "-c", "a", "-c", "b"},
       "sinnet: check: --config is given more than once\nsinnet: see: sinnet check --help\n"},
      {{"check", "a.toml"},
       "sinnet: check: unexpected argument \"a.toml\"\nsinnet: see: sinnet check --help\n"},
      {{"check", "--print", "--print-defaults"},
       "sinnet: check: --print and --print-defaults exclude each other\n"},
  };
  for (const auto& [typed, err] : cases) {
    const Ran ran = run(typed);
    EXPECT_EQ(ran.exit, 2);
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(ran.err, err);
  }
}

TEST_F(Cli, CheckTellsAllMistakesWithTheirPlaces) {
  const std::string file = scratch_.write("demo.toml", "[server]\nlimts = 1\n[log]\nlevel = 3\n");
  const Ran ran = run({"check", "-c", file});
  EXPECT_EQ(ran.exit, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err, file + ":2:1: unknown key \"limts\" in [server]; did you mean \"limits\"?\n" + file +
                         ":4:9: log.level: expected one of debug, info, warn, error, got an integer\n"
                         "sinnet: 2 errors in the configuration\n");
  EXPECT_EQ(run({"serve", "-c", file}).err, ran.err);
  EXPECT_EQ(run({"serve", "-c", file}).exit, 2);
}

TEST_F(Cli, CheckOfAGoodFileIsQuietOnStdout) {
  const std::string file = scratch_.write("demo.toml", "[log]\nlevel = \"warn\"\n");
  const Ran ran = run({"check", "--config=" + file});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err, "sinnet: " + file + " is valid\n");
}

TEST_F(Cli, CheckPrintsEffectiveValuesWithTheirSource) {
  const std::string file = scratch_.write("demo.toml", "[log]\nlevel = \"warn\"\n");
  const Ran ran =
      run({"check", "-c", file, "--set", "limits.message=64MiB", "--set", "server.trusted_proxies=[unix,::1]",
           "--listen", "[::1]:1", "--listen", "127.0.0.1:1", "--route", "/a=echo", "--print"},
          {"SINNET_LOG_ACCESS=off"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.err, "");
  for (const std::string& line :
       {std::string("limits.message = \"64MiB\"  # flag --set"),
        "log.level = \"warn\"  # file " + file + ":2",
        std::string("log.access = false  # env SINNET_LOG_ACCESS"),
        std::string("log.format = \"text\"  # default"),
        std::string("server.trusted_proxies = [\"unix\", \"::1\"]  # flag --set"),
        std::string("server.listen = [\"[::1]:1\", \"127.0.0.1:1\"]  # flag --listen"),
        std::string("[[route]]  # flag --route")}) {
    EXPECT_THAT(ran.out, HasSubstr(line + "\n"));
  }
}

TEST_F(Cli, InitAndDefaultsAreFilesThatCheckAccepts) {
  const std::string file = scratch_.path("made.toml");
  for (const std::vector<std::string>& typed :
       {std::vector<std::string>{"init"}, {"check", "--print-defaults"}}) {
    EXPECT_EQ(run(typed, {}, file).exit, 0);
    const Ran ran = run({"check", "-c", file});
    EXPECT_EQ(ran.exit, 0) << ran.err;
    EXPECT_EQ(ran.err, "sinnet: " + file + " is valid\n");
  }
}

TEST_F(Cli, ListeningBeyondLoopbackNeedsInsecure) {
  const Ran refused = run({"check", "--listen", "0.0.0.0:80", "--handler", "echo"});
  EXPECT_EQ(refused.exit, 2);
  EXPECT_EQ(refused.err,
            "sinnet: --listen: server.listen: \"0.0.0.0:80\" can be reached from other machines and on route "
            "\"/*\" nobody has "
            "to authenticate; listen on 127.0.0.1, or say --insecure if that is meant\n");
  EXPECT_EQ(run({"check", "--listen", "0.0.0.0:80", "--handler", "echo", "--insecure"}).exit, 0);
}

TEST_F(Cli, StdoutThatTakesNothingIsAFailure) {
  const Ran ran = run({"check", "--print-defaults"}, {}, "/dev/full");
  EXPECT_EQ(ran.exit, 1);
  EXPECT_EQ(ran.err, "sinnet: cannot write to stdout: No space left on device\n");
}

TEST_F(Cli, DemoIsValid) {
  const Ran ran = run({"check", "-c", SINNET_EXAMPLES "/demo.toml"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.err, "sinnet: " SINNET_EXAMPLES "/demo.toml is valid\n");
}

}  // namespace
}  // namespace sinnet::cli
