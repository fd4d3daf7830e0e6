#include "io/tls_transport.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "io/tls_failure.hpp"
#include "sinnet/io/tls.hpp"

namespace sinnet::io {
namespace {

// RFC 8446 5.1: the most plaintext one record carries.
constexpr std::size_t record_bytes_max = 16'384;

// What a record adds at most with the ciphers we allow: header 5, explicit nonce 8 or content type 1, tag 16.
constexpr std::size_t record_overhead_bytes = 29;

// Where small slices meet before they become one record. Its contents mean nothing between two SSL_write
// calls, so one per thread is enough; threads that never write TLS never pay for it.
std::byte* record_scratch() {
  thread_local const std::unique_ptr<std::byte[]> scratch =
      std::make_unique_for_overwrite<std::byte[]>(record_bytes_max);
  return scratch.get();
}

/// Cuts a gather list into record payloads: always as many bytes as fit a record, so that a record offered
/// again is never shorter than the one OpenSSL has encrypted already. Copies only where slices meet.
class RecordCutter {
 public:
  explicit RecordCutter(std::span<const Slice> slices) : slices_(slices) { skip_empty(); }

  [[nodiscard]] bool is_done() const { return slices_.empty(); }

  [[nodiscard]] Bytes next() const {
    const Bytes head = slices_.front().bytes().subspan(offset_);
    if (head.size() >= record_bytes_max) return head.first(record_bytes_max);
    if (slices_.size() == 1) return head;
    std::byte* scratch = record_scratch();
    std::memcpy(scratch, head.data(), head.size());
    std::size_t filled = head.size();
    for (const Slice& slice : slices_.subspan(1)) {
      const std::size_t count = std::min(slice.size, record_bytes_max - filled);
      if (count > 0) std::memcpy(scratch + filled, slice.data, count);
      filled += count;
      if (filled == record_bytes_max) break;
    }
    return {scratch, filled};
  }

  void consume(std::size_t count) {
    while (count > 0) {
      const std::size_t step = std::min(count, slices_.front().size - offset_);
      offset_ += step;
      count -= step;
      skip_empty();
    }
  }

 private:
  void skip_empty() {
    while (!slices_.empty() && offset_ == slices_.front().size) {
      slices_ = slices_.subspan(1);
      offset_ = 0;
    }
  }

