#include "sinnet/io/resolver.hpp"

#include <ares.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/time.h>

#include <algorithm>
#include <mutex>
#include <utility>

namespace sinnet::io {
namespace {

// RFC 1035 2.3.4: 255 octets on the wire are at most 253 characters; one more for a final dot.
constexpr std::size_t host_bytes_max = 254;

Error error_of(int status, const std::string& host) {
  ErrorCode code = ErrorCode::System;
  switch (status) {
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_ENONAME: code = ErrorCode::NotFound; break;
    case ARES_ETIMEOUT: code = ErrorCode::TimedOut; break;
    case ARES_ECONNREFUSED:
    case ARES_ESERVFAIL:
    case ARES_EREFUSED: code = ErrorCode::Unreachable; break;
    case ARES_EBADNAME:
    case ARES_EBADSTR: code = ErrorCode::InvalidArgument; break;
    case ARES_EDESTRUCTION:
    case ARES_ECANCELLED: code = ErrorCode::Closed; break;
    default: break;
  }
  return {code, host + ": " + ::ares_strerror(status)};
}

/// One question. Held by the asker's Answer and, while it is open, by c-ares.
class Query final : public Task {
 public:
  Query(Loop& loop, std::string host, std::uint16_t port, Resolver::Callback callback)
      : loop_(loop), host_(std::move(host)), port_(port), callback_(std::move(callback)) {}

  [[nodiscard]] const std::string& host() const noexcept { return host_; }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  void cancel() { callback_ = nullptr; }

  void settle(Result<std::vector<SocketAddress>> outcome) {
    if (callback_ == nullptr) return;
    outcome_ = std::move(outcome);
    loop_.next_turn(*this);
  }

  void run_task() override {
    // Called from the stack, since the callback may destroy the answer and with it this.
    auto callback = std::exchange(callback_, nullptr);
    auto outcome = std::move(outcome_);
    if (callback != nullptr) callback(std::move(outcome));
  }

  /// The reference c-ares holds.
  std::shared_ptr<Query> held;

 private:
  Loop& loop_;
  const std::string host_;
  const std::uint16_t port_;
  Resolver::Callback callback_;
  Result<std::vector<SocketAddress>> outcome_;
};

class Answer final : public Pending {
 public:
  explicit Answer(std::shared_ptr<Query> query) : query_(std::move(query)) {}
  ~Answer() override { query_->cancel(); }

 private:
  std::shared_ptr<Query> query_;
};

void handle_addresses(void* argument, int status, int /*timeouts*/, ares_addrinfo* found) {
  const std::shared_ptr<Query> query = std::move(static_cast<Query*>(argument)->held);
  std::vector<SocketAddress> addresses;
  for (const ares_addrinfo_node* node = found != nullptr ? found->nodes : nullptr; node != nullptr;
       node = node->ai_next) {
    const SocketAddress native = SocketAddress::from_native(
        {reinterpret_cast<const std::byte*>(node->ai_addr), static_cast<std::size_t>(node->ai_addrlen)});
    if (!native.is_ip()) continue;
    const auto& octets = native.octets();
    const SocketAddress address =
        native.family() == AddressFamily::Ipv6
            ? SocketAddress::ipv6(octets, query->port())
            : SocketAddress::ipv4({octets[0], octets[1], octets[2], octets[3]}, query->port());
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end())
      addresses.push_back(address);
  }
  if (found != nullptr) ::ares_freeaddrinfo(found);
  if (status == ARES_SUCCESS && addresses.empty()) status = ARES_ENODATA;
  if (status != ARES_SUCCESS) return query->settle(std::unexpected(error_of(status, query->host())));
  query->settle(std::move(addresses));
}

class AresResolver final : public Resolver, private Timer {
 public:
  explicit AresResolver(Loop& loop) : loop_(loop) {}
  ~AresResolver() override {
    if (channel_ != nullptr) ::ares_destroy(channel_);  // settles the open queries and lets the sockets go
  }
  Result<> open(const ResolverOptions& options);
  std::unique_ptr<Pending> resolve(std::string_view host, std::uint16_t port, Callback callback) override;

 private:
  /// A socket of c-ares. Kept for the next one when c-ares closes it, which may happen inside handle_events.
  struct Socket final : Watcher {
    explicit Socket(AresResolver& resolver) : owner(resolver) {}
    void handle_events(std::uint32_t events) override {
      const bool over = (events & (EPOLLERR | EPOLLHUP)) != 0;
      const bool readable = over || (events & EPOLLIN) != 0;
      const bool writable = (events & EPOLLOUT) != 0;
      owner.process(readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
    }
    AresResolver& owner;
    int fd = -1;
  };

