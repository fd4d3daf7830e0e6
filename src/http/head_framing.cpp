/// Where a message's body ends (RFC 9112 6), judged from the head alone. Never reads the body.

#include <optional>

#include "http/head_chars.hpp"
#include "sinnet/http/head.hpp"

namespace sinnet::http {
namespace {

std::unexpected<HeadError> refuse(int status, std::string_view reason) {
  return std::unexpected(HeadError{.status = status, .reason = reason});
}

/// RFC 9110 8.6: 1*DIGIT. At most 18 digits, so that no reader's 63-bit number overflows; no leading zeros,
/// which some read as octal.
std::optional<std::uint64_t> parse_length(std::string_view text) noexcept {
  if (text.empty() || text.size() > 18 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

/// Whether `chunked` occurs once in the list, at its end.
bool ends_in_one_chunked(std::string_view list) noexcept {
  const bool ends_in_comma = list.ends_with(',');
  std::size_t chunked = 0;
  bool last = false;
  while (!list.empty()) {
    last = equals_case_blind(cut_element(list), "chunked");
    chunked += last ? 1U : 0U;
  }
  return last && chunked == 1 && !ends_in_comma;
}

/// What the fields say; nullopt when they say nothing.
std::expected<std::optional<BodyFraming>, HeadError> framing_of(const Headers& headers,
                                                                int version_minor) noexcept {
  const std::size_t lengths = headers.count("content-length");
  const std::size_t codings = headers.count("transfer-encoding");
  // RFC 9112 6.1: both in one message "ought to be handled as an error": it is how requests are smuggled.
  if (lengths > 0 && codings > 0) return refuse(400, "both Content-Length and Transfer-Encoding");
  if (lengths > 1) return refuse(400, "Content-Length occurs twice");
  if (codings > 1) return refuse(400, "Transfer-Encoding occurs twice");
  if (codings == 1) {
    // RFC 9112 6.1: HTTP/1.0 has no transfer codings; the framing is faulty.
    if (version_minor == 0) return refuse(400, "Transfer-Encoding in HTTP/1.0");
    const std::string_view list = *headers.find("transfer-encoding");
    if (equals_case_blind(list, "chunked")) return BodyFraming{.kind = BodyFraming::Kind::Chunked};
    if (ends_in_one_chunked(list)) return refuse(501, "a transfer coding other than chunked");
    return refuse(400, "Transfer-Encoding does not end in chunked");
  }
  if (lengths == 0) return std::nullopt;
  const std::optional<std::uint64_t> length = parse_length(*headers.find("content-length"));
  if (!length.has_value()) return refuse(400, "Content-Length is malformed");
  return BodyFraming{.kind = BodyFraming::Kind::Length, .length_bytes = *length};
}

}  // namespace

std::expected<BodyFraming, HeadError> body_framing(const RequestHead& head) noexcept {
  const auto framing = framing_of(head.headers(), head.version_minor());
  if (!framing.has_value()) return std::unexpected(framing.error());
  return framing->value_or(BodyFraming{});
}

std::expected<BodyFraming, HeadError> body_framing(const ResponseHead& head,
                                                   std::string_view request_method) noexcept {
  const int status = head.status();
  // RFC 9112 6.3, 1 and 2: whatever the fields say.
  const bool bodiless = request_method == "HEAD" || status < 200 || status == 204 || status == 304 ||
                        (request_method == "CONNECT" && status < 300);
  if (bodiless) return BodyFraming{};
  const auto framing = framing_of(head.headers(), head.version_minor());
  if (!framing.has_value()) return refuse(502, framing.error().reason);
  return framing->value_or(BodyFraming{.kind = BodyFraming::Kind::UntilClose});
}

}  // namespace sinnet::http
