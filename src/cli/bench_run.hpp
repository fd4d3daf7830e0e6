#pragma once
/// BenchRun: opens many WebSockets on one loop, keeps them busy as planned and measures. It prints nothing.

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/bench_histogram.hpp"
#include "sinnet/endpoint/client.hpp"
#include "sinnet/io/loop.hpp"

namespace sinnet::cli {

enum class BenchMode : std::uint8_t {
  Echo,     ///< every message comes back
  Connect,  ///< open and close, over and over
  Idle,     ///< open and hold
  Fanout,   ///< one more connection sends, all others receive
};

struct BenchPlan {
  BenchMode mode = BenchMode::Echo;
  std::string url;
  std::size_t connections = 10;
  std::size_t depth = 1;  ///< messages under way on each connection (Fanout: in all); not with a rate
  std::size_t size_bytes = 64;
  /// Messages a second over all connections, sent when they are due whatever the server does. 0: as fast as
  /// `depth` allows.
  double rate = 0;
  Duration duration = std::chrono::seconds{10};
};

struct BenchResult {
  Duration opening_took{};  ///< until all connections were open
  Duration took{};          ///< what was measured behind it
  std::uint64_t opened = 0;
  std::uint64_t failed = 0;  ///< never opened
  std::uint64_t lost = 0;    ///< ended without having been asked to
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t wrong = 0;       ///< replies that are not what was sent
  std::uint64_t unanswered = 0;  ///< at the end; in `latency` with the time they had waited
  Histogram latency;             ///< of messages, from when they were due. Connect: of openings
  Histogram opening;             ///< of each connection
  Error first_error;             ///< of those that failed
};

class BenchRun {
 public:
  BenchRun(io::Loop& loop, endpoint::Client& client, const BenchPlan& plan);
  ~BenchRun();

  /// Runs until the plan's time is up, or `stop()`. `progress` is called about once a second.
  [[nodiscard]] BenchResult run(const std::function<void(const BenchResult&, Duration left)>& progress);
  /// From a callback of the loop.
  void stop() noexcept { is_stopped_ = true; }

 private:
  struct Line;
  class LineHandler;
  using Progress = std::function<void(const BenchResult&, Duration left)>;

  void open_lines(const Progress& progress);
  void begin_line(std::size_t index);
  void measure(const Progress& progress);
  void wait_for_replies();
  void close_lines();
  void handle_open(std::size_t index, Connection& connection);
  void handle_message(std::size_t index, Connection& connection, const Message& message);
  void handle_failed(const endpoint::OpenFailure& failure);
  void handle_close(std::size_t index);
  void handle_published(const Message& message);
  void send_due();
  [[nodiscard]] Time due(std::uint64_t number) const;
  [[nodiscard]] bool send(std::size_t index, Time due);
  [[nodiscard]] bool publish(Time due);
  void turn(Duration wait);

  io::Loop& loop_;
  endpoint::Client& client_;
  const BenchPlan plan_;
  BenchResult result_;
  std::string payload_;
  std::vector<std::unique_ptr<Line>> lines_;
  std::vector<std::size_t> to_reopen_;
  std::vector<std::size_t> copies_;  ///< Fanout: receipts missing of each message under way
  std::size_t opening_ = 0;
  std::size_t open_ = 0;
  std::uint64_t scheduled_ = 0;  ///< messages that fell due and were sent
  Time start_{};
  bool is_measuring_ = false;
  bool is_sending_ = false;
  bool is_closing_ = false;
  bool is_stopped_ = false;
};

}  // namespace sinnet::cli
