// `sinnet bench`: how fast a WebSocket server answers, in numbers one may believe.

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>

#include "cli/bench_run.hpp"
#include "cli/client_options.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "sinnet/io/signals.hpp"

namespace sinnet::cli {
namespace {

constexpr std::size_t depth_max = 100'000;             // beyond it only memory is measured
constexpr std::uint64_t size_bytes_max = 1ULL << 30U;  // 1 GiB
constexpr std::array percentiles{50.0, 90.0, 99.0, 99.9, 99.99};

std::span<const Option> options() {
  static const std::vector<Option> all = with_client_options({
      {"--connections", "N", "WebSockets at the same time (default 10)"},
      {"--depth", "N", "messages under way on each connection; fanout: in all (default 1)"},
      {"--size", "BYTES", "of a message: 64, 16KiB (default 64)"},
      {"--rate", "R",
       "messages a second in all, sent on time whatever the server does; latency counts from "
       "then"},
      {"--duration", "DURATION", "how long to measure (default 10s)"},
      {"--deflate", "", "offer compression"},
      {"--json", "", "the result as one line of JSON; times in nanoseconds"},
  });
  return all;
}

std::optional<BenchMode> mode_of(std::string_view name) {
  if (name == "echo") return BenchMode::Echo;
  if (name == "connect") return BenchMode::Connect;
  if (name == "idle") return BenchMode::Idle;
  if (name == "fanout") return BenchMode::Fanout;
  return std::nullopt;
}

/// Nothing, after complaining, when something cannot be used.
std::optional<BenchPlan> plan_of(const Arguments& arguments) {
  const auto& operands = arguments.operands();
  const auto mode = operands.empty() ? std::nullopt : mode_of(operands[0]);
  if (!mode || operands.size() != 2) {
    complain("bench: expected echo, connect, idle or fanout, and a URL; see: sinnet bench --help");
    return std::nullopt;
  }
  BenchPlan plan{.mode = *mode, .url = complete_url(operands[1])};
  const auto connections = count_option(arguments, "--connections", plan.connections);
  const auto depth = count_option(arguments, "--depth", plan.depth);
  const auto size = size_option(arguments, "--size", plan.size_bytes);
  const auto duration = duration_option(arguments, "--duration", plan.duration);
  if (!connections || !depth || !size || !duration) return std::nullopt;
  if (*connections == 0 || *depth == 0 || *depth > depth_max || *size > size_bytes_max) {
    complain(fmt::format("bench: needs 1 connection or more, a depth of 1 to {} and a size of at most 1GiB",
                         depth_max));
    return std::nullopt;
  }
  plan.connections = *connections;
  plan.depth = *depth;
  plan.size_bytes = *size;
  plan.duration = *duration;
  if (const auto rate = arguments.value("--rate")) {
    const auto [end, error] = std::from_chars(rate->data(), rate->data() + rate->size(), plan.rate);
    if (error != std::errc{} || end != rate->data() + rate->size() || !(plan.rate > 0) || plan.rate > 1e9) {
      complain(fmt::format("--rate: expected messages a second, got \"{}\"", *rate));
      return std::nullopt;
    }
  }
  return plan;
}

std::string human(Duration duration) {
  const auto ns = static_cast<double>(duration.count());
  if (ns < 1e3) return fmt::format("{} ns", duration.count());
  if (ns < 1e6) return fmt::format("{:.3g} µs", ns / 1e3);
  if (ns < 1e9) return fmt::format("{:.3g} ms", ns / 1e6);
  return fmt::format("{:.3g} s", ns / 1e9);
}

double per_second(std::uint64_t count, Duration took) {
  return took.count() == 0 ? 0 : static_cast<double>(count) * 1e9 / static_cast<double>(took.count());
}

std::string row(std::string_view name, const Histogram& histogram) {
  if (histogram.count() == 0) return {};
  std::string text = fmt::format("  {:<13}", name);
  for (const double percent : percentiles) {
    text += fmt::format("p{:g} {}  ", percent, human(histogram.percentile(percent)));
  }
  return text + fmt::format("max {}\n", human(histogram.max()));
}

std::string table_of(const BenchPlan& plan, const BenchResult& result, std::string_view name) {
  std::string text = fmt::format("{} {}\n", name, plan.url);
  const bool connects = plan.mode == BenchMode::Connect;
  if (connects) {
    text += fmt::format("  {:<13}{} in {}: {:.1f}/s, {} at a time\n", "openings", result.opened,
                        human(result.took), per_second(result.opened, result.took), plan.connections);
  } else {
    text += fmt::format("  {:<13}{} opened in {}, {} lost\n", "connections", result.opened,
                        human(result.opening_took), result.lost);
  }
  if (plan.mode == BenchMode::Echo || plan.mode == BenchMode::Fanout) {
    const double rate = per_second(result.received, result.took);
    text += fmt::format("  {:<13}{} sent, {} received in {}: {:.1f}/s, {:.1f} MiB/s\n", "messages",
                        result.sent, result.received, human(result.took), rate,
                        rate * static_cast<double>(plan.size_bytes) / 1048576.0);
    text += row("latency", result.latency);
  }
  text += row("opening", result.opening);
  if (result.wrong > 0) text += fmt::format("  {:<13}{} were not what was sent\n", "wrong", result.wrong);
  if (result.unanswered > 0) {
    text += fmt::format("  {:<13}{} without an answer; counted with the time they waited\n", "unanswered",
                        result.unanswered);
  }
  return text;
}

std::string json_of(const Histogram& histogram) {
  std::string text = fmt::format(R"({{"count":{},"min":{},"mean":{})", histogram.count(),
                                 histogram.min().count(), histogram.mean().count());
  for (const double percent : percentiles) {
    text += fmt::format(R"(,"p{:g}":{})", percent, histogram.percentile(percent).count());
  }
  return text + fmt::format(R"(,"max":{}}})", histogram.max().count());
}

/// The URL is a checked one: no quote, backslash or control character can stand in it.
std::string json_of(const BenchPlan& plan, const BenchResult& result, std::string_view name) {
  return fmt::format(
      R"({{"mode":"{}","url":"{}","connections":{},"depth":{},"size_bytes":{},"rate":{},)"
      R"("opened":{},"lost":{},)"
      R"("sent":{},"received":{},"wrong":{},"unanswered":{},"opening_took_ns":{},"took_ns":{},)"
      R"("messages_per_second":{:.1f},"latency_ns":{},"opening_ns":{}}})"
      "\n",
      name, plan.url, plan.connections, plan.depth, plan.size_bytes, plan.rate, result.opened, result.lost,
      result.sent, result.received, result.wrong, result.unanswered, result.opening_took.count(),
      result.took.count(), per_second(result.received, result.took), json_of(result.latency),
      json_of(result.opening));
}

void show_progress(const BenchResult& result, Duration left) {
  if (::isatty(STDERR_FILENO) == 0) return;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left).count();
  std::fputs(fmt::format("\r{} open, {} received, p50 {}, {} s left \x1b[K", result.opened - result.lost,
                         result.received, human(result.latency.percentile(50)), seconds)
                 .c_str(),
             stderr);
  std::fflush(stderr);
}

Exit run(const Arguments& arguments) {
  const std::optional<BenchPlan> plan = plan_of(arguments);
  if (!plan) return Exit::Usage;
  auto settings = client_options(arguments, plan->url);
  if (!settings) {
    complain("bench: " + settings.error());
    return Exit::Usage;
  }
  settings->websocket.deflate.enabled = arguments.has("--deflate");
  settings->websocket.message_bytes_max = std::max<std::uint64_t>(plan->size_bytes, 1024 * 1024);
  settings->send_queue_bytes = std::max<std::size_t>(plan->size_bytes * 4, 1024 * 1024);

  auto loop = io::Loop::create();
  if (!loop) {
    complain(loop.error().message);
    return Exit::Failed;
  }
  auto client = endpoint::Client::create(**loop, std::move(*settings));
  if (!client) {
    complain(client.error().message);
    return Exit::Usage;
  }
  BenchRun bench(**loop, **client, *plan);
  constexpr std::array signals{SIGINT, SIGTERM};
  // What was measured until then is still worth showing.
  const auto watcher = io::SignalWatcher::create(**loop, signals, [&bench](int) { bench.stop(); });
  const BenchResult result = bench.run(show_progress);
  if (::isatty(STDERR_FILENO) != 0) std::fputs("\r\x1b[K", stderr);
  if (result.failed > 0) {
    complain(result.first_error.message);
    if (result.opened > 0) complain(fmt::format("{} opened before", result.opened));
    return exit_of(result.first_error);
  }
  const std::string& name = arguments.operands()[0];
  const Exit printed =
      print(arguments.has("--json") ? json_of(*plan, result, name) : table_of(*plan, result, name));
  return result.lost > 0 || result.wrong > 0 ? Exit::Failed : printed;
}

}  // namespace

const Verb verb_bench{
    .name = "bench",
    .summary = "Measure a WebSocket server",
    .synopsis =
        "echo|connect|idle|fanout URL [--connections N] [--depth N] [--size B] [--rate R] [--duration D]",
    .options = &options,
    .operands_max = 2,
    .examples =
        "  sinnet bench echo ws://127.0.0.1:8080/ --connections 100 --depth 8\n"
        "  sinnet bench echo ws://127.0.0.1:8080/ --rate 5000 --duration 30s     latency at a given load\n"
        "  sinnet bench connect ws://127.0.0.1:8080/ --json\n"
        "  sinnet bench idle ws://127.0.0.1:8080/ --connections 10000 --duration 1m\n"
        "  sinnet bench fanout ws://127.0.0.1:8080/room --connections 500 --rate 20\n",
    .run = &run,
};

}  // namespace sinnet::cli
