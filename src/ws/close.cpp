/// Close payloads (RFC 6455 5.5.1, 7.4). Never decides what to answer to a bad one.
#include "sinnet/ws/close.hpp"

#include <cassert>
#include <cstring>

#include "sinnet/ws/utf8.hpp"

namespace sinnet::ws {
namespace {

constexpr std::size_t code_bytes = 2;

/// How much of `reason` may be sent: at most 123 bytes, ending where a character ends, and none of what is
/// not UTF-8.
std::size_t sendable_reason_bytes(std::string_view reason) noexcept {
  const Bytes cut = as_bytes(reason.substr(0, close_reason_bytes_max));
  if (is_utf8(cut)) return cut.size();
  Utf8Validator validator;
  std::size_t good = 0;
  for (std::size_t i = 0; i < cut.size() && validator.receive(cut.subspan(i, 1)); ++i) {
    if (validator.is_complete()) good = i + 1;
  }
  return good;
}

}  // namespace

bool is_sendable(CloseCode code) noexcept {
  const auto value = static_cast<unsigned>(code);
  return (value >= 1000 && value <= 1003) || (value >= 1007 && value <= 1014) ||
         (value >= 3000 && value <= 4999);
}

std::optional<ClosePayload> parse_close_payload(Bytes payload, ClosePayloadError& error) noexcept {
  if (payload.empty()) return ClosePayload{};
  if (payload.size() < code_bytes) {
    error = ClosePayloadError::OneByte;
    return std::nullopt;
  }
  const auto code = static_cast<CloseCode>(std::to_integer<unsigned>(payload[0]) << 8U |
                                           std::to_integer<unsigned>(payload[1]));
  if (!is_sendable(code)) {
    error = ClosePayloadError::CodeNotAllowed;
    return std::nullopt;
  }
  const Bytes reason = payload.subspan(code_bytes);
  if (!is_utf8(reason)) {
    error = ClosePayloadError::ReasonNotUtf8;
    return std::nullopt;
  }
  return ClosePayload{.code = code, .reason = as_text(reason)};
}

std::size_t write_close_payload(CloseCode code, std::string_view reason,
                                std::span<std::byte, 125> out) noexcept {
  if (code == CloseCode::NoStatus) return 0;
  assert(is_sendable(code));
  const auto value = static_cast<unsigned>(code);
  out[0] = static_cast<std::byte>(value >> 8U);
  out[1] = static_cast<std::byte>(value & 0xFFU);
  const std::size_t reason_bytes = sendable_reason_bytes(reason);
  if (reason_bytes != 0) std::memcpy(out.data() + code_bytes, reason.data(), reason_bytes);
  return code_bytes + reason_bytes;
}

}  // namespace sinnet::ws
