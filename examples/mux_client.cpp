/// Opens all its streams at once, sends on each, and checks that the same comes back. Streams that the peer
/// opens are echoed meanwhile.
///     mux_client --dialect yamux --url tcp://127.0.0.1:9100 --streams 200 --bytes 1MiB
/// Prints the streams, the bytes of one direction, and the sum of the streams' checksums. Exits with 1 on any
/// difference, and if the session ends too early.

#include <vector>

#include "mux_echo.hpp"

namespace {

using namespace sinnet;

/// Bytes that repeat only after a prime number of them, so that a frame lost or doubled shows.
constexpr std::size_t pattern_period = 65521;
constexpr std::size_t pattern_stride = 7919;  ///< between the beginnings of two streams
constexpr std::size_t part_bytes_max = 64 * 1024;

Buffer make_pattern() {
  Buffer pattern = Buffer::allocate(pattern_period + part_bytes_max);
  std::uint64_t state = 0x9E3779B97F4A7C15;
  const MutableBytes bytes = pattern.mutable_bytes();
  for (std::size_t i = 0; i < pattern_period; ++i) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    bytes[i] = static_cast<std::byte>(state >> 56);
  }
  for (std::size_t i = pattern_period; i < bytes.size(); ++i) bytes[i] = bytes[i - pattern_period];
  return pattern;
}

struct Sending {
  std::size_t place = 0;  ///< in the pattern
  std::uint64_t left = 0;
  std::uint64_t received = 0;
  example::Checksum sent_sum{};
  example::Checksum received_sum{};
};

class Checker final : public example::EchoHandler {
 public:
  explicit Checker(const example::Flags& flags) : flags_(flags) {}

  void started(endpoint::MuxConnection& connection) override {
    if (begun_.exchange(true)) return connection.close();  // one session is enough
    ours_ = &connection;
    sendings_.resize(flags_.streams);
    for (std::uint32_t i = 0; i < flags_.streams; ++i) {
      sendings_[i] = {.place = i * pattern_stride % pattern_period, .left = flags_.bytes};
      const auto stream = connection.open({.user = &sendings_[i]});
      if (!stream) {
        std::fprintf(stderr, "stream %u could not be opened\n", i);
        return connection.close();
      }
      writable(*stream);
    }
    finish_if_done();
  }
  void readable(endpoint::MuxStream stream, MutableBytes payload) override {
    Sending* const sending = ours(stream);
    if (sending == nullptr) return EchoHandler::readable(stream, payload);
    sending->received += payload.size();
    sending->received_sum.add(payload);
    stream.consume(payload.size());
  }
  void writable(endpoint::MuxStream stream) override {
    Sending* const sending = ours(stream);
    if (sending == nullptr) return EchoHandler::writable(stream);
    while (sending->left > 0) {
      const Bytes part = pattern_.bytes().subspan(
          sending->place, static_cast<std::size_t>(std::min<std::uint64_t>(sending->left, part_bytes_max)));
      const auto taken = stream.write(pattern_, part);
      if (!taken) return;
      sending->sent_sum.add(part.first(*taken));
      sending->place = (sending->place + *taken) % pattern_period;
      sending->left -= *taken;
      if (*taken < part.size()) return;
    }
    (void)stream.close_write();
  }
  void finished(endpoint::MuxStream stream) override {
    if (ours(stream) == nullptr) EchoHandler::finished(stream);
  }
  void ended(endpoint::MuxStream stream, const endpoint::MuxEnd& end) override {
    const Sending* const sending = ours(stream);
    if (sending == nullptr) {
      EchoHandler::ended(stream, end);
      return finish_if_done();
    }
    ++ended_;
    const bool is_same = end.is_finished() && sending->left == 0 && sending->received == flags_.bytes &&
                         sending->received_sum.value() == sending->sent_sum.value();
    if (is_same) {
      ++same_;
      sum_ += sending->received_sum.value();
    } else {
      std::fprintf(stderr,
                   "stream %td differs: %" PRIu64 " of %" PRIu64 " bytes sent, %" PRIu64
                   " came back, sums %016" PRIx64 " and %016" PRIx64 ", end %d, code %" PRIu64 "\n",
                   sending - sendings_.data(), flags_.bytes - sending->left, flags_.bytes, sending->received,
                   sending->sent_sum.value(), sending->received_sum.value(), static_cast<int>(end.reason),
                   end.code);
    }
    finish_if_done();
  }
  void closed(endpoint::MuxConnection& connection, const endpoint::MuxCloseInfo& info) override {
    if (&connection != ours_) return;
    if (totals_of(connection).streams > 0) EchoHandler::closed(connection, info);
    std::printf("sent streams %" PRIu64 " bytes %" PRIu64 " sum %016" PRIx64 "\n", same_,
                same_ * flags_.bytes, sum_);
    std::fflush(stdout);
    is_good = same_ == flags_.streams && !info.was_violation;
    if (!is_good)
      std::fprintf(stderr, "%" PRIu64 " of %u streams came back whole; session: %.*s\n", same_,
                   flags_.streams, static_cast<int>(info.reason.size()), info.reason.data());
    if (carriers != nullptr) carriers->stop();
  }

  std::atomic<bool> is_good = false;
  example::Carriers* carriers = nullptr;

 private:
  [[nodiscard]] Sending* ours(const endpoint::MuxStream& stream) {
    auto* const sending = static_cast<Sending*>(stream.user());
    const bool is_ours = sending >= sendings_.data() && sending < sendings_.data() + sendings_.size();
    return is_ours ? sending : nullptr;
  }
  void finish_if_done() {
    if (ended_ == flags_.streams && totals_of(*ours_).live == 0) ours_->close();
  }

  const example::Flags flags_;
  Buffer pattern_ = make_pattern();
  std::atomic<bool> begun_ = false;
  endpoint::MuxConnection* ours_ = nullptr;
  std::vector<Sending> sendings_;
  std::uint64_t ended_ = 0;
  std::uint64_t same_ = 0;
  std::uint64_t sum_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const example::Flags flags = example::parse_flags(argc, argv, mux::Role::Client, true);
  auto checker = std::make_shared<Checker>(flags);
  example::Carriers carriers(flags, checker);
  checker->carriers = &carriers;
  return carriers.run() && checker->is_good ? 0 : 1;
}
