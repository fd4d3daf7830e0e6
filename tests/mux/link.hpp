#pragma once
/// One direction of a simulated carrier: bounded, with latency, cut at a chosen byte. Carries bytes cut
/// anywhere, or messages in pieces, as the session's dialect wants. It knows nothing of streams.

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <vector>

#include "sinnet/mux/session.hpp"
#include "support/seeded_random.hpp"

namespace sinnet::mux::test {

using sinnet::test::SeededRandom;

class Link {
 public:
  Link(std::size_t room_bytes, Duration latency, std::uint64_t cut_at, SeededRandom& chance)
      : room_bytes_(room_bytes), latency_(latency), cut_at_(cut_at), chance_(&chance) {}

  /// Takes from the session's output what fits. True: something moved.
  bool take(Session& from, Time now) {
    if (bytes_ >= room_bytes_ || !from.has_output() || is_ended()) return false;
    from.prepare_output(1 + chance_->below(300 * 1024), now);
    const bool is_message = from.dialect().rules.framing == Framing::Messages;
    std::size_t size = from.output_message_bytes();
    if (!is_message) size = std::min(size, 1 + chance_->below(chance_->chance(20) ? 8 : room_bytes_));
    std::array<Slice, 256> slices;
    std::vector<std::byte> bytes;
    for (const Slice& slice : std::span{slices}.first(from.output(slices))) {
      const Bytes part = slice.bytes().first(std::min(slice.size, size - bytes.size()));
      bytes.insert(bytes.end(), part.begin(), part.end());
    }
    if (bytes.size() < size && !is_message) size = bytes.size();
    from.consume_output(size, now);
    if (size == 0) return false;
    total_ += size;
    if (total_ > cut_at_) {
      is_cut_ = true;
      bytes.resize(is_message ? 0 : size - static_cast<std::size_t>(total_ - cut_at_));
    }
    bytes_ += bytes.size();
    if (!bytes.empty()) parts_.push_back({std::move(bytes), 0, now + latency_});
    if (is_cut_) end(now);
    return true;
  }

  /// Lends what has arrived, in a block of its own that dies with the call. True: something moved.
  template <class Handle>
  bool give(Session& to, Time now, Handle&& handle) {
    if (!to.wants_input()) return false;
    if (parts_.empty()) {
      if (!end_ || *end_ > now || eof_given_) return false;
      eof_given_ = true;
      to.receive_eof(now);
      handle();
      return true;
    }
    if (parts_.front().arrival > now) return false;
    Part& part = parts_.front();
    const std::size_t left = part.bytes.size() - part.offset;
    const std::size_t size =
        chance_->chance(60) ? left
                            : 1 + chance_->below(chance_->chance(30) ? std::min<std::size_t>(left, 8) : left);
    std::vector<std::byte> block(part.bytes.begin() + static_cast<std::ptrdiff_t>(part.offset),
                                 part.bytes.begin() + static_cast<std::ptrdiff_t>(part.offset + size));
    const bool first = part.offset == 0;
    part.offset += size;
    const bool last = part.offset == part.bytes.size();
    if (last) parts_.pop_front();
    bytes_ -= size;
    to.receive_piece(block, first, last, now);
    handle();
    to.keep_output();
    to.keep_input();
    std::fill(block.begin(), block.end(), std::byte{0xDD});
    return true;
  }

  void end(Time now) {
    if (!end_) end_ = now + latency_;
  }
  [[nodiscard]] bool is_ended() const noexcept { return end_.has_value(); }
  [[nodiscard]] bool is_cut() const noexcept { return is_cut_; }
  [[nodiscard]] std::optional<Time> next() const noexcept {
    if (!parts_.empty()) return parts_.front().arrival;
    return eof_given_ ? std::nullopt : end_;
  }

 private:
  struct Part {
    std::vector<std::byte> bytes;
    std::size_t offset;
    Time arrival;
  };
  std::deque<Part> parts_;
  std::size_t bytes_ = 0;
  std::size_t room_bytes_;
  Duration latency_;
  std::uint64_t cut_at_;
  std::uint64_t total_ = 0;
  SeededRandom* chance_;
  std::optional<Time> end_;
  bool is_cut_ = false;
  bool eof_given_ = false;
};

}  // namespace sinnet::mux::test
