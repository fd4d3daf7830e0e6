#include "io/socket_transport.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "sinnet/io/socket_transport.hpp"

namespace sinnet::io {
namespace {

static_assert(sizeof(Slice) == sizeof(iovec) && alignof(Slice) == alignof(iovec) &&
              offsetof(Slice, data) == offsetof(iovec, iov_base) &&
              offsetof(Slice, size) == offsetof(iovec, iov_len));

// Beyond this the kernel's copying of the list costs more than another call.
constexpr std::size_t slices_per_call = 64;
// The guess of write_room: what a fresh socket's send buffer surely grows to take, and the bounds it moves
// in. 4 MiB is Linux's default tcp_wmem maximum.
constexpr std::uint8_t first_room_log2 = 17;
constexpr std::uint8_t least_room_log2 = 14;
constexpr std::uint8_t most_room_log2 = 22;
// Unread input thrown away by an orderly close, so that the kernel does not reset the connection under our
// last bytes.
constexpr std::size_t drain_bytes_max = 1024 * 1024;

// TCP_NODELAY answers in the same call whether this is TCP at all: Unix sockets have no such option.
bool set_no_delay(int fd) {
  const int on = 1;
  return ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
}

SocketAddress ask_peer(int fd) {
  std::array<std::byte, sizeof(sockaddr_storage)> storage{};
  socklen_t size = storage.size();
  if (fd < 0 || ::getpeername(fd, reinterpret_cast<sockaddr*>(storage.data()), &size) != 0) return {};
  return SocketAddress::from_native(Bytes(storage).first(std::min<std::size_t>(size, storage.size())));
}

IoResult failed(int errno_value) { return {0, IoStatus::Error, errno_value}; }

bool would_block(int errno_value) { return errno_value == EAGAIN || errno_value == EWOULDBLOCK; }

ssize_t send_slices(int fd, std::span<const Slice> slices) {
  constexpr int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
  if (slices.size() == 1) return ::send(fd, slices[0].data, slices[0].size, flags);
  msghdr message{};
  message.msg_iov = reinterpret_cast<iovec*>(const_cast<Slice*>(slices.data()));
  message.msg_iovlen = slices.size();
  return ::sendmsg(fd, &message, flags);
}

}  // namespace

SocketTransport::SocketTransport(int fd, bool is_tcp, const SocketAddress& peer) noexcept
    : fd_(fd),
      peer_port_(peer.port()),
      peer_family_(peer.family()),
      room_log2_(first_room_log2),
      is_tcp_(is_tcp) {
  if (peer.is_ip()) peer_octets_ = peer.octets();
}

IoResult SocketTransport::read(MutableBytes into) {
  assert(!into.empty());
  for (;;) {
    const ssize_t count = ::recv(fd_, into.data(), into.size(), MSG_DONTWAIT);
    if (count > 0) return {static_cast<std::size_t>(count), IoStatus::Ok, 0};
    if (count == 0) {
      has_ended_ = true;
      return {0, IoStatus::Eof, 0};
    }
    if (errno == EINTR) continue;
    if (would_block(errno)) return {0, IoStatus::Blocked, 0};
    has_ended_ = true;
    return failed(errno);
  }
}

IoResult SocketTransport::write(std::span<const Slice> slices) {
  std::size_t taken = 0;
  while (!slices.empty()) {
    const auto part = slices.first(std::min(slices.size(), slices_per_call));
    std::size_t asked = 0;
    for (const Slice& slice : part) asked += slice.size;
    slices = slices.subspan(part.size());
    if (asked == 0) continue;
    ssize_t count = -1;
    do {
      count = send_slices(fd_, part);
    } while (count < 0 && errno == EINTR);
    if (count < 0 && !would_block(errno)) {
      if (taken > 0) break;  // told with the next write
      return failed(errno);
    }
    const std::size_t moved = count < 0 ? 0 : static_cast<std::size_t>(count);
    taken += moved;
    note_written(asked, moved);
    if (moved < asked) return {taken, taken > 0 ? IoStatus::Ok : IoStatus::Blocked, 0};
  }
  return {taken, IoStatus::Ok, 0};
}

void SocketTransport::note_written(std::size_t asked, std::size_t taken) noexcept {
  is_blocked_ = taken < asked;
  const auto fits = static_cast<std::uint8_t>(std::bit_width(taken | 1) - 1);
  if (!is_blocked_) {
    if (fits >= room_log2_)
      room_log2_ = std::min<std::uint8_t>(static_cast<std::uint8_t>(fits + 1), most_room_log2);
  } else if (taken > 0) {
    room_log2_ = std::clamp(fits, least_room_log2, most_room_log2);
  }
}

std::size_t SocketTransport::write_room() const {
  return is_blocked_ || fd_ < 0 ? 0 : std::size_t{1} << room_log2_;
}

void SocketTransport::want(bool read, bool write) {
  wanted_ = static_cast<std::uint8_t>((read ? Reading : Nothing) | (write ? Writing : Nothing));
  const bool adds = (wanted_ & ~watched_) != 0;
  const bool stops_writing =
      (watched_ & ~wanted_ & Writing) != 0;  // a writable socket would be reported every turn
  if ((adds || stops_writing) && loop_ != nullptr && fd_ >= 0) watch_wanted();
}

void SocketTransport::watch_wanted() {
  watched_ = wanted_;
  std::uint32_t events = EPOLLET;  // epoll always reports hang-ups; edge-triggered it does so once
  if (watched_ != Nothing) {
    events = ((watched_ & Reading) != 0 ? std::uint32_t{EPOLLIN} : 0) |
             ((watched_ & Writing) != 0 ? std::uint32_t{EPOLLOUT} : 0);
  }
  loop_->rewatch(fd_, events, *this);
}

void SocketTransport::handle_events(std::uint32_t events) {
  const bool over = (events & (EPOLLERR | EPOLLHUP)) != 0;
  const bool can_read = over || (events & EPOLLIN) != 0;
  const bool can_write = over || (events & EPOLLOUT) != 0;
  if (can_write) is_blocked_ = false;
  const bool readable = can_read && (wanted_ & Reading) != 0;
  const bool writable = can_write && (wanted_ & Writing) != 0;
  if (!readable && !writable) {
    if (watched_ != wanted_) watch_wanted();
    return;
  }
  if (handler_ != nullptr) handler_->handle_ready(readable, writable);  // may destroy this
}

void SocketTransport::shutdown_write() {
  if (fd_ >= 0) ::shutdown(fd_, SHUT_WR);
}

// Closing a socket with unread input resets the connection, and the peer may lose what we wrote last.
void SocketTransport::drain_input() noexcept {
  std::array<std::byte, 16 * 1024> waste;
  const std::size_t piece =
      is_tcp_ ? drain_bytes_max : waste.size();  // with MSG_TRUNC, TCP throws away without copying
  const int flags = MSG_DONTWAIT | (is_tcp_ ? MSG_TRUNC : 0);
  std::size_t drained = 0;
  while (drained < drain_bytes_max) {
    const ssize_t count = ::recv(fd_, is_tcp_ ? nullptr : waste.data(), piece, flags);
    if (count > 0) drained += static_cast<std::size_t>(count);
    if (count > 0 && static_cast<std::size_t>(count) == piece) continue;
    if (count < 0 && errno == EINTR) continue;
    return;
  }
}

void SocketTransport::close(CloseMode mode) {
  if (fd_ < 0) return;
  detach();
  if (mode == CloseMode::Reset) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  } else if (!has_ended_) {
    drain_input();
  }
  ::close(fd_);  // Linux frees the number even when it answers EINTR
  fd_ = -1;
}

