#pragma once
/// A user of one session in the simulation: opens, writes, reads, stalls, stops and resets as a seed says,
/// and checks what it is told against what the other user did.

#include <map>
#include <string>

#include "mux/link.hpp"

namespace sinnet::mux::test {

/// What both users know of one stream. The opener sends its serial number first; so both find it whatever the
/// dialect can carry beside payload.
struct Shared {
  struct Direction {
    std::uint64_t written = 0;
    std::uint64_t read = 0;
    bool is_finished = false;  ///< close_write() was called, nothing was lost before it
  };
  std::array<Direction, 2> directions;  ///< from the opener, to the opener
  bool is_disturbed = false;            ///< somebody reset, stopped or refused it: bytes may be lost
};

/// Both users' streams by serial, and what is wrong.
struct Model {
  std::map<std::uint32_t, Shared> streams;
  std::string fault;
  bool may_lose = false;  ///< the carrier was cut, or somebody closed the session

  void expect(bool is_true, const std::string& what) {
    if (!is_true && fault.empty()) fault = what;
  }
};

struct UserPlan {
  std::uint32_t opens = 0;
  std::uint32_t write_bytes_max = 0;
  unsigned reset_percent = 0;
  unsigned stop_percent = 0;
  unsigned refuse_percent = 0;
  unsigned stall_percent = 0;  ///< of its streams: reads nothing for a while
};

class User {
 public:
  User(Role role, const Dialect& dialect, const SessionOptions& options, const UserPlan& plan, Model& model,
       SeededRandom& chance, Time now)
      : role_(role),
        plan_(plan),
        options_(options),
        model_(&model),
        chance_(&chance),
        session_(role, dialect, options_, chance, now) {}

  [[nodiscard]] Session& session() noexcept { return session_; }
  [[nodiscard]] bool is_final() const noexcept { return is_final_; }
  [[nodiscard]] bool has_streams() const noexcept { return !mine_.empty(); }
  [[nodiscard]] bool has_opened_all() const noexcept {
    return opened_ == plan_.opens || session_.state() != SessionState::Open;
  }

  /// One thing a user may do of itself.
  void act(Time now) {
    if (opened_ < plan_.opens && chance_->chance(50)) open(now);
    if (mine_.empty()) return;
    auto it = mine_.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(chance_->below(mine_.size())));
    touch(it->first, it->second, now);
    if (chance_->chance(2)) (void)session_.ping(now);
  }
  /// No more stalls, resets or openings: everything is read and finished.
  void wind_up(Time now) {
    is_winding_up_ = true;
    for (auto it = mine_.begin(); it != mine_.end();) {
      const auto [stream, state] = *it++;
      (void)state;
      if (const auto found = mine_.find(stream); found != mine_.end()) touch(stream, found->second, now);
    }
  }
  /// For a message about what hangs.
  [[nodiscard]] std::string describe() const {
    std::string text = role_ == Role::Client ? "; client" : "; server";
    text += " in state " + std::to_string(static_cast<int>(session_.state()));
    for (const auto& [stream, state] : mine_) {
      const StreamStatistics now = session_.statistics(stream).value_or(StreamStatistics{});
      text += ", stream " + std::to_string(state.serial) + (state.is_opener ? " (own)" : "") + " left " +
              std::to_string(state.left) + " sent " + std::to_string(now.sent_bytes) + " received " +
              std::to_string(now.received_bytes) + " credit " + std::to_string(now.send_credit_bytes) +
              " unsent " + std::to_string(now.unsent_bytes) + " halves " +
              std::to_string(static_cast<int>(now.sending)) +
              std::to_string(static_cast<int>(now.receiving)) + (state.is_closed ? " closed" : "") +
              (state.is_blocked ? " blocked" : "");
    }
    return text;
  }
  /// Polls all events.
  bool poll(Time now) {
    bool moved = false;
    while (const std::optional<Event> event = session_.poll_event()) {
      moved = true;
      handle(*event, now);
    }
    check_bounds();
    return moved;
  }

 private:
  struct State {
    std::uint32_t serial = 0;
    bool is_opener = false;
    bool has_serial = false;
    bool is_closed = false;  ///< we called close_write
    bool is_deaf = false;    ///< we called stop_receiving
    bool is_stalled = false;
    bool is_blocked = false;  ///< a write took less than offered: Writable is to come
    std::uint32_t left = 0;   ///< still to be written
    std::array<std::byte, 4> serial_bytes{};
    std::uint8_t serial_got = 0;
  };

