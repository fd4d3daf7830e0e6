#include "sinnet/http/path.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sinnet::http {
namespace {

std::string normal(std::string_view path) {
  std::string scratch = "left over";
  const auto result = normalise_path(path, scratch);
  return result ? std::string(*result) : std::string(describe(result.error()));
}

PathFault fault(std::string_view path) {
  std::string scratch;
  const auto result = normalise_path(path, scratch);
  if (result) ADD_FAILURE() << "accepted: " << path << " as " << *result;
  return result ? PathFault{} : result.error();
}

TEST(PathTest, NormalPathIsReturnedWithoutCopying) {
  std::string scratch;
  const std::string_view path = "/chat/room1/";
  const auto result = normalise_path(path, scratch);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->data(), path.data());
  EXPECT_TRUE(scratch.empty());
}

TEST(PathTest, DecodesOnce) {
  EXPECT_EQ(normal("/c%20d"), "/c d");
  EXPECT_EQ(normal("/%252e%252e/x"), "/%2e%2e/x");
  EXPECT_EQ(normal("/%25%32%66"), "/%2f");
  EXPECT_EQ(normal("/a+b"), "/a+b");
  EXPECT_EQ(normal("/%c3%BC"), "/\xc3\xbc");
}

TEST(PathTest, Attack80DotSegmentsAreResolvedAfterDecoding) {
  EXPECT_EQ(normal("/a/./b"), "/a/b");
  EXPECT_EQ(normal("/a/../b"), "/b");
  EXPECT_EQ(normal("/a/%2e%2e/b"), "/b");
  EXPECT_EQ(normal("/a/.%2E/b"), "/b");
  EXPECT_EQ(normal("/a/%2e/b"), "/a/b");
  EXPECT_EQ(normal("/a/b/.."), "/a/");
  EXPECT_EQ(normal("/a/b/."), "/a/b/");
  EXPECT_EQ(normal("/a/.."), "/");
  EXPECT_EQ(normal("/."), "/");
  EXPECT_EQ(normal("//admin"), "/admin");
  EXPECT_EQ(normal("/a///b//"), "/a/b/");
  EXPECT_EQ(normal("/a//../b"), "/b");
  EXPECT_EQ(normal("/"), "/");
  EXPECT_EQ(normal("//"), "/");
}

TEST(PathTest, NamesThatOnlyLookLikeDotSegmentsStay) {
  EXPECT_EQ(normal("/.well-known/x"), "/.well-known/x");
  EXPECT_EQ(normal("/..a/...b/....."), "/..a/...b/.....");
  EXPECT_EQ(normal("/a;x=..;y/b"), "/a;x=..;y/b");
}

TEST(PathTest, Attack80TricksAreRefused) {
  EXPECT_EQ(fault("/a%00.html"), PathFault::ControlCharacter);
  EXPECT_EQ(fault(std::string_view("/a\0b", 4)), PathFault::ControlCharacter);
  EXPECT_EQ(fault("/a%0d%0aX"), PathFault::ControlCharacter);
  EXPECT_EQ(fault("/a%7f"), PathFault::ControlCharacter);
  EXPECT_EQ(fault("/a%2fb"), PathFault::EncodedSlash);
  EXPECT_EQ(fault("/..%2F..%2Fetc/passwd"), PathFault::EncodedSlash);
  EXPECT_EQ(fault("/a\\..\\b"), PathFault::Backslash);
  EXPECT_EQ(fault("/a%5c..%5Cb"), PathFault::Backslash);
  EXPECT_EQ(fault("/.."), PathFault::AboveRoot);
  EXPECT_EQ(fault("/a/../../b"), PathFault::AboveRoot);
  EXPECT_EQ(fault("/%2e%2e/%2e%2e/etc/passwd"), PathFault::AboveRoot);
  EXPECT_EQ(fault("//.."), PathFault::AboveRoot);
  EXPECT_EQ(fault("/public/..;/admin"), PathFault::DotParameter);
  EXPECT_EQ(fault("/public/%2e.%3bx/admin"), PathFault::DotParameter);
  EXPECT_EQ(fault("/a/.;/b"), PathFault::DotParameter);
  EXPECT_EQ(fault("/a#b"), PathFault::Fragment);
  EXPECT_EQ(fault("/a%"), PathFault::BadEscape);
  EXPECT_EQ(fault("/a%4"), PathFault::BadEscape);
  EXPECT_EQ(fault("/a%g0"), PathFault::BadEscape);
  EXPECT_EQ(fault(""), PathFault::NotAbsolute);
  EXPECT_EQ(fault("a/b"), PathFault::NotAbsolute);
  EXPECT_EQ(fault("*"), PathFault::NotAbsolute);
}

TEST(PathTest, EveryAnswerIsSafeAndStable) {
  const auto piece =
      rc::gen::elementOf(std::vector<std::string>{"/", ".", "..", "%2e", "%2f", "a", "%", ";", "\\", "%5c",
                                                  "%25", "2e", "//", "/../", "/./", "b", "%00"});
  EXPECT_TRUE(rc::check("no dot segment or empty segment survives", [&] {
    std::string path = "/";
    for (const auto& part : *rc::gen::container<std::vector<std::string>>(piece)) path += part;
    std::string scratch;
    const auto result = normalise_path(path, scratch);
    if (!result) return;
    const std::string padded = std::string(*result) + "/";
    RC_ASSERT(result->starts_with('/'));
    RC_ASSERT(result->find("//") == std::string_view::npos);
    RC_ASSERT(padded.find("/./") == std::string::npos);
    RC_ASSERT(padded.find("/../") == std::string::npos);
    RC_ASSERT(result->find('\\') == std::string_view::npos);
    RC_ASSERT(result->find('\0') == std::string_view::npos);
  }));
}

TEST(PathTest, SplitsATargetAtItsFirstQuestionMark) {
  EXPECT_EQ(split_target("/a?b?c").path, "/a");
  EXPECT_EQ(split_target("/a?b?c").query, "b?c");
  EXPECT_EQ(split_target("/a").path, "/a");
  EXPECT_EQ(split_target("/a").query, "");
}

TEST(PathTest, PercentDecodingKeepsPlusAndRefusesBrokenEscapes) {
  EXPECT_EQ(percent_decode("a+b%2B%00"), std::string("a+b+\0", 5));
  EXPECT_EQ(percent_decode("%"), std::nullopt);
  EXPECT_EQ(percent_decode("%1"), std::nullopt);
  EXPECT_EQ(percent_decode("%1x"), std::nullopt);
}

}  // namespace
}  // namespace sinnet::http
