// What the log writes, and that nothing a peer sent can write more.

#include "daemon/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace sinnet::daemon {
namespace {

using testing::MatchesRegex;

class LogTest : public testing::Test {
 protected:
  /// The lines `write` makes a Log write.
  template <class Write>
  std::string logged(const LogConfig& config, Write write) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
    {
      Log log(config, file.get());
      write(log);
    }
    std::rewind(file.get());
    std::string text(1U << 20U, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file.get()));
    return text;
  }
  static constexpr LogConfig text_{LogFormat::Text, LogLevel::Info, true};
  static constexpr LogConfig json_{LogFormat::Json, LogLevel::Info, true};
};

TEST_F(LogTest, TextLineHasTimeLevelMessageAndFields) {
  const std::string line = logged(text_, [](Log& log) {
    log.info("listening",
             {{"address", "127.0.0.1:80"}, {"tls", false}, {"shards", 4U}, {"delta", -1}, {"why", "a b"}});
  });
  EXPECT_THAT(line, MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z info  listening "
                                 "address=127\\.0\\.0\\.1:80 tls=false shards=4 delta=-1 why=\"a b\"\n"));
}

TEST_F(LogTest, JsonLineIsAnObject) {
  const std::string line =
      logged(json_, [](Log& log) { log.warn("slow \"one\"", {{"queue", 5U}, {"who", "é\n\xff"}}); });
  const auto object = nlohmann::json::parse(line);
  EXPECT_EQ(object["level"], "warn");
  EXPECT_EQ(object["msg"], "slow \"one\"");
  EXPECT_EQ(object["queue"], 5);
  EXPECT_EQ(object["who"], "é\n\xEF\xBF\xBD");
  EXPECT_TRUE(object["time"].get<std::string>().ends_with("Z"));
}

TEST_F(LogTest, LevelsBelowTheConfiguredOneAreSilent) {
  LogConfig config = text_;
  config.level = LogLevel::Warn;
  const std::string lines = logged(config, [](Log& log) {
    log.debug("a");
    log.info("b");
    log.warn("c");
    log.error("d");
    EXPECT_FALSE(log.is_enabled(LogLevel::Info));
    log.reconfigure(text_);
    log.info("e");
  });
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 3);
  EXPECT_EQ(lines.find(" b\n"), lines.npos);
}

TEST_F(LogTest, Attack95NothingAPeerSendsEndsALineOrMovesATerminal) {
  const std::string evil =
      "/x\r\n2026-01-01T00:00:00.000Z error fake\x1b[2J\x7f\b\xc2\x9b\xe2\x80\xae\xe2\x80\xa8\xff" +
      std::string(1, '\0') + "end";
  for (const LogConfig& config : {text_, json_}) {
    const std::string lines = logged(config, [&](Log& log) {
      log.access({.ip = "::1", .method = evil, .target = evil, .conn = "c1", .protocol = evil});
      log.broken("c1", "::1", 1002, evil);
      log.info(evil, {{"agent", evil}});
    });
    EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 3);
    for (const char c : lines) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f)) << static_cast<int>(c);
  }
}

TEST_F(LogTest, EscapedTextShowsWhatWasThere) {
  EXPECT_EQ(escape_for_log("a\tb\"c\\"), "a\\tb\\\"c\\\\");
  EXPECT_EQ(escape_for_log("\x1b[0m\x7f"), "\\x1b[0m\\x7f");
  EXPECT_EQ(escape_for_log("\xe2\x80\xae"), "\\u{202e}");
  EXPECT_EQ(escape_for_log("é€😀"), "é€😀");
  EXPECT_EQ(escape_for_log("\xc0\xaf\xed\xa0\x80\xf5"), "\\xc0\\xaf\\xed\\xa0\\x80\\xf5");
}

TEST_F(LogTest, ValuesThatHoldBlanksOrEqualsAreQuoted) {
  const std::string line =
      logged(text_, [](Log& log) { log.info("m", {{"a", ""}, {"b", "x=y"}, {"c", "x"}}); });
  EXPECT_THAT(line, testing::EndsWith(" m a=\"\" b=\"x=y\" c=x\n"));
}

TEST_F(LogTest, Attack87QueryIsNotLogged) {
  const std::string lines = logged(text_, [](Log& log) {
    log.access({.ip = "10.0.0.1",
                .method = "GET",
                .target = "/chat?token=s3cret",
                .status = 101,
                .conn = "c7",
                .protocol = "chat.v1",
                .close_code = 1000,
                .received_bytes = 5,
                .sent_bytes = 6,
                .lasted = std::chrono::milliseconds(1500)});
    log.access({.ip = "10.0.0.1", .method = "GET", .target = "/?x", .status = 200});
  });
  EXPECT_THAT(lines, testing::HasSubstr(
                         " connection conn=c7 ip=10.0.0.1 method=GET path=/chat status=101 protocol=chat.v1 "
                         "close_code=1000 received_bytes=5 sent_bytes=6 seconds=1.5\n"));
  EXPECT_THAT(lines, testing::HasSubstr(" request ip=10.0.0.1 method=GET path=/ status=200\n"));
}

TEST_F(LogTest, AccessLinesCanBeSwitchedOff) {
  LogConfig config = text_;
  config.access = false;
  EXPECT_EQ(logged(config, [](Log& log) { log.access({.ip = "::1", .target = "/"}); }), "");
}

TEST_F(LogTest, Attack95FullDiskLosesLinesAndNothingElse) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> full(std::fopen("/dev/full", "w"), &std::fclose);
  ASSERT_TRUE(full);
  Log log(text_, full.get());
  log.info("one");
  log.info("two");
  EXPECT_EQ(log.lost_lines(), 2U);
}

}  // namespace
}  // namespace sinnet::daemon
