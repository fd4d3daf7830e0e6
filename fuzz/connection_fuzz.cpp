/// A whole ws::Connection on hostile bytes, in either role, with and without deflate, while its user sends,
/// stalls, closes and lets time pass. The first byte of the input chooses; what follows is read in pieces.
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

#include "sinnet/ws/connection.hpp"
#include "support/seeded_random.hpp"

namespace {

using namespace sinnet;
using namespace sinnet::ws;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Session {
  Session(std::uint8_t choice, Resources& resources)
      : options{.message_bytes_max = 70000,
                .delivery = (choice & 2) != 0 ? Delivery::Pieces : Delivery::Whole,
                .drained_below_bytes = 1000,
                .deflate = {.threshold_bytes = 0}},
        machine((choice & 1) != 0 ? Role::Server : Role::Client, options, resources, now,
                (choice & 4) == 0
                    ? std::nullopt
                    : std::optional{DeflateParameters{.server_no_context_takeover = (choice & 8) != 0,
                                                      .client_no_context_takeover = (choice & 16) != 0}}) {}

  void poll(std::size_t events_max) {
    for (std::size_t i = 0; i < events_max; ++i) {
      const std::optional<Event> event = machine.poll_event();
      if (!event) {
        require(!machine.has_event());
        return;
      }
      require(finals == 0);
      if (event->type == EventType::Closed || event->type == EventType::Failed) ++finals;
      if (event->type != EventType::Message) continue;
      assembled = event->first ? event->payload.size() : assembled + event->payload.size();
      require(assembled <= options.message_bytes_max);
      (void)machine.send(event->kind, event->payload, now);
    }
  }

  void write(std::size_t bytes_max) {
    machine.prepare_output(bytes_max, now);
    std::array<Slice, 4> slices;
    const std::size_t count = machine.output(slices);
    std::size_t taken = 0;
    for (std::size_t i = 0; i < count && taken < bytes_max; ++i) {
      const Bytes part = slices[i].bytes().first(std::min(slices[i].size, bytes_max - taken));
      const std::vector<std::byte> copy(part.begin(), part.end());  // reads every byte
      taken += copy.size();
    }
    machine.consume_output(taken, now);
  }

  /// What a user or the world does between two reads.
  void act(std::uint8_t what) {
    now += std::chrono::milliseconds(what) * 40;
    switch (what % 10) {
      case 0: (void)machine.ping({}, now); break;
      case 1: (void)machine.send_piece(MessageKind::Binary, as_bytes("p"), !in_message, false, now); break;
      case 2: (void)machine.send_piece(MessageKind::Binary, {}, false, true, now); break;
      case 3: machine.set_reading((what & 32) != 0, now); break;
      case 4: machine.handle_deadline(now); break;
      case 5: write(1); break;
      case 6: (void)machine.send(SharedFrame{MessageKind::Text, as_bytes("shared shared")}, now); break;
      case 7: write(100000); break;
      case 8:
        if (what > 250) machine.close(CloseCode::Normal, "x", now);
        break;
      default:
        if (what > 250) machine.receive_eof(now);
        break;
    }
    in_message = what % 10 == 1 || (in_message && what % 10 != 2);
  }

  Options options;
  Time now{std::chrono::seconds(1000)};
  Connection machine;
  std::size_t assembled = 0;
  int finals = 0;
  bool in_message = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  test::SeededRandom random(data[1]);
  Resources resources(random);
  {
    Session session(data[0], resources);
    Bytes input{reinterpret_cast<const std::byte*>(data) + 2, size - 2};
    while (!session.machine.is_done()) {
      if (session.machine.wants_input()) {
        if (input.empty()) break;
        // Reads of any size, each into a block that dies after the slot.
        std::vector<std::byte> scratch(1 + random.below(random.chance(50) ? 8 : 5000));
        const MutableBytes space = session.machine.input_space(scratch);
        const MutableBytes part = space.first(std::min(space.size(), input.size()));
        std::memcpy(part.data(), input.data(), part.size());
        input = input.subspan(part.size());
        session.machine.receive(part, session.now);
        session.poll(random.chance(70) ? SIZE_MAX : random.below(3));
        session.machine.keep_output();
        session.machine.keep_input();
      } else {
        session.poll(1 + random.below(3));
        session.machine.keep_output();
        session.machine.keep_input();
      }
      if (random.chance(60)) session.write(SIZE_MAX);
      if ((data[0] & 128) != 0) session.act(static_cast<std::uint8_t>(random.next()));
    }
    session.machine.receive_eof(session.now);
    session.poll(SIZE_MAX);
    require(session.finals == 1 && session.machine.is_done());
    require(!session.machine.has_output() && !session.machine.deadline());
  }
  return 0;
}
