#include "cli/bench_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace sinnet::cli {
namespace {

using namespace std::chrono_literals;

// More at once would only measure the listener's backlog.
constexpr std::size_t openings_at_once = 64;
// What is still under way when the time is up gets so long; a server in trouble would need for ever.
constexpr Duration last_replies_wait = 2s;
constexpr Duration close_wait = 2s;
// A published message begins with its number and its time, each as 16 hex digits.
constexpr std::size_t stamp_bytes = 32;

Time now() { return io::Loop::read_clock(); }

std::string make_payload(std::size_t size_bytes) {
  // Compresses about as JSON does.
  constexpr std::string_view pattern = R"({"id":48151623,"user":"anna","text":"the quick brown fox jumps"},)";
  std::string payload;
  while (payload.size() < size_bytes) payload += pattern;
  payload.resize(size_bytes);
  return payload;
}

}  // namespace

struct BenchRun::Line {
  std::unique_ptr<endpoint::ClientSession> session;
  std::deque<Time> under_way;  ///< when each message was due; replies come in order
};

class BenchRun::LineHandler final : public endpoint::Handler {
 public:
  LineHandler(BenchRun& run, std::size_t index) : run_(run), index_(index) {}
  void open(Connection& connection) override { run_.handle_open(index_, connection); }
  void message(Connection& connection, const Message& message) override {
    run_.handle_message(index_, connection, message);
  }
  void close(Connection&, const endpoint::CloseInfo&) override { run_.handle_close(index_); }

 private:
  BenchRun& run_;
  const std::size_t index_;
};

BenchRun::BenchRun(io::Loop& loop, endpoint::Client& client, const BenchPlan& plan)
    : loop_(loop), client_(client), plan_(plan), payload_(make_payload(plan.size_bytes)) {
  if (plan_.mode == BenchMode::Fanout && payload_.size() < stamp_bytes) payload_.resize(stamp_bytes, ' ');
}

BenchRun::~BenchRun() = default;

BenchResult BenchRun::run(const Progress& progress) {
  open_lines(progress);
  if (result_.failed == 0 && !is_stopped_) {
    measure(progress);
    wait_for_replies();
  }
  close_lines();
  return std::move(result_);
}

void BenchRun::turn(Duration wait) {
  loop_.run_once(std::clamp(wait, Duration{0}, Duration{100ms}));
  // Sessions end inside callbacks and are replaced outside of them.
  for (const std::size_t index : std::exchange(to_reopen_, {})) {
    if (is_sending_) begin_line(index);
  }
}

// ---- opening and closing

void BenchRun::begin_line(std::size_t index) {
  ++opening_;
  auto session = client_.connect(plan_.url, std::make_shared<LineHandler>(*this, index),
                                 [this](const endpoint::OpenFailure& failure) { handle_failed(failure); });
  if (session) {
    lines_[index]->session = std::move(*session);
  } else {
    handle_failed({.error = session.error()});
  }
}

void BenchRun::open_lines(const Progress& progress) {
  if (plan_.mode == BenchMode::Connect) {
    for (std::size_t i = 0; i < plan_.connections; ++i) lines_.push_back(std::make_unique<Line>());
    return;
  }
  const Time begun = now();
  Time said = begun;
  // In Fanout the line behind the last sends.
  const std::size_t wanted = plan_.connections + (plan_.mode == BenchMode::Fanout ? 1 : 0);
  while (open_ < wanted && result_.failed == 0 && !is_stopped_) {
    while (lines_.size() < wanted && opening_ < openings_at_once) {
      lines_.push_back(std::make_unique<Line>());
      begin_line(lines_.size() - 1);
    }
    turn(100ms);
    if (now() - said > 1s) progress(result_, plan_.duration), said = now();
  }
  result_.opening_took = now() - begun;
}

void BenchRun::handle_failed(const endpoint::OpenFailure& failure) {
  --opening_;
  if (result_.failed++ == 0) result_.first_error = failure.error;
}

void BenchRun::handle_open(std::size_t index, Connection& connection) {
  --opening_;
  ++open_;
  ++result_.opened;
  const Duration took = lines_[index]->session->timings().upgraded;
  result_.opening.add(took);
  if (plan_.mode != BenchMode::Connect) return;
  result_.latency.add(took);
  connection.close();
}

void BenchRun::handle_close(std::size_t index) {
  --open_;
  if (plan_.mode == BenchMode::Connect) {
    to_reopen_.push_back(index);
  } else if (!is_closing_) {
    ++result_.lost;
  }
}

void BenchRun::close_lines() {
  is_closing_ = true;
  for (const auto& line : lines_) {
    if (line->session != nullptr) line->session->close();
  }
  const Time until = now() + close_wait;
  while (open_ > 0 && now() < until) turn(100ms);
  lines_.clear();
}

// ---- messages

