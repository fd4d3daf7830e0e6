// The blocking WebSocket, against a server with a thread of its own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "sinnet/endpoint/client.hpp"
#include "sinnet/endpoint/server.hpp"

namespace sinnet::endpoint::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class BlockingTest : public testing::Test {
 protected:
  /// Echoes whole messages, closes with 4001 "enough" when told "close".
  BlockingTest() {
    (void)server_.route("/",
                        {.open = {},
                         .message =
                             [](Connection& connection, const Message& message) {
                               if (message.text() == "close")
                                 return connection.close(ws::CloseCode{4001}, "enough");
                               (void)connection.send(message);
                             },
                         .drained = {},
                         .close = {}},
                        {.host = {}, .protocols = {"chat.v1"}});
    port_ = server_.listen("127.0.0.1:0")->port();
    (void)server_.start();
  }
  ~BlockingTest() override { server_.stop(); }
  [[nodiscard]] std::string url() const { return "ws://127.0.0.1:" + std::to_string(port_) + "/"; }

  Server server_;
  std::uint16_t port_ = 0;
};

TEST_F(BlockingTest, SendsReceivesAndCloses) {
  auto opened = sinnet::connect(url(), {.protocols = {"chat.v1"}});
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  WebSocket& websocket = **opened;
  EXPECT_EQ(websocket.protocol(), "chat.v1");
  ASSERT_TRUE(websocket.send_text("one").has_value());
  ASSERT_TRUE(websocket.send_text("two").has_value());
  EXPECT_EQ(websocket.receive(5s)->text(), "one");
  EXPECT_EQ(websocket.receive(5s)->text(), "two");
  EXPECT_EQ(websocket.receive(1ms).error().code, ErrorCode::TimedOut);
  websocket.close();
  EXPECT_EQ(websocket.close_code(), ws::CloseCode::Normal);
  EXPECT_FALSE(websocket.is_open());
  EXPECT_EQ(websocket.send_text("three").error().code, ErrorCode::Closed);
}

TEST_F(BlockingTest, WhatCameBeforeTheCloseIsHandedOutFirst) {
  auto websocket = std::move(*sinnet::connect(url(), {.protocols = {"chat.v1"}}));
  ASSERT_TRUE(websocket->send_text("last").has_value());
  ASSERT_TRUE(websocket->send_text("close").has_value());
  EXPECT_EQ(websocket->receive(5s)->text(), "last");
  const auto over = websocket->receive(5s);
  ASSERT_FALSE(over.has_value());
  EXPECT_EQ(over.error().code, ErrorCode::Closed);
  EXPECT_THAT(over.error().message, HasSubstr("4001 enough"));
  EXPECT_EQ(websocket->close_reason(), "enough");
}

TEST_F(BlockingTest, SendingALotToAnEchoDoesNotLockUp) {
  ClientOptions options{.protocols = {"chat.v1"}};
  auto websocket = std::move(*sinnet::connect(url(), options));
  const std::string text(256 * 1024, 'x');
  std::size_t received = 0;
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(websocket->send_text(text).has_value());
  while (received < 12) {
    const auto message = websocket->receive(5s);
    ASSERT_TRUE(message.has_value()) << message.error().message;
    EXPECT_EQ(message->text(), text);
    ++received;
  }
}

TEST(Blocking, RefusalsAreErrors) {
  EXPECT_EQ(sinnet::connect("nonsense").error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(sinnet::connect("ws+unix:/nowhere/none.sock").error().code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace sinnet::endpoint::test