  std::span<const Slice> slices_;
  std::size_t offset_ = 0;
};

// RFC 2253 escapes control characters and everything beyond ASCII, so the result may go into a log or a
// header.
std::string subject_of(const X509* certificate) {
  BIO* text = BIO_new(BIO_s_mem());
  if (text == nullptr) throw std::bad_alloc();
  X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(text, &data);
  std::string subject{data, static_cast<std::size_t>(size)};
  BIO_free(text);
  return subject;
}

long bio_control(BIO*, int command, long, void*) {
  // BIO_CTRL_EOF stays 0: OpenSSL would make a missing close_notify fatal for writing too, but a peer may
  // have shut one half of the stream only. TlsTransport keeps the end itself.
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

}  // namespace

void FreeSsl::operator()(ssl_st* ssl) const noexcept { SSL_free(ssl); }

TlsTransport::TlsTransport(std::shared_ptr<const TlsGeneration> generation, std::unique_ptr<Transport> inner,
                           const std::string_view* server_name)
    : inner_(std::move(inner)), generation_(std::move(generation)), ssl_(generation_->create_ssl()) {
  BIO* bio = BIO_new(bio_method());
  if (bio == nullptr) throw std::bad_alloc();
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  if (server_name != nullptr) {
    handshake_need_ = Need::Write;  // a client speaks first
    expect_server(*server_name);
  }
  inner_->detach();
  inner_->set_ready_handler(this);
}

TlsTransport::~TlsTransport() = default;

// ---- the BIO: OpenSSL reads and writes the inner transport directly

const bio_method_st* TlsTransport::bio_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sinnet transport");
    if (made == nullptr) throw std::bad_alloc();
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return method;
}

// Not the `_ex` kind: those may only answer 0, which SSL_shutdown takes for "sent" when its alert was cut
// short (OpenSSL 3.0).
int TlsTransport::bio_read(bio_st* bio, char* into, int size) {
  auto& self = *static_cast<TlsTransport*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (self.inner_eof_) return 0;
  if (size <= 0) return -1;
  const auto asked = static_cast<std::size_t>(size);
  IoResult result;  // Blocked
  // A short read has emptied the inner transport: asking again would only cost a system call that says so.
  if (!self.inner_drained_) result = self.inner_->read({reinterpret_cast<std::byte*>(into), asked});
  switch (result.status) {
    case IoStatus::Ok: self.inner_drained_ = result.bytes < asked; return static_cast<int>(result.bytes);
    case IoStatus::Blocked:
      self.inner_drained_ = true;
      BIO_set_retry_read(bio);
      return -1;
    case IoStatus::Eof: self.inner_eof_ = true; return 0;
    case IoStatus::Error: self.inner_errno_ = result.errno_value; return -1;
  }
  std::unreachable();
}

int TlsTransport::bio_write(bio_st* bio, const char* data, int size) {
  auto& self = *static_cast<TlsTransport*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (size <= 0) return -1;
  const Slice slice{data, static_cast<std::size_t>(size)};
  IoResult result;  // Blocked
  if (!self.inner_full_) result = self.inner_->write({&slice, 1});
  if (result.status == IoStatus::Ok) {
    self.inner_full_ = result.bytes < slice.size;
    return static_cast<int>(result.bytes);
  }
  if (result.status == IoStatus::Blocked) {
    self.inner_full_ = true;
    BIO_set_retry_write(bio);
  } else {
    self.inner_errno_ = result.errno_value == 0 ? EPIPE : result.errno_value;
  }
  return -1;
}

// ---- reading and writing

void TlsTransport::begin_call() {
  // Another connection's leftovers in this thread's queue would be taken for ours by SSL_get_error. Clearing
  // costs more than looking.
  if (ERR_peek_error() != 0) ERR_clear_error();
  inner_errno_ = 0;
  inner_drained_ = false;
  inner_full_ = false;
}

IoResult TlsTransport::stopped() const {
  if (state_ == State::Failed) return {0, IoStatus::Error, errno_};
  if (state_ == State::Closed) return {0, IoStatus::Error, ENOTCONN};
  return {0, IoStatus::Blocked, 0};
}

IoResult TlsTransport::read(MutableBytes into) {
  assert(!into.empty());
  begin_call();
  if (state_ == State::Handshaking) advance_handshake();
  if (state_ != State::Open) {
    sync_wants();
    return stopped();
  }
  if (is_at_eof_) return {0, IoStatus::Eof, 0};
  std::size_t total = 0;
  IoResult end{0, IoStatus::Ok, 0};
  // One SSL_read yields one record at most; a whole read turn's worth is wanted. When the inner transport is
  // drained and nothing of a record is held, another would only say so, and allocate and free its buffer.
  while (total < into.size() && end.status == IoStatus::Ok) {
    if (total > 0 && inner_drained_ && SSL_has_pending(ssl_.get()) == 0) break;
    std::size_t count = 0;
    const int returned = SSL_read_ex(ssl_.get(), into.data() + total, into.size() - total, &count);
    if (returned == 1) {
      total += count;
      read_need_ = Need::Read;
    } else {
      end = judge(returned, read_need_, "TLS read");
    }
  }
  // Not while Blocked: what is held then is a part of a record, and only the inner transport can bring its
  // rest.
  holds_plaintext_ = end.status == IoStatus::Ok && SSL_has_pending(ssl_.get()) == 1;
  sync_wants();
  if (total > 0) return {total, IoStatus::Ok, 0};  // the end is told by the next read
  return end;
}

IoResult TlsTransport::write(std::span<const Slice> slices) {
  begin_call();
  if (state_ == State::Handshaking) advance_handshake();
  if (state_ != State::Open) {
    sync_wants();
    return stopped();
  }
  if (is_shutdown_wanted_) return {0, IoStatus::Error, EPIPE};
  std::size_t total = 0;
  IoResult end{0, IoStatus::Ok, 0};
  RecordCutter cutter{slices};
  while (!cutter.is_done() && end.status == IoStatus::Ok) {
    const Bytes record = cutter.next();
    assert(record.size() >= unsent_record_ && "a write must go on with the bytes the last one offered");
    std::size_t count = 0;
    const int returned = SSL_write_ex(ssl_.get(), record.data(), record.size(), &count);
    if (returned == 1) {
      unsent_record_ = 0;
      write_need_ = Need::Write;
      total += count;
      cutter.consume(count);
    } else {
      end = judge(returned, write_need_, "TLS write");
      if (end.status == IoStatus::Blocked && unsent_record_ == 0) {
        unsent_record_ = static_cast<std::uint32_t>(record.size());
      }
    }
  }
  sync_wants();
  if (total > 0) return {total, IoStatus::Ok, 0};
  return end;
}

IoResult TlsTransport::judge(int returned, Need& need, const char* what) {
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_WANT_READ: need = Need::Read; return {0, IoStatus::Blocked, 0};
    case SSL_ERROR_WANT_WRITE: need = Need::Write; return {0, IoStatus::Blocked, 0};
    case SSL_ERROR_ZERO_RETURN: is_at_eof_ = true; return {0, IoStatus::Eof, 0};
    case SSL_ERROR_SYSCALL:
      if (inner_errno_ != 0) return fail_with(inner_errno_, {});
      if (inner_eof_ && state_ == State::Open) {
        is_at_eof_ = true;
        info_.truncated = true;
        return {0, IoStatus::Eof, 0};
      }
      if (inner_eof_) return fail_with(EPROTO, std::string{what} + ": the peer closed the connection");
      [[fallthrough]];
    default: return fail_with(EPROTO, std::string{what} + ": " + take_connection_reason(ssl_.get()));
  }
}

