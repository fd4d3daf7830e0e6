#pragma once
/// Multiplexer sessions on a loop: the callbacks face. A MuxHandler hears what happens to streams, a
/// MuxStream is what it acts on, whichever carrier is below: a socket, TLS, or a WebSocket of a server or a
/// client. It opens and accepts no connection; io and Server and Client do.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "sinnet/base/bytes.hpp"
#include "sinnet/base/time.hpp"
#include "sinnet/endpoint/handler.hpp"
#include "sinnet/io/transport.hpp"
#include "sinnet/mux/session.hpp"

namespace sinnet::endpoint {

class MuxConnection;

/// One stream of a session, as a value: a name to act by, which owns nothing. Verbs on a stream that has
/// ended do nothing and say so. Thread rule: the loop's thread.
class MuxStream {
 public:
  MuxStream() = default;
  MuxStream(MuxConnection& connection, mux::Stream stream, void* user = nullptr) noexcept
      : connection_(&connection), stream_(stream), user_(user) {}

  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(stream_); }
  [[nodiscard]] MuxConnection& connection() const noexcept { return *connection_; }
  [[nodiscard]] mux::Stream handle() const noexcept { return stream_; }
  friend bool operator==(const MuxStream& a, const MuxStream& b) noexcept {
    return a.connection_ == b.connection_ && a.stream_ == b.stream_;
  }

  /// What set_user() said before the event this handle came with. The handler's own; free it in
  /// MuxHandler::ended.
  [[nodiscard]] void* user() const noexcept { return user_; }
  mux::VerbResult<> set_user(void* user);

  // ---- the peer's opening (in MuxHandler::opened, or later behind answer_later())
  mux::VerbResult<> accept() const;
  mux::VerbResult<> refuse(std::uint64_t code = 0) const;
  /// Neither yet: accept() or refuse() follows within SessionOptions::accept_timeout. Only inside opened().
  void answer_later() const noexcept;

  // ---- both halves; see mux::Session for each
  /// Takes what credit and SessionOptions::unsent_bytes_max allow, by copying, and answers how much. Less
  /// than offered: MuxHandler::writable follows.
  mux::VerbResult<std::size_t> write(Bytes bytes) const;
  /// As above; `part`, which lies in `owner`, is referenced where it is long.
  mux::VerbResult<std::size_t> write(const Buffer& owner, Bytes part) const;
  /// What is unread and lies together; until the handler returns, or the next consume().
  [[nodiscard]] MutableBytes readable() const noexcept;
  /// Uses up the first bytes of readable(). This alone lets the peer send more.
  void consume(std::size_t bytes) const;
  [[nodiscard]] std::size_t read(MutableBytes out) const;
  mux::VerbResult<> close_write() const;
  mux::VerbResult<> stop_receiving(std::uint64_t code = 0) const;
  mux::VerbResult<> reset(std::uint64_t code = 0) const;
  mux::VerbResult<> set_deadline(mux::DeadlineKind kind, Time when) const;
  mux::VerbResult<> set_urgency(std::uint8_t urgency) const;

 private:
  MuxConnection* connection_ = nullptr;
  mux::Stream stream_{};
  void* user_ = nullptr;
};

/// What the peer said when it opened a stream. Lives until opened() returns.
struct MuxOpening {
  std::uint64_t stream_type = 0;
  std::uint8_t urgency = 3;
  Bytes metadata{};
};

/// One half of a stream was given up by the peer.
struct MuxReset {
  enum class Half : std::uint8_t {
    Receiving,  ///< it sends no more; what was unread is lost
    Sending,    ///< it reads no more; nothing more can be written
  };
  Half half = Half::Receiving;
  std::uint64_t code = 0;
};

struct MuxEnd {
  mux::EndReason reason = mux::EndReason::Finished;
  std::uint64_t code = 0;

  [[nodiscard]] bool is_finished() const noexcept { return reason == mux::EndReason::Finished; }
};

/// How a session ended. `reason` lives until closed() returns.
struct MuxCloseInfo {
  std::uint64_t code = 0;
  std::string_view reason{};
  bool was_clean = false;
  bool was_violation = false;  ///< the peer broke a rule; `code` is what we answered
};

/// Reacts to the streams of sessions. Calls for one session come from its loop's thread, in order, one at a
/// time. For each stream: opened (the peer's only), then readable, writable, finished and reset, then ended,
/// exactly once whatever ends it. For each session: started, then those, then closed, the last call.
class MuxHandler {
 public:
  virtual ~MuxHandler() = default;

  /// The session runs: streams may be opened. `connection` lives until closed() returns.
  virtual void started(MuxConnection& connection) { static_cast<void>(connection); }
  /// The peer opened a stream. Accepted when this returns, unless it was refused or asked for time.
  virtual void opened(MuxStream stream, const MuxOpening& opening) {
    static_cast<void>(stream);
    static_cast<void>(opening);
  }
  /// The peer accepted a stream of ours; only in dialects that say so.
  virtual void accepted(MuxStream stream) { static_cast<void>(stream); }
  /// `payload` is all that is unread, and lives until the call returns. What is not consumed is kept, and
  /// holds the peer back on this stream alone; it is shown again with what follows.
  virtual void readable(MuxStream stream, MutableBytes payload) = 0;
  /// A write that took less than offered may go on.
  virtual void writable(MuxStream stream) { static_cast<void>(stream); }
  /// The peer sends no more, and all of it was consumed. Our half stays open until close_write().
  virtual void finished(MuxStream stream) { static_cast<void>(stream); }
  virtual void reset(MuxStream stream, const MuxReset& how) {
    static_cast<void>(stream);
    static_cast<void>(how);
  }
  /// A deadline set with set_deadline() passed.
  virtual void timed_out(MuxStream stream, mux::DeadlineKind kind) {
    static_cast<void>(stream);
    static_cast<void>(kind);
  }
  virtual void ended(MuxStream stream, const MuxEnd& end) {
    static_cast<void>(stream);
    static_cast<void>(end);
  }
  /// The answer to MuxConnection::ping().
  virtual void pong(MuxConnection& connection, Duration round_trip) {
    static_cast<void>(connection);
    static_cast<void>(round_trip);
  }
  /// The peer takes no more openings; streams go on.
  virtual void gone_away(MuxConnection& connection, std::uint64_t code, std::string_view reason) {
    static_cast<void>(connection);
    static_cast<void>(code);
    static_cast<void>(reason);
  }
  virtual void closed(MuxConnection& connection, const MuxCloseInfo& info) {
    static_cast<void>(connection);
    static_cast<void>(info);
  }
};

