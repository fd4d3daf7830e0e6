/// UTF-8 against an independent reference that decodes by arithmetic, over all short sequences and all cuts
/// (attack 29).
#include "sinnet/ws/utf8.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

#include "support/bytes.hpp"

namespace sinnet::ws {
namespace {

using test::bytes;
using test::hex;

enum class Verdict { Whole, Open, Bad };

/// Decodes by arithmetic and asks the number, instead of listing byte ranges. A cut sequence is Open when
/// some ending makes it a scalar value: the smallest and largest code point it can still become are compared
/// with the legal ranges.
Verdict judge_sequence(Bytes text, std::size_t& at) {
  const auto lead = std::to_integer<std::uint32_t>(text[at]);
  if (lead < 0x80) {
    at += 1;
    return Verdict::Whole;
  }
  std::size_t size = 0;
  std::uint32_t value = 0;
  if ((lead & 0xE0U) == 0xC0U)
    size = 2, value = lead & 0x1FU;
  else if ((lead & 0xF0U) == 0xE0U)
    size = 3, value = lead & 0x0FU;
  else if ((lead & 0xF8U) == 0xF0U)
    size = 4, value = lead & 0x07U;
  else
    return Verdict::Bad;
  std::uint32_t lowest = value;
  std::uint32_t highest = value;
  bool whole = true;
  for (std::size_t i = 1; i < size; ++i) {
    if (at + i < text.size()) {
      const auto next = std::to_integer<std::uint32_t>(text[at + i]);
      if ((next & 0xC0U) != 0x80U) return Verdict::Bad;
      lowest = lowest << 6U | (next & 0x3FU);
      highest = highest << 6U | (next & 0x3FU);
    } else {
      whole = false;
      lowest = lowest << 6U;
      highest = highest << 6U | 0x3FU;
    }
  }
  const std::uint32_t shortest = size == 2 ? 0x80U : size == 3 ? 0x800U : 0x10000U;
  if (highest < shortest || lowest > 0x10FFFFU) return Verdict::Bad;
  if (lowest >= 0xD800U && highest <= 0xDFFFU) return Verdict::Bad;
  if (!whole) return Verdict::Open;
  at += size;
  return Verdict::Whole;
}

Verdict judge(Bytes text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const Verdict verdict = judge_sequence(text, at);
    if (verdict != Verdict::Whole) return verdict;
  }
  return Verdict::Whole;
}

void expect_agreement(Bytes text) {
  const Verdict expected = judge(text);
  ASSERT_EQ(is_utf8(text), expected == Verdict::Whole) << hex(text);
  Utf8Validator validator;
  ASSERT_EQ(validator.receive(text), expected != Verdict::Bad) << hex(text);
  if (expected != Verdict::Bad) {
    ASSERT_EQ(validator.is_complete(), expected == Verdict::Whole) << hex(text);
  }
}

/// Feeds `text` in pieces ending at the set bits of `cuts`, and wants the first refusal in the first piece
/// that makes it bad.
void expect_agreement_cut(Bytes text, unsigned cuts) {
  Utf8Validator validator;
  std::size_t from = 0;
  for (std::size_t to = 1; to <= text.size(); ++to) {
    if (to != text.size() && (cuts >> (to - 1) & 1U) == 0) continue;
    const Verdict expected = judge(text.first(to));
    ASSERT_EQ(validator.receive(text.subspan(from, to - from)), expected != Verdict::Bad)
        << hex(text) << " cuts " << cuts << " at " << to;
    if (expected == Verdict::Bad) return;
    ASSERT_EQ(validator.is_complete(), expected == Verdict::Whole) << hex(text) << " cuts " << cuts;
    from = to;
  }
}

std::vector<std::byte> text_of(std::initializer_list<unsigned> values) {
  std::vector<std::byte> out;
  for (const unsigned value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

TEST(Utf8Test, Attack29AllSequencesOfUpToThreeBytesAgreeWithTheReference) {
  expect_agreement({});
  for (unsigned a = 0; a < 256; ++a) {
    expect_agreement(text_of({a}));
    for (unsigned b = 0; b < 256; ++b) {
      const auto two = text_of({a, b});
      expect_agreement(two);
      expect_agreement_cut(two, 1);
      // Third bytes matter by class; all of them where a multi-byte sequence is under way.
      const unsigned step = a >= 0xC0 && b >= 0x80 && b < 0xC0 ? 1 : 17;
      for (unsigned c = 0; c < 256; c += step) expect_agreement(text_of({a, b, c}));
    }
  }
}

// One byte of every class the standard tells apart, with the neighbours of each bound.
constexpr unsigned edges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
                              0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFF};

TEST(Utf8Test, Attack29AllEdgeSequencesOfFourBytesAgreeAtEveryCut) {
  for (const unsigned a : edges) {
    for (const unsigned b : edges) {
      for (const unsigned c : edges) {
        for (const unsigned d : edges) {
          const auto text = text_of({a, b, c, d});
          ASSERT_NO_FATAL_FAILURE(expect_agreement(text));
          const auto first_bad = judge(Bytes{text}.first(1)) == Verdict::Bad;
          const unsigned cuts_end = first_bad ? 1 : 8;  // a bad first byte ends it whatever the cuts
          for (unsigned cuts = 0; cuts < cuts_end; ++cuts) {
            ASSERT_NO_FATAL_FAILURE(expect_agreement_cut(text, cuts));
          }
        }
      }
    }
  }
}

TEST(Utf8Test, Attack29CutBadSequencesAreRefusedBeforeTheirEnd) {
  for (const char* text : {"f490", "eda0", "c0", "c1", "f5", "ff", "80", "bf", "e080", "e09f", "f080", "f08f",
                           "c328", "e28228", "f09f98c0", "61f490"}) {
    SCOPED_TRACE(text);
    Utf8Validator validator;
    EXPECT_FALSE(validator.receive(bytes(text)));
  }
}

TEST(Utf8Test, CutGoodSequencesWaitAndAreNotComplete) {
  for (const char* text : {"c2", "e0a0", "ed9f", "f090", "f48f", "f09f98", "61e282"}) {
    SCOPED_TRACE(text);
    Utf8Validator validator;
    EXPECT_TRUE(validator.receive(bytes(text)));
    EXPECT_FALSE(validator.is_complete());
    EXPECT_FALSE(is_utf8(bytes(text)));
  }
}

TEST(Utf8Test, EmptyPiecesChangeNothing) {
  Utf8Validator validator;
  EXPECT_TRUE(validator.receive(bytes("e2")));
  EXPECT_TRUE(validator.receive({}));
  EXPECT_FALSE(validator.is_complete());
  EXPECT_TRUE(validator.receive(bytes("82ac")));
  EXPECT_TRUE(validator.is_complete());
}

TEST(Utf8Test, ResetForgetsAnOpenSequence) {
  Utf8Validator validator;
  EXPECT_TRUE(validator.receive(bytes("f0")));
  validator.reset();
  EXPECT_TRUE(validator.is_complete());
  EXPECT_TRUE(validator.receive(bytes("61")));
}

// Long texts take the vector path: a fault is planted at every position.
TEST(Utf8Test, FaultAtEveryPositionOfALongTextIsFound) {
  std::string text;
  while (text.size() < 200) text += "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
  const Bytes whole = as_bytes(text);
  ASSERT_TRUE(is_utf8(whole));
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string bad = text;
    bad[i] = '\xFF';
    ASSERT_FALSE(is_utf8(as_bytes(bad))) << i;
    Utf8Validator validator;
    ASSERT_FALSE(validator.receive(as_bytes(bad))) << i;
  }
  for (std::size_t i = 0; i <= text.size(); ++i) {
    Utf8Validator validator;
    ASSERT_TRUE(validator.receive(whole.first(i))) << i;
    ASSERT_EQ(validator.is_complete(), judge(whole.first(i)) == Verdict::Whole);
    ASSERT_TRUE(validator.receive(whole.subspan(i))) << i;
    ASSERT_TRUE(validator.is_complete());
  }
}

TEST(Utf8Test, RandomBytesInRandomPiecesAgreeWithTheReference) {
  EXPECT_TRUE(rc::check("pieces agree with the reference", [] {
    const auto picks = *rc::gen::container<std::vector<unsigned>>(
        rc::gen::elementOf(std::vector<unsigned>(std::begin(edges), std::end(edges))));
    std::vector<std::byte> text;
    for (const unsigned pick : picks) text.push_back(static_cast<std::byte>(pick));
    Utf8Validator validator;
    Bytes rest{text};
    std::size_t fed = 0;
    while (!rest.empty()) {
      const auto take = *rc::gen::inRange<std::size_t>(1, rest.size() + 1);
      fed += take;
      const Verdict expected = judge(Bytes{text}.first(fed));
      RC_ASSERT(validator.receive(rest.first(take)) == (expected != Verdict::Bad));
      if (expected == Verdict::Bad) return;
      RC_ASSERT(validator.is_complete() == (expected == Verdict::Whole));
      rest = rest.subspan(take);
    }
  }));
}

}  // namespace
}  // namespace sinnet::ws
