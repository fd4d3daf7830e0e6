#pragma once
/// What a multiplexing dialect is: a value of Rules and three functions between wire bytes and the neutral
/// Frame. No stream lives here: mux::Session keeps them for every dialect alike and never asks which it
/// speaks.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sinnet/base/bytes.hpp"

namespace sinnet::mux {

/// Who began the connection below. Decides the ids a side opens with, and nothing else.
enum class Role : std::uint8_t { Client, Server };

[[nodiscard]] constexpr Role other(Role role) noexcept {
  return role == Role::Client ? Role::Server : Role::Client;
}

/// What went wrong, in no dialect's words. `Dialect::code_for` gives the number that goes on the wire.
enum class Fault : std::uint8_t {
  None,
  Malformed,    ///< a frame that cannot be read
  FrameSize,    ///< a length that its type does not allow
  Protocol,     ///< a frame that must not come here
  FlowControl,  ///< more bytes, or more credit, than allowed
  StreamState,  ///< a frame for a stream that is closed that way
  Refused,      ///< an opening that nobody takes
  Cancelled,    ///< nobody wants the stream any more
  TimedOut,     ///< a deadline of ours passed
  Overloaded,   ///< our budget is used up
  Calm,         ///< the peer provokes more work than it does
  GoneAway,     ///< opened after our GoAway
  Internal,
};

/// What a frame is about. Every frame may carry FrameFlags beside it: one wire frame may mean several things
/// (yamux: Data|SYN|FIN).
enum class FrameType : std::uint8_t {
  Flags,             ///< nothing but its flags
  Data,              ///< payload of a stream follows the header
  Credit,            ///< `credit` for a stream, in Rules::credit_unit; may be 0 where only the flags matter
  ConnectionCredit,  ///< `credit` for the sum of all streams, as a limit
  StreamCredit,      ///< `credit`: how many streams the peer may open, in all since the beginning
  Settings,          ///< `settings`, the first frame of each side where Rules::has_settings
  Ping,              ///< `value`, to be answered
  Pong,              ///< `value`, from the ping
  GoAway,            ///< `last_id`, `code`, `text`: no more openings
};

struct FrameFlags {
  bool opens : 1 = false;
  bool accepts : 1 = false;
  bool finishes : 1 = false;  ///< the sender of the frame will send no more payload (after this frame's)
  bool resets : 1 = false;    ///< the sender gives its sending half up; what it sent may be lost
  bool stops : 1 =
      false;  ///< the sender reads no more: the receiver is to stop sending. With `resets`: both halves
  bool answers : 1 =
      false;  ///< with `resets`, `stops` or alone (for a finish): replies to the peer's own (js-ws)
  bool blocked : 1 = false;  ///< the sender has more, and no credit
  bool refuses : 1 = false;  ///< with `resets`: the code says that the opening was not taken

  friend bool operator==(const FrameFlags&, const FrameFlags&) = default;
};

/// What a side grants from the beginning (dialects with Rules::has_settings).
struct Settings {
  std::uint64_t stream_credit = 0;      ///< bytes, of every stream
  std::uint64_t connection_credit = 0;  ///< bytes, of all streams together
  std::uint64_t stream_count = 0;       ///< streams the peer may open

