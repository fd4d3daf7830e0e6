#include "base/sha1.hpp"

#include <gtest/gtest.h>

#include "support/bytes.hpp"

namespace sinnet {
namespace {

std::string digest_of(std::string_view text) { return test::hex(sha1(as_bytes(text))); }

TEST(Sha1Test, DigestsTheVectorsOfRfc3174) {
  EXPECT_EQ(digest_of("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(digest_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(digest_of(std::string(1'000'000, 'a')), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  std::string digits;
  for (int i = 0; i < 80; ++i) digits += "01234567";
  EXPECT_EQ(digest_of(digits), "dea356a2cddd90c7a7ecedc5ebb563934f460452");
}

TEST(Sha1Test, DigestsTheEmptyMessage) {
  EXPECT_EQ(digest_of(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

// Where the padding goes from one block to two. Digests made with `sha1sum`.
TEST(Sha1Test, PadsAroundTheEndOfABlock) {
  EXPECT_EQ(digest_of(std::string(55, 'x')), "cef734ba81a024479e09eb5a75b6ddae62e6abf1");
  EXPECT_EQ(digest_of(std::string(56, 'x')), "901305367c259952f4e7af8323f480d59f81335b");
  EXPECT_EQ(digest_of(std::string(63, 'x')), "0ddc4e0cccd9a12850deb5abb0853a4425559fec");
  EXPECT_EQ(digest_of(std::string(64, 'x')), "bb2fa3ee7afb9f54c6dfb5d021f14b1ffe40c163");
  EXPECT_EQ(digest_of(std::string(119, 'x')), "4300320394f7ee239bcdce7d3b8bcee173a0cd5c");
  EXPECT_EQ(digest_of(std::string(120, 'x')), "ceb2821639c4b6dcb10bce0e522ca2e608ce056d");
}

}  // namespace
}  // namespace sinnet
