/// See ip_text.hpp.
#include "http/ip_text.hpp"

#include <algorithm>
#include <cstdio>

#include "http/uri_characters.hpp"

namespace sinnet::http {
namespace {

constexpr std::size_t groups = 8;

void store(Ipv6Octets& octets, std::size_t group, unsigned value) noexcept {
  octets[group * 2] = static_cast<std::uint8_t>(value >> 8);
  octets[group * 2 + 1] = static_cast<std::uint8_t>(value);
}

}  // namespace

std::optional<Ipv4Octets> parse_ipv4(std::string_view text) noexcept {
  Ipv4Octets octets{};
  std::size_t at = 0;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    if (i > 0) {
      if (at == text.size() || text[at] != '.') return std::nullopt;
      ++at;
    }
    const std::size_t start = at;
    unsigned value = 0;
    while (at < text.size() && at < start + 3 && is_digit(text[at])) {
      value = value * 10 + static_cast<unsigned>(text[at++] - '0');
    }
    if (at == start || value > 255 || (text[start] == '0' && at > start + 1)) return std::nullopt;
    octets[i] = static_cast<std::uint8_t>(value);
  }
  if (at != text.size()) return std::nullopt;
  return octets;
}

std::optional<Ipv6Octets> parse_ipv6(std::string_view text) noexcept {
  Ipv6Octets octets{};
  std::size_t filled = 0;          // groups read so far
  std::optional<std::size_t> gap;  // the group index at which "::" stood
  std::size_t at = 0;
  if (text.starts_with("::")) {
    gap = 0;
    at = 2;
  }
  while (at < text.size()) {
    if (filled == groups) return std::nullopt;
    const std::size_t start = at;
    unsigned value = 0;
    while (at < text.size() && at < start + 4 && hex_value(text[at]) >= 0) {
      value = value * 16 + static_cast<unsigned>(hex_value(text[at++]));
    }
    if (at < text.size() && text[at] == '.') {  // RFC 4291 2.2 (3): the last 32 bits as a dotted quad
      const auto quad = parse_ipv4(text.substr(start));
      if (!quad || filled > groups - 2) return std::nullopt;
      std::copy(quad->begin(), quad->end(), octets.begin() + static_cast<std::ptrdiff_t>(filled * 2));
      filled += 2;
      at = text.size();
      break;
    }
    if (at == start) return std::nullopt;
    store(octets, filled++, value);
    if (at == text.size()) break;
    if (text[at] != ':' || at + 1 == text.size()) return std::nullopt;
    ++at;
    if (text[at] == ':') {
      if (gap) return std::nullopt;
      gap = filled;
      ++at;
    }
  }
  if (!gap) return filled == groups ? std::optional(octets) : std::nullopt;
  if (filled == groups) return std::nullopt;  // "::" stands for at least one group
  const auto from = octets.begin() + static_cast<std::ptrdiff_t>(*gap * 2);
  const auto until = octets.begin() + static_cast<std::ptrdiff_t>(filled * 2);
  std::copy_backward(from, until, octets.end());
  std::fill(from, from + static_cast<std::ptrdiff_t>((groups - filled) * 2), std::uint8_t{0});
  return octets;
}

std::string write_ipv6(const Ipv6Octets& octets) {
  std::array<char, 48> text{};
  static constexpr std::array<std::uint8_t, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(mapped.begin(), mapped.end(), octets.begin())) {
    std::snprintf(text.data(), text.size(), "::ffff:%u.%u.%u.%u", octets[12], octets[13], octets[14],
                  octets[15]);
    return text.data();
  }
  const auto group = [&](std::size_t i) {
    return static_cast<unsigned>(octets[i * 2] << 8 | octets[i * 2 + 1]);
  };
  std::size_t gap = groups;
  std::size_t gap_length = 1;
  for (std::size_t i = 0; i < groups; ++i) {
    std::size_t end = i;
    while (end < groups && group(end) == 0) ++end;
    if (end - i > gap_length) {
      gap = i;
      gap_length = end - i;
    }
    i = std::max(i, end);
  }
  std::string out;
  for (std::size_t i = 0; i < groups;) {
    if (i == gap) {
      out += "::";
      i += gap_length;
      continue;
    }
    if (!out.empty() && out.back() != ':') out += ':';
    std::snprintf(text.data(), text.size(), "%x", group(i));
    out += text.data();
    ++i;
  }
  return out;
}

}  // namespace sinnet::http
