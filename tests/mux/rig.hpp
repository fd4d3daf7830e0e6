#pragma once
/// One session whose peer is the test: bytes in by hex, events and output out. It judges nothing.

#include <string>
#include <vector>

#include "sinnet/mux/session.hpp"
#include "support/bytes.hpp"
#include "support/seeded_random.hpp"

namespace sinnet::mux::test {

/// A dialect's name as a test's name can hold it, made unique: some are tested with several options.
[[nodiscard]] inline std::string test_name(std::string_view name, std::size_t index) {
  std::string out(name);
  for (char& c : out) {
    const bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_plain) c = '_';
  }
  return out + "_" + std::to_string(index);
}

/// An event without views, for comparing after the session went on.
struct Seen {
  EventType type;
  Stream stream;
  EndReason end;
  Fault fault;
  std::uint64_t code;
  std::string payload;
  std::string reason;
  std::uint16_t close_code = 1000;
  std::uint64_t stream_type = 0;
  std::uint8_t urgency = 3;
};

class Rig {
 public:
  Rig(Role role, const Dialect& dialect, SessionOptions options = {})
      : options_(options), random_(7), session(role, dialect, options_, random_, now) {}

  /// Gives bytes (one message, where the dialect has messages) and polls what they say. With `consumes`, all
  /// payload is used at once.
  void give(Bytes bytes) {
    std::vector<std::byte> block(bytes.begin(), bytes.end());
    session.receive(block, now);
    poll();
    session.keep_output();
    session.keep_input();
  }
  void give(std::string_view hex) { give(sinnet::test::bytes(hex)); }
  void poll() {
    while (const std::optional<Event> event = session.poll_event()) {
      seen.push_back({event->type, event->stream, event->end, event->fault, event->code,
                      std::string(as_text(event->payload)), std::string(event->reason), event->close_code,
                      event->stream_type, event->urgency});
      if (event->type == EventType::Opened) {
        last_opened = event->stream;
        if (accepts) (void)session.accept(event->stream, now);
      }
      if (event->type == EventType::Data && consumes)
        session.consume(event->stream, event->payload.size(), now);
    }
  }
  /// All that waits, as hex.
  std::string take() { return sinnet::test::hex(take_bytes()); }
  std::vector<std::byte> take_bytes() {
    std::vector<std::byte> bytes;
    while (session.has_output()) {
      session.prepare_output(SIZE_MAX, now);
      std::array<Slice, 64> slices;
      std::size_t size = 0;
      for (const Slice& slice : std::span{slices}.first(session.output(slices))) {
        bytes.insert(bytes.end(), slice.bytes().begin(), slice.bytes().end());
        size += slice.size;
      }
      session.consume_output(size, now);
      if (size == 0) break;
    }
    poll();
    return bytes;
  }
  Stream open(const OpenOptions& options = {}) { return session.open(options, now).value_or(Stream{}); }
  std::size_t write(Stream stream, std::size_t size) {
    const std::vector<std::byte> bytes(size, std::byte{'x'});
    return session.write(stream, bytes, now).value_or(0);
  }
  [[nodiscard]] std::size_t count(EventType type) const {
    std::size_t found = 0;
    for (const Seen& event : seen) found += event.type == type ? 1U : 0U;
    return found;
  }
  /// The last event of that kind; there must be one.
  [[nodiscard]] const Seen& last(EventType type) const {
    for (auto it = seen.rbegin(); it != seen.rend(); ++it) {
      if (it->type == type) return *it;
    }
    std::abort();
  }

 private:
  SessionOptions options_;
  sinnet::test::SeededRandom random_;

 public:
  Time now{std::chrono::seconds(1000)};
  bool accepts = true;
  bool consumes = true;
  Stream last_opened;
  std::vector<Seen> seen;
  Session session;
};

}  // namespace sinnet::mux::test
