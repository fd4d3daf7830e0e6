#pragma once
/// Byte ranges of a file (RFC 9110 14): one range or the whole; multipart answers are never made.

#include <cstdint>
#include <string>
#include <string_view>

namespace sinnet::http {

enum class RangeOutcome : std::uint8_t {
  Whole,    ///< 200 with everything: no range, a broken one, several, or another unit (all of which may be
            ///< ignored)
  Partial,  ///< 206 with [first, last]
  Unsatisfiable,  ///< 416 with write_unsatisfied_range()
};

/// Which bytes to send; offsets from 0, `last` included. For Whole and Unsatisfiable both are 0.
struct RangeAnswer {
  RangeOutcome outcome = RangeOutcome::Whole;
  std::uint64_t first = 0;
  std::uint64_t last = 0;

  friend bool operator==(const RangeAnswer&, const RangeAnswer&) = default;
};

/// Evaluates the value of a Range header ("bytes=0-99", "bytes=100-", "bytes=-5") against `size_bytes`.
/// Only for GET (RFC 9110 14.2), and only if If-Range holds (conditional.hpp). Any number of digits is read
/// without overflow.
[[nodiscard]] RangeAnswer evaluate_range(std::string_view range, std::uint64_t size_bytes) noexcept;

/// Content-Range of a 206: "bytes 0-99/1000".
[[nodiscard]] std::string write_content_range(const RangeAnswer& range, std::uint64_t size_bytes);
/// Content-Range of a 416: "bytes */1000".
[[nodiscard]] std::string write_unsatisfied_range(std::uint64_t size_bytes);

}  // namespace sinnet::http
