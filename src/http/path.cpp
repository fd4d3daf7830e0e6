/// See path.hpp.
#include "sinnet/http/path.hpp"

#include <algorithm>

#include "http/uri_characters.hpp"

namespace sinnet::http {
namespace {

std::expected<void, PathFault> check_byte(char c) {
  if (is_control(c)) return std::unexpected(PathFault::ControlCharacter);
  if (c == '\\') return std::unexpected(PathFault::Backslash);
  return {};
}

// Whether nothing is left to decode or resolve: no escape, no empty segment, no segment that begins with a
// dot. Hidden names
// ("/.well-known/x") take the slow road, which leaves them as they are.
bool is_normal(std::string_view path) {
  char before = 0;
  for (const char c : path) {
    if (c == '%' || c == '#' || (before == '/' && (c == '/' || c == '.')) || !check_byte(c)) return false;
    before = c;
  }
  return path.starts_with('/');
}

// Drops the last segment of "/a/b" (giving "/a"); false at the root.
bool climb(std::string& path) {
  if (path.empty()) return false;
  path.resize(path.rfind('/'));
  return true;
}

// Appends one decoded segment to `out`, resolving dots. `out` is empty or "/…" without a slash at the end.
std::expected<void, PathFault> take_segment(std::string_view segment, std::string& out) {
  if (segment.empty() || segment == ".") return {};
  if (segment == "..") {
    if (!climb(out)) return std::unexpected(PathFault::AboveRoot);
    return {};
  }
  if (segment.starts_with(".;") || segment.starts_with("..;"))
    return std::unexpected(PathFault::DotParameter);
  out += '/';
  out += segment;
  return {};
}

std::expected<std::string, PathFault> decode_path(std::string_view path) {
  std::string decoded;
  decoded.reserve(path.size());
  for (std::size_t at = 0; at < path.size(); ++at) {
    char c = path[at];
    if (c == '#') return std::unexpected(PathFault::Fragment);
    if (c == '%') {
      if (!is_escape(path, at)) return std::unexpected(PathFault::BadEscape);
      c = escaped_byte(path, at);
      if (c == '/') return std::unexpected(PathFault::EncodedSlash);
      at += 2;
    }
    if (auto ok = check_byte(c); !ok) return std::unexpected(ok.error());
    decoded += c;
  }
  return decoded;
}

}  // namespace

TargetParts split_target(std::string_view target) noexcept {
  const std::size_t mark = target.find('?');
  if (mark == std::string_view::npos) return {target, {}};
  return {target.substr(0, mark), target.substr(mark + 1)};
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      out += text[at];
      continue;
    }
    if (!is_escape(text, at)) return std::nullopt;
    out += escaped_byte(text, at);
    at += 2;
  }
  return out;
}

std::string_view describe(PathFault fault) noexcept {
  switch (fault) {
    case PathFault::NotAbsolute: return "the path does not begin with \"/\"";
    case PathFault::BadEscape: return "the path holds \"%\" without two hexadecimal digits";
    case PathFault::ControlCharacter: return "the path holds a control character";
    case PathFault::EncodedSlash: return "the path holds an encoded slash (%2F)";
    case PathFault::Backslash: return "the path holds a backslash";
    case PathFault::Fragment: return "the path holds \"#\"";
    case PathFault::AboveRoot: return "the path climbs above the root";
    case PathFault::DotParameter: return "the path holds a dot segment with a parameter (\"..;\")";
  }
  return "";
}

std::expected<std::string_view, PathFault> normalise_path(std::string_view path, std::string& scratch) {
  if (!path.starts_with('/')) return std::unexpected(PathFault::NotAbsolute);
  if (is_normal(path)) return path;
  const auto decoded = decode_path(path);
  if (!decoded) return std::unexpected(decoded.error());

  scratch.clear();
  std::string_view rest = *decoded;
  std::string_view last;
  while (!rest.empty()) {
    rest.remove_prefix(1);  // the slash
    last = rest.substr(0, std::min(rest.find('/'), rest.size()));
    if (auto ok = take_segment(last, scratch); !ok) return std::unexpected(ok.error());
    rest.remove_prefix(last.size());
  }
  // RFC 3986 5.2.4: "/a/b/.." and "/a/." name directories, as "/a/" does.
  if (scratch.empty() || last.empty() || last == "." || last == "..") scratch += '/';
  return std::string_view(scratch);
}

}  // namespace sinnet::http
