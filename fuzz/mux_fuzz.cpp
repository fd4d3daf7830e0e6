/// The same bytes to two mux::Sessions, whole to one and in pieces to the other: what they tell and what they
/// send must be the same, and what they keep stays bounded. The first byte chooses dialect and role.
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "sinnet/mux/js_ws.hpp"
#include "sinnet/mux/muxado.hpp"
#include "sinnet/mux/session.hpp"
#include "sinnet/mux/sinnet_v1.hpp"
#include "sinnet/mux/wsmux.hpp"
#include "sinnet/mux/yamux.hpp"
#include "support/seeded_random.hpp"

namespace {

using namespace sinnet;
using namespace sinnet::mux;

Dialect wsmux_unknown() { return wsmux(); }
Dialect wsmux_lenient() { return wsmux({.peer_window = wsmux_window_library, .is_strict = false}); }

constexpr std::array<Dialect (*)(), 8> dialects{yamux,     sinnet_v1,     muxado_v2,     muxado_v2_typed,
                                                muxado_v1, wsmux_unknown, wsmux_lenient, js_ws};

/// What a user saw. Payload is told for each stream as one text: how it was cut decides nothing.
struct Outcome {
  std::string told;
  std::map<Stream, std::string> payload;
  std::string sent;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

class Play {
 public:
  Play(std::uint8_t choice, std::uint64_t seed)
      : random_(seed),
        options_{.budget_bytes = 64 * 1024,
                 .streams_max = 50,
                 .unaccepted_max = 20,
                 .probe_interval = Duration{},
                 .measures_path = false},
        session_((choice & 1) != 0 ? Role::Server : Role::Client, dialects[choice / 2 % dialects.size()](),
                 options_, random_, now_) {
    for (int i = 0; i < 3; ++i) {
      if (const VerbResult<Stream> stream = session_.open({}, now_)) {
        (void)session_.write(*stream, as_bytes("some bytes"), now_);
        if (i == 1) (void)session_.close_write(*stream, now_);
      }
    }
    send();
  }

  /// Messages and all: each call is one piece of an endless message, or a whole one.
  void give(MutableBytes piece, bool first, bool last) {
    if (!session_.wants_input()) return;
    session_.receive_piece(piece, first, last, now_);
    poll();
    session_.keep_output();
    session_.keep_input();
    if (session_.statistics().unread_bytes > options_.budget_bytes + piece.size()) std::abort();
    if (session_.waiting_bytes() > 1024 * 1024) std::abort();
  }
  void finish() {
    send();
    session_.receive_eof(now_);
    poll();
    if (!session_.is_done()) std::abort();
    if (!live_.empty()) std::abort();  // somebody was not told its end
  }
  Outcome outcome;

 private:
  void poll() {
    while (const std::optional<Event> event = session_.poll_event()) handle(*event);
  }
  void handle(const Event& event) {
    if (event.type == EventType::Opened) {
      live_[event.stream] = true;
      if (event.stream.slot % 5 == 4) {
        (void)session_.refuse(event.stream, 7, now_);
      } else if (event.stream.slot % 5 != 3) {
        (void)session_.accept(event.stream, now_);
      }
    }
    if (event.type == EventType::Data) {
      outcome.payload[event.stream] += as_text(event.payload);
      session_.consume(event.stream, event.payload.size(), now_);
      return;
    }
    if (event.type == EventType::Ended) live_.erase(event.stream);
    outcome.told += '<' + std::to_string(static_cast<int>(event.type)) + ',' +
                    std::to_string(event.stream.slot) + ',' + std::to_string(static_cast<int>(event.end)) +
                    ',' + std::to_string(event.code) + '>';
    outcome.told += event.metadata.empty() ? std::string_view{} : as_text(event.metadata);
    outcome.told += event.reason;
  }
  void send() {
    for (int i = 0; i < 100 && session_.has_output(); ++i) {
      session_.prepare_output(SIZE_MAX, now_);
      std::array<Slice, 64> slices;
      std::size_t size = 0;
      for (const Slice& slice : std::span{slices}.first(session_.output(slices))) {
        outcome.sent += as_text(slice.bytes());
        size += slice.size;
      }
      session_.consume_output(size, now_);
      poll();
    }
  }

  test::SeededRandom random_;
  SessionOptions options_;
  Time now_{std::chrono::seconds(1000)};
  Session session_;
  std::map<Stream, bool> live_;
};

Outcome run(Bytes input, std::uint8_t choice, test::SeededRandom* cuts) {
  Play play(choice, 1);
  while (true) {
    // A message of the carrier, where the dialect has messages: up to 255 bytes behind their count.
    std::size_t message = input.size();
    const bool has_messages = dialects[choice / 2 % dialects.size()]().rules.framing == Framing::Messages;
    if (has_messages && !input.empty()) {
      message = std::min<std::size_t>(std::to_integer<std::size_t>(input[0]), input.size() - 1);
      input = input.subspan(1);
    }
    bool first = true;
    do {
      const std::size_t size =
          cuts == nullptr ? message : std::min(message, 1 + cuts->below(cuts->chance(60) ? 3 : 300));
      std::vector<std::byte> block(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(size));
      input = input.subspan(size);
      message -= size;
      play.give(block, first, message == 0);
      first = false;
    } while (message > 0);
    if (input.empty()) break;
  }
  play.finish();
  return play.outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Bytes input{reinterpret_cast<const std::byte*>(data) + 2, size - 2};
  test::SeededRandom cuts(data[1]);
  if (run(input, data[0], nullptr) != run(input, data[0], &cuts)) std::abort();
  return 0;
}
