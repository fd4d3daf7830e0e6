/// What a parsed head answers: fields, lists, hosts. Reads only what HeadParser let through.

#include "sinnet/http/head.hpp"

#include <cassert>
#include <cstring>

#include "http/head_chars.hpp"

namespace sinnet::http {
namespace {

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool is_hex_digit(char c) noexcept { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f'); }

/// 0–255 in at most three digits, without leading zeros (RFC 3986 3.2.2: dec-octet).
bool is_octet(std::string_view text) noexcept {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text.front() == '0')) return false;
  int value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    value = value * 10 + (c - '0');
  }
  return value <= 255;
}

bool is_ipv4(std::string_view text) noexcept {
  for (int octet = 0; octet < 4; ++octet) {
    const std::size_t dot = text.find('.');
    if ((dot == std::string_view::npos) != (octet == 3)) return false;
    if (!is_octet(text.substr(0, dot))) return false;
    if (octet < 3) text.remove_prefix(dot + 1);
  }
  return true;
}

/// RFC 3986 3.2.2: IPv6address. No zone: it names an interface of the sender's machine.
bool is_ipv6(std::string_view text) noexcept {
  int groups = 0;
  bool compressed = false;
  if (text.starts_with("::")) {
    compressed = true;
    text.remove_prefix(2);
    if (text.empty()) return true;
  }
  for (;;) {
    std::size_t digits = 0;
    while (digits < text.size() && is_hex_digit(text[digits])) ++digits;
    if (digits < text.size() && text[digits] == '.') {
      groups += 2;
      return is_ipv4(text) && (compressed ? groups <= 7 : groups == 8);
    }
    if (digits == 0 || digits > 4) return false;
    ++groups;
    text.remove_prefix(digits);
    if (text.empty()) return compressed ? groups <= 7 : groups == 8;
    if (text.front() != ':' || groups == 8) return false;
    text.remove_prefix(1);
    if (text.starts_with(':')) {
      if (compressed) return false;
      compressed = true;
      text.remove_prefix(1);
      if (text.empty()) return groups <= 7;
    }
  }
}

bool is_port(std::string_view text) noexcept {
  if (text.empty() || text.size() > 5) return false;
  int value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    value = value * 10 + (c - '0');
  }
  return value <= 65535;
}

}  // namespace

bool equals_case_blind(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

bool is_token(std::string_view text) noexcept { return !text.empty() && is_all(TokenChar, text); }

bool is_field_value(std::string_view text) noexcept {
  if (text.empty()) return true;
  return !is_blank(text.front()) && !is_blank(text.back()) && is_all(ValueChar, text);
}

bool is_host(std::string_view text) noexcept {
  constexpr std::size_t name_bytes_max = 255;  // RFC 1035 2.3.4
  std::string_view rest;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || !is_ipv6(text.substr(1, close - 1))) return false;
    rest = text.substr(close + 1);
  } else {
    const std::size_t colon = text.find(':');
    const std::string_view name = text.substr(0, colon);
    if (name.empty() || name.size() > name_bytes_max || !is_all(HostChar, name)) return false;
    rest = text.substr(name.size());
  }
  return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
}

std::string_view reason_of(int status) noexcept {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 421: return "Misdirected Request";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return {};
  }
}

// ---- Headers

Headers::Headers(std::string_view text, std::span<const Entry> entries)
    : block_(Buffer::allocate(entries.size_bytes() + text.size())),
      count_(static_cast<std::uint16_t>(entries.size())) {
  std::byte* to = block_.mutable_bytes().data();
  if (!entries.empty()) std::memcpy(to, entries.data(), entries.size_bytes());
  std::memcpy(to + entries.size_bytes(), text.data(), text.size());
}

std::string_view Headers::text() const noexcept {
  return as_text(block_.bytes().subspan(count_ * sizeof(Entry)));
}

std::string_view Headers::text(std::size_t offset, std::size_t size_bytes) const noexcept {
  const std::string_view all_text = text();
  return offset < all_text.size() ? all_text.substr(offset, size_bytes) : std::string_view{};
}

Field Headers::operator[](std::size_t index) const noexcept {
  assert(index < count_);
  Entry entry;
  std::memcpy(&entry, block_.bytes().data() + index * sizeof(Entry), sizeof(Entry));
  return {.name = text(entry.name_offset, entry.name_bytes),
          .value = text(entry.value_offset, entry.value_bytes)};
}

void Headers::Iterator::skip() noexcept {
  if (name_.empty()) return;
  while (index_ < headers_->size() && !equals_case_blind((*headers_)[index_].name, name_)) ++index_;
}

std::optional<std::string_view> Headers::find(std::string_view name) const noexcept {
  for (std::size_t i = 0; i < count_; ++i) {
    const Field field = (*this)[i];
    if (equals_case_blind(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::optional<std::string_view> Headers::find_only(std::string_view name) const noexcept {
  std::optional<std::string_view> found;
  for (const Field field : *this) {
    if (!equals_case_blind(field.name, name)) continue;
    if (found.has_value()) return std::nullopt;
    found = field.value;
  }
  return found;
}

std::size_t Headers::count(std::string_view name) const noexcept {
  std::size_t found = 0;
  for (const Field field : *this) found += equals_case_blind(field.name, name) ? 1U : 0U;
  return found;
}

bool Headers::has_token(std::string_view name, std::string_view token) const noexcept {
  for (const Field field : all(name)) {
    std::string_view list = field.value;
    while (!list.empty()) {
      if (equals_case_blind(cut_element(list), token)) return true;
    }
  }
  return false;
}

// ---- heads

bool Head::keeps_alive() const noexcept {
  // RFC 9112 9.3: `close` wins over everything; HTTP/1.0 must ask to stay.
  if (headers_.has_token("connection", "close")) return false;
  return version_minor_ > 0 || headers_.has_token("connection", "keep-alive");
}

std::string_view RequestHead::path_and_query() const noexcept {
  switch (form_) {
    case TargetForm::Origin:
    case TargetForm::Asterisk: return target();
    case TargetForm::Authority: return {};
    case TargetForm::Absolute: break;
  }
  const std::string_view absolute = target();
  const std::size_t authority = absolute.find("://") + 3;
  const std::size_t path = absolute.find('/', authority);
  return path == std::string_view::npos ? std::string_view{"/"} : absolute.substr(path);
}

std::string_view RequestHead::host() const noexcept {
  if (form_ == TargetForm::Authority) return target();
  return headers().find("host").value_or(std::string_view{});
}

}  // namespace sinnet::http
