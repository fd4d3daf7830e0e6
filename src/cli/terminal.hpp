#pragma once
/// Terminal: a line editor with history on stdin and stdout that shares the screen with what arrives
/// meanwhile. The only file behind it knows libedit.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "sinnet/io/loop.hpp"

namespace sinnet::cli {

/// One per process, since the line editor keeps its state in globals. Thread rule: its loop's thread.
class Terminal {
 public:
  using LineCallback = std::function<void(std::string line)>;

  /// `handle_line` gets each line without its end; `handle_end` is called at the end of input (Ctrl-D).
  [[nodiscard]] static std::unique_ptr<Terminal> open(io::Loop& loop, std::string prompt,
                                                      LineCallback handle_line,
                                                      std::function<void()> handle_end);
  /// Gives the terminal back as it was.
  virtual ~Terminal() = default;
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// Writes whole lines above the line being typed, which is then drawn again.
  virtual void print(std::string_view lines) = 0;

 protected:
  Terminal() = default;
};

}  // namespace sinnet::cli
