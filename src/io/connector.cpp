#include "sinnet/io/connector.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <utility>
#include <vector>

#include "sinnet/io/socket_transport.hpp"

namespace sinnet::io {
namespace {

constexpr Duration attempt_delay =
    std::chrono::milliseconds{250};  // RFC 8305 5: the recommended Connection Attempt Delay

/// One non-blocking connect.
class Attempt final : public Pending, private Watcher, private Timer, private Task {
 public:
  Attempt(Loop& loop, const SocketAddress& address, ConnectCallback callback)
      : loop_(loop), address_(address), callback_(std::move(callback)) {}
  ~Attempt() override { drop_socket(); }

  void start(Time deadline) {
    const int error = begin();
    if (error == EINPROGRESS) {
      if (deadline != time_never) loop_.arm(*this, deadline);
      return;
    }
    error_ = error;
    loop_.next_turn(*this);  // decided already, but nobody expects the callback inside the call
  }

 private:
  int begin();
  void drop_socket() {
    if (is_watched_) loop_.unwatch(fd_, *this);
    is_watched_ = false;
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void handle_events(std::uint32_t /*events*/) override {
    socklen_t size = sizeof error_;
    if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error_, &size) != 0) error_ = errno;
    finish();
  }
  void run_task() override { finish(); }
  void handle_timer() override {
    deliver(fail(ErrorCode::TimedOut, address_.to_string() + ": no connection in time"));
  }
  void finish();
  void deliver(Result<std::unique_ptr<Transport>> outcome);

