#include "cli/connect_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/base64.hpp"
#include "sinnet/ws/utf8.hpp"

namespace sinnet::cli {
namespace {

std::string_view name_of(ws::Opcode opcode) noexcept {
  switch (opcode) {
    case ws::Opcode::Continuation: return "continuation";
    case ws::Opcode::Text: return "text";
    case ws::Opcode::Binary: return "binary";
    case ws::Opcode::Close: return "close";
    case ws::Opcode::Ping: return "ping";
    case ws::Opcode::Pong: return "pong";
  }
  return "reserved";
}

bool is_control(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t' && c != '\n') || byte == 0x7F;
}

/// What others send must not steer our terminal.
std::string visible(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_control(c)) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string json_string(std::string_view text) {
  const bool is_utf8 = ws::is_utf8(as_bytes(text));
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(byte));
    } else if (byte >= 0x80 && !is_utf8) {
      out += "\\ufffd";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string hex_dump(Bytes bytes) {
  constexpr std::size_t width = 16;
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += width) {
    const Bytes row = bytes.subspan(at, std::min(width, bytes.size() - at));
    out += fmt::format("{:08x} ", at);
    std::string text;
    for (std::size_t i = 0; i < width; ++i) {
      if (i == width / 2) out += ' ';
      if (i >= row.size()) {
        out += "   ";
        continue;
      }
      const auto value = static_cast<unsigned>(row[i]);
      out += fmt::format(" {:02x}", value);
      text += value >= 0x20 && value < 0x7F ? static_cast<char>(value) : '.';
    }
    out += fmt::format("  |{}|\n", text);
  }
  return out;
}

void Report::opened(const endpoint::Connection& connection, std::string_view who) {
  if (options_.json) {
    data_(fmt::format("{{\"ev\":\"open\",\"peer\":{},\"protocol\":{},\"compression\":{}}}\n",
                      json_string(who), json_string(connection.protocol()), connection.uses_compression()));
    return;
  }
  std::string line = fmt::format("connected to {}", who);
  if (!connection.protocol().empty()) line += fmt::format(", {}", connection.protocol());
  if (connection.tls() != nullptr) line += fmt::format(", {}", connection.tls()->version);
  if (connection.uses_compression()) line += ", compressed";
  talk_(line);
}

void Report::received(const endpoint::Message& message) {
  const bool is_text = message.kind == ws::MessageKind::Text;
  if (options_.json) {
    const std::string value =
        is_text ? json_string(message.text()) : fmt::format("\"{}\"", base64_encode(message.payload));
    data_(fmt::format("{{\"ev\":\"message\",\"{}\":{}}}\n", is_text ? "data" : "data_b64", value));
  } else if (is_text) {
    data_((options_.terminal ? visible(message.text()) : std::string(message.text())) + "\n");
  } else if (options_.hex || options_.terminal) {
    data_(hex_dump(message.payload));
  } else {
    data_(as_text(message.payload));  // bytes for a file or a program: nothing is added
  }
}

void Report::closed(const endpoint::CloseInfo& info) {
  const auto code = static_cast<unsigned>(info.code);
  if (options_.json) {
    data_(fmt::format("{{\"ev\":\"close\",\"code\":{},\"reason\":{},\"clean\":{}}}\n", code,
                      json_string(info.reason), info.was_clean));
    return;
  }
  std::string line = info.was_violation ? fmt::format("the other side broke the protocol ({})", code)
                                        : fmt::format("closed: {}", code);
  if (!info.reason.empty()) line += " " + visible(info.reason);
  talk_(line);
}

void Report::failed(const endpoint::OpenFailure& failure) {
  if (options_.json) {
    data_(fmt::format("{{\"ev\":\"error\",\"error\":\"{}\",\"message\":{},\"status\":{},\"body\":{}}}\n",
                      name_of(failure.error.code), json_string(failure.error.message), failure.status,
                      json_string(failure.body)));
  }
  std::string line = failure.error.message;
  if (failure.retry_in) {
    line += fmt::format("; again in {:.1f} s", static_cast<double>(failure.retry_in->count()) / 1e9);
  }
  talk_(line);
}

void Report::frame(std::string_view direction, const ws::FrameHeader& header) {
  std::string line = fmt::format("{} FIN={} RSV={}{}{} opcode={:X} {} mask={} length={}", direction,
                                 header.fin ? 1 : 0, header.rsv1 ? 1 : 0, header.rsv2 ? 1 : 0,
                                 header.rsv3 ? 1 : 0, static_cast<unsigned>(header.opcode),
                                 name_of(header.opcode), header.masked ? 1 : 0, header.payload_bytes);
  talk_(line);
}

namespace {

std::string seconds(Duration duration) {
  return fmt::format("{:.6f}", static_cast<double>(duration.count()) / 1e9);
}

std::optional<std::string> value_of(std::string_view name, const WriteOutValues& values) {
  if (name == "time_namelookup") return seconds(values.timings.resolved);
  if (name == "time_connect") return seconds(values.timings.connected);
  if (name == "time_proxy") return seconds(values.timings.proxied);
  if (name == "time_appconnect") return seconds(values.timings.secured);
  if (name == "time_upgrade") return seconds(values.timings.upgraded);
  if (name == "time_total") return seconds(values.total);
  if (name == "http_code" || name == "response_code") return fmt::format("{:03}", values.http_code);
  if (name == "close_code") return std::to_string(values.close_code);
  if (name == "protocol") return values.protocol;
  if (name == "remote_ip") return values.remote_ip;
  if (name == "remote_port") return std::to_string(values.remote_port);
  if (name == "url") return values.url;
  if (name == "size_download") return std::to_string(values.bytes_received);
  if (name == "size_upload") return std::to_string(values.bytes_sent);
  if (name == "messages_received") return std::to_string(values.messages_received);
  if (name == "messages_sent") return std::to_string(values.messages_sent);
  return std::nullopt;
}

}  // namespace

std::string write_out(std::string_view format, const WriteOutValues& values) {
  std::string out;
  while (!format.empty()) {
    if (format.starts_with("%{")) {
      const std::size_t end = format.find('}');
      if (const auto value =
              end == format.npos ? std::nullopt : value_of(format.substr(2, end - 2), values)) {
        out += *value;
        format.remove_prefix(end + 1);
        continue;
      }
    } else if (format.starts_with("%%") || format.starts_with("\\n") || format.starts_with("\\t") ||
               format.starts_with("\\\\")) {
      out += format[0] == '%' ? '%' : format[1] == 'n' ? '\n' : format[1] == 't' ? '\t' : '\\';
      format.remove_prefix(2);
      continue;
    }
    out += format.front();
    format.remove_prefix(1);
  }
  return out;
}

}  // namespace sinnet::cli
