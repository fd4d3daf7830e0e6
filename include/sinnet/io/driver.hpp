#pragma once
/// Driver: carries bytes and time between a Transport and a machine. One slot of the loop's turn for each
/// ready connection: read, receive, handle events, one gathered write. It knows no protocol: everything it
/// calls is the machine's contract (docs/architecture.md).

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "sinnet/base/bytes.hpp"
#include "sinnet/base/time.hpp"
#include "sinnet/io/loop.hpp"
#include "sinnet/io/transport.hpp"

namespace sinnet::io {

/// How much one connection may do before the next one has its turn.
struct DriverLimits {
  static constexpr std::size_t read_bytes_per_turn = 1024 * 1024;
  static constexpr std::size_t freeze_bytes = 256 * 1024;  ///< frames are frozen in steps of this
  static constexpr std::size_t slices_max = 64;
};

/// Base of an object that owns one machine on one transport. `Derived` has
///
///     Machine& machine();
///     bool handle_event(Event);           // false: stop polling until resume()
///     std::size_t reply_bytes_max();      // polling and reading rest while so many bytes wait to be written
///     void handle_finished();             // the machine is done, or the transport lost; the last call
///     void handle_slot_end();             // if it has one: once behind everything a slot did
///
/// and may call `schedule_flush()` from anywhere on the loop's thread after it gave the machine something to
/// do. Thread rule: the loop's thread.
template <class Derived>
class Driver : public ReadyHandler, public Timer, public Task {
 public:
  ~Driver() override = default;

  [[nodiscard]] Loop& loop() const noexcept { return *loop_; }
  [[nodiscard]] Transport& transport() const noexcept { return *transport_; }

 protected:
  /// Begins. `rest`: bytes that were read before the machine took over; copied if they cannot be decoded now.
  void start(MutableBytes rest) {
    transport_->set_ready_handler(this);
    in_slot_ = true;
    if (!rest.empty()) {
      machine().receive(rest, loop_->now());
      poll_events();
    }
    end_slot();
  }

  /// The machine has something to send, or its deadline changed: sees to it at the end of the turn.
  void schedule_flush() {
    if (!in_slot_ && !finished_) loop_->flush_later(*this);
  }

  /// No event is handed over and nothing is read until resume().
  void pause() {
    if (paused_) return;
    paused_ = true;
    machine().set_reading(false, loop_->now());
  }
  /// Polling goes on after pause(), or after handle_event() answered false.
  void resume() {
    if (!paused_) return;
    paused_ = false;
    machine().set_reading(true, loop_->now());
    schedule_flush();
  }
  [[nodiscard]] bool is_paused() const noexcept { return paused_; }
  [[nodiscard]] bool is_finished() const noexcept { return finished_; }

  /// Ends at once; handle_finished() is not called.
  void abandon(CloseMode mode) {
    finished_ = true;
    loop_->disarm(*this);
    transport_->close(mode);
  }

  /// Gives the transport away; the driver is finished.
  [[nodiscard]] std::unique_ptr<Transport> release_transport() {
    finished_ = true;
    loop_->disarm(*this);
    transport_->want(false, false);
    transport_->set_ready_handler(nullptr);
    return std::move(transport_);
  }

 private:
  friend Derived;  // alone may construct it
  Driver(Loop& loop, std::unique_ptr<Transport> transport) : loop_(&loop), transport_(std::move(transport)) {}

  [[nodiscard]] Derived& derived() noexcept { return static_cast<Derived&>(*this); }
  [[nodiscard]] auto& machine() noexcept { return derived().machine(); }

  void handle_ready(bool readable, bool writable) final {
    if (finished_) return;
    in_slot_ = true;
    if (writable) blocked_ = false;
    if (readable) read_input();
    end_slot();
  }

  void handle_timer() final {
    if (finished_) return;
    in_slot_ = true;
    machine().handle_deadline(loop_->now());
    end_slot();
  }

  void run_task() final {
    if (finished_) return;
    in_slot_ = true;
    end_slot();
  }