void SocketTransport::detach() {
  if (loop_ == nullptr) return;
  loop_->unwatch(fd_, *this);
  loop_ = nullptr;
  watched_ = Nothing;
}

// Reading is watched from the start, whatever is wanted: nearly everyone wants it next, and the lazy set
// deals with the rest.
Result<> SocketTransport::attach(Loop& loop) {
  assert(loop_ == nullptr);
  if (fd_ < 0) return fail(ErrorCode::Closed, "the transport is closed");
  const auto interest = static_cast<std::uint8_t>(wanted_ | Reading);
  const std::uint32_t events = EPOLLIN | ((interest & Writing) != 0 ? std::uint32_t{EPOLLOUT} : 0);
  if (auto watching = loop.watch(fd_, events, *this); !watching) return watching;
  loop_ = &loop;
  watched_ = interest;
  return {};
}

SocketAddress SocketTransport::peer_address() const {
  switch (peer_family_) {
    case AddressFamily::Ipv4:
      return SocketAddress::ipv4({peer_octets_[0], peer_octets_[1], peer_octets_[2], peer_octets_[3]},
                                 peer_port_);
    case AddressFamily::Ipv6: return SocketAddress::ipv6(peer_octets_, peer_port_);
    default: return ask_peer(fd_);
  }
}

std::unique_ptr<Transport> make_socket_transport(Loop& loop, int fd) {
  return make_socket_transport(loop, fd, ask_peer(fd));
}

std::unique_ptr<Transport> make_socket_transport(Loop& loop, int fd, const SocketAddress& peer) {
  const bool is_tcp = set_no_delay(fd);
  auto transport = std::make_unique<SocketTransport>(fd, is_tcp, peer);
  if (!transport->attach(loop)) return nullptr;
  return transport;
}

}  // namespace sinnet::io
