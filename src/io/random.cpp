#include "sinnet/io/random.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace sinnet::io {
namespace {

void fill_from_system(MutableBytes out) {
  while (!out.empty()) {
    const ssize_t got = getrandom(out.data(), out.size(), 0);
    if (got > 0) {
      out = out.subspan(static_cast<std::size_t>(got));
    } else if (errno != EINTR) {
      std::perror("getrandom");
      std::abort();  // a predictable mask is worse than no process: RFC 6455 10.3
    }
  }
}

}  // namespace

void SystemRandom::fill(MutableBytes out) {
  if (out.size() >= batch_.size()) return fill_from_system(out);
  while (!out.empty()) {
    if (used_ == batch_.size()) {
      fill_from_system(batch_);
      used_ = 0;
    }
    const std::size_t count = std::min(out.size(), batch_.size() - used_);
    std::memcpy(out.data(), batch_.data() + used_, count);
    std::memset(batch_.data() + used_, 0, count);
    used_ += count;
    out = out.subspan(count);
  }
}

}  // namespace sinnet::io
