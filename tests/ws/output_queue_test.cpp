/// OutputQueue alone: wire order, and bytes that stay the same through partial writes and compaction.
#include "ws/output_queue.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "sinnet/ws/resources.hpp"
#include "support/bytes.hpp"
#include "support/seeded_random.hpp"

namespace sinnet::ws {
namespace {

void add(OutputQueue& queue, std::string_view text, bool held = false) {
  const MutableBytes room = queue.add_copied(text.size(), held);
  std::memcpy(room.data(), text.data(), text.size());
}

std::string take(OutputQueue& queue, std::size_t bytes_max = SIZE_MAX, std::size_t freeze_bytes = SIZE_MAX) {
  test::SeededRandom random{1};
  Resources resources{random};
  std::string taken;
  while (queue.sendable_bytes() > 0 && taken.size() < bytes_max) {
    queue.freeze(freeze_bytes);
    std::array<Slice, 3> slices;
    const std::size_t count = queue.gather(slices);
    std::size_t written = 0;
    for (const Slice& slice : std::span{slices}.first(count)) {
      const Bytes part = slice.bytes().first(std::min(slice.size, bytes_max - taken.size()));
      taken += as_text(part);
      written += part.size();
    }
    queue.consume(written, resources);
  }
  return taken;
}

TEST(OutputQueue, ControlNeverComesBetweenAHeaderAndItsPayload) {
  const std::string payload = "payload";
  for (std::size_t written = 0; written < 9; ++written) {
    OutputQueue queue;
    queue.add_lent(as_bytes("H:"), as_bytes(payload));
    add(queue, "next");
    EXPECT_EQ(take(queue, written, 1), std::string{"H:payload"}.substr(0, written));
    queue.add_control(as_bytes("C1"));
    queue.add_control(as_bytes("C2"));
    const std::string rest = std::string{"H:payload"}.substr(written);
    EXPECT_EQ(take(queue), written == 0 ? "C1C2H:payloadnext" : rest + "C1C2next");
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.control_bytes(), 0U);
  }
}

TEST(OutputQueue, SlowReaderSeesEveryByteInOrderAndMemoryIsReused) {
  OutputQueue queue;
  std::string expected;
  std::string taken;
  for (int i = 0; i < 20'000; ++i) {
    const std::string frame = "frame " + std::to_string(i) + ";";
    const std::string large(100, static_cast<char>('a' + i % 26));
    add(queue, frame);
    queue.add_owned(as_bytes("H"), Buffer::copy_of(as_bytes(large)), {}, false);
    expected += frame + "H";
    taken += take(queue, frame.size() + 1 - (i < 40 ? 1 : 0), 1);
  }
  taken += take(queue);
  EXPECT_TRUE(taken == expected);
  EXPECT_TRUE(queue.empty());
}

TEST(OutputQueue, HeldFramesComeAfterTheRestOrNever) {
  OutputQueue queue;
  add(queue, "a");
  add(queue, "held", true);
  add(queue, "b");
  EXPECT_EQ(queue.waiting_bytes(), 6U);
  EXPECT_EQ(take(queue), "ab");
  EXPECT_FALSE(queue.empty());
  add(queue, "c");
  queue.release_held();
  add(queue, "d");
  EXPECT_EQ(take(queue), "cheldd");
  add(queue, "dropped", true);
  queue.drop_held();
  EXPECT_TRUE(queue.empty());
}

TEST(OutputQueue, KeepLentCopiesWhatIsLeft) {
  OutputQueue queue;
  std::string payload = "payload";
  queue.add_lent(as_bytes("H"), as_bytes(payload));
  EXPECT_EQ(take(queue, 3), "Hpa");
  queue.keep_lent();
  payload.assign("xxxxxxx");
  EXPECT_EQ(take(queue), "yload");
}

}  // namespace
}  // namespace sinnet::ws
