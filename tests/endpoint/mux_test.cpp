/// Sessions on real carriers within one loop: what a MuxHandler is told, and what holds whom back.
#include "sinnet/endpoint/mux.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "endpoint/live_server.hpp"
#include "io/sockets.hpp"
#include "sinnet/endpoint/client.hpp"
#include "sinnet/io/memory_pipe.hpp"
#include "sinnet/mux/sinnet_v1.hpp"
#include "sinnet/mux/yamux.hpp"

namespace sinnet::endpoint {
namespace {

using io::test::make_loop;
using io::test::turn_until;
using namespace std::chrono_literals;

/// Notes what it is told, in words, and does what the test says.
class Notes : public MuxHandler {
 public:
  void started(MuxConnection& connection) override { session = &connection; }
  void opened(MuxStream stream, const MuxOpening&) override {
    note("opened");
    if (on_opened) on_opened(stream);
  }
  void readable(MuxStream stream, MutableBytes payload) override {
    if (deaf == stream) {
      unread = payload.size();
      return;
    }
    received += as_text(payload);
    stream.consume(payload.size());
    if (echoes) (void)stream.write(payload);
  }
  void writable(MuxStream) override { note("writable"); }
  void finished(MuxStream stream) override {
    note("finished");
    (void)stream.close_write();
  }
  void ended(MuxStream, const MuxEnd& end) override {
    note(end.is_finished() ? "ended" : "ended " + std::to_string(static_cast<int>(end.reason)));
  }
  void closed(MuxConnection&, const MuxCloseInfo& info) override {
    note(info.was_violation ? "violation" : info.was_clean ? "closed clean" : "closed");
    session = nullptr;
  }
  void note(std::string what) { told.push_back(std::move(what)); }
  [[nodiscard]] bool was_told(std::string_view what) const {
    return std::ranges::find(told, what) != told.end();
  }

  MuxConnection* session = nullptr;
  std::function<void(MuxStream)> on_opened;
  std::vector<std::string> told;
  std::string received;
  std::size_t unread = 0;
  std::optional<MuxStream> deaf;  ///< reads nothing
  bool echoes = false;
};

using Words = std::vector<std::string>;

/// Two carriers at the ends of a pipe.
class MuxCarriers : public ::testing::TestWithParam<mux::Dialect (*)()> {
 protected:
  void SetUp() override {
    auto [left, right] = io::make_memory_pipe(*loop);
    near_carrier->carry(std::move(left), mux::Role::Client);
    far_carrier->carry(std::move(right), mux::Role::Server);
  }

