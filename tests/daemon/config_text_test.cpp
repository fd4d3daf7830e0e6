// Single values: what is read, what is written, and that the two agree.

#include "daemon/config_text.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "daemon/config_suggest.hpp"

namespace sinnet::daemon {
namespace {

using namespace std::chrono_literals;

std::string unquoted(const std::string& text) {
  return text.starts_with('"') ? text.substr(1, text.size() - 2) : text;
}

TEST(ConfigText, SizesAndDurationsAreReadInTheirUnits) {
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("1_000"), 1000U);
  EXPECT_EQ(parse_size("64KiB"), 65536U);
  EXPECT_EQ(parse_size("3 MiB"), 3'145'728U);
  EXPECT_EQ(parse_size("2GiB"), 2'147'483'648U);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("5s"), 5s);
  EXPECT_EQ(parse_duration("10m"), 10min);
  EXPECT_EQ(parse_duration("2h"), 2h);
  EXPECT_EQ(parse_duration("31d"), 31 * 24h);
}

TEST(ConfigText, NumbersThatAreNotAreRefused) {
  for (const char* text :
       {"", "_1", "1_", "1__0", "-1", "+1", " 1", "0x10", "1e3", "9223372036854775808", "1.5KiB"}) {
    EXPECT_FALSE(parse_count(text)) << text;
    EXPECT_FALSE(parse_size(text)) << text;
  }
  for (const char* text : {"", "5", "s", "5 sec", "-5s", "1.5s", "1h30m", "106752d"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(ConfigText, ValuesAreWrittenInTheLargestExactUnit) {
  EXPECT_EQ(write_size(0), "0");
  EXPECT_EQ(write_size(1000), "1000");
  EXPECT_EQ(write_size(1024), "\"1KiB\"");
  EXPECT_EQ(write_size(1'572'864), "\"1536KiB\"");
  EXPECT_EQ(write_duration(0s), "\"0s\"");
  EXPECT_EQ(write_duration(90s), "\"90s\"");
  EXPECT_EQ(write_duration(1500ms), "\"1500ms\"");
  EXPECT_EQ(write_duration(48h), "\"2d\"");
  EXPECT_EQ(write_count(1000), "1000");
  EXPECT_EQ(write_count(10'000), "10_000");
  EXPECT_EQ(write_count(123'456), "123_456");
  EXPECT_EQ(write_count(1'234'567), "1_234_567");
  EXPECT_EQ(write_text("a\"b\\c\n\x01\x7f"), "\"a\\\"b\\\\c\\n\\u0001\\u007f\"");
}

RC_GTEST_PROP(ConfigText, WhatIsWrittenIsReadBack, (std::uint32_t number)) {
  RC_ASSERT((parse_size(unquoted(write_size(number))) == number));
  RC_ASSERT((parse_count(write_count(number)) == number));
  const Duration duration = std::chrono::milliseconds(number);
  RC_ASSERT((parse_duration(unquoted(write_duration(duration))) == duration));
}

TEST(ConfigText, PathsAreMadeAbsoluteAndPlain) {
  EXPECT_EQ(resolve_path("", "/etc"), "");
  EXPECT_EQ(resolve_path("www", "/etc/sinnet"), "/etc/sinnet/www");
  EXPECT_EQ(resolve_path("../www/", "/etc/sinnet"), "/etc/www");
  EXPECT_EQ(resolve_path(".", "/etc/sinnet/"), "/etc/sinnet");
  EXPECT_EQ(resolve_path("/", "/etc"), "/");
  EXPECT_EQ(resolve_path("/a/./b", "/etc"), "/a/b");
}

TEST(ConfigText, Attack16OriginsThatOnlyLookAlikeAreNotOrigins) {
  for (const char* text :
       {"https://a.b@evil.com", "https://a.b:80:80", "https://", "://a.b", "https:/a.b", "a.b:443",
        "https://a b", "https://-a.b", "https://a..b", "https://*.*.b", "https://a.*", "http://[::1",
        "https://a.b?x", "https://a.b#x", "", "https://a.b:0", "https://a.b:65536"}) {
    EXPECT_FALSE(check_origin(text)) << text;
  }
  EXPECT_EQ(check_origin("HTTPS://A.B:443"), "https://a.b");
  EXPECT_EQ(check_origin("http://a.b:443"), "http://a.b:443");
  EXPECT_EQ(check_origin("http://[::1]:8080"), "http://[::1]:8080");
  EXPECT_EQ(check_origin("https://*.a.b"), "https://*.a.b");
  EXPECT_EQ(check_origin("tauri://localhost"), "tauri://localhost");
  EXPECT_EQ(check_origin("null"), "null");
}

TEST(ConfigText, ProtocolsAreTokens) {
  EXPECT_TRUE(check_protocol("chat.v1"));
  for (const char* text : {"", "a b", "a,b", "a/b", "a\r\nb", "é"})
    EXPECT_FALSE(check_protocol(text)) << text;
}

TEST(ConfigSuggest, NamesTheNearestAndNeverAFarOne) {
  const std::vector<std::string> known{"listen", "limits", "log"};
  EXPECT_EQ(nearest("limts", known), "limits");
  EXPECT_EQ(nearest("lisetn", known), "listen");
  EXPECT_EQ(nearest("lgo", known), "log");
  EXPECT_EQ(nearest("gateway", known), std::nullopt);
  EXPECT_EQ(nearest("x", known), std::nullopt);
  EXPECT_EQ(nearest("", known), std::nullopt);
  EXPECT_EQ(nearest(std::string(100'000, 'l'), known), std::nullopt);
}

}  // namespace
}  // namespace sinnet::daemon
