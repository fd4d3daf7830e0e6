/// Bytes per second of UTF-8 validation, by text size, for ASCII and for text of mixed sequence lengths.
#include <benchmark/benchmark.h>

#include <string>

#include "sinnet/ws/utf8.hpp"

namespace {

using namespace sinnet;

std::string text_of(std::size_t size, std::string_view unit) {
  std::string text;
  while (text.size() + unit.size() <= size) text += unit;
  text.append(size - text.size(), 'x');
  return text;
}

void validate(benchmark::State& state, std::string_view unit) {
  const std::string text = text_of(static_cast<std::size_t>(state.range(0)), unit);
  for (auto _ : state) {
    ws::Utf8Validator validator;
    benchmark::DoNotOptimize(validator.receive(as_bytes(text)) && validator.is_complete());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void ascii(benchmark::State& state) { validate(state, "x"); }
void mixed(benchmark::State& state) { validate(state, "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"); }

BENCHMARK(ascii)->Arg(16)->Arg(40)->Arg(64)->Arg(125)->Arg(1024)->Arg(16384);
BENCHMARK(mixed)->Arg(16)->Arg(40)->Arg(64)->Arg(125)->Arg(1024)->Arg(16384);

}  // namespace
