#include "sinnet/http/url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>

#include "http/ip_text.hpp"

namespace sinnet::http {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string error_of(std::string_view text) {
  const auto url = parse_url(text);
  return url ? "accepted as " + url->to_string(true) : url.error().message;
}

std::string host_error_of(std::string_view text) {
  const auto authority = parse_authority(text);
  return authority ? "accepted as " + write_authority(*authority) : authority.error().message;
}

TEST(UrlTest, TakesEveryPartOfAWebSocketUrl) {
  const auto url = parse_url("wss://user:p%40ss@Chat.Example.com:8443/a/b?x=1&y=%20");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->scheme, Scheme::Wss);
  EXPECT_EQ(url->userinfo, "user:p%40ss");
  EXPECT_EQ(url->host, "chat.example.com");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->target, "/a/b?x=1&y=%20");
  EXPECT_EQ(url->host_header(), "chat.example.com:8443");
  EXPECT_TRUE(url->is_secure());
  EXPECT_TRUE(url->is_websocket());
}

TEST(UrlTest, FillsInDefaultPortAndRootTarget) {
  for (const auto& [text, port] :
       {std::pair("ws://a", 80), {"wss://a", 443}, {"http://a", 80}, {"HTTPS://a", 443}}) {
    const auto url = parse_url(text);
    ASSERT_TRUE(url) << text;
    EXPECT_EQ(url->port, port) << text;
    EXPECT_EQ(url->target, "/") << text;
    EXPECT_EQ(url->host_header(), "a") << text;
  }
  EXPECT_EQ(parse_url("ws://a:80/")->host_header(), "a");
  EXPECT_EQ(parse_url("wss://a:80/")->host_header(), "a:80");
  EXPECT_EQ(parse_url("ws://a:/")->port, 80);
}

TEST(UrlTest, QueryWithoutPathGetsTheRootPath) { EXPECT_EQ(parse_url("ws://a?x=1")->target, "/?x=1"); }

TEST(UrlTest, Ipv6HostIsNormalisedAndBracketedAgain) {
  const auto url = parse_url("ws://[0:0:0:0:0:0:0:1]:9000/");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->host, "::1");
  EXPECT_TRUE(url->is_ipv6);
  EXPECT_EQ(url->host_header(), "[::1]:9000");
  EXPECT_EQ(parse_url("ws://[2001:DB8::A]")->host_header(), "[2001:db8::a]");
}

TEST(UrlTest, FragmentIsRefusedForWebSocketsAndDroppedForHttp) {
  EXPECT_THAT(error_of("ws://a/b#c"), HasSubstr("fragment"));
  EXPECT_THAT(error_of("wss://a#"), HasSubstr("fragment"));
  EXPECT_EQ(parse_url("https://a/b?c#d")->target, "/b?c");
}

TEST(UrlTest, TcpAndTlsAreHostAndPortOnly) {
  const auto url = parse_url("tls://db.example.com:5432");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->port, 5432);
  EXPECT_EQ(url->target, "");
  EXPECT_TRUE(url->is_secure());
  EXPECT_THAT(error_of("tcp://a"), HasSubstr("needs a port"));
  EXPECT_THAT(error_of("tcp://a:1/x"), HasSubstr("no path"));
}

TEST(UrlTest, UnixTakesAPathOrAnAbstractName) {
  EXPECT_EQ(parse_url("unix:/run/x.sock")->host, "/run/x.sock");
  EXPECT_EQ(parse_url("unix:///run/x.sock")->host, "/run/x.sock");
  EXPECT_EQ(parse_url("unix:@name")->host, "@name");
  EXPECT_EQ(parse_url("unix:////@")->host, "/@");  // not "//@", which would read back as the name ""
  EXPECT_EQ(parse_url("unix:/run/x.sock")->host_header(), "localhost");
  EXPECT_THAT(error_of("unix:run/x.sock"), HasSubstr("absolute"));
  EXPECT_THAT(error_of("unix:"), HasSubstr("absolute"));
}

