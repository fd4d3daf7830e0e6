/// See conditional.hpp.
#include "sinnet/http/conditional.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace sinnet::http {
namespace {

struct EntityTag {
  std::string_view opaque;  // with its quotes
  bool is_weak = false;
};

// RFC 9110 8.8.3: entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE. Takes one off the front of `rest`.
std::optional<EntityTag> take_tag(std::string_view& rest) noexcept {
  std::string_view at = rest;
  const bool is_weak = at.starts_with("W/");
  if (is_weak) at.remove_prefix(2);
  if (!at.starts_with('"')) return std::nullopt;
  const std::size_t end = at.find('"', 1);
  if (end == std::string_view::npos) return std::nullopt;
  rest = at.substr(end + 1);
  return EntityTag{at.substr(0, end + 1), is_weak};
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

enum class Comparison : std::uint8_t { Weak, Strong };

bool is_same(const EntityTag& one, const EntityTag& other, Comparison comparison) noexcept {
  if (comparison == Comparison::Strong && (one.is_weak || other.is_weak)) return false;
  return one.opaque == other.opaque;
}

// Whether the list ("*" or tags) holds the current tag. Reading stops at the first thing that is no tag.
bool list_holds(std::string_view list, std::string_view current, Comparison comparison) noexcept {
  list = trim(list);
  if (list == "*") return true;
  const auto ours = take_tag(current);
  if (!ours) return false;
  while (!list.empty()) {
    if (list.front() == ',' || list.front() == ' ' || list.front() == '\t') {
      list.remove_prefix(1);
      continue;
    }
    const auto theirs = take_tag(list);
    if (!theirs) return false;
    if (is_same(*theirs, *ours, comparison)) return true;
  }
  return false;
}

std::optional<WallTime> date_of(std::optional<std::string_view> text, WallTime now) noexcept {
  return text ? parse_date(trim(*text), now) : std::nullopt;
}

}  // namespace

std::string make_entity_tag(std::int64_t modified_ns, std::uint64_t size_bytes) {
  constexpr std::int64_t ns_per_s = 1'000'000'000;
  const std::int64_t seconds = modified_ns / ns_per_s - (modified_ns % ns_per_s < 0 ? 1 : 0);
  const std::int64_t rest_ns = modified_ns - seconds * ns_per_s;
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "\"%llx.%llx-%llx\"", static_cast<unsigned long long>(seconds),
                static_cast<unsigned long long>(rest_ns), static_cast<unsigned long long>(size_bytes));
  return text.data();
}

Verdict evaluate_preconditions(const Preconditions& preconditions, const Validators& validators,
                               bool is_get_or_head, WallTime now) noexcept {
  if (preconditions.if_match) {
    if (!list_holds(*preconditions.if_match, validators.entity_tag, Comparison::Strong)) {
      return Verdict::PreconditionFailed;
    }
  } else if (const auto limit = date_of(preconditions.if_unmodified_since, now)) {
    if (validators.modified && *validators.modified > *limit) return Verdict::PreconditionFailed;
  }
  if (preconditions.if_none_match) {
    if (list_holds(*preconditions.if_none_match, validators.entity_tag, Comparison::Weak)) {
      return is_get_or_head ? Verdict::NotModified : Verdict::PreconditionFailed;
    }
  } else if (is_get_or_head) {
    const auto since = date_of(preconditions.if_modified_since, now);
    if (since && validators.modified && *validators.modified <= *since) return Verdict::NotModified;
  }
  return Verdict::Proceed;
}

bool if_range_holds(const Preconditions& preconditions, const Validators& validators, WallTime now) noexcept {
  if (!preconditions.if_range) return true;
  std::string_view text = trim(*preconditions.if_range);
  if (auto theirs = take_tag(text)) {
    std::string_view current = validators.entity_tag;
    const auto ours = take_tag(current);
    return text.empty() && ours && is_same(*theirs, *ours, Comparison::Strong);
  }
  const auto date = parse_date(text, now);
  // RFC 9110 8.8.2.2: a date is strong when it lies at least a second before the answer's.
  return date && validators.modified == *date && now - *date >= std::chrono::seconds(1);
}

}  // namespace sinnet::http
