#include "endpoint/cidr.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sinnet::endpoint {
namespace {

using ::testing::HasSubstr;

bool contains(std::string_view block, std::string_view address) {
  const auto cidr = Cidr::parse(block);
  const auto ip = parse_ip(address);
  if (!cidr || !ip) {
    ADD_FAILURE() << block << " or " << address << " does not parse";
    return false;
  }
  return cidr->contains(*ip);
}

std::string error_of(std::string_view text) {
  const auto cidr = Cidr::parse(text);
  return cidr ? "accepted as " + cidr->to_string() : cidr.error().message;
}

TEST(CidrTest, MatchesByPrefix) {
  EXPECT_TRUE(contains("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(contains("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(contains("192.0.2.128/25", "192.0.2.128"));
  EXPECT_FALSE(contains("192.0.2.128/25", "192.0.2.127"));
  EXPECT_TRUE(contains("192.0.2.1", "192.0.2.1"));
  EXPECT_FALSE(contains("192.0.2.1/32", "192.0.2.2"));
  EXPECT_TRUE(contains("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(contains("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(contains("::1", "::1"));
}

TEST(CidrTest, MappedAddressIsItsIpv4Address) {
  EXPECT_TRUE(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
  EXPECT_TRUE(contains("::ffff:10.0.0.0/104", "10.1.2.3"));
  EXPECT_EQ(parse_ip("::ffff:10.1.2.3"), parse_ip("10.1.2.3"));
  EXPECT_EQ(parse_ip("::ffff:10.1.2.3")->to_string(), "10.1.2.3");
}

TEST(CidrTest, FamiliesDoNotMix) {
  EXPECT_TRUE(contains("0.0.0.0/0", "203.0.113.9"));
  EXPECT_FALSE(contains("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(contains("::/0", "2001:db8::1"));
  EXPECT_FALSE(contains("::/0", "203.0.113.9"));
}

TEST(CidrTest, FaultsAreNamed) {
  EXPECT_THAT(error_of("10.1.2.3/8"), HasSubstr("10.0.0.0/8"));
  EXPECT_THAT(error_of("2001:db8::1/32"), HasSubstr("2001:db8::/32"));
  EXPECT_THAT(error_of("10.0.0.0/33"), HasSubstr("0 to 32"));
  EXPECT_THAT(error_of("::/129"), HasSubstr("0 to 128"));
  for (const std::string_view text :
       {"10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8 ", "10.0.0.0/8/8"}) {
    EXPECT_THAT(error_of(text), HasSubstr("prefix must be")) << text;
  }
  for (const std::string_view text :
       {"", "localhost", "10/8", "010.0.0.0/8", "[::1]", "fe80::1%eth0", "10.0.0.0:80"}) {
    EXPECT_THAT(error_of(text), HasSubstr("no IP address or block")) << text;
  }
}

TEST(IpAddressTest, SocketAddressesKeepTheirBits) {
  EXPECT_EQ(ip_of(io::SocketAddress::ipv4({192, 0, 2, 1}, 80)), parse_ip("192.0.2.1"));
  EXPECT_EQ(ip_of(io::SocketAddress::ipv6(parse_ip("2001:db8::7")->octets, 80)), parse_ip("2001:db8::7"));
  EXPECT_EQ(ip_of(io::SocketAddress()), std::nullopt);
  EXPECT_EQ(parse_ip("192.0.2.1")->with_port(8), io::SocketAddress::ipv4({192, 0, 2, 1}, 8));
}

TEST(IpAddressTest, KnowsLoopback) {
  EXPECT_TRUE(parse_ip("127.9.9.9")->is_loopback());
  EXPECT_TRUE(parse_ip("::1")->is_loopback());
  EXPECT_FALSE(parse_ip("::")->is_loopback());
  EXPECT_FALSE(parse_ip("1::1")->is_loopback());
  EXPECT_FALSE(parse_ip("128.0.0.1")->is_loopback());
}

TEST(CidrTest, EveryAddressIsInItsOwnBlockOfAnyLength) {
  EXPECT_TRUE(rc::check("contains", [](const std::array<std::uint8_t, 4>& octets) {
    const int bits = *rc::gen::inRange(0, 33);
    std::uint32_t value = 0;
    for (const std::uint8_t octet : octets) value = value << 8 | octet;
    const std::uint32_t base = bits == 0 ? 0 : value >> (32 - bits) << (32 - bits);
    const auto text = [](std::uint32_t v) {
      return std::to_string(v >> 24) + "." + std::to_string(v >> 16 & 255) + "." +
             std::to_string(v >> 8 & 255) + "." + std::to_string(v & 255);
    };
    const auto block = Cidr::parse(text(base) + "/" + std::to_string(bits));
    RC_ASSERT(block.has_value());
    RC_ASSERT(block->contains(*parse_ip(text(value))));
    if (bits > 0) RC_ASSERT(!block->contains(*parse_ip(text(value ^ 1U << (32 - bits)))));
  }));
}

}  // namespace
}  // namespace sinnet::endpoint
