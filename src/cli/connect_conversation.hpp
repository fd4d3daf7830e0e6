#pragma once
/// Conversation: one WebSocket talking to a person, a pipe or a program. It neither opens nor listens, so
/// that `connect` and `listen` are the same from here on.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cli/connect_input.hpp"
#include "cli/connect_report.hpp"
#include "cli/exit.hpp"
#include "cli/terminal.hpp"
#include "sinnet/endpoint/handler.hpp"

namespace sinnet::cli {

struct ConversationOptions {
  ReportOptions report;
  bool binary = false;  ///< the whole input is one binary message; received bytes are written as they are
  std::string exec;     ///< speak with this program instead of stdin and stdout
  Duration wait = std::chrono::seconds{1};  ///< behind the input's end: for messages, after the last one
};

/// Thread rule: the loop its first connection belongs to. Input begins with the first connection and rests
/// while there is none.
class Conversation final : public endpoint::Handler, private io::Timer {
 public:
  explicit Conversation(ConversationOptions options);
  ~Conversation() override;

  /// Nothing will come any more: ends the connection, if there is one.
  void hang_up(ws::CloseCode code = ws::CloseCode::Normal, std::string_view reason = {});
  [[nodiscard]] Report& report() { return report_; }
  /// Whether we, or the input's end, asked for the end.
  [[nodiscard]] bool is_leaving() const noexcept { return is_leaving_; }
  /// Done, or Failed when it ended otherwise than orderly.
  [[nodiscard]] Exit exit() const noexcept { return exit_; }
  [[nodiscard]] const WriteOutValues& counted() const noexcept { return counted_; }
  /// Gives terminal and input back. Before the loop goes.
  void end();

  void open(endpoint::Connection& connection) override;
  void message(endpoint::Connection& connection, const endpoint::Message& message) override;
  void drained(endpoint::Connection& connection) override;
  void close(endpoint::Connection& connection, const endpoint::CloseInfo& info) override;

  /// How the other side is called in the talk; its address if empty.
  std::string peer_name;
  /// Called when the connection closed; after it the conversation may be continued with another one.
  std::function<void()> on_close;

 private:
  void begin_input(io::Loop& loop);
  void begin_exec(io::Loop& loop);
  void note_child_end();
  void take_piece(std::string_view piece);
  void take_line(std::string_view line);
  void take_end();
  void send(ws::MessageKind kind, std::string_view payload);
  void pause_input();
  void resume_input();
  void write_data(std::string_view text);
  void write_talk(std::string_view line);
  void handle_timer() override;

  const ConversationOptions options_;
  Report report_;
  endpoint::Connection* connection_ = nullptr;
  io::Loop* loop_ = nullptr;
  std::unique_ptr<Terminal> terminal_;
  std::unique_ptr<InputSource> input_;
  std::unique_ptr<ExecChild> child_;
  LineCutter cutter_;
  std::string whole_;  ///< --binary: the input so far
  WriteOutValues counted_;
  bool input_ended_ = false;
  bool child_output_ended_ = false;
  bool child_exited_ = false;
  bool is_leaving_ = false;
  bool holds_peer_ = false;  ///< the program reads too slowly
  Exit exit_ = Exit::Done;
};

}  // namespace sinnet::cli