  std::unique_ptr<io::Loop> loop = make_loop();
  std::shared_ptr<Notes> near = std::make_shared<Notes>();
  std::shared_ptr<Notes> far = std::make_shared<Notes>();
  MuxOptions options{.dialect = GetParam()()};
  std::unique_ptr<MuxCarrier> near_carrier = std::make_unique<MuxCarrier>(*loop, options, near);
  std::unique_ptr<MuxCarrier> far_carrier = std::make_unique<MuxCarrier>(*loop, options, far);
};

TEST_P(MuxCarriers, EchoAndEndAreToldOnceAndInOrder) {
  far->echoes = true;
  const auto stream = near->session->open();
  ASSERT_TRUE(stream);
  EXPECT_EQ(stream->write(as_bytes("hello")), 5U);
  ASSERT_TRUE(turn_until(*loop, [&] { return near->received == "hello"; }));
  EXPECT_TRUE(stream->close_write());
  ASSERT_TRUE(turn_until(*loop, [&] { return near->was_told("ended") && far->was_told("ended"); }));
  EXPECT_FALSE(stream->write(as_bytes("more")));
  near->session->close();
  ASSERT_TRUE(turn_until(*loop, [&] { return near_carrier->size() + far_carrier->size() == 0; }));
  EXPECT_EQ(far->told, (Words{"opened", "finished", "ended", "closed clean"}));
  EXPECT_EQ(near->told, (Words{"finished", "ended", "closed clean"}));
}

TEST_P(MuxCarriers, WhoDoesNotReadHoldsItsWriterBackAndNobodyElse) {
  far->on_opened = [&](MuxStream stream) {
    if (!far->deaf) far->deaf = stream;
  };
  const auto slow = near->session->open();
  ASSERT_TRUE(slow);
  const std::string part(100'000, 'x');
  std::size_t taken = 0;
  for (int turn = 0; turn < 100; ++turn) {
    taken += slow->write(as_bytes(part)).value_or(0);
    loop->run_once(0ms);
  }
  EXPECT_EQ(far->unread, options.session.stream_window);
  EXPECT_EQ(taken, options.session.stream_window) << "no byte is taken that has no credit";
  const auto quick = near->session->open();
  ASSERT_TRUE(quick && quick->write(as_bytes("quick")));
  EXPECT_TRUE(turn_until(*loop, [&] { return far->received == "quick"; }));
  far->deaf->consume(far->deaf->readable().size());
  EXPECT_TRUE(turn_until(*loop, [&] { return near->was_told("writable"); }));
}

TEST_P(MuxCarriers, AbortEndsEverythingOnBothSides) {
  (void)near->session->open()->write(as_bytes("x"));
  ASSERT_TRUE(turn_until(*loop, [&] { return far->received == "x"; }));
  near->session->abort();
  ASSERT_TRUE(turn_until(*loop, [&] { return near_carrier->size() + far_carrier->size() == 0; }));
  for (const auto& side : {near, far}) {
    EXPECT_EQ(std::ranges::count(side->told, "closed"), 1);
    EXPECT_EQ(side->told.back(), "closed");
    EXPECT_EQ(std::ranges::count_if(side->told, [](const auto& t) { return t.starts_with("ended"); }), 1);
  }
}

TEST_P(MuxCarriers, ItsDestructionTellsEveryEnd) {
  (void)near->session->open();
  near_carrier.reset();
  EXPECT_EQ(near->told.size(), 2U);
  EXPECT_EQ(near->told.back(), "closed");
  EXPECT_TRUE(turn_until(*loop, [&] { return far_carrier->size() == 0; }));
}

TEST_P(MuxCarriers, OpeningsMayBeRefusedOrAnsweredLater) {
  MuxStream later;
  far->on_opened = [&](MuxStream stream) {
    if (later) {
      EXPECT_TRUE(stream.refuse());
    } else {
      later = stream;
      stream.answer_later();
    }
  };
  (void)near->session->open()->write(as_bytes("kept"));
  ASSERT_TRUE(turn_until(*loop, [&] { return static_cast<bool>(later); }));
  (void)near->session->open()->write(as_bytes("lost"));
  ASSERT_TRUE(turn_until(*loop, [&] { return near->told.size() == 1; }));
  EXPECT_EQ(far->received, "");
  EXPECT_TRUE(later.accept());
  EXPECT_TRUE(turn_until(*loop, [&] { return far->received == "kept"; }));
}

INSTANTIATE_TEST_SUITE_P(Dialects, MuxCarriers, ::testing::Values(mux::yamux, mux::sinnet_v1),
                         [](const auto& parameter) { return parameter.index == 0 ? "yamux" : "sinnet"; });

// ---- WebSockets

TEST(MuxOverWebSocket, StreamsGoBothWaysAndTheEndIsAClose) {
  MuxOptions options{.dialect = mux::sinnet_v1(), .subprotocol = std::string(mux::sinnet_v1_name)};
  auto far = std::make_shared<Notes>();
  far->echoes = true;
  sinnet::test::LiveServer live;
  ASSERT_TRUE(live.server.route("/mux", make_mux_handler(options, far)));
  live.start();
  const auto loop = make_loop();
  ClientOptions client_options;
  client_options.protocols.emplace_back(mux::sinnet_v1_name);
  const auto client = Client::create(*loop, std::move(client_options));
  ASSERT_TRUE(client);
  auto near = std::make_shared<Notes>();
  const auto session = (*client)->connect("ws://127.0.0.1:" + std::to_string(live.port) + "/mux",
                                          make_mux_handler(options, near));
  ASSERT_TRUE(session);
  ASSERT_TRUE(turn_until(*loop, [&] { return near->session != nullptr; }));
  EXPECT_EQ((*session)->connection()->protocol(), mux::sinnet_v1_name);
  const auto stream = near->session->open();
  ASSERT_TRUE(stream && stream->write(as_bytes("hello")) && stream->close_write());
  EXPECT_TRUE(turn_until(*loop, [&] { return near->was_told("ended"); }));
  EXPECT_EQ(near->received, "hello");
  near->session->close();
  EXPECT_TRUE(turn_until(*loop, [&] { return near->session == nullptr; }));
  EXPECT_EQ(near->told.back(), "closed clean");
  live.server.stop();
  EXPECT_EQ(far->told, (Words{"opened", "finished", "ended", "closed clean"}));
}

}  // namespace
}  // namespace sinnet::endpoint
