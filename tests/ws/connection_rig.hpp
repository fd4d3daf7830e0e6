#pragma once
/// One ws::Connection on a bench: hex in, events as text and hex out, with a clock the test moves. It carries
/// bytes as io::Driver does and judges nothing.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sinnet/ws/connection.hpp"
#include "support/bytes.hpp"
#include "support/seeded_random.hpp"

namespace sinnet::ws {

using namespace std::chrono_literals;

/// "text Hello", "binary 0102", "ping 01", "closed 1000 clean bye", "failed 1002 <rule>". A piece of a
/// message says whether it is the first, the last, or neither.
inline std::string describe(const Event& event) {
  const auto code = std::to_string(static_cast<unsigned>(event.code));
  switch (event.type) {
    case EventType::Message: {
      std::string text = event.kind == MessageKind::Text ? "text" : "binary";
      if (event.was_compressed) text += " inflated";
      if (!event.first || !event.last) text += event.first ? " first" : event.last ? " last" : " more";
      if (event.payload.size() > 200) return text + " of " + std::to_string(event.payload.size());
      return text + " " +
             (event.kind == MessageKind::Text ? std::string{as_text(event.payload)}
                                              : test::hex(event.payload));
    }
    case EventType::Ping: return "ping " + test::hex(event.payload);
    case EventType::Pong: return "pong " + test::hex(event.payload);
    case EventType::Drained: return "drained";
    case EventType::Closed:
      return "closed " + code + (event.was_clean ? " clean " : " ") + std::string{event.reason};
    case EventType::Failed: return "failed " + code + " " + std::string{event.reason};
  }
  return {};
}

class Rig {
 public:
  explicit Rig(Role role, const Options& settings = {},
               std::optional<DeflateParameters> deflate = std::nullopt)
      : options(settings), machine(role, this->options, resources, now, deflate) {}

  /// One read of these bytes, all events, and everything written.
  Rig& give(Bytes input) {
    while (!input.empty() && machine.wants_input()) {
      receive(input);
      poll_all();
      flush();
      machine.keep_output();
      machine.keep_input();
    }
    return *this;
  }
  Rig& give(std::string_view hex) { return give(Bytes{test::bytes(hex)}); }

  /// Reads a part of `input` and takes it off; no event is polled.
  void receive(Bytes& input) {
    // A block of exactly that size, so that a sanitizer sees what reads beyond it.
    block = std::vector<std::byte>(std::min<std::size_t>(input.size(), 64 * 1024));
    const MutableBytes space = machine.input_space(block);
    const std::size_t size = std::min(space.size(), input.size());
    std::memcpy(space.data(), input.data(), size);
    input = input.subspan(size);
    machine.receive(space.first(size), now);
  }
  void receive(std::string_view hex) {
    const std::vector<std::byte> input = test::bytes(hex);
    Bytes view = input;
    receive(view);
  }
  void poll_all() {
    while (const std::optional<Event> event = machine.poll_event()) events.push_back(describe(*event));
  }
  [[nodiscard]] std::string poll_one() {
    const std::optional<Event> event = machine.poll_event();
    return event ? describe(*event) : "";
  }
  void keep() {
    machine.keep_output();
    machine.keep_input();
  }

  /// Writes at most `bytes_max`.
  std::size_t write(std::size_t bytes_max, std::size_t freeze_bytes = 256 * 1024) {
    machine.prepare_output(freeze_bytes, now);
    std::array<Slice, 8> slices;
    const std::size_t count = machine.output(slices);
    std::size_t taken = 0;
    for (std::size_t i = 0; i < count && taken < bytes_max; ++i) {
      const Bytes part = slices[i].bytes().first(std::min(slices[i].size, bytes_max - taken));
      written.insert(written.end(), part.begin(), part.end());
      taken += part.size();
    }
    machine.consume_output(taken, now);
    return taken;
  }
  void flush() {
    while (machine.has_output()) write(SIZE_MAX);
  }
  /// What was written since the last call, as hex.
  [[nodiscard]] std::string take() {
    flush();
    std::string text = test::hex(written);
    written.clear();
    return text;
  }
  /// The events since the last call.
  [[nodiscard]] std::vector<std::string> told() {
    poll_all();
    return std::exchange(events, {});
  }
  void wait(Duration time) { now += time; }
  /// Moves the clock to the deadline and tells the machine.
  void meet_deadline() {
    if (const auto due = machine.deadline()) {
      now = std::max(now, *due);
      machine.handle_deadline(now);
    }
  }

  Options options;
  test::ConstantRandom random;
  Resources resources{random};
  Time now{1000s};
  Connection machine;
  std::vector<std::byte> block;
  std::vector<std::byte> written;
  std::vector<std::string> events;
};

using Told = std::vector<std::string>;

/// A frame as its sender's role writes it, from its first byte and its plain payload (hex); written here
/// byte by byte, so that the code under test is not asked. A server's frame is not masked; a client's carries
/// the key of ConstantRandom.
inline std::string frame_hex(Role sender, unsigned first_byte, std::string_view payload_hex) {
  std::vector<std::byte> payload = test::bytes(payload_hex);
  const std::size_t size = payload.size();
  std::vector<std::byte> head{static_cast<std::byte>(first_byte)};
  const unsigned mask_bit = sender == Role::Client ? 0x80U : 0U;
  const std::size_t length_bytes = size < 126 ? 0 : size < 65536 ? 2 : 8;
  head.push_back(static_cast<std::byte>(mask_bit | (length_bytes == 0   ? static_cast<unsigned>(size)
                                                    : length_bytes == 2 ? 126U
                                                                        : 127U)));
  for (std::size_t i = length_bytes; i-- > 0;)
    head.push_back(static_cast<std::byte>(size >> (8 * i) & 0xFFU));
  if (sender == Role::Client) {
    constexpr auto key = test::ConstantRandom::key;
    head.insert(head.end(), key.begin(), key.end());
    for (std::size_t i = 0; i < size; ++i) payload[i] ^= key[i % 4];
  }
  return test::hex(head) + test::hex(payload);
}

inline Role other(Role role) { return role == Role::Server ? Role::Client : Role::Server; }

/// The Close frame that `role` sends for a broken rule.
inline std::string refusal(Role role, std::string_view code_hex, std::string_view reason) {
  return frame_hex(role, 0x88, std::string{code_hex} + test::hex(as_bytes(reason)));
}

}  // namespace sinnet::ws
