#pragma once
/// SocketTransport: one stream socket on a loop. It buffers nothing and knows no protocol.

#include <array>
#include <cstdint>

#include "sinnet/io/loop.hpp"
#include "sinnet/io/transport.hpp"

namespace sinnet::io {

/// Laid out to stay within 64 bytes, since ten thousand idle connections each have one: the address of an IP
/// peer is kept as octets and port, a Unix peer's name is asked for when it is needed.
///
/// What epoll watches follows the wanted set lazily: a change that only stops reading waits until an unwanted
/// event arrives, since reading is usually resumed before that. So pausing and resuming costs no system call.
class SocketTransport final : public Transport, private Watcher {
 public:
  SocketTransport(int fd, bool is_tcp, const SocketAddress& peer) noexcept;
  ~SocketTransport() override { close(CloseMode::Orderly); }
  SocketTransport(const SocketTransport&) = delete;
  SocketTransport& operator=(const SocketTransport&) = delete;

  IoResult read(MutableBytes into) override;
  IoResult write(std::span<const Slice> slices) override;
  void want(bool read, bool write) override;
  void shutdown_write() override;
  void close(CloseMode mode) override;
  std::size_t write_room() const override;
  void set_ready_handler(ReadyHandler* handler) override { handler_ = handler; }
  void detach() override;
  Result<> attach(Loop& loop) override;
  SocketAddress peer_address() const override;

 private:
  enum Interest : std::uint8_t { Nothing = 0, Reading = 1, Writing = 2 };

  void handle_events(std::uint32_t events) override;
  void watch_wanted();
  void note_written(std::size_t asked, std::size_t taken) noexcept;
  void drain_input() noexcept;

  Loop* loop_ = nullptr;
  ReadyHandler* handler_ = nullptr;
  int fd_;
  std::array<std::uint8_t, 16> peer_octets_{};
  std::uint16_t peer_port_ = 0;
  AddressFamily peer_family_;
  std::uint8_t wanted_ = Nothing;
  std::uint8_t watched_ = Nothing;  // what epoll reports now; Nothing stands for edge-triggered hang-ups only
  std::uint8_t room_log2_;          // the guess of write_room()
  bool is_tcp_ : 1;
  bool is_blocked_ : 1 = false;  // the last write did not take all
  bool has_ended_ : 1 = false;   // read saw EOF or an error
};

static_assert(sizeof(SocketTransport) <= 64);

}  // namespace sinnet::io
