#pragma once
/// What the TLS tests share: a bounded, cuttable pair of memory transports on a loop, an owner that talks
/// over one, and the certificates of a small world. Not a product's pipe: it copies byte by byte and
/// allocates freely.

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sinnet/io/loop.hpp"
#include "sinnet/io/tls.hpp"
#include "sinnet/io/transport.hpp"
#include "support/certificates.hpp"

namespace sinnet::test {

inline constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

/// One direction of a pair.
struct Wire {
  std::deque<std::byte> waiting;
  std::size_t capacity = 64 * 1024;
  std::size_t chunk_max = no_limit;  ///< most bytes one read or write moves
  std::size_t cut_after = no_limit;  ///< the reader sees an end after so many bytes
  int cut_errno = 0;                 ///< 0: the end is Eof
  std::size_t carried = 0;           ///< bytes read so far
  bool is_shut = false;

  [[nodiscard]] bool is_cut() const { return carried >= cut_after; }
  [[nodiscard]] bool is_readable() const { return !waiting.empty() || is_shut || is_cut(); }
  [[nodiscard]] bool is_writable() const { return waiting.size() < capacity; }
};

/// One end. Level-triggered by a task that runs once per turn while there is something to report.
class MemoryEnd final : public io::Transport {
 public:
  MemoryEnd(std::shared_ptr<Wire> in, std::shared_ptr<Wire> out) : in_(std::move(in)), out_(std::move(out)) {}
  ~MemoryEnd() override {
    if (peer_ != nullptr) peer_->peer_ = nullptr;
    out_->is_shut = true;
  }

  io::IoResult read(MutableBytes into) override {
    EXPECT_FALSE(into.empty());
    if (is_closed_) return {0, io::IoStatus::Error, ENOTCONN};
    if (in_->is_cut()) {
      if (in_->cut_errno != 0) return {0, io::IoStatus::Error, in_->cut_errno};
      return {0, io::IoStatus::Eof, 0};
    }
    if (in_->waiting.empty()) return {0, in_->is_shut ? io::IoStatus::Eof : io::IoStatus::Blocked, 0};
    const std::size_t count =
        std::min({into.size(), in_->waiting.size(), in_->chunk_max, in_->cut_after - in_->carried});
    std::copy_n(in_->waiting.begin(), count, into.begin());
    in_->waiting.erase(in_->waiting.begin(), in_->waiting.begin() + static_cast<std::ptrdiff_t>(count));
    in_->carried += count;
    wake_peer();
    return {count, io::IoStatus::Ok, 0};
  }

  io::IoResult write(std::span<const Slice> slices) override {
    if (is_closed_ || out_->is_shut) return {0, io::IoStatus::Error, EPIPE};
    std::size_t total = 0;
    for (const Slice& slice : slices) {
      const std::size_t room = std::min(out_->capacity - out_->waiting.size(), out_->chunk_max - total);
      const Bytes bytes = slice.bytes().first(std::min(room, slice.size));
      out_->waiting.insert(out_->waiting.end(), bytes.begin(), bytes.end());
      total += bytes.size();
      if (bytes.size() < slice.size) break;
    }
    ++writes;
    wake_peer();
    return {total, total > 0 ? io::IoStatus::Ok : io::IoStatus::Blocked, 0};
  }

  void want(bool read, bool write) override {
    want_read_ = read;
    want_write_ = write;
    wake();
  }
  void shutdown_write() override {
    out_->is_shut = true;
    wake_peer();
  }
  void close(io::CloseMode) override {
    if (is_closed_) return;
    detach();
    is_closed_ = true;
    shutdown_write();
  }
  [[nodiscard]] std::size_t write_room() const override { return out_->capacity - out_->waiting.size(); }
  void set_ready_handler(io::ReadyHandler* handler) override { handler_ = handler; }
  void detach() override {
    task_.reset();
    loop_ = nullptr;
  }
  Result<> attach(io::Loop& loop) override {
    loop_ = &loop;
    task_ = std::make_unique<ReadyTask>(*this);
    wake();
    return {};
  }
  [[nodiscard]] io::SocketAddress peer_address() const override { return {}; }

