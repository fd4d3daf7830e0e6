#include "sinnet/io/listener.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <utility>

#include "io/acceptance.hpp"

namespace sinnet::io {
namespace {

/// A descriptor closed on every way out that does not release it.
class OwnedFd {
 public:
  explicit OwnedFd(int fd) noexcept : fd_(fd) {}
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  ~OwnedFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int value() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::unexpected<Error> refuse(const SocketAddress& address, int errno_value) {
  if (errno_value == EADDRINUSE) return fail(ErrorCode::AddressInUse, address.to_string() + " is in use");
  return std::unexpected(Error::from_errno(errno_value, "listen on " + address.to_string()));
}

bool set_option(int fd, int level, int option, int value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

int bind_to(int fd, const SocketAddress& address) {
  std::array<std::byte, 128> native;
  const std::size_t size = address.to_native(native);
  return ::bind(fd, reinterpret_cast<const sockaddr*>(native.data()), static_cast<socklen_t>(size));
}

SocketAddress ask_local(int fd) {
  std::array<std::byte, sizeof(sockaddr_storage)> storage{};
  socklen_t size = storage.size();
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(storage.data()), &size) != 0) return {};
  return SocketAddress::from_native(Bytes(storage).first(std::min<std::size_t>(size, storage.size())));
}

/// Whether somebody accepts at a Unix path. A full backlog or a socket of another type is somebody.
bool somebody_listens(const SocketAddress& address) {
  const OwnedFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  std::array<std::byte, 128> native;
  const std::size_t size = address.to_native(native);
  const int connected = ::connect(probe.value(), reinterpret_cast<const sockaddr*>(native.data()),
                                  static_cast<socklen_t>(size));
  return connected == 0 || (errno != ECONNREFUSED && errno != ENOENT);
}

/// Makes way at a Unix path: removes a socket left behind by a process that is gone, and nothing else.
Result<> remove_stale_socket(const SocketAddress& address) {
  const std::string path = address.host();
  struct stat file{};
  if (::lstat(path.c_str(), &file) != 0) {
    if (errno == ENOENT) return {};
    return refuse(address, errno);
  }
  if (!S_ISSOCK(file.st_mode)) return fail(ErrorCode::AddressInUse, path + " exists and is not a socket");
  if (file.st_uid != ::geteuid())
    return fail(ErrorCode::PermissionDenied, path + " is another user's socket");
  if (somebody_listens(address)) return refuse(address, EADDRINUSE);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return refuse(address, errno);
  return {};
}

bool is_abstract(const SocketAddress& address) { return address.host().starts_with('@'); }

}  // namespace

Listener::Listener(int fd, SocketAddress address, ListenOptions options)
    : fd_(fd), address_(std::move(address)), options_(options) {}

Listener::~Listener() { close(); }

Result<std::unique_ptr<Listener>> Listener::open(const SocketAddress& address, ListenOptions options) {
  switch (address.family()) {
    case AddressFamily::Ipv4:
    case AddressFamily::Ipv6: return open_inet(address, options, false);
    case AddressFamily::Unix: return open_unix(address, options);
    case AddressFamily::None: break;
  }
  return fail(ErrorCode::InvalidArgument, "no address to listen on");
}

// The first of the shared listeners binds without SO_REUSEPORT, so that an address somebody else shares is
// still refused, and gets the option before it listens, so that others of ours may join.
Result<std::unique_ptr<Listener>> Listener::open_inet(const SocketAddress& address, ListenOptions options,
                                                      bool joins) {
  const int family = address.family() == AddressFamily::Ipv4 ? AF_INET : AF_INET6;
  OwnedFd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.value() < 0) return refuse(address, errno);
  const int v6_only = options.dual_stack ? 0 : 1;
  if (!set_option(fd.value(), SOL_SOCKET, SO_REUSEADDR, 1) ||
      !set_option(fd.value(), IPPROTO_TCP, TCP_NODELAY, 1) ||  // accepted sockets inherit it
      (family == AF_INET6 && !set_option(fd.value(), IPPROTO_IPV6, IPV6_V6ONLY, v6_only)) ||
      (joins && !set_option(fd.value(), SOL_SOCKET, SO_REUSEPORT, 1)) ||  //
      bind_to(fd.value(), address) != 0 ||
      (options.shared && !joins && !set_option(fd.value(), SOL_SOCKET, SO_REUSEPORT, 1)) ||
      ::listen(fd.value(), options.backlog) != 0) {
    return refuse(address, errno);
  }
  SocketAddress local = ask_local(fd.value());
  return std::unique_ptr<Listener>(new Listener(fd.release(), std::move(local), options));
}