IoResult TlsTransport::fail_with(int errno_value, std::string text) {
  state_ = State::Failed;
  errno_ = errno_value;
  failure_ = std::move(text);
  return {0, IoStatus::Error, errno_value};
}

std::string_view TlsTransport::failure() const { return failure_.empty() ? inner_->failure() : failure_; }

std::size_t TlsTransport::write_room() const {
  if (state_ != State::Open || is_shutdown_wanted_ || unsent_record_ > 0) return 0;
  const std::size_t room = inner_->write_room();
  const std::size_t overhead = (room / record_bytes_max + 1) * record_overhead_bytes;
  return room > overhead ? room - overhead : 0;
}

// ---- the handshake

void TlsTransport::expect_server(std::string_view server_name) {
  if (server_name.size() > 2 && server_name.front() == '[' && server_name.back() == ']') {
    server_name = server_name.substr(1, server_name.size() - 2);
  }
  if (server_name.ends_with('.')) server_name.remove_suffix(1);
  const std::string name{server_name};
  if (name.empty() && generation_->is_insecure()) return;
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), name.c_str()) == 1 &&
      name.size() == std::strlen(name.c_str())) {
    return;  // RFC 6066 3: addresses are not sent as SNI
  }
  // A leading dot would mean "any name below" to OpenSSL.
  const bool is_name = !name.empty() && name.front() != '.' && name.find('\0') == std::string::npos;
  SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (!is_name || SSL_set1_host(ssl_.get(), name.c_str()) != 1 ||
      SSL_set_tlsext_host_name(ssl_.get(), name.c_str()) != 1) {
    ERR_clear_error();
    fail_with(EPROTO, "TLS handshake: not a server name: \"" + name + "\"");
  }
}

void TlsTransport::advance_handshake() {
  const int returned = SSL_do_handshake(ssl_.get());
  if (returned == 1) {
    finish_handshake();
  } else {
    judge(returned, handshake_need_, "TLS handshake");
  }
}

void TlsTransport::finish_handshake() {
  SSL* ssl = ssl_.get();
  state_ = State::Open;
  info_.version = SSL_get_version(ssl);
  const unsigned char* protocol = nullptr;
  unsigned int protocol_size = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &protocol_size);
  info_.alpn.assign(reinterpret_cast<const char*>(protocol), protocol_size);
  if (const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name); name != nullptr) {
    info_.server_name = name;
  }
  const X509* certificate = SSL_get0_peer_certificate(ssl);
  const bool is_verified =
      (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0 && SSL_get_verify_result(ssl) == X509_V_OK;
  if (certificate != nullptr && is_verified) info_.peer_subject = subject_of(certificate);
  holds_plaintext_ = SSL_has_pending(ssl) == 1;  // the peer's first bytes may have come with its Finished
  if (is_shutdown_wanted_) flush_shutdown();
}

// ---- ending

void TlsTransport::shutdown_write() {
  if (is_shutdown_wanted_ || state_ == State::Closed) return;
  is_shutdown_wanted_ = true;
  begin_call();
  if (state_ == State::Open) flush_shutdown();
  sync_wants();
}

