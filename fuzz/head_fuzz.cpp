/// Fuzzes the HTTP/1.1 head parser, whole against cut: the first byte chooses role, limits and how to cut.
/// Every accepted head is asked everything it answers.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "sinnet/http/head.hpp"

namespace {

using namespace sinnet;
using http::HeadParser;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Outcome {
  HeadParser::Status status = HeadParser::Status::NeedMore;
  std::size_t consumed_bytes = 0;  // only when Done: after a failure nothing is left to take over
  std::string text = {};
  http::HeadError error = {};

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

void touch(const http::Headers& headers) {
  std::size_t seen = 0;
  for (const http::Field field : headers) {
    require(http::is_token(field.name) && http::is_field_value(field.value));
    require(headers.find(field.name).has_value() && headers.count(field.name) > 0);
    ++seen;
  }
  require(seen == headers.size());
  static_cast<void>(headers.has_token("connection", "close"));
}

/// What was accepted is accepted again, written anew by our own writer.
void check_round_trip(const http::RequestHead& head, const http::HeadLimits& limits) {
  std::vector<http::Field> fields;
  for (const http::Field field : head.headers()) fields.push_back(field);
  std::string written;
  require(
      http::write_head(written, http::RequestLine{.method = head.method(), .target = head.target()}, fields)
          .has_value());
  HeadParser parser{http::HeadRole::Request, limits};
  const auto progress = parser.receive(as_bytes(written));
  // Writing adds a blank behind each colon, and Host is optional in HTTP/1.0 only.
  if (progress.status != HeadParser::Status::Done) {
    require(written.size() > limits.head_bytes_max || head.version_minor() == 0);
    return;
  }
  require(progress.consumed_bytes == written.size());
  const http::RequestHead again = parser.take_request();
  require(again.target_form() == head.target_form() && again.path_and_query() == head.path_and_query());
  require(again.headers().size() == fields.size());
  for (std::size_t i = 0; i < fields.size(); ++i) require(again.headers()[i] == fields[i]);
}

Outcome run(http::HeadRole role, const http::HeadLimits& limits, Bytes input, std::size_t piece_bytes) {
  HeadParser parser{role, limits};
  Outcome outcome;
  std::size_t consumed = 0;
  while (consumed < input.size()) {
    const Bytes rest = input.subspan(consumed);
    const Bytes piece = rest.first(std::min(piece_bytes, rest.size()));
    const std::vector<std::byte> exact(piece.begin(),
                                       piece.end());  // the sanitizer then sees a read beyond it
    const auto progress = parser.receive(exact);
    require(parser.held_bytes() <= limits.head_bytes_max);
    consumed += progress.consumed_bytes;
    outcome.status = progress.status;
    if (progress.status == HeadParser::Status::NeedMore) {
      require(progress.consumed_bytes == piece.size());
      continue;
    }
    if (progress.status == HeadParser::Status::Failed) {
      outcome.error = parser.error();
      return outcome;
    }
    outcome.consumed_bytes = consumed;
    if (role == http::HeadRole::Request) {
      const http::RequestHead head = parser.take_request();
      touch(head.headers());
      check_round_trip(head, limits);
      static_cast<void>(http::body_framing(head));
      outcome.text.append(head.method()).append(" ").append(head.target()).append(" ").append(head.host());
      outcome.text.append(head.path_and_query()).append(head.text());
    } else {
      const http::ResponseHead head = parser.take_response();
      touch(head.headers());
      static_cast<void>(http::body_framing(head, "GET"));
      outcome.text.append(std::to_string(head.status()))
          .append(" ")
          .append(head.reason())
          .append(head.text());
    }
    require(parser.is_idle());
    return outcome;
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const unsigned choice = data[0];
  const Bytes input = std::as_bytes(std::span{data + 1, size - 1});
  const auto role = (choice & 1U) != 0 ? http::HeadRole::Response : http::HeadRole::Request;
  const http::HeadLimits limits =
      (choice & 2U) != 0 ? http::HeadLimits{.head_bytes_max = 120, .target_bytes_max = 16, .fields_max = 4}
                         : http::HeadLimits{};
  const std::size_t piece_bytes = 1 + (choice >> 2U) % 16;
  require(run(role, limits, input, input.size()) == run(role, limits, input, piece_bytes));
  return 0;
}