  static std::byte content(std::uint32_t serial, bool from_opener, std::uint64_t offset) {
    if (from_opener && offset < 4) return static_cast<std::byte>(serial >> (8 * offset));
    return static_cast<std::byte>((serial * 31 + (from_opener ? 7U : 77U) + offset * (offset >> 8U | 1U)) %
                                  251);
  }
  [[nodiscard]] std::string where(const State& state) const {
    return std::string(role_ == Role::Client ? "client" : "server") + " stream " +
           std::to_string(state.serial) + ": ";
  }
  Shared& shared(const State& state) { return model_->streams[state.serial]; }

  std::uint32_t amount() {
    return static_cast<std::uint32_t>(chance_->below(chance_->chance(70) ? 300 : plan_.write_bytes_max + 1U));
  }

  void open(Time now) {
    const VerbResult<Stream> stream =
        session_.open({.urgency = static_cast<std::uint8_t>(chance_->below(8))}, now);
    if (!stream) {
      opened_ = plan_.opens;  // the session goes away, or its limit is reached
      return;
    }
    ++opened_;
    const std::uint32_t serial = opened_ * 2 + (role_ == Role::Client ? 1U : 0U);
    mine_[*stream] = {.serial = serial,
                      .is_opener = true,
                      .has_serial = true,
                      .is_stalled = chance_->chance(plan_.stall_percent),
                      .left = 4 + amount()};
    model_->streams[serial];
  }

  void touch(Stream stream, State& state, Time now) {
    if (is_winding_up_) state.is_stalled = false;
    if (state.is_stalled && chance_->chance(3)) state.is_stalled = false;
    if (!state.is_stalled && !state.is_deaf) read(stream, state, now);
    if (mine_.find(stream) == mine_.end()) return;
    if (state.has_serial) write(stream, state, now);
    if (is_winding_up_ || !state.has_serial) return;
    if (chance_->below(1000) < plan_.reset_percent) {
      shared(state).is_disturbed = true;
      (void)session_.reset(stream, 300, now);
      state.is_deaf = state.is_closed = true;
    } else if (!state.is_deaf && chance_->below(1000) < plan_.stop_percent) {
      shared(state).is_disturbed = true;
      (void)session_.stop_receiving(stream, 301, now);
      state.is_deaf = true;
    }
  }

  void write(Stream stream, State& state, Time now) {
    Shared::Direction& out = shared(state).directions[state.is_opener ? 0 : 1];
    while (state.left > 0 && !state.is_closed && !state.is_blocked) {
      std::vector<std::byte> bytes(
          std::min<std::uint32_t>(state.left, 1 + static_cast<std::uint32_t>(chance_->below(80000))));
      for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = content(state.serial, state.is_opener, out.written + i);
      VerbResult<std::size_t> taken = std::unexpected(VerbError::Closed);
      if (chance_->chance(50)) {
        const Buffer owner = Buffer::copy_of(bytes);
        taken = session_.write(stream, owner, owner.bytes(), now);
      } else {
        taken = session_.write(stream, bytes, now);
      }
      if (!taken) {
        state.is_closed = true;
        model_->expect(shared(state).is_disturbed || model_->may_lose || may_be_refused ||
                           session_.state() != SessionState::Open,
                       where(state) + "write was refused");
        return;
      }
      out.written += *taken;
      state.left -= static_cast<std::uint32_t>(*taken);
      state.is_blocked = *taken < bytes.size();
    }
    if (state.left == 0 && !state.is_closed && (is_winding_up_ || chance_->chance(40))) {
      state.is_closed = true;
      if (session_.close_write(stream, now)) out.is_finished = true;
    }
  }

  void read(Stream stream, State& state, Time now) {
    while (true) {
      const MutableBytes bytes = session_.readable(stream);
      if (bytes.empty()) return;
      const std::size_t size =
          chance_->chance(80) || is_winding_up_ ? bytes.size() : 1 + chance_->below(bytes.size());
      check_bytes(state, bytes.first(size));
      if (chance_->chance(50)) {
        session_.consume(stream, size, now);
      } else {
        std::vector<std::byte> copy(size);
        const std::vector<std::byte> expected(bytes.begin(),
                                              bytes.begin() + static_cast<std::ptrdiff_t>(size));
        model_->expect(session_.read(stream, copy, now) == size && copy == expected,
                       "read() gives something else");
      }
      if (size < bytes.size() || mine_.find(stream) == mine_.end()) return;
    }
  }

