#include "daemon/log.hpp"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <optional>

namespace sinnet::daemon {
namespace {

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::Debug: return spdlog::level::debug;
    case LogLevel::Info: return spdlog::level::info;
    case LogLevel::Warn: return spdlog::level::warn;
    case LogLevel::Error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

struct Rune {
  char32_t value = 0;
  std::size_t size_bytes = 1;
};

/// The code point at the start of `text`, or nothing if there is none that RFC 3629 allows.
std::optional<Rune> first_rune(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return Rune{lead, 1};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return std::nullopt;
  char32_t value = lead & (0x7fU >> size);
  for (std::size_t at = 1; at < size; ++at) {
    if ((byte(at) & 0xc0U) != 0x80) return std::nullopt;
    value = (value << 6U) | (byte(at) & 0x3fU);
  }
  constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < smallest[size] || value > 0x10ffff || is_surrogate) return std::nullopt;
  return Rune{value, size};
}

/// Would change what a person sees of the lines around it: separators (U+2028, U+2029) and the marks,
/// embeddings, overrides and isolates that turn the direction of writing (UAX 9 2.1 to 2.6), zero-width ones,
/// and the C1 controls.
bool is_deceptive(char32_t value) {
  return (value >= 0x7f && value <= 0x9f) || (value >= 0x200b && value <= 0x200f) ||
         (value >= 0x2028 && value <= 0x202e) || (value >= 0x2060 && value <= 0x2069) || value == 0xfeff ||
         value == 0x061c;
}

/// For text lines and for JSON strings alike, except in how the rest is spelt.
std::string escape(std::string_view text, bool for_json) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const auto rune = first_rune(text);
    if (!rune) {
      result +=
          for_json ? std::string("\\ufffd") : fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
      text.remove_prefix(1);
      continue;
    }
    const char32_t value = rune->value;
    if (value == '"' || value == '\\') {
      result += '\\';
      result += static_cast<char>(value);
    } else if (value == '\n' || value == '\r' || value == '\t') {
      result += value == '\n' ? "\\n" : value == '\r' ? "\\r" : "\\t";
    } else if (value < 0x20 || is_deceptive(value)) {
      const auto number = static_cast<std::uint32_t>(value);
      result += for_json       ? fmt::format("\\u{:04x}", number)
                : value < 0x80 ? fmt::format("\\x{:02x}", number)
                               : fmt::format("\\u{{{:x}}}", number);
    } else {
      result += text.substr(0, rune->size_bytes);
    }
    text.remove_prefix(rune->size_bytes);
  }
  return result;
}

/// As it stands behind key=; quoted only if a reader could not tell where it ends.
std::string text_value(std::string_view text) {
  std::string escaped = escape(text, false);
  const bool is_plain = !text.empty() && escaped == text && text.find_first_of(" =") == text.npos;
  return is_plain ? escaped : "\"" + escaped + "\"";
}

std::string value_of(const LogField& field, bool for_json) {
  return std::visit(
      [for_json](const auto& value) {
        using Content = std::remove_cvref_t<decltype(value)>;
        if constexpr (std::is_same_v<Content, std::string_view>) {
          return for_json ? "\"" + escape(value, true) + "\"" : text_value(value);
        } else {
          return fmt::format("{}", value);
        }
      },
      field.value);
}

/// The part of a line behind time and level.
std::string body_of(std::string_view message, std::initializer_list<LogField> fields, bool for_json) {
  std::string line = for_json ? "\"msg\":\"" + escape(message, true) + "\"" : escape(message, false);
  for (const LogField& field : fields) {
    line += for_json ? ",\"" : " ";
    line += field.key;
    line += for_json ? "\":" : "=";
    line += value_of(field, for_json);
  }
  return line;
}

/// What spdlog writes around it. Times are UTC: logs of several machines are read side by side.
constexpr const char* text_pattern = "%Y-%m-%dT%H:%M:%S.%eZ %^%-5l%$ %v";
constexpr const char* json_pattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})";

