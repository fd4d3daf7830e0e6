#pragma once
/// Wire bytes written as hex in tests: bytes("81 05 48656c6c6f") and back.

#include <string>
#include <string_view>
#include <vector>

#include "sinnet/base/bytes.hpp"

namespace sinnet::test {

/// Parses hex digits, ignoring blanks. Anything else ends the test program.
[[nodiscard]] std::vector<std::byte> bytes(std::string_view hex);

/// Lower-case hex without blanks, for messages and comparisons.
[[nodiscard]] std::string hex(Bytes bytes);

/// A copy of text as bytes.
[[nodiscard]] std::vector<std::byte> text_bytes(std::string_view text);

}  // namespace sinnet::test
