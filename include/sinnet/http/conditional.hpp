#pragma once
/// Conditional requests (RFC 9110 8.8, 13): entity tags and which answer the preconditions ask for. Never
/// opens the file.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sinnet/http/date.hpp"

namespace sinnet::http {

/// A strong entity tag from what changes when a file is replaced: `"6553f100.75bcd15-1f40"`
/// (seconds.nanoseconds-size, hex). `modified_ns` counts from 1970.
[[nodiscard]] std::string make_entity_tag(std::int64_t modified_ns, std::uint64_t size_bytes);

/// What the server holds now. `entity_tag` with its quotes; W/ in front if weak.
struct Validators {
  std::string_view entity_tag;
  std::optional<WallTime> modified = {};
};

/// The header values; absent is nullopt. Several lines of one list header are joined with ",".
struct Preconditions {
  std::optional<std::string_view> if_match = {};
  std::optional<std::string_view> if_none_match = {};
  std::optional<std::string_view> if_modified_since = {};
  std::optional<std::string_view> if_unmodified_since = {};
  std::optional<std::string_view> if_range = {};
};

enum class Verdict : std::uint8_t {
  Proceed,
  NotModified,         ///< 304
  PreconditionFailed,  ///< 412
};

/// In the order of RFC 9110 13.2.2. `is_get_or_head` decides between 304 and 412 and whether
/// If-Modified-Since counts. Dates that cannot be read count as absent. The resource is taken to exist.
/// Linear in the headers' length.
[[nodiscard]] Verdict evaluate_preconditions(const Preconditions& preconditions, const Validators& validators,
                                             bool is_get_or_head, WallTime now) noexcept;

/// Whether a Range may be honoured (RFC 9110 13.1.5): true without If-Range; a tag compares strongly; a date
/// must be equal and strong, that is, the file was changed more than a second before `now`.
[[nodiscard]] bool if_range_holds(const Preconditions& preconditions, const Validators& validators,
                                  WallTime now) noexcept;

}  // namespace sinnet::http
