/// See query.hpp.
#include "sinnet/http/query.hpp"

#include <algorithm>

#include "http/uri_characters.hpp"
#include "sinnet/http/path.hpp"

namespace sinnet::http {
namespace {

struct RawItem {
  std::string_view name;
  std::string_view value;
};

// Takes the next non-empty item off `rest`.
std::optional<RawItem> take_item(std::string_view& rest) {
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, std::min(rest.find('&'), rest.size()));
    rest.remove_prefix(std::min(item.size() + 1, rest.size()));
    if (item.empty()) continue;
    const std::size_t equals = std::min(item.find('='), item.size());
    return RawItem{item.substr(0, equals), item.substr(std::min(equals + 1, item.size()))};
  }
  return std::nullopt;
}

std::optional<std::string> form_decode(std::string_view text) {
  std::string spaced(text);
  std::ranges::replace(spaced, '+', ' ');  // before the escapes: %2B is a plus
  if (spaced.find('%') == std::string::npos) return spaced;
  return percent_decode(spaced);
}

bool is_encoded(std::string_view text) { return text.find_first_of("%+") != std::string_view::npos; }

}  // namespace

std::expected<std::vector<QueryItem>, QueryFault> parse_query(std::string_view query, std::size_t items_max) {
  std::vector<QueryItem> items;
  while (const auto raw = take_item(query)) {
    if (items.size() == items_max) return std::unexpected(QueryFault::TooManyItems);
    auto name = form_decode(raw->name);
    auto value = form_decode(raw->value);
    if (!name || !value) return std::unexpected(QueryFault::BadEscape);
    items.push_back({std::move(*name), std::move(*value)});
  }
  return items;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (const auto raw = take_item(query)) {
    if (is_encoded(raw->name) ? form_decode(raw->name) == name : raw->name == name)
      return form_decode(raw->value);
  }
  return std::nullopt;
}

}  // namespace sinnet::http
