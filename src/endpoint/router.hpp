#pragma once
/// Router: from host and path to a route, the most specific pattern first. Pure; immutable once the server
/// runs.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "endpoint/static_files.hpp"
#include "sinnet/base/error.hpp"
#include "sinnet/endpoint/handler.hpp"
#include "sinnet/endpoint/server.hpp"

namespace sinnet::endpoint {

using PathParameters = std::vector<std::pair<std::string, std::string>>;

/// A path pattern, split into segments once.
class PathPattern {
 public:
  /// "/x" exact, "/a/{name}" with names for segments, "/dir/*" a prefix.
  [[nodiscard]] static Result<PathPattern> parse(std::string_view text);

  /// Whether the (decoded, normalised) path matches; fills in the values of the names.
  [[nodiscard]] bool match(std::string_view path, PathParameters& parameters) const;
  /// What "*" stands for, or the whole path for a pattern without one.
  [[nodiscard]] std::string_view rest_of(std::string_view path) const noexcept;
  /// Sorts the more specific before the less: literal segments before names before prefixes, longer before
  /// shorter.
  [[nodiscard]] bool is_before(const PathPattern& other) const noexcept;
  [[nodiscard]] bool is_prefix() const noexcept { return is_prefix_; }

  friend bool operator==(const PathPattern&, const PathPattern&) = default;

 private:
  struct Segment {
    std::string text;  ///< the literal, or the name
    bool is_name = false;
    friend bool operator==(const Segment&, const Segment&) = default;
  };
  std::vector<Segment> segments_;
  bool is_prefix_ = false;
  std::size_t prefix_bytes_ = 0;  ///< of "/dir/*": the length of "/dir/"
};

/// "example.com" or "*.example.com" (one or more labels before it), without case; empty matches all.
[[nodiscard]] bool matches_host(std::string_view pattern, std::string_view host) noexcept;

/// What stands behind a host and a pattern. A path may have both: the page and the WebSocket it opens.
struct Route {
  Route(std::string route_host, PathPattern route_pattern)
      : host(std::move(route_host)), pattern(std::move(route_pattern)) {}

  std::string host;
  PathPattern pattern;
  // WebSockets
  std::shared_ptr<Handler> handler;
  std::vector<std::string> protocols;
  ws::Options websocket;
  // plain HTTP: one of them
  HttpResponder responder;
  std::unique_ptr<StaticFiles> files;

  [[nodiscard]] bool has_http() const noexcept { return responder != nullptr || files != nullptr; }
};

struct RouteMatch {
  const Route* route = nullptr;
  PathParameters parameters{};
};

/// Routes in the order they are tried. Pointers to routes stay valid while the router lives.
class Router {
 public:
  /// The route of exactly this host and pattern, made if there is none.
  [[nodiscard]] Route& at(std::string_view host, const PathPattern& pattern);
  /// The most specific route; null if there is none. Whether it speaks what is asked for is the caller's to
  /// see: a less specific route never steps in for it.
  [[nodiscard]] RouteMatch find(std::string_view host, std::string_view path) const;

 private:
  std::vector<std::unique_ptr<Route>> routes_;
};

}  // namespace sinnet::endpoint
