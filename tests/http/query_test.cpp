#include "sinnet/http/query.hpp"

#include <gtest/gtest.h>

#include "sinnet/http/cookie.hpp"

namespace sinnet::http {
namespace {

TEST(QueryTest, DecodesPlusAndEscapesInOrder) {
  const auto items = parse_query("a=1&b=two+words&c=%2B%26%3D&a=2&flag&=empty&&x=y=z");
  ASSERT_TRUE(items);
  const std::vector<QueryItem> expected = {{"a", "1"},   {"b", "two words"}, {"c", "+&="}, {"a", "2"},
                                           {"flag", ""}, {"", "empty"},      {"x", "y=z"}};
  EXPECT_EQ(*items, expected);
}

TEST(QueryTest, BrokenEscapeIsAFault) {
  EXPECT_EQ(parse_query("a=%").error(), QueryFault::BadEscape);
  EXPECT_EQ(parse_query("%4=1").error(), QueryFault::BadEscape);
}

TEST(QueryTest, CountIsBounded) {
  std::string query;
  for (int i = 0; i < 3; ++i) query += "a&";
  EXPECT_EQ(parse_query(query, 3)->size(), 3U);
  EXPECT_EQ(parse_query(query, 2).error(), QueryFault::TooManyItems);
}

TEST(QueryTest, ValueIsTheFirstOfThatName) {
  EXPECT_EQ(query_value("x=1&token=a%2Eb&token=c", "token"), "a.b");
  EXPECT_EQ(query_value("tok%65n=v", "token"), "v");
  EXPECT_EQ(query_value("tokens=v", "token"), std::nullopt);
  EXPECT_EQ(query_value("token", "token"), "");
  EXPECT_EQ(query_value("token=%", "token"), std::nullopt);
  EXPECT_EQ(query_value("", "token"), std::nullopt);
}

TEST(CookieTest, ReadsPairsLeniently) {
  CookieCursor cursor("a=1;b = two words ; ; novalue; =noname; c=\"quoted\"; d=x=y;e=");
  std::vector<std::pair<std::string, std::string>> found;
  while (const auto cookie = cursor.next()) found.emplace_back(cookie->name, cookie->value);
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"a", "1"}, {"b", "two words"}, {"c", "quoted"}, {"d", "x=y"}, {"e", ""}};
  EXPECT_EQ(found, expected);
}

TEST(CookieTest, FirstOfAName) {
  EXPECT_EQ(cookie_value("t=1; t=2", "t"), "1");
  EXPECT_EQ(cookie_value("T=1", "t"), std::nullopt);
  EXPECT_EQ(cookie_value("", "t"), std::nullopt);
  EXPECT_EQ(cookie_value("t=\"", "t"), "\"");
}

TEST(CookieTest, LongHeaderOfSeparatorsEnds) {
  EXPECT_EQ(cookie_value(std::string(1 << 20, ';'), "t"), std::nullopt);
  EXPECT_EQ(cookie_value(std::string(1 << 20, ' '), "t"), std::nullopt);
}

}  // namespace
}  // namespace sinnet::http
