#include "cli/connect_input.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

namespace sinnet::cli {
namespace {

constexpr std::size_t piece_bytes = 64 * 1024;    // what a pipe holds
constexpr std::size_t little_bytes = 256 * 1024;  // below it a child's stdin has room again

}  // namespace

// ---- InputSource

InputSource::InputSource(io::Loop& loop, int fd, Pieces handle_piece, std::function<void()> handle_end)
    : loop_(loop), fd_(fd), handle_piece_(std::move(handle_piece)), handle_end_(std::move(handle_end)) {
  resume();
}

InputSource::~InputSource() {
  if (is_watched_) loop_.unwatch(fd_, *this);
}

void InputSource::pause() {
  if (std::exchange(is_watched_, false)) loop_.unwatch(fd_, *this);
  is_paused_ = true;
}

void InputSource::resume() {
  is_paused_ = false;
  if (is_over_ || is_watched_) return;
  if (!is_file_) is_watched_ = loop_.watch(fd_, EPOLLIN, *this).has_value();
  is_file_ = !is_watched_;
  if (is_file_) loop_.next_turn(*this);
}

void InputSource::handle_events(std::uint32_t) { read_some(); }

void InputSource::run_task() {
  if (is_paused_ || is_over_) return;
  loop_.next_turn(*this);  // first, since the handler may pause
  read_some();
}

void InputSource::read_some() {
  std::array<char, piece_bytes> piece;
  const ssize_t count = ::read(fd_, piece.data(), piece.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count > 0) return handle_piece_({piece.data(), static_cast<std::size_t>(count)});
  is_over_ = true;
  if (std::exchange(is_watched_, false)) loop_.unwatch(fd_, *this);
  handle_end_();
}

// ---- LineCutter

void LineCutter::add(std::string_view piece, const std::function<void(std::string_view)>& handle_line) {
  while (!piece.empty()) {
    const std::size_t end = piece.find('\n');
    held_ += piece.substr(0, end);
    piece.remove_prefix(end == piece.npos ? piece.size() : end + 1);
    if (end == piece.npos && held_.size() < line_bytes_max) return;
    finish(handle_line, end != piece.npos);
  }
}

void LineCutter::finish(const std::function<void(std::string_view)>& handle_line) {
  if (!held_.empty()) finish(handle_line, false);
}

void LineCutter::finish(const std::function<void(std::string_view)>& handle_line, bool had_end) {
  std::string line = std::exchange(held_, {});
  if (had_end && line.ends_with('\r')) line.pop_back();
  handle_line(line);
}

// ---- ExecChild

Result<std::unique_ptr<ExecChild>> ExecChild::start(io::Loop& loop, const std::string& command,
                                                    Callbacks callbacks) {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  if (::pipe2(in.data(), O_CLOEXEC) != 0) return std::unexpected(Error::from_errno(errno, "pipe"));
  if (::pipe2(out.data(), O_CLOEXEC) != 0) {
    const int error = errno;
    ::close(in[0]);
    ::close(in[1]);
    return std::unexpected(Error::from_errno(error, "pipe"));
  }
  io::ignore_broken_pipes();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  // Our signals come through a signalfd and SIGPIPE is ignored; the child wants both as they were.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t signals;
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);
  sigaddset(&signals, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string shell = "sh";
  std::string option = "-c";
  std::string text = command;
  std::array<char*, 4> arguments{shell.data(), option.data(), text.data(), nullptr};
  auto self = std::unique_ptr<ExecChild>(new ExecChild(loop, std::move(callbacks)));
  const int failed =
      ::posix_spawn(&self->child_, "/bin/sh", &actions, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  ::close(in[0]);
  ::close(out[1]);
  self->in_fd_ = in[1];
  self->out_fd_ = out[0];
  if (failed != 0) return std::unexpected(Error::from_errno(failed, "sh"));
  ::fcntl(self->in_fd_, F_SETFL, O_NONBLOCK);
  auto watcher = io::ChildWatcher::create(loop, self->child_, [child = self.get()](io::ChildExit how) {
    child->child_ = -1;
    child->callbacks_.exit(how);
  });
  if (!watcher) return std::unexpected(watcher.error());
  self->watcher_ = std::move(*watcher);
  self->output_ = std::make_unique<InputSource>(
      loop, self->out_fd_,
      [child = self.get()](std::string_view piece) { child->cutter_.add(piece, child->callbacks_.line); },
      [child = self.get()] {
        child->cutter_.finish(child->callbacks_.line);
        child->callbacks_.end();
      });
  return self;
}

ExecChild::~ExecChild() {
  close_input();
  output_.reset();
  if (out_fd_ >= 0) ::close(out_fd_);
}

std::size_t ExecChild::write(std::string_view text) {
  if (in_fd_ < 0 || is_finishing_) return 0;
  waiting_ += text;
  flush();
  return waiting_.size();
}

void ExecChild::flush() {
  while (in_fd_ >= 0 && !waiting_.empty()) {
    const ssize_t count = ::write(in_fd_, waiting_.data(), waiting_.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno != EAGAIN) return close_input();  // it reads no more
    if (count < 0) break;
    waiting_.erase(0, static_cast<std::size_t>(count));
  }
  if (waiting_.empty() && is_finishing_) return close_input();
  if (waiting_.empty() == is_watched_) {
    if (is_watched_) {
      loop_.unwatch(in_fd_, *this);
      is_watched_ = false;
    } else {
      is_watched_ = loop_.watch(in_fd_, EPOLLOUT, *this).has_value();
    }
  }
}

void ExecChild::handle_events(std::uint32_t) {
  const bool was_much = waiting_.size() > little_bytes;
  flush();
  if (was_much && waiting_.size() <= little_bytes) callbacks_.drained();
}

void ExecChild::finish_input() {
  is_finishing_ = true;
  if (waiting_.empty()) close_input();
}

void ExecChild::close_input() {
  if (in_fd_ < 0) return;
  if (std::exchange(is_watched_, false)) loop_.unwatch(in_fd_, *this);
  ::close(std::exchange(in_fd_, -1));
  waiting_.clear();
}

void ExecChild::terminate() {
  if (child_ > 0) ::kill(child_, SIGTERM);
}

}  // namespace sinnet::cli
