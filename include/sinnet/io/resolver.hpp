#pragma once
/// Resolver: host names to addresses without blocking the loop, by c-ares. It opens no connection to what it
/// finds.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sinnet/base/error.hpp"
#include "sinnet/io/address.hpp"
#include "sinnet/io/loop.hpp"
#include "sinnet/io/pending.hpp"

namespace sinnet::io {

struct ResolverOptions {
  /// "192.0.2.1,[2001:db8::1]:5353"; what resolv.conf says if empty.
  std::string servers;
  /// For one server and one try; c-ares doubles it from round to round.
  Duration try_timeout = std::chrono::seconds{2};
  int tries = 3;
};

/// Reads resolv.conf once, and /etc/hosts at each query, before any server is asked; `localhost` never leaves
/// the machine (RFC 6761 6.3).
///
/// Thread rule: its loop's thread.
class Resolver {
 public:
  /// At least one address, in the order of RFC 6724, or NotFound, TimedOut, Unreachable (no server answers),
  /// InvalidArgument or System.
  using Callback = std::move_only_function<void(Result<std::vector<SocketAddress>>)>;

  [[nodiscard]] static Result<std::unique_ptr<Resolver>> create(Loop& loop,
                                                                const ResolverOptions& options = {});
  /// Queries under way are answered with Closed in the next turn.
  virtual ~Resolver() = default;
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// IPv4 and IPv6 addresses of `host`, each with `port`. A numeric host ("127.0.0.1", "::1", "[::1]") is
  /// answered without asking anybody. The callback runs in a later turn, once, unless the answer is destroyed
  /// first; it may destroy it.
  [[nodiscard]] virtual std::unique_ptr<Pending> resolve(std::string_view host, std::uint16_t port,
                                                         Callback callback) = 0;

 protected:
  Resolver() = default;
};

}  // namespace sinnet::io
