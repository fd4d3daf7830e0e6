/// The same bytes to two ws::Connections, whole to one and in pieces to the other: what they tell and what
/// they send must be the same. Windows are 15 bits, where how input was cut decides nothing.
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "sinnet/ws/connection.hpp"
#include "support/seeded_random.hpp"

namespace {

using namespace sinnet;
using namespace sinnet::ws;

/// What a user saw, where pieces of a message count as one growing text.
struct Outcome {
  std::string told;
  std::string sent;
  State state = State::Open;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

void tell(Outcome& outcome, const Event& event) {
  if (event.type != EventType::Message || event.first) {
    outcome.told += std::to_string(static_cast<int>(event.type)) + (event.was_compressed ? "c" : "p") +
                    std::to_string(static_cast<int>(event.kind)) +
                    std::to_string(static_cast<int>(event.code)) + (event.was_clean ? "clean" : "");
    // Which rule was broken first is the same; deflate may notice bad data before or after bad text in it.
    outcome.told += event.code == CloseCode::InvalidPayload ? std::string_view{} : event.reason;
  }
  outcome.told += as_text(event.payload);
  if (event.last) outcome.told += ';';
}

Outcome run(Bytes input, std::uint8_t choice, test::SeededRandom* cuts) {
  test::ConstantRandom random;
  Resources resources(random);
  const Options options{.message_bytes_max = 70000};
  std::optional<DeflateParameters> deflate;
  if ((choice & 2) != 0) {
    deflate = DeflateParameters{.server_no_context_takeover = (choice & 4) != 0,
                                .client_no_context_takeover = (choice & 8) != 0};
  }
  const Time now{std::chrono::seconds(1000)};
  Connection machine((choice & 1) != 0 ? Role::Server : Role::Client, options, resources, now, deflate);
  Outcome outcome;
  while (!input.empty() && machine.wants_input()) {
    std::vector<std::byte> scratch(cuts == nullptr ? input.size()
                                                   : 1 + cuts->below(cuts->chance(60) ? 3 : 300));
    const MutableBytes space = machine.input_space(scratch);
    const MutableBytes part = space.first(std::min(space.size(), input.size()));
    std::memcpy(part.data(), input.data(), part.size());
    input = input.subspan(part.size());
    machine.receive(part, now);
    while (!machine.has_ended() || machine.has_event()) {
      if (const std::optional<Event> event = machine.poll_event()) {
        tell(outcome, *event);
        if (cuts != nullptr && cuts->chance(20)) machine.keep_input();
      } else {
        break;
      }
    }
    machine.keep_output();
    machine.keep_input();
  }
  machine.prepare_output(SIZE_MAX, now);
  std::array<Slice, 16> slices;
  const std::size_t count = machine.output(slices);
  for (std::size_t i = 0; i < count; ++i) outcome.sent += as_text(slices[i].bytes());
  outcome.state = machine.state();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Bytes input{reinterpret_cast<const std::byte*>(data) + 2, size - 2};
  test::SeededRandom cuts(data[1]);
  Outcome whole = run(input, data[0], nullptr);
  Outcome cut = run(input, data[0], &cuts);
  // The reason stands in the Close frame too; its code was compared above.
  if (whole.told.find("1007") != std::string::npos) whole.sent = cut.sent = {};
  if (whole != cut) std::abort();
  return 0;
}
