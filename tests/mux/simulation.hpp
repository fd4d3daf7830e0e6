#pragma once
/// Law 3, Pair, for multiplexers: two sessions of one dialect on a carrier with latency, bounds and a cut,
/// doing what a seed says under a virtual clock. Used by the tests and by `make sim`.

#include <memory>
#include <string>

#include "mux/simulated_user.hpp"

namespace sinnet::mux::test {

/// Fixed windows as small as transfers are, so that credit runs out; both sides agree on them.
inline void shrink(Rules& rules, std::uint64_t bytes) {
  if (rules.has_settings) return;
  for (InitialCredit* credit : {&rules.opener_sends, &rules.acceptor_sends}) {
    if (credit->source == CreditSource::Fixed) credit->bytes = std::min(credit->bytes, bytes);
  }
}

/// What a seed decides before anything runs.
class Draw {
 public:
  explicit Draw(std::uint64_t seed)
      : chance(seed),
        is_disturbing(chance.chance(40)),
        is_refusing(chance.chance(15)),
        room(std::size_t{100} << chance.below(12)) {}

  UserPlan plan(const Rules& rules) {
    const std::size_t most = std::min<std::size_t>(room * 100, chance.chance(10) ? 700000U : 20000U);
    // A window that never grows, of some bytes: much payload would only take long.
    const bool is_narrow = rules.acceptor_sends.source == CreditSource::Assumed;
    return {
        .opens = static_cast<std::uint32_t>(chance.below(chance.chance(20) ? 40 : 8)),
        .write_bytes_max = static_cast<std::uint32_t>(is_narrow ? std::min<std::size_t>(most, 20000) : most),
        .reset_percent = is_disturbing ? 8U : 0U,
        .stop_percent = is_disturbing ? 8U : 0U,
        .refuse_percent = is_refusing ? 30U : 0U,
        .stall_percent = chance.chance(30) ? 40U : 0U};
  }
  SessionOptions options() {
    using namespace std::chrono_literals;
    return {.stream_window = 1024U << chance.below(10),
            .connection_window = 256U * 1024 << chance.below(3),
            .unsent_bytes_max = 1024U << chance.below(8),
            .probe_interval = chance.chance(50) ? Duration{10s} : Duration{}};
  }
  Link link(std::uint64_t cut_at) {
    return {room, chance.below(40) * std::chrono::milliseconds(1), cut_at, chance};
  }
  std::uint64_t cut_at() {
    return chance.chance(20) ? chance.below(chance.chance(50) ? 300 : 60000) : UINT64_MAX;
  }
  Dialect shrunk(Dialect dialect) {
    if (chance.chance(70)) shrink(dialect.rules, 256U << chance.below(10));
    return dialect;
  }

  SeededRandom chance;
  bool is_disturbing;
  bool is_refusing;
  std::size_t room;
};

class World {
 public:
  World(const Dialect& plain, std::uint64_t seed)
      : draw_(seed),
        dialect_(draw_.shrunk(plain)),
        up_(draw_.link(draw_.cut_at())),
        down_(draw_.link(UINT64_MAX)),
        client_(Role::Client, dialect_, draw_.options(), draw_.plan(dialect_.rules), model_, draw_.chance,
                now_),
        server_(Role::Server, dialect_, draw_.options(), draw_.plan(dialect_.rules), model_, draw_.chance,
                now_),
        acting_steps_(20 + draw_.chance.below(draw_.chance.chance(20) ? 2000 : 200)),
        closes_(draw_.chance.chance(10)) {
    client_.may_be_refused = server_.may_be_refused = draw_.is_refusing;
  }

  /// Empty: all laws held. Else what was broken first.
  std::string run() {
    for (; step_ < 200000 && model_.fault.empty() && !is_over(); ++step_) {
      act();
      if (move()) {
        idle_ = 0;
      } else if (is_acting() || client_.has_streams() || server_.has_streams() || is_going_away_) {
        advance();
        if (++idle_ > 3000 && !is_acting() && !close_what_is_left()) break;
      } else {
        go_away();
      }
    }
    check_all();
    return model_.fault;
  }

 private:
  [[nodiscard]] bool is_acting() const noexcept { return step_ < acting_steps_; }
  [[nodiscard]] bool is_over() {
    return client_.is_final() && server_.is_final() && client_.session().is_done() &&
           server_.session().is_done();
  }
  void act() {
    for (User* user : {&client_, &server_}) {
      if (is_acting()) {
        user->act(now_);
      } else {
        user->wind_up(now_);
      }
    }
  }
  bool carry(User& user, Link& in, Link& out) {
    bool moved = in.give(user.session(), now_, [&] { (void)user.poll(now_); });
    moved |= user.poll(now_);
    moved |= out.take(user.session(), now_);
    moved |= user.poll(now_);
    if (user.session().wants_shutdown_write() || user.session().is_done()) out.end(now_);
    return moved;
  }
  bool move() {
    bool moved = carry(client_, down_, up_);
    moved |= carry(server_, up_, down_);
    if (up_.is_cut() && !model_.may_lose) {
      model_.may_lose = true;
      down_.end(now_);
    }
    return moved;
  }
  void go_away() {
    is_going_away_ = true;
    if (closes_) return client_.session().close(0, "enough", now_);
    client_.session().go_away(0, "enough", now_);
    server_.session().go_away(0, "enough", now_);
  }
  /// Where the wire cannot say that a stream was given up, the other side keeps it. True: sessions close now.
  bool close_what_is_left() {
    if (dialect_.rules.reset != ResetBy::None || !draw_.is_disturbing || is_closing_) return false;
    is_closing_ = model_.may_lose = true;
    idle_ = 0;
    client_.session().close(0, "left over", now_);
    return true;
  }
  /// Nothing moves: time does, to what comes next.
  void advance() {
    using namespace std::chrono_literals;
    std::optional<Time> next;
    const auto add = [&](std::optional<Time> when) {
      if (when && (!next || *when < *next)) next = when;
    };
    add(up_.next());
    add(down_.next());
    if (!is_acting() || draw_.chance.chance(10)) {
      add(client_.session().deadline());
      add(server_.session().deadline());
    }
    now_ = std::max(now_ + 1us, next.value_or(now_ + 1ms));
    for (User* user : {&client_, &server_}) {
      const std::optional<Time> due = user->session().deadline();
      if (due && *due <= now_) user->session().handle_deadline(now_);
    }
  }
  void check_all() {
    model_.expect(client_.is_final() && server_.is_final(),
                  "a session did not come to its end" + client_.describe() + server_.describe());
    model_.expect(!client_.has_streams() && !server_.has_streams(), "a stream did not come to its end");
    if (model_.may_lose || draw_.is_disturbing || draw_.is_refusing) return;
    for (const auto& [serial, stream] : model_.streams) {
      for (const Shared::Direction& direction : stream.directions)
        model_.expect(direction.read == direction.written,
                      "stream " + std::to_string(serial) + ": bytes are missing");
    }
  }

  Draw draw_;
  Model model_;
  Dialect dialect_;
  Time now_{std::chrono::seconds(1000)};
  Link up_;
  Link down_;
  User client_;
  User server_;
  std::uint64_t acting_steps_;
  std::uint64_t step_ = 0;
  std::uint64_t idle_ = 0;
  bool closes_;
  bool is_going_away_ = false;
  bool is_closing_ = false;
};

inline std::string simulate(const Dialect& dialect, std::uint64_t seed) { return World(dialect, seed).run(); }

}  // namespace sinnet::mux::test
