#pragma once
/// The program run as a child of the test, on the loop on which the test's own server lives.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>

#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "endpoint/client_fixture.hpp"
#include "sinnet/io/signals.hpp"
#include "sinnet/ws/frame.hpp"
#include "support/scratch.hpp"

namespace sinnet::cli::test {

using namespace std::chrono_literals;
using endpoint::test::Peer;
using endpoint::test::ScriptedServer;

struct Ran {
  int exit = -1;
  std::string out;
  std::string err;
};

/// Accepts the upgrade, then hands every whole frame of the client, unmasked, to `handle`.
inline Peer::React on_frames(std::function<void(Peer&, ws::FrameHeader, std::string)> handle) {
  return [handle = std::move(handle)](Peer& peer) {
    if (peer.step == 0) {
      if (!peer.has_head()) return;
      peer.step = 1;
      peer.send(peer.accept_head());
      peer.received.erase(0, peer.received.find("\r\n\r\n") + 4);
    }
    ws::FrameHeader header;
    for (;;) {
      const auto parsed = ws::parse_frame_header(as_bytes(peer.received), header);
      if (parsed.status != ws::FrameHeaderStatus::Done) return;
      const std::size_t end = parsed.header_bytes + header.payload_bytes;
      if (peer.received.size() < end) return;
      std::string payload = peer.received.substr(parsed.header_bytes, header.payload_bytes);
      for (std::size_t i = 0; i < payload.size(); ++i) {
        payload[i] = static_cast<char>(payload[i] ^ static_cast<char>(header.mask_key[i % 4]));
      }
      peer.received.erase(0, end);
      handle(peer, header, std::move(payload));
    }
  };
}

/// A frame as a server sends it; at most 125 bytes of payload.
inline std::string server_frame(unsigned first_byte, std::string_view payload) {
  std::string frame{static_cast<char>(first_byte), static_cast<char>(payload.size())};
  return frame + std::string(payload);
}

/// Echoes messages and the Close, then hangs up.
inline void echo(Peer& peer, const ws::FrameHeader& header, const std::string& payload) {
  peer.send(server_frame(0x80U | static_cast<unsigned>(header.opcode), payload));
  if (header.opcode == ws::Opcode::Close) peer.hang_up();
}

class ProgramTest : public testing::Test {
 protected:
  /// Runs it to its end, turning the loop meanwhile. `turned` is called at every turn.
  Ran run(std::vector<std::string> arguments, std::string_view input = {},
          const std::function<void()>& turned = {}) {
    const std::string in = scratch_.write("in", input);
    const std::string out = scratch_.path("out");
    const std::string err = scratch_.path("err");
    arguments.insert(arguments.begin(), SINNET_PROGRAM);
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    char* no_environment = nullptr;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, in.c_str(), O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t child = 0;
    EXPECT_EQ(posix_spawn(&child, SINNET_PROGRAM, &actions, nullptr, pointers.data(), &no_environment), 0);
    posix_spawn_file_actions_destroy(&actions);
    std::optional<io::ChildExit> ended;
    const auto watcher = io::ChildWatcher::create(*loop_, child, [&](io::ChildExit how) { ended = how; });
    EXPECT_TRUE(io::test::turn_until(
        *loop_,
        [&] {
          if (turned) turned();
          return ended.has_value();
        },
        20s));
    return {ended && ended->signal == 0 ? ended->status : -1, content(out), content(err)};
  }

  std::unique_ptr<io::Loop> loop_ = io::test::make_loop();
  sinnet::test::ScratchDirectory scratch_;

 private:
  static std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

}  // namespace sinnet::cli::test
