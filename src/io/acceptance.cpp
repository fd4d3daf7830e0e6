#include "io/acceptance.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace sinnet::io {
namespace {

// Per readiness: a flood of connections must not keep the loop from those it has.
constexpr int accepts_per_turn = 64;
// After shedding: short, since peers wait; long enough that a flood at the limit costs little (64 per 20 ms).
constexpr Duration shed_pause = std::chrono::milliseconds{20};
// When nothing can be accepted at all: a tenth of a second is soon for a person and cheap for the machine.
constexpr Duration trouble_pause = std::chrono::milliseconds{100};

int open_reserve() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

}  // namespace

Listener::Acceptance::Acceptance(Loop& loop, int fd, AcceptHandler& handler)
    : loop_(loop), handler_(handler), fd_(fd), reserve_fd_(open_reserve()) {}

Listener::Acceptance::~Acceptance() {
  end();
  if (reserve_fd_ >= 0) ::close(reserve_fd_);
}

// EPOLLEXCLUSIVE, since the socket may be shared with other loops or processes; alone it changes nothing.
Result<> Listener::Acceptance::watch() {
  auto watching = loop_.watch(fd_, EPOLLIN | EPOLLEXCLUSIVE, *this);
  is_watched_ = watching.has_value();
  return watching;
}

void Listener::Acceptance::end() {
  is_ended_ = true;
  if (is_watched_) loop_.unwatch(fd_, *this);
  is_watched_ = false;
  loop_.disarm(*this);
}

void Listener::Acceptance::handle_events(std::uint32_t /*events*/) {
  is_accepting_ = true;
  bool is_exhausted = false;
  Outcome last = Outcome::Again;
  for (int i = 0; i < accepts_per_turn && !is_ended_; ++i) {
    last = accept_one(is_exhausted);
    if (last == Outcome::Empty || last == Outcome::Trouble) break;
    if (last == Outcome::Shed) is_exhausted = true;
  }
  is_accepting_ = false;
  if (is_ended_) return;
  if (last == Outcome::Trouble) {
    pause(trouble_pause, trouble_errno_);
  } else if (is_exhausted) {
    pause(shed_pause, trouble_errno_);
  }
}

Listener::Acceptance::Outcome Listener::Acceptance::accept_one(bool is_exhausted) {
  if (is_exhausted) return shed_one() ? Outcome::Shed : Outcome::Empty;
  std::array<std::byte, sizeof(sockaddr_storage)> storage;
  socklen_t size = storage.size();
  const int fd =
      ::accept4(fd_, reinterpret_cast<sockaddr*>(storage.data()), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return judge(errno);
  handler_.handle_accept(
      fd, SocketAddress::from_native(Bytes(storage).first(std::min<std::size_t>(size, storage.size()))));
  return Outcome::Accepted;
}

Listener::Acceptance::Outcome Listener::Acceptance::judge(int errno_value) {
  switch (errno_value) {
    case EAGAIN: return Outcome::Empty;
    case EMFILE:
    case ENFILE: trouble_errno_ = errno_value; return shed_one() ? Outcome::Shed : Outcome::Trouble;
    // accept(2): Linux passes on errors already pending on the new socket; they concern that connection only.
    case EINTR:
    case ECONNABORTED:
    case EPERM:
    case EPROTO:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case ETIMEDOUT: return Outcome::Again;
    default: trouble_errno_ = errno_value; return Outcome::Trouble;
  }
}

// Uses the reserved descriptor's number to take one connection and drop it. False when there was none, or no
// number either.
bool Listener::Acceptance::shed_one() {
  if (reserve_fd_ < 0) reserve_fd_ = open_reserve();
  if (reserve_fd_ < 0) return false;
  ::close(reserve_fd_);
  const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) ::close(fd);
  reserve_fd_ = open_reserve();
  return fd >= 0;
}

void Listener::Acceptance::pause(Duration time, int errno_value) {
  loop_.unwatch(fd_, *this);  // an exclusive watch cannot be changed
  is_watched_ = false;
  loop_.arm(*this, loop_.now() + time);
  Error error = Error::from_errno(errno_value, "accept");
  if (errno_value == EMFILE || errno_value == ENFILE || errno_value == ENOMEM || errno_value == ENOBUFS) {
    error.code = ErrorCode::LimitReached;
  }
  handler_.handle_accept_trouble(error);
}

void Listener::Acceptance::handle_timer() {
  if (reserve_fd_ < 0) reserve_fd_ = open_reserve();
  if (!watch()) loop_.arm(*this, loop_.now() + trouble_pause);
}

}  // namespace sinnet::io
