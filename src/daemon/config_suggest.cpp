#include "daemon/config_suggest.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace sinnet::daemon {
namespace {

/// Longer words are not misspelt keys, and the distance is quadratic.
constexpr std::size_t word_chars_max = 64;

/// Optimal string alignment: Levenshtein's distance with swaps of neighbours.
std::size_t distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> before_last(right.size() + 1);
  std::vector<std::size_t> last(right.size() + 1);
  std::vector<std::size_t> row(right.size() + 1);
  for (std::size_t column = 0; column <= right.size(); ++column) row[column] = column;
  for (std::size_t line = 1; line <= left.size(); ++line) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = line;
    for (std::size_t column = 1; column <= right.size(); ++column) {
      const bool same = left[line - 1] == right[column - 1];
      row[column] = std::min({last[column] + 1, row[column - 1] + 1, last[column - 1] + (same ? 0U : 1U)});
      const bool swapped = line > 1 && column > 1 && left[line - 1] == right[column - 2] &&
                           left[line - 2] == right[column - 1];
      if (swapped) row[column] = std::min(row[column], before_last[column - 2] + 1);
    }
  }
  return row[right.size()];
}

}  // namespace

std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string> known) {
  if (word.size() > word_chars_max) return std::nullopt;
  std::optional<std::string_view> best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    if (candidate.size() > word_chars_max) continue;
    const std::size_t found = distance(word, candidate);
    if (found < best_distance && found < candidate.size()) {
      best_distance = found;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> known, std::string_view open,
                         std::string_view close) {
  const auto found = nearest(word, known);
  if (!found) return {};
  std::string text = "; did you mean ";
  text.append(open).append(*found).append(close).append("?");
  return text;
}

}  // namespace sinnet::daemon
