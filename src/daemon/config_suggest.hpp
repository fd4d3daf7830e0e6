#pragma once
/// "did you mean": the nearest known word to a mistyped one. Never guesses far: no answer is better than a
/// silly one.

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sinnet::daemon {

/// The candidate that needs the fewest insertions, deletions, replacements and swaps of neighbours to be
/// `word`, if that is at most a third of its length (and at least one); the first of several. The view is of
/// `known`.
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view word,
                                                      std::span<const std::string> known);

/// `; did you mean "limits"?`, or nothing. `open` and `close` stand around the word.
[[nodiscard]] std::string did_you_mean(std::string_view word, std::span<const std::string> known,
                                       std::string_view open = "\"", std::string_view close = "\"");

}  // namespace sinnet::daemon
