#pragma once
/// The two directions of permessage-deflate of one connection, with what was negotiated. Private to
/// ws::Connection.

#include "sinnet/ws/connection.hpp"
#include "ws/compressor.hpp"

namespace sinnet::ws {

struct Connection::Deflate {
  Deflate(Role role, const DeflateParameters& agreed, const DeflateOptions& options, CompressionPool& pool)
      : sends_with_takeover(role == Role::Server ? !agreed.server_no_context_takeover
                                                 : !agreed.client_no_context_takeover),
        send_window_bits(role == Role::Server ? agreed.server_max_window_bits
                                              : agreed.client_max_window_bits),
        compressor(pool, send_window_bits, sends_with_takeover, options.level, options.memory_level),
        decompressor(
            pool, role == Role::Server ? agreed.client_max_window_bits : agreed.server_max_window_bits,
            role == Role::Server ? !agreed.client_no_context_takeover : !agreed.server_no_context_takeover) {}

  bool sends_with_takeover;
  std::uint8_t send_window_bits;
  Compressor compressor;
  Decompressor decompressor;
};

}  // namespace sinnet::ws
