#pragma once
/// TCP and Unix stream sockets as Transports. Connecting and accepting are elsewhere (io/connector.hpp,
/// io/listener.hpp).

#include <memory>

#include "sinnet/io/transport.hpp"

namespace sinnet::io {

/// Takes a connected stream socket (TCP or Unix, blocking or not) and attaches it to `loop`. Sets TCP_NODELAY
/// where there is TCP. Null when the loop cannot watch it (no kernel memory, or fs.epoll.max_user_watches):
/// the socket is closed then.
///
/// Reads and writes never block and never raise SIGPIPE. A read that moves fewer bytes than asked has drained
/// the socket. An idle one costs 64 bytes of user space and no system calls.
[[nodiscard]] std::unique_ptr<Transport> make_socket_transport(Loop& loop, int fd);
/// The same for an accepted socket whose peer is known, which saves asking the kernel for it.
[[nodiscard]] std::unique_ptr<Transport> make_socket_transport(Loop& loop, int fd, const SocketAddress& peer);

}  // namespace sinnet::io
