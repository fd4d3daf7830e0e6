#include "daemon/privileges.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

namespace sinnet::daemon {
namespace {

/// Listeners, loops, logs, files being served: what a server needs beside one descriptor for each connection.
constexpr std::uint64_t other_descriptors = 256;

}  // namespace

Result<> become_user(std::string_view user) {
  const std::string name(user);
  std::vector<char> text(16 * 1024);
  passwd entry{};
  passwd* found = nullptr;
  if (const int error = getpwnam_r(name.c_str(), &entry, text.data(), text.size(), &found); error != 0) {
    return std::unexpected(Error::from_errno(error, "server.user " + name));
  }
  if (found == nullptr) return fail(ErrorCode::NotFound, "server.user: there is no user \"" + name + "\"");
  const bool is_already = getuid() == entry.pw_uid && geteuid() == entry.pw_uid;
  if (!is_already) {
    // The order matters: without the uid's rights neither groups nor gid could be changed any more.
    if (initgroups(name.c_str(), entry.pw_gid) != 0 || setgid(entry.pw_gid) != 0 ||
        setuid(entry.pw_uid) != 0) {
      return std::unexpected(Error::from_errno(errno, "server.user: becoming " + name));
    }
    if (setuid(0) == 0 && entry.pw_uid != 0) {
      return fail(ErrorCode::System, "server.user: the rights of root could be taken back");
    }
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return std::unexpected(Error::from_errno(errno, "server.user: no_new_privs"));
  }
  return {};
}

std::uint64_t raise_descriptor_limit(std::uint64_t connections) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return connections;
  const rlim_t wanted = connections + other_descriptors;
  if (limit.rlim_cur < wanted) {
    limit.rlim_cur = std::min(wanted, limit.rlim_max);
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
  }
  return limit.rlim_cur > other_descriptors
             ? std::min<std::uint64_t>(connections, limit.rlim_cur - other_descriptors)
             : 0;
}

}  // namespace sinnet::daemon
