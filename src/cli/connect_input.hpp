#pragma once
/// Lines from a descriptor and bytes to one, on a loop, without blocking it. Nothing here knows messages.

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "sinnet/base/error.hpp"
#include "sinnet/io/loop.hpp"
#include "sinnet/io/signals.hpp"

namespace sinnet::cli {

/// Reads a descriptor of any kind (pipe, terminal, regular file) in pieces.
class InputSource final : private io::Watcher, private io::Task {
 public:
  using Pieces = std::function<void(std::string_view)>;

  /// `handle_piece` for what was read; `handle_end` once, at the end or an error. The descriptor stays its
  /// owner's, and blocking: nothing is read that is not there.
  InputSource(io::Loop& loop, int fd, Pieces handle_piece, std::function<void()> handle_end);
  ~InputSource() override;

  void pause();
  void resume();

 private:
  void handle_events(std::uint32_t events) override;
  void run_task() override;
  void read_some();

  io::Loop& loop_;
  const int fd_;
  Pieces handle_piece_;
  std::function<void()> handle_end_;
  bool is_watched_ = false;
  bool is_file_ = false;  ///< always readable, so that epoll refuses it
  bool is_over_ = false;
  bool is_paused_ = false;
};

/// Cuts pieces into lines without their ends ("\n" or "\r\n").
class LineCutter {
 public:
  /// A longer line is handed over in parts of this size.
  static constexpr std::size_t line_bytes_max = 64 * 1024 * 1024;

  void add(std::string_view piece, const std::function<void(std::string_view)>& handle_line);
  /// The last line, if it had no end.
  void finish(const std::function<void(std::string_view)>& handle_line);

 private:
  void finish(const std::function<void(std::string_view)>& handle_line, bool had_end);

  std::string held_;
};

/// A program of `sh -c`, with its stdin and stdout in our hands and our stderr in its.
class ExecChild final : private io::Watcher {
 public:
  struct Callbacks {
    std::function<void(std::string_view line)> line;
    std::function<void()> end;  ///< of its output
    std::function<void(io::ChildExit)> exit;
    std::function<void()> drained;  ///< what waits for its stdin became little again
  };
  [[nodiscard]] static Result<std::unique_ptr<ExecChild>> start(io::Loop& loop, const std::string& command,
                                                                Callbacks callbacks);
  ~ExecChild();

  /// Answers how many bytes wait.
  std::size_t write(std::string_view text);
  /// Closes its stdin behind what waits.
  void finish_input();
  void terminate();
  [[nodiscard]] InputSource& output() { return *output_; }

 private:
  ExecChild(io::Loop& loop, Callbacks callbacks) : loop_(loop), callbacks_(std::move(callbacks)) {}
  void handle_events(std::uint32_t events) override;
  void flush();
  void close_input();

  io::Loop& loop_;
  Callbacks callbacks_;
  pid_t child_ = -1;
  int in_fd_ = -1;
  int out_fd_ = -1;
  std::string waiting_;
  bool is_watched_ = false;
  bool is_finishing_ = false;
  LineCutter cutter_;
  std::unique_ptr<InputSource> output_;
  std::unique_ptr<io::ChildWatcher> watcher_;
};

}  // namespace sinnet::cli
