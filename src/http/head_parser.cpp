/// The incremental parser of HTTP/1.1 heads. Works line by line on bytes that are contiguous: in place when a
/// head arrives in one read, in `held_` when it does not. Never looks at a byte twice for its line end, never
/// guesses.

#include <algorithm>
#include <cassert>
#include <cstring>

#include "http/head_chars.hpp"
#include "sinnet/http/head.hpp"

namespace sinnet::http {
namespace {

// The longest registered method has 17 characters (UPDATEREDIRECTREF); RFC 9112 3 wants 501 for longer ones
// than ours.
constexpr std::size_t method_bytes_max = 32;
constexpr std::size_t version_bytes = 8;  // "HTTP/1.1"
// A status line without its reason, which carries no meaning (RFC 9112 4) and needs no more room than a short
// line.
constexpr std::size_t status_line_bytes_max = 1024;

struct VersionResult {
  int status = 0;  // 0: fine
  std::uint8_t minor = 0;
};

/// RFC 9112 2.3: `HTTP/` DIGIT `.` DIGIT, upper case.
VersionResult parse_version(std::string_view text) noexcept {
  if (text.size() != version_bytes || !text.starts_with("HTTP/") || !is_digit(text[5]) || text[6] != '.' ||
      !is_digit(text[7])) {
    return {.status = 400};
  }
  if (text[5] != '1' || text[7] > '1') return {.status = 505};
  return {.status = 0, .minor = static_cast<std::uint8_t>(text[7] - '0')};
}

/// The authority of an absolute-form target whose scheme we serve, else empty.
std::string_view authority_of(std::string_view target) noexcept {
  const std::size_t scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos) return {};
  const std::string_view scheme = target.substr(0, scheme_end);
  const bool known = equals_case_blind(scheme, "http") || equals_case_blind(scheme, "https") ||
                     equals_case_blind(scheme, "ws") || equals_case_blind(scheme, "wss");
  if (!known) return {};
  const std::string_view rest = target.substr(scheme_end + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  // `http://host?query` has no path to route by.
  if (authority.size() < rest.size() && rest[authority.size()] == '?') return {};
  return authority;
}

}  // namespace

HeadParser::HeadParser(HeadRole role, const HeadLimits& limits) noexcept : limits_(limits), role_(role) {
  assert(limits.head_bytes_max > 0 && limits.head_bytes_max <= head_bytes_ceiling);
}

HeadParser::Progress HeadParser::receive(Bytes input) {
  if (state_ == State::Failed) return {.status = Status::Failed, .consumed_bytes = input.size()};
  assert(state_ == State::Reading);
  if (input.empty()) return {.status = Status::NeedMore, .consumed_bytes = 0};

  const std::size_t held_before = held_.size();
  const Bytes usable = input.first(std::min<std::size_t>(input.size(), limits_.head_bytes_max - held_before));
  std::string_view text = as_text(usable);
  if (held_before > 0) {
    held_.append(usable);
    text = as_text(held_.bytes());
  }
  Step step = scan(text);
  if (step == Step::More && text.size() == limits_.head_bytes_max)
    step = refuse(431, "the head is too large");
  switch (step) {
    case Step::More:
      if (held_before == 0) held_.append(usable);
      return {.status = Status::NeedMore, .consumed_bytes = input.size()};
    case Step::End: {
      const std::size_t consumed = scanned_ - held_before;
      state_ = State::Taken;
      forget_held();
      return {.status = Status::Done, .consumed_bytes = consumed};
    }
    case Step::Bad: break;
  }
  state_ = State::Failed;
  forget_held();
  return {.status = Status::Failed, .consumed_bytes = input.size()};
}

RequestHead HeadParser::take_request() noexcept {
  assert(state_ == State::Taken && role_ == HeadRole::Request);
  state_ = State::Reading;
  return std::exchange(request_, {});
}

ResponseHead HeadParser::take_response() noexcept {
  assert(state_ == State::Taken && role_ == HeadRole::Response);
  state_ = State::Reading;
  return std::exchange(response_, {});
}

void HeadParser::forget_held() noexcept {
  held_.reset();
  entries_ = {};
  line_begin_ = 0;
  scanned_ = 0;
}

HeadParser::Step HeadParser::refuse(int status, std::string_view reason) noexcept {
  error_ = {.status = role_ == HeadRole::Request ? status : 502, .reason = reason};
  return Step::Bad;
}

HeadParser::Step HeadParser::scan(std::string_view text) {
  // Judged before the line is whole, so that a TLS hello or a PROXY header in binary is answered at once.
  const bool plausible = role_ == HeadRole::Request ? is_in(TokenChar, text.front()) : text.front() == 'H';
  if (scanned_ == 0 && !plausible) return refuse(400, "the first byte starts no HTTP message");

  const std::size_t start_line_bytes_max =
      role_ == HeadRole::Request
          ? method_bytes_max + limits_.target_bytes_max + version_bytes + 4  // SP SP CR LF
          : status_line_bytes_max;
  while (scanned_ < text.size()) {
    const void* found = std::memchr(text.data() + scanned_, '\n', text.size() - scanned_);
    const std::size_t line_end =
        found == nullptr ? text.size()
                         : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
    if (line_begin_ == 0 && line_end >= start_line_bytes_max)
      return refuse(414, "the start line is too long");
    scanned_ = static_cast<std::uint32_t>(found == nullptr ? line_end : line_end + 1);
    if (found == nullptr) return Step::More;
    const Step step = handle_line(text, line_end);
    if (step != Step::More) return step;
    line_begin_ = scanned_;
  }
  return Step::More;
}

HeadParser::Step HeadParser::handle_line(std::string_view text, std::size_t line_end) {
  // RFC 9112 2.2 allows a bare LF as a line end; two readers of which one does not would see different heads.
  if (line_end == line_begin_ || text[line_end - 1] != '\r') return refuse(400, "a line ends without CR");
  const std::string_view line = text.substr(line_begin_, line_end - 1 - line_begin_);
  if (line_begin_ == 0)
    return role_ == HeadRole::Request ? handle_request_line(line) : handle_status_line(line);
  if (line.empty()) return finish(text.substr(0, line_end + 1));
  return handle_field(line);
}

HeadParser::Step HeadParser::handle_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  if (first == std::string_view::npos) return refuse(400, "the request line has no target");
  const std::string_view method = line.substr(0, first);
  const std::size_t second = line.find(' ', first + 1);
  // HTTP/0.9 had no version. We never spoke it.
  if (second == std::string_view::npos) return refuse(400, "the request line has no version");
  const std::string_view target = line.substr(first + 1, second - first - 1);

