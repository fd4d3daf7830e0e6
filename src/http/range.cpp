/// See range.hpp.
#include "sinnet/http/range.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "http/uri_characters.hpp"

namespace sinnet::http {
namespace {

constexpr std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// 1*DIGIT; a number past 64 bits reads as the greatest, which lies behind the end of every file.
std::optional<std::uint64_t> parse_number(std::string_view text) noexcept {
  if (text.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    value = value > (huge - digit) / 10 ? huge : value * 10 + digit;
  }
  return value;
}

bool has_bytes_unit(std::string_view text) noexcept {
  constexpr std::string_view unit = "bytes=";  // RFC 9110 14.1: range units are case-blind
  return text.size() >= unit.size() && std::ranges::equal(text.substr(0, unit.size()), unit, {}, to_lower);
}

}  // namespace

RangeAnswer evaluate_range(std::string_view range, std::uint64_t size_bytes) noexcept {
  constexpr RangeAnswer whole{};
  constexpr RangeAnswer unsatisfiable{.outcome = RangeOutcome::Unsatisfiable};
  range = trim(range);
  if (!has_bytes_unit(range)) return whole;
  range = trim(range.substr(range.find('=') + 1));
  const std::size_t dash = range.find('-');
  // RFC 9110 14.2: a server may ignore the Range header; several ranges in one request get everything.
  if (dash == std::string_view::npos || range.find(',') != std::string_view::npos) return whole;
  const std::string_view first_text = range.substr(0, dash);
  const std::string_view last_text = range.substr(dash + 1);

  if (first_text.empty()) {  // RFC 9110 14.1.2: suffix-range
    const auto suffix = parse_number(last_text);
    if (!suffix) return whole;
    if (*suffix == 0) return unsatisfiable;
    if (size_bytes == 0) return whole;  // satisfiable, but Content-Range cannot name an empty range
    return {RangeOutcome::Partial, size_bytes - std::min(*suffix, size_bytes), size_bytes - 1};
  }
  const auto first = parse_number(first_text);
  const auto last = last_text.empty() ? std::optional(huge) : parse_number(last_text);
  if (!first || !last || *last < *first) return whole;  // RFC 9110 14.1.1: an invalid int-range is ignored
  if (*first >= size_bytes) return unsatisfiable;
  return {RangeOutcome::Partial, *first, std::min(*last, size_bytes - 1)};
}

std::string write_content_range(const RangeAnswer& range, std::uint64_t size_bytes) {
  return "bytes " + std::to_string(range.first) + "-" + std::to_string(range.last) + "/" +
         std::to_string(size_bytes);
}

std::string write_unsatisfied_range(std::uint64_t size_bytes) {
  return "bytes */" + std::to_string(size_bytes);
}

}  // namespace sinnet::http
