/// SharedFrame: which encoding a connection sends, and that it is made once.
#include "sinnet/ws/shared_frame.hpp"

#include <gtest/gtest.h>

#include "ws/connection_rig.hpp"

namespace sinnet::ws {
namespace {

constexpr auto plain_hello = "810548656c6c6f";

std::string sent(Role role, std::optional<DeflateParameters> deflate, const SharedFrame& frame) {
  Rig rig(role, {.deflate = {.threshold_bytes = 0}}, deflate);
  (void)rig.machine.send(frame, rig.now);
  return rig.take();
}

TEST(SharedFrame, GoesPlainWhereTheWindowIsKeptAndMaskedFromAClient) {
  const SharedFrame frame{MessageKind::Text, as_bytes("Hello")};
  EXPECT_EQ(test::hex(frame.plain()), plain_hello);
  EXPECT_EQ(sent(Role::Server, std::nullopt, frame), plain_hello);
  EXPECT_EQ(sent(Role::Server, DeflateParameters{}, frame), plain_hello) << "context takeover";
  EXPECT_EQ(sent(Role::Client, std::nullopt, frame), "818537fa213d7f9f4d5158");
}

TEST(SharedFrame, GoesDeflatedOnceWhereTheWindowIsNotKept) {
  const std::string text(500, 'a');
  const SharedFrame frame{MessageKind::Text, as_bytes(text)};
  const DeflateParameters parameters{.server_no_context_takeover = true};
  const std::string first = sent(Role::Server, parameters, frame);
  EXPECT_LT(first.size(), 100U);
  EXPECT_EQ(first.substr(0, 2), "c1");
  EXPECT_EQ(sent(Role::Server, parameters, frame), first);
  EXPECT_EQ(sent(Role::Server, parameters, frame.share()), first);
  Rig client(Role::Client, {}, parameters);
  client.give(first);
  EXPECT_EQ(client.told(), Told{"text inflated of 500"});
  EXPECT_TRUE(sent(Role::Server, {{.server_no_context_takeover = true, .server_max_window_bits = 9}},
                   frame) == "817e01f4" + test::hex(as_bytes(text)))
      << "the agreed window is smaller than the frame's";
}

}  // namespace
}  // namespace sinnet::ws