  void set_peer(MemoryEnd* peer) { peer_ = peer; }
  [[nodiscard]] Wire& in() { return *in_; }
  [[nodiscard]] Wire& out() { return *out_; }
  std::size_t writes = 0;

 private:
  struct ReadyTask final : io::Task {
    explicit ReadyTask(MemoryEnd& owner) : end(owner) {}
    void run_task() override { end.report(); }
    MemoryEnd& end;
  };

  [[nodiscard]] bool is_readable() const { return want_read_ && in_->is_readable(); }
  [[nodiscard]] bool is_writable() const { return want_write_ && out_->is_writable(); }
  void wake() {
    if (loop_ != nullptr && (is_readable() || is_writable())) loop_->next_turn(*task_);
  }
  void wake_peer() {
    if (peer_ != nullptr) peer_->wake();
  }
  void report() {
    const bool readable = is_readable();
    const bool writable = is_writable();
    wake();
    if (handler_ != nullptr && (readable || writable)) handler_->handle_ready(readable, writable);
  }

  std::shared_ptr<Wire> in_;
  std::shared_ptr<Wire> out_;
  MemoryEnd* peer_ = nullptr;
  io::Loop* loop_ = nullptr;
  io::ReadyHandler* handler_ = nullptr;
  std::unique_ptr<ReadyTask> task_;
  bool want_read_ = false;
  bool want_write_ = false;
  bool is_closed_ = false;
};

struct MemoryPair {
  explicit MemoryPair(std::size_t chunk_max = no_limit, std::size_t capacity = 64 * 1024) {
    for (const auto& wire : {to_server, to_client}) {
      wire->chunk_max = chunk_max;
      wire->capacity = capacity;
    }
    client_end->set_peer(server_end.get());
    server_end->set_peer(client_end.get());
  }

  std::shared_ptr<Wire> to_server = std::make_shared<Wire>();
  std::shared_ptr<Wire> to_client = std::make_shared<Wire>();
  std::unique_ptr<MemoryEnd> client_end = std::make_unique<MemoryEnd>(to_client, to_server);
  std::unique_ptr<MemoryEnd> server_end = std::make_unique<MemoryEnd>(to_server, to_client);
};

/// Owns a transport, writes what it is told and keeps what it reads. Checks the rules of Transport on the
/// way.
class Talker final : public io::ReadyHandler {
 public:
  Talker(io::Loop& loop, std::unique_ptr<io::Transport> transport_in, std::string text = {})
      : transport(std::move(transport_in)), to_send(std::move(text)) {
    transport->set_ready_handler(this);
    EXPECT_TRUE(transport->attach(loop).has_value());
    update_wants();
  }

  void send(std::string_view text) {
    to_send.erase(0, sent);
    sent = 0;
    to_send += text;
    update_wants();
  }

  void handle_ready(bool readable, bool writable) override {
    EXPECT_FALSE(is_busy) << "readiness was reported from inside a call";
    EXPECT_FALSE(is_over()) << "readiness after everything ended";
    ++reports;
    if (readable) read_some();
    if (writable && !is_over()) write_some();
    update_wants();
  }

  [[nodiscard]] bool is_over() const { return error != 0; }
  [[nodiscard]] bool has_sent_all() const { return sent == to_send.size(); }

  std::unique_ptr<io::Transport> transport;
  std::string to_send;
  std::size_t sent = 0;
  std::string received;
  std::size_t read_max = 64 * 1024;
  std::size_t reports = 0;
  bool wants_reading = true;
  bool is_at_eof = false;
  int error = 0;
  bool is_busy = false;
  /// How the next write cuts what is left; one slice if empty.
  std::function<std::vector<Slice>(std::string_view)> slicer;

  void update_wants() {
    is_busy = true;
    transport->want(wants_reading && !is_at_eof && error == 0, !has_sent_all() && error == 0);
    is_busy = false;
  }

  void read_some() {
    std::vector<std::byte> buffer(read_max);
    is_busy = true;
    const io::IoResult result = transport->read(buffer);
    is_busy = false;
    switch (result.status) {
      case io::IoStatus::Ok:
        EXPECT_GT(result.bytes, 0u);
        received += as_text(Bytes{buffer}.first(result.bytes));
        break;
      case io::IoStatus::Blocked: break;
      case io::IoStatus::Eof: is_at_eof = true; break;
      case io::IoStatus::Error: error = result.errno_value; break;
    }
  }

