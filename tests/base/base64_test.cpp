#include "base/base64.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "support/bytes.hpp"

namespace sinnet {
namespace {

TEST(Base64Test, EncodesAndDecodesTheVectorsOfRfc4648) {
  const std::pair<std::string_view, std::string_view> vectors[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(base64_encode(as_bytes(plain)), encoded);
    EXPECT_EQ(base64_decode(encoded), test::text_bytes(plain));
  }
}

TEST(Base64Test, UsesTheStandardAlphabet) { EXPECT_EQ(base64_encode(test::bytes("fb ff bf")), "+/+/"); }

TEST(Base64Test, RefusesEverythingButTheCanonicalForm) {
  for (const std::string_view text : {"Z", "Zg", "Zg=", "Zg===", "====", "Z===", "Zh==", "Zm9=", "Zg==Zg==",
                                      "Zm 9v", "Zm9v\n", "-_-_", "Zm9v=", "=Zm9", "Z\0==", "Zm9\xC3"}) {
    EXPECT_FALSE(base64_decode(text).has_value()) << text;
  }
}

RC_GTEST_PROP(Base64Property, DecodeUndoesEncode, (const std::vector<std::uint8_t>& values)) {
  const Bytes plain = std::as_bytes(std::span{values});
  RC_ASSERT(base64_decode(base64_encode(plain)) == std::vector<std::byte>(plain.begin(), plain.end()));
}

}  // namespace
}  // namespace sinnet
