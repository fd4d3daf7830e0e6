/// How a run ends that measured nothing worth keeping. Never returns.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "load.hpp"

namespace load {

void fail(const std::string& what) {
  std::fprintf(stderr, "load: %s\n", what.c_str());
  std::exit(2);
}

void fail_errno(const std::string& what) { fail(what + ": " + std::strerror(errno)); }

}  // namespace load
