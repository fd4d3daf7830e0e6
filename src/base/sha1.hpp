#pragma once
/// SHA-1 (RFC 3174), for the accept token of RFC 6455 and nothing else: it is no defence against anybody.
/// Own, so that the core needs no cryptographic library.

#include <array>
#include <cstddef>

#include "sinnet/base/bytes.hpp"

namespace sinnet {

[[nodiscard]] std::array<std::byte, 20> sha1(Bytes message) noexcept;

}  // namespace sinnet
