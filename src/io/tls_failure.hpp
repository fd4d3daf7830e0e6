#pragma once
/// OpenSSL's error queue and verification results as one line for a person. Takes the queue's errors with it.

#include <string>

struct ssl_st;

namespace sinnet::io {

/// The reason of the newest error in this thread's queue, e.g. "no start line"; empties the queue. For files.
[[nodiscard]] std::string take_newest_reason();

/// Why this connection's last call failed, e.g. "certificate refused: hostname mismatch (expected
/// example.org)" or "the peer sent the alert unknown CA"; empties the queue.
[[nodiscard]] std::string take_connection_reason(ssl_st* ssl);

}  // namespace sinnet::io
