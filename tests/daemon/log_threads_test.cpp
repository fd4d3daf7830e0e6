// Lines of several threads do not mix.

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "daemon/log.hpp"

namespace sinnet::daemon {
namespace {

TEST(LogThreads, LinesStayWholeWhileTheLogIsReconfigured) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
  const LogConfig config{LogFormat::Json, LogLevel::Info, true};
  Log log(config, file.get());
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&] {
        for (int line = 0; line < 200; ++line) {
          log.info("x", {{"text", std::string(100, 'a')}});
          if (line % 50 == 0) log.reconfigure(config);
        }
      });
    }
  }
  std::rewind(file.get());
  std::string lines(1U << 20U, '\0');
  lines.resize(std::fread(lines.data(), 1, lines.size(), file.get()));
  std::size_t count = 0;
  for (std::size_t at = 0; at < lines.size(); ++count) {
    const std::size_t end = lines.find('\n', at);
    ASSERT_NE(end, lines.npos);
    ASSERT_TRUE(nlohmann::json::accept(lines.substr(at, end - at)));
    at = end + 1;
  }
  EXPECT_EQ(count, 800U);
}

}  // namespace
}  // namespace sinnet::daemon
