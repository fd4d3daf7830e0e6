#pragma once
/// Transport: an ordered byte stream in both directions, with readiness. TCP, Unix, TLS and memory pipes are
/// transports; later a mux stream and an HTTP/2 stream are too. A Transport knows no protocol above it.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "sinnet/base/bytes.hpp"
#include "sinnet/base/error.hpp"
#include "sinnet/io/address.hpp"

namespace sinnet::io {

class Loop;

/// How a read or write ended.
enum class IoStatus : std::uint8_t {
  Ok,       ///< some bytes moved (fewer than asked for is normal)
  Blocked,  ///< nothing can move now; readiness will be reported if it is wanted
  Eof,      ///< the peer shut its writing half; only from read
  Error,    ///< the transport is dead; `errno_value` says why
};

struct IoResult {
  std::size_t bytes = 0;
  IoStatus status = IoStatus::Blocked;
  int errno_value = 0;
};

/// What a transport tells its owner. Called by the loop only, never from inside read, write or want.
class ReadyHandler {
 public:
  virtual void handle_ready(bool readable, bool writable) = 0;

 protected:
  ~ReadyHandler() = default;
};

enum class CloseMode : std::uint8_t {
  Orderly,  ///< what was written is still delivered by the kernel
  Reset,    ///< drop everything now (RST on TCP)
};

/// What TLS agreed, for transports that have it.
struct TlsInfo {
  std::string version;      ///< "TLSv1.3"
  std::string alpn;         ///< "" if none
  std::string server_name;  ///< SNI, as sent by the client; "" if none
  std::string
      peer_subject;  ///< RFC 2253 form of the verified peer certificate's subject; "" if none was presented
  bool truncated =
      false;  ///< the peer's bytes ended without close_notify (RFC 8446 6.1): some may have been cut off
};

/// Thread rule: used on the thread of the loop it is attached to.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Reads what is there, at most `into.size()` bytes. `into` must not be empty.
  virtual IoResult read(MutableBytes into) = 0;
  /// Writes the slices in order as one operation where the system allows; may stop anywhere.
  virtual IoResult write(std::span<const Slice> slices) = 0;

  /// Which readiness to report. Level-triggered: as long as it holds and is wanted, every turn reports it
  /// once.
  virtual void want(bool read, bool write) = 0;
  /// No more bytes from us; the peer sees EOF. Reading goes on.
  virtual void shutdown_write() = 0;
  /// Ends both directions and leaves the loop. Idempotent. No readiness afterwards.
  virtual void close(CloseMode mode) = 0;

  /// A guess of how many bytes a write would take now; 0 while blocked.
  [[nodiscard]] virtual std::size_t write_room() const = 0;

  /// Sets who hears of readiness; null for nobody. The handler must outlive the transport or its replacement.
  virtual void set_ready_handler(ReadyHandler* handler) = 0;
  /// Leaves the loop, keeping the connection: the transport may be destroyed, or attached to another loop's
  /// thread.
  virtual void detach() = 0;
  virtual Result<> attach(Loop& loop) = 0;

  /// The address at the other end; of the family `Unix` with an empty path for an unnamed socket. By value,
  /// since ten thousand idle connections should not each keep a string for it.
  [[nodiscard]] virtual SocketAddress peer_address() const = 0;
  /// Null unless TLS. Complete once the handshake is done (the first read or write that moves bytes says so).
  [[nodiscard]] virtual const TlsInfo* tls() const { return nullptr; }
  /// More than an errno about what made it fail, as one line for a log; "" if there is no more. Lives as the
  /// transport does.
  [[nodiscard]] virtual std::string_view failure() const { return {}; }
};

}  // namespace sinnet::io
