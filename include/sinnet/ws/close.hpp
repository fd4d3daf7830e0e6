#pragma once
/// Close codes (RFC 6455 7.4 and the IANA registry) and the payload of a Close frame.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "sinnet/base/bytes.hpp"

namespace sinnet::ws {

/// A close code. Any value a peer may send fits; the names are the registered ones.
enum class CloseCode : std::uint16_t {
  Normal = 1000,
  GoingAway = 1001,
  ProtocolError = 1002,
  UnsupportedData = 1003,
  NoStatus = 1005,  ///< never on the wire: the Close frame had no payload
  Abnormal = 1006,  ///< never on the wire: the connection ended without a Close frame
  InvalidPayload = 1007,
  PolicyViolation = 1008,
  MessageTooBig = 1009,
  MandatoryExtension = 1010,
  InternalError = 1011,
  ServiceRestart = 1012,
  TryAgainLater = 1013,
  BadGateway = 1014,
  TlsHandshake = 1015,  ///< never on the wire
};

/// Whether the code may stand in a Close frame: 1000–1003, 1007–1014, 3000–4999 (RFC 6455 7.4.1, 7.4.2;
/// 1012–1014 are registered with IANA since).
[[nodiscard]] bool is_sendable(CloseCode code) noexcept;

inline constexpr std::size_t close_reason_bytes_max = 123;

struct ClosePayload {
  CloseCode code = CloseCode::NoStatus;
  std::string_view reason;  ///< UTF-8; a view of the parsed bytes
};

enum class ClosePayloadError : std::uint8_t { OneByte, CodeNotAllowed, ReasonNotUtf8 };

/// Reads a Close frame's payload; empty is NoStatus. Answers nothing and sets `error` when the peer
/// broke 5.5.1 or 7.4.
[[nodiscard]] std::optional<ClosePayload> parse_close_payload(Bytes payload,
                                                              ClosePayloadError& error) noexcept;

/// Writes code and reason and answers the length; NoStatus writes nothing. The reason is cut at
/// close_reason_bytes_max and before the first sequence that is not whole, valid UTF-8. Requires
/// is_sendable(code) or NoStatus.
std::size_t write_close_payload(CloseCode code, std::string_view reason,
                                std::span<std::byte, 125> out) noexcept;

}  // namespace sinnet::ws
