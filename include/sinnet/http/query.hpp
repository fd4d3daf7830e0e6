#pragma once
/// Query strings ("a=1&b=two+words"), as application/x-www-form-urlencoded. Never guesses: a broken escape is
/// a fault.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sinnet::http {

struct QueryItem {
  std::string name;
  std::string value;  ///< empty if there was no "="

  friend bool operator==(const QueryItem&, const QueryItem&) = default;
};

enum class QueryFault : std::uint8_t { BadEscape, TooManyItems };

/// More than any form of ours has; a bound, so that a request cannot ask for thousands of small allocations.
inline constexpr std::size_t query_items_max = 128;

/// All items in their order, "+" and %XX decoded. Empty items ("&&") are skipped. `query` is without "?".
[[nodiscard]] std::expected<std::vector<QueryItem>, QueryFault> parse_query(
    std::string_view query, std::size_t items_max = query_items_max);

/// The decoded value of the first item of that (decoded) name; nothing if there is none or its escapes are
/// broken. Allocates only for a name or value that has escapes, and for the answer.
[[nodiscard]] std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace sinnet::http
