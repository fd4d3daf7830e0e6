/// Law 3, Pair: two ws::Connections on a bounded pipe with latency, doing what a seed says. Every message
/// arrives once, whole and in order; each side is told its end once; nothing is left behind.
#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "sinnet/ws/connection.hpp"
#include "support/pipe.hpp"
#include "ws/compressor.hpp"

namespace sinnet::ws {
namespace {

using namespace std::chrono_literals;
using test::SeededRandom;

struct Sent {
  MessageKind kind;
  std::string payload;
  bool is_complete = true;
};

std::string make_payload(SeededRandom& chance, MessageKind kind) {
  static constexpr std::array<std::size_t, 8> sizes{1, 130, 126, 2100, 5000, 66000, 150000, 300000};
  const std::size_t pick = chance.below(40);
  const std::size_t size = chance.below(pick < 32 ? 200 : sizes[pick - 32] + 1);
  std::string payload(size, 'a');
  const bool is_random = chance.chance(40);
  for (char& c : payload) {
    const std::uint64_t draw = chance.next();
    c = kind == MessageKind::Binary && is_random
            ? static_cast<char>(draw)
            : static_cast<char>('a' + (is_random ? draw % 26 : draw % 2));
  }
  for (std::size_t i = 0; kind == MessageKind::Text && i + 3 < size; i += 1 + chance.below(40)) {
    payload.replace(i, 3, "\u20ac");
    i += 2;
  }
  return payload;
}

/// A user of one connection, with what it sent and what it got.
class User {
 public:
  User(Role role, SeededRandom& chance, Resources& resources, Time now,
       const std::optional<DeflateParameters>& deflate)
      : chance_(&chance),
        options_{.message_bytes_max = 300000,
                 .delivery = chance.chance(30) ? Delivery::Pieces : Delivery::Whole,
                 .drained_below_bytes = chance.below(50000),
                 .deflate = {.window_bits = static_cast<std::uint8_t>(9 + chance.below(7)),
                             .level = static_cast<std::uint8_t>(1 + chance.below(9)),
                             .memory_level = static_cast<std::uint8_t>(1 + chance.below(9)),
                             .threshold_bytes = chance.chance(50) ? 0U : 128U}},
        machine_(role, options_, resources, now, deflate) {}

  void act(Time now) {
    const auto kind = chance_->chance(50) ? MessageKind::Text : MessageKind::Binary;
    const std::size_t draw = chance_->below(100);
    if (draw < 15) {
      const auto payload = std::to_string(pings_.size());
      if (machine_.ping(as_bytes(payload), now)) pings_.push_back(payload);
    } else if (draw < 35) {
      send_piece(kind, now);
    } else if (draw < 36) {
      has_closed_ = true;
      machine_.close(CloseCode::Normal, "enough", now);
    } else {
      send_whole(draw, kind, make_payload(*chance_, kind), now);
    }
  }

  /// False: the user wants a pause.
  bool handle(const Event& event, Time now) {
    EXPECT_EQ(finals_, 0) << "an event after the last one";
    switch (event.type) {
      case EventType::Message: take(event, now); break;
      case EventType::Ping: break;
      case EventType::Pong: {
        const auto found = std::find(pings_.begin(), pings_.end(), as_text(event.payload));
        EXPECT_NE(found, pings_.end()) << "a pong to nothing, or out of order";
        if (found != pings_.end()) pings_.erase(pings_.begin(), found + 1);
        break;
      }
      case EventType::Drained: break;
      case EventType::Failed: ADD_FAILURE() << event.reason; [[fallthrough]];
      case EventType::Closed:
        ++finals_;
        is_clean_ = event.was_clean;
        EXPECT_EQ(event.code, event.was_clean ? CloseCode::Normal : CloseCode::Abnormal);
        break;
    }
    return !chance_->chance(5);
  }

  /// What arrived is the beginning of what `peer` sent; all of it, if this side only listened to the end.
  void check_received_from(const User& peer) const {
    EXPECT_EQ(finals_, 1);
    EXPECT_FALSE(machine_.has_output());
    EXPECT_FALSE(machine_.has_event());
    const std::size_t whole = static_cast<std::size_t>(
        std::find_if(peer.sent_.begin(), peer.sent_.end(), [](const Sent& s) { return !s.is_complete; }) -
        peer.sent_.begin());
    EXPECT_LE(received_, whole);
    if (is_clean_ && !has_closed_) {
      EXPECT_EQ(received_, whole);
    }
  }

  void set_peer(User& peer) { peer_ = &peer; }
  void close(Time now) {
    if (machine_.state() == State::Open) has_closed_ = true;
    machine_.close(CloseCode::Normal, {}, now);
  }
  [[nodiscard]] Connection& machine() { return machine_; }

 private:
  void send_whole(std::size_t draw, MessageKind kind, const std::string& payload, Time now) {
    SendResult result;
    const Bytes view = as_bytes(payload);
    if (draw < 55) {
      result = machine_.send(kind, Buffer::copy_of(view), now, chance_->chance(80));
    } else if (draw < 70) {
      result = machine_.send(SharedFrame{kind, view}, now);
    } else {
      result = machine_.send(kind, view, now, chance_->chance(80));
    }
    if (result) sent_.push_back({kind, payload});
  }

