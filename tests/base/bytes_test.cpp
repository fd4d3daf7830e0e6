#include "sinnet/base/bytes.hpp"

#include <gtest/gtest.h>

#include "support/bytes.hpp"

namespace sinnet {
namespace {

TEST(BufferTest, CopyShareTheBytesAndEndUniqueness) {
  Buffer one = Buffer::copy_of(as_bytes("hello"));
  EXPECT_TRUE(one.is_unique());
  {
    const Buffer two = one;
    EXPECT_FALSE(one.is_unique());
    EXPECT_EQ(two.bytes().data(), one.bytes().data());
  }
  EXPECT_TRUE(one.is_unique());
}

TEST(BufferTest, AppendGrowsAndKeepsWhatWasThere) {
  Buffer buffer;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece(static_cast<std::size_t>(i % 7), static_cast<char>('a' + i % 26));
    buffer.append(as_bytes(piece));
    expected += piece;
  }
  EXPECT_EQ(as_text(buffer.bytes()), expected);
}

TEST(BufferTest, ResizeWithinTheCapacityKeepsThePrefix) {
  Buffer buffer = Buffer::copy_of(as_bytes("hello world"));
  buffer.resize(5);
  EXPECT_EQ(as_text(buffer.bytes()), "hello");
  EXPECT_GE(buffer.capacity(), 11U);
}

TEST(BufferTest, MovedFromBufferIsEmpty) {
  Buffer one = Buffer::copy_of(as_bytes("x"));
  const Buffer two = std::move(one);
  EXPECT_TRUE(one.empty());  // NOLINT(bugprone-use-after-move): that is the claim
  EXPECT_EQ(two.size(), 1U);
}

TEST(HexTest, RoundTrips) { EXPECT_EQ(test::hex(test::bytes("81 05 48656c6C6f")), "810548656c6c6f"); }

}  // namespace
}  // namespace sinnet