/// What sessions share.
struct MuxOptions {
  mux::Dialect dialect{};
  /// Agreed on with a client of a WebSocket server that offers it; empty: none.
  std::string subprotocol{};
  mux::SessionOptions session{};
};

/// A session on its carrier. Valid from MuxHandler::started until MuxHandler::closed returns.
class MuxConnection {
 public:
  MuxConnection(const MuxConnection&) = delete;
  MuxConnection& operator=(const MuxConnection&) = delete;
  virtual ~MuxConnection() = default;

  [[nodiscard]] virtual io::Loop& loop() const noexcept = 0;
  /// A new stream, to be written to at once.
  [[nodiscard]] mux::VerbResult<MuxStream> open(const mux::OpenOptions& options = {});
  /// MuxHandler::pong follows. False: the dialect has no ping, or one is under way.
  bool ping();
  /// Takes no more openings, and closes when the streams have ended.
  void go_away(std::uint64_t code = 0, std::string_view reason = {});
  /// Ends every stream and the session.
  void close(std::uint64_t code = 0, std::string_view reason = {});
  /// Drops the carrier without a word; ended and closed follow, in a later turn at the latest.
  virtual void abort() = 0;

  [[nodiscard]] mux::SessionState state() const noexcept { return session_.state(); }
  [[nodiscard]] mux::Role role() const noexcept { return session_.role(); }
  [[nodiscard]] const mux::Dialect& dialect() const noexcept { return session_.dialect(); }
  [[nodiscard]] mux::SessionStatistics statistics() const { return session_.statistics(); }
  [[nodiscard]] std::optional<mux::StreamStatistics> statistics(const MuxStream& stream) const {
    return session_.statistics(stream.handle());
  }

 protected:
  struct Shared {
    MuxOptions options;
    std::shared_ptr<MuxHandler> handler;
  };
  MuxConnection(std::shared_ptr<const Shared> shared, mux::Role role, io::Loop& loop);

  /// The session has something to send, or its deadline changed.
  virtual void schedule() = 0;
  /// Calls the handler.
  void dispatch(const mux::Event& event);
  /// Calls the handler for all that is left, after the carrier is gone.
  void dispatch_rest(Time now);

  std::shared_ptr<const Shared> shared_;
  mux::Session session_;

 private:
  friend class MuxStream;
  friend class MuxCarrier;
  friend class MuxWebSocketHandler;
  bool answers_later_ = false;  ///< said inside opened()
};

/// Carries sessions over transports (TCP, TLS, Unix, pipes) on one loop, and owns them. For WebSockets see
/// make_mux_handler(). Thread rule: the loop's thread; must not outlive the loop, nor be destroyed inside a
/// callback of its handler.
class MuxCarrier {
 public:
  MuxCarrier(io::Loop& loop, MuxOptions options, std::shared_ptr<MuxHandler> handler);
  /// Drops what still lives; ended and closed are called inside.
  ~MuxCarrier();
  MuxCarrier(const MuxCarrier&) = delete;
  MuxCarrier& operator=(const MuxCarrier&) = delete;

  /// Begins a session on an attached transport. `role`: Client for who connected. MuxHandler::started is
  /// called inside.
  void carry(std::unique_ptr<io::Transport> transport, mux::Role role);
  /// go_away() to all.
  void go_away(std::uint64_t code = 0, std::string_view reason = {});
  /// Sessions that live.
  [[nodiscard]] std::size_t size() const noexcept { return connections_.size(); }

 private:
  class Carried;
  void forget(Carried& connection);

  io::Loop* loop_;
  std::shared_ptr<const MuxConnection::Shared> shared_;
  std::unordered_map<Carried*, std::unique_ptr<Carried>> connections_;
};

/// A handler that runs a session on each WebSocket it is given: as the mux's server behind Server::route, as
/// its client behind Client::connect. Messages come in pieces and go out as the dialect frames them, one for
/// all that a turn brought. Set ClientOptions::protocols to the dialect's subprotocol where it has
/// one, and leave compression off. `handler` is called on the thread of each
/// WebSocket.
///
/// - Keepalive is the WebSocket's, which counts any byte; SessionOptions::probe_interval is not used.
/// - ws::Options::message_bytes_max must admit the dialect's largest message, drained_below_bytes must not
///   exceed 128 KiB (the default is 64).
/// - The session's end closes the WebSocket with the code of the dialect's rules.
[[nodiscard]] std::shared_ptr<Handler> make_mux_handler(MuxOptions options,
                                                        std::shared_ptr<MuxHandler> handler);

}  // namespace sinnet::endpoint
