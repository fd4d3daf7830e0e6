/// The extension list of RFC 6455 9.1 and permessage-deflate's parameters in it. Linear in its input, quoted
/// or not.

#include "ws/handshake_extensions.hpp"

#include "http/head_chars.hpp"
#include "sinnet/http/head.hpp"

namespace sinnet::ws {
namespace {

constexpr std::string_view deflate_name = "permessage-deflate";

/// RFC 7692 7.1.2: a decimal from 8 to 15 without leading zeros.
std::optional<std::uint8_t> parse_window_bits(std::string_view text) noexcept {
  if (text == "8" || text == "9") return static_cast<std::uint8_t>(text[0] - '0');
  if (text.size() == 2 && text[0] == '1' && text[1] >= '0' && text[1] <= '5') {
    return static_cast<std::uint8_t>(10 + (text[1] - '0'));
  }
  return std::nullopt;
}

/// A parameter without a value, at most once.
bool set_flag(bool& flag, const std::optional<std::string_view>& value) noexcept {
  if (flag || value.has_value()) return false;
  flag = true;
  return true;
}

/// Notes one parameter; false when RFC 7692 7.1 does not let it stand there.
bool add_parameter(DeflateElement& element, std::string_view name,
                   const std::optional<std::string_view>& value) noexcept {
  if (name == "server_no_context_takeover") return set_flag(element.server_no_context_takeover, value);
  if (name == "client_no_context_takeover") return set_flag(element.client_no_context_takeover, value);
  if (name == "server_max_window_bits") {
    if (element.server_max_window_bits.has_value() || !value.has_value()) return false;
    element.server_max_window_bits = parse_window_bits(*value);
    return element.server_max_window_bits.has_value();
  }
  if (name == "client_max_window_bits") {
    if (element.has_client_max_window_bits) return false;
    element.has_client_max_window_bits = true;
    if (!value.has_value()) return true;  // 7.1.2.2: an offer may leave the value out
    element.client_max_window_bits = parse_window_bits(*value);
    return element.client_max_window_bits.has_value();
  }
  return false;
}

}  // namespace

void ExtensionReader::skip_blanks() noexcept {
  while (!rest_.empty() && http::is_blank(rest_.front())) rest_.remove_prefix(1);
}

bool ExtensionReader::skip(char c) noexcept {
  skip_blanks();
  if (!rest_.starts_with(c)) return false;
  rest_.remove_prefix(1);
  return true;
}

bool ExtensionReader::read_name() noexcept {
  skip_blanks();
  std::size_t size = 0;
  while (size < rest_.size() && http::is_in(http::TokenChar, rest_[size])) ++size;
  name_ = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return size > 0;
}

bool ExtensionReader::read_value() {
  skip_blanks();
  value_.clear();
  if (skip('"')) return read_quoted();
  while (!rest_.empty() && http::is_in(http::TokenChar, rest_.front())) {
    value_.push_back(rest_.front());
    rest_.remove_prefix(1);
  }
  return !value_.empty();
}

bool ExtensionReader::read_quoted() {
  while (!rest_.empty() && rest_.front() != '"') {
    if (rest_.front() == '\\') rest_.remove_prefix(1);
    if (rest_.empty()) return false;
    value_.push_back(rest_.front());
    rest_.remove_prefix(1);
  }
  if (rest_.empty()) return false;
  rest_.remove_prefix(1);
  // RFC 6455 9.1: the value behind the quotes MUST conform to token.
  return http::is_token(value_);
}

ExtensionReader::Item ExtensionReader::end_with(Item item) noexcept {
  malformed_ = item == Item::Malformed;
  rest_ = {};
  return item;
}

ExtensionReader::Item ExtensionReader::next() {
  if (malformed_) return Item::Malformed;
  has_value_ = false;
  if (in_element_) {
    if (skip(';')) {
      if (!read_name()) return end_with(Item::Malformed);
      has_value_ = skip('=');
      if (has_value_ && !read_value()) return end_with(Item::Malformed);
      return Item::Parameter;
    }
    if (rest_.empty()) return end_with(Item::End);
    if (rest_.front() != ',') return end_with(Item::Malformed);
    in_element_ = false;
  }
  // RFC 2616 2.1: the # rule lets empty elements stand, but one must not be.
  while (skip(',')) {
  }
  if (rest_.empty()) return end_with(seen_any_ ? Item::End : Item::Malformed);
  if (!read_name()) return end_with(Item::Malformed);
  in_element_ = true;
  seen_any_ = true;
  return Item::Extension;
}

void read_extensions(std::string_view field_value, ExtensionList& list) {
  ExtensionReader reader{field_value};
  bool in_deflate = false;
  for (;;) {
    switch (reader.next()) {
      case ExtensionReader::Item::Extension:
        in_deflate = reader.name() == deflate_name;
        if (in_deflate) {
          list.deflate.emplace_back();
        } else {
          list.has_unknown = true;
        }
        break;
      case ExtensionReader::Item::Parameter:
        if (in_deflate && !add_parameter(list.deflate.back(), reader.name(), reader.value())) {
          list.deflate.back().is_sound = false;
        }
        break;
      case ExtensionReader::Item::Malformed: list.is_malformed = true; return;
      case ExtensionReader::Item::End: return;
    }
  }
}

std::string write_deflate_offer(const DeflateOptions& options) {
  std::string out{deflate_name};
  if (!options.context_takeover) out += "; server_no_context_takeover; client_no_context_takeover";
  if (options.window_bits < 15) {
    const std::string bits = std::to_string(options.window_bits);
    out.append("; server_max_window_bits=").append(bits).append("; client_max_window_bits=").append(bits);
  } else {
    out += "; client_max_window_bits";
  }
  return out;
}

std::string write_deflate_answer(const DeflateParameters& parameters, bool states_server_window) {
  std::string out{deflate_name};
  if (parameters.server_no_context_takeover) out += "; server_no_context_takeover";
  if (parameters.client_no_context_takeover) out += "; client_no_context_takeover";
  if (states_server_window || parameters.server_max_window_bits < 15) {
    out.append("; server_max_window_bits=").append(std::to_string(parameters.server_max_window_bits));
  }
  if (parameters.client_max_window_bits < 15) {
    out.append("; client_max_window_bits=").append(std::to_string(parameters.client_max_window_bits));
  }
  return out;
}

}  // namespace sinnet::ws
