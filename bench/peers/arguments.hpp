/// The command line all measured servers share: PORT [--deflate] [--tls CERTIFICATE KEY].
/// Never includes anything of sinnet's: peers are built from what Debian carries alone.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace peer {

struct Arguments {
  std::uint16_t port = 0;
  bool deflate = false;     // permessage-deflate without context takeover
  std::string certificate;  // PEM files; empty: plain TCP
  std::string key;
};

// Room for the largest row (8 MiB) with some to spare; every peer gets the same limit.
constexpr std::size_t kMessageBytesMax = 64u << 20;

inline Arguments parse_arguments(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--deflate") {
      arguments.deflate = true;
    } else if (argument == "--tls" && i + 2 < argc) {
      arguments.certificate = argv[++i];
      arguments.key = argv[++i];
    } else {
      arguments.port = static_cast<std::uint16_t>(std::atoi(argv[i]));
    }
  }
  if (arguments.port == 0) {
    std::fprintf(stderr, "usage: %s PORT [--deflate] [--tls CERTIFICATE KEY]\n", argv[0]);
    std::exit(1);
  }
  return arguments;
}

inline void tell_ready() {
  std::puts("ready");
  std::fflush(stdout);
}

}  // namespace peer
