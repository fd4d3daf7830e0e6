#pragma once
/// The event loop: one epoll set, one timer wheel and one mailbox per thread. It carries readiness, time and
/// posted work; it knows no protocol and never blocks in anything but its wait.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "sinnet/base/bytes.hpp"
#include "sinnet/base/error.hpp"
#include "sinnet/base/random.hpp"
#include "sinnet/base/time.hpp"
#include "sinnet/io/link.hpp"

namespace sinnet::io {

/// Somebody who owns a descriptor watched by a loop. One watcher watches one descriptor at a time.
class Watcher {
 public:
  /// `events`: EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR | EPOLLRDHUP as epoll reported them.
  virtual void handle_events(std::uint32_t events) = 0;

 protected:
  ~Watcher() = default;
};

/// A deadline in the loop's wheel. Embed one per object that waits; an unarmed timer costs its fields only
/// (32 bytes). Granularity 1 ms; never early. Not copyable or movable. Destroying an armed timer disarms it.
class Timer : private Link {
 public:
  Timer() = default;
  virtual ~Timer() = default;

  /// Unarmed when called; may arm itself again, and may destroy itself or any other timer.
  virtual void handle_timer() = 0;
  [[nodiscard]] bool is_armed() const noexcept { return is_linked(); }
  /// When it is due; meaningful while armed.
  [[nodiscard]] Time when() const noexcept { return when_; }

 private:
  friend class TimerWheel;
  Time when_{};
};

/// Something whose destruction must wait for the end of the turn.
class Destroyable {
 public:
  virtual ~Destroyable() = default;
};

/// Work the loop does for somebody at a fixed place in the turn. Embedded by its owner and linked at most
/// once, so queueing never allocates. Destroying a queued task takes it out of the queue. Destroyable, since
/// who flushes often ends there too, and a second base for that would be another pointer in each.
class Task : public Destroyable, private Link {
 public:
  Task() = default;

  /// Not queued when called; may queue itself again, and may destroy itself or any other task.
  virtual void run_task() = 0;
  [[nodiscard]] bool is_queued() const noexcept { return is_linked(); }

 private:
  friend class TaskQueue;
};

struct LoopOptions {
  Duration busy_poll{0};                   ///< spin this long before sleeping; 0 = never
  std::size_t scratch_bytes = 512 * 1024;  ///< the read buffer all connections of the loop share
  std::size_t mailbox_items_max = 65'536;  ///< posted and not yet run; beyond this post() refuses
};

/// CPU accounting of the loop itself.
struct LoopStatistics {
  std::uint64_t turns = 0;
  std::uint64_t events = 0;
  std::uint64_t posted = 0;
  std::uint64_t refused_posts = 0;
};

/// One thread's loop. The order of a turn: wait; handle each ready descriptor; mailbox; timers; flush tasks,
/// deepest first; destroy what was given to destroy_later; account.
///
/// Thread rule: every call but post() and stop() belongs to the thread that runs the loop (or to anyone
/// before it runs).
class Loop {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Loop>> create(LoopOptions options = {});
  virtual ~Loop() = default;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Runs until stop().
  virtual void run() = 0;
  /// One turn, waiting at most `max_wait` for something to do. Answers whether stop() was asked for.
  virtual bool run_once(Duration max_wait) = 0;
  /// Any thread, any time, also inside a turn: run() returns after the current turn (or after its first, if
  /// it was not running yet) and may then be called again; run_once() keeps answering true until then.
  virtual void stop() = 0;

  /// The time at the start of this turn (after its wait). Reading it costs nothing.
  [[nodiscard]] Time now() const noexcept { return now_; }
  /// The clock itself, for measuring inside a turn.
  [[nodiscard]] static Time read_clock();

  /// Watches `fd`, level-triggered unless `events` has EPOLLET. The watcher must stay until unwatch().
  /// Events already fetched for a descriptor unwatched within the turn are dropped; events fetched before a
  /// rewatch() are still delivered as they were. A descriptor watched with EPOLLEXCLUSIVE cannot be rewatched
  /// (epoll_ctl(2)).
  virtual Result<> watch(int fd, std::uint32_t events, Watcher& watcher) = 0;
  virtual void rewatch(int fd, std::uint32_t events, Watcher& watcher) = 0;
  virtual void unwatch(int fd, Watcher& watcher) = 0;

  /// Arms or re-arms. A time that has passed fires in the next timer phase.
  virtual void arm(Timer& timer, Time when) = 0;
  virtual void disarm(Timer& timer) = 0;

  /// Runs the task once in this turn's flush phase (or the next turn's if the phase has passed or is at this
  /// depth or below; that turn then does not wait). Deeper first; depths are 0..7. Queueing a queued task
  /// changes nothing.
  virtual void flush_later(Task& task, unsigned depth = 0) = 0;
  /// Runs the task once at the start of the next turn, which then does not wait: for transports that hold
  /// decoded bytes.
  virtual void next_turn(Task& task) = 0;
  /// Destroys at the end of the turn.
  virtual void destroy_later(std::unique_ptr<Destroyable> object) = 0;

  /// From any thread: runs `work` in the mailbox phase of this loop, in the order posted by one thread. Wakes
  /// the loop only when the mailbox was empty. False when the mailbox is full or the loop is being destroyed;
  /// `work` is then dropped.
  virtual bool post(std::move_only_function<void()> work) = 0;
  /// As post(), on a reserved lane that is never refused and overtakes what waits in the other one: for
  /// close, kick and control replies. It is unbounded, so posters must be bounded by something else: at most
  /// one item per connection or per control request.
  virtual void post_reserved(std::move_only_function<void()> work) = 0;

  /// The shared read buffer. Its contents mean nothing to the next connection of the turn.
  [[nodiscard]] virtual MutableBytes scratch() = 0;
  [[nodiscard]] virtual Random& random() = 0;
  [[nodiscard]] virtual const LoopStatistics& statistics() const = 0;

 protected:
  Loop() = default;
  Time now_{};  ///< set by run_once() after its wait
};

}  // namespace sinnet::io
