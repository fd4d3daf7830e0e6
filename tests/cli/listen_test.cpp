// `sinnet listen` and the line editor of both roles.

#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <filesystem>

#include "cli/program.hpp"
#include "sinnet/endpoint/client.hpp"

namespace sinnet::cli::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Listen = ProgramTest;

TEST_F(Listen, TalksToOneClientAndEndsWithIt) {
  const std::string socket = scratch_.path("s.sock");
  const auto client = std::move(*endpoint::Client::create(*loop_));
  std::vector<std::string> heard;
  std::vector<int> refusals;
  std::unique_ptr<endpoint::ClientSession> first;
  std::unique_ptr<endpoint::ClientSession> second;
  const std::string url = "ws+unix:" + socket + ":/any/path";
  const auto connect_once = [&] {
    if (first != nullptr || !std::filesystem::exists(socket)) return;
    endpoint::Callbacks callbacks;
    callbacks.open = [&](endpoint::Connection& connection) {
      (void)connection.send_text("hi");
      second =
          std::move(*client->connect(url, endpoint::Callbacks{}, [&](const endpoint::OpenFailure& failure) {
            refusals.push_back(failure.status);
          }));
    };
    callbacks.message = [&](endpoint::Connection&, const endpoint::Message& message) {
      heard.emplace_back(message.text());
    };
    first = std::move(*client->connect(url, std::move(callbacks)));
  };
  const Ran ran = run({"listen", "unix:" + socket, "--wait", "200ms"}, "yo\n", connect_once);
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_EQ(ran.out, "hi\n");
  EXPECT_THAT(ran.err, HasSubstr("waiting for a client on unix:" + socket));
  EXPECT_THAT(heard, ElementsAre("yo"));
  EXPECT_THAT(refusals, ElementsAre(503));
}

TEST_F(Listen, AddressesThatCannotBeUsedAreUsageErrors) {
  EXPECT_EQ(run({"listen"}).exit, 2);
  EXPECT_EQ(run({"listen", "nowhere"}).exit, 2);
}