  friend bool operator==(const Settings&, const Settings&) = default;
};

/// One frame in neutral words. Views lie in the input given to `decode`.
struct Frame {
  FrameType type = FrameType::Flags;
  FrameFlags flags{};
  std::uint64_t id = 0;             ///< of the stream
  std::uint64_t payload_bytes = 0;  ///< Data: behind the header. With Framing::Messages: the message's rest
  std::uint64_t credit = 0;
  std::uint64_t code = 0;         ///< resets, stops, GoAway
  std::uint64_t value = 0;        ///< Ping, Pong
  std::uint64_t last_id = 0;      ///< GoAway: the highest stream of the receiver that was handled
  std::uint64_t stream_type = 0;  ///< opens: what the stream is for; 0: untyped
  std::uint8_t urgency = 3;       ///< opens: 0 first, 7 last (RFC 9218 4.1: 3 is the default)
  Settings settings{};
  Bytes metadata{};         ///< opens
  std::string_view text{};  ///< GoAway: for a person
};

enum class DecodeStatus : std::uint8_t {
  NeedMore,         ///< give the same bytes again with more behind them
  Frame,            ///< `header_bytes` were a header; a Data frame's payload follows
  Skip,             ///< a frame without meaning for us: header and `Frame::payload_bytes` are passed over
  MalformedStream,  ///< as Skip, and the stream `Frame::id` is reset with `fault`
  MalformedSession,
};

struct Decoded {
  DecodeStatus status = DecodeStatus::NeedMore;
  std::size_t header_bytes = 0;
  Fault fault = Fault::None;  ///< of the two Malformed
  const char* reason = "";    ///< a literal, names the rule
};

/// How frames find their ends.
enum class Framing : std::uint8_t {
  Bytes,     ///< each frame says its length; the carrier's own boundaries mean nothing
  Messages,  ///< one frame is one message of the carrier, which alone knows the length
};

enum class OpenBy : std::uint8_t {
  OwnFrame,      ///< Flags{opens}, with type, urgency and metadata
  FirstCredit,   ///< Credit{opens} with the opener's receive window (js-ws)
  FlagOnCredit,  ///< Credit{opens} with what the window exceeds its fixed start; read on any frame (yamux)
  FlagOnData,    ///< Data{opens} (muxado v2)
};
enum class AcceptBy : std::uint8_t {
  Nothing,
  FirstCredit,  ///< Credit{accepts} with the acceptor's receive window (wsmux, js-ws)
  Flag,         ///< Credit{accepts} with what the window exceeds its fixed start (yamux)
};
/// When an acceptance goes out: the user's accept() always decides whether the stream is wanted.
enum class AcceptWhen : std::uint8_t { Arrival, Application };

enum class IdOrder : std::uint8_t {
  Increasing,   ///< a lower id than before is an error
  NeverReused,  ///< a lower id that does not live is ignored
  Reusable,     ///< any id that does not live
};

enum class CreditSource : std::uint8_t {
  Fixed,    ///< written into the dialect, or into the peer's Settings
  Granted,  ///< none, until the first Credit frame
  Assumed,  ///< never on the wire: the sender believes `bytes` (wsmux)
};
struct InitialCredit {
  CreditSource source = CreditSource::Fixed;
  std::uint64_t bytes = 0;  ///< Fixed, Assumed. With Settings: the least that every peer grants
};

enum class CreditUnit : std::uint8_t {
  Delta,  ///< so many bytes more
  Limit,  ///< up to this offset in all (RFC 9000 4.1); a lower one means nothing
};

enum class ResetBy : std::uint8_t {
  None,
  Both,          ///< one frame ends both halves: Flags{resets, stops}
  PerDirection,  ///< Flags{resets} and Flags{stops} apart
};
enum class StopBy : std::uint8_t {
  Wire,   ///< Flags{stops}
  Reset,  ///< no word for it: what comes is dropped and credited until the linger deadline, then reset
  Drain,  ///< as Reset, but the wire cannot reset: then the stream is forgotten
};
enum class RefuseBy : std::uint8_t {
  Reset,             ///< with Fault::Refused where codes exist
  AcceptThenFinish,  ///< accepted and finished at once; what comes is dropped. Beyond our caps: Silence
  Silence,           ///< the opener's own deadline tells it
};
/// What to do with a frame that the stream's state does not allow, or of which there is no stream.
enum class Reaction : std::uint8_t {
  Ignore,
  Reset,  ///< answered with a reset, where the wire has one
  Burn,   ///< ignored, and so is a later opening of that id
  Fail,   ///< ends the session
};
enum class GoAwayKind : std::uint8_t {
  None,
  Last,   ///< only as the last frame of all
  Drain,  ///< streams that live go on
};
enum class ProbeBy : std::uint8_t {
  None,
  Frame,
  Stream,  ///< payload of a stream of Rules::probe_stream_type: its acceptor sends back what its opener sends
  Carrier,
};

/// Close codes of a WebSocket that carries the session, for what ends it (RFC 6455 7.4).
struct CarrierCloseCodes {
  std::uint16_t closed = 1000;
  std::uint16_t malformed = 1002;
  std::uint16_t text_message = 1002;  ///< a text message where only binary ones mean anything
  std::uint16_t failed = 1002;        ///< any other fault of the peer
};

/// Everything in which dialects differ, apart from the bytes themselves. docs/protocol/ says it for people.
struct Rules {
  // ---- carriage
  Framing framing = Framing::Bytes;
  std::size_t header_bytes_max = 16;        ///< the longest that `encode` writes or `decode` asks for
  std::uint64_t payload_bytes_max = 65536;  ///< in one Data frame that we send
  CarrierCloseCodes close_codes{};

