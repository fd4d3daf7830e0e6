/// What the load generator's parts share: the options, the frames, the measured window, one wire.
/// Never uses our own library: a bug there must not hide behind a generator that shares it.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace load {

using Bytes = std::span<const std::uint8_t>;

/// Reports why the measurement is worthless and ends the program with status 2.
[[noreturn]] void fail(const std::string& what);
/// The same, with errno's text.
[[noreturn]] void fail_errno(const std::string& what);

struct Options {
  std::string mode;             // echo, raw, connect, fanout, idle
  std::uint16_t port = 0;       // on 127.0.0.1
  std::size_t connections = 1;  // fanout: subscribers
  std::size_t depth = 1;        // messages in flight per connection; fanout: publications in flight
  std::size_t bytes = 16;       // payload bytes of a message
  double warmup_s = 0.3;
  double duration_s = 1.0;
  int server_pid = 0;    // 0: server CPU is not measured
  bool text = false;     // text messages instead of binary ones
  bool deflate = false;  // permessage-deflate, no context takeover either way
  bool tls = false;      // TLS 1.3, TLS_AES_128_GCM_SHA256, certificate not verified
  std::string path = "/";
};

/// Parses the command line; a mistake prints the usage and exits with status 1.
Options parse_options(int argc, char** argv);

// ---- frames.cpp

/// A payload repeats itself behind so many bytes (a multiple of the mask's four and of the page size).
inline constexpr std::size_t kPayloadPeriod = 65536;

/// A payload of `bytes` bytes: JSON-like ASCII when `text` (compresses about 3 : 1), else noise.
std::vector<std::uint8_t> make_payload(std::size_t bytes, bool text);

/// One masked client frame, FIN set. `compressed` sets RSV1; the payload is then deflate data.
std::vector<std::uint8_t> make_frame(std::uint8_t opcode, Bytes payload, bool compressed);

/// RFC 7692 7.2.1: raw deflate with a sync flush, its last four bytes 00 00 ff ff removed.
std::vector<std::uint8_t> deflate_payload(Bytes payload);

/// What all connections together have received.
struct Totals {
  std::uint64_t messages = 0;        // whole ones
  std::uint64_t payload_bytes = 0;   // includes those of unfinished messages
  std::uint64_t compressed = 0;      // messages that came with RSV1
  std::uint64_t control_frames = 0;  // pings and pongs
};

/// What each reply has to be.
struct Expected {
  std::vector<std::uint8_t> payload;
  std::uint8_t opcode = 2;
  bool deflate = false;
};

/// Walks over the frames a server sends, checking them on the way and copying nothing.
/// Opcode and length are checked of every message; of the payload the first 256 bytes of every chunk,
/// and all of each 64th message. Compressed payloads are inflated and compared for each 64th message.
class ReplyReader {
 public:
  /// Takes any number of received bytes. Fails the program on a reply that is not as expected.
  void consume(Bytes input, const Expected& expected, Totals& totals);
  /// True behind a Close frame; what follows it is ignored.
  bool is_closed() const { return closed_; }
  /// The payload of the last ping, if one came since the last call.
  bool take_ping(std::vector<std::uint8_t>& payload);

 private:
  std::size_t take_header(Bytes input, const Expected& expected, Totals& totals);
  void begin_frame(std::uint64_t length, const Expected& expected, Totals& totals);
  void take_payload(Bytes chunk, const Expected& expected, Totals& totals);
  void end_frame(const Expected& expected, Totals& totals);

  std::uint64_t left_ = 0;      // payload bytes of this frame still to come
  std::uint64_t position_ = 0;  // payload bytes of this message already seen
  std::uint8_t header_[10] = {};
  std::uint8_t header_bytes_ = 0;
  bool in_frame_ = false;
  bool in_message_ = false;
  bool is_control_ = false;
  bool compressed_ = false;
  bool sampled_ = false;
  bool closed_ = false;
  bool pinged_ = false;
  std::vector<std::uint8_t> kept_;  // of a sampled compressed message, or of a ping
};

// ---- window.cpp

/// A process in the scheduler's statistics: the sum over /proc/PID/task/*/schedstat.
struct Scheduled {
  double ran_s = 0;     // on a CPU
  double waited_s = 0;  // ready, but another task had the CPU: tells of a machine that is not quiet
  int tasks = 0;        // threads; those of one process wait for each other too
};
Scheduled scheduled(int pid);
/// Resident bytes of a process.
std::uint64_t resident_bytes(int pid);

inline double now_s() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// The measured window: opens after the warm-up, closes after the duration, and takes time, the server's
/// CPU, our own CPU and the work counter at the same two moments.
class Window {
 public:
  explicit Window(const Options& options);
  /// To be called at every turn with the work done so far (messages; may be fractional).
  /// Returns false when the window has closed and the run is over.
  bool continues(double work) {
    const double now = now_s();
    return now < next_s_ || turn_over(now, work);
  }
  /// Milliseconds to wait at most for events.
  int wait_ms() const;
  /// Prints the result as one line of JSON. `extra` is appended inside the object, begins with a comma.
  void print(const std::string& extra) const;

 private:
  struct Sample {
    double at_s = 0, work = 0;
    Scheduled server, own;
  };
  bool turn_over(double now, double work);
  Sample sample(double work) const;

  const Options& options_;
  double next_s_;
  bool open_ = false;
  Sample begin_, end_;
};

// ---- wire.cpp

/// One client connection: a TCP socket to 127.0.0.1, TLS over it if asked.
/// Owned by whoever opens it; descriptors live until the process ends or close_wire.
struct Wire {
  int fd = -1;
  SSL* ssl = nullptr;
};

/// Connects and upgrades `count` times, blocking; verifies status 101, the accept token and the extension.
/// Afterwards the sockets are non-blocking. `path` is the request's target.
std::vector<Wire> open_wires(const Options& options, std::string_view path, std::size_t count);
/// A non-blocking TCP socket whose connect has been started from the next of 64 loopback addresses,
/// so that no single address runs out of ports.
int start_connect(std::uint16_t port);
void close_wire(Wire& wire);
/// The upgrade request.
std::string upgrade_request(const Options& options, std::string_view path);
/// True when `head` (through the empty line) is the 101 we asked for.
bool is_accepted(std::string_view head, const Options& options);

/// Bytes read or written; 0 when it would block; fails the program if the peer is gone.
std::size_t read_wire(Wire& wire, std::span<std::uint8_t> space);
std::size_t write_wire(Wire& wire, Bytes bytes);
/// The name of the socket's congestion control.
std::string congestion_of(int fd);

// ---- one file per mode; each prints one line of JSON and returns the exit status

int run_echo(const Options& options);  // also raw
int run_connect(const Options& options);
int run_fanout(const Options& options);
int run_idle(const Options& options);

}  // namespace load