/// The program on a terminal of its own.
class OnTerminal : public ProgramTest {
 protected:
  void start(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), SINNET_PROGRAM);
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    const pid_t child = ::forkpty(&terminal_, nullptr, nullptr, nullptr);
    if (child == 0) {
      ::setenv("TERM", "xterm", 1);
      ::execv(SINNET_PROGRAM, pointers.data());
      ::_exit(127);
    }
    watcher_ = std::move(*io::ChildWatcher::create(*loop_, child, [&](io::ChildExit how) { ended_ = how; }));
    reader_ = std::make_unique<io::test::FunctionWatcher>([this](std::uint32_t) {
      std::array<char, 4096> piece;
      const ssize_t count = ::read(terminal_, piece.data(), piece.size());
      if (count > 0) return shown_.append(piece.data(), static_cast<std::size_t>(count)), void();
      loop_->unwatch(terminal_, *reader_);
    });
    ASSERT_TRUE(loop_->watch(terminal_, 1 /* EPOLLIN */, *reader_).has_value());
  }
  void type(std::string_view keys) {
    EXPECT_EQ(::write(terminal_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  /// What came on the screen since the last call, once it has `text`.
  [[nodiscard]] bool shows(const std::string& text) {
    const bool found = io::test::turn_until(*loop_, [&] { return shown_.find(text, seen_) != shown_.npos; });
    if (found) seen_ = shown_.find(text, seen_) + text.size();
    return found;
  }

  int terminal_ = -1;
  std::string shown_;
  std::size_t seen_ = 0;
  std::unique_ptr<io::ChildWatcher> watcher_;
  std::unique_ptr<io::test::FunctionWatcher> reader_;
  std::optional<io::ChildExit> ended_;
};

TEST_F(OnTerminal, WhatArrivesLeavesTheLineBeingTypedWhole) {
  Peer* talker = nullptr;
  std::vector<std::string> heard;
  ScriptedServer server(*loop_, on_frames([&](Peer& peer, const ws::FrameHeader& header, std::string text) {
    talker = &peer;
    if (header.opcode == ws::Opcode::Close) return echo(peer, header, text);
    heard.push_back(text);
    peer.send(server_frame(0x81, "heard " + text));
  }));
  start({"connect", server.url()});
  ASSERT_TRUE(shows("> ")) << shown_;
  type("first\n");
  ASSERT_TRUE(shows("heard first\r\n> ")) << shown_;
  type("half");
  ASSERT_TRUE(shows("half")) << shown_;
  talker->send(server_frame(0x81, "\x1b[2Jnews"));
  ASSERT_TRUE(shows("\\x1b[2Jnews\r\n")) << "control characters are made visible: " << shown_;
  ASSERT_TRUE(shows("> half")) << "the line is drawn again: " << shown_;
  type(" more\n");
  ASSERT_TRUE(shows("heard half more")) << shown_;
  type("\x1b[A\x1b[A\n");  // twice up: the first line again
  ASSERT_TRUE(shows("heard first")) << shown_;
  type("\x04");
  ASSERT_TRUE(shows("closed: 1000")) << shown_;
  ASSERT_TRUE(io::test::turn_until(*loop_, [&] { return ended_.has_value(); }));
  EXPECT_EQ(ended_->status, 0);
  EXPECT_THAT(heard, ElementsAre("first", "half more", "first"));
}

TEST_F(OnTerminal, CharactersBeyondAsciiAreSentAsTyped) {
  std::vector<std::string> heard;
  ScriptedServer server(*loop_, on_frames([&](Peer& peer, const ws::FrameHeader& header, std::string text) {
    if (header.opcode == ws::Opcode::Close) return echo(peer, header, text);
    heard.push_back(text);
    peer.send(server_frame(0x81, "heard"));
  }));
  start({"connect", server.url()});
  ASSERT_TRUE(shows("> ")) << shown_;
  type("a\u00e9x\u65e5\n");
  ASSERT_TRUE(shows("heard")) << shown_;
  type("\x04");
  ASSERT_TRUE(io::test::turn_until(*loop_, [&] { return ended_.has_value(); }));
  EXPECT_THAT(heard, ElementsAre("a\u00e9x\u65e5"));
}

TEST_F(OnTerminal, WhatArrivesErasesEveryRowOfALineThatWraps) {
  Peer* talker = nullptr;
  ScriptedServer server(*loop_, on_frames([&](Peer& peer, const ws::FrameHeader& header, std::string text) {
    talker = &peer;
    echo(peer, header, text);
  }));
  start({"connect", server.url()});
  const winsize narrow{.ws_row = 24, .ws_col = 20, .ws_xpixel = 0, .ws_ypixel = 0};
  ASSERT_EQ(::ioctl(terminal_, TIOCSWINSZ, &narrow), 0);
  ASSERT_TRUE(shows("> ")) << shown_;
  type("first\n");
  ASSERT_TRUE(shows("first\r\n")) << shown_;
  ASSERT_TRUE(shows("> ")) << shown_;
  type(std::string(49, 'w') + "!");  // with the prompt two rows of 20 columns, and 12 of the third
  ASSERT_TRUE(shows("!")) << shown_;
  talker->send(server_frame(0x81, "news"));
  ASSERT_TRUE(shows("\x1b[2A\r\x1b[Jnews\r\n")) << "two rows up, then all below is erased: " << shown_;
  ASSERT_TRUE(shows("> w")) << "the line is drawn again: " << shown_;
  ASSERT_TRUE(shows("!")) << shown_;
  type("\n");
  ASSERT_TRUE(shows("w!\r\n")) << shown_;
  type("\x04");
  ASSERT_TRUE(io::test::turn_until(*loop_, [&] { return ended_.has_value(); }));
  EXPECT_EQ(ended_->status, 0);
}

}  // namespace
}  // namespace sinnet::cli::test
