#pragma once
/// The result of what the *world* may refuse (connect, TLS, files) and of verbs called at the wrong time.
/// What a *peer* breaks is never a return value: it arrives as an event (see ws/event.hpp).

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace sinnet {

enum class ErrorCode : std::uint8_t {
  InvalidArgument,   ///< the text or option handed in cannot be used
  NotFound,          ///< no such file, host or entry
  PermissionDenied,  ///< the system or a policy says no
  AddressInUse,      ///< somebody listens there already
  Refused,           ///< the other side answered no
  Unreachable,       ///< the other side could not be reached
  TimedOut,          ///< the deadline passed first
  Closed,            ///< the connection is closing or closed
  LimitReached,      ///< a configured limit would be exceeded
  TlsFailed,         ///< handshake or certificate
  ProtocolError,     ///< the other side does not speak what was expected
  System,            ///< any other errno; the message names it
};

/// `address_in_use` for ErrorCode::AddressInUse: stable, for logs and machine-readable output.
[[nodiscard]] std::string_view name_of(ErrorCode code) noexcept;

/// What went wrong, with one line for a person. Never holds secrets.
struct Error {
  ErrorCode code = ErrorCode::System;
  std::string message;

  /// From an errno value: "`what`: strerror text", with the matching code.
  [[nodiscard]] static Error from_errno(int errno_value, std::string_view what);
};

template <class T = void>
using Result = std::expected<T, Error>;

/// `return fail(ErrorCode::TimedOut, "…");` in a function that answers a Result.
[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

}  // namespace sinnet
