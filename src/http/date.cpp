/// See date.hpp.
#include "sinnet/http/date.hpp"

#include <algorithm>
#include <cassert>

#include "http/uri_characters.hpp"

namespace sinnet::http {
namespace {

using std::chrono::days;

constexpr std::array<std::string_view, 7> weekdays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                      "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Reads a date from left to right; the first mismatch makes every later step fail.
struct Reader {
  std::string_view rest;
  bool is_good = true;

  void literal(std::string_view text) {
    is_good = is_good && rest.starts_with(text);
    if (is_good) rest.remove_prefix(text.size());
  }
  int number(std::size_t digits) {
    int value = 0;
    is_good = is_good && rest.size() >= digits && std::ranges::all_of(rest.substr(0, digits), is_digit);
    if (!is_good) return 0;
    for (const char c : rest.substr(0, digits)) value = value * 10 + (c - '0');
    rest.remove_prefix(digits);
    return value;
  }
  unsigned month() {
    const auto found = std::ranges::find(months, rest.substr(0, std::min<std::size_t>(3, rest.size())));
    is_good = is_good && found != months.end();
    if (!is_good) return 0;
    rest.remove_prefix(3);
    return static_cast<unsigned>(found - months.begin()) + 1;
  }
  // asctime pads the day of the month with a blank.
  int padded_day() {
    if (!rest.starts_with(' ')) return number(2);
    rest.remove_prefix(1);
    return number(1);
  }
};

struct Fields {
  int year = 0;
  unsigned month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

void read_clock(Reader& in, Fields& out) {
  out.hour = in.number(2);
  in.literal(":");
  out.minute = in.number(2);
  in.literal(":");
  out.second = in.number(2);
}

std::optional<WallTime> assemble(const Fields& fields) {
  const std::chrono::year_month_day date{std::chrono::year(fields.year), std::chrono::month(fields.month),
                                         std::chrono::day(static_cast<unsigned>(fields.day))};
  if (!date.ok() || fields.hour > 23 || fields.minute > 59 || fields.second > 60) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(fields.hour) + std::chrono::minutes(fields.minute) +
         std::chrono::seconds(fields.second);
}

int year_of(WallTime time) {
  return static_cast<int>(std::chrono::year_month_day(std::chrono::floor<days>(time)).year());
}

// RFC 9110 5.6.7: a two-digit year that appears to be more than 50 years in the future is the most recent
// past year with these digits.
int full_year(int two_digits, WallTime now) {
  const int this_year = year_of(now);
  const int candidate = this_year - this_year % 100 + two_digits;
  if (candidate > this_year + 50) return candidate - 100;
  return candidate;
}

void put_number(char* out, int value, int digits) {
  for (int i = digits - 1; i >= 0; --i, value /= 10) out[i] = static_cast<char>('0' + value % 10);
}

}  // namespace

std::array<char, date_bytes> write_date(WallTime time) noexcept {
  const auto midnight = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date(midnight);
  const std::chrono::hh_mm_ss clock(time - midnight);
  assert(static_cast<int>(date.year()) >= 0 && static_cast<int>(date.year()) <= 9999);
  std::array<char, date_bytes> out{};
  std::ranges::copy(std::string_view("Day, 00 Mon 0000 00:00:00 GMT"), out.begin());
  std::ranges::copy(weekdays[std::chrono::weekday(midnight).c_encoding()].substr(0, 3), out.begin());
  put_number(&out[5], static_cast<int>(static_cast<unsigned>(date.day())), 2);
  std::ranges::copy(months[static_cast<unsigned>(date.month()) - 1], &out[8]);
  put_number(&out[12], static_cast<int>(date.year()), 4);
  put_number(&out[17], static_cast<int>(clock.hours().count()), 2);
  put_number(&out[20], static_cast<int>(clock.minutes().count()), 2);
  put_number(&out[23], static_cast<int>(clock.seconds().count()), 2);
  return out;
}

std::optional<WallTime> parse_date(std::string_view text, WallTime now) noexcept {
  Fields fields;
  Reader in{text};
  const std::string_view name = text.substr(0, std::min(text.find_first_of(", "), text.size()));
  const auto is_name = [&](std::string_view weekday) { return name == weekday; };
  const auto is_short = [&](std::string_view weekday) { return name == weekday.substr(0, 3); };
  const bool has_short = std::ranges::any_of(weekdays, is_short);
  if (!has_short && std::ranges::none_of(weekdays, is_name)) return std::nullopt;
  in.rest.remove_prefix(name.size());

  if (in.rest.starts_with(',')) {
    in.literal(", ");
    fields.day = in.number(2);
    const std::string_view separator = has_short ? " " : "-";  // IMF-fixdate, or RFC 850 with the long name
    in.literal(separator);
    fields.month = in.month();
    in.literal(separator);
    fields.year = has_short ? in.number(4) : full_year(in.number(2), now);
    in.literal(" ");
    read_clock(in, fields);
    in.literal(" GMT");
  } else {
    in.is_good = has_short;
    in.literal(" ");
    fields.month = in.month();
    in.literal(" ");
    fields.day = in.padded_day();
    in.literal(" ");
    read_clock(in, fields);
    in.literal(" ");
    fields.year = in.number(4);
  }
  if (!in.is_good || !in.rest.empty()) return std::nullopt;
  return assemble(fields);
}

}  // namespace sinnet::http
