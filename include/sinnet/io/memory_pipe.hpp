#pragma once
/// Two connected Transports in memory, for tests and for what runs a protocol without a socket. No descriptor
/// is used.

#include <cstddef>
#include <memory>
#include <utility>

#include "sinnet/io/transport.hpp"

namespace sinnet::io {

/// Both ends are attached to `loop` and behave as a stream socket does: a write takes what fits into the
/// peer's `capacity_bytes`, an orderly close lets the peer read the rest and then EOF, a reset drops it
/// (ECONNRESET), a write after the peer is gone is EPIPE. Readiness comes in the next turn. An end may be
/// attached to another loop of the same thread.
///
/// Thread rule: both ends belong to one thread, since they share their buffers without a lock.
[[nodiscard]] std::pair<std::unique_ptr<Transport>, std::unique_ptr<Transport>> make_memory_pipe(
    Loop& loop, std::size_t capacity_bytes = 64 * 1024);

}  // namespace sinnet::io
