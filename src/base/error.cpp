#include "sinnet/base/error.hpp"

#include <cerrno>
#include <system_error>
#include <utility>

namespace sinnet {

std::string_view name_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::InvalidArgument: return "invalid_argument";
    case ErrorCode::NotFound: return "not_found";
    case ErrorCode::PermissionDenied: return "permission_denied";
    case ErrorCode::AddressInUse: return "address_in_use";
    case ErrorCode::Refused: return "refused";
    case ErrorCode::Unreachable: return "unreachable";
    case ErrorCode::TimedOut: return "timed_out";
    case ErrorCode::Closed: return "closed";
    case ErrorCode::LimitReached: return "limit_reached";
    case ErrorCode::TlsFailed: return "tls_failed";
    case ErrorCode::ProtocolError: return "protocol_error";
    case ErrorCode::System: return "system";
  }
  std::unreachable();
}

namespace {

ErrorCode code_of(int errno_value) noexcept {
  switch (errno_value) {
    case EINVAL: return ErrorCode::InvalidArgument;
    case ENOENT: return ErrorCode::NotFound;
    case EACCES:
    case EPERM: return ErrorCode::PermissionDenied;
    case EADDRINUSE: return ErrorCode::AddressInUse;
    case ECONNREFUSED: return ErrorCode::Refused;
    case ENETUNREACH:
    case EHOSTUNREACH: return ErrorCode::Unreachable;
    case ETIMEDOUT: return ErrorCode::TimedOut;
    case EPIPE:
    case ECONNRESET: return ErrorCode::Closed;
    case EMFILE:
    case ENFILE: return ErrorCode::LimitReached;
    default: return ErrorCode::System;
  }
}

}  // namespace

Error Error::from_errno(int errno_value, std::string_view what) {
  std::string message{what};
  message += ": ";
  message += std::generic_category().message(errno_value);
  return {code_of(errno_value), std::move(message)};
}

}  // namespace sinnet
