#pragma once
/// Listener: accepts stream connections on one loop and survives what accept(2) can answer. It hands out
/// descriptors and knows no protocol.

#include <cstdint>
#include <memory>
#include <optional>

#include "sinnet/base/error.hpp"
#include "sinnet/io/address.hpp"
#include "sinnet/io/loop.hpp"

namespace sinnet::io {

/// Who gets the accepted connections.
class AcceptHandler {
 public:
  /// The descriptor is the handler's from here on: non-blocking, close-on-exec, and TCP_NODELAY is set where
  /// there is TCP. May stop or close the listener; may not destroy it (Loop::destroy_later does).
  virtual void handle_accept(int fd, const SocketAddress& peer) = 0;
  /// Accepting failed for want of descriptors or memory (LimitReached), or for a reason nobody expects
  /// (System). The listener goes on by itself after a pause; this is for the log. Called at most once per
  /// pause.
  virtual void handle_accept_trouble(const Error& error) { static_cast<void>(error); }

 protected:
  ~AcceptHandler() = default;
};

struct ListenOptions {
  /// Connections the kernel completes before we accept them; it cuts this to net.core.somaxconn (4096 by
  /// default).
  int backlog = 4096;
  /// Several shards will share() this address. TCP only: it sets SO_REUSEPORT.
  bool shared = false;
  /// Permissions of a Unix socket's file, set before anybody can connect; as the umask says if absent.
  std::optional<unsigned> unix_mode = std::nullopt;
  /// "[::]" also takes IPv4. Off, so that "0.0.0.0:80" and "[::]:80" can stand side by side.
  bool dual_stack = false;
};

/// One listening socket.
///
/// Out of descriptors, it closes a reserved one, accepts, closes the connection at once (so that the peer
/// need not wait for nothing) and then pauses; so it neither spins nor leaves the backlog to rot.
///
/// Thread rule: open, adopt and share anywhere; from start() on, the loop's thread. It must not outlive that
/// loop, unless stopped before.
class Listener : public Destroyable {
 public:
  /// Binds and listens. AddressInUse names the address; so does it when another process listens there with
  /// SO_REUSEPORT. A Unix path that exists is taken over only if it is a socket of ours (same user, no
  /// symlink) where nobody listens.
  [[nodiscard]] static Result<std::unique_ptr<Listener>> open(const SocketAddress& address,
                                                              ListenOptions options = {});
  /// Takes an inherited listening socket (socket activation, hot upgrade). Its file, if it has one, is not
  /// ours to remove.
  [[nodiscard]] static Result<std::unique_ptr<Listener>> adopt(int fd);
  /// Another listener at the same address, for another loop. A `shared` TCP one is a socket of its own and
  /// the kernel spreads the connections; any other is the same socket, and EPOLLEXCLUSIVE wakes one loop per
  /// connection. The original must be the last to close when it is a Unix socket, since it removes the file.
  [[nodiscard]] Result<std::unique_ptr<Listener>> share() const;

  ~Listener() override;

  /// Starts accepting. The handler must stay until stop() or close().
  Result<> start(Loop& loop, AcceptHandler& handler);
  /// Stops accepting; connections wait in the backlog. start() again when wanted.
  void stop();
  /// Stops listening and removes the Unix socket's file, if it is still the one made by open(). Idempotent.
  void close();

  /// Where it listens, with the port the kernel chose if 0 was asked for.
  [[nodiscard]] const SocketAddress& local_address() const noexcept { return address_; }
  /// The descriptor, to hand it to a successor; it stays ours. -1 once closed.
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  /// The file a Unix socket made, to recognise it when it is time to remove it. Zeros: there is none.
  struct FileIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
  };
  class Acceptance;  // what runs on a loop

  Listener(int fd, SocketAddress address, ListenOptions options);
  static Result<std::unique_ptr<Listener>> open_inet(const SocketAddress& address, ListenOptions options,
                                                     bool joins);
  static Result<std::unique_ptr<Listener>> open_unix(const SocketAddress& address, ListenOptions options);

  int fd_;
  SocketAddress address_;
  ListenOptions options_;
  FileIdentity file_;
  std::unique_ptr<Acceptance> acceptance_;
};

}  // namespace sinnet::io
