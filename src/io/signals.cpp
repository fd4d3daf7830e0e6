#include "sinnet/io/signals.hpp"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

namespace sinnet::io {

Result<std::unique_ptr<SignalWatcher>> SignalWatcher::create(Loop& loop, std::span<const int> signals,
                                                             Callback callback) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) {
    if (sigaddset(&set, signal) != 0)
      return fail(ErrorCode::InvalidArgument, "no signal " + std::to_string(signal));
  }
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return std::unexpected(Error::from_errno(error, "pthread_sigmask"));
  }
  const int fd = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd < 0) return std::unexpected(Error::from_errno(errno, "signalfd"));
  std::unique_ptr<SignalWatcher> watcher(new SignalWatcher(loop, fd, std::move(callback)));
  if (auto watching = loop.watch(fd, EPOLLIN, *watcher); !watching) return std::unexpected(watching.error());
  return watcher;
}

SignalWatcher::~SignalWatcher() {
  loop_.unwatch(fd_, *this);
  ::close(fd_);
}

void SignalWatcher::handle_events(std::uint32_t /*events*/) {
  signalfd_siginfo info;
  while (::read(fd_, &info, sizeof info) == static_cast<ssize_t>(sizeof info))
    callback_(static_cast<int>(info.ssi_signo));
}

void ignore_broken_pipes() { static_cast<void>(std::signal(SIGPIPE, SIG_IGN)); }

Result<std::unique_ptr<ChildWatcher>> ChildWatcher::create(Loop& loop, pid_t child, Callback callback) {
  // By number: the declaration in glibc 2.36's <sys/pidfd.h> has C++ linkage.
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  if (fd < 0) return std::unexpected(Error::from_errno(errno, "pidfd_open " + std::to_string(child)));
  std::unique_ptr<ChildWatcher> watcher(new ChildWatcher(loop, fd, std::move(callback)));
  if (auto watching = loop.watch(fd, EPOLLIN, *watcher); !watching) return std::unexpected(watching.error());
  return watcher;
}

ChildWatcher::~ChildWatcher() { close_pidfd(); }

void ChildWatcher::close_pidfd() {
  if (fd_ < 0) return;
  loop_.unwatch(fd_, *this);
  ::close(std::exchange(fd_, -1));
}

void ChildWatcher::handle_events(std::uint32_t /*events*/) {
  siginfo_t info{};
  const int waited = ::waitid(P_PIDFD, static_cast<id_t>(fd_), &info, WEXITED | WNOHANG);
  if (waited != 0 && errno == EINTR) return;  // told again in the next turn
  if (waited == 0 && info.si_pid == 0) return;
  ChildExit exit;
  if (waited == 0) {
    const bool exited = info.si_code == CLD_EXITED;
    exit = {.status = exited ? info.si_status : 0, .signal = exited ? 0 : info.si_status};
  }
  close_pidfd();
  auto callback = std::exchange(callback_, nullptr);  // it may destroy this
  callback(exit);
}

}  // namespace sinnet::io
