#pragma once
/// Law 1, Chunking: a parser or machine answers the same whole, byte by byte and cut in two at every place.

#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <vector>

#include "sinnet/base/bytes.hpp"
#include "support/bytes.hpp"

namespace sinnet::test {

/// Calls `run(pieces)` for every way of cutting: `pieces` is a std::span<const Bytes> to be fed in order to a
/// fresh parser, and the answer is whatever the test compares (needs operator==; a printable one makes better
/// messages). Every piece is its own heap block of exact size, so that a sanitizer sees a read beyond it.
/// Costs the square of the input's size: keep inputs below some KiB.
template <class Run>
void expect_same_for_every_chunking(Bytes input, Run&& run) {
  const auto feed = [&](std::span<const std::size_t> cuts) {
    std::vector<std::vector<std::byte>> blocks;
    std::size_t begin = 0;
    for (const std::size_t cut : cuts) {
      const Bytes piece = input.subspan(begin, cut - begin);
      blocks.emplace_back(piece.begin(), piece.end());
      begin = cut;
    }
    const Bytes last = input.subspan(begin);
    blocks.emplace_back(last.begin(), last.end());
    std::vector<Bytes> pieces;
    for (const auto& block : blocks) pieces.emplace_back(block);
    return run(std::span<const Bytes>{pieces});
  };

  const auto whole = feed({});
  std::vector<std::size_t> cuts;
  for (std::size_t i = 1; i < input.size(); ++i) cuts.push_back(i);
  EXPECT_EQ(feed(cuts), whole) << "fed byte by byte: " << hex(input);
  for (const std::size_t cut : cuts) {
    EXPECT_EQ(feed(std::span{&cut, 1}), whole) << "cut at " << cut << " of " << hex(input);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace sinnet::test
