/// Law 3, Pair, over dialects; and that the simulation finds what is planted.
#include "mux/simulation.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "mux/plain_dialect.hpp"
#include "mux/rig.hpp"
#include "sinnet/mux/js_ws.hpp"
#include "sinnet/mux/muxado.hpp"
#include "sinnet/mux/sinnet_v1.hpp"
#include "sinnet/mux/wsmux.hpp"
#include "sinnet/mux/yamux.hpp"

namespace sinnet::mux {
namespace {

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

Dialect wsmux_unknown() { return wsmux(); }
/// Windows as both know them, so that the acceptor's first credit runs out.
Dialect wsmux_library() { return wsmux({.peer_window = wsmux_window_library}); }

/// In parts, so that they run side by side.
constexpr std::uint64_t parts = 8;

class Simulation : public ::testing::TestWithParam<std::tuple<Dialect (*)(), std::uint64_t>> {};

/// `make sim` runs more: SINNET_SIM_SEEDS of them, from SINNET_SIM_FIRST.
TEST_P(Simulation, KeepsItsPromises) {
  const auto& [dialect, part] = GetParam();
  // A round trip for each KiB: a tenth of the seeds takes as long as others' all.
  const std::uint64_t share = dialect == wsmux_unknown ? 10 : 1;
  const std::uint64_t seeds = number_from("SINNET_SIM_SEEDS", 1000) / parts / share;
  const std::uint64_t first = number_from("SINNET_SIM_FIRST", 1) + part * seeds;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed)
    ASSERT_EQ(test::simulate(dialect(), seed), "") << dialect().name << ", seed " << seed;
}

INSTANTIATE_TEST_SUITE_P(
    Dialects, Simulation,
    ::testing::Combine(::testing::Values(yamux, sinnet_v1, wsmux_unknown, wsmux_library, js_ws, muxado_v2,
                                         muxado_v2_typed, muxado_v1, test::plain_like_wsmux,
                                         test::plain_like_js_ws, test::plain_like_muxado),
                       ::testing::Range(std::uint64_t{0}, parts)),
    [](const auto& which) { return test::test_name(std::get<0>(which.param)().name, which.index); });

// ---- planted bugs: a wrapped encoder, and a count of frames so that only some are wrong

Dialect planted;
std::uint64_t frames = 0;

/// How many seeds it takes; 0: not found.
std::uint64_t seeds_until_found(const Dialect& dialect, decltype(Dialect::encode) encode) {
  planted = dialect;
  Dialect broken = dialect;
  broken.rules.header_bytes_max *= 2;
  broken.encode = encode;
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    if (!test::simulate(broken, seed).empty()) return seed;
  }
  return 0;
}

std::size_t credit_too_much(const Rules& rules, Role role, const Frame& frame, MutableBytes out) {
  Frame wrong = frame;
  if (frame.type == FrameType::Credit && frame.credit > 0) ++wrong.credit;
  return planted.encode(rules, role, wrong, out);
}
std::size_t finish_lost(const Rules& rules, Role role, const Frame& frame, MutableBytes out) {
  Frame wrong = frame;
  if (frame.flags.finishes && ++frames % 50 == 0) wrong.flags.finishes = false;
  return planted.encode(rules, role, wrong, out);
}
std::size_t frame_doubled(const Rules& rules, Role role, const Frame& frame, MutableBytes out) {
  const std::size_t size = planted.encode(rules, role, frame, out);
  const bool doubles = frame.payload_bytes == 0 && frame.flags.finishes && ++frames % 50 == 0;
  return doubles ? size + planted.encode(rules, role, frame, out.subspan(size)) : size;
}

class PlantedBug : public ::testing::TestWithParam<Dialect (*)()> {};

TEST_P(PlantedBug, OneByteOfCreditTooMuchIsFound) {
  EXPECT_GT(seeds_until_found(GetParam()(), credit_too_much), 0U);
}
TEST_P(PlantedBug, ALostFinishIsFound) { EXPECT_GT(seeds_until_found(GetParam()(), finish_lost), 0U); }
/// Not js-ws: there, what is behind a frame in its message means nothing, so doubling it is no fault.
class PlantedDouble : public PlantedBug {};
TEST_P(PlantedDouble, ADoubledFrameIsFound) { EXPECT_GT(seeds_until_found(GetParam()(), frame_doubled), 0U); }

INSTANTIATE_TEST_SUITE_P(Dialects, PlantedBug,
                         ::testing::Values(yamux, sinnet_v1, wsmux_library, js_ws, muxado_v2, muxado_v2_typed,
                                           muxado_v1),
                         [](const auto& which) { return test::test_name(which.param().name, which.index); });
INSTANTIATE_TEST_SUITE_P(Dialects, PlantedDouble,
                         ::testing::Values(yamux, sinnet_v1, wsmux_library, muxado_v2, muxado_v2_typed,
                                           muxado_v1),
                         [](const auto& which) { return test::test_name(which.param().name, which.index); });

}  // namespace
}  // namespace sinnet::mux
