// Broken configurations never crash the loader, and are either accepted whole or explained.

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "daemon/config_load.hpp"
#include "daemon/config_print.hpp"
#include "support/scratch.hpp"

namespace sinnet::daemon {
namespace {

constexpr std::string_view valid = R"([server]
listen = ["127.0.0.1:8080", "[::1]:80"]
name = "ws.example.com"
shards = "auto"
drain = "5s"
[limits]
connections = 200_000
message = "1MiB"
slow_consumer = "close"
[security]
allowed_origins = ["https://a.b"]
[[route]]
path = "/chat/{name}/*"
host = "*.example.com"
protocols = ["chat.v1"]
handler = "chat"
[handler.chat]
type = "tcp"
target = "db:5432"
[log]
format = "json"
access = true
)";

/// One to four random edits: a byte replaced, dropped, doubled, or a piece copied elsewhere.
std::string mutated(std::mt19937& random) {
  static constexpr std::string_view spice = "[]{}\"'=.,#\\\n\r\0\x1b\x80\xff-_9eTi*/ ";
  std::string text{valid};
  const auto any = [&](std::size_t size) {
    return std::uniform_int_distribution<std::size_t>(0, size - 1)(random);
  };
  for (std::size_t edits = 1 + any(4); edits > 0; --edits) {
    const std::size_t at = any(text.size());
    switch (any(5)) {
      case 0: text[at] = spice[any(spice.size())]; break;
      case 1: text.erase(at, 1 + any(12)); break;
      case 2: text.insert(at, 1, spice[any(spice.size())]); break;
      case 3: text.insert(at, text.substr(any(text.size()), 1 + any(40))); break;
      default: std::swap(text[at], text[any(text.size())]);
    }
  }
  return text;
}

TEST(ConfigMutation, ThousandBrokenFilesAreLoadedOrExplained) {
  constexpr unsigned seed = 20261;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const test::ScratchDirectory scratch;
  int refused = 0;
  for (int round = 0; round < 1000; ++round) {
    const std::string text = mutated(random);
    LoadOptions options;
    options.file = scratch.write("m.toml", text);
    const Loaded loaded = load_config(options);
    if (loaded.ok()) {
      options.file = scratch.write("again.toml", print_effective(loaded));
      const Loaded again = load_config(options);
      ASSERT_TRUE(again.ok()) << text << "\n"
                              << (again.problems.empty() ? "" : again.problems[0].to_string());
      ASSERT_EQ(again.config, loaded.config) << text;
      continue;
    }
    ++refused;
    for (const Problem& problem : loaded.problems) {
      ASSERT_GT(problem.message.size(), 8U) << text;
      ASSERT_GT(problem.where.line, 0U) << problem.to_string() << "\n" << text;
      ASSERT_GT(problem.where.column, 0U) << problem.to_string() << "\n" << text;
    }
  }
  EXPECT_GT(refused, 500);
}

TEST(ConfigMutation, DeepNestingAndHugeKeysAreRefusedNotFatal) {
  const test::ScratchDirectory scratch;
  LoadOptions options;
  for (const std::string& text : {"a = " + std::string(100'000, '['), "[" + std::string(200'000, 'a') + "]\n",
                                  "[server]\nname = \"" + std::string(1'000'000, 'x') + "\"\n",
                                  "[handler." + std::string(100'000, 'x') + "]\ntype=\"echo\"\n"}) {
    options.file = scratch.write("m.toml", text);
    EXPECT_FALSE(load_config(options).ok());
  }
}

TEST(ConfigMutation, RandomFlagsAreLoadedOrExplained) {
  std::mt19937 random(7);
  for (int round = 0; round < 1000; ++round) {
    LoadOptions options;
    std::string text = mutated(random);
    const std::size_t at = std::uniform_int_distribution<std::size_t>(0, text.size())(random);
    text = text.substr(at, 30);
    options.settings = {text, "limits." + text, "server.listen=" + text, "handler." + text};
    options.routes = {text, "/" + text, "/x=" + text};
    options.listen = {text};
    options.handler = text;
    options.environment = {{"SINNET_" + text, text}, {"SINNET_LIMITS_MESSAGE", text}};
    const Loaded loaded = load_config(options);
    for (const Problem& problem : loaded.problems) EXPECT_FALSE(problem.message.empty());
  }
}

}  // namespace
}  // namespace sinnet::daemon
