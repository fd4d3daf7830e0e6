#include "endpoint/origin.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sinnet::endpoint {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

OriginPolicy origins(std::vector<std::string> allowed, bool require_origin = false) {
  auto policy = OriginPolicy::parse(allowed, require_origin);
  if (!policy) ADD_FAILURE() << policy.error().message;
  return policy.value_or(OriginPolicy());
}

std::string origin_error(const std::string& entry) {
  const auto policy = OriginPolicy::parse(std::span(&entry, 1), false);
  return policy ? "accepted" : policy.error().message;
}

HostPolicy hosts(std::vector<std::string> names, bool is_loopback_only) {
  auto policy = HostPolicy::parse(names, is_loopback_only);
  if (!policy) ADD_FAILURE() << policy.error().message;
  return policy.value_or(HostPolicy());
}

TEST(OriginTest, SameOriginComparesSchemeHostAndPort) {
  const OriginPolicy policy;
  const auto check = [&](std::string_view origin, bool is_secure, std::string_view host) {
    return policy.check(origin, is_secure, host).status;
  };
  EXPECT_EQ(check("https://good.com", true, "good.com"), 0);
  EXPECT_EQ(check("https://good.com", true, "GOOD.com:443"), 0);
  EXPECT_EQ(check("http://good.com:8080", false, "good.com:8080"), 0);
  EXPECT_EQ(check("http://[::1]:8080", false, "[0::1]:8080"), 0);
  EXPECT_EQ(check("http://good.com", true, "good.com"), 403);
  EXPECT_EQ(check("https://good.com", false, "good.com"), 403);
  EXPECT_EQ(check("https://good.com:8443", true, "good.com"), 403);
  EXPECT_EQ(check("https://good.com", true, "good.com:8443"), 403);
  EXPECT_EQ(check("https://good.com", true, "other.com"), 403);
  EXPECT_EQ(check("https://good.com", true, ""), 403);
  EXPECT_EQ(check("https://good.com", true, "good.com@evil.com"), 403);
}

TEST(OriginTest, MissingOriginIsAllowedUnlessRequired) {
  EXPECT_TRUE(OriginPolicy().check(std::nullopt, true, "a").is_allowed());
  const Decision refused = origins({}, true).check(std::nullopt, true, "a");
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.reason, HasSubstr("security.require_origin"));
  EXPECT_TRUE(origins({}, true).check("https://a", true, "a").is_allowed());
}

TEST(OriginTest, Attack16TricksAroundAnExactEntryAreRefused) {
  const OriginPolicy policy = origins({"https://good.com"});
  EXPECT_TRUE(policy.check("https://good.com", true, "ws.example").is_allowed());
  for (const std::string_view origin : {"http://good.com",
                                        "https://good.com:8443",
                                        "https://good.com:443",
                                        "https://evil-good.com",
                                        "https://good.com.evil.com",
                                        "https://sub.good.com",
                                        "https://GOOD.com",
                                        "HTTPS://good.com",
                                        "https://good.com.",
                                        "https://good.com/",
                                        "https://good.com@evil.com",
                                        "https://evil.com@good.com",
                                        "https://good.com:443@evil.com",
                                        "https://evil.com#https://good.com",
                                        "https://evil.com?good.com",
                                        "https://good.com https://evil.com",
                                        "https://good.com, https://evil.com",
                                        "https://good.com%00",
                                        "https://good%2ecom",
                                        "https://",
                                        "good.com",
                                        "//good.com",
                                        "null",
                                        "",
                                        " https://good.com",
                                        "file://",
                                        "https:good.com",
                                        "https://xn--good-.com",
                                        "*",
                                        "https://*"}) {
    EXPECT_EQ(policy.check(origin, true, "ws.example").status, 403) << origin;
  }
}

TEST(OriginTest, Attack16TricksAroundAWildcardAreRefused) {
  const OriginPolicy policy = origins({"https://*.good.com"});
  EXPECT_TRUE(policy.check("https://a.good.com", true, "ws.example").is_allowed());
  EXPECT_TRUE(policy.check("https://a.b.good.com", true, "ws.example").is_allowed());
  for (const std::string_view origin :
       {"https://good.com", "https://evil-good.com", "https://a.good.com.evil.com", "https://.good.com",
        "https://a.good.com:8443", "http://a.good.com", "https://A.good.com", "https://evil.com/.good.com",
        "https://evil.com\\.good.com", "https://*.good.com"}) {
    EXPECT_EQ(policy.check(origin, true, "ws.example").status, 403) << origin;
  }
}

TEST(OriginTest, WildcardOverANameThatEndsWithADigitIsNoAddress) {
  EXPECT_TRUE(origins({"http://*.cluster1"}).check("http://a.cluster1", true, "ws.example").is_allowed());
}

TEST(OriginTest, NullOnlyIfListed) {
  EXPECT_FALSE(OriginPolicy().check("null", false, "null").is_allowed());
  EXPECT_TRUE(origins({"null"}).check("null", false, "a").is_allowed());
}

TEST(OriginTest, OtherSchemesAreComparedWhole) {
  const OriginPolicy policy = origins({"chrome-extension://abc"});
  EXPECT_TRUE(policy.check("chrome-extension://abc", false, "a").is_allowed());
  EXPECT_FALSE(policy.check("chrome-extension://abcd", false, "a").is_allowed());
}