TEST(UrlTest, EachFaultHasItsOwnWords) {
  EXPECT_THAT(error_of("localhost:8080"), HasSubstr("no scheme"));
  EXPECT_THAT(error_of("example.com/chat"), HasSubstr("no scheme"));
  EXPECT_THAT(error_of(""), HasSubstr("no scheme"));
  EXPECT_THAT(error_of("ftp://a"), HasSubstr("none of ws"));
  EXPECT_THAT(error_of("ws:/a"), HasSubstr("\"//\" is missing"));
  EXPECT_THAT(error_of("ws:///a"), HasSubstr("host is empty"));
  EXPECT_THAT(error_of("ws://a:0"), HasSubstr("port is 0"));
  EXPECT_THAT(error_of("ws://a:65536"), HasSubstr("greater than 65535"));
  EXPECT_THAT(error_of("ws://a:99999999999999999999999"), HasSubstr("greater than 65535"));
  EXPECT_THAT(error_of("ws://a:8x"), HasSubstr("port holds 'x'"));
  EXPECT_THAT(error_of("ws://a/b c"), HasSubstr("path holds ' ' (character 3)"));
  EXPECT_THAT(error_of("ws://a/b?c|d"), HasSubstr("query holds '|' (character 2)"));
  EXPECT_THAT(error_of("ws://a/\r\nX: y"), HasSubstr("byte 0x0D"));
  EXPECT_THAT(error_of("ws://a/%4"), HasSubstr("two hexadecimal digits"));
  EXPECT_THAT(error_of("ws://a/%zz"), HasSubstr("two hexadecimal digits"));
  EXPECT_THAT(error_of("ws://a\\b/"), HasSubstr("host name holds '\\'"));
  EXPECT_THAT(error_of("ws://[::1/"), HasSubstr("no ']'"));
  EXPECT_THAT(error_of("ws://[::1]x/"), HasSubstr("behind ']'"));
  EXPECT_THAT(error_of("ws://[fe80::1%25eth0]/"), HasSubstr("zone"));
  EXPECT_THAT(error_of("ws://::1/"), HasSubstr("between '[' and ']'"));
  EXPECT_THAT(error_of("ws://b\xc3\xbc"
                       "cher.example/"),
              HasSubstr("punycode"));
  EXPECT_THAT(error_of("ws://" + std::string(9000, 'a')), HasSubstr("8192"));
}

TEST(UrlTest, NoErrorRepeatsThePassword) {
  for (const std::string_view text : {"ws://me:hunter 2@host/", "ws://me:hunter@host:99999/",
                                      "ws://me:hunter@/", "ws://me:hun@ter@host/", "ws://me:hunter@host/ "}) {
    EXPECT_THAT(error_of(text), Not(HasSubstr("hun"))) << text;
    EXPECT_THAT(error_of(text), Not(HasSubstr("accepted"))) << text;
  }
  EXPECT_EQ(parse_url("ws://me:hunter2@host/")->to_string(), "ws://host/");
}

TEST(AuthorityTest, Attack76AllSpellingsOfAHostHaveOneForm) {
  const Authority expected{.host = "example.com", .is_ipv6 = false, .port = 80};
  for (const std::string_view text :
       {"example.com:80", "EXAMPLE.com:80", "example.com.:80", "example.com:080"}) {
    const auto authority = parse_authority(text);
    ASSERT_TRUE(authority) << text << ": " << authority.error().message;
    EXPECT_EQ(*authority, expected) << text;
  }
}

TEST(AuthorityTest, Attack76HostTricksAreRefused) {
  EXPECT_THAT(host_error_of("host:80@evil.com"), HasSubstr("user names"));
  EXPECT_THAT(host_error_of("host:80:81"), HasSubstr("several ':'"));
  EXPECT_THAT(host_error_of(""), HasSubstr("empty"));
  EXPECT_THAT(host_error_of(":80"), HasSubstr("empty"));
  EXPECT_THAT(host_error_of("."), HasSubstr("empty label"));
  EXPECT_THAT(host_error_of("a..b"), HasSubstr("empty label"));
  EXPECT_THAT(host_error_of(".a"), HasSubstr("empty label"));
  EXPECT_THAT(host_error_of("a.."), HasSubstr("empty label"));
  EXPECT_THAT(host_error_of("a%2eb"), HasSubstr("escapes"));
  EXPECT_THAT(host_error_of("a b"), HasSubstr("holds ' '"));
  EXPECT_THAT(host_error_of("a/b"), HasSubstr("holds '/'"));
  EXPECT_THAT(host_error_of("a,b"), HasSubstr("holds ','"));
  EXPECT_THAT(host_error_of("[]"), HasSubstr("no IPv6"));
  EXPECT_THAT(host_error_of("[127.0.0.1]"), HasSubstr("no IPv6"));
  EXPECT_THAT(host_error_of(std::string(64, 'a')), HasSubstr("63"));
  std::string long_name = "a";
  for (int i = 0; i < 127; ++i) long_name += ".a";
  EXPECT_THAT(host_error_of(long_name), HasSubstr("253"));
}

