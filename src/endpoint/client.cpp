/// Client and its sessions: attempts, the connection they lead to, and the waiting between them.

#include "sinnet/endpoint/client.hpp"

#include <algorithm>
#include <utility>

#include "endpoint/client_backoff.hpp"
#include "endpoint/client_connection.hpp"
#include "endpoint/client_core.hpp"
#include "endpoint/client_opening.hpp"
#include "endpoint/client_target.hpp"

namespace sinnet::endpoint {
namespace {

/// Whether the same question may get another answer later.
bool may_change(const OpenFailure& failure) noexcept {
  if (failure.error.code == ErrorCode::InvalidArgument) return false;
  const bool is_client_error = failure.status >= 400 && failure.status < 500;
  return !is_client_error || failure.status == 408 || failure.status == 425 || failure.status == 429;
}

/// Reads the issuers once, when they are needed: the system's hundreds take longer than a whole opening.
Result<> load_tls(ClientCore& core) {
  if (core.tls != nullptr) return {};
  auto tls = io::TlsClientContext::create(core.options.tls);
  if (!tls) return std::unexpected(tls.error());
  core.tls = std::move(*tls);
  return {};
}

class Session final : public ClientSession, private ClientConnectionOwner, private io::Timer {
 public:
  Session(std::shared_ptr<ClientCore> core, ClientTarget target, ws::UpgradeOptions upgrade,
          std::shared_ptr<Handler> handler, Client::Failed failed)
      : core_(std::move(core)),
        target_(std::move(target)),
        upgrade_(std::move(upgrade)),
        handler_(std::move(handler)),
        failed_(std::move(failed)) {}
  ~Session() override {
    drop_opening();
    if (connection_ != nullptr) connection_->forsake();
    drop_connection();
  }

  /// The first attempt, or the next one.
  Result<> begin() {
    auto attempt = ws::write_upgrade_request(upgrade_, core_->loop->random());
    if (!attempt) return std::unexpected(attempt.error());
    state_ = State::Opening;
    ++attempts_;
    opening_ = std::make_unique<ClientOpening>(core_, target_, upgrade_, std::move(*attempt),
                                               [this](auto outcome) { handle_outcome(std::move(outcome)); });
    opening_->start();
    return {};
  }

  [[nodiscard]] State state() const noexcept override { return state_; }
  [[nodiscard]] Connection* connection() noexcept override { return connection_.get(); }
  void close(ws::CloseCode code, std::string_view reason) override {
    is_closing_ = true;
    if (state_ == State::Open) return connection_->close(code, reason);
    core_->loop->disarm(*this);
    drop_opening();
    state_ = State::Over;
  }
  [[nodiscard]] const OpenTimings& timings() const noexcept override { return timings_; }
  [[nodiscard]] const http::ResponseHead& response() const noexcept override { return response_; }
  [[nodiscard]] const io::SocketAddress& remote() const noexcept override { return remote_; }
  [[nodiscard]] std::uint64_t attempts() const noexcept override { return attempts_; }

 private:
  void handle_outcome(std::expected<Opened, OpenFailure> outcome) {
    timings_ = opening_->timings();
    response_ = opening_->response();
    remote_ = opening_->remote();
    drop_opening();
    if (outcome) return handle_opened(std::move(*outcome));
    OpenFailure failure = std::move(outcome.error());
    if (core_->options.reconnect.enabled && may_change(failure)) failure.retry_in = wait();
    if (!failure.retry_in) state_ = State::Over;
    if (!failed_) return;
    const Client::Failed failed = failed_;  // this may be destroyed by it
    failed(failure);
  }

  void handle_opened(Opened opened) {
    state_ = State::Open;
    opened_at_ = core_->loop->now();
    connection_ = std::make_unique<ClientConnection>(
        core_, handler_, static_cast<ClientConnectionOwner&>(*this), std::move(opened));
    connection_->begin();  // this may be destroyed by it
  }

  void connection_ended() override {
    drop_connection();
    if (is_closing_ || !core_->options.reconnect.enabled) {
      state_ = State::Over;
      return;
    }
    backoff_.note_success(core_->loop->now() - opened_at_);
    static_cast<void>(wait());
  }

  /// Arms the next attempt; answers how far away it is.
  Duration wait() {
    const Duration delay = backoff_.next(core_->loop->random());
    state_ = State::Waiting;
    core_->loop->arm(*this, core_->loop->now() + delay);
    return delay;
  }

  void handle_timer() override {
    if (const Result<> begun = begin(); !begun) state_ = State::Over;
  }

  void drop_opening() {
    if (opening_ == nullptr) return;
    opening_->abandon();
    core_->loop->destroy_later(std::move(opening_));
  }
  void drop_connection() {
    if (connection_ != nullptr) core_->loop->destroy_later(std::move(connection_));
  }

  std::shared_ptr<ClientCore> core_;
  const ClientTarget target_;
  const ws::UpgradeOptions upgrade_;
  std::shared_ptr<Handler> handler_;
  Client::Failed failed_;
  State state_ = State::Opening;
  bool is_closing_ = false;
  std::uint64_t attempts_ = 0;
  Backoff backoff_{core_->options.reconnect};
  Time opened_at_{};
  std::unique_ptr<ClientOpening> opening_;
  std::unique_ptr<ClientConnection> connection_;
  OpenTimings timings_;
  http::ResponseHead response_;
  io::SocketAddress remote_;
};

}  // namespace

Result<std::unique_ptr<Client>> Client::create(io::Loop& loop, ClientOptions options) {
  auto core = std::make_shared<ClientCore>(loop, std::move(options));
  if (!core->options.proxy.empty()) {
    auto proxy = parse_client_proxy(core->options.proxy);
    if (!proxy) return std::unexpected(proxy.error());
    core->proxy = std::move(*proxy);
  }
  auto resolver = io::Resolver::create(loop);
  if (!resolver) return std::unexpected(resolver.error());
  core->resolver = std::move(*resolver);
  const io::TlsClientOptions& tls = core->options.tls;
  if (!tls.ca_file.empty() || !tls.certificate.certificate_file.empty()) {
    if (const Result<> loaded = load_tls(*core); !loaded) return std::unexpected(loaded.error());
  }
  return std::unique_ptr<Client>(new Client(std::move(core)));
}

Client::~Client() = default;

Result<std::unique_ptr<ClientSession>> Client::connect(std::string_view url, std::shared_ptr<Handler> handler,
                                                       Failed failed) {
  Result<ClientTarget> target = parse_client_url(url);
  if (!target) return std::unexpected(target.error());
  if (target->is_secure) {
    if (const Result<> loaded = load_tls(*core_); !loaded) return std::unexpected(loaded.error());
  }
  const ClientOptions& options = core_->options;
  ws::UpgradeOptions upgrade{.host = target->host_header,
                             .target = target->target,
                             .protocols = options.protocols,
                             .deflate = options.websocket.deflate,
                             .origin = options.origin,
                             .headers = options.headers};
  const bool has_credentials = std::ranges::any_of(options.headers, [](const auto& header) {
    return http::equals_case_blind(header.first, "authorization");
  });
  if (!target->authorization.empty() && !has_credentials) {
    upgrade.headers.emplace_back("Authorization", target->authorization);
  }
  auto session = std::make_unique<Session>(core_, std::move(*target), std::move(upgrade), std::move(handler),
                                           std::move(failed));
  if (const Result<> begun = session->begin(); !begun) return std::unexpected(begun.error());
  return session;
}

const ws::Statistics& Client::statistics() const noexcept { return core_->resources.statistics(); }

}  // namespace sinnet::endpoint
