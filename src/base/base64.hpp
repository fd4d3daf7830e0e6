#pragma once
/// Base64 (RFC 4648 4: the standard alphabet, padded). Not the URL-safe one.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sinnet/base/bytes.hpp"

namespace sinnet {

[[nodiscard]] std::string base64_encode(Bytes bytes);

/// nullopt for anything but the one canonical encoding: padding required, unused bits zero, no blanks or line
/// ends.
[[nodiscard]] std::optional<std::vector<std::byte>> base64_decode(std::string_view text);

}  // namespace sinnet
