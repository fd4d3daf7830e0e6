#pragma once
/// A blocking client for tests: raw bytes over a TCP or Unix socket, and WebSocket frames written by hand. It
/// shares no code with what it tests, and every wait of it ends at a deadline.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sinnet::test {

/// One frame as it stood on the wire, unmasked.
struct WireFrame {
  unsigned opcode = 0;
  bool fin = true;
  unsigned rsv = 0;  ///< RSV1 is 4, RSV2 is 2, RSV3 is 1
  bool masked = false;
  std::string payload;

  /// The code of a Close frame; 1005 without one, 0 for another frame.
  [[nodiscard]] unsigned close_code() const;
};

/// How to write a frame. The length is written in the shortest form unless `length_bytes` says 2 or 8.
struct FrameShape {
  bool fin = true;
  unsigned rsv = 0;
  bool masked = true;
  std::uint32_t mask = 0x37fa213d;
  unsigned length_bytes = 0;
};
[[nodiscard]] std::string wire_frame(unsigned opcode, std::string_view payload, FrameShape shape = {});
/// Only a frame's header, with any length: the payload may never come.
[[nodiscard]] std::string wire_header(unsigned opcode, std::uint64_t length, FrameShape shape = {});
/// A Close frame's payload.
[[nodiscard]] std::string close_payload(unsigned code, std::string_view reason = {});

/// A sound opening handshake; `extra` holds whole header lines.
[[nodiscard]] std::string upgrade_head(std::string_view target, std::string_view extra = {});
inline constexpr std::string_view sample_key = "dGhlIHNhbXBsZSBub25jZQ==";         // RFC 6455 1.3
inline constexpr std::string_view sample_accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";  // RFC 6455 1.3

/// One connection. What fails shows as false, nullopt or less text than expected, never as an exception.
class SocketClient {
 public:
  SocketClient() = default;
  /// Takes over a socket, connected or not.
  explicit SocketClient(int fd) : fd_(fd) {}
  /// `receive_bytes`: SO_RCVBUF, set before connecting; 0 leaves it.
  [[nodiscard]] static SocketClient tcp(unsigned port, std::string_view source = "127.0.0.1",
                                        int receive_bytes = 0);
  [[nodiscard]] static SocketClient unix_path(const std::string& path);
  SocketClient(SocketClient&& other) noexcept;
  SocketClient& operator=(SocketClient&& other) noexcept;
  ~SocketClient();

  [[nodiscard]] bool is_connected() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int fd() const noexcept { return fd_; }

  /// False once the peer is gone, or took nothing for the whole deadline.
  bool send(std::string_view data);
  /// The same in pieces, each in a segment of its own as far as the kernel lets us.
  bool send_pieces(std::string_view data, std::size_t piece_bytes);
  /// As many bytes as the socket takes until it takes none for `quiet_ms`; answers how many.
  std::size_t send_until_blocked(std::string_view pattern, std::size_t bytes_max, int quiet_ms = 300);
  void shutdown_write();
  void close();
  void reset();  ///< closes with RST

  /// Up to and including `end`; what came if EOF or the deadline was first.
  std::string read_until(std::string_view end);
  std::string read_exactly(std::size_t count);
  /// Everything until EOF or a reset. `ended` tells whether either came.
  std::string read_to_end();
  /// Whether the connection ends (EOF or reset) in time; what is read meanwhile is dropped.
  [[nodiscard]] bool waits_for_end();
  /// Whether nothing arrives for that long.
  [[nodiscard]] bool stays_silent(int milliseconds);

  /// Sends a sound opening handshake and reads the answer's head.
  std::string upgrade(std::string_view target, std::string_view extra = {});
  /// Gives the memory of what was read and not asked for back.
  void forget_input() { std::string().swap(input_); }
  bool send_frame(unsigned opcode, std::string_view payload, FrameShape shape = {});
  /// The next frame; nothing at EOF or the deadline.
  std::optional<WireFrame> read_frame();
  /// The next frame's close code, passing over data and pongs; 0 if none comes.
  unsigned read_close_code();
  /// Sends a text and reads the same back.
  [[nodiscard]] bool echoes(std::string_view text);

  int deadline_ms = 10'000;

 private:
  [[nodiscard]] bool fill();  // reads some more into input_; false at the end or the deadline

  int fd_ = -1;
  bool ended_ = false;
  std::string input_;
};

/// The status of a response head; 0 if there is none.
[[nodiscard]] int status_of(std::string_view response);

}  // namespace sinnet::test
