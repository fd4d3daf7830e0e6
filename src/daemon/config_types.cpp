#include "daemon/config_types.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>

#include "daemon/config_suggest.hpp"

namespace sinnet::daemon::types {
namespace {

bool wrong_type(const Value& value, const ReadContext& context, std::string_view expected) {
  return context.refuse(value, fmt::format("expected {}, got {}", expected, value.type_name()));
}

/// The elements of a list, or of a loose "a, b, c". Nothing after refusing.
std::optional<std::vector<Value>> elements(const Value& value, const ReadContext& context,
                                           std::string_view expected) {
  if (const auto* list = value.list()) return *list;
  const std::string* text = value.text();
  if (!value.is_loose || text == nullptr) {
    wrong_type(value, context, expected);
    return std::nullopt;
  }
  std::string_view rest = *text;
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  std::vector<Value> result;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    Value element = loose_value(std::string(rest.substr(0, comma)), value.source);
    rest = comma == rest.npos ? std::string_view{} : rest.substr(comma + 1);
    if (!element.text()->empty()) result.push_back(std::move(element));
  }
  return result;
}

/// A whole number that is not negative. `text_reader` reads strings; without one they are refused unless
/// loose.
std::optional<std::uint64_t> number_in(const Value& value, const ReadContext& context,
                                       std::string_view expected,
                                       Read<std::uint64_t> (*text_reader)(std::string_view),
                                       bool texts_allowed) {
  if (const auto* number = std::get_if<std::int64_t>(&value.content)) {
    if (*number >= 0) return static_cast<std::uint64_t>(*number);
    context.refuse(value, fmt::format("{} is negative", *number));
    return std::nullopt;
  }
  const std::string* text = value.text();
  if (text == nullptr || (!texts_allowed && !value.is_loose)) {
    wrong_type(value, context, expected);
    return std::nullopt;
  }
  const auto parsed = text_reader(*text);
  if (parsed) return *parsed;
  context.refuse(value, parsed.error());
  return std::nullopt;
}

bool store_in_range(std::uint64_t& field, std::uint64_t number, std::uint64_t min, std::uint64_t max,
                    std::string (*write)(std::uint64_t), const Value& value, const ReadContext& context) {
  if (number < min || number > max) {
    return context.refuse(value,
                          fmt::format("{} is out of range: {} to {}", write(number), write(min), write(max)));
  }
  field = number;
  return true;
}

/// The largest secret taken from a file: generous for a PEM key, finite for a device.
constexpr std::size_t secret_bytes_max = 64U << 10U;

bool read_secret_file(Secret::Field& field, const std::string& path, const Value& value,
                      const ReadContext& context) {
  std::ifstream file(path, std::ios::binary);
  std::string content(secret_bytes_max + 1, '\0');
  std::error_code error;
  if (!file || std::filesystem::is_directory(path, error)) {
    return context.refuse(value, fmt::format("cannot read {}", write_text(path)));
  }
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(file.gcount()));
  if (content.size() > secret_bytes_max) {
    return context.refuse(
        value, fmt::format("{} is larger than {}", write_text(path), write_size(secret_bytes_max)));
  }
  if (content.ends_with('\n')) content.pop_back();
  if (content.ends_with('\r')) content.pop_back();
  if (content.empty()) return context.refuse(value, fmt::format("{} is empty", write_text(path)));
  field.value = std::move(content);
  field.origin = fmt::format("{{ file = {} }}", write_text(path));
  return true;
}

}  // namespace

bool Flag::read(bool& field, const Value& value, const ReadContext& context) {
  if (const auto* flag = std::get_if<bool>(&value.content)) {
    field = *flag;
    return true;
  }
  const std::string* text = value.text();
  if (!value.is_loose || text == nullptr) return wrong_type(value, context, "true or false");
  static constexpr std::array<std::string_view, 4> yes{"true", "yes", "on", "1"};
  static constexpr std::array<std::string_view, 4> no{"false", "no", "off", "0"};
  const bool is_yes = std::ranges::find(yes, *text) != yes.end();
  if (!is_yes && std::ranges::find(no, *text) == no.end()) {
    return context.refuse(value, fmt::format("{} is neither true nor false", write_text(*text)));
  }
  field = is_yes;
  return true;
}

