#pragma once
/// Percent-decoding and the one normal form of a request path, for routing and file look-up. Never touches a
/// file. Decode once, match after normalising; a proxy forwards the bytes it received, not the normal form.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace sinnet::http {

struct TargetParts {
  std::string_view path;   ///< what is before "?"
  std::string_view query;  ///< what is behind it, without "?"
};

/// Splits an origin-form target at its first "?". Views of `target`.
[[nodiscard]] TargetParts split_target(std::string_view target) noexcept;

/// Decodes %XX once; nothing if an escape is incomplete or not hexadecimal. "+" stays (that is query.hpp's
/// business).
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

/// Why a path has no normal form. Each is a 400.
enum class PathFault : std::uint8_t {
  NotAbsolute,       ///< does not begin with "/"
  BadEscape,         ///< "%" without two hexadecimal digits
  ControlCharacter,  ///< a byte below 0x20 or 0x7F, written plainly or as an escape: %00 above all
  EncodedSlash,      ///< %2F: a server behind us may see a separator where we saw none
  Backslash,         ///< "\" or %5C: a separator to some
  Fragment,          ///< "#" written plainly: never part of a request
  AboveRoot,         ///< more ".." than segments
  DotParameter,      ///< "..;x": some servers drop the parameter and climb
};

/// One line for a response body or a log.
[[nodiscard]] std::string_view describe(PathFault fault) noexcept;

/// Decodes once, then resolves "." and ".." (also those that came out of %2E) and drops empty segments; a
/// slash at the end stays. "/a//b/%2e%2e/c%20d" is "/a/c d". "%252e" is the name "%2e": nothing is decoded
/// twice. Bytes ≥ 0x80 pass as they are.
///
/// The answer is a view of `path` itself if it was normal already, else of `scratch`, which is overwritten.
/// `path` has no query. Linear in its length.
[[nodiscard]] std::expected<std::string_view, PathFault> normalise_path(std::string_view path,
                                                                        std::string& scratch);

}  // namespace sinnet::http
