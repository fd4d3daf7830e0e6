/// Sessions carried by WebSockets: law 3, Pair, over both machines, and how the end of one is told by the
/// other.
#include "sinnet/stack/mux_over_ws.hpp"

#include <gtest/gtest.h>

#include "mux/rig.hpp"
#include "mux/simulation.hpp"
#include "sinnet/mux/dialects.hpp"
#include "sinnet/mux/sinnet_v1.hpp"
#include "sinnet/mux/yamux.hpp"
#include "sinnet/ws/connection.hpp"
#include "support/pipe.hpp"

namespace sinnet::stack {
namespace {

using namespace std::chrono_literals;
using test::SeededRandom;

/// A simulated user of a session, whose carrier is a WebSocket at one end of a pipe.
class Side {
 public:
  Side(mux::Role role, const mux::Dialect& dialect, mux::test::Draw& draw, mux::test::Model& model,
       ws::Resources& resources, test::Pipe& in, test::Pipe& out, Time now)
      : user_(role, dialect, draw.options(), draw.plan(dialect.rules), model, draw.chance, now),
        options_{.message_bytes_max = 16 * 1024 * 1024, .delivery = ws::Delivery::Pieces},
        websocket_(role == mux::Role::Client ? ws::Role::Client : ws::Role::Server, options_, resources, now),
        end_(websocket_, in, out, draw.chance),
        waiting_bytes_max_(1 + draw.chance.below(128 * 1024)) {
    user_.may_be_refused = draw.is_refusing;
  }

  bool run(Time now) {
    bool moved = end_.run(now, [&](const ws::Event& event) { return handle(event, now); });
    moved |= user_.poll(now);
    return flush(now) || moved;
  }
  void handle_deadline(Time now) {
    websocket_.handle_deadline(now);
    if (const auto due = session().deadline(); due && *due <= now) session().handle_deadline(now);
  }
  /// The pipe is lost.
  void cut(Time now) { websocket_.receive_eof(now); }

  [[nodiscard]] bool is_over() { return end_.is_over() && user_.is_final() && session().is_done(); }
  [[nodiscard]] mux::test::User& user() noexcept { return user_; }
  [[nodiscard]] mux::Session& session() noexcept { return user_.session(); }
  [[nodiscard]] std::optional<Time> deadline() {
    const auto a = session().deadline();
    const auto b = websocket_.deadline();
    return a && b ? std::min(*a, *b) : (a ? a : b);
  }

 private:
  bool handle(const ws::Event& event, Time now) {
    if (event.type == ws::EventType::Message && session().wants_input()) {
      receive_message(session(), event.kind, event.payload, event.first, event.last, now);
      (void)user_.poll(now);
      session().keep_output();
      session().keep_input();
    }
    if (event.type == ws::EventType::Failed) ADD_FAILURE() << event.reason;
    if (event.type == ws::EventType::Closed || event.type == ws::EventType::Failed) {
      session().receive_eof(now);
      (void)user_.poll(now);
    }
    return true;
  }
  bool flush(Time now) {
    bool moved = false;
    while (websocket_.state() == ws::State::Open && websocket_.waiting_bytes() < waiting_bytes_max_) {
      Buffer message = take_message(session(), now);
      if (message.empty()) break;
      moved = true;
      (void)websocket_.send(ws::MessageKind::Binary, std::move(message), now);
      (void)user_.poll(now);
    }
    if (websocket_.state() == ws::State::Open &&
        (session().wants_shutdown_write() || session().has_ended())) {
      websocket_.close(ws::CloseCode::Normal, {}, now);
      moved = true;
    }
    return moved;
  }

  mux::test::User user_;
  ws::Options options_;
  ws::Connection websocket_;
  test::PipeEnd<ws::Connection> end_;
  std::size_t waiting_bytes_max_;
};

class Pair {
 public:
  Pair(const mux::Dialect& dialect, std::uint64_t seed)
      : draw_(seed),
        dialect_(draw_.shrunk(dialect)),
        resources_(draw_.chance),
        up_(draw_.room, latency()),
        down_(draw_.room, latency()),
        client_(mux::Role::Client, dialect_, draw_, model_, resources_, down_, up_, now_),
        server_(mux::Role::Server, dialect_, draw_, model_, resources_, up_, down_, now_),
        acting_steps_(20 + draw_.chance.below(200)),
        cut_step_(draw_.chance.chance(15) ? draw_.chance.below(acting_steps_ * 2) : UINT64_MAX) {}

