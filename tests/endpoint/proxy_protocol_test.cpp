#include "endpoint/proxy_protocol.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

#include "endpoint/cidr.hpp"
#include "support/bytes.hpp"

namespace sinnet::endpoint {
namespace {

constexpr std::string_view signature = "0d0a0d0a000d0a515549540a";

io::SocketAddress ip(std::string_view text, std::uint16_t port) {
  return parse_ip(text).value().with_port(port);
}

struct Outcome {
  ProxyParser::State state;
  ProxyFault fault;
  std::size_t taken;
  ProxyHeader header;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// Feeds the pieces that end at `cuts`, stopping as a connection would when the header is over.
Outcome run(Bytes input, const std::vector<std::size_t>& cuts = {}) {
  ProxyParser parser;
  std::size_t taken = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t end = i < cuts.size() ? cuts[i] : input.size();
    while (taken < end) {
      const std::size_t count = parser.receive(input.subspan(taken, end - taken));
      taken += count;
      if (count == 0) break;
    }
  }
  return {parser.state(), parser.fault(), taken, parser.is_done() ? parser.header() : ProxyHeader{}};
}

// The chunking law: whole, byte by byte and at every split.
Outcome run_every_way(Bytes input) {
  const Outcome whole = run(input);
  std::vector<std::size_t> every;
  for (std::size_t i = 1; i < input.size(); ++i) {
    every.push_back(i);
    EXPECT_EQ(run(input, {i}), whole) << "split at " << i;
  }
  EXPECT_EQ(run(input, every), whole) << "byte by byte";
  return whole;
}

Outcome line(std::string_view text) { return run_every_way(as_bytes(text)); }
Outcome binary(std::string_view hex) {
  const auto input = test::bytes(std::string(signature) + std::string(hex));
  return run_every_way(input);
}

TEST(ProxyV1Test, ReadsTcp4AndLeavesWhatFollows) {
  const std::string_view text = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nGET / HTTP/1.1\r\n";
  const Outcome outcome = line(text);
  EXPECT_EQ(outcome.state, ProxyParser::State::Done);
  EXPECT_EQ(outcome.taken, 45U);
  EXPECT_EQ(outcome.header.source, ip("192.0.2.1", 56324));
  EXPECT_EQ(outcome.header.destination, ip("198.51.100.2", 443));
}

TEST(ProxyV1Test, ReadsTcp6) {
  const Outcome outcome = line("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n");
  EXPECT_EQ(outcome.state, ProxyParser::State::Done);
  EXPECT_EQ(outcome.header.source, ip("2001:db8::1", 0));
  EXPECT_EQ(outcome.header.destination, ip("::1", 65535));
}

TEST(ProxyV1Test, LongestLineOfTheSpecificationFits) {
  const std::string text =
      "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
      "65535\r\n";
  ASSERT_EQ(text.size(), 107U);
  EXPECT_EQ(line(text).state, ProxyParser::State::Done);
  EXPECT_EQ(line(text).header, ProxyHeader{});
}

TEST(ProxyV1Test, UnknownKeepsTheConnectionsAddresses) {
  EXPECT_EQ(line("PROXY UNKNOWN\r\n").state, ProxyParser::State::Done);
  EXPECT_EQ(line("PROXY UNKNOWN\r\n").header, ProxyHeader{});
}

TEST(ProxyV1Test, LineWithoutEndIsCutOffAt107Bytes) {
  const Outcome outcome = line("PROXY UNKNOWN " + std::string(500, 'x'));
  EXPECT_EQ(outcome.fault, ProxyFault::LineTooLong);
  EXPECT_EQ(outcome.taken, 107U);
}

TEST(ProxyV1Test, MalformedLinesAreRefused) {
  for (const std::string_view text : {"PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n",
                                      "PROXY TCP4 192.0.2.1 198.51.100.2 1 2\rX",
                                      "PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n",
                                      "PROXY TCP4 192.0.2.1  198.51.100.2 1 2\r\n",
                                      "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n",
                                      "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n",
                                      "PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n",
                                      "PROXY TCP4\r\n",
                                      "PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n",
                                      "PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n",
                                      "PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n",
                                      "PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n",
                                      "PROXY TCP4 192.0.2.1 198.51.100.2 -1 2\r\n",
                                      "PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n",
                                      "PROXY TCP4 ::1 ::1 1 2\r\n",
                                      "PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n",
                                      "PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n",
                                      "PROXY tcp4 192.0.2.1 198.51.100.2 1 2\r\n",
                                      "PROXY UNKNOWNS\r\n",
                                      "PROXY \r\n",
                                      "PROXY TCP4 \t192.0.2.1 198.51.100.2 1 2\r\n",
                                      "PROXY \n"}) {
    EXPECT_EQ(line(text).fault, ProxyFault::BadLine) << text;
  }
}

TEST(ProxyTest, Attack15ConnectionWithoutHeaderFailsAtTheFirstWrongByte) {
  EXPECT_EQ(line("GET / HTTP/1.1\r\n").fault, ProxyFault::NoHeader);
  EXPECT_EQ(line("G").fault, ProxyFault::NoHeader);
  EXPECT_EQ(line("POST").fault, ProxyFault::NoHeader);
  EXPECT_EQ(line("proxy ").fault, ProxyFault::NoHeader);
  EXPECT_EQ(line("PROXX").fault, ProxyFault::NoHeader);
  EXPECT_EQ(line("\r\n\r\nG").fault, ProxyFault::NoHeader);
  EXPECT_EQ(run_every_way(test::bytes("1603010200")).fault, ProxyFault::NoHeader);  // a TLS ClientHello
}

TEST(ProxyTest, EndOfInputInsideTheHeaderIsAFault) {
  for (const std::string_view text : {"", "PROXY TCP4", "\r\n\r\n"}) {
    ProxyParser parser;
    parser.receive(as_bytes(text));
    parser.receive_eof();
    EXPECT_EQ(parser.fault(), ProxyFault::EndOfInput) << text;
  }
  ProxyParser parser;
  parser.receive(as_bytes("PROXY UNKNOWN\r\n"));
  parser.receive_eof();
  EXPECT_TRUE(parser.is_done());
}

TEST(ProxyV2Test, ReadsTcp4AndLeavesWhatFollows) {
  const Outcome outcome = binary("21 11 000c c0000201 c6336402 dc04 01bb 474554");
  EXPECT_EQ(outcome.state, ProxyParser::State::Done);
  EXPECT_EQ(outcome.taken, 28U);
  EXPECT_EQ(outcome.header.source, ip("192.0.2.1", 56324));
  EXPECT_EQ(outcome.header.destination, ip("198.51.100.2", 443));
}

TEST(ProxyV2Test, ReadsTcp6AndSkipsTlvs) {
  const Outcome outcome = binary(
      "21 21 002b 20010db8000000000000000000000001 00000000000000000000000000000001 0001 0002"
      "04 0004 00000000 474554");
  EXPECT_EQ(outcome.state, ProxyParser::State::Done);
  EXPECT_EQ(outcome.taken, 16U + 43U);
  EXPECT_EQ(outcome.header.source, ip("2001:db8::1", 1));
  EXPECT_EQ(outcome.header.destination, ip("::1", 2));
}

TEST(ProxyV2Test, MappedAddressesBecomeIpv4) {
  const Outcome outcome =
      binary("21 21 0024 00000000000000000000ffffc0000201 00000000000000000000ffffc6336402 0001 0002");
  EXPECT_EQ(outcome.header.source, ip("192.0.2.1", 1));
}

TEST(ProxyV2Test, LocalUnspecifiedAndUnixKeepTheConnectionsAddresses) {
  EXPECT_EQ(binary("20 00 0000").state, ProxyParser::State::Done);
  EXPECT_EQ(binary("20 11 000c c0000201 c6336402 dc04 01bb").header, ProxyHeader{});
  EXPECT_EQ(binary("20 ff 0001 00 ab").taken, 17U);
  EXPECT_EQ(binary("21 00 0003 010203").header, ProxyHeader{});
  const std::string zeros(216 * 2, '0');
  const Outcome outcome = binary("21 31 00d8" + zeros);
  EXPECT_EQ(outcome.state, ProxyParser::State::Done);
  EXPECT_EQ(outcome.header, ProxyHeader{});
}

TEST(ProxyV2Test, UnknownVersionsCommandsAndFamiliesAreRefused) {
  for (const std::string_view hex : {"11 11 000c", "22 11 000c", "31 11 000c", "01 11 000c"}) {
    EXPECT_EQ(binary(hex).fault, ProxyFault::BadVersion) << hex;
  }
  for (const std::string_view hex :
       {"21 12 000c", "21 22 0024", "21 32 00d8", "21 41 000c", "21 10 000c", "21 13 000c", "21 01 0000"}) {
    EXPECT_EQ(binary(hex).fault, ProxyFault::BadFamily) << hex;
  }
}

TEST(ProxyV2Test, LengthIsCheckedAgainstAddressesAndCap) {
  EXPECT_EQ(binary("21 11 000b").fault, ProxyFault::TooShort);
  EXPECT_EQ(binary("21 21 0023").fault, ProxyFault::TooShort);
  EXPECT_EQ(binary("21 31 00d7").fault, ProxyFault::TooShort);
  EXPECT_EQ(binary("21 11 1001").fault, ProxyFault::TooLong);
  EXPECT_EQ(binary("20 00 ffff").fault, ProxyFault::TooLong);
  const auto input = test::bytes(std::string(signature) + "20001000" + std::string(4096 * 2, '0') + "ab");
  const Outcome outcome = run(input, {20, 21, 4000});
  EXPECT_EQ(outcome.state, ProxyParser::State::Done);
  EXPECT_EQ(outcome.taken, 16U + 4096U);
}

TEST(ProxyTest, AnyBytesGiveTheSameResultInAnyPieces) {
  EXPECT_TRUE(rc::check("chunking", [] {
    std::vector<std::byte> input;
    if (*rc::gen::arbitrary<bool>()) {
      input = test::bytes(std::string(signature));
      input.push_back(static_cast<std::byte>(*rc::gen::elementOf(std::vector<int>{0x20, 0x21, 0x11})));
      input.push_back(
          static_cast<std::byte>(*rc::gen::elementOf(std::vector<int>{0x00, 0x11, 0x21, 0x31, 0x12})));
      input.push_back(std::byte{0});
    } else {
      input = test::text_bytes("PROXY ");
    }
    for (const char c : *rc::gen::container<std::string>(
             rc::gen::elementOf(std::string("TCP4 UNKNOW6:.\r\n\x01\x24 012")))) {
      input.push_back(static_cast<std::byte>(c));
    }
    const Outcome whole = run(input);
    const std::size_t split = *rc::gen::inRange<std::size_t>(0, input.size() + 1);
    RC_ASSERT((run(input, {split}) == whole));
    RC_ASSERT(whole.taken <= input.size());
  }));
}

}  // namespace
}  // namespace sinnet::endpoint
