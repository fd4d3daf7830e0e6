#include "cli/output.hpp"

#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

namespace sinnet::cli {

Exit print(std::string_view data) {
  const bool taken =
      std::fwrite(data.data(), 1, data.size(), stdout) == data.size() && std::fflush(stdout) == 0;
  if (taken) return Exit::Done;
  complain("cannot write to stdout: " + std::generic_category().message(errno));
  return Exit::Failed;
}

void complain(std::string_view text) { complain_at_place("sinnet: " + std::string(text)); }

void complain_at_place(std::string_view text) {
  const std::string line =
      std::string(text) + "\n";  // one write, so that lines of several programs do not mix
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace sinnet::cli
