/// Writes HTTP/1.1 heads. The one place that turns names and values into bytes, and so the one that refuses
/// line breaks in them (response splitting). Adds nothing of its own.

#include "http/head_chars.hpp"
#include "sinnet/http/head.hpp"

namespace sinnet::http {
namespace {

bool are_writable(std::span<const Field> fields) noexcept {
  for (const Field& field : fields) {
    if (!is_token(field.name) || !is_field_value(field.value)) return false;
  }
  return true;
}

std::unexpected<Error> refuse_fields() {
  return fail(ErrorCode::InvalidArgument, "a header field's name or value cannot stand in an HTTP head");
}

void append_fields(std::string& out, std::span<const Field> fields) {
  for (const Field& field : fields) {
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  out.append("\r\n");
}

}  // namespace

Result<> write_head(std::string& out, const RequestLine& line, std::span<const Field> fields) {
  if (!is_token(line.method)) return fail(ErrorCode::InvalidArgument, "the method is not a token");
  if (line.target.empty() || !is_all(TargetChar, line.target)) {
    return fail(ErrorCode::InvalidArgument, "the target cannot stand in a request line");
  }
  if (!are_writable(fields)) return refuse_fields();
  out.append(line.method).append(" ").append(line.target).append(" HTTP/1.1\r\n");
  append_fields(out, fields);
  return {};
}

Result<> write_head(std::string& out, const StatusLine& line, std::span<const Field> fields) {
  if (line.status < 100 || line.status > 999)
    return fail(ErrorCode::InvalidArgument, "the status is not 100–999");
  if (!is_all(ValueChar, line.reason)) {
    return fail(ErrorCode::InvalidArgument, "the reason cannot stand in a status line");
  }
  if (!are_writable(fields)) return refuse_fields();
  const std::string_view reason = line.reason.empty() ? reason_of(line.status) : line.reason;
  // RFC 9112 4: the SP stays even when the reason is empty.
  out.append("HTTP/1.1 ").append(std::to_string(line.status)).append(" ").append(reason).append("\r\n");
  append_fields(out, fields);
  return {};
}

}  // namespace sinnet::http
