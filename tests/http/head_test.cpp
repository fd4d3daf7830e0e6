#include "sinnet/http/head.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>

#include "support/bytes.hpp"
#include "support/chunking.hpp"

namespace sinnet::http {
namespace {

using Status = HeadParser::Status;

/// Everything observable about one parse, as text that can be compared and printed.
std::string outcome_of(HeadRole role, std::span<const Bytes> pieces, const HeadLimits& limits = {}) {
  HeadParser parser{role, limits};
  std::size_t consumed = 0;
  for (const Bytes piece : pieces) {
    const auto progress = parser.receive(piece);
    consumed += progress.consumed_bytes;
    if (progress.status == Status::Failed) {
      return "failed " + std::to_string(parser.error().status) + ' ' + std::string{parser.error().reason};
    }
    if (progress.status == Status::NeedMore) {
      EXPECT_EQ(progress.consumed_bytes, piece.size());
      continue;
    }
    std::string out = "done after " + std::to_string(consumed) + ": ";
    const auto add_headers = [&](const Headers& headers) {
      for (const Field field : headers) out.append("|").append(field.name).append("=").append(field.value);
    };
    if (role == HeadRole::Request) {
      const RequestHead head = parser.take_request();
      out.append(head.method()).append(" ").append(head.target()).append(" 1.");
      out += std::to_string(head.version_minor());
      add_headers(head.headers());
    } else {
      const ResponseHead head = parser.take_response();
      out.append(std::to_string(head.status())).append(" ").append(head.reason()).append(" 1.");
      out += std::to_string(head.version_minor());
      add_headers(head.headers());
    }
    return out;
  }
  return "needs more";
}

std::string outcome_of(HeadRole role, std::string_view text, const HeadLimits& limits = {}) {
  const Bytes bytes = as_bytes(text);
  return outcome_of(role, std::span{&bytes, 1}, limits);
}

/// The status a request is refused with; 0 when it is accepted, -1 when more is wanted.
int refusal_of(std::string_view text, const HeadLimits& limits = {}) {
  HeadParser parser{HeadRole::Request, limits};
  const auto progress = parser.receive(as_bytes(text));
  if (progress.status == Status::NeedMore) return -1;
  return progress.status == Status::Done ? 0 : parser.error().status;
}

RequestHead request(std::string_view text) {
  HeadParser parser{HeadRole::Request};
  const auto progress = parser.receive(as_bytes(text));
  EXPECT_EQ(progress.status, Status::Done) << text << parser.error().reason;
  if (progress.status != Status::Done) return {};
  return parser.take_request();
}

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

TEST(HeadTest, ReadsAPlainRequest) {
  EXPECT_EQ(outcome_of(HeadRole::Request,
                       "GET /a?b=c HTTP/1.1\r\nHost: example.com\r\nX-Empty:\r\nX: \t a b \t\r\n\r\n"),
            "done after 64: GET /a?b=c 1.1|Host=example.com|X-Empty=|X=a b");
}

TEST(HeadTest, ReadsAPlainResponse) {
  EXPECT_EQ(outcome_of(HeadRole::Response, "HTTP/1.1 404 Not Found\r\nA: b\r\n\r\nbody"),
            "done after 32: 404 Not Found 1.1|A=b");
}

TEST(HeadTest, AcceptsAResponseWithoutAReason) {
  EXPECT_EQ(outcome_of(HeadRole::Response, "HTTP/1.1 101 \r\n\r\n"), "done after 17: 101  1.1");
  EXPECT_EQ(outcome_of(HeadRole::Response, "HTTP/1.0 200\r\n\r\n"), "done after 16: 200  1.0");
}

TEST(HeadTest, RefusesMalformedStatusLinesWith502) {
  for (const std::string_view line :
       {"HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1  200 OK", "HTTP/1.1 099 OK", "HTTP/1.1 2x0 OK",
        "HTTP/2.0 200 OK", "http/1.1 200 OK", "HTTP/1.1200 OK", "HTTP/1.1\t200 OK", "HTTP/1.1 200OK",
        "HTTP/1.1", "HTTP/1.1 200 a\rb", "H"}) {
    const std::string text = std::string{line} + "\r\n\r\n";
    EXPECT_EQ(outcome_of(HeadRole::Response, text).substr(0, 10), "failed 502") << line;
  }
}

TEST(HeadTest, IsTheSameHoweverTheStreamIsCut) {
  const HeadLimits small{.head_bytes_max = 90, .target_bytes_max = 20, .fields_max = 3};
  const std::string long_target = "GET /" + std::string(200, 'a') + " HTTP/1.1\r\n";
  for (const std::string_view text :
       {std::string_view{"GET / HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n\x81\x80rest"},
        std::string_view{long_target}, std::string_view{"GET / HTTP/1.1\r\nHost: a\r\nB : c\r\n\r\n"},
        std::string_view{"\x16\x03\x01\x02"},
        std::string_view{"GET / HTTP/1.1\r\nA:\r\nB:\r\nC:\r\nD:\r\n\r\n"},
        std::string_view{"GET /\nfoo\r\n"},
        std::string_view{"GET / HTTP/1.1\r\nHost: "
                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
        std::string_view{"POST http://h:1/p HTTP/1.0\r\nHost: h:1\r\n\r\n"},
        std::string_view{"GET / HTTP/1.1\r\n\r\n"}}) {
    test::expect_same_for_every_chunking(as_bytes(text), [&](std::span<const Bytes> pieces) {
      return outcome_of(HeadRole::Request, pieces, small);
    });
  }
  test::expect_same_for_every_chunking(as_bytes("HTTP/1.1 101\r\nUpgrade: websocket\r\nA:b\r\n\r\n\x81\x01!"),
                                       [](auto pieces) { return outcome_of(HeadRole::Response, pieces); });
}

TEST(HeadTest, ReadsPipelinedHeadsOneByOneAndIsIdleBetween) {
  const std::string_view text = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGE";
  HeadParser parser{HeadRole::Request};
  EXPECT_TRUE(parser.is_idle());
  const auto first = parser.receive(as_bytes(text));
  ASSERT_EQ(first.status, Status::Done);
  EXPECT_EQ(parser.take_request().target(), "/1");
  EXPECT_TRUE(parser.is_idle());
  const auto second = parser.receive(as_bytes(text.substr(first.consumed_bytes)));
  ASSERT_EQ(second.status, Status::Done);
  EXPECT_EQ(parser.take_request().target(), "/2");
  const auto third = parser.receive(as_bytes(text.substr(first.consumed_bytes + second.consumed_bytes)));
  EXPECT_EQ(third.status, Status::NeedMore);
  EXPECT_FALSE(parser.is_idle());
  EXPECT_EQ(parser.held_bytes(), 2U);
}

TEST(HeadTest, StaysFailedAndSwallowsWhatFollows) {
  HeadParser parser{HeadRole::Request};
  EXPECT_EQ(parser.receive(as_bytes("GET /\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")).status, Status::Failed);
  const auto again = parser.receive(as_bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(again.status, Status::Failed);
  EXPECT_EQ(again.consumed_bytes, 27U);
  EXPECT_EQ(parser.held_bytes(), 0U);
}

TEST(HeadTest, ViewsOutliveTheInputAndTheMoveOfTheHead) {
  std::string text = "GET /x HTTP/1.1\r\nHost: example.com\r\n\r\n";
  RequestHead one = request(text);
  const std::string_view host = *one.headers().find("HOST");
  text.assign(text.size(), '#');
  const RequestHead two = std::move(one);
  EXPECT_EQ(host, "example.com");
  EXPECT_EQ(two.headers().find("host")->data(), host.data());
  EXPECT_EQ(two.text(), "GET /x HTTP/1.1\r\nHost: example.com\r\n\r\n");
}

TEST(HeadTest, AnEmptyHeadHasEmptyViews) {
  const RequestHead head;
  EXPECT_EQ(head.method(), "");
  EXPECT_EQ(head.target(), "");
  EXPECT_EQ(head.path_and_query(), "");
  EXPECT_EQ(head.host(), "");
  EXPECT_TRUE(head.headers().empty());
  EXPECT_FALSE(head.headers().find("a").has_value());
  EXPECT_EQ(ResponseHead{}.reason(), "");
}

TEST(HeadTest, FindsFieldsWithoutCaseAndTokensOverSeveralFields) {
  const RequestHead head = request(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nX: 1\r\ncONNECTION: ,,\t Upgrade ,foo\r\nx: "
      "2\r\n\r\n");
  const Headers& headers = head.headers();
  EXPECT_EQ(headers.count("connection"), 2U);
  EXPECT_EQ(headers.find("x"), "1");
  EXPECT_FALSE(headers.find_only("X").has_value());
  EXPECT_EQ(headers.find_only("host"), "a");
  EXPECT_FALSE(headers.find("hos").has_value());
  EXPECT_TRUE(headers.has_token("connection", "upgrade"));
  EXPECT_TRUE(headers.has_token("connection", "KEEP-ALIVE"));
  EXPECT_FALSE(headers.has_token("connection", "up"));
  EXPECT_FALSE(headers.has_token("connection", "close"));
  std::vector<std::string_view> values;
  for (const Field field : headers.all("x")) values.push_back(field.value);
  EXPECT_THAT(values, testing::ElementsAre("1", "2"));
  EXPECT_EQ(std::distance(headers.begin(), headers.end()), 5);
}

TEST(HeadTest, ClassifiesTargets) {
  const RequestHead origin = request("GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(origin.target_form(), TargetForm::Origin);
  EXPECT_EQ(origin.path_and_query(), "/a?b");
  const RequestHead absolute = request("GET http://H:80/a/b?c HTTP/1.1\r\nHost: h:80\r\n\r\n");
  EXPECT_EQ(absolute.target_form(), TargetForm::Absolute);
  EXPECT_EQ(absolute.path_and_query(), "/a/b?c");
  EXPECT_EQ(request("GET https://h HTTP/1.1\r\nHost: h\r\n\r\n").path_and_query(), "/");
  const RequestHead authority = request("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n");
  EXPECT_EQ(authority.target_form(), TargetForm::Authority);
  EXPECT_EQ(authority.host(), "h:443");
  EXPECT_EQ(authority.path_and_query(), "");
  EXPECT_EQ(request("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").target_form(), TargetForm::Asterisk);
}

TEST(HeadTest, RefusesMalformedRequestLines) {
  const std::pair<int, std::string_view> cases[] = {
      {400, "GET"},
      {400, "GET /"},
      {400, "GET  / HTTP/1.1"},
      {400, "GET /  HTTP/1.1"},
      {400, " GET / HTTP/1.1"},
      {400, "GET / HTTP/1.1 "},
      {400, "GET\t/ HTTP/1.1"},
      {400, "GET / a HTTP/1.1"},
      {400, "G@T / HTTP/1.1"},
      {400, "GET / http/1.1"},
      {400, "GET / HTTP/1.10"},
      {400, "GET / HTTP/1"},
      {400, "GET / HTTP/01.1"},
      {400, "GET / HTTP/1,1"},
      {400, "GET a HTTP/1.1"},
      {400, "GET * HTTP/1.1"},
      {400, "GET h:1 HTTP/1.1"},
      {400, "CONNECT / HTTP/1.1"},
      {400, "CONNECT h HTTP/1.1"},
      {400, "CONNECT [::1] HTTP/1.1"},
      {400, "GET /a#b HTTP/1.1"},
      {400, "GET /\x7f HTTP/1.1"},
      {400, "GET /\xc3\xa9 HTTP/1.1"},
      {400, "GET ftp://h/ HTTP/1.1"},
      {400, "GET http:/h HTTP/1.1"},
      {400, "GET http:///p HTTP/1.1"},
      {400, "GET http://h?q HTTP/1.1"},
      {400, "GET http://u@h/ HTTP/1.1"},
      {400, "PROXY TCP4 1.2.3.4 5.6.7.8 1 2"},
      {505, "PRI * HTTP/2.0"},
      {505, "GET / HTTP/1.2"},
      {505, "GET / HTTP/0.9"},
      {505, "GET / HTTP/3.0"},
      {501, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1"},
  };
  for (const auto& [status, line] : cases) {
    EXPECT_EQ(refusal_of(std::string{line} + "\r\nHost: h\r\n\r\n"), status) << line;
  }
  EXPECT_EQ(refusal_of("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
}

TEST(HeadTest, WantsOneSoundHost) {
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of("GET / HTTP/1.0\r\n\r\n"), 0);
  EXPECT_EQ(refusal_of("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"), 400);
  for (const std::string_view host : {"a", "a.example-1.com", "a_b", "a.", "127.0.0.1:80", "[::1]",
                                      "[::1]:8080", "[2001:db8::1]", "[::ffff:1.2.3.4]", "[1:2:3:4:5:6:7:8]",
                                      "[1::]", "h:0", "h:65535", "[1:2:3:4:5:6:1.2.3.4]", "[::]"}) {
    EXPECT_TRUE(is_host(host)) << host;
  }
  for (const std::string_view host : {"",
                                      "a:",
                                      "a:65536",
                                      "a:1x",
                                      "a:-1",
                                      "a:1:2",
                                      "a b",
                                      "a,b",
                                      "u@a",
                                      "a/",
                                      "a?",
                                      "[::1",
                                      "::1",
                                      "[]",
                                      "[:]",
                                      "[:::]",
                                      "[1:2:3:4:5:6:7:8:9]",
                                      "[1:2:3:4:5:6:7]",
                                      "[12345::]",
                                      "[::1]x",
                                      "[::1%25eth0]",
                                      "[::1.2.3]",
                                      "[::1.2.3.256]",
                                      "[1::2::3]",
                                      "[1:]",
                                      "a%41",
                                      "[1:2:3:4:5:6:7:1.2.3.4]",
                                      "[::g]",
                                      "h:000080",
                                      "[1:2:3:4:5:6:7:8::]"}) {
    EXPECT_FALSE(is_host(host)) << host;
    EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nHost: " + std::string{host} + "\r\n\r\n"), 400) << host;
  }
}

TEST(HeadTest, KnowsWhetherTheConnectionStays) {
  EXPECT_TRUE(request("GET / HTTP/1.1\r\nHost: a\r\n\r\n").keeps_alive());
  EXPECT_FALSE(request("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Close\r\n\r\n").keeps_alive());
  EXPECT_FALSE(request("GET / HTTP/1.0\r\nHost: a\r\n\r\n").keeps_alive());
  EXPECT_TRUE(request("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n").keeps_alive());
}

// ---- limits

TEST(HeadTest, ALimitIsMetExactly) {
  const std::string text = "GET /567 HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n";
  const auto size = static_cast<std::uint32_t>(text.size());
  EXPECT_EQ(refusal_of(text, {.head_bytes_max = size}), 0);
  EXPECT_EQ(refusal_of(text, {.head_bytes_max = size - 1}), 431);
  EXPECT_EQ(refusal_of(text, {.fields_max = 2}), 0);
  EXPECT_EQ(refusal_of(text, {.fields_max = 1}), 431);
  EXPECT_EQ(refusal_of(text, {.target_bytes_max = 4}), 0);
  EXPECT_EQ(refusal_of(text, {.target_bytes_max = 3}), 414);
}

TEST(HeadTest, RefusesALongTargetBeforeItsLineEnds) {
  EXPECT_EQ(refusal_of("GET /" + std::string(9000, 'a')), 414);
  EXPECT_EQ(refusal_of("GET /" + std::string(8191, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
}

TEST(HeadTest, AnIdleParserIsSmall) { EXPECT_LE(sizeof(HeadParser), 160U); }

TEST(HeadTest, Attack01TwoThousandHeadersAreRefused) {
  std::string text = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 2000; ++i) text += "x:\r\n";
  text += "Upgrade: websocket\r\n\r\n";
  EXPECT_EQ(refusal_of(text), 431);
}

TEST(HeadTest, Attack02AHeadSentByteByByteCostsLittle) {
  std::string text = "GET / HTTP/1.1\r\nHost: h\r\nA: ";
  const HeadLimits limits{.head_bytes_max = 65535};
  text.append(65535 - text.size() - 4, 'a').append("\r\n\r\n");
  HeadParser parser{HeadRole::Request, limits};
  auto status = Status::NeedMore;
  const double before = cpu_seconds();
  for (const char& c : text) status = parser.receive(as_bytes({&c, 1})).status;
  const double used = cpu_seconds() - before;
  EXPECT_EQ(status, Status::Done);
  RecordProperty("cpu_us", static_cast<int>(used * 1e6));
#ifndef __SANITIZE_ADDRESS__
  // Rescanning from the start would look at 2^31 bytes: tens of milliseconds with memchr, seconds without.
  EXPECT_LT(used, 0.010);
#endif
}

TEST(HeadTest, Attack02AnEndlessHeaderIsRefusedAtTheCap) {
  HeadParser parser{HeadRole::Request};
  ASSERT_EQ(parser.receive(as_bytes("GET / HTTP/1.1\r\nHost: h\r\nA: ")).status, Status::NeedMore);
  const std::string piece(1000, 'a');
  std::size_t sent = 27;
  auto status = Status::NeedMore;
  while (status == Status::NeedMore) {
    status = parser.receive(as_bytes(piece)).status;
    sent += piece.size();
    ASSERT_LE(sent, 18'000U);
    ASSERT_LE(parser.held_bytes(), 16'384U);
  }
  EXPECT_EQ(parser.error().status, 431);
  EXPECT_EQ(parser.held_bytes(), 0U);
}

// ---- smuggling

TEST(HeadTest, Attack12WhatTwoReadersReadDifferentlyIsRefused) {
  const std::string_view nul{"X: a\0b", 6};
  for (const std::string_view field :
       {std::string_view{"Transfer-Encoding : chunked"},
        std::string_view{"Transfer-Encoding: chunked\r\n folded"}, std::string_view{"X: a\r\n\tb"},
        std::string_view{" X: a"}, std::string_view{"X: a\nContent-Length: 5"},
        std::string_view{"X: a\rContent-Length: 5"}, std::string_view{"X: a\r"}, nul,
        std::string_view{"X: \x01"}, std::string_view{"X: \x7f"}, std::string_view{"X\t: a"},
        std::string_view{": a"}, std::string_view{"X"}, std::string_view{"X Y: a"},
        std::string_view{"X\xc3: a"}, std::string_view{"X(: a"},
        std::string_view{"X: a\r\n\nGET /b HTTP/1.1"}}) {
    const std::string text = "GET / HTTP/1.1\r\nHost: h\r\n" + std::string{field} + "\r\n\r\n";
    EXPECT_EQ(refusal_of(text), 400) << test::hex(as_bytes(field));
  }
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\nHost: h\n\n"), 400);
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nHost: h\r\n\n"), 400);
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nHost: h\r\nX: obs-text \xe9 is opaque\r\n\r\n"), 0);
}

TEST(HeadTest, Attack11AnAbsoluteTargetMustNameTheHost) {
  EXPECT_EQ(refusal_of("GET http://169.254.169.254/ HTTP/1.1\r\nHost: example.com\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of("GET http://a/ HTTP/1.1\r\nHost: a:80\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of("GET http://a/ HTTP/1.0\r\n\r\n"), 400);
}

TEST(HeadTest, Attack15BytesBehindTheHeadAreLeftToTheCaller) {
  const std::string head = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  HeadParser parser{HeadRole::Request};
  const auto progress = parser.receive(as_bytes(head + "\x81\x85"));
  EXPECT_EQ(progress.status, Status::Done);
  EXPECT_EQ(progress.consumed_bytes, head.size());
}

TEST(HeadTest, Attack15DataBeforeTheRequestIsRefusedAtItsFirstByte) {
  for (const std::string_view hex : {"0d0a0d0a000d0a515549540a", "160301", "00", "80", "20", "0d"}) {
    HeadParser parser{HeadRole::Request};
    EXPECT_EQ(parser.receive(Bytes{test::bytes(hex)}.first(1)).status, Status::Failed) << hex;
    EXPECT_EQ(parser.error().status, 400);
  }
}

}  // namespace
}  // namespace sinnet::http
