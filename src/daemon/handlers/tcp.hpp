#pragma once
/// The handler kind `tcp`: a WebSocket as a byte stream to one configured TCP or Unix address, in both
/// directions with backpressure. The address comes from the configuration only; a client never names one.

#include <memory>
#include <string>

#include "sinnet/endpoint/handler.hpp"

namespace sinnet::daemon {

/// `target`: "host:port", "[::1]:80" or "unix:/path". The client is let in once the target is connected (502
/// otherwise, 504 when it takes longer than five seconds). Messages of either kind are written to the target
/// in order; what it sends goes out as binary messages as it arrives. The target's EOF closes with 1000, its
/// failure with 1011.
[[nodiscard]] std::shared_ptr<endpoint::Handler> make_tcp_handler(std::string target);

}  // namespace sinnet::daemon