  Loop& loop_;
  const SocketAddress address_;
  ConnectCallback callback_;
  int fd_ = -1;
  int error_ = 0;
  bool is_watched_ = false;
};

// Answers 0 for connected, EINPROGRESS for wait, or why not.
int Attempt::begin() {
  std::array<std::byte, 128> native;
  const std::size_t size = address_.to_native(native);
  if (size == 0) return EAFNOSUPPORT;
  const auto* const sockaddr_of = reinterpret_cast<const sockaddr*>(native.data());
  fd_ = ::socket(sockaddr_of->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return errno;
  // EINTR leaves the connection under way, as EINPROGRESS does.
  if (::connect(fd_, sockaddr_of, static_cast<socklen_t>(size)) == 0) return 0;
  if (errno != EINPROGRESS && errno != EINTR) return errno;
  if (!loop_.watch(fd_, EPOLLOUT, *this)) return ENOMEM;
  is_watched_ = true;
  return EINPROGRESS;
}

void Attempt::finish() {
  if (error_ == 0) {
    if (is_watched_) loop_.unwatch(fd_, *this);
    is_watched_ = false;
    auto transport = make_socket_transport(loop_, std::exchange(fd_, -1), address_);
    if (transport != nullptr) return deliver(std::move(transport));
    error_ = ENOMEM;
  }
  Error error = Error::from_errno(error_, address_.to_string());
  // A Unix socket answers EAGAIN for a full backlog and ENOENT for a path nobody made.
  if (error_ == EAGAIN) error = {ErrorCode::Unreachable, address_.to_string() + ": its backlog is full"};
  deliver(std::unexpected(std::move(error)));
}

void Attempt::deliver(Result<std::unique_ptr<Transport>> outcome) {
  drop_socket();
  loop_.disarm(*this);
  auto callback = std::exchange(callback_, nullptr);  // it may destroy this
  callback(std::move(outcome));
}

/// RFC 8305: resolves, then races the addresses.
class HostAttempt final : public Pending {
 public:
  HostAttempt(Loop& loop, std::string name, Time deadline, ConnectCallback callback)
      : loop_(loop), name_(std::move(name)), deadline_(deadline), callback_(std::move(callback)) {
    if (deadline_ != time_never) loop_.arm(patience_, deadline_);
  }

  void start(Resolver& resolver, std::string_view host, std::uint16_t port) {
    query_ = resolver.resolve(host, port, [this](auto found) { handle_addresses(std::move(found)); });
  }

 private:
  struct Patience final : Timer {
    explicit Patience(HostAttempt& attempt) : owner(attempt) {}
    void handle_timer() override {
      owner.deliver(fail(ErrorCode::TimedOut, owner.name_ + ": no connection in time"));
    }
    HostAttempt& owner;
  };
  struct Stagger final : Timer {
    explicit Stagger(HostAttempt& attempt) : owner(attempt) {}
    void handle_timer() override { owner.try_next(); }
    HostAttempt& owner;
  };

  void handle_addresses(Result<std::vector<SocketAddress>> found);
  void handle_outcome(std::size_t index, Result<std::unique_ptr<Transport>> outcome);
  void try_next();
  void deliver(Result<std::unique_ptr<Transport>> outcome);

  Loop& loop_;
  const std::string name_;
  const Time deadline_;
  ConnectCallback callback_;
  Patience patience_{*this};
  Stagger stagger_{*this};
  std::unique_ptr<Pending> query_;
  std::vector<SocketAddress> addresses_;
  std::vector<std::unique_ptr<Pending>> attempts_;  // attempts_[i] at addresses_[i]; null once failed
  std::size_t failed_ = 0;
  Error first_error_;
};

// RFC 8305 4: the first address keeps its place, then the families alternate as long as both last.
std::vector<SocketAddress> alternate_families(std::vector<SocketAddress> sorted) {
  std::vector<SocketAddress> first;
  std::vector<SocketAddress> other;
  for (SocketAddress& address : sorted) {
    const bool is_first = first.empty() || address.family() == first.front().family();
    (is_first ? first : other).push_back(std::move(address));
  }
  std::vector<SocketAddress> out;
  for (std::size_t i = 0; i < std::max(first.size(), other.size()); ++i) {
    if (i < first.size()) out.push_back(std::move(first[i]));
    if (i < other.size()) out.push_back(std::move(other[i]));
  }
  return out;
}

void HostAttempt::handle_addresses(Result<std::vector<SocketAddress>> found) {
  if (!found) return deliver(std::unexpected(found.error()));
  addresses_ = alternate_families(std::move(*found));
  attempts_.reserve(addresses_.size());
  try_next();
}

void HostAttempt::try_next() {
  const std::size_t index = attempts_.size();
  if (index == addresses_.size()) return;
  attempts_.push_back(connect_address(loop_, addresses_[index], time_never, [this, index](auto outcome) {
    handle_outcome(index, std::move(outcome));
  }));
  if (attempts_.size() < addresses_.size()) loop_.arm(stagger_, loop_.now() + attempt_delay);
}

void HostAttempt::handle_outcome(std::size_t index, Result<std::unique_ptr<Transport>> outcome) {
  if (outcome) return deliver(std::move(outcome));
  attempts_[index].reset();
  if (failed_++ == 0 || index == 0) first_error_ = std::move(outcome.error());
  if (failed_ == addresses_.size()) {
    first_error_.message = name_ + ": " + first_error_.message;
    return deliver(std::unexpected(std::move(first_error_)));
  }
  try_next();
}

void HostAttempt::deliver(Result<std::unique_ptr<Transport>> outcome) {
  attempts_.clear();
  query_.reset();
  loop_.disarm(patience_);
  loop_.disarm(stagger_);
  auto callback = std::exchange(callback_, nullptr);  // it may destroy this
  callback(std::move(outcome));
}

}  // namespace

std::unique_ptr<Pending> connect_address(Loop& loop, const SocketAddress& address, Time deadline,
                                         ConnectCallback callback) {
  auto attempt = std::make_unique<Attempt>(loop, address, std::move(callback));
  attempt->start(deadline);
  return attempt;
}

std::unique_ptr<Pending> connect_host(Loop& loop, Resolver& resolver, std::string_view host,
                                      std::uint16_t port, Time deadline, ConnectCallback callback) {
  std::string name = std::string(host) + ":" + std::to_string(port);
  auto attempt = std::make_unique<HostAttempt>(loop, std::move(name), deadline, std::move(callback));
  attempt->start(resolver, host, port);
  return attempt;
}

}  // namespace sinnet::io
