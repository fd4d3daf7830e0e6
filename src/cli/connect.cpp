// `sinnet connect`: a WebSocket for a person, a pipe or a program.

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "cli/client_options.hpp"
#include "cli/connect_conversation.hpp"
#include "cli/connect_options.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "sinnet/io/signals.hpp"

namespace sinnet::cli {
namespace {

std::span<const Option> options() {
  static const std::vector<Option> all = [] {
    std::vector<Option> own = conversation_options();
    own.push_back({"-w,--write-out", "FORMAT", "print at the end, e.g. '%{time_upgrade} %{http_code}\\n'"});
    own.push_back({"--reconnect", "", "open again when it is refused or lost"});
    return with_client_options(std::move(own));
  }();
  return all;
}

/// One run of the verb: the session and what ends the loop.
class Run {
 public:
  Run(io::Loop& loop, Conversation& conversation) : loop_(loop), conversation_(conversation) {}

  Exit run(endpoint::Client& client, const std::string& url) {
    const Time begun = io::Loop::read_clock();
    // The conversation outlives the session, so it is lent, not shared.
    auto session =
        client.connect(url, std::shared_ptr<endpoint::Handler>(std::shared_ptr<void>(), &conversation_),
                       [this](const endpoint::OpenFailure& failure) {
                         conversation_.report().failed(failure);
                         if (!failure.retry_in) exit_ = exit_of(failure);
                         http_code_ = failure.status;
                       });
    if (!session) {
      complain(session.error().message);
      return exit_of(session.error());
    }
    session_ = std::move(*session);
    constexpr std::array signals{SIGINT, SIGTERM};
    const auto watcher = io::SignalWatcher::create(loop_, signals, [this](int) { handle_signal(); });
    while (session_->state() != endpoint::ClientSession::State::Over && !is_over_) {
      loop_.run_once(Duration::max());
      // Whoever leaves does not come back, not even from a wait between attempts.
      const bool is_open = session_->state() == endpoint::ClientSession::State::Open;
      if (conversation_.is_leaving() && !is_open) session_->close();
    }
    values_ = conversation_.counted();
    values_.total = io::Loop::read_clock() - begun;
    values_.timings = session_->timings();
    values_.http_code = session_->response().status() != 0 ? session_->response().status() : http_code_;
    values_.protocol = session_->response().headers().find("sec-websocket-protocol").value_or("");
    values_.remote_ip = session_->remote().host();
    values_.remote_port = session_->remote().port();
    values_.url = url;
    session_.reset();
    return exit_ == Exit::Done ? conversation_.exit() : exit_;
  }
  [[nodiscard]] const WriteOutValues& values() const noexcept { return values_; }

 private:
  void handle_signal() {
    // The first asks for the closing handshake, the second does not wait for it.
    if (conversation_.is_leaving()) is_over_ = true;
    conversation_.hang_up();
    if (session_->state() == endpoint::ClientSession::State::Open) {
      session_->close();
    } else {
      is_over_ = true;
    }
  }

  io::Loop& loop_;
  Conversation& conversation_;
  std::unique_ptr<endpoint::ClientSession> session_;
  WriteOutValues values_;
  int http_code_ = 0;
  Exit exit_ = Exit::Done;
  bool is_over_ = false;
};

Exit run(const Arguments& arguments) {
  if (arguments.operands().empty()) {
    complain("connect: expected a URL; see: sinnet connect --help");
    return Exit::Usage;
  }
  const std::string url = complete_url(arguments.operands()[0]);
  auto settings = client_options(arguments, url);
  const auto conversing = read_conversation_options(arguments);
  if (!settings || !conversing) {
    if (!settings) complain("connect: " + settings.error());
    return Exit::Usage;
  }
  auto loop = io::Loop::create();
  if (!loop) {
    complain(loop.error().message);
    return Exit::Failed;
  }
  Conversation conversation(*conversing);
  conversation.peer_name = url.substr(0, url.find('?'));
  if (arguments.has("--frames")) settings->websocket.trace = &conversation.report();
  apply_conversation_limits(arguments, settings->websocket);
  settings->reconnect.enabled = arguments.has("--reconnect");
  auto client = endpoint::Client::create(**loop, std::move(*settings));
  if (!client) {
    complain(client.error().message);
    return Exit::Usage;
  }
  Run running(**loop, conversation);
  Exit exit = running.run(**client, url);
  conversation.end();
  if (const auto format = arguments.value("--write-out")) {
    const Exit printed = print(write_out(*format, running.values()));
    if (exit == Exit::Done) exit = printed;
  }
  return exit;
}

}  // namespace

const Verb verb_connect{
    .name = "connect",
    .summary = "Talk to a WebSocket server",
    .synopsis =
        "URL [-H 'K: V']... [-s PROTO]... [--json] [--hex] [--frames] [-w FORMAT] [--exec CMD] "
        "[--reconnect]",
    .options = &options,
    .operands_max = 1,
    .examples =
        "  sinnet connect localhost:8080/chat                     lines to type, with history\n"
        "  echo hello | sinnet connect ws://localhost:8080/       each line a message, each message a line\n"
        "  sinnet connect wss://example.com/feed --wait 1h </dev/null | jq .price\n"
        "  sinnet connect ws://localhost:8080/ --binary <photo.jpg >echo.jpg\n"
        "  sinnet connect wss://example.com/ -w '%{time_connect} %{time_upgrade}\\n' </dev/null\n"
        "  sinnet connect ws://localhost:8080/jobs --exec ./work.sh --reconnect\n"
        "  sinnet connect ws+unix:/run/app.sock:/chat             through a Unix socket\n",
    .run = &run,
};

}  // namespace sinnet::cli
