// `sinnet conformance`: the client's side of an Autobahn run. The fuzzing server asks the questions and
// judges.

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <optional>

#include <unistd.h>

#include "cli/client_options.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"

namespace sinnet::cli {
namespace {

// Cases 9.1.6 and 9.2.6 send 16 MiB; nothing in the suite goes beyond, and the rest is room.
constexpr std::uint64_t message_bytes_max = 128 * 1024 * 1024;

std::span<const Option> options() {
  static const std::vector<Option> all = with_client_options({
      {"--case", "N", "this case only", true},
      {"--no-deflate", "", "offer no compression (the server then skips sections 12 and 13)"},
  });
  return all;
}

/// Agents are names such as "sinnet 0.1"; they go into a query.
std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

class Run {
 public:
  Run(io::Loop& loop, endpoint::Client& client, std::string base, std::string_view agent)
      : loop_(loop), client_(client), base_(std::move(base)), agent_(escape(agent)) {}

  Exit run(const std::vector<std::string>& chosen) {
    std::vector<unsigned> cases;
    for (const std::string& text : chosen) {
      unsigned number = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error != std::errc{} || end != text.data() + text.size() || number == 0) {
        complain(fmt::format("--case: expected a number from 1, got \"{}\"", text));
        return Exit::Usage;
      }
      cases.push_back(number);
    }
    if (cases.empty()) {
      const std::optional<unsigned> count = ask_count();
      if (!count) return exit_;
      for (unsigned number = 1; number <= *count; ++number) cases.push_back(number);
    }
    for (const unsigned number : cases) {
      if (::isatty(STDERR_FILENO) != 0) {
        std::fprintf(stderr, "\rcase %u of %u ", number, cases.back());
        std::fflush(stderr);
      }
      // A case may end by what looks like an accident; only the opening must work.
      if (!visit(fmt::format("/runCase?case={}&agent={}", number, agent_))) return exit_;
    }
    if (::isatty(STDERR_FILENO) != 0) std::fputs("\r\x1b[K", stderr);
    if (!visit(fmt::format("/updateReports?agent={}", agent_))) return exit_;
    return print(fmt::format("{} cases run; the server's report has the verdicts\n", cases.size()));
  }

 private:
  std::optional<unsigned> ask_count() {
    text_.clear();
    if (!visit("/getCaseCount")) return std::nullopt;
    unsigned count = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), count);
    if (error == std::errc{} && end == text_.data() + text_.size()) return count;
    complain(base_ + ": getCaseCount answered no number; is it a fuzzing server?");
    exit_ = Exit::Failed;
    return std::nullopt;
  }

  /// Opens, echoes until the end. False, after complaining, when it does not open.
  bool visit(const std::string& path) {
    const bool echoes = path.starts_with("/runCase");
    bool opened = false;
    endpoint::Callbacks callbacks{.open = [&](Connection&) { opened = true; },
                                  .message =
                                      [&](Connection& connection, const Message& message) {
                                        if (echoes) {
                                          static_cast<void>(connection.send(message));
                                        } else {
                                          text_ = message.text();
                                        }
                                      },
                                  .close = [this](Connection&, const endpoint::CloseInfo&) { loop_.stop(); }};
    auto session = client_.connect(base_ + path, std::move(callbacks), [this](const auto& failure) {
      complain(failure.error.message);
      exit_ = exit_of(failure);
      loop_.stop();
    });
    if (!session) {
      complain(session.error().message);
      exit_ = exit_of(session.error());
      return false;
    }
    loop_.run();
    return opened;
  }

  io::Loop& loop_;
  endpoint::Client& client_;
  const std::string base_;
  const std::string agent_;
  std::string text_;
  Exit exit_ = Exit::Done;
};

Exit run(const Arguments& arguments) {
  if (arguments.operands().size() != 2) {
    complain("conformance: expected URL AGENT; see: sinnet conformance --help");
    return Exit::Usage;
  }
  std::string base = complete_url(arguments.operands()[0]);
  while (base.ends_with('/')) base.pop_back();
  auto client_settings = client_options(arguments, base);
  if (!client_settings) {
    complain("conformance: " + client_settings.error());
    return Exit::Usage;
  }
  ws::Options& websocket = client_settings->websocket;
  websocket.message_bytes_max = message_bytes_max;
  websocket.ping_interval = Duration::zero();  // a ping nobody asked for would be a finding
  websocket.deflate.enabled = !arguments.has("--no-deflate");
  websocket.deflate.context_takeover = true;  // leaves every choice to the server: sections 12 and 13
  websocket.deflate.threshold_bytes = 0;
  client_settings->send_queue_bytes = 2 * message_bytes_max;

  auto loop = io::Loop::create();
  if (!loop) {
    complain(loop.error().message);
    return Exit::Failed;
  }
  auto client = endpoint::Client::create(**loop, std::move(*client_settings));
  if (!client) {
    complain(client.error().message);
    return Exit::Usage;
  }
  return Run(**loop, **client, std::move(base), arguments.operands()[1]).run(arguments.values("--case"));
}

}  // namespace

const Verb verb_conformance{
    .name = "conformance",
    .summary = "Answer the questions of an Autobahn fuzzing server",
    .synopsis = "URL AGENT [--case N]... [--no-deflate] [options of connect]",
    .options = &options,
    .operands_max = 2,
    .examples =
        "  sinnet conformance ws://127.0.0.1:9001 sinnet\n"
        "  sinnet conformance ws://127.0.0.1:9001 sinnet --case 42\n",
    .run = &run,
};

}  // namespace sinnet::cli