  void write_some() {
    const std::string_view rest = std::string_view{to_send}.substr(sent);
    std::vector<Slice> slices = slicer ? slicer(rest) : std::vector<Slice>{{rest.data(), rest.size()}};
    is_busy = true;
    const io::IoResult result = transport->write(slices);
    is_busy = false;
    if (result.status == io::IoStatus::Ok) {
      sent += result.bytes;
    } else if (result.status == io::IoStatus::Error) {
      error = result.errno_value;
    }
  }
};

/// An authority and what it issued, made once per process.
struct TlsWorld {
  CertificateAuthority authority{"Test Authority"};
  CertificateAuthority stranger{"Somebody Else"};
  TemporaryFolder folder;
  std::string ca_file = folder.write("ca.pem", authority.certificate());
  std::string stranger_file = folder.write("stranger.pem", stranger.certificate());

  [[nodiscard]] io::TlsCertificate write(const std::string& name, const IssuedCertificate& issued) const {
    return {folder.write(name + ".pem", issued.certificate), folder.write(name + ".key", issued.key)};
  }
  [[nodiscard]] io::TlsCertificate issue(const std::string& name, const LeafRequest& request) const {
    return write(name, authority.issue(request));
  }

  io::TlsCertificate server = issue("server", {.common_name = "server",
                                               .dns_names = {"example.org", "localhost"},
                                               .ip_addresses = {"127.0.0.1", "::1"}});
  io::TlsCertificate client = issue("client", {.common_name = "agent 7", .organization = "Strands, Inc."});

  static const TlsWorld& instance() {
    static const TlsWorld world;
    return world;
  }
};

/// A client and a server joined by memory, each end a Talker.
class TlsTest : public ::testing::Test {
 protected:
  const TlsWorld& world = TlsWorld::instance();
  std::unique_ptr<io::Loop> loop = *io::Loop::create({.scratch_bytes = 4096});

  [[nodiscard]] io::TlsServerOptions server_options() const { return {.certificate = world.server}; }
  [[nodiscard]] io::TlsClientOptions client_options() const { return {.ca_file = world.ca_file}; }

  static std::unique_ptr<io::TlsServerContext> server_context(io::TlsServerOptions options) {
    auto context = io::TlsServerContext::create(std::move(options));
    EXPECT_TRUE(context.has_value()) << context.error().message;
    return std::move(*context);
  }
  static std::unique_ptr<io::TlsClientContext> client_context(io::TlsClientOptions options) {
    auto context = io::TlsClientContext::create(std::move(options));
    EXPECT_TRUE(context.has_value()) << context.error().message;
    return std::move(*context);
  }

  struct Joined {
    std::unique_ptr<Talker> client;
    std::unique_ptr<Talker> server;
  };
  Joined join(MemoryPair pair, const io::TlsServerContext& server, const io::TlsClientContext& client,
              std::string_view name = "example.org", std::string client_says = "ping",
              std::string server_says = "pong") {
    return {std::make_unique<Talker>(*loop, io::wrap_client(client, std::move(pair.client_end), name),
                                     std::move(client_says)),
            std::make_unique<Talker>(*loop, io::wrap_server(server, std::move(pair.server_end)),
                                     std::move(server_says))};
  }

  /// Turns until `done`, or until nothing happens any more.
  bool turn_until(const std::function<bool()>& done, int turns_max = 200'000) {
    for (int turn = 0; turn < turns_max && !done(); ++turn) loop->run_once(Duration::zero());
    return done();
  }
  void turn(int turns) {
    for (int i = 0; i < turns; ++i) loop->run_once(Duration::zero());
  }
  bool exchange(Joined& joined) {
    return turn_until([&] {
             return joined.client->is_over() || joined.server->is_over() ||
                    (joined.client->received == joined.server->to_send &&
                     joined.server->received == joined.client->to_send);
           }) &&
           !joined.client->is_over() && !joined.server->is_over();
  }
};

}  // namespace sinnet::test
