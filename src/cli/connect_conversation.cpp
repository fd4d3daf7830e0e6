#include "cli/connect_conversation.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "cli/output.hpp"
#include "sinnet/ws/utf8.hpp"

namespace sinnet::cli {
namespace {

constexpr Duration child_end_wait = std::chrono::seconds(1);
constexpr std::size_t child_waiting_bytes_max = 1024 * 1024;  // beyond it the peer is held back

bool is_orderly(const endpoint::CloseInfo& info) noexcept {
  return info.was_clean && !info.was_violation &&
         (info.code == ws::CloseCode::Normal || info.code == ws::CloseCode::GoingAway ||
          info.code == ws::CloseCode::NoStatus);
}

}  // namespace

Conversation::Conversation(ConversationOptions options)
    : options_(std::move(options)),
      report_(
          options_.report, [this](std::string_view text) { write_data(text); },
          [this](std::string_view line) { write_talk(line); }) {}

Conversation::~Conversation() = default;

void Conversation::end() {
  if (loop_ != nullptr) loop_->disarm(*this);
  terminal_.reset();
  input_.reset();
  child_.reset();
}

// ---- the connection

void Conversation::open(endpoint::Connection& connection) {
  connection_ = &connection;
  report_.opened(connection, peer_name.empty() ? connection.peer_host() : peer_name);
  if (loop_ == nullptr) return begin_input(connection.loop());
  resume_input();
  if (input_ended_) take_end();
}

void Conversation::message(endpoint::Connection& connection, const endpoint::Message& message) {
  ++counted_.messages_received;
  counted_.bytes_received += message.payload.size();
  if (input_ended_ && !is_leaving_) loop_->arm(*this, loop_->now() + options_.wait);
  if (child_ == nullptr) return report_.received(message);
  const std::string line = std::string(message.text()) + "\n";
  if (child_->write(line) < child_waiting_bytes_max) return;
  holds_peer_ = true;
  connection.pause();
}

void Conversation::drained(endpoint::Connection&) { resume_input(); }

void Conversation::close(endpoint::Connection&, const endpoint::CloseInfo& info) {
  connection_ = nullptr;
  counted_.close_code = static_cast<int>(info.code);
  if (loop_ != nullptr) loop_->disarm(*this);
  pause_input();
  if (!is_orderly(info)) exit_ = Exit::Failed;
  report_.closed(info);
  if (child_ != nullptr) child_->finish_input();
  if (on_close) on_close();
}

void Conversation::hang_up(ws::CloseCode code, std::string_view reason) {
  is_leaving_ = true;
  if (connection_ != nullptr) connection_->close(code, reason);
}

void Conversation::handle_timer() { hang_up(); }

// ---- input

void Conversation::begin_input(io::Loop& loop) {
  loop_ = &loop;
  if (!options_.exec.empty()) return begin_exec(loop);
  if (options_.report.terminal && !options_.binary && ::isatty(STDIN_FILENO) != 0) {
    terminal_ = Terminal::open(
        loop, "> ", [this](const std::string& line) { take_line(line); }, [this] { hang_up(); });
    if (terminal_ != nullptr) return;
  }
  input_ = std::make_unique<InputSource>(
      loop, STDIN_FILENO, [this](std::string_view piece) { take_piece(piece); },
      [this] {
        if (options_.binary) {
          send(ws::MessageKind::Binary, whole_);
        } else {
          cutter_.finish([this](std::string_view line) { take_line(line); });
        }
        take_end();
      });
}

void Conversation::begin_exec(io::Loop& loop) {
  auto child = ExecChild::start(loop, options_.exec,
                                {.line = [this](std::string_view line) { take_line(line); },
                                 .end =
                                     [this] {
                                       child_output_ended_ = true;
                                       note_child_end();
                                     },
                                 .exit =
                                     [this](io::ChildExit how) {
                                       if (how.status != 0 || how.signal != 0) exit_ = Exit::Failed;
                                       child_exited_ = true;
                                       note_child_end();
                                     },
                                 .drained =
                                     [this] {
                                       if (std::exchange(holds_peer_, false) && connection_ != nullptr)
                                         connection_->resume();
                                     }});
  if (child) {
    child_ = std::move(*child);
    return;
  }
  complain(child.error().message);
  exit_ = Exit::Failed;
  hang_up();
}

/// The last line and the exit status come by different ways, in either order: both are waited for, though not
/// for ever, since a program may close its output and live on, or leave it open in a child of its own.
void Conversation::note_child_end() {
  if (child_output_ended_ && child_exited_) return hang_up();
  loop_->arm(*this, loop_->now() + child_end_wait);
}

void Conversation::take_piece(std::string_view piece) {
  if (options_.binary) {
    whole_ += piece;
  } else {
    cutter_.add(piece, [this](std::string_view line) { take_line(line); });
  }
}

void Conversation::take_line(std::string_view line) { send(ws::MessageKind::Text, line); }

void Conversation::send(ws::MessageKind kind, std::string_view payload) {
  if (connection_ == nullptr || is_leaving_) return;
  if (kind == ws::MessageKind::Text && !ws::is_utf8(as_bytes(payload))) {
    report_.say("not sent: a text message must be UTF-8 (--binary sends any bytes)");
    exit_ = Exit::Failed;
    return;
  }
  if (!connection_->send(kind, as_bytes(payload))) return;
  ++counted_.messages_sent;
  counted_.bytes_sent += payload.size();
  if (connection_->room_bytes() == 0) pause_input();
}

/// Replies may be under way: who pipes a question in wants the answer. Silence ends the wait.
void Conversation::take_end() {
  input_ended_ = true;
  if (connection_ != nullptr) loop_->arm(*this, loop_->now() + options_.wait);
}

void Conversation::pause_input() {
  if (input_ != nullptr) input_->pause();
  if (child_ != nullptr) child_->output().pause();
}

void Conversation::resume_input() {
  if (input_ != nullptr) input_->resume();
  if (child_ != nullptr) child_->output().resume();
}

// ---- output

void Conversation::write_data(std::string_view text) {
  if (terminal_ != nullptr) return terminal_->print(text);
  if (print(text) == Exit::Done) return;
  exit_ = Exit::Failed;
  hang_up();
}

void Conversation::write_talk(std::string_view line) {
  if (terminal_ != nullptr) return terminal_->print(fmt::format("* {}\n", line));
  complain(line);
}

}  // namespace sinnet::cli