bool TlsTransport::send_close_notify() {
  int returned = 1;
  if (unsent_record_ > 0) {
    // The record must be completed before an alert may follow. Its plaintext is encrypted already and not
    // looked at again.
    std::size_t count = 0;
    returned = SSL_write_ex(ssl_.get(), record_scratch(), unsent_record_, &count) == 1 ? 1 : -1;
    if (returned == 1) unsent_record_ = 0;
  }
  if (returned == 1) returned = SSL_shutdown(ssl_.get());
  if (returned >= 0) return true;  // 0: sent, and the peer's has not come
  Need ignored = Need::Write;
  judge(returned, ignored, "TLS close");
  return false;
}

void TlsTransport::flush_shutdown() {
  is_shutdown_pending_ = !send_close_notify();
  if (!is_shutdown_pending_) inner_->shutdown_write();
}

void TlsTransport::close(CloseMode mode) {
  if (state_ == State::Closed) return;
  if (mode == CloseMode::Orderly && state_ == State::Open && (!is_shutdown_wanted_ || is_shutdown_pending_)) {
    begin_call();
    send_close_notify();
  }
  state_ = State::Closed;
  task_.reset();
  loop_ = nullptr;
  handler_ = nullptr;
  inner_->close(mode);
}

// ---- readiness

bool TlsTransport::holds_read() const noexcept {
  return want_read_ &&
         (state_ == State::Failed || (state_ == State::Open && (holds_plaintext_ || is_at_eof_)));
}

bool TlsTransport::holds_write() const noexcept { return want_write_ && state_ == State::Failed; }

void TlsTransport::want(bool read, bool write) {
  want_read_ = read;
  want_write_ = write;
  sync_wants();
}

void TlsTransport::sync_wants() {
  if (loop_ == nullptr) return;
  bool read = false;
  bool write = false;
  if (state_ == State::Handshaking && (want_read_ || want_write_ || is_shutdown_wanted_)) {
    (handshake_need_ == Need::Read ? read : write) = true;
  } else if (state_ == State::Open) {
    if (want_read_ && !is_at_eof_) (read_need_ == Need::Read ? read : write) = true;
    if (want_write_) (write_need_ == Need::Read ? read : write) = true;
    if (is_shutdown_pending_) write = true;
  }
  if (read != inner_want_read_ || write != inner_want_write_) {
    inner_want_read_ = read;
    inner_want_write_ = write;
    inner_->want(read, write);
  }
  if (holds_read() || holds_write()) {
    loop_->next_turn(*task_);
  } else if (task_->is_queued()) {
    task_.emplace(*this);  // out of the queue: the loop need not turn for it
  }
}

void TlsTransport::handle_ready(bool readable, bool writable) {
  bool report_read = want_read_;
  bool report_write = want_write_;
  if (state_ == State::Handshaking) {
    begin_call();
    advance_handshake();
    if (state_ == State::Handshaking) return sync_wants();
  } else {
    report_read = want_read_ && (read_need_ == Need::Read ? readable : writable);
    report_write = want_write_ && (write_need_ == Need::Read ? readable : writable);
    if (is_shutdown_pending_ && writable && state_ == State::Open) {
      begin_call();
      flush_shutdown();
    }
  }
  sync_wants();
  // Last: the handler may destroy this.
  if (handler_ != nullptr && (report_read || report_write)) handler_->handle_ready(report_read, report_write);
}

void TlsTransport::report_held() {
  const bool report_read = holds_read();
  const bool report_write = holds_write();
  sync_wants();  // level-triggered: again in the turn after, unless the handler takes what is held
  if (handler_ != nullptr && (report_read || report_write)) handler_->handle_ready(report_read, report_write);
}

void TlsTransport::detach() {
  task_.reset();
  loop_ = nullptr;
  inner_->detach();
}

Result<> TlsTransport::attach(Loop& loop) {
  if (auto attached = inner_->attach(loop); !attached) return attached;
  loop_ = &loop;
  task_.emplace(*this);
  inner_->set_ready_handler(this);
  inner_want_read_ = false;
  inner_want_write_ = false;
  inner_->want(false, false);  // whatever it wanted in another loop
  sync_wants();
  return {};
}

std::unique_ptr<Transport> wrap_server(const TlsServerContext& context, std::unique_ptr<Transport> inner) {
  return std::make_unique<TlsTransport>(context.generation(), std::move(inner), nullptr);
}

std::unique_ptr<Transport> wrap_client(const TlsClientContext& context, std::unique_ptr<Transport> inner,
                                       std::string_view server_name) {
  return std::make_unique<TlsTransport>(context.generation(), std::move(inner), &server_name);
}

}  // namespace sinnet::io