/// Our words for levels, the ones the configuration knows; spdlog says "warning".
class LevelName final : public spdlog::custom_flag_formatter {
 public:
  explicit LevelName(bool padded) : padded_(padded) {}
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    std::string_view name = "info";
    if (message.level == spdlog::level::debug) name = "debug";
    if (message.level == spdlog::level::warn) name = "warn";
    if (message.level == spdlog::level::err) name = "error";
    out.append(name);
    if (padded_ && name.size() < 5) out.push_back(' ');
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<LevelName>(padded_);
  }

 private:
  bool padded_;
};

using ColorSink = spdlog::sinks::ansicolor_sink<spdlog::details::console_mutex>;

}  // namespace

/// spdlog's sink gives time, colour, whole lines and a lock; the lines themselves are ours.
struct Log::Sink {
  Sink(std::FILE* target, LogFormat format)
      : stream(target),
        logger("sinnet", std::make_shared<ColorSink>(target, color_mode())),
        is_json(format == LogFormat::Json) {
    auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc, "\n");
    formatter->add_flag<LevelName>('l', !is_json).set_pattern(is_json ? json_pattern : text_pattern);
    logger.set_formatter(std::move(formatter));
    logger.set_error_handler(
        [](const std::string&) {});  // the default one writes to stderr, which is what just failed
  }

  static spdlog::color_mode color_mode() {
    const char* no_color = std::getenv("NO_COLOR");
    const bool refused = no_color != nullptr && *no_color != '\0';
    return refused ? spdlog::color_mode::never : spdlog::color_mode::automatic;
  }

  std::FILE* stream;
  spdlog::logger logger;
  const bool is_json;
  std::atomic<bool> logs_access{false};
  std::atomic<std::uint64_t> lost{0};
};

Log::Log(const LogConfig& config, std::FILE* stream) : sink_(std::make_unique<Sink>(stream, config.format)) {
  reconfigure(config);
}

Log::~Log() = default;

void Log::reconfigure(const LogConfig& config) {
  sink_->logs_access = config.access;
  sink_->logger.set_level(level_of(config.level));
}

bool Log::is_enabled(LogLevel level) const noexcept { return sink_->logger.should_log(level_of(level)); }

void Log::write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (!is_enabled(level)) return;
  sink_->logger.log(level_of(level), spdlog::string_view_t(body_of(message, fields, sink_->is_json)));
  if (std::ferror(sink_->stream) == 0 && std::fflush(sink_->stream) == 0) return;
  std::clearerr(sink_->stream);
  ++sink_->lost;
}

void Log::access(const AccessEntry& entry) {
  if (!sink_->logs_access) return;
  const std::string_view path = entry.target.substr(0, entry.target.find('?'));
  if (entry.conn.empty()) {
    write(LogLevel::Info, "request",
          {{"ip", entry.ip}, {"method", entry.method}, {"path", path}, {"status", entry.status}});
    return;
  }
  const double seconds = std::chrono::duration<double>(entry.lasted).count();
  const double rounded = std::round(seconds * 1000.0) / 1000.0;
  write(LogLevel::Info, "connection",
        {{"conn", entry.conn},
         {"ip", entry.ip},
         {"method", entry.method},
         {"path", path},
         {"status", entry.status},
         {"protocol", entry.protocol},
         {"close_code", entry.close_code},
         {"received_bytes", entry.received_bytes},
         {"sent_bytes", entry.sent_bytes},
         {"seconds", rounded}});
}

void Log::broken(std::string_view conn, std::string_view ip, std::uint16_t code, std::string_view reason) {
  write(LogLevel::Warn, "protocol broken", {{"conn", conn}, {"ip", ip}, {"code", code}, {"reason", reason}});
}

std::uint64_t Log::lost_lines() const noexcept { return sink_->lost; }

std::string escape_for_log(std::string_view text) { return escape(text, false); }

}  // namespace sinnet::daemon