  static void handle_socket_state(void* self, ares_socket_t fd, int readable, int writable) {
    static_cast<AresResolver*>(self)->watch_socket(fd, readable != 0, writable != 0);
  }
  void handle_timer() override { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }
  void process(int readable_fd, int writable_fd);
  void watch_socket(int fd, bool readable, bool writable);
  void arm_timeout();

  Loop& loop_;
  ares_channel channel_ = nullptr;
  std::vector<std::unique_ptr<Socket>> sockets_;
};

Result<> AresResolver::open(const ResolverOptions& options) {
  static std::once_flag once;
  std::call_once(once, [] { ::ares_library_init(ARES_LIB_INIT_ALL); });
  ares_options native{};
  native.timeout =
      static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(options.try_timeout).count());
  native.tries = options.tries;
  native.sock_state_cb = &AresResolver::handle_socket_state;
  native.sock_state_cb_data = this;
  std::string lookups = "fb";  // the hosts file, then DNS
  native.lookups = lookups.data();
  int status = ::ares_init_options(
      &channel_, &native, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS);
  if (status != ARES_SUCCESS) {
    channel_ = nullptr;
    return std::unexpected(error_of(status, "resolver"));
  }
  if (options.servers.empty()) return {};
  status = ::ares_set_servers_ports_csv(channel_, options.servers.c_str());
  if (status != ARES_SUCCESS) return fail(ErrorCode::InvalidArgument, "name servers: " + options.servers);
  return {};
}

std::unique_ptr<Pending> AresResolver::resolve(std::string_view host, std::uint16_t port, Callback callback) {
  auto query = std::make_shared<Query>(loop_, std::string(host), port, std::move(callback));
  auto answer = std::make_unique<Answer>(query);
  const bool needs_brackets = host.find(':') != std::string_view::npos && !host.starts_with('[');
  const std::string numeric =
      (needs_brackets ? "[" + query->host() + "]" : query->host()) + ":" + std::to_string(port);
  if (auto address = SocketAddress::parse(numeric); address && address->is_ip()) {
    query->settle(std::vector{std::move(*address)});
    return answer;
  }
  if (host.empty() || host.size() > host_bytes_max ||
      host.find_first_of(std::string_view("\0 /:@[]", 7)) != host.npos) {
    query->settle(fail(ErrorCode::InvalidArgument, "\"" + query->host() + "\" is not a host name"));
    return answer;
  }
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  query->held = query;
  ::ares_getaddrinfo(channel_, query->host().c_str(), nullptr, &hints, &handle_addresses, query.get());
  arm_timeout();
  return answer;
}

void AresResolver::process(int readable_fd, int writable_fd) {
  ::ares_process_fd(channel_, readable_fd, writable_fd);
  arm_timeout();
}

void AresResolver::arm_timeout() {
  timeval time{};
  if (::ares_timeout(channel_, nullptr, &time) == nullptr) return loop_.disarm(*this);
  loop_.arm(*this,
            Loop::read_clock() + std::chrono::seconds{time.tv_sec} + std::chrono::microseconds{time.tv_usec});
}

void AresResolver::watch_socket(int fd, bool readable, bool writable) {
  const std::uint32_t events =
      (readable ? std::uint32_t{EPOLLIN} : 0) | (writable ? std::uint32_t{EPOLLOUT} : 0);
  auto known =
      std::find_if(sockets_.begin(), sockets_.end(), [fd](const auto& socket) { return socket->fd == fd; });
  if (known != sockets_.end()) {
    if (events != 0) return loop_.rewatch(fd, events, **known);
    loop_.unwatch(fd, **known);
    (*known)->fd = -1;
    return;
  }
  if (events == 0) return;
  auto spare =
      std::find_if(sockets_.begin(), sockets_.end(), [](const auto& socket) { return socket->fd < 0; });
  if (spare == sockets_.end()) spare = sockets_.insert(spare, std::make_unique<Socket>(*this));
  // One that cannot be watched makes its query time out, which is what c-ares has an answer for.
  if (loop_.watch(fd, events, **spare)) (*spare)->fd = fd;
}

}  // namespace

Result<std::unique_ptr<Resolver>> Resolver::create(Loop& loop, const ResolverOptions& options) {
  auto resolver = std::make_unique<AresResolver>(loop);
  if (auto opened = resolver->open(options); !opened) return std::unexpected(opened.error());
  return resolver;
}

}  // namespace sinnet::io
