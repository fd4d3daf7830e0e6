/// Bytes per second of masking in place and while copying, by payload size; 6 bytes off alignment, as behind
/// a header.
#include <benchmark/benchmark.h>

#include <vector>

#include "sinnet/ws/frame.hpp"

namespace {

using namespace sinnet;

constexpr ws::MaskKey key{std::byte{0x37}, std::byte{0xfa}, std::byte{0x21}, std::byte{0x3d}};
constexpr std::size_t header_bytes = 6;

void in_place(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  std::vector<std::byte> bytes(size + header_bytes);
  for (auto _ : state) {
    ws::apply_mask(MutableBytes{bytes}.subspan(header_bytes), key);
    benchmark::DoNotOptimize(bytes.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void while_copying(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const std::vector<std::byte> from(size);
  std::vector<std::byte> to(size + header_bytes);
  for (auto _ : state) {
    ws::copy_masked(MutableBytes{to}.subspan(header_bytes), from, key);
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

BENCHMARK(in_place)->Arg(5)->Arg(16)->Arg(40)->Arg(125)->Arg(1024)->Arg(16384)->Arg(1 << 23);
BENCHMARK(while_copying)->Arg(5)->Arg(16)->Arg(40)->Arg(125)->Arg(1024)->Arg(16384)->Arg(1 << 23);

}  // namespace
