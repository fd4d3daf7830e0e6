#pragma once
/// Plays one side of a captured dialogue with our session: what the capture's program did is read off its
/// frames, our frames must be the same bytes. For dialects in the manner of muxado.

#include <gtest/gtest.h>

#include "mux/rig.hpp"
#include "mux/vectors.hpp"

namespace sinnet::mux::test {

/// What a frame of a capture says, in the neutral words of the dialect under test.
struct Spoken {
  Frame frame;
  Bytes payload;
};

class MuxadoReplay {
 public:
  MuxadoReplay(Role role, const Dialect& dialect, const SessionOptions& options)
      : rig(role, dialect, options), dialect_(dialect) {
    rig.consumes = false;
  }

  /// Every record: the peer's are given, ours provoked and compared.
  void play(const std::vector<Record>& records) {
    for (const Record& record : records) {
      SCOPED_TRACE(record.line);
      if (record.from_client != (rig.session.role() == Role::Client)) {
        if (!record.bytes.empty()) rig.give(record.bytes);
      } else if (record.word == "EOF") {
        EXPECT_TRUE(rig.session.wants_shutdown_write() || rig.session.is_done());
      } else {
        expect_ours(record);
      }
      if (::testing::Test::HasFailure()) return;
    }
  }

  Rig rig;

 private:
  Spoken read(const Record& record) {
    Spoken spoken;
    const Decoded decoded =
        dialect_.decode(dialect_.rules, other(rig.session.role()), record.bytes, false, spoken.frame);
    EXPECT_EQ(decoded.status, DecodeStatus::Frame);
    spoken.payload = Bytes{record.bytes}.subspan(decoded.header_bytes);
    return spoken;
  }
  Stream stream_of(std::uint64_t id) {
    for (const Seen& event : rig.seen) {
      if (event.type == EventType::Opened) known_[id_of(event.stream, id)] = event.stream;
    }
    return known_[id];
  }
  std::uint64_t id_of(Stream stream, std::uint64_t otherwise) {
    const std::optional<StreamStatistics> statistics = rig.session.statistics(stream);
    return statistics ? statistics->id : otherwise + 1000;
  }
  void expect_ours(const Record& record) {
    if (record.word == "NONE") {
      EXPECT_EQ(rig.take(), "");
      return;
    }
    const Spoken spoken = read(record);
    if (spoken.frame.type == FrameType::GoAway) return expect_go_away(spoken.frame);
    const bool is_mute = act(spoken);
    EXPECT_EQ(rig.take(), is_mute ? "" : sinnet::test::hex(record.bytes));
  }
  /// Does what made the program send this. True: we send nothing, since credit behind a finish is of no use.
  bool act(const Spoken& spoken) {
    const Frame& frame = spoken.frame;
    if (frame.flags.resets) return false;  // sent of itself
    if (frame.flags.opens)
      known_[frame.id] = rig.open({.stream_type = frame.stream_type, .urgency = frame.urgency});
    const Stream stream = stream_of(frame.id);
    if (frame.type == FrameType::Credit) {
      const std::optional<StreamStatistics> statistics = rig.session.statistics(stream);
      if (!statistics) return true;
      rig.session.consume(stream, static_cast<std::size_t>(frame.credit), rig.now);
      rig.poll();
      return statistics->receiving != Half::Open;
    }
    if (!spoken.payload.empty()) {
      EXPECT_EQ(rig.session.write(stream, spoken.payload, rig.now).value_or(0), spoken.payload.size());
    }
    if (frame.flags.finishes) {
      EXPECT_TRUE(rig.session.close_write(stream, rig.now));
    }
    return false;
  }
  /// Texts and the last id of a side that saw nothing are each implementation's own.
  void expect_go_away(const Frame& wanted) {
    const std::vector<std::byte> bytes = rig.take_bytes();
    Frame frame;
    const Decoded decoded = dialect_.decode(dialect_.rules, other(rig.session.role()), bytes, false, frame);
    EXPECT_EQ(decoded.status, DecodeStatus::Frame);
    EXPECT_EQ(frame.type, FrameType::GoAway);
    EXPECT_EQ(frame.code, wanted.code);
    EXPECT_EQ(decoded.header_bytes, bytes.size());
  }

  Dialect dialect_;
  std::map<std::uint64_t, Stream> known_;
};

}  // namespace sinnet::mux::test
