#pragma once
/// The PROXY protocol's header, versions 1 and 2 (haproxy.org, proxy-protocol.txt), on listeners that expect
/// one. Never guesses whether a header is there: on such a listener what does not begin with one is refused.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sinnet/base/bytes.hpp"
#include "sinnet/io/address.hpp"

namespace sinnet::endpoint {

/// Section 2.1: the longest version 1 line, CR LF included.
inline constexpr std::size_t proxy_v1_bytes_max = 107;
/// What we skip behind a version 2 header: balancers send some hundred bytes of TLVs; the format would allow
/// 64 KiB.
inline constexpr std::size_t proxy_v2_length_max = 4096;

/// What the header says. For UNKNOWN, LOCAL, unspecified and Unix addresses both are None: the connection's
/// own addresses hold (a health check of the balancer, or a client that has no IP address).
struct ProxyHeader {
  io::SocketAddress source;
  io::SocketAddress destination;

  friend bool operator==(const ProxyHeader&, const ProxyHeader&) = default;
};

enum class ProxyFault : std::uint8_t {
  None,
  NoHeader,     ///< the first bytes are neither "PROXY " nor version 2's signature
  BadLine,      ///< a version 1 line that breaks section 2.1
  LineTooLong,  ///< no CR LF within 107 bytes
  BadVersion,   ///< version 2's signature, but another version or command
  BadFamily,    ///< an address family or transport that is not for streams
  TooShort,     ///< fewer bytes announced than the family's addresses need
  TooLong,      ///< more bytes announced than we skip
  EndOfInput,   ///< the peer closed inside the header
};

[[nodiscard]] std::string_view describe(ProxyFault fault) noexcept;

/// Takes the header off the front of a connection, in pieces of any size.
///
///   state      input                         next
///   Start      "P"                           Line
///   Start      0x0D                          Binary
///   Line       byte that fits, not LF        Line (at most 107 bytes)
///   Line       LF behind CR, line is good    Done
///   Binary     16 bytes, good                Addresses
///   Addresses  the family's bytes            Skip
///   Skip       the rest of the length        Done
///   any        anything else, or EOF         Failed
///
/// About 300 bytes; lives until the header is read, not with the connection. Owner thread only.
class ProxyParser {
 public:
  enum class State : std::uint8_t { Start, Line, Binary, Addresses, Skip, Done, Failed };

  /// Reads from the front of `input` and answers how many bytes were the header's. What follows belongs to
  /// the next protocol. Takes nothing once Done or Failed. A byte that cannot belong to a header fails at
  /// once: nobody waits for the rest.
  std::size_t receive(Bytes input);
  void receive_eof() noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] bool is_done() const noexcept { return state_ == State::Done; }
  [[nodiscard]] bool has_failed() const noexcept { return state_ == State::Failed; }
  [[nodiscard]] ProxyFault fault() const noexcept { return fault_; }
  /// Requires is_done().
  [[nodiscard]] const ProxyHeader& header() const noexcept { return header_; }

 private:
  void fail(ProxyFault fault) noexcept;
  void take_line_byte(char c);
  void finish_line();
  std::size_t take_binary(Bytes input);
  void finish_binary();
  void finish_addresses();

  // Version 2's fixed part and the longest addresses (two Unix paths of 108 bytes).
  static constexpr std::size_t kept_bytes_max = 16 + 216;

  State state_ = State::Start;
  ProxyFault fault_ = ProxyFault::None;
  std::uint8_t kept_ = 0;         ///< bytes in buffer_
  std::uint8_t wanted_ = 0;       ///< bytes buffer_ must hold before the state can be left
  std::uint16_t skip_bytes_ = 0;  ///< TLVs still to come
  std::array<char, kept_bytes_max> buffer_{};
  ProxyHeader header_;
};

}  // namespace sinnet::endpoint
