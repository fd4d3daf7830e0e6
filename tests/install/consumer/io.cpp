/// Links sinnet::io, and through it the core and what both need.

#include <array>
#include <cstdio>

#include "sinnet/base/error.hpp"
#include "sinnet/io/random.hpp"
#include "sinnet/version.hpp"

int main(int argc, char** argv) {
  if (argc == 2 && sinnet::version != argv[1]) {
    std::fprintf(stderr, "version.hpp says %s\n", sinnet::version.data());
    return 1;
  }
  sinnet::io::SystemRandom random;
  const std::array<std::byte, 4> first = random.word();
  return sinnet::name_of(sinnet::ErrorCode::Closed) == "closed" && first.size() == 4 ? 0 : 1;
}
