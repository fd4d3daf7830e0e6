#include <gtest/gtest.h>

#include "sinnet/http/head.hpp"

namespace sinnet::http {
namespace {

using Kind = BodyFraming::Kind;

std::expected<BodyFraming, HeadError> framing_of(std::string_view fields,
                                                 std::string_view version = "HTTP/1.1") {
  HeadParser parser{HeadRole::Request};
  std::string text = "POST / ";
  text.append(version).append("\r\nHost: h\r\n").append(fields).append("\r\n");
  EXPECT_EQ(parser.receive(as_bytes(text)).status, HeadParser::Status::Done) << text;
  return body_framing(parser.take_request());
}

int error_of(std::string_view fields, std::string_view version = "HTTP/1.1") {
  const auto framing = framing_of(fields, version);
  return framing.has_value() ? 0 : framing.error().status;
}

std::expected<BodyFraming, HeadError> response_framing(std::string_view head,
                                                       std::string_view method = "GET") {
  HeadParser parser{HeadRole::Response};
  EXPECT_EQ(parser.receive(as_bytes(head)).status, HeadParser::Status::Done) << head;
  return body_framing(parser.take_response(), method);
}

TEST(HeadFramingTest, ReadsTheThreeWays) {
  EXPECT_EQ(framing_of(""), (BodyFraming{.kind = Kind::None}));
  EXPECT_EQ(framing_of("Content-Length: 0\r\n"), (BodyFraming{.kind = Kind::Length}));
  EXPECT_EQ(framing_of("Content-Length: 123456789012345678\r\n"),
            (BodyFraming{.kind = Kind::Length, .length_bytes = 123456789012345678U}));
  EXPECT_EQ(framing_of("transfer-encoding: Chunked\r\n"), (BodyFraming{.kind = Kind::Chunked}));
}

TEST(HeadFramingTest, Attack12AmbiguousFramingIsRefused) {
  EXPECT_EQ(error_of("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400);
  EXPECT_EQ(error_of("Content-Length: 5\r\nContent-Length: 5\r\n"), 400);
  EXPECT_EQ(error_of("Content-Length: 5\r\nContent-Length: 6\r\n"), 400);
  for (const std::string_view length : {"5,5", "5, 5", "+5", "-5", "0x5", "5 5", "", "5.0", "05",
                                        "1234567890123456789", "18446744073709551616", "5;", "five"}) {
    EXPECT_EQ(error_of("Content-Length: " + std::string{length} + "\r\n"), 400) << length;
  }
  EXPECT_EQ(error_of("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400);
  EXPECT_EQ(error_of("Transfer-Encoding: chunked\r\n", "HTTP/1.0"), 400);
  for (const std::string_view coding :
       {"chunked, chunked", "chunked, gzip", "gzip", "xchunked", "chunked;a=b", "identity", "\"chunked\"",
        "chunked,", "", "chunked chunked", "x, chunked x"}) {
    EXPECT_EQ(error_of("Transfer-Encoding: " + std::string{coding} + "\r\n"), 400) << coding;
  }
  EXPECT_EQ(error_of("Transfer-Encoding: gzip, chunked\r\n"), 501);
}

TEST(HeadFramingTest, FramesResponsesByTheirRequest) {
  const std::string_view sized = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
  EXPECT_EQ(response_framing(sized), (BodyFraming{.kind = Kind::Length, .length_bytes = 7}));
  EXPECT_EQ(response_framing(sized, "HEAD"), BodyFraming{});
  EXPECT_EQ(response_framing(sized, "CONNECT"), BodyFraming{});
  EXPECT_EQ(response_framing("HTTP/1.1 204 \r\nContent-Length: 7\r\n\r\n"), BodyFraming{});
  EXPECT_EQ(response_framing("HTTP/1.1 304 \r\n\r\n"), BodyFraming{});
  EXPECT_EQ(response_framing("HTTP/1.1 101 \r\nTransfer-Encoding: chunked\r\n\r\n"), BodyFraming{});
  EXPECT_EQ(response_framing("HTTP/1.1 200 \r\n\r\n"), (BodyFraming{.kind = Kind::UntilClose}));
  EXPECT_EQ(response_framing("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n"),
            (BodyFraming{.kind = Kind::Chunked}));
  const auto both =
      response_framing("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n");
  ASSERT_FALSE(both.has_value());
  EXPECT_EQ(both.error().status, 502);
}

}  // namespace
}  // namespace sinnet::http