bool Count::read(std::uint64_t& field, const Value& value, const ReadContext& context) const {
  const std::string* text = value.text();
  if (!word_for_zero.empty() && text != nullptr && *text == word_for_zero) {
    field = 0;
    return true;
  }
  const std::string expected =
      word_for_zero.empty() ? "a number" : fmt::format("a number or {}", write_text(word_for_zero));
  if (!word_for_zero.empty() && text != nullptr && !value.is_loose) {
    return context.refuse(value, fmt::format("expected {}, got {}", expected, write_text(*text)));
  }
  const auto number = number_in(value, context, expected, &parse_count, false);
  return number && store_in_range(field, *number, min, max, &write_count, value, context);
}

std::string Count::write(std::uint64_t field) const {
  return field == 0 && !word_for_zero.empty() ? write_text(word_for_zero) : write_count(field);
}

bool Size::read(std::uint64_t& field, const Value& value, const ReadContext& context) const {
  const auto number = number_in(value, context, "a size such as \"64KiB\"", &parse_size, true);
  return number && store_in_range(field, *number, min, max, &write_size, value, context);
}

bool Span::read(Duration& field, const Value& value, const ReadContext& context) const {
  const std::string* text = value.text();
  if (text == nullptr) return wrong_type(value, context, "a duration such as \"5s\"");
  const auto duration = parse_duration(*text);
  if (!duration) return context.refuse(value, duration.error());
  if (*duration < min || *duration > max) {
    return context.refuse(value, fmt::format("{} is out of range: {} to {}", write_duration(*duration),
                                             write_duration(min), write_duration(max)));
  }
  field = *duration;
  return true;
}

bool Text::read(std::string& field, const Value& value, const ReadContext& context) const {
  const std::string* text = value.text();
  if (text == nullptr) return wrong_type(value, context, "a string");
  auto checked = check(*text);
  if (!checked) return context.refuse(value, checked.error());
  field = std::move(*checked);
  return true;
}

bool Path::read(std::string& field, const Value& value, const ReadContext& context) const {
  const std::string* text = value.text();
  if (text == nullptr) return wrong_type(value, context, "a path");
  if (const auto plain = check_plain_text(*text); !plain) return context.refuse(value, plain.error());
  std::string path = resolve_path(*text, context.directory);
  if (!path.empty()) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    const bool wants_directory = kind == Kind::Directory;
    if (!std::filesystem::exists(status)) {
      return context.refuse(
          value, fmt::format("there is no {} {}", wants_directory ? "directory" : "file", write_text(path)));
    }
    if (std::filesystem::is_directory(status) != wants_directory) {
      return context.refuse(
          value, fmt::format("{} is {}a directory", write_text(path), wants_directory ? "not " : ""));
    }
  }
  field = std::move(path);
  return true;
}

bool Target::read(std::string& field, const Value& value, const ReadContext& context) {
  const std::string* text = value.text();
  if (text == nullptr) return wrong_type(value, context, "\"host:port\" or \"unix:/path\"");
  auto checked = check_target(*text, context.directory);
  if (!checked) return context.refuse(value, checked.error());
  field = std::move(*checked);
  return true;
}

bool TextList::read(std::vector<std::string>& field, const Value& value, const ReadContext& context) const {
  const auto list = elements(value, context, "a list of strings");
  if (!list) return false;
  std::vector<std::string> result = context.append ? field : std::vector<std::string>{};
  bool all_read = true;
  for (const Value& element : *list) {
    std::string one;
    if (!Text{check}.read(one, element, context)) {
      all_read = false;
    } else if (std::ranges::find(result, one) != result.end()) {
      all_read = context.refuse(element, fmt::format("{} is listed twice", write_text(one)));
    } else {
      result.push_back(std::move(one));
    }
  }
  if (all_read) field = std::move(result);
  return all_read;
}

