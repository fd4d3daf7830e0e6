#pragma once
/// What a conversation shows: messages as lines, JSON events or hex dumps, frames, and the values of -w.
/// Decides no destination: texts go to the sinks it was given.

#include <functional>
#include <string>
#include <string_view>

#include "sinnet/endpoint/client.hpp"
#include "sinnet/ws/connection.hpp"

namespace sinnet::cli {

struct ReportOptions {
  bool json = false;      ///< one object a line on stdout
  bool hex = false;       ///< binary messages as a dump
  bool terminal = false;  ///< stdout is one: control characters are made visible
};

/// `data` gets what belongs to stdout, `talk` a line for a person, without its end.
class Report final : public ws::FrameTrace {
 public:
  using Sink = std::function<void(std::string_view)>;
  Report(ReportOptions options, Sink data, Sink talk)
      : options_(options), data_(std::move(data)), talk_(std::move(talk)) {}

  void opened(const endpoint::Connection& connection, std::string_view who);
  void received(const endpoint::Message& message);
  void closed(const endpoint::CloseInfo& info);
  void failed(const endpoint::OpenFailure& failure);
  void say(std::string_view line) { talk_(line); }

  void frame_received(const ws::FrameHeader& header) override { frame("<", header); }
  void frame_sent(const ws::FrameHeader& header) override { frame(">", header); }

 private:
  void frame(std::string_view direction, const ws::FrameHeader& header);

  const ReportOptions options_;
  Sink data_;
  Sink talk_;
};

/// A JSON string with its quotes. `text` is valid UTF-8, or comes from a server's head: bytes that are not
/// are replaced.
[[nodiscard]] std::string json_string(std::string_view text);
/// As `hexdump -C`.
[[nodiscard]] std::string hex_dump(Bytes bytes);

/// What `-w` can show.
struct WriteOutValues {
  endpoint::OpenTimings timings{};
  Duration total{};
  int http_code = 0;
  int close_code = 0;
  std::string protocol{};
  std::string remote_ip{};
  std::uint16_t remote_port = 0;
  std::string url{};
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t messages_sent = 0;
};

/// `%{name}` and `\n`, `\t`, `\\` filled in, as curl does: times in seconds with six decimals, `%%` for `%`.
/// A name nobody knows stays as it is.
[[nodiscard]] std::string write_out(std::string_view format, const WriteOutValues& values);

}  // namespace sinnet::cli
