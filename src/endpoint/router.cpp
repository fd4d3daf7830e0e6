#include "endpoint/router.hpp"

#include <algorithm>

namespace sinnet::endpoint {
namespace {

/// Takes the next segment off a path that begins with '/'.
std::string_view next_segment(std::string_view& path) noexcept {
  path.remove_prefix(1);
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

bool is_name(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

Result<PathPattern> PathPattern::parse(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return fail(ErrorCode::InvalidArgument,
                "path pattern \"" + std::string(text) + "\": " + std::string(why));
  };
  if (!text.starts_with('/')) return bad("must begin with a slash");
  PathPattern pattern;
  std::string_view rest = text;
  if (rest.ends_with("/*")) {
    pattern.is_prefix_ = true;
    rest.remove_suffix(1);
    pattern.prefix_bytes_ = rest.size();
  }
  while (!rest.empty()) {
    const std::string_view segment = next_segment(rest);
    if (segment.starts_with('{') && segment.ends_with('}')) {
      const std::string_view name = segment.substr(1, segment.size() - 2);
      if (!is_name(name)) return bad("a name in braces has letters, digits and underscores");
      pattern.segments_.push_back({std::string(name), true});
    } else if (segment.find_first_of("{}*") != std::string_view::npos) {
      return bad("{name} is a whole segment, and * stands only at the end, behind a slash");
    } else {
      pattern.segments_.push_back({std::string(segment), false});
    }
  }
  // "/dir/" of "/dir/*" ended with an empty segment that the prefix stands for.
  if (pattern.is_prefix_) pattern.segments_.pop_back();
  return pattern;
}

bool PathPattern::match(std::string_view path, PathParameters& parameters) const {
  parameters.clear();
  if (!path.starts_with('/')) return false;
  for (const Segment& expected : segments_) {
    if (path.empty()) return false;
    const std::string_view segment = next_segment(path);
    if (!expected.is_name) {
      if (segment != expected.text) return false;
    } else {
      if (segment.empty()) return false;
      parameters.emplace_back(expected.text, segment);
    }
  }
  return is_prefix_ ? path.starts_with('/') : path.empty();
}

std::string_view PathPattern::rest_of(std::string_view path) const noexcept {
  if (!is_prefix_) return path;
  for (std::size_t i = 0; i < segments_.size(); ++i) (void)next_segment(path);
  return path.empty() ? path : path.substr(1);
}

bool PathPattern::is_before(const PathPattern& other) const noexcept {
  const std::size_t common = std::min(segments_.size(), other.segments_.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (segments_[i].is_name != other.segments_[i].is_name) return other.segments_[i].is_name;
  }
  if (is_prefix_ != other.is_prefix_) return other.is_prefix_;
  return segments_.size() > other.segments_.size();
}

bool matches_host(std::string_view pattern, std::string_view host) noexcept {
  if (pattern.empty()) return true;
  if (!pattern.starts_with("*.")) return http::equals_case_blind(pattern, host);
  const std::string_view suffix = pattern.substr(1);
  return host.size() > suffix.size() &&
         http::equals_case_blind(host.substr(host.size() - suffix.size()), suffix);
}

Route& Router::at(std::string_view host, const PathPattern& pattern) {
  for (const auto& route : routes_) {
    if (route->host == host && route->pattern == pattern) return *route;
  }
  // An exact host before a wildcard before any; then the more specific pattern; then the earlier.
  const auto rank = [](std::string_view name) { return name.empty() ? 2 : name.starts_with("*.") ? 1 : 0; };
  const auto place = std::find_if(routes_.begin(), routes_.end(), [&](const auto& route) {
    if (rank(host) != rank(route->host)) return rank(host) < rank(route->host);
    return pattern.is_before(route->pattern) && !route->pattern.is_before(pattern);
  });
  return **routes_.insert(place, std::make_unique<Route>(std::string(host), pattern));
}

RouteMatch Router::find(std::string_view host, std::string_view path) const {
  RouteMatch match;
  for (const auto& route : routes_) {
    if (!matches_host(route->host, host) || !route->pattern.match(path, match.parameters)) continue;
    match.route = route.get();
    return match;
  }
  match.parameters.clear();
  return match;
}

}  // namespace sinnet::endpoint