  void check_bytes(State& state, Bytes bytes) {
    for (const std::byte byte : bytes) {
      if (!state.has_serial) {
        state.serial_bytes[state.serial_got++] = byte;
        if (state.serial_got < 4) continue;
        for (unsigned i = 0; i < 4; ++i)
          state.serial |= std::to_integer<std::uint32_t>(state.serial_bytes[i]) << (8 * i);
        state.has_serial = true;
        model_->expect(model_->streams.contains(state.serial),
                       "a serial nobody opened: " + std::to_string(state.serial));
        shared(state).directions[0].read = 4;
        state.left = amount();
        continue;
      }
      Shared::Direction& in = shared(state).directions[state.is_opener ? 1 : 0];
      const std::uint64_t offset = in.read++;
      if (byte == content(state.serial, !state.is_opener, offset) && offset < in.written) [[likely]]
        continue;
      model_->expect(false, where(state) + "wrong byte at " + std::to_string(offset));
      return;
    }
  }

  void handle(const Event& event, Time now) {
    model_->expect(!is_final_, "an event behind the last one");
    switch (event.type) {
      case EventType::Opened:
        if (chance_->chance(plan_.refuse_percent)) {
          (void)session_.refuse(event.stream, 0, now);
          refused_.insert({event.stream, true});
        } else {
          mine_[event.stream] = {.is_stalled = chance_->chance(plan_.stall_percent)};
          (void)session_.accept(event.stream, now);
        }
        return;
      case EventType::Closed: is_final_ = true; return;
      case EventType::Failed:
        is_final_ = true;
        model_->expect(false, "session failed: " + std::string(event.reason));
        return;
      case EventType::GoneAway:
      case EventType::Pong: return;
      default: break;
    }
    if (refused_.contains(event.stream)) {
      model_->expect(event.type == EventType::Ended, "an event of a refused stream");
      if (event.type == EventType::Ended) refused_.erase(event.stream);
      return;
    }
    const auto found = mine_.find(event.stream);
    model_->expect(found != mine_.end(), "an event of no stream, or a second end");
    if (found != mine_.end()) handle_stream(event, found->second, now);
  }

  void handle_stream(const Event& event, State& state, Time now) {
    switch (event.type) {
      case EventType::Data:
        if (!state.is_stalled && !state.is_deaf && chance_->chance(70)) read(event.stream, state, now);
        return;
      case EventType::Writable:
        state.is_blocked = false;
        if (state.has_serial && chance_->chance(70)) write(event.stream, state, now);
        return;
      case EventType::Finished:
        check_finished(state);
        // Reset before its first byte, where the wire can say only that it is finished.
        if (!state.has_serial) (void)session_.close_write(event.stream, now);
        return;
      case EventType::Stopped:
      case EventType::Aborted: check_disturbed(state); return;
      case EventType::Ended:
        if (event.end == EndReason::Finished) {
          check_finished(state);
        } else {
          check_disturbed(state);
        }
        model_->expect(!session_.is_live(event.stream), "a stream lives behind its end");
        mine_.erase(event.stream);
        return;
      default: return;
    }
  }

  void check_finished(const State& state) {
    if (state.is_deaf || !state.has_serial) return;
    const Shared::Direction& in = shared(state).directions[state.is_opener ? 1 : 0];
    model_->expect(in.is_finished || shared(state).is_disturbed || may_be_refused,
                   where(state) + "finished by nobody");
    model_->expect(
        in.read == in.written || shared(state).is_disturbed,
        where(state) + "finished at " + std::to_string(in.read) + " of " + std::to_string(in.written));
  }
  void check_disturbed(const State& state) {
    model_->expect(!state.has_serial || shared(state).is_disturbed || model_->may_lose ||
                       session_.state() != SessionState::Open || may_be_refused,
                   where(state) + "ended for no reason");
  }
  void check_bounds() {
    const SessionStatistics now = session_.statistics();
    model_->expect(now.unread_bytes <= options_.budget_bytes + 70000, "unread bytes beyond the budget");
    model_->expect(now.unsent_bytes <= options_.unsent_bytes_max * (now.streams + 1),
                   "unsent bytes beyond the limit");
    model_->expect(session_.waiting_bytes() <= 700000, "output grows");
  }

 public:
  bool may_be_refused = false;

 private:
  Role role_;
  UserPlan plan_;
  SessionOptions options_;
  Model* model_;
  SeededRandom* chance_;
  Session session_;
  std::map<Stream, State> mine_;
  std::map<Stream, bool> refused_;
  std::uint32_t opened_ = 0;
  bool is_winding_up_ = false;
  bool is_final_ = false;
};

}  // namespace sinnet::mux::test
