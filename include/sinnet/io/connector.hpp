#pragma once
/// Opens connections: to an address, or to a host name trying its addresses in turn. It speaks no protocol.

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "sinnet/io/pending.hpp"
#include "sinnet/io/resolver.hpp"
#include "sinnet/io/transport.hpp"

namespace sinnet::io {

/// An attached transport, or Refused, Unreachable, TimedOut, NotFound, InvalidArgument or System; the message
/// names the address or the host. Runs in a later turn or a later phase of this one, never inside the call,
/// and once.
using ConnectCallback = std::move_only_function<void(Result<std::unique_ptr<Transport>>)>;

/// One attempt at one address. `time_never` leaves the waiting to the kernel (about two minutes).
[[nodiscard]] std::unique_ptr<Pending> connect_address(Loop& loop, const SocketAddress& address,
                                                       Time deadline, ConnectCallback callback);

/// Resolves and tries the addresses in the manner of RFC 8305: families alternate, the next attempt starts
/// 250 ms after the last or as soon as one fails, the first connection wins. The error is that of the first
/// address. The deadline covers the name's resolution too. The resolver must stay as long as the answer.
[[nodiscard]] std::unique_ptr<Pending> connect_host(Loop& loop, Resolver& resolver, std::string_view host,
                                                    std::uint16_t port, Time deadline,
                                                    ConnectCallback callback);

}  // namespace sinnet::io
