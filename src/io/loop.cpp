/// EpollLoop: the one Loop there is. It knows descriptors, timers, tasks and posted work, and nothing of what
/// they are for.

#include "sinnet/io/loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <ctime>
#include <vector>

#include "io/mailbox.hpp"
#include "io/task_queue.hpp"
#include "io/timer_wheel.hpp"
#include "sinnet/io/random.hpp"

namespace sinnet::io {
namespace {

// Enough that one wait serves a busy shard, small enough that timers are not kept waiting behind one batch.
constexpr std::size_t batch_events = 512;
// Posted work per turn: a poster as fast as the loop must not keep it from its sockets.
constexpr std::size_t mailbox_items_per_turn = 1024;

class EpollLoop final : public Loop {
 public:
  EpollLoop(LoopOptions options, int epoll_fd, int wake_fd, int timer_fd)
      : options_(options),
        epoll_fd_(epoll_fd),
        wake_fd_(wake_fd),
        timer_fd_(timer_fd),
        wheel_(read_clock()),
        mailbox_(options.mailbox_items_max, wake_fd),
        scratch_(std::make_unique_for_overwrite<std::byte[]>(options.scratch_bytes)) {
    now_ = read_clock();
  }
  ~EpollLoop() override;

  void run() override;
  bool run_once(Duration max_wait) override;
  void stop() override;

  Result<> watch(int fd, std::uint32_t events, Watcher& watcher) override;
  void rewatch(int fd, std::uint32_t events, Watcher& watcher) override;
  void unwatch(int fd, Watcher& watcher) override;
  void arm(Timer& timer, Time when) override { wheel_.arm(timer, when, now_); }
  void disarm(Timer& timer) override { TimerWheel::disarm(timer); }
  void flush_later(Task& task, unsigned depth) override { flush_tasks_.push(task, depth); }
  void next_turn(Task& task) override { next_tasks_.push(task); }
  void destroy_later(std::unique_ptr<Destroyable> object) override { doomed_.push_back(std::move(object)); }

  bool post(std::move_only_function<void()> work) override { return mailbox_.post(std::move(work)); }
  void post_reserved(std::move_only_function<void()> work) override {
    mailbox_.post_reserved(std::move(work));
  }

  MutableBytes scratch() override { return {scratch_.get(), options_.scratch_bytes}; }
  Random& random() override { return random_; }
  const LoopStatistics& statistics() const override { return statistics_; }

 private:
  void wait(Duration max_wait);
  void set_timer(Time due);
  void fetch(Duration limit);
  [[nodiscard]] bool spin(Duration limit);
  [[nodiscard]] bool has_work() const noexcept;
  void handle_ready_descriptors();
  void destroy_doomed();

