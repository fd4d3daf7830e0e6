// `sinnet bench`: its histogram, and what it says about servers whose faults are known.

#include <cmath>
#include <random>

#include "cli/bench_histogram.hpp"
#include "cli/program.hpp"

namespace sinnet::cli::test {
namespace {

using testing::HasSubstr;

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (int ns = 1; ns <= 100; ++ns) histogram.add(Duration{ns});
  EXPECT_EQ(histogram.percentile(50), 50ns);
  EXPECT_EQ(histogram.percentile(99), 99ns);
  EXPECT_EQ(histogram.percentile(100), 100ns);
  EXPECT_EQ(histogram.mean(), 51ns);  // 50.5, rounded
  EXPECT_EQ(histogram.min(), 1ns);
  EXPECT_EQ(histogram.max(), 100ns);
}

TEST(Histogram, PercentilesAreRightToOnePartIn128) {
  constexpr unsigned seed = 7;
  SCOPED_TRACE(seed);
  std::mt19937_64 generator(seed);
  std::vector<std::int64_t> values;
  Histogram histogram;
  for (int i = 0; i < 20'000; ++i) {
    const auto value = static_cast<std::int64_t>(generator() >> (20 + generator() % 40));
    values.push_back(value);
    histogram.add(Duration{value});
  }
  std::ranges::sort(values);
  for (const double percent : {1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(values.size())));
    const auto exact = static_cast<double>(values[rank - 1]);
    const auto said = static_cast<double>(histogram.percentile(percent).count());
    EXPECT_GE(said, exact) << percent;
    EXPECT_LE(said, exact * (1 + 1.0 / 128) + 1) << percent;
  }
}

TEST(Histogram, TheLargestDurationHasAPlace) {
  Histogram histogram;
  histogram.add(Duration::max());
  histogram.add(Duration{-5});
  EXPECT_EQ(histogram.percentile(100), Duration::max());
  EXPECT_EQ(histogram.percentile(50), 0ns);
}

class Bench : public ProgramTest {
 protected:
  static double number(const std::string& json, const std::string& name, std::size_t from = 0) {
    const std::size_t at = json.find("\"" + name + "\":", from);
    if (at == json.npos) return std::nan("");
    return std::stod(json.substr(at + name.size() + 3));
  }
};

TEST_F(Bench, EchoCountsWhatCameBack) {
  ScriptedServer server(*loop_, on_frames(&echo));
  const Ran ran = run(
      {"bench", "echo", server.url(), "--connections", "3", "--depth", "2", "--duration", "200ms", "--json"});
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_EQ(number(ran.out, "opened"), 3);
  EXPECT_GT(number(ran.out, "received"), 6);
  EXPECT_EQ(number(ran.out, "received"), number(ran.out, "sent"));
  EXPECT_EQ(number(ran.out, "count", ran.out.find("latency_ns")), number(ran.out, "received"));
}

TEST_F(Bench, AServerThatStallsForASecondCannotHideIt) {
  ScriptedServer server(*loop_, on_frames(&echo));
  const auto elsewhere = io::test::make_loop();
  Time first{};
  bool has_stalled = false;
  const auto stall_once = [&] {
    if (server.peers.empty() || server.peers[0]->step == 0) return;
    if (first == Time{}) first = io::Loop::read_clock();
    if (has_stalled || io::Loop::read_clock() - first < 300ms) return;
    has_stalled = true;
    elsewhere->run_once(1s);  // our own loop, and so the server, stands still
  };
  const Ran ran = run(
      {"bench", "echo", server.url(), "--connections", "1", "--rate", "200", "--duration", "2s", "--json"},
      {}, stall_once);
  ASSERT_TRUE(has_stalled);
  EXPECT_EQ(ran.exit, 0) << ran.err;
  // Half of the messages fell due while it stood still and waited half a second on average. A generator that
  // waits for each reply would have seen one slow message of 200.
  EXPECT_NEAR(number(ran.out, "sent"), 400, 20);
  const std::size_t latency = ran.out.find("latency_ns");
  EXPECT_GT(number(ran.out, "p99", latency), 0.8e9);
  EXPECT_GT(number(ran.out, "p90", latency), 0.5e9);
  EXPECT_LT(number(ran.out, "min", latency), 0.1e9);
}

TEST_F(Bench, WrongRepliesFailTheRun) {
  ScriptedServer server(*loop_, on_frames([](Peer& peer, const ws::FrameHeader& header, std::string text) {
    if (header.opcode == ws::Opcode::Text) text[0] = '!';
    echo(peer, header, text);
  }));
  const Ran ran = run({"bench", "echo", server.url(), "--connections", "1", "--duration", "50ms"});
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.out, HasSubstr("were not what was sent"));
}

TEST_F(Bench, ConnectIdleAndFanoutMeasureTheirKind) {
  ScriptedServer server(*loop_, on_frames(&echo));
  const Ran connect = run({"bench", "connect", server.url(), "--duration", "100ms", "--connections", "2"});
  EXPECT_EQ(connect.exit, 0) << connect.err;
  EXPECT_THAT(connect.out, HasSubstr("openings"));
  const Ran idle = run({"bench", "idle", server.url(), "--duration", "50ms", "--connections", "5"});
  EXPECT_EQ(idle.exit, 0) << idle.err;
  EXPECT_THAT(idle.out, HasSubstr("5 opened in"));

  ScriptedServer* hall = nullptr;
  ScriptedServer room(*loop_,
                      on_frames([&](Peer& sender, const ws::FrameHeader& header, const std::string& text) {
                        if (header.opcode == ws::Opcode::Close) return echo(sender, header, text);
                        for (const auto& peer : hall->peers) {
                          if (peer.get() != &sender) peer->send(server_frame(0x81, text));
                        }
                      }));
  hall = &room;
  const Ran fanout =
      run({"bench", "fanout", room.url(), "--duration", "100ms", "--connections", "4", "--json"});
  EXPECT_EQ(fanout.exit, 0) << fanout.err;
  EXPECT_EQ(number(fanout.out, "received"), 4 * number(fanout.out, "sent"));
  EXPECT_GT(number(fanout.out, "sent"), 1);
}

TEST_F(Bench, UsageErrorsAreTwoAndNobodyThereIsThree) {
  EXPECT_EQ(run({"bench"}).exit, 2);
  EXPECT_EQ(run({"bench", "fly", "ws://h"}).exit, 2);
  EXPECT_EQ(run({"bench", "echo", "ws://h", "--rate", "fast"}).exit, 2);
  EXPECT_EQ(run({"bench", "echo", "ws://h", "--depth", "0"}).exit, 2);
  EXPECT_EQ(run({"bench", "echo", "ws+unix:" + scratch_.path("none.sock")}).exit, 3);
}

}  // namespace
}  // namespace sinnet::cli::test
