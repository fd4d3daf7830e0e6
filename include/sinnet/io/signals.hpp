#pragma once
/// Signals, child processes and changed files as events of a loop. Nothing here runs in a signal handler.

#include <sys/types.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sinnet/base/error.hpp"
#include "sinnet/io/loop.hpp"

namespace sinnet::io {

/// Signals through a signalfd.
///
/// They are blocked in the calling thread, and in every thread and process it starts afterwards; so make the
/// watcher before the first thread, and unblock in a child before exec (posix_spawn: POSIX_SPAWN_SETSIGMASK).
/// They stay blocked when the watcher goes, since one that is pending would else end the process.
///
/// Thread rule: its loop's thread.
class SignalWatcher final : public Destroyable, private Watcher {
 public:
  using Callback = std::move_only_function<void(int signal)>;

  /// The callback may not destroy the watcher (Loop::destroy_later does).
  [[nodiscard]] static Result<std::unique_ptr<SignalWatcher>> create(Loop& loop, std::span<const int> signals,
                                                                     Callback callback);
  ~SignalWatcher() override;

 private:
  SignalWatcher(Loop& loop, int fd, Callback callback)
      : loop_(loop), fd_(fd), callback_(std::move(callback)) {}
  void handle_events(std::uint32_t events) override;

  Loop& loop_;
  const int fd_;
  Callback callback_;
};

/// Ignores SIGPIPE in the whole process. Transports do not need it (they send with MSG_NOSIGNAL); pipes to
/// children do.
void ignore_broken_pipes();

/// How a child ended.
struct ChildExit {
  int status = 0;  ///< exit status if `signal` is 0
  int signal = 0;  ///< the signal that ended it, or 0
};

/// Waits for one child of this process through a pidfd and reaps it. SIGCHLD may be left alone.
///
/// Thread rule: its loop's thread.
class ChildWatcher final : public Destroyable, private Watcher {
 public:
  using Callback = std::move_only_function<void(ChildExit)>;

  /// The callback runs once and may destroy the watcher. Destroying the watcher before leaves the child
  /// running, unreaped.
  [[nodiscard]] static Result<std::unique_ptr<ChildWatcher>> create(Loop& loop, pid_t child,
                                                                    Callback callback);
  ~ChildWatcher() override;

 private:
  ChildWatcher(Loop& loop, int fd, Callback callback)
      : loop_(loop), fd_(fd), callback_(std::move(callback)) {}
  void handle_events(std::uint32_t events) override;
  void close_pidfd();

  Loop& loop_;
  int fd_;
  Callback callback_;
};

/// Tells when files change, appear or vanish, by whatever means: written in place, renamed over, or a
/// symbolic link on the way re-pointed. It watches the folders (inotify) and compares what the paths lead to;
/// it reads no file.
///
/// Thread rule: its loop's thread.
class FileWatcher final : public Destroyable, private Watcher, private Timer {
 public:
  using Callback = std::move_only_function<void(const std::string& path)>;

  /// Called for each changed path, 100 ms after the last event, so that a certificate and its key written one
  /// after the other are both there. The folders must exist. The callback may not destroy the watcher
  /// (Loop::destroy_later does).
  [[nodiscard]] static Result<std::unique_ptr<FileWatcher>> create(Loop& loop, std::vector<std::string> paths,
                                                                   Callback callback);
  ~FileWatcher() override;

 private:
  /// What a path leads to now; all zeros for nothing.
  struct Identity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t changed_ns = 0;
    friend bool operator==(const Identity&, const Identity&) = default;
  };
  struct File {
    std::string path;
    Identity identity;
  };

  FileWatcher(Loop& loop, int fd, Callback callback) : loop_(loop), fd_(fd), callback_(std::move(callback)) {}
  static Identity identify(const std::string& path);
  Result<> watch_folders(const std::string& path);
  void handle_events(std::uint32_t events) override;
  void handle_timer() override;

  Loop& loop_;
  const int fd_;
  Callback callback_;
  std::vector<File> files_;
};

}  // namespace sinnet::io
