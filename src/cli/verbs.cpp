#include "cli/verbs.hpp"

#include <array>

namespace sinnet::cli {

std::span<const Verb* const> verbs() {
  static constexpr std::array all{&verb_serve,  &verb_init,  &verb_check,      &verb_connect,
                                  &verb_listen, &verb_bench, &verb_conformance};
  return all;
}

}  // namespace sinnet::cli
