#pragma once
/// The opening handshake of RFC 6455 4, both roles, as pure functions over HTTP/1.1 heads, and the
/// negotiation of permessage-deflate (RFC 7692 5 and 7.1). No sockets, no clock; the nonce comes from a
/// Random. This file never decides who may connect: Host, Origin, path and credentials are the application's
/// to judge.

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sinnet/base/error.hpp"
#include "sinnet/base/random.hpp"
#include "sinnet/http/head.hpp"
#include "sinnet/ws/deflate.hpp"

namespace sinnet::ws {

/// RFC 6455 4.2.2 5.4: base64(SHA-1(key + GUID)), 28 characters, from the exact bytes of the key.
[[nodiscard]] std::string accept_token(std::string_view key);

/// One usable permessage-deflate offer of a client. What RFC 7692 7.1 calls invalid never becomes one: such
/// an offer is left out, as if declined.
struct DeflateOffer {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  std::optional<std::uint8_t> server_max_window_bits = {};  ///< 8–15: the largest window we may compress with
  /// the client understands client_max_window_bits in the answer
  bool client_window_bits_allowed = false;
  std::uint8_t client_max_window_bits = 15;  ///< 8–15: the largest window it will use

  friend bool operator==(const DeflateOffer&, const DeflateOffer&) = default;
};

// ---- server

/// A sound opening handshake. Views of the head it was parsed from: keep that head (or a copy, which shares
/// the bytes).
struct UpgradeRequest {
  std::string_view key;
  /// in the client's order of preference, each a token, no two the same
  std::vector<std::string_view> protocols = {};
  std::vector<DeflateOffer> deflate_offers = {};  ///< in the client's order of preference
};

/// An answer other than 101 that the handshake itself demands. Everything is static text.
struct Refusal {
  int status = 400;
  std::span<const http::Field> headers = {};
  std::string_view reason = {};  ///< one line without its end; becomes the body
};

/// A request may offer at most so many subprotocols: comparing them all with each other stays cheap, and no
/// client needs more.
inline constexpr std::size_t protocols_max = 100;

/// Whether the request tries to open a WebSocket (`Upgrade` lists `websocket`, or a proxy dropped that and
/// left Sec-WebSocket-Key): hand it to parse_upgrade, which may still refuse. Anything else, `Upgrade: h2c`
/// too, is plain HTTP and its Upgrade is to be ignored.
[[nodiscard]] bool wants_upgrade(const http::RequestHead& head) noexcept;

/// RFC 6455 4.2.1, in this order: 405 for another method than GET; 426 when Upgrade does not list `websocket`
/// (a plain request for a WebSocket resource), with `Upgrade: websocket`; 400 for HTTP/1.0, for Connection
/// without `upgrade`, for a body; 426 with `Sec-WebSocket-Version: 13` for any other version, none, or
/// several; 400 for a key that is not one base64 of 16 bytes, for protocols that are no tokens or repeat, and
/// for an extension list that breaks the grammar of 9.1. Unknown extensions are ignored. Linear in the head's
/// size.
[[nodiscard]] std::expected<UpgradeRequest, Refusal> parse_upgrade(const http::RequestHead& head);

/// The first of `offered` that is in `supported`: the client's order of preference decides (RFC 6455 4.1,
/// 10). Compares exactly. nullopt: none in common, answer without a protocol or refuse.
[[nodiscard]] std::optional<std::string_view> choose_protocol(
    std::span<const std::string_view> offered, std::span<const std::string_view> supported) noexcept;

/// The parameters for the first offer we can keep, or nullopt: no compression. Windows are the smaller of the
/// offer's and `options.window_bits`. Declined: a window of 8 bits (zlib cannot make one), and an offer that
/// does not let us limit the client's window when window_bits is below 15. Without context_takeover, both
/// sides are told to have none.
[[nodiscard]] std::optional<DeflateParameters> negotiate_deflate(std::span<const DeflateOffer> offers,
                                                                 const DeflateOptions& options) noexcept;

/// What a server answers with its 101.
struct Acceptance {
  std::string_view protocol = {};                 ///< empty: none
  std::optional<DeflateParameters> deflate = {};  ///< from negotiate_deflate
  std::span<const http::Field> headers = {};      ///< the application's own
};

/// The whole 101 head (RFC 6455 4.2.2). Answers InvalidArgument when the protocol was not offered, or a
/// header cannot stand in a head or belongs to the handshake or the framing (Connection, Upgrade,
/// Sec-WebSocket-*, Content-Length, Transfer-Encoding).
[[nodiscard]] Result<std::string> write_accept_response(const UpgradeRequest& request,
                                                        const Acceptance& acceptance);

/// A whole response, head and body, that ends the connection: `Connection: close` and Content-Length are
/// added, and a plain-text Content-Type when there is a body and none was given. Status 200–599; 204 and 304
/// take no body. Answers InvalidArgument for what cannot stand in a head and for Connection, Content-Length
/// and Transfer-Encoding.
[[nodiscard]] Result<std::string> write_refusal(int status, std::span<const http::Field> headers,
                                                std::string_view body);
[[nodiscard]] std::string write_refusal(const Refusal& refusal);
/// For a head the parser refused.
[[nodiscard]] std::string write_refusal(const http::HeadError& error);

// ---- client

/// What a client asks for. Owned, since the answer is checked against it later.
struct UpgradeOptions {
  /// `example.com` or `[::1]:8080`; the port is left out when it is the scheme's own
  std::string host;
  std::string target = "/";                 ///< path and query, as on the wire
  std::vector<std::string> protocols = {};  ///< tokens, no two the same, in order of preference
  DeflateOptions deflate = {};              ///< offered when enabled
  std::string origin = {};                  ///< empty: none is sent
  std::vector<std::pair<std::string, std::string>> headers =
      {};  ///< names and values of the application's own
};

/// An opening handshake ready to send.
struct UpgradeAttempt {
  std::string head;
  std::string key;  ///< for check_accept_response
};

/// RFC 6455 4.1. Draws a fresh 16-byte nonce. Answers InvalidArgument for a host, target, protocol, origin or
/// header that cannot stand in a head, for a header that belongs to the handshake (as above, and Host and
/// Origin), for more than protocols_max protocols, and for window bits outside 9–15.
[[nodiscard]] Result<UpgradeAttempt> write_upgrade_request(const UpgradeOptions& options, Random& random);

/// What both sides agreed on.
struct Agreement {
  std::string_view protocol = {};  ///< empty: none; a view of the response head
  std::optional<DeflateParameters> deflate = {};
};

/// Why an answer does not open the connection.
struct AcceptError {
  enum class Kind : std::uint8_t {
    /// not 101: the head and body are an ordinary HTTP response (redirect, 401, …) for the caller to read
    Status,
    Upgrade,     ///< 4.1 2: Upgrade is not exactly `websocket`
    Connection,  ///< 4.1 3: Connection does not list `upgrade`
    Accept,      ///< 4.1 4: Sec-WebSocket-Accept missing, twice or not the key's
    /// 4.1 5: not offered, twice, malformed, or parameters that do not fit the offer (RFC 7692 7.1)
    Extensions,
    Protocol,  ///< 4.1 6: not offered, or twice
    Body,      ///< RFC 9110 8.6: a 101 that announces a body
  };
  Kind kind = Kind::Status;
  int status = 0;                ///< the response's
  std::string_view reason = {};  ///< static text with the rule's section
};

/// RFC 6455 4.1, the client's checks of the answer to what write_upgrade_request made. `key` is the
/// attempt's. Only after success do the bytes behind the head belong to the WebSocket.
[[nodiscard]] std::expected<Agreement, AcceptError> check_accept_response(const http::ResponseHead& head,
                                                                          const UpgradeOptions& options,
                                                                          std::string_view key);

}  // namespace sinnet::ws