std::string TextList::write(const std::vector<std::string>& field) {
  std::string text;
  for (const std::string& one : field) text += (text.empty() ? "" : ", ") + write_text(one);
  return "[" + text + "]";
}

bool ListenList::read(std::vector<ListenAddress>& field, const Value& value, const ReadContext& context) {
  const auto list = elements(value, context, "a list such as [\"127.0.0.1:8080\"]");
  if (!list) return false;
  std::vector<ListenAddress> result = context.append ? field : std::vector<ListenAddress>{};
  bool all_read = true;
  for (const Value& element : *list) {
    const std::string* text = element.text();
    if (text == nullptr) {
      all_read = wrong_type(element, context, "an address such as \"127.0.0.1:8080\"");
      continue;
    }
    auto address = parse_listen_address(*text);
    if (address && address->is_unix() && !address->address.starts_with("unix:@")) {
      auto full = check_target(address->address, context.directory);
      if (full) {
        address->address = *full;
      } else {
        address = fail(ErrorCode::InvalidArgument, full.error());
      }
    }
    if (!address) {
      all_read = context.refuse(element, address.error().message);
    } else if (std::ranges::find(result, address->address, &ListenAddress::address) != result.end()) {
      all_read = context.refuse(element, fmt::format("{} is listed twice", write_text(address->address)));
    } else {
      result.push_back(std::move(*address));
    }
  }
  if (all_read) field = std::move(result);
  return all_read;
}

std::string ListenList::write(const std::vector<ListenAddress>& field) {
  std::vector<std::string> texts;
  texts.reserve(field.size());
  for (const ListenAddress& address : field) texts.push_back(address.to_string());
  return TextList::write(texts);
}

bool Secret::read(Field& field, const Value& value, const ReadContext& context) {
  if (const std::string* text = value.text()) {
    field = {*text, {}};
    return true;
  }
  constexpr std::string_view expected = "a string, { file = \"…\" } or { env = \"…\" }";
  const Value::Table* table = value.table();
  const std::string* name = table != nullptr && table->size() == 1 ? table->front().value.text() : nullptr;
  if (table == nullptr) return wrong_type(value, context, expected);
  if (name == nullptr || name->empty() || (table->front().key != "file" && table->front().key != "env")) {
    return context.refuse(value, fmt::format("expected {}", expected));
  }
  if (table->front().key == "file") {
    return read_secret_file(field, resolve_path(*name, context.directory), value, context);
  }
  const char* variable = std::getenv(name->c_str());
  if (variable == nullptr || *variable == '\0') {
    return context.refuse(value, fmt::format("the variable {} is not set", *name));
  }
  field = {variable, fmt::format("{{ env = {} }}", write_text(*name))};
  return true;
}

std::string Secret::write(const Field& field) {
  if (!field.origin.empty()) return field.origin;
  return field.value.empty() ? "\"\"" : "\"(hidden)\"";
}

bool read_choice(std::size_t& place, std::span<const std::string> names, const Value& value,
                 const ReadContext& context) {
  const std::string* text = value.text();
  const std::string all = fmt::format("{}", fmt::join(names, ", "));
  if (text == nullptr) return wrong_type(value, context, fmt::format("one of {}", all));
  const auto found = std::ranges::find(names, *text);
  if (found == names.end()) {
    return context.refuse(
        value, fmt::format("{} is not one of {}{}", write_text(*text), all, did_you_mean(*text, names)));
  }
  place = static_cast<std::size_t>(found - names.begin());
  return true;
}

}  // namespace sinnet::daemon::types
