#pragma once
/// Giving up rights after binding, and raising the descriptor limit. Linux only; called before any thread
/// starts.

#include <cstdint>
#include <string_view>

#include "sinnet/base/error.hpp"

namespace sinnet::daemon {

/// Becomes `user` for good: its groups, then gid, then uid, then no_new_privs (attack 96). Nothing if we are
/// that user already.
Result<> become_user(std::string_view user);

/// Raises the soft descriptor limit to what `connections` need, as far as the hard limit allows. Answers how
/// many connections fit.
[[nodiscard]] std::uint64_t raise_descriptor_limit(std::uint64_t connections);

}  // namespace sinnet::daemon