TEST(AuthorityTest, NumericHostsMustBePlainDottedQuads) {
  EXPECT_EQ(parse_authority("127.0.0.1")->host, "127.0.0.1");
  for (const std::string_view text : {"127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "127.0.0.0x1",
                                      "127.0.0.01", "256.0.0.1", "1.2.3.4.5", "1.2.3", "0x"}) {
    EXPECT_THAT(host_error_of(text), HasSubstr("looks like a number")) << text;
  }
  EXPECT_TRUE(parse_authority("1a.2b"));
  EXPECT_TRUE(parse_authority("4.example"));
}

TEST(IpTextTest, ReadsAndWritesIpv6InItsOneForm) {
  for (const auto& [text, expected] : {std::pair("::", "::"),
                                       {"0:0:0:0:0:0:0:0", "::"},
                                       {"1::", "1::"},
                                       {"::1", "::1"},
                                       {"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
                                       {"1:0:0:2:3:0:0:4", "1::2:3:0:0:4"},
                                       {"1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"},
                                       {"2001:0DB8::000A", "2001:db8::a"},
                                       {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
                                       {"::ffff:c000:201", "::ffff:192.0.2.1"},
                                       {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
                                       {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
                                       {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"}}) {
    const auto octets = parse_ipv6(text);
    ASSERT_TRUE(octets) << text;
    EXPECT_EQ(write_ipv6(*octets), expected) << text;
  }
}

TEST(IpTextTest, RefusesWhatIsNoIpv6) {
  for (const std::string_view text : {"",
                                      ":",
                                      ":::",
                                      "1",
                                      "1:",
                                      ":1",
                                      "1:2:3:4:5:6:7",
                                      "1:2:3:4:5:6:7:8:9",
                                      "1::2::3",
                                      "12345::",
                                      "g::",
                                      "1:2:3:4:5:6:7:8::",
                                      "::1:2:3:4:5:6:7:8",
                                      "::1.2.3",
                                      "::1.2.3.4:1",
                                      "1:2:3:4:5:6:7:1.2.3.4",
                                      "::256.0.0.1",
                                      "::1 ",
                                      "1:::2",
                                      "::%1"}) {
    EXPECT_FALSE(parse_ipv6(text)) << text;
  }
}

TEST(IpTextTest, EveryIpv6AddressRoundTrips) {
  EXPECT_TRUE(
      rc::check("parse(write(x)) == x", [](const std::array<std::uint8_t, 16>& any, std::uint16_t zeros) {
        Ipv6Octets octets = any;
        for (std::size_t i = 0; i < 16; ++i) {
          if ((zeros >> i & 1) != 0) octets[i] = 0;
        }
        RC_ASSERT(parse_ipv6(write_ipv6(octets)) == octets);
      }));
}

TEST(UrlTest, WhatIsWrittenParsesToTheSameUrl) {
  for (const std::string_view text : {"ws://a/", "wss://u:p@[::1]:1/x?y", "http://a.b-c_d:8080/%41",
                                      "tcp://h:1", "tls://[2001:db8::1]:65535", "unix:/a b", "unix:@x"}) {
    const auto url = parse_url(text);
    ASSERT_TRUE(url) << text << ": " << url.error().message;
    EXPECT_EQ(parse_url(url->to_string(true)), *url) << text;
  }
}

TEST(UrlTest, AnyTextIsRefusedOrRoundTrips) {
  EXPECT_TRUE(rc::check("url round trip", [](const std::string& noise) {
    const auto url = parse_url("ws://" + noise);
    if (url) RC_ASSERT(parse_url(url->to_string(true)).value() == *url);
  }));
}

}  // namespace
}  // namespace sinnet::http
