#include "sinnet/io/signals.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <vector>

#include "io/sockets.hpp"

namespace sinnet::io::test {
namespace {

TEST(SignalWatcherTest, SignalsArriveInTheLoop) {
  const auto loop = make_loop();
  std::vector<int> seen;
  const std::array signals{SIGUSR1, SIGUSR2};
  auto watcher = SignalWatcher::create(*loop, signals, [&](int signal) { seen.push_back(signal); });
  ASSERT_TRUE(watcher) << watcher.error().message;
  ::raise(SIGUSR1);
  ::raise(SIGUSR2);
  EXPECT_TRUE(seen.empty());
  ASSERT_TRUE(turn_until(*loop, [&] { return seen.size() == 2; }));
  EXPECT_EQ(seen, (std::vector<int>{SIGUSR1, SIGUSR2}));
}

TEST(SignalWatcherTest, NoSuchSignalIsAnError) {
  const auto loop = make_loop();
  const std::array signals{4711};
  EXPECT_FALSE(SignalWatcher::create(*loop, signals, [](int) {}));
}

/// A child that ends at once as told.
pid_t make_child(int status, int signal) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (signal != 0) {
      std::signal(signal, SIG_DFL);
      ::raise(signal);
    }
    ::_exit(status);
  }
  return child;
}

TEST(ChildWatcherTest, ExitStatusAndSignalAreTold) {
  const auto loop = make_loop();
  std::vector<ChildExit> ended;
  std::unique_ptr<ChildWatcher> watcher;
  const auto watch = [&](pid_t child) {
    watcher = std::move(*ChildWatcher::create(*loop, child, [&](ChildExit exit) {
      ended.push_back(exit);
      watcher.reset();
    }));
  };
  const pid_t first = make_child(7, 0);
  watch(first);
  ASSERT_TRUE(turn_until(*loop, [&] { return ended.size() == 1; }));
  EXPECT_EQ(ended[0].status, 7);
  EXPECT_EQ(ended[0].signal, 0);
  EXPECT_EQ(::kill(first, 0), -1);  // reaped
  watch(make_child(0, SIGKILL));
  ASSERT_TRUE(turn_until(*loop, [&] { return ended.size() == 2; }));
  EXPECT_EQ(ended[1].status, 0);
  EXPECT_EQ(ended[1].signal, SIGKILL);
}

TEST(ChildWatcherTest, NoSuchProcessIsAnError) {
  const auto loop = make_loop();
  EXPECT_FALSE(ChildWatcher::create(*loop, 0x7fffffff, [](ChildExit) {}));
}

class FileWatcherTest : public testing::Test {
 protected:
  void write_file(const std::string& name, const std::string& text) const {
    std::ofstream(folder_.path(name), std::ios::trunc) << text;
  }
  void watch(std::vector<std::string> names) {
    for (std::string& name : names) name = folder_.path(name);
    auto watcher =
        FileWatcher::create(*loop_, names, [this](const std::string& path) { seen_.push_back(path); });
    ASSERT_TRUE(watcher) << watcher.error().message;
    watcher_ = std::move(*watcher);
  }
  bool wait() {
    return turn_until(*loop_, [&] { return !seen_.empty(); });
  }

  TemporaryFolder folder_;
  std::unique_ptr<Loop> loop_ = make_loop();
  std::unique_ptr<FileWatcher> watcher_;
  std::vector<std::string> seen_;
};

TEST_F(FileWatcherTest, FileWrittenInPlaceIsToldOnceForManyWrites) {
  write_file("cert", "one");
  watch({"cert"});
  write_file("cert", "second");
  write_file("cert", "third one");
  ASSERT_TRUE(wait());
  EXPECT_EQ(seen_, std::vector<std::string>{folder_.path("cert")});
}

TEST_F(FileWatcherTest, AtomicRenameIsSeenAndUnwatchedNamesAreNot) {
  write_file("cert", "one");
  write_file("key", "one");
  watch({"cert", "key"});
  write_file("other", "noise");
  write_file("cert.new", "two");
  ASSERT_EQ(std::rename(folder_.path("cert.new").c_str(), folder_.path("cert").c_str()), 0);
  ASSERT_TRUE(wait());
  EXPECT_EQ(seen_, std::vector<std::string>{folder_.path("cert")});
  seen_.clear();
  write_file("key.new", "two");  // and again, after the first rename
  ASSERT_EQ(std::rename(folder_.path("key.new").c_str(), folder_.path("key").c_str()), 0);
  ASSERT_TRUE(wait());
  EXPECT_EQ(seen_, std::vector<std::string>{folder_.path("key")});
}

TEST_F(FileWatcherTest, FolderLinkSwappedAsForMountedSecretsIsSeen) {
  ASSERT_EQ(::mkdir(folder_.path("v1").c_str(), 0700), 0);
  ASSERT_EQ(::mkdir(folder_.path("v2").c_str(), 0700), 0);
  write_file("v1/cert", "one");
  write_file("v2/cert", "two");
  ASSERT_EQ(::symlink("v1", folder_.path("data").c_str()), 0);
  ASSERT_EQ(::symlink("data/cert", folder_.path("cert").c_str()), 0);
  watch({"cert"});
  ASSERT_EQ(::symlink("v2", folder_.path("data.new").c_str()), 0);
  ASSERT_EQ(std::rename(folder_.path("data.new").c_str(), folder_.path("data").c_str()), 0);
  ASSERT_TRUE(wait());
  EXPECT_EQ(seen_, std::vector<std::string>{folder_.path("cert")});
  seen_.clear();
  write_file("v2/cert", "in place, behind both links");
  ASSERT_TRUE(wait());
}

TEST_F(FileWatcherTest, FileThatAppearsOrVanishesIsTold) {
  watch({"cert"});
  write_file("cert", "one");
  ASSERT_TRUE(wait());
  seen_.clear();
  ASSERT_EQ(::unlink(folder_.path("cert").c_str()), 0);
  ASSERT_TRUE(wait());
}

TEST_F(FileWatcherTest, MissingFolderIsAnError) {
  EXPECT_FALSE(FileWatcher::create(*loop_, {folder_.path("nowhere/cert")}, [](const std::string&) {}));
}

}  // namespace
}  // namespace sinnet::io::test