  void send_piece(MessageKind kind, Time now) {
    const bool first = !unfinished_;
    std::string piece = make_payload(*chance_, MessageKind::Text);
    if (piece.size() > 20000) piece.assign(20000, 'x');
    const bool is_too_long = !first && sent_[*unfinished_].payload.size() + piece.size() > 300000;
    const bool last = is_too_long || chance_->chance(40);
    const Bytes view = is_too_long ? Bytes{} : as_bytes(piece);
    if (!machine_.send_piece(kind, view, first, last, now)) return;
    if (first) {
      unfinished_ = sent_.size();
      sent_.push_back({kind, {}, false});
    }
    sent_[*unfinished_].payload += as_text(view);
    sent_[*unfinished_].is_complete = last;
    if (last) unfinished_.reset();
  }

  void take(const Event& event, Time now) {
    if (event.first) assembled_.clear();
    assembled_ += as_text(event.payload);
    if (!event.last) return;
    ASSERT_LT(received_, peer_->sent_.size()) << "a message nobody sent";
    const Sent& expected = peer_->sent_[received_++];
    EXPECT_EQ(event.kind, expected.kind);
    EXPECT_TRUE(assembled_ == expected.payload) << "message " << received_ - 1 << " arrived changed";
    if (echoes_ == 0 || !event.first || !chance_->chance(30)) return;
    --echoes_;
    // Lent bytes, or a part of them.
    const Bytes part = event.kind == MessageKind::Text
                           ? Bytes{event.payload}
                           : Bytes{event.payload}.subspan(chance_->below(event.payload.size() + 1));
    if (machine_.send(event.kind, part, now)) sent_.push_back({event.kind, std::string{as_text(part)}});
  }

  SeededRandom* chance_;
  Options options_;
  Connection machine_;
  User* peer_ = nullptr;
  std::vector<Sent> sent_;
  std::deque<std::string> pings_;
  std::optional<std::size_t> unfinished_;
  std::string assembled_;
  std::size_t received_ = 0;
  int echoes_ = 20;
  int finals_ = 0;
  bool is_clean_ = false;
  bool has_closed_ = false;
};

std::optional<DeflateParameters> draw_parameters(SeededRandom& chance) {
  if (chance.chance(30)) return std::nullopt;
  return DeflateParameters{.server_no_context_takeover = chance.chance(50),
                           .client_no_context_takeover = chance.chance(50),
                           .server_max_window_bits = static_cast<std::uint8_t>(9 + chance.below(7)),
                           .client_max_window_bits = static_cast<std::uint8_t>(9 + chance.below(7))};
}

void run_pair(std::uint64_t seed) {
  SeededRandom chance(seed);
  Resources resources(chance);
  Time now{1000s};
  {
    const auto deflate = draw_parameters(chance);
    User client(Role::Client, chance, resources, now, deflate);
    User server(Role::Server, chance, resources, now, deflate);
    client.set_peer(server);
    server.set_peer(client);
    const Duration latency{chance.below(50'000'000)};
    const std::size_t room = chance.chance(30) ? 1 + chance.below(2000) : 1 + chance.below(500'000);
    test::Pipe up(room, latency);
    test::Pipe down(room, latency);
    test::PipeEnd client_end(client.machine(), down, up, chance);
    test::PipeEnd server_end(server.machine(), up, down, chance);
    int steps = 50;
    while (!client_end.is_over() || !server_end.is_over()) {
      bool moved = client_end.run(now, [&](const Event& event) { return client.handle(event, now); });
      moved |= server_end.run(now, [&](const Event& event) { return server.handle(event, now); });
      if (steps > 0 && chance.chance(30)) {
        (chance.chance(50) ? client : server).act(now);
        auto& end = chance.chance(50) ? client_end : server_end;
        if (chance.chance(20)) end.set_paused(!end.is_paused(), now);
        if (--steps == 0) {
          client_end.set_paused(false, now);
          server_end.set_paused(false, now);
          (chance.chance(50) ? client : server).close(now);
        }
        moved = true;
      }
      if (moved) continue;
      if (steps > 0) {
        now += Duration{chance.below(100'000'000)};
        continue;
      }
      // Idle: time passes until something arrives or is due.
      Time next = time_never;
      for (const auto& when :
           {up.next(), down.next(), client.machine().deadline(), server.machine().deadline()}) {
        if (when && *when > now) next = std::min(next, *when);
      }
      ASSERT_NE(next, time_never) << "both wait for ever";
      now = next;
      client.machine().handle_deadline(now);
      server.machine().handle_deadline(now);
      ASSERT_LT(now, Time{100'000s}) << "no end";
    }
    client.check_received_from(server);
    server.check_received_from(client);
  }
  EXPECT_LE(resources.compression().states_alive(), 8U) << "only the pool's spares";
}

void run_seeds(std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    run_pair(seed);
    if (::testing::Test::HasFailure()) return;
  }
}

// Three tests, so that they may run beside each other.
TEST(ConnectionPair, EveryMessageArrivesWholeAndInOrderSeeds1To100) { run_seeds(1, 100); }
TEST(ConnectionPair, EveryMessageArrivesWholeAndInOrderSeeds101To200) { run_seeds(101, 200); }
TEST(ConnectionPair, EveryMessageArrivesWholeAndInOrderSeeds201To300) { run_seeds(201, 300); }

}  // namespace
}  // namespace sinnet::ws
