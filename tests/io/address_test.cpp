#include "sinnet/io/address.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "support/bytes.hpp"

namespace sinnet::io {
namespace {

TEST(SocketAddressTest, WhatParseTakesToStringGivesBack) {
  for (const std::string_view text :
       {"127.0.0.1:80", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:80", "[::]:8080", "[2001:db8::1]:443",
        "[::ffff:192.0.2.1]:80", "unix:/run/x.sock", "unix:@name", "unix:relative"}) {
    const auto address = SocketAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), text);
  }
}

TEST(SocketAddressTest, WhatIsNoNumericAddressIsRefused) {
  for (const std::string_view text : {"",
                                      ":",
                                      ":80",
                                      "80",
                                      "localhost:80",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      "127.0.0.1:65536",
                                      "127.0.0.1:-1",
                                      "127.0.0.1: 80",
                                      "127.0.0.1:+80",
                                      "127.0.0.1:000080",
                                      "127.1:80",
                                      "0x7f.0.0.1:80",
                                      "127.0.0.01:80",
                                      " 127.0.0.1:80",
                                      "[::1]",
                                      "::1:80",
                                      "[::1:80",
                                      "[]:80",
                                      "[127.0.0.1]:80",
                                      "[fe80::1%eth0]:80",
                                      "unix:",
                                      "unix:@"}) {
    const auto address = SocketAddress::parse(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code, ErrorCode::InvalidArgument);
  }
  EXPECT_FALSE(SocketAddress::parse(std::string_view("127.0.0.1\0:80", 13)));
  EXPECT_FALSE(SocketAddress::parse(std::string_view("unix:/a\0b", 9)));
}

TEST(SocketAddressTest, UnixPathOfOneHundredAndEightBytesIsAnErrorAndNeverCut) {
  EXPECT_TRUE(SocketAddress::parse("unix:" + std::string(107, 'a')));
  EXPECT_FALSE(SocketAddress::parse("unix:" + std::string(108, 'a')));
}

TEST(SocketAddressTest, NativeFormIsTheKernels) {
  std::array<std::byte, 128> native;
  // sa_family_t is in host order: AF_INET 2, AF_INET6 10, AF_UNIX 1 on a little-endian machine.
  std::size_t size = SocketAddress::parse("192.0.2.1:443")->to_native(native);
  EXPECT_EQ(test::hex(Bytes(native).first(size)), "020001bbc00002010000000000000000");
  size = SocketAddress::parse("[2001:db8::1]:80")->to_native(native);
  EXPECT_EQ(test::hex(Bytes(native).first(size)), "0a0000500000000020010db800000000000000000000000100000000");
  size = SocketAddress::parse("unix:/a")->to_native(native);
  EXPECT_EQ(test::hex(Bytes(native).first(size)), "01002f6100");
  size = SocketAddress::parse("unix:@a")->to_native(native);
  EXPECT_EQ(test::hex(Bytes(native).first(size)), "01000061");
  EXPECT_EQ(SocketAddress().to_native(native), 0U);
}

TEST(SocketAddressTest, HostOfAMappedAddressReadsAsIpv4) {
  EXPECT_EQ(SocketAddress::parse("[::ffff:192.0.2.1]:80")->host(), "192.0.2.1");
  EXPECT_EQ(SocketAddress::parse("[::1]:80")->host(), "::1");
  EXPECT_EQ(SocketAddress::parse("unix:/run/x")->host(), "/run/x");
}

TEST(SocketAddressTest, LoopbackIsWhatOnlyThisMachineReaches) {
  for (const std::string_view text :
       {"127.0.0.1:1", "127.255.0.3:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "unix:/x"}) {
    EXPECT_TRUE(SocketAddress::parse(text)->is_loopback()) << text;
  }
  for (const std::string_view text :
       {"128.0.0.1:1", "0.0.0.0:1", "[::]:1", "[::2]:1", "[1::1]:1", "[::ffff:1.0.0.1]:1"}) {
    EXPECT_FALSE(SocketAddress::parse(text)->is_loopback()) << text;
  }
  EXPECT_FALSE(SocketAddress().is_loopback());
}

TEST(SocketAddressTest, UnknownOrCutNativeFormIsNone) {
  EXPECT_EQ(SocketAddress::from_native({}).family(), AddressFamily::None);
  EXPECT_EQ(SocketAddress::from_native(test::bytes("0200 01bb c000")).family(), AddressFamily::None);
  EXPECT_EQ(SocketAddress::from_native(test::bytes("1000 0000 0000 0000 0000 0000 0000 0000")).family(),
            AddressFamily::None);
  EXPECT_EQ(SocketAddress::from_native(test::bytes("0100")).family(), AddressFamily::Unix);
}

RC_GTEST_PROP(SocketAddressProperty, TextAndNativeFormsRoundTrip,
              (std::array<std::uint8_t, 16> octets, std::uint16_t port)) {
  for (const SocketAddress& address :
       {SocketAddress::ipv6(octets, port),
        SocketAddress::ipv4({octets[0], octets[1], octets[2], octets[3]}, port)}) {
    RC_ASSERT(*SocketAddress::parse(address.to_string()) == address);
    std::array<std::byte, 128> native;
    const std::size_t size = address.to_native(native);
    RC_ASSERT(SocketAddress::from_native(Bytes(native).first(size)) == address);
  }
}

}  // namespace
}  // namespace sinnet::io
