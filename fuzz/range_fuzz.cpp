/// Any text as Range, HTTP date and entity-tag list: ranges stay inside the file, dates read back equal.
/// The first eight bytes are the file's size.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "sinnet/http/conditional.hpp"
#include "sinnet/http/date.hpp"
#include "sinnet/http/range.hpp"

namespace {

using namespace sinnet;  // NOLINT(google-build-using-namespace): one small program

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::uint64_t file_bytes = 0;
  const std::size_t prefix = std::min(size, sizeof(file_bytes));
  if (prefix > 0) std::memcpy(&file_bytes, data, prefix);
  std::string_view text;
  if (size > prefix) text = {reinterpret_cast<const char*>(data) + prefix, size - prefix};

  const auto range = http::evaluate_range(text, file_bytes);
  if (range.outcome == http::RangeOutcome::Partial) {
    require(range.first <= range.last && range.last < file_bytes);
    require(http::write_content_range(range, file_bytes).starts_with("bytes "));
  } else {
    require(range.first == 0 && range.last == 0);
  }

  const http::WallTime now{std::chrono::seconds(1'800'000'000)};
  if (const auto date = http::parse_date(text, now);
      date && *date < http::WallTime(std::chrono::days(2932896))) {
    const auto written = http::write_date(*date);  // up to 9999-12-30: second 60 may lead into the next day
    require(http::parse_date({written.data(), written.size()}, now) == date);
  }

  const http::Validators validators{.entity_tag = "\"v\"", .modified = now};
  for (const bool is_get : {false, true}) {
    const auto verdict = http::evaluate_preconditions({.if_none_match = text, .if_modified_since = text},
                                                      validators, is_get, now);
    require(is_get ? verdict != http::Verdict::PreconditionFailed : verdict != http::Verdict::NotModified);
  }
  static_cast<void>(http::if_range_holds({.if_range = text}, validators, now));
  return 0;
}