TEST(OriginTest, StarAllowsEveryPage) {
  EXPECT_TRUE(origins({"*"}).check("https://any.example", false, "a").is_allowed());
}

TEST(OriginTest, ListedOriginWithItsPortMatchesThatPort) {
  const OriginPolicy policy = origins({"https://good.com:8443", "http://good.com:80"});
  EXPECT_TRUE(policy.check("https://good.com:8443", false, "a").is_allowed());
  EXPECT_TRUE(policy.check("http://good.com", false, "a").is_allowed());
  EXPECT_FALSE(policy.check("https://good.com", false, "a").is_allowed());
}

TEST(OriginTest, RefusalNamesBothValuesAndTheKey) {
  const Decision decision = OriginPolicy().check("https://evil.com", true, "good.com:8443");
  EXPECT_THAT(decision.reason,
              AllOf(HasSubstr("https://evil.com"), HasSubstr("https://good.com:8443"),
                    HasSubstr("security.allowed_origins"), Not(HasSubstr("trusted_proxies"))));
  EXPECT_THAT(OriginPolicy().check("https://good.com", false, "good.com").reason,
              HasSubstr("server.trusted_proxies"));
  EXPECT_THAT(OriginPolicy().check("https://good.com", false, "good.com:8080").reason,
              HasSubstr("server.trusted_proxies"));
}

TEST(OriginTest, Attack95RefusalIsOnePrintableLine) {
  const Decision decision = OriginPolicy().check("evil\r\nX: \x1b[31m\xff", true, std::string(5000, '\x07'));
  for (const char c : decision.reason) EXPECT_TRUE(c >= 0x20 && c <= 0x7e);
  EXPECT_LT(decision.reason.size(), 700U);
}

TEST(OriginTest, EntriesThatCouldNeverMatchAreErrors) {
  EXPECT_THAT(origin_error("good.com"), HasSubstr("https://good.com"));
  EXPECT_THAT(origin_error("https://good.com/"), HasSubstr("no path"));
  EXPECT_THAT(origin_error("https://good.com/x"), HasSubstr("write scheme, host and port"));
  EXPECT_THAT(origin_error("https://*"), HasSubstr("first labels"));
  EXPECT_THAT(origin_error("https://a.*.com"), HasSubstr("first labels"));
  EXPECT_THAT(origin_error("https://*good.com"), HasSubstr("first labels"));
  EXPECT_THAT(origin_error("https://*.127.0.0.1"), HasSubstr("no subdomains"));
  EXPECT_THAT(origin_error("wss://good.com"), HasSubstr("page"));
  EXPECT_THAT(origin_error(""), HasSubstr("no scheme"));
}

TEST(HostTest, Attack17ReboundNameOnLoopbackIsRefused) {
  const HostPolicy policy = hosts({}, true);
  for (const std::string_view host :
       {"localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST", "localhost."}) {
    EXPECT_EQ(policy.check(host).status, 0) << host;
  }
  for (const std::string_view host : {"evil.com", "evil.com:8080", "localhost.evil.com", "127.0.0.1.evil.com",
                                      "127.0.0.1.nip.io", "evil-localhost", "0.0.0.0", "[::]"}) {
    EXPECT_EQ(policy.check(host).status, 421) << host;
  }
  EXPECT_THAT(policy.check("evil.com:80").reason,
              AllOf(HasSubstr("evil.com:80"), HasSubstr("localhost"), HasSubstr("server.name")));
}

TEST(HostTest, Attack76UnreadableHostIsABadRequest) {
  for (const std::string_view host : {"", "a@b", "a:b", "a b", "a,b", "127.1", "[::1", "a/b", "a:0"}) {
    EXPECT_EQ(HostPolicy().check(host).status, 400) << host;
  }
}

TEST(HostTest, ConfiguredNamesAreTheOnlyOnes) {
  const HostPolicy policy = hosts({"ws.example.com", "*.apps.example.com", "port.example.com:8443"}, false);
  for (const std::string_view host : {"ws.example.com", "WS.example.com.:9000", "a.apps.example.com",
                                      "a.b.apps.example.com", "port.example.com:8443"}) {
    EXPECT_EQ(policy.check(host).status, 0) << host;
  }
  for (const std::string_view host :
       {"example.com", "apps.example.com", "evil-ws.example.com", "ws.example.com.evil.com", "localhost",
        "port.example.com", "port.example.com:8444"}) {
    EXPECT_EQ(policy.check(host).status, 421) << host;
  }
  EXPECT_TRUE(hosts({"ws.example.com"}, true).check("localhost:1").is_allowed());
  EXPECT_TRUE(hosts({"ws.example.com"}, true).check("ws.example.com").is_allowed());
}

TEST(HostTest, WithoutNamesBeyondLoopbackAnyHostIsTaken) {
  EXPECT_TRUE(HostPolicy().check("any.example:1").is_allowed());
}

TEST(HostTest, BadNameIsAnError) {
  const std::vector<std::string> names = {"https://a"};
  EXPECT_FALSE(HostPolicy::parse(names, false));
}

}  // namespace
}  // namespace sinnet::endpoint