  /// Empty: all laws held.
  std::string run() {
    std::uint64_t idle = 0;
    for (; step_ < 200000 && model_.fault.empty() && !(client_.is_over() && server_.is_over()); ++step_) {
      if (step_ == cut_step_) cut();
      for (Side* side : {&client_, &server_}) {
        if (is_acting()) {
          side->user().act(now_);
        } else {
          side->user().wind_up(now_);
        }
      }
      bool moved = client_.run(now_);
      moved |= server_.run(now_);
      if (moved) {
        idle = 0;
      } else if (is_acting() || client_.user().has_streams() || server_.user().has_streams() || is_going_) {
        advance();
        if (++idle > 3000 && !is_acting()) break;
      } else {
        is_going_ = true;
        client_.session().go_away(0, "enough", now_);
        server_.session().go_away(0, "enough", now_);
      }
    }
    check();
    return model_.fault;
  }

 private:
  Duration latency() { return draw_.chance.below(40) * 1ms; }
  [[nodiscard]] bool is_acting() const noexcept { return step_ < acting_steps_; }
  void cut() {
    model_.may_lose = true;
    client_.cut(now_);
    server_.cut(now_);
  }
  void advance() {
    std::optional<Time> next;
    for (const auto& when : {up_.next(), down_.next(), is_acting() ? std::nullopt : client_.deadline(),
                             is_acting() ? std::nullopt : server_.deadline()}) {
      if (when && *when > now_ && (!next || *when < *next)) next = when;
    }
    now_ = next.value_or(now_ + 1ms);
    client_.handle_deadline(now_);
    server_.handle_deadline(now_);
  }
  void check() {
    model_.expect(client_.is_over() && server_.is_over(), "a side did not come to its end");
    model_.expect(!client_.user().has_streams() && !server_.user().has_streams(),
                  "a stream did not come to its end");
    if (model_.may_lose || draw_.is_disturbing || draw_.is_refusing) return;
    for (const auto& [serial, stream] : model_.streams) {
      for (const auto& direction : stream.directions)
        model_.expect(direction.read == direction.written, "bytes are missing");
    }
  }

  mux::test::Draw draw_;
  mux::test::Model model_;
  mux::Dialect dialect_;
  ws::Resources resources_;
  Time now_{1000s};
  test::Pipe up_;
  test::Pipe down_;
  Side client_;
  Side server_;
  std::uint64_t acting_steps_;
  std::uint64_t cut_step_;
  std::uint64_t step_ = 0;
  bool is_going_ = false;
};

class MuxOverWs : public ::testing::TestWithParam<std::string_view> {};

TEST_P(MuxOverWs, CarriesEveryStreamWholeSeeds1To200) {
  const mux::Dialect dialect = mux::find_dialect(GetParam())->make({});
  for (std::uint64_t seed = 1; seed <= 200; ++seed)
    ASSERT_EQ(Pair(dialect, seed).run(), "") << "seed " << seed;
}

/// No dialect here that has bytes for frames is spoken one frame to a message, but the carrier must do it.
TEST(MuxOverWsByMessages, CarriesEveryStreamWholeSeeds1To100) {
  mux::Dialect dialect = mux::yamux();
  dialect.rules.framing = mux::Framing::Messages;
  for (std::uint64_t seed = 1; seed <= 100; ++seed)
    ASSERT_EQ(Pair(dialect, seed).run(), "") << "seed " << seed;
}

std::vector<std::string_view> names_of_dialects() {
  std::vector<std::string_view> names;
  for (const mux::NamedDialect& dialect : mux::dialects()) names.push_back(dialect.name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(Dialects, MuxOverWs, ::testing::ValuesIn(names_of_dialects()),
                         [](const auto& which) { return mux::test::test_name(which.param, which.index); });

// ---- messages

TEST(MuxMessages, OneMessageHoldsAllThatWasReady) {
  mux::test::Rig rig(mux::Role::Client, mux::sinnet_v1());
  (void)rig.take();
  for (int i = 0; i < 20; ++i) (void)rig.write(rig.open(), 10);
  EXPECT_GT(take_message(rig.session, rig.now).size(), 20 * 10U);
  EXPECT_TRUE(take_message(rig.session, rig.now).empty());
}

TEST(MuxMessages, TextFailsTheSessionWithTheDialectsCode) {
  mux::test::Rig rig(mux::Role::Server, mux::sinnet_v1());
  std::array<std::byte, 1> text{std::byte{'x'}};
  receive_message(rig.session, ws::MessageKind::Text, text, true, true, rig.now);
  const std::optional<mux::Event> event = rig.session.poll_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->type, mux::EventType::Failed);
  // docs/protocol/sinnet.mux.v1.md, 1: close code 1003.
  EXPECT_EQ(close_code_of(*event), ws::CloseCode::UnsupportedData);
}

TEST(MuxMessages, CodesThatMayNotBeSentBecomeInternalError) {
  EXPECT_EQ(close_code_of({.close_code = 1006}), ws::CloseCode::InternalError);
  EXPECT_EQ(close_code_of({.close_code = 1000}), ws::CloseCode::Normal);
  EXPECT_EQ(close_code_of({.close_code = 4001}), ws::CloseCode{4001});
}

}  // namespace
}  // namespace sinnet::stack