  // ---- ids; each side counts up by 2
  std::uint64_t first_id_client = 1;
  std::uint64_t first_id_server = 2;
  std::uint64_t id_last = 0xFFFFFFFF;
  bool ids_wrap = false;  ///< behind id_last our ids begin again, past those that live
  IdOrder id_order = IdOrder::Increasing;
  bool parity_checked = true;  ///< an opening with one of our own ids fails the session; else it is ignored

  // ---- opening
  OpenBy open_by = OpenBy::OwnFrame;
  bool open_lazily = false;  ///< FlagOnData: waits for the first payload or finish
  bool may_finish_in_open =
      true;  ///< FlagOnData: an opening may finish (some peers then close the wrong half)
  AcceptBy accept_by = AcceptBy::Nothing;
  AcceptWhen accept_when = AcceptWhen::Application;
  std::uint32_t unaccepted_max = 0;          ///< our openings the peer has not accepted; 0: no limit
  Reaction duplicate_open = Reaction::Fail;  ///< of an id that lives
  std::size_t metadata_bytes_max = 0;        ///< 0: none on the wire
  std::uint8_t type_bytes = 0;  ///< the opener's first payload is its type, so long, big endian (FlagOnData)
  std::uint64_t reserved_types_from = 0;  ///< openings of types from here on are refused; 0: none

  // ---- credit
  CreditUnit credit_unit = CreditUnit::Delta;
  InitialCredit opener_sends{};
  InitialCredit acceptor_sends{};
  std::uint64_t opener_receives = 0;  ///< with acceptor_sends Assumed: what the opener is ready to take
  bool credit_before_accept = true;   ///< the opener may send credit before it is accepted
  bool credit_at_once = false;        ///< the peer's window is unknown: every consumption is credited
  std::uint64_t credit_step_max = 0xFFFFFFFF;  ///< in one Credit{Delta} that we send
  std::uint64_t credit_max = 0xFFFFFFFF;       ///< unused credit beyond this is an overflow
  Reaction overrun = Reaction::Fail;           ///< payload without credit: Reset or Fail
  bool has_settings = false;
  bool has_connection_credit = false;
  bool has_stream_credit = false;
  bool has_blocked_flag = false;
  Settings settings_least{};  ///< what every peer grants before its Settings arrive

  // ---- ending
  bool finish_before_accept =
      true;                    ///< the opener may finish before it is accepted (wsmux loses that finish)
  bool finish_on_data = true;  ///< the finish may ride on the last payload
  ResetBy reset = ResetBy::Both;
  std::uint8_t code_bits = 0;  ///< of resets and stops
  StopBy stop = StopBy::Reset;
  RefuseBy refuse = RefuseBy::Reset;
  bool answers_finish = false;  ///< a finish is replied with Flags{answers}
  bool answers_reset = false;   ///< a reset or stop is replied with its counterpart, `answers` set
  Reaction never_opened = Reaction::Ignore;    ///< any frame for an id beyond those opened; Ignore or Fail
  Reaction unknown_stream = Reaction::Ignore;  ///< payload for it; Burn: any frame. Others are ignored
  Reaction after_finish = Reaction::Reset;     ///< payload, or another finish, behind a finish
  GoAwayKind go_away = GoAwayKind::None;
  bool go_away_names_last = false;  ///< `last_id` is on the wire: our streams above it were not handled
  ProbeBy probe = ProbeBy::None;
  bool probe_has_value = true;          ///< the value comes back with the pong
  std::uint64_t probe_stream_type = 0;  ///< ProbeBy::Stream: no user hears of streams of this type
  bool probe_at_start = false;          ///< … ours opens with the session, else with the first probe
};

/// A dialect. Copied into its session; the functions keep no state.
struct Dialect {
  std::string_view name;
  Rules rules{};
  /// Reads one header from the front of `input`. With Framing::Messages, `input` is the front of one message
  /// and `whole` says that it ends there; otherwise `whole` is false. `role` is ours. Never reads beyond
  /// `input`, never asks for more than header_bytes_max.
  Decoded (*decode)(const Rules& rules, Role role, Bytes input, bool whole, Frame& frame) = nullptr;
  /// Writes the header of `frame` (everything but payload) and answers its size. `out` has header_bytes_max
  /// bytes. Called only with what the rules allow.
  std::size_t (*encode)(const Rules& rules, Role role, const Frame& frame, MutableBytes out) = nullptr;
  /// The number for a fault of ours, in resets and GoAways.
  std::uint64_t (*code_for)(Fault fault) = nullptr;
};

}  // namespace sinnet::mux
