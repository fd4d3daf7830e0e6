#pragma once
/// The system's CSPRNG behind base's Random interface.

#include <array>

#include "sinnet/base/random.hpp"

namespace sinnet::io {

/// getrandom(2) in batches of 4 KiB, since a mask of four bytes for each frame must not cost a system call.
/// Bytes handed out are wiped from the batch. A failing getrandom ends the process. One per thread.
class SystemRandom final : public Random {
 public:
  void fill(MutableBytes out) override;

 private:
  std::array<std::byte, 4096> batch_{};
  std::size_t used_ = 4096;
};

}  // namespace sinnet::io