  const LoopOptions options_;
  const int epoll_fd_;
  const int wake_fd_;
  const int timer_fd_;
  Time timer_set_for_ = time_never;
  std::atomic<bool> stopping_{false};
  bool in_turn_ = false;
  TimerWheel wheel_;
  TaskQueue next_tasks_;
  TaskQueue flush_tasks_;
  Mailbox mailbox_;
  std::vector<std::unique_ptr<Destroyable>> doomed_;
  std::unique_ptr<std::byte[]> scratch_;
  SystemRandom random_;
  LoopStatistics statistics_;
  // What the last wait fetched: batch_[handled_..fetched_) is yet to be handled. The watcher is null for the
  // wake-ups and for what has been unwatched since.
  std::array<epoll_event, batch_events> batch_;
  std::size_t handled_ = 0;
  std::size_t fetched_ = 0;
};

EpollLoop::~EpollLoop() {
  mailbox_.close();
  destroy_doomed();
  ::close(timer_fd_);
  ::close(wake_fd_);
  ::close(epoll_fd_);
}

void EpollLoop::run() {
  while (!run_once(Duration::max())) {
  }
  stopping_.store(false);
}

bool EpollLoop::run_once(Duration max_wait) {
  assert(!in_turn_ && "a turn cannot contain a turn");
  in_turn_ = true;
  wait(max_wait);
  now_ = read_clock();
  if (now_ >= timer_set_for_) timer_set_for_ = time_never;
  next_tasks_.run();
  handle_ready_descriptors();
  statistics_.posted += mailbox_.run(mailbox_items_per_turn);
  wheel_.advance(now_);
  flush_tasks_.run();
  destroy_doomed();
  ++statistics_.turns;
  statistics_.refused_posts = mailbox_.refused();
  in_turn_ = false;
  return stopping_.load();
}

void EpollLoop::stop() {
  stopping_.store(true);
  mailbox_.wake();
}

bool EpollLoop::has_work() const noexcept {
  return stopping_.load() || !next_tasks_.empty() || !flush_tasks_.empty() || mailbox_.has_work() ||
         !doomed_.empty();
}

void EpollLoop::wait(Duration max_wait) {
  Duration limit = std::max(max_wait, Duration::zero());
  if (has_work()) limit = Duration::zero();
  if (limit == Duration::zero()) return fetch(limit);
  if (const Time due = wheel_.next_due(); due < timer_set_for_) set_timer(due);
  if (options_.busy_poll > Duration::zero()) {
    if (spin(std::min(limit, options_.busy_poll))) return;
    if (limit != Duration::max()) limit = std::max(limit - options_.busy_poll, Duration::zero());
  }
  if (!mailbox_.begin_wait()) return fetch(Duration::zero());
  fetch(limit);
  mailbox_.end_wait();
}

// A descriptor wakes the loop for its timers: a time limit of the wait itself would make the kernel start and
// stop a timer for every sleep. It is set again only for an earlier time; one that fires for nothing costs a
// turn.
void EpollLoop::set_timer(Time due) {
  timer_set_for_ = due;
  const std::int64_t at = std::max<std::int64_t>(due.time_since_epoch().count(), 1);  // 0 would disarm it
  itimerspec setting{};
  setting.it_value.tv_sec = static_cast<time_t>(at / 1'000'000'000);
  setting.it_value.tv_nsec = static_cast<long>(at % 1'000'000'000);
  [[maybe_unused]] const int set = ::timerfd_settime(timer_fd_, TFD_TIMER_ABSTIME, &setting, nullptr);
  assert(set == 0);
}

// Looks again and again instead of sleeping. True when something turned up.
bool EpollLoop::spin(Duration limit) {
  const Time until = read_clock() + limit;
  do {
    fetch(Duration::zero());
    if (fetched_ > 0 || has_work()) return true;
  } while (read_clock() < until);
  return false;
}

void EpollLoop::fetch(Duration limit) {
  constexpr int size = static_cast<int>(batch_events);
  int count = 0;
  if (limit == Duration::max() || limit == Duration::zero()) {
    count = ::epoll_wait(epoll_fd_, batch_.data(), size, limit == Duration::zero() ? 0 : -1);
  } else {  // rounded up, since a wait too short would come back for nothing
    constexpr auto day_ms = std::int64_t{24} * 3600 * 1000;
    const std::int64_t ms = std::min(day_ms, (limit.count() + 999'999) / 1'000'000);
    count = ::epoll_wait(epoll_fd_, batch_.data(), size, static_cast<int>(ms));
  }
  assert(count >= 0 || errno == EINTR);
  handled_ = 0;
  fetched_ = count > 0 ? static_cast<std::size_t>(count) : 0;  // a signal is an empty turn
}

void EpollLoop::handle_ready_descriptors() {
  statistics_.events += fetched_;
  while (handled_ < fetched_) {
    const epoll_event event = batch_[handled_++];
    if (event.data.ptr != nullptr) static_cast<Watcher*>(event.data.ptr)->handle_events(event.events);
  }
}

Result<> EpollLoop::watch(int fd, std::uint32_t events, Watcher& watcher) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watcher;
  if (::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) {
    return std::unexpected(Error::from_errno(errno, "epoll_ctl"));
  }
  return {};
}

void EpollLoop::rewatch(int fd, std::uint32_t events, Watcher& watcher) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watcher;
  [[maybe_unused]] const int changed = ::epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event);
  assert(changed == 0 && "rewatch needs a watched descriptor");
}

void EpollLoop::unwatch(int fd, Watcher& watcher) {
  epoll_event ignored{};
  ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, &ignored);
  for (std::size_t i = handled_; i < fetched_; ++i) {
    if (batch_[i].data.ptr == &watcher) batch_[i].data.ptr = nullptr;
  }
}

void EpollLoop::destroy_doomed() {
  // By index, since a destructor may doom others.
  std::size_t next = 0;
  while (next < doomed_.size()) {
    const std::unique_ptr<Destroyable> object = std::move(doomed_[next]);
    ++next;
  }
  doomed_.clear();
}

}  // namespace

Result<std::unique_ptr<Loop>> Loop::create(LoopOptions options) {
  const int epoll_fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) return std::unexpected(Error::from_errno(errno, "epoll_create1"));
  const int wake_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const int timer_fd = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  // Edge-triggered: each wake-up reports once, and nobody spends a system call on reading a counter.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  if (wake_fd < 0 || timer_fd < 0 || ::epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &event) != 0 ||
      ::epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &event) != 0) {
    const int error = errno;
    for (const int fd : {timer_fd, wake_fd, epoll_fd}) {
      if (fd >= 0) ::close(fd);
    }
    return std::unexpected(Error::from_errno(error, "eventfd or timerfd"));
  }
  return std::make_unique<EpollLoop>(options, epoll_fd, wake_fd, timer_fd);
}

Time Loop::read_clock() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return Time{std::chrono::seconds{time.tv_sec} + Duration{time.tv_nsec}};
}

}  // namespace sinnet::io