Result<std::unique_ptr<Listener>> Listener::open_unix(const SocketAddress& address, ListenOptions options) {
  const bool has_file = !is_abstract(address);
  const std::string path = address.host();
  if (has_file) {
    if (auto removed = remove_stale_socket(address); !removed) return std::unexpected(removed.error());
  }
  OwnedFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.value() < 0) return refuse(address, errno);
  // Linux gives the file the mode of the socket's own inode, less the umask: no moment with wider
  // permissions.
  if (options.unix_mode && ::fchmod(fd.value(), *options.unix_mode) != 0) return refuse(address, errno);
  if (bind_to(fd.value(), address) != 0) return refuse(address, errno);
  auto listener = std::unique_ptr<Listener>(new Listener(fd.release(), address, options));
  if (has_file) {
    struct stat file{};
    if (::lstat(path.c_str(), &file) != 0 || !S_ISSOCK(file.st_mode)) return refuse(address, EADDRINUSE);
    listener->file_ = {file.st_dev, file.st_ino};
    // What the umask took is given back before anybody can connect.
    const bool is_narrower = options.unix_mode && (file.st_mode & 0777) != *options.unix_mode;
    if (is_narrower && ::chmod(path.c_str(), *options.unix_mode) != 0) return refuse(address, errno);
  }
  if (::listen(listener->fd_, options.backlog) != 0) return refuse(address, errno);
  return listener;
}

Result<std::unique_ptr<Listener>> Listener::adopt(int fd) {
  OwnedFd owned(fd);
  int listening = 0;
  socklen_t size = sizeof listening;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0) {
    return std::unexpected(Error::from_errno(errno, "inherited descriptor " + std::to_string(fd)));
  }
  if (listening == 0) {
    return fail(ErrorCode::InvalidArgument,
                "inherited descriptor " + std::to_string(fd) + " does not listen");
  }
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    return std::unexpected(Error::from_errno(errno, "inherited descriptor " + std::to_string(fd)));
  }
  SocketAddress local = ask_local(fd);
  if (local.is_ip()) set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  return std::unique_ptr<Listener>(new Listener(owned.release(), std::move(local), {}));
}

Result<std::unique_ptr<Listener>> Listener::share() const {
  if (fd_ < 0) return fail(ErrorCode::Closed, "the listener is closed");
  if (address_.is_ip() && options_.shared) return open_inet(address_, options_, true);
  const int fd = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return std::unexpected(Error::from_errno(errno, "dup"));
  return std::unique_ptr<Listener>(new Listener(fd, address_, options_));
}

Result<> Listener::start(Loop& loop, AcceptHandler& handler) {
  if (fd_ < 0) return fail(ErrorCode::Closed, "the listener is closed");
  assert((acceptance_ == nullptr || !acceptance_->is_accepting()) && "start() from inside handle_accept");
  acceptance_ = std::make_unique<Acceptance>(loop, fd_, handler);
  auto watching = acceptance_->watch();
  if (!watching) acceptance_.reset();
  return watching;
}

void Listener::stop() {
  if (acceptance_ == nullptr) return;
  acceptance_->end();
  // From inside its own accept loop it must stay until that returns; the next start() or the destructor frees
  // it.
  if (!acceptance_->is_accepting()) acceptance_.reset();
}

void Listener::close() {
  if (fd_ < 0) return;
  stop();
  if (file_.inode != 0) {
    struct stat file{};
    const std::string path = address_.host();
    const bool is_ours =
        ::lstat(path.c_str(), &file) == 0 && file.st_dev == file_.device && file.st_ino == file_.inode;
    if (is_ours) ::unlink(path.c_str());
  }
  ::close(fd_);
  fd_ = -1;
}

}  // namespace sinnet::io
