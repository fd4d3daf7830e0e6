#pragma once
/// Plays one side of a captured exchange with our session in place of the program, for dialects of messages:
/// what the other side sent is given; before each frame of ours the user does what the program's user did.
/// The bytes expected are the file's; the dialect's decoder only tells which verb a frame stands for.

#include <map>

#include "mux/rig.hpp"
#include "mux/vectors.hpp"

namespace sinnet::mux::test {

class Replay {
 public:
  Replay(Role role, const Dialect& dialect, const SessionOptions& options)
      : role_(role), rig(role, dialect, options) {
    rig.accepts = rig.consumes = false;
  }

  void play(const std::vector<Record>& records) {
    for (const Record& record : records) {
      if (record.from_client == (role_ == Role::Server)) {
        give(record);
      } else if (record.word == "NONE") {
        EXPECT_EQ(rig.take(), "") << record.line;
      } else if (record.word.starts_with("CLOSE")) {
        expect_failure(record);
      } else if (record.word.empty()) {
        expect(record);
      }
      if (::testing::Test::HasFailure()) return;
    }
  }
  void give(const Record& record) {
    if (record.word.starts_with("TEXT")) {
      rig.session.fail_carrier(Fault::Protocol, "unexpected non-binary websocket message");
      rig.poll();
    } else if (record.word.empty() || record.word == "EMPTY") {
      const std::size_t opened = rig.count(EventType::Opened);
      rig.give(record.bytes);
      if (rig.count(EventType::Opened) > opened)
        streams[rig.session.statistics(rig.last_opened).value_or(StreamStatistics{}).id] = rig.last_opened;
    }
  }

 private:
  void expect(const Record& record) {
    const Dialect& dialect = rig.session.dialect();
    Frame frame;
    const Decoded decoded = dialect.decode(dialect.rules, other(role_), record.bytes, true, frame);
    ASSERT_EQ(decoded.status, DecodeStatus::Frame) << record.line;
    const auto found = streams.find(frame.id);
    const bool is_new = found == streams.end();
    if (is_new) {
      streams[frame.id] = rig.open();
    } else if (!act(frame, found->second, Bytes{record.bytes}.subspan(decoded.header_bytes))) {
      return;
    }
    EXPECT_EQ(take_message(), sinnet::test::hex(record.bytes)) << record.line;
    if (is_new) {
      EXPECT_EQ(rig.session.statistics(streams[frame.id]).value_or(StreamStatistics{}).id, frame.id);
    }
  }
  /// False: a frame that our session leaves out.
  bool act(const Frame& frame, Stream stream, Bytes payload) {
    Session& session = rig.session;
    if (!session.is_live(stream)) return true;  // an answer: it ended with what it answers
    const StreamStatistics now = session.statistics(stream).value_or(StreamStatistics{});
    if (frame.type == FrameType::Data) {
      EXPECT_EQ(session.write(stream, payload, rig.now), payload.size());
    } else if (frame.type == FrameType::Credit && accepted[stream] == false && stream_is_theirs(frame.id)) {
      accepted[stream] = true;
      EXPECT_TRUE(session.accept(stream, rig.now));
    } else if (frame.type == FrameType::Credit) {
      session.consume(stream, static_cast<std::size_t>(frame.credit), rig.now);
      rig.poll();
      return now.receiving == Half::Open;  // credit behind the peer's finish serves nobody
    } else if (frame.flags.finishes) {
      EXPECT_TRUE(session.close_write(stream, rig.now));
    } else if (frame.flags.stops && now.receiving == Half::Open) {
      EXPECT_TRUE(session.stop_receiving(stream, frame.code, rig.now));
    } else if (frame.flags.resets && now.sending == Half::Open) {
      EXPECT_TRUE(session.abort_write(stream, frame.code, rig.now));
    }
    return true;
  }
  [[nodiscard]] bool stream_is_theirs(std::uint64_t id) const {
    const Rules& rules = rig.session.dialect().rules;
    return id % 2 != (role_ == Role::Client ? rules.first_id_client : rules.first_id_server) % 2;
  }
  void expect_failure(const Record& record) {
    const std::vector<std::byte> body = sinnet::test::bytes(std::string_view(record.word).substr(5));
    ASSERT_EQ(rig.count(EventType::Failed), 1U) << record.line;
    const Seen& failed = rig.last(EventType::Failed);
    EXPECT_EQ(failed.close_code,
              std::to_integer<unsigned>(body[0]) * 256 + std::to_integer<unsigned>(body[1]));
    EXPECT_EQ(failed.reason, as_text(Bytes{body}.subspan(2))) << record.line;
  }

 public:
  std::string take_message() {
    rig.session.prepare_output(SIZE_MAX, rig.now);
    std::array<Slice, 256> slices;
    std::vector<std::byte> bytes;
    for (const Slice& slice : std::span{slices}.first(rig.session.output(slices)))
      bytes.insert(bytes.end(), slice.bytes().begin(), slice.bytes().end());
    bytes.resize(std::min(bytes.size(), rig.session.output_message_bytes()));
    rig.session.consume_output(bytes.size(), rig.now);
    rig.poll();
    return sinnet::test::hex(bytes);
  }

 private:
  Role role_;

 public:
  Rig rig;
  std::map<std::uint64_t, Stream> streams;
  std::map<Stream, bool> accepted;
};

}  // namespace sinnet::mux::test
