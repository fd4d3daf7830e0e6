/// Links sinnet::core alone and says whether the header's version is the one asked for.

#include <cstdio>

#include "sinnet/base/error.hpp"
#include "sinnet/version.hpp"

int main(int argc, char** argv) {
  if (argc == 2 && sinnet::version != argv[1]) {
    std::fprintf(stderr, "version.hpp says %s\n", sinnet::version.data());
    return 1;
  }
  return sinnet::name_of(sinnet::ErrorCode::Closed) == "closed" ? 0 : 1;
}