  void read_input() {
    std::size_t budget = DriverLimits::read_bytes_per_turn;
    while (budget > 0 && wants_read()) {
      const MutableBytes space = machine().input_space(loop_->scratch());
      const IoResult result = transport_->read(space);
      if (result.status == IoStatus::Blocked) return;
      if (result.status != IoStatus::Ok) {
        machine().receive_eof(loop_->now());
        poll_events();
        return;
      }
      machine().receive(space.first(result.bytes), loop_->now());
      poll_events();
      if (finished_ || result.bytes < space.size()) return;  // drained: another read would only say so
      flush();
      machine().keep_output();  // the scratch they may refer to is read into next
      machine().keep_input();
      budget -= std::min(budget, result.bytes);
    }
  }

  void poll_events() {
    const std::size_t reply_bytes_max = derived().reply_bytes_max();
    while (can_poll(reply_bytes_max) && machine().has_event()) {
      auto event = machine().poll_event();
      if (!event) return;
      if (!derived().handle_event(*event)) {
        paused_ = true;
        machine().set_reading(false, loop_->now());
      }
    }
  }

  /// Writes what the machine has, as far as the transport takes it.
  void flush() {
    while (!blocked_ && machine().has_output()) {
      const Time now = loop_->now();
      machine().prepare_output(DriverLimits::freeze_bytes, now);
      std::array<Slice, DriverLimits::slices_max> slices;
      const std::size_t count = machine().output(slices);
      std::size_t offered = 0;
      for (std::size_t i = 0; i < count; ++i) offered += slices[i].size;
      const IoResult result = transport_->write({slices.data(), count});
      if (result.status == IoStatus::Error) {
        machine().receive_eof(now);
        blocked_ = true;
        return;
      }
      machine().consume_output(result.bytes, now);
      if (result.bytes < offered) blocked_ = true;
    }
  }

  void end_slot() {
    // Events first: a deadline or a resume may have left some, and what they send goes out with this write.
    // Again after it, since it may have drained what was full, or ended the machine.
    do {
      poll_events();
      if (finished_) return;
      flush();
    } while (can_poll() && machine().has_event());
    machine().keep_output();
    machine().keep_input();
    if constexpr (requires { derived().handle_slot_end(); }) derived().handle_slot_end();
    if (!shutdown_sent_ && machine().wants_shutdown_write()) {
      shutdown_sent_ = true;
      transport_->shutdown_write();
    }
    if (machine().is_done()) return finish();
    update_wants();
    update_timer();
    in_slot_ = false;
  }

  void finish() {
    finished_ = true;
    loop_->disarm(*this);
    transport_->close(CloseMode::Orderly);
    derived().handle_finished();
  }

  [[nodiscard]] bool can_poll() noexcept { return can_poll(derived().reply_bytes_max()); }
  [[nodiscard]] bool can_poll(std::size_t reply_bytes_max) noexcept {
    if (finished_) return false;
    // The end is told to a paused user too; there is nothing left that could wait.
    return machine().has_ended() || (!paused_ && machine().waiting_bytes() < reply_bytes_max);
  }
  [[nodiscard]] bool wants_read() noexcept { return can_poll() && machine().wants_input(); }

  void update_wants() {
    const bool read = wants_read();
    const bool write = machine().has_output();
    if (read == wanted_read_ && write == wanted_write_) return;
    wanted_read_ = read;
    wanted_write_ = write;
    transport_->want(read, write);
  }

  /// Deadlines mostly move away from now, at every message. The timer stays where it is and looks again when
  /// it fires.
  void update_timer() {
    const std::optional<Time> due = machine().deadline();
    if (due && (!is_armed() || *due < when())) loop_->arm(*this, *due);
  }

  Loop* loop_;
  std::unique_ptr<Transport> transport_;
  bool in_slot_ : 1 = true;  ///< or not started: either way the flush is still to come
  bool paused_ : 1 = false;
  bool blocked_ : 1 = false;
  bool finished_ : 1 = false;
  bool wanted_read_ : 1 = false;
  bool wanted_write_ : 1 = false;
  bool shutdown_sent_ : 1 = false;
};

}  // namespace sinnet::io
