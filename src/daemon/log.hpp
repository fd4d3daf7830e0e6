#pragma once
/// The daemon's log: one line per event on stderr, as text or JSON, in which nothing a peer sent can fake
/// another line. This file never decides what is worth a line, and never logs a query string: tokens travel
/// there.

#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "daemon/config.hpp"
#include "sinnet/base/time.hpp"

namespace sinnet::daemon {

/// key=value behind a message. Lends its texts until the call returns. The key is ours: lower case, digits,
/// `_`.
struct LogField {
  using Content = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;

  std::string_view key;
  Content value;

  LogField(std::string_view name, std::string_view text) : key(name), value(text) {}
  LogField(std::string_view name, const std::string& text) : key(name), value(std::string_view(text)) {}
  LogField(std::string_view name, const char* text) : key(name), value(std::string_view(text)) {}
  LogField(std::string_view name, bool flag) : key(name), value(flag) {}
  LogField(std::string_view name, double number) : key(name), value(number) {}
  template <class Number>
    requires(std::is_integral_v<Number> && !std::is_same_v<Number, bool>)
  LogField(std::string_view name, Number number) : key(name) {
    if constexpr (std::is_signed_v<Number>) {
      value = static_cast<std::int64_t>(number);
    } else {
      value = static_cast<std::uint64_t>(number);
    }
  }
};

/// What is known of a request or connection when it ends.
struct AccessEntry {
  std::string_view ip{};         ///< of the client, after trusted proxies
  std::string_view method{};     ///< as it was sent
  std::string_view target{};     ///< as it was sent; what follows `?` is not logged
  std::uint16_t status = 0;      ///< 101 for a WebSocket
  std::string_view conn{};       ///< connection id; empty for plain requests
  std::string_view protocol{};   ///< the subprotocol agreed on; may be empty
  std::uint16_t close_code = 0;  ///< 0 for plain requests
  std::uint64_t received_bytes = 0;
  std::uint64_t sent_bytes = 0;
  Duration lasted{};
};

/// Writes lines. All calls from any thread; a line is written whole or not at all. A stream that takes no
/// more (disk full, reader gone) loses lines and counts them, and never fails the caller.
class Log {
 public:
  /// `stream` stays the caller's and outlives the Log. Colour only in text format on a terminal without
  /// NO_COLOR.
  explicit Log(const LogConfig& config, std::FILE* stream = stderr);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  /// Takes over level and access of a reloaded configuration. The format stays: a reader of the log expects
  /// one.
  void reconfigure(const LogConfig& config);

  [[nodiscard]] bool is_enabled(LogLevel level) const noexcept;

  void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
  void debug(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::Debug, message, fields);
  }
  void info(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::Info, message, fields);
  }
  void warn(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::Warn, message, fields);
  }
  void error(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::Error, message, fields);
  }

  /// One line when a request was answered or a connection ended; nothing if log.access is false.
  void access(const AccessEntry& entry);
  /// One line for a connection whose peer broke the protocol: `code` is the close code, `reason` what was
  /// broken.
  void broken(std::string_view conn, std::string_view ip, std::uint16_t code, std::string_view reason);

  /// Lines that could not be written since the start.
  [[nodiscard]] std::uint64_t lost_lines() const noexcept;

 private:
  struct Sink;
  std::unique_ptr<Sink> sink_;
};

/// `text` with everything that could move a terminal or end a line made visible: control characters, line and
/// paragraph separators and direction overrides as \n, \x1b or \u{202e}; bytes that are not UTF-8 as \xff;
/// `"` and `\` escaped.
[[nodiscard]] std::string escape_for_log(std::string_view text);

}  // namespace sinnet::daemon
