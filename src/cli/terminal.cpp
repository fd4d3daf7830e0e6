#include "cli/terminal.hpp"

#include <editline/readline.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace sinnet::cli {
namespace {

constexpr int history_lines_max = 1000;

/// Columns of the terminal; 80 where it does not say.
std::size_t columns() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

class EditedTerminal final : public Terminal, private io::Watcher {
 public:
  EditedTerminal(io::Loop& loop, std::string prompt, LineCallback handle_line,
                 std::function<void()> handle_end)
      : loop_(loop),
        prompt_(std::move(prompt)),
        handle_line_(std::move(handle_line)),
        handle_end_(std::move(handle_end)) {}
  ~EditedTerminal() override {
    if (is_watched_) loop_.unwatch(STDIN_FILENO, *this);
    erase_line();
    rl_callback_handler_remove();
    std::fflush(stdout);
    current = nullptr;
  }

  bool start() {
    current = this;
    // libedit drops characters that the locale cannot read. What we send is UTF-8 whatever it says.
    if (std::setlocale(LC_CTYPE, "") == nullptr || MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
    using_history();
    stifle_history(history_lines_max);
    is_watched_ = loop_.watch(STDIN_FILENO, EPOLLIN, *this).has_value();
    rl_callback_handler_install(prompt_.c_str(), &EditedTerminal::take_line);
    return is_watched_;
  }

  void print(std::string_view lines) override {
    erase_line();
    std::fwrite(lines.data(), 1, lines.size(), stdout);
    std::fflush(stdout);
    if (is_editing_) rl_forced_update_display();
  }

 private:
  /// Erases the line being typed with every row that it wraps over; the cursor is then where it began. A
  /// byte counts as a column: short for text beyond ASCII, which libedit spells out, and a row may stay.
  void erase_line() const {
    const std::size_t before_cursor = prompt_.size() + static_cast<std::size_t>(std::max(rl_point, 0));
    const std::size_t rows_up = is_editing_ ? before_cursor / columns() : 0;
    if (rows_up > 0) std::fprintf(stdout, "\x1b[%zuA", rows_up);
    std::fputs("\r\x1b[J", stdout);
  }
  static void take_line(char* line) {
    const std::unique_ptr<char, void (*)(void*)> owned(line, &std::free);
    if (current != nullptr) current->handle(line);
  }
  void handle(const char* line) {
    is_editing_ = false;  // libedit left its mode for this call
    if (line == nullptr) {
      loop_.unwatch(STDIN_FILENO, *this);
      is_watched_ = false;
      return handle_end_();
    }
    if (*line != '\0') add_history(line);
    handle_line_(line);
    // libedit, unlike readline, does not come back to it by itself: the next read would block for a whole
    // line.
    rl_callback_handler_install(prompt_.c_str(), &EditedTerminal::take_line);
    is_editing_ = true;
  }
  void handle_events(std::uint32_t events) override {
    if ((events & EPOLLIN) != 0) return rl_callback_read_char();
    loop_.unwatch(STDIN_FILENO, *this);  // the terminal is gone
    is_watched_ = is_editing_ = false;
    handle_end_();
  }

  static inline EditedTerminal* current = nullptr;  // libedit's callback carries nothing of ours

  io::Loop& loop_;
  const std::string prompt_;
  LineCallback handle_line_;
  std::function<void()> handle_end_;
  bool is_watched_ = false;
  bool is_editing_ = true;
};

}  // namespace

std::unique_ptr<Terminal> Terminal::open(io::Loop& loop, std::string prompt, LineCallback handle_line,
                                         std::function<void()> handle_end) {
  auto terminal = std::make_unique<EditedTerminal>(loop, std::move(prompt), std::move(handle_line),
                                                   std::move(handle_end));
  if (!terminal->start()) return nullptr;
  return terminal;
}

}  // namespace sinnet::cli
