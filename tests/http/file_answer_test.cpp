// What a static file's answer is made of: media type, range, date, preconditions.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "sinnet/http/conditional.hpp"
#include "sinnet/http/date.hpp"
#include "sinnet/http/media_type.hpp"
#include "sinnet/http/range.hpp"

namespace sinnet::http {
namespace {

WallTime at(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }
std::string text_of(WallTime time) {
  const auto text = write_date(time);
  return {text.begin(), text.end()};
}

// 784111777 is RFC 9110's example, Sun, 06 Nov 1994 08:49:37 GMT (`date -d @784111777`).
constexpr std::int64_t example_s = 784111777;
const WallTime now_2026 = at(1795000000);

TEST(MediaTypeTest, KnowsWhatAPageNeeds) {
  EXPECT_EQ(media_type_of("/index.html"), "text/html; charset=utf-8");
  EXPECT_EQ(media_type_of("a/b.min.mjs"), "text/javascript; charset=utf-8");
  EXPECT_EQ(media_type_of("x.wasm"), "application/wasm");
  EXPECT_EQ(media_type_of("x.svg"), "image/svg+xml");
  EXPECT_EQ(media_type_of("x.woff2"), "font/woff2");
  EXPECT_EQ(media_type_of("x.js.map"), "application/json");
  EXPECT_EQ(media_type_of("x.json"), "application/json");
  EXPECT_EQ(media_type_of("x.txt"), "text/plain; charset=utf-8");
  EXPECT_EQ(media_type_of("LOGO.PNG"), "image/png");
  EXPECT_EQ(media_type_of("site.webmanifest"), "application/manifest+json");
}

TEST(MediaTypeTest, UnknownIsOctetStream) {
  for (const std::string_view path :
       {"x.qqq", "noextension", "", "/", ".html", "dir.html/file", "x.", "x.webmanifests"}) {
    EXPECT_EQ(media_type_of(path), "application/octet-stream") << path;
  }
}

TEST(RangeTest, ReadsTheThreeForms) {
  EXPECT_EQ(evaluate_range("bytes=0-99", 1000), (RangeAnswer{RangeOutcome::Partial, 0, 99}));
  EXPECT_EQ(evaluate_range("bytes=990-", 1000), (RangeAnswer{RangeOutcome::Partial, 990, 999}));
  EXPECT_EQ(evaluate_range("bytes=-5", 1000), (RangeAnswer{RangeOutcome::Partial, 995, 999}));
  EXPECT_EQ(evaluate_range("bytes=-5000", 1000), (RangeAnswer{RangeOutcome::Partial, 0, 999}));
  EXPECT_EQ(evaluate_range("bytes=0-5000", 1000), (RangeAnswer{RangeOutcome::Partial, 0, 999}));
  EXPECT_EQ(evaluate_range("Bytes=999-999", 1000), (RangeAnswer{RangeOutcome::Partial, 999, 999}));
  EXPECT_EQ(evaluate_range("bytes=0-99999999999999999999999999", 10),
            (RangeAnswer{RangeOutcome::Partial, 0, 9}));
}

TEST(RangeTest, RangeBehindTheEndIsUnsatisfiable) {
  for (const std::string_view text :
       {"bytes=1000-", "bytes=1000-1001", "bytes=-0", "bytes=18446744073709551616-"}) {
    EXPECT_EQ(evaluate_range(text, 1000).outcome, RangeOutcome::Unsatisfiable) << text;
  }
  EXPECT_EQ(evaluate_range("bytes=0-", 0).outcome, RangeOutcome::Unsatisfiable);
  EXPECT_EQ(evaluate_range("bytes=-1", 0).outcome, RangeOutcome::Whole);
}

TEST(RangeTest, BrokenOrSeveralRangesGetTheWhole) {
  for (const std::string_view text :
       {"", "bytes", "bytes=", "bytes=-", "bytes=5-4", "bytes=a-b", "bytes=1-2,4-5", "lines=0-1",
        "bytes=+1-2", "bytes=1--2", "bytes=0x1-2", "bytes 0-1", "bytes=1-2;"}) {
    EXPECT_EQ(evaluate_range(text, 1000), RangeAnswer{}) << text;
  }
}

TEST(RangeTest, WritesContentRange) {
  EXPECT_EQ(write_content_range({RangeOutcome::Partial, 0, 99}, 1000), "bytes 0-99/1000");
  EXPECT_EQ(write_unsatisfied_range(1000), "bytes */1000");
}

TEST(RangeTest, PartialIsAlwaysInsideTheFile) {
  EXPECT_TRUE(
      rc::check("first <= last < size", [](const std::string& noise, std::uint64_t a, std::uint64_t size) {
        for (const std::string& text :
             {"bytes=" + noise, "bytes=" + std::to_string(a) + "-", "bytes=-" + std::to_string(a)}) {
          const auto answer = evaluate_range(text, size);
          if (answer.outcome == RangeOutcome::Partial)
            RC_ASSERT(answer.first <= answer.last && answer.last < size);
        }
      }));
}

TEST(DateTest, WritesImfFixdate) {
  EXPECT_EQ(text_of(at(example_s)), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(text_of(at(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(text_of(at(951782400)), "Tue, 29 Feb 2000 00:00:00 GMT");
  EXPECT_EQ(text_of(at(253402300799)), "Fri, 31 Dec 9999 23:59:59 GMT");
  EXPECT_EQ(text_of(at(-1)), "Wed, 31 Dec 1969 23:59:59 GMT");
}

TEST(DateTest, ReadsAllThreeForms) {
  for (const std::string_view text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_EQ(parse_date(text, now_2026), at(example_s)) << text;
  }
  EXPECT_EQ(parse_date("Sat Nov 16 08:49:37 1996", now_2026), at(848134177));
}

TEST(DateTest, TwoDigitYearIsAtMostFiftyYearsAhead) {
  const auto year = [](std::string_view digits, WallTime now) {
    const auto date = parse_date("Sunday, 01-Jan-" + std::string(digits) + " 00:00:00 GMT", now);
    return date ? text_of(*date).substr(12, 4) : "none";
  };
  EXPECT_EQ(year("76", now_2026), "2076");
  EXPECT_EQ(year("77", now_2026), "1977");
  EXPECT_EQ(year("99", now_2026), "1999");
  EXPECT_EQ(year("00", now_2026), "2000");
}

TEST(DateTest, RefusesWhatIsNoDate) {
  for (const std::string_view text :
       {"", "Sun", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT", "Xyz, 06 Nov 1994 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt", "Sunday, 06 Nov 1994 08:49:37 GMT", "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, 00 Nov 1994 08:49:37 GMT",
        "1994-11-06T08:49:37Z", ", ", " "}) {
    EXPECT_FALSE(parse_date(text, now_2026)) << text;
  }
}

TEST(DateTest, EveryWrittenDateReadsBack) {
  EXPECT_TRUE(rc::check("parse(write(x)) == x", [] {
    const WallTime time = at(*rc::gen::inRange<std::int64_t>(-62135596800, 253402300800));
    RC_ASSERT(parse_date(text_of(time), now_2026) == time);
  }));
}

class ConditionalTest : public ::testing::Test {
 protected:
  [[nodiscard]] Verdict get(const Preconditions& preconditions) const {
    return evaluate_preconditions(preconditions, validators_, true, now_2026);
  }
  [[nodiscard]] Verdict put(const Preconditions& preconditions) const {
    return evaluate_preconditions(preconditions, validators_, false, now_2026);
  }
  Validators validators_{.entity_tag = "\"v2\"", .modified = at(example_s)};
  static constexpr std::string_view same = "Sun, 06 Nov 1994 08:49:37 GMT";
  static constexpr std::string_view earlier = "Sun, 06 Nov 1994 08:49:36 GMT";
};

TEST_F(ConditionalTest, NothingAskedProceeds) { EXPECT_EQ(get({}), Verdict::Proceed); }

TEST_F(ConditionalTest, IfNoneMatchComparesWeakly) {
  for (const std::string_view list :
       {"\"v2\"", "W/\"v2\"", "\"v1\", \"v2\"", " , \"a,b\" ,W/\"v2\"", "*", " * "}) {
    EXPECT_EQ(get({.if_none_match = list}), Verdict::NotModified) << list;
    EXPECT_EQ(put({.if_none_match = list}), Verdict::PreconditionFailed) << list;
  }
  for (const std::string_view list : {"\"v1\"", "", "v2", "\"v2", "w/\"v2\"", "\"a\" junk \"v2\""}) {
    EXPECT_EQ(get({.if_none_match = list}), Verdict::Proceed) << list;
  }
}

TEST_F(ConditionalTest, IfMatchComparesStrongly) {
  EXPECT_EQ(put({.if_match = "\"v1\", \"v2\""}), Verdict::Proceed);
  EXPECT_EQ(put({.if_match = "*"}), Verdict::Proceed);
  EXPECT_EQ(put({.if_match = "W/\"v2\""}), Verdict::PreconditionFailed);
  EXPECT_EQ(put({.if_match = "\"v1\""}), Verdict::PreconditionFailed);
}

TEST_F(ConditionalTest, IfModifiedSinceCountsOnlyForGetWithoutIfNoneMatch) {
  EXPECT_EQ(get({.if_modified_since = same}), Verdict::NotModified);
  EXPECT_EQ(get({.if_modified_since = earlier}), Verdict::Proceed);
  EXPECT_EQ(get({.if_modified_since = "nonsense"}), Verdict::Proceed);
  EXPECT_EQ(put({.if_modified_since = same}), Verdict::Proceed);
  EXPECT_EQ(get({.if_none_match = "\"v1\"", .if_modified_since = same}), Verdict::Proceed);
}

TEST_F(ConditionalTest, IfUnmodifiedSinceCountsOnlyWithoutIfMatch) {
  EXPECT_EQ(put({.if_unmodified_since = earlier}), Verdict::PreconditionFailed);
  EXPECT_EQ(put({.if_unmodified_since = same}), Verdict::Proceed);
  EXPECT_EQ(put({.if_match = "\"v2\"", .if_unmodified_since = earlier}), Verdict::Proceed);
}

TEST_F(ConditionalTest, IfRangeNeedsAStrongValidator) {
  const auto holds = [&](std::string_view value) {
    return if_range_holds({.if_range = value}, validators_, now_2026);
  };
  EXPECT_TRUE(if_range_holds({}, validators_, now_2026));
  EXPECT_TRUE(holds("\"v2\""));
  EXPECT_FALSE(holds("W/\"v2\""));
  EXPECT_FALSE(holds("\"v1\""));
  EXPECT_FALSE(holds("\"v2\", \"v3\""));
  EXPECT_TRUE(holds(same));
  EXPECT_FALSE(holds(earlier));
  EXPECT_FALSE(holds("*"));
  EXPECT_FALSE(if_range_holds({.if_range = same}, validators_, at(example_s)));  // changed within this second
}

TEST(EntityTagTest, ChangesWithTimeAndSize) {
  EXPECT_EQ(make_entity_tag(1'700'000'000'123'456'789, 8000), "\"6553f100.75bcd15-1f40\"");
  EXPECT_NE(make_entity_tag(1, 2), make_entity_tag(2, 2));
  EXPECT_NE(make_entity_tag(1, 2), make_entity_tag(1, 3));
  EXPECT_EQ(make_entity_tag(-1, 0), "\"ffffffffffffffff.3b9ac9ff-0\"");
}

}  // namespace
}  // namespace sinnet::http