  if (!is_token(method)) return refuse(400, "the method is not a token");
  if (target.size() > limits_.target_bytes_max) return refuse(414, "the target is too long");
  if (target.empty() || !is_all(TargetChar, target)) return refuse(400, "the target is malformed");
  const VersionResult version = parse_version(line.substr(second + 1));
  if (version.status == 505) return refuse(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
  if (version.status != 0) return refuse(400, "the version is malformed");
  if (method.size() > method_bytes_max) return refuse(501, "the method is unknown");

  request_.method_bytes_ = static_cast<std::uint16_t>(method.size());
  request_.target_bytes_ = static_cast<std::uint16_t>(target.size());
  request_.version_minor_ = version.minor;
  return handle_target(method, target);
}

HeadParser::Step HeadParser::handle_target(std::string_view method, std::string_view target) {
  if (method == "CONNECT") {
    // RFC 9112 3.2.3: host and port, the port always.
    if (!is_host(target) || target.find_last_of(':') == std::string_view::npos || target.back() == ']') {
      return refuse(400, "CONNECT wants host:port");
    }
    request_.form_ = TargetForm::Authority;
  } else if (target == "*") {
    if (method != "OPTIONS") return refuse(400, "only OPTIONS may ask for *");
    request_.form_ = TargetForm::Asterisk;
  } else if (target.front() == '/') {
    request_.form_ = TargetForm::Origin;
  } else {
    if (!is_host(authority_of(target))) return refuse(400, "the target is malformed");
    request_.form_ = TargetForm::Absolute;
  }
  return Step::More;
}

HeadParser::Step HeadParser::handle_status_line(std::string_view line) {
  const VersionResult version = parse_version(line.substr(0, version_bytes));
  if (version.status != 0) return refuse(502, "the status line has no version we speak");
  const std::string_view rest = line.substr(version_bytes);
  // RFC 9112 4: SP, three digits, SP, reason. Servers that send no reason drop the second SP with it.
  const bool sound = rest.size() >= 4 && rest[0] == ' ' && rest[1] >= '1' && rest[1] <= '9' &&
                     is_digit(rest[2]) && is_digit(rest[3]) && (rest.size() == 4 || rest[4] == ' ') &&
                     is_all(ValueChar, rest);
  if (!sound) return refuse(502, "the status line is malformed");
  response_.version_minor_ = version.minor;
  response_.status_ =
      static_cast<std::uint16_t>((rest[1] - '0') * 100 + (rest[2] - '0') * 10 + (rest[3] - '0'));
  const std::size_t reason_bytes = rest.size() > 5 ? rest.size() - 5 : 0;
  response_.reason_offset_ = static_cast<std::uint16_t>(line.size() - reason_bytes);
  response_.reason_bytes_ = static_cast<std::uint16_t>(reason_bytes);
  return Step::More;
}

HeadParser::Step HeadParser::handle_field(std::string_view line) {
  if (entries_.size() == limits_.fields_max) return refuse(431, "there are too many header fields");
  // RFC 9112 5.2: a server may refuse obs-fold; who unfolds it differently would see another field.
  if (is_blank(line.front())) return refuse(400, "a header field is folded");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return refuse(400, "a header field has no colon");
  // RFC 9112 5.1: whitespace before the colon must be refused; it is no tchar.
  if (!is_token(line.substr(0, colon))) return refuse(400, "a header field's name is not a token");
  const std::string_view value = trim_blanks(line.substr(colon + 1));
  if (!is_all(ValueChar, value)) return refuse(400, "a header field's value holds a control character");

  if (entries_.empty()) entries_.reserve(16);  // what a browser sends
  const std::size_t value_offset =
      line_begin_ + (value.empty() ? line.size() : static_cast<std::size_t>(value.data() - line.data()));
  entries_.push_back({.name_offset = static_cast<std::uint16_t>(line_begin_),
                      .name_bytes = static_cast<std::uint16_t>(colon),
                      .value_offset = static_cast<std::uint16_t>(value_offset),
                      .value_bytes = static_cast<std::uint16_t>(value.size())});
  return Step::More;
}

HeadParser::Step HeadParser::finish(std::string_view text) {
  Headers headers{text, entries_};
  if (role_ == HeadRole::Response) {
    response_.headers_ = std::move(headers);
    return Step::End;
  }
  request_.headers_ = std::move(headers);
  return check_host();
}

HeadParser::Step HeadParser::check_host() {
  const std::size_t hosts = request_.headers_.count("host");
  // RFC 9112 3.2: 400 for none in HTTP/1.1, for more than one, and for an invalid one.
  if (hosts == 0 && request_.version_minor_ == 0 && request_.form_ != TargetForm::Absolute) return Step::End;
  if (hosts != 1)
    return refuse(400, hosts == 0 ? "the Host field is missing" : "the Host field occurs twice");
  const std::string_view host = *request_.headers_.find("host");
  if (!is_host(host)) return refuse(400, "the Host field is malformed");
  // RFC 9112 3.2.2 would let the target win; whoever routes by the other would reach another host.
  if (request_.form_ == TargetForm::Absolute && !equals_case_blind(host, authority_of(request_.target()))) {
    return refuse(400, "target and Host field disagree");
  }
  return Step::End;
}

}  // namespace sinnet::http
