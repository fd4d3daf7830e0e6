/// Any text as a URL, a path, a query and a cookie header: what is accepted is in its normal form and reads
/// back equal.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sinnet/http/cookie.hpp"
#include "sinnet/http/path.hpp"
#include "sinnet/http/query.hpp"
#include "sinnet/http/url.hpp"

namespace {

using namespace sinnet;  // NOLINT(google-build-using-namespace): one small program

void require(bool holds) {
  if (!holds) std::abort();
}

void check_url(std::string_view text) {
  const auto url = http::parse_url(text);
  if (!url) return require(!url.error().message.empty());
  const auto again = http::parse_url(url->to_string(true));
  require(again && *again == *url);
  if (url->scheme != http::Scheme::Unix) {
    const auto authority = http::parse_authority(url->host_header());
    require(authority && authority->host == url->host);
  }
}

void check_path(std::string_view text) {
  std::string scratch;
  const auto path = http::normalise_path(text, scratch);
  if (!path) return;
  const std::string padded = std::string(*path) + "/";
  require(path->starts_with('/') && path->find("//") == std::string_view::npos);
  require(padded.find("/./") == std::string::npos && padded.find("/../") == std::string::npos);
  for (const char c : *path) require(static_cast<unsigned char>(c) >= 0x20 && c != '\\' && c != 0x7f);
}

void check_lists(std::string_view text) {
  if (const auto items = http::parse_query(text)) {
    require(items->size() <= http::query_items_max);
    if (!items->empty()) require(http::query_value(text, items->front().name) == items->front().value);
  }
  http::CookieCursor cursor(text);
  while (const auto cookie = cursor.next()) {
    require(!cookie->name.empty() && cookie->value.find(';') == std::string_view::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_url(text);
  check_path(text);
  check_lists(text);
  return 0;
}
