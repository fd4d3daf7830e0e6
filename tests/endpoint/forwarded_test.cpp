#include "endpoint/forwarded.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sinnet::endpoint {
namespace {

using ::testing::HasSubstr;

io::SocketAddress ip(std::string_view text, std::uint16_t port = 0) {
  return parse_ip(text).value().with_port(port);
}

class ForwardedTest : public ::testing::Test {
 protected:
  [[nodiscard]] static TrustedProxies proxies(std::vector<std::string> entries) {
    auto trusted = TrustedProxies::parse(entries);
    if (!trusted) ADD_FAILURE() << trusted.error().message;
    return trusted.value_or(TrustedProxies());
  }
  [[nodiscard]] ClientView from(const io::SocketAddress& peer, const ForwardedHeaders& headers) const {
    return evaluate_forwarded(headers, peer, false, trusted_);
  }
  [[nodiscard]] std::string client(std::string_view forwarded_for) const {
    const ClientView view = from(proxy_, {forwarded_for, "", "", "here"});
    return (view.source == ClientSource::Unnamed ? "unnamed " : "") + ip_of(view.address)->to_string();
  }
  const io::SocketAddress proxy_ = ip("127.0.0.1", 5000);
  const TrustedProxies trusted_ = proxies({"127.0.0.1", "10.0.0.0/8", "2001:db8::/32"});
};

TEST_F(ForwardedTest, Attack77UntrustedPeerCannotNameAClient) {
  const ClientView view = from(ip("203.0.113.9", 77), {"192.0.2.1", "https", "evil.example", "real.example"});
  EXPECT_EQ(view.address, ip("203.0.113.9", 77));
  EXPECT_EQ(view.source, ClientSource::Peer);
  EXPECT_FALSE(view.is_secure);
  EXPECT_EQ(view.host, "real.example");
}

TEST_F(ForwardedTest, FirstUntrustedHopFromTheRightIsTheClient) {
  EXPECT_EQ(client("198.51.100.7"), "198.51.100.7");
  EXPECT_EQ(client("198.51.100.7, 10.1.1.1"), "198.51.100.7");
  EXPECT_EQ(client("198.51.100.7,10.1.1.1 ,\t2001:db8::5"), "198.51.100.7");
  EXPECT_EQ(client("10.3.3.3, 10.1.1.1"), "10.3.3.3");
}

TEST_F(ForwardedTest, Attack77ForgedEntriesToTheLeftAreNotReached) {
  EXPECT_EQ(client("127.0.0.1, 198.51.100.7, 10.1.1.1"), "198.51.100.7");
  EXPECT_EQ(client("garbage, 198.51.100.7"), "198.51.100.7");
}

TEST_F(ForwardedTest, EntriesMayCarryPortsAndBrackets) {
  EXPECT_EQ(from(proxy_, {"198.51.100.7:1234", "", "", ""}).address, ip("198.51.100.7", 1234));
  EXPECT_EQ(from(proxy_, {"[2a00::1]:80", "", "", ""}).address, ip("2a00::1", 80));
  EXPECT_EQ(from(proxy_, {"[2a00::1]", "", "", ""}).address, ip("2a00::1"));
  EXPECT_EQ(from(proxy_, {"2a00::1", "", "", ""}).address, ip("2a00::1"));
  EXPECT_EQ(client("::ffff:198.51.100.7"), "198.51.100.7");
}

TEST_F(ForwardedTest, NoNameOrANonAddressIsUnnamed) {
  EXPECT_EQ(client(""), "unnamed 127.0.0.1");
  EXPECT_EQ(client("unknown"), "unnamed 127.0.0.1");
  EXPECT_EQ(client("198.51.100.7, unknown, 10.1.1.1"), "unnamed 10.1.1.1");
  for (const std::string_view text : {",", "198.51.100.7,", "[198.51.100.7]", "[::1", "1.2.3.4:x",
                                      "1.2.3.4:65536", "a.b", "\"1.2.3.4\"", "1.2.3.4 5.6.7.8"}) {
    EXPECT_THAT(client(text), HasSubstr("unnamed")) << text;
  }
}

TEST_F(ForwardedTest, ProtoAndHostComeFromTrustedHopsOnly) {
  const ClientView view = from(proxy_, {"198.51.100.7", "HTTPS", "public.example", "inner"});
  EXPECT_TRUE(view.is_secure);
  EXPECT_EQ(view.host, "public.example");
  EXPECT_FALSE(from(proxy_, {"198.51.100.7", "gopher", "", "inner"}).is_secure);
  EXPECT_EQ(from(proxy_, {"198.51.100.7", "", "", "inner"}).host, "inner");
  EXPECT_FALSE(evaluate_forwarded({"198.51.100.7", "http", "", ""}, proxy_, true, trusted_).is_secure);
}

TEST_F(ForwardedTest, Attack77ForgedProtoAndHostBehindAppendingProxiesDoNotCount) {
  // The client sent "https" and "evil" itself; the edge appended what it saw, and the inner proxy too.
  const ClientView view =
      from(proxy_, {"127.0.0.1, 198.51.100.7, 10.1.1.1", "https, http, https", "evil, a, b", "c"});
  EXPECT_EQ(view.address, ip("198.51.100.7"));
  EXPECT_FALSE(view.is_secure);
  EXPECT_EQ(view.host, "a");
  // Lists of another length cannot be aligned: the nearest proxy's word counts.
  EXPECT_TRUE(from(proxy_, {"198.51.100.7", "http, https", "", ""}).is_secure);
}

TEST_F(ForwardedTest, UnixPeersAreTrustedByTheirOwnWord) {
  const auto unix_peer = io::SocketAddress::parse("unix:/run/nginx.sock");
  ASSERT_TRUE(unix_peer);
  const ForwardedHeaders headers{"198.51.100.7", "", "", ""};
  EXPECT_EQ(evaluate_forwarded(headers, *unix_peer, false, proxies({"unix"})).address, ip("198.51.100.7"));
  EXPECT_EQ(evaluate_forwarded(headers, *unix_peer, false, trusted_).source, ClientSource::Peer);
}

TEST_F(ForwardedTest, BadEntryOfTheListIsNamed) {
  const std::vector<std::string> entries = {"localhost"};
  const auto trusted = TrustedProxies::parse(entries);
  ASSERT_FALSE(trusted);
  EXPECT_THAT(trusted.error().message, HasSubstr("localhost"));
}

TEST_F(ForwardedTest, TenThousandHopsCostLinearTime) {
  std::string list = "198.51.100.7";
  for (int i = 0; i < 10000; ++i) list += ",10.0.0.1";
  EXPECT_EQ(client(list), "198.51.100.7");
}

}  // namespace
}  // namespace sinnet::endpoint
