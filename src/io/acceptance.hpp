#pragma once
/// Listener::Acceptance: the accept loop of a started listener. It owns no listening socket.

#include "sinnet/io/listener.hpp"

namespace sinnet::io {

class Listener::Acceptance final : private Watcher, private Timer {
 public:
  Acceptance(Loop& loop, int fd, AcceptHandler& handler);
  ~Acceptance() override;

  Result<> watch();
  /// No call of the handler follows.
  void end();
  [[nodiscard]] bool is_accepting() const noexcept { return is_accepting_; }

 private:
  enum class Outcome : std::uint8_t { Accepted, Again, Empty, Shed, Trouble };

  void handle_events(std::uint32_t events) override;
  void handle_timer() override;
  Outcome accept_one(bool is_exhausted);
  Outcome judge(int errno_value);
  [[nodiscard]] bool shed_one();
  void pause(Duration time, int errno_value);

  Loop& loop_;
  AcceptHandler& handler_;
  int fd_;
  int reserve_fd_ = -1;
  int trouble_errno_ = 0;
  bool is_watched_ = false;
  bool is_ended_ = false;
  bool is_accepting_ = false;  // inside handle_events
};

}  // namespace sinnet::io
