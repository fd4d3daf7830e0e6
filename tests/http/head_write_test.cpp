#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "sinnet/http/head.hpp"

namespace sinnet::http {
namespace {

TEST(HeadWriteTest, WritesARequest) {
  std::string out = "before";
  const Field fields[] = {{.name = "Host", .value = "a"}, {.name = "X", .value = ""}};
  ASSERT_TRUE(write_head(out, RequestLine{.method = "GET", .target = "/p?q"}, fields).has_value());
  EXPECT_EQ(out, "beforeGET /p?q HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n");
}

TEST(HeadWriteTest, WritesAResponseWithTheRegisteredReason) {
  std::string out;
  ASSERT_TRUE(write_head(out, StatusLine{.status = 426, .reason = {}}, {}).has_value());
  ASSERT_TRUE(write_head(out, StatusLine{.status = 299, .reason = {}}, {}).has_value());
  ASSERT_TRUE(write_head(out, StatusLine{.status = 200, .reason = "Fine"}, {}).has_value());
  EXPECT_EQ(out, "HTTP/1.1 426 Upgrade Required\r\n\r\nHTTP/1.1 299 \r\n\r\nHTTP/1.1 200 Fine\r\n\r\n");
}

TEST(HeadWriteTest, Attack13LineBreaksAreRefusedAndNothingIsWritten) {
  std::string out = "kept";
  const auto refuses = [&](const Field& field) {
    return !write_head(out, StatusLine{}, {&field, 1}).has_value() && out == "kept";
  };
  for (const std::string_view bad :
       {std::string_view{"a\r\nX: y"}, std::string_view{"a\nb"}, std::string_view{"a\rb"},
        std::string_view{"a\0b", 3}, std::string_view{"\x7f"}, std::string_view{"\x1b[0m"}}) {
    EXPECT_TRUE(refuses({.name = "Location", .value = bad}));
    EXPECT_TRUE(refuses({.name = bad, .value = "a"}));
    EXPECT_FALSE(write_head(out, StatusLine{.status = 200, .reason = bad}, {}).has_value());
    EXPECT_FALSE(write_head(out, RequestLine{.method = bad, .target = "/"}, {}).has_value());
    EXPECT_FALSE(write_head(out, RequestLine{.method = "GET", .target = bad}, {}).has_value());
  }
  EXPECT_TRUE(refuses({.name = "", .value = "a"}));
  EXPECT_TRUE(refuses({.name = "a b", .value = "a"}));
  EXPECT_TRUE(refuses({.name = "a:", .value = "a"}));
  EXPECT_TRUE(refuses({.name = "a", .value = " a"}));
  EXPECT_FALSE(write_head(out, RequestLine{.method = "GET", .target = "/a b"}, {}).has_value());
  EXPECT_FALSE(write_head(out, RequestLine{.method = "GET", .target = ""}, {}).has_value());
  EXPECT_FALSE(write_head(out, StatusLine{.status = 99, .reason = {}}, {}).has_value());
  EXPECT_FALSE(write_head(out, StatusLine{.status = 1000, .reason = {}}, {}).has_value());
  EXPECT_EQ(out, "kept");
}

RC_GTEST_PROP(HeadWriteProperty, WhatIsWrittenReadsBackTheSame, ()) {
  const auto token = rc::gen::nonEmpty(
      rc::gen::container<std::string>(rc::gen::elementOf(std::string{"abzABZ019!#$%&'*+-.^_`|~"})));
  const auto value = rc::gen::suchThat(
      rc::gen::container<std::string>(rc::gen::elementOf(std::string{"az09 \t,;=\"\\:/?#\x80\xff"})),
      is_field_value);
  const auto pairs =
      *rc::gen::container<std::vector<std::pair<std::string, std::string>>>(rc::gen::pair(token, value));
  RC_PRE(pairs.size() < HeadLimits{}.fields_max);

  std::vector<Field> fields{{.name = "Host", .value = "h"}};
  for (const auto& [name, text] : pairs) fields.push_back({.name = name, .value = text});
  std::string out;
  RC_ASSERT(write_head(out, RequestLine{.method = "GET", .target = "/"}, fields).has_value());
  HeadParser parser{HeadRole::Request};
  RC_ASSERT(parser.receive(as_bytes(out)).status == HeadParser::Status::Done);
  const RequestHead head = parser.take_request();
  RC_ASSERT(head.headers().size() == fields.size());
  for (std::size_t i = 0; i < fields.size(); ++i) RC_ASSERT(head.headers()[i] == fields[i]);
  RC_ASSERT(head.text() == out);
}

}  // namespace
}  // namespace sinnet::http
