#pragma once
/// The TLS Transport: one SSL over one inner Transport. It holds no bytes of its own: ciphertext waits in the
/// inner transport or in OpenSSL's record buffers, plaintext in OpenSSL's. It never waits and has no
/// deadline.
///
/// | state       | by                                         | next        | reads, writes            |
/// |-------------|--------------------------------------------|-------------|--------------------------|
/// | Handshaking | handshake done                             | Open        | Blocked                  |
/// | Handshaking | alert, bad certificate, inner Eof or Error | Failed      | Error                    |
/// | Open        | close_notify, or inner Eof (truncated)     | Open        | read: Eof; write: as was |
/// | Open        | alert, bad record, inner Error             | Failed      | Error                    |
/// | any         | close()                                    | Closed      | Error (ENOTCONN)         |

#include <memory>
#include <optional>
#include <string>

#include "io/tls_generation.hpp"
#include "sinnet/io/loop.hpp"
#include "sinnet/io/transport.hpp"

struct bio_st;
struct bio_method_st;

namespace sinnet::io {

struct FreeSsl {
  void operator()(ssl_st* ssl) const noexcept;
};

class TlsTransport final : public Transport, private ReadyHandler {
 public:
  /// `server_name`: see wrap_client(); null for a server.
  TlsTransport(std::shared_ptr<const TlsGeneration> generation, std::unique_ptr<Transport> inner,
               const std::string_view* server_name);
  ~TlsTransport() override;

  IoResult read(MutableBytes into) override;
  IoResult write(std::span<const Slice> slices) override;
  void want(bool read, bool write) override;
  void shutdown_write() override;
  void close(CloseMode mode) override;
  [[nodiscard]] std::size_t write_room() const override;
  void set_ready_handler(ReadyHandler* handler) override { handler_ = handler; }
  void detach() override;
  Result<> attach(Loop& loop) override;
  [[nodiscard]] SocketAddress peer_address() const override { return inner_->peer_address(); }
  [[nodiscard]] const TlsInfo* tls() const override { return &info_; }
  [[nodiscard]] std::string_view failure() const override;

 private:
  enum class State : std::uint8_t { Handshaking, Open, Failed, Closed };
  /// Which readiness of the inner transport an operation waits for; either may wait for either.
  enum class Need : std::uint8_t { Read, Write };

  /// Reports, in the next turn, what the inner transport cannot know of: plaintext held by OpenSSL, an end, a
  /// failure.
  struct HeldTask final : Task {
    explicit HeldTask(TlsTransport& owner) : transport(owner) {}
    void run_task() override { transport.report_held(); }
    TlsTransport& transport;
  };

  static const bio_method_st* bio_method();
  static int bio_read(bio_st* bio, char* into, int size);
  static int bio_write(bio_st* bio, const char* data, int size);

  void handle_ready(bool readable, bool writable) override;
  void report_held();

  void begin_call();
  void expect_server(std::string_view server_name);
  void advance_handshake();
  void finish_handshake();
  /// Sends what of a record is left, then close_notify. False while the inner transport does not take it.
  bool send_close_notify();
  void flush_shutdown();
  /// What an OpenSSL call that did not succeed means. Sets `need` when it is Blocked.
  IoResult judge(int returned, Need& need, const char* what);
  IoResult fail_with(int errno_value, std::string text);
  [[nodiscard]] IoResult stopped() const;
  [[nodiscard]] bool holds_read() const noexcept;
  [[nodiscard]] bool holds_write() const noexcept;
  void sync_wants();

  std::unique_ptr<Transport> inner_;
  std::shared_ptr<const TlsGeneration> generation_;  // outlives ssl_: its callbacks point into it
  std::unique_ptr<ssl_st, FreeSsl> ssl_;
  Loop* loop_ = nullptr;
  ReadyHandler* handler_ = nullptr;
  std::optional<HeldTask> task_;  // there while attached: destroying it is how it leaves the loop's queue
  TlsInfo info_;
  std::string failure_;
  int errno_ = 0;        // of the failure
  int inner_errno_ = 0;  // of the inner transport, within one call

  /// Plaintext size of the record that is encrypted and only partly taken by the inner transport; 0 if none.
  std::uint32_t unsent_record_ = 0;
  State state_ = State::Handshaking;
  Need handshake_need_ = Need::Read;
  Need read_need_ = Need::Read;
  Need write_need_ = Need::Write;
  bool want_read_ = false;
  bool want_write_ = false;
  bool inner_want_read_ = false;
  bool inner_want_write_ = false;
  bool holds_plaintext_ = false;      // a read stopped because `into` was full
  bool is_at_eof_ = false;            // nothing more will be read
  bool is_shutdown_wanted_ = false;   // shutdown_write() was called
  bool is_shutdown_pending_ = false;  // close_notify waits for the inner transport
  bool inner_eof_ = false;
  bool inner_drained_ = false;  // within one call: the inner transport gave less than asked for
  bool inner_full_ = false;     // within one call: the inner transport took less than offered
};

}  // namespace sinnet::io