void BenchRun::measure(const Progress& progress) {
  is_measuring_ = is_sending_ = true;
  start_ = now();
  const Time end = start_ + plan_.duration;
  Time said = start_;
  if (plan_.mode == BenchMode::Connect) {
    for (std::size_t i = 0; i < lines_.size(); ++i) begin_line(i);
  } else if (plan_.rate == 0 && plan_.mode == BenchMode::Echo) {
    for (std::size_t i = 0; i < plan_.depth * lines_.size(); ++i) (void)send(i % lines_.size(), now());
  } else if (plan_.rate == 0 && plan_.mode == BenchMode::Fanout) {
    copies_.assign(plan_.depth, 0);
    for (std::size_t i = 0; i < plan_.depth; ++i) (void)publish(now());
  }
  const bool has_schedule = plan_.rate > 0;
  while (!is_stopped_ && (plan_.mode == BenchMode::Connect ? result_.failed == 0 : open_ > 0)) {
    const Time at = now();
    if (at >= end) break;
    if (has_schedule) send_due();
    turn(has_schedule ? std::min(due(scheduled_), end) - now() : end - at);
    if (now() - said > 1s) progress(result_, end - now()), said = now();
  }
  is_sending_ = false;
  result_.took = now() - start_;
}

Time BenchRun::due(std::uint64_t number) const {
  return start_ + Duration{static_cast<std::int64_t>(static_cast<double>(number) * 1e9 / plan_.rate)};
}

/// What a real crowd would have sent by now. A message that cannot go out yet stays due: its latency counts
/// from when it should have been sent, so that a server that stalls does not hide what it cost (coordinated
/// omission).
void BenchRun::send_due() {
  for (Time next = due(scheduled_); next <= now(); next = due(++scheduled_)) {
    const bool went =
        plan_.mode == BenchMode::Fanout ? publish(next) : send(scheduled_ % lines_.size(), next);
    if (!went) return;
  }
}

bool BenchRun::send(std::size_t index, Time due) {
  Line& line = *lines_[index];
  Connection* const connection = line.session->connection();
  if (connection == nullptr) return true;  // lost, and counted as such
  if (plan_.rate > 0 && connection->room_bytes() == 0) return false;
  if (!connection->send_text(payload_)) return true;
  line.under_way.push_back(due);
  ++result_.sent;
  return true;
}

bool BenchRun::publish(Time due) {
  Connection* const connection = lines_.back()->session->connection();
  if (connection == nullptr) return true;
  if (plan_.rate > 0 && connection->room_bytes() == 0) return false;
  const std::uint64_t number = result_.sent;
  std::string message = fmt::format("{:016x}{:016x}", number, due.time_since_epoch().count());
  message += std::string_view(payload_).substr(stamp_bytes);
  if (!connection->send_text(message)) return true;
  if (!copies_.empty()) copies_[number % copies_.size()] = plan_.connections;
  ++result_.sent;
  return true;
}

void BenchRun::handle_message(std::size_t index, Connection&, const Message& message) {
  if (!is_measuring_) return;  // a greeting
  if (plan_.mode == BenchMode::Fanout) {
    if (index != plan_.connections) handle_published(message);  // some servers send to the sender too
    return;
  }
  Line& line = *lines_[index];
  if (line.under_way.empty() || message.text() != payload_) {
    ++result_.wrong;
    if (line.under_way.empty()) return;
  }
  ++result_.received;
  result_.latency.add(now() - line.under_way.front());
  line.under_way.pop_front();
  if (is_sending_ && plan_.rate == 0) (void)send(index, now());
}

namespace {

/// False unless all of `digits` is one hexadecimal number.
template <class Number>
bool parse_hex(std::string_view digits, Number& number) {
  const char* const begin = digits.data();  // NOLINT(bugprone-suspicious-stringview-data-usage): with its end
  const char* const end = begin + digits.size();
  return std::from_chars(begin, end, number, 16).ptr == end;
}

}  // namespace

void BenchRun::handle_published(const Message& message) {
  std::uint64_t number = 0;
  std::int64_t sent_ns = 0;
  const std::string_view text = message.text();
  const bool is_whole = text.size() == payload_.size() && text.size() >= 32;
  if (!is_whole || !parse_hex(text.substr(0, 16), number) || !parse_hex(text.substr(16, 16), sent_ns) ||
      number >= result_.sent) {
    ++result_.wrong;
    return;
  }
  ++result_.received;
  result_.latency.add(now() - Time{Duration{sent_ns}});
  if (copies_.empty() || --copies_[number % copies_.size()] > 0) return;
  if (is_sending_) (void)publish(now());
}

void BenchRun::wait_for_replies() {
  const Time until = now() + last_replies_wait;
  const auto missing = [this] {
    if (plan_.mode == BenchMode::Fanout) return result_.sent * plan_.connections - result_.received;
    return result_.sent - result_.received;
  };
  while (missing() > 0 && open_ > 0 && now() < until && !is_stopped_) turn(100ms);
  result_.unanswered = missing();
  const Time end = now();
  for (const auto& line : lines_) {
    for (const Time due : line->under_way) result_.latency.add(end - due);
  }
  // So does what fell due and could not even be sent.
  if (plan_.rate > 0 && !is_stopped_) {
    const Time over = start_ + result_.took;
    for (Time due = this->due(scheduled_); due < over; due = this->due(++scheduled_)) {
      result_.latency.add(end - due);
      ++result_.unanswered;
    }
  }
  is_measuring_ = false;
}

}  // namespace sinnet::cli
