/// Messages per second deflated and inflated without context takeover, by size of a JSON-like text and memory
/// level, and the cost of the block headers a hostile peer can send (attack 53).
#include <benchmark/benchmark.h>

#include <string>

#include "ws/compressor.hpp"

namespace {

using namespace sinnet;

std::string json(std::size_t size) {
  std::string text;
  for (unsigned i = 0; text.size() < size; ++i) {
    text += R"({"id":)" + std::to_string(i * 7919U % 10007U) + R"(,"name":"user)" + std::to_string(i) +
            R"(","active":true},)";
  }
  text.resize(size);
  return text;
}

void deflate_json(benchmark::State& state) {
  const std::string text = json(static_cast<std::size_t>(state.range(0)));
  ws::CompressionPool pool;
  ws::Compressor compressor(pool, 15, false, 1, static_cast<unsigned>(state.range(1)));
  std::size_t size = 0;
  for (auto _ : state) {
    Buffer out;
    compressor.compress(as_bytes(text), out);
    size = out.size();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
  state.counters["deflated"] = static_cast<double>(size);
}

void inflate_json(benchmark::State& state) {
  const std::string text = json(static_cast<std::size_t>(state.range(0)));
  ws::CompressionPool pool;
  Buffer message;
  ws::Compressor(pool, 15, false, 1, 8).compress(as_bytes(text), message);
  ws::Decompressor decompressor(pool, 15, false);
  for (auto _ : state) {
    Buffer out;
    if (decompressor.decompress(message.bytes(), true, out, text.size()) != ws::InflateStatus::Ok) {
      state.SkipWithError("own message does not inflate");
    }
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

/// Input bytes per second of a message of empty final blocks (03 00), each of which resets the inflater.
void inflate_tiny_blocks(benchmark::State& state) {
  std::string message;
  for (int i = 0; i < 8192; ++i) message += std::string_view("\x03\x00", 2);
  message += '\0';
  ws::CompressionPool pool;
  ws::Decompressor decompressor(pool, 15, false);
  for (auto _ : state) {
    Buffer out;
    if (decompressor.decompress(as_bytes(message), true, out, 1024) != ws::InflateStatus::Ok) {
      state.SkipWithError("legal blocks do not inflate");
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(message.size()));
}

BENCHMARK(deflate_json)->ArgsProduct({{200, 1024, 16384}, {5, 8}});
BENCHMARK(inflate_json)->Arg(200)->Arg(1024)->Arg(16384);
BENCHMARK(inflate_tiny_blocks);

}  // namespace
