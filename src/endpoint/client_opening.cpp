#include "endpoint/client_opening.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace sinnet::endpoint {
namespace {

constexpr std::size_t excerpt_bytes_max = 1024;  // enough for a sentence or a JSON error, not for a page
constexpr std::size_t message_excerpt_bytes_max = 160;  // what fits a line of a terminal or a log
// A refusal's body usually comes with its head; a server that dribbles is not worth more waiting.
constexpr Duration body_patience = std::chrono::seconds{1};

ErrorCode code_of_status(int status) noexcept {
  return status == 401 || status == 403 || status == 407 ? ErrorCode::PermissionDenied : ErrorCode::Refused;
}

/// The chunks' contents, as far as they are there (RFC 9112 7.1). For showing it to a person only.
std::string decode_chunks(std::string_view wire) {
  std::string out;
  while (!wire.empty()) {
    std::size_t size = 0;
    const auto [end, error] = std::from_chars(wire.data(), wire.data() + wire.size(), size, 16);
    const std::size_t line_end = wire.find("\r\n");
    if (error != std::errc{} || size == 0 || line_end == wire.npos) break;
    static_cast<void>(end);
    wire.remove_prefix(line_end + 2);
    out += wire.substr(0, size);
    wire.remove_prefix(std::min(wire.size(), size + 2));
  }
  return out;
}

/// One line without control characters, for a message: what a server says must not steer a terminal.
std::string excerpt_of(std::string_view body) {
  std::string line;
  for (const char c : body) {
    const auto byte = static_cast<unsigned char>(c);
    if (line.size() >= message_excerpt_bytes_max) return line + "…";
    if (byte >= 0x20 && byte < 0x7F) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

std::string describe(const http::ResponseHead& head) {
  std::string text = std::to_string(head.status());
  const std::string_view reason = head.reason().empty() ? http::reason_of(head.status()) : head.reason();
  if (!reason.empty()) text += " " + excerpt_of(reason);
  if (const auto location = head.headers().find("location")) text += ", to " + excerpt_of(*location);
  return text;
}

}  // namespace

/// The shared resolver, with a note of when the answer came.
class ClientOpening::NotingResolver final : public io::Resolver {
 public:
  explicit NotingResolver(ClientOpening& owner) : owner_(owner) {}
  std::unique_ptr<io::Pending> resolve(std::string_view host, std::uint16_t port,
                                       Callback callback) override {
    return owner_.core_->resolver->resolve(host, port,
                                           [this, done = std::move(callback)](auto found) mutable {
                                             owner_.timings_.resolved = owner_.elapsed();
                                             done(std::move(found));
                                           });
  }

 private:
  ClientOpening& owner_;
};

ClientOpening::ClientOpening(std::shared_ptr<ClientCore> core, const ClientTarget& target,
                             const ws::UpgradeOptions& upgrade, ws::UpgradeAttempt attempt, Callback callback)
    : core_(std::move(core)),
      target_(target),
      upgrade_(upgrade),
      attempt_(std::move(attempt)),
      callback_(std::move(callback)) {}

ClientOpening::~ClientOpening() {
  if (transport_ != nullptr) transport_->close(io::CloseMode::Reset);
}

void ClientOpening::start() {
  io::Loop& loop = *core_->loop;
  started_ = io::Loop::read_clock();
  const Time deadline = started_ + core_->options.open_timeout;
  loop.arm(*this, deadline);
  auto connected = [this](auto result) { handle_connected(std::move(result)); };
  if (target_.unix_address) {
    connecting_ = io::connect_address(loop, *target_.unix_address, deadline, std::move(connected));
    return;
  }
  resolver_ = std::make_unique<NotingResolver>(*this);
  const bool by_proxy = core_->proxy.has_value();
  connecting_ =
      io::connect_host(loop, *resolver_, by_proxy ? core_->proxy->host : target_.host,
                       by_proxy ? core_->proxy->port : target_.port, deadline, std::move(connected));
}

Duration ClientOpening::elapsed() const { return io::Loop::read_clock() - started_; }

std::string ClientOpening::where() const {
  if (step_ == Step::Proxying)
    return "proxy " + core_->proxy->host + ":" + std::to_string(core_->proxy->port);
  return target_.authority;
}

void ClientOpening::handle_connected(Result<std::unique_ptr<io::Transport>> connected) {
  if (!connected) {
    std::string message = std::move(connected.error().message);
    // A numeric host is named twice, as the host and as its address.
    const std::string twice = target_.authority + ": " + target_.authority + ": ";
    if (message.starts_with(twice)) message.erase(0, twice.size() / 2);
    const std::string_view who = core_->proxy && !target_.unix_address ? "proxy " : "";
    return give_up(connected.error().code, std::string(who) + message);
  }
  transport_ = std::move(*connected);
  remote_ = transport_->peer_address();
  timings_.connected = timings_.proxied = timings_.secured = elapsed();
  transport_->set_ready_handler(this);
  if (!core_->proxy || target_.unix_address) return begin_upgrade();

  std::string request;
  std::vector<http::Field> fields{{.name = "Host", .value = target_.authority}};
  if (!core_->proxy->authorization.empty()) {
    fields.push_back({.name = "Proxy-Authorization", .value = core_->proxy->authorization});
  }
  const Result<> wrote =
      http::write_head(request, {.method = "CONNECT", .target = target_.authority}, fields);
  if (!wrote) return give_up(wrote.error().code, wrote.error().message);
  ask(std::move(request), Step::Proxying);
}

void ClientOpening::begin_upgrade() {
  if (target_.is_secure) {
    transport_->detach();
    transport_ = io::wrap_client(*core_->tls, std::move(transport_), target_.host);
    transport_->set_ready_handler(this);
    if (const Result<> attached = transport_->attach(*core_->loop); !attached) {
      return give_up(attached.error().code, where() + ": " + attached.error().message);
    }
  }
  ask(attempt_.head, Step::Upgrading);
}

void ClientOpening::ask(std::string request, Step step) {
  step_ = step;
  request_ = std::move(request);
  written_ = 0;
  parser_ = http::HeadParser(http::HeadRole::Response);
  transport_->want(true, true);
}

void ClientOpening::handle_ready(bool readable, bool writable) {
  if (writable && step_ != Step::Done) write_request();
  if (readable && step_ != Step::Done) read_answer();
}

void ClientOpening::write_request() {
  if (written_ == request_.size()) return;
  const Slice rest{request_.data() + written_, request_.size() - written_};
  const io::IoResult result = transport_->write({&rest, 1});
  if (result.status == io::IoStatus::Error) {
    // Who refuses without reading resets the connection; what it said may be there all the same.
    written_ = request_.size();
    transport_->want(true, false);
    return read_answer();
  }
  written_ += result.bytes;
  if (result.bytes > 0) note_secured();
  if (written_ == request_.size()) transport_->want(true, false);
}

void ClientOpening::note_secured() {
  if (step_ == Step::Upgrading && target_.is_secure && timings_.secured == timings_.proxied) {
    timings_.secured = elapsed();
  }
}

void ClientOpening::read_answer() {
  const MutableBytes space = core_->loop->scratch();
  const io::IoResult result = transport_->read(space);
  if (result.status == io::IoStatus::Blocked) return;
  if (result.status != io::IoStatus::Ok) {
    if (step_ == Step::Refusing) return finish_refusal();
    return fail_transport(result);
  }
  note_secured();
  const Bytes bytes = space.first(result.bytes);
  if (step_ == Step::Refusing) return take_body(bytes);
  take_head(bytes);
}

void ClientOpening::take_head(Bytes bytes) {
  do {
    const http::HeadParser::Progress progress = parser_.receive(bytes);
    if (progress.status == http::HeadParser::Status::NeedMore) return;
    if (progress.status == http::HeadParser::Status::Failed) {
      return give_up(ErrorCode::ProtocolError,
                     where() + ": the answer is no HTTP: " + std::string(parser_.error().reason));
    }
    response_ = parser_.take_response();
    bytes = bytes.subspan(progress.consumed_bytes);
    // RFC 9110 15.2: any number of interim answers may come before the final one.
  } while (response_.status() < 200 && response_.status() != 101);
  body_.assign(as_text(bytes));
  if (step_ == Step::Proxying) return handle_proxy_head();
  timings_.upgraded = elapsed();
  handle_upgrade_head();
}

void ClientOpening::handle_proxy_head() {
  if (response_.status() / 100 != 2) {
    return give_up(code_of_status(response_.status()), where() + ": answered " + describe(response_),
                   response_.status());
  }
  if (!body_.empty()) {
    return give_up(ErrorCode::ProtocolError, where() + ": sent bytes behind its answer to CONNECT");
  }
  timings_.proxied = timings_.secured = elapsed();
  begin_upgrade();
}

void ClientOpening::handle_upgrade_head() {
  const auto agreed = ws::check_accept_response(response_, upgrade_, attempt_.key);
  if (agreed) {
    transport_->want(false, false);
    transport_->set_ready_handler(nullptr);
    Opened opened{.transport = std::move(transport_),
                  .protocol = std::string(agreed->protocol),
                  .deflate = agreed->deflate,
                  .rest = Buffer::copy_of(as_bytes(body_))};
    return deliver(std::move(opened));
  }
  if (agreed.error().kind != ws::AcceptError::Kind::Status) {
    return give_up(ErrorCode::ProtocolError, where() + ": " + std::string(agreed.error().reason), 101);
  }
  step_ = Step::Refusing;
  const auto framing = http::body_framing(response_, "GET");
  using Kind = http::BodyFraming::Kind;
  body_is_chunked_ = framing && framing->kind == Kind::Chunked;
  body_bytes_max_ = excerpt_bytes_max;
  if (!framing || framing->kind == Kind::None) body_bytes_max_ = 0;
  if (framing && framing->kind == Kind::Length) {
    body_bytes_max_ = std::min<std::uint64_t>(framing->length_bytes, excerpt_bytes_max);
  }
  core_->loop->arm(*this, std::min(when(), io::Loop::read_clock() + body_patience));
  take_body({});
}

void ClientOpening::take_body(Bytes bytes) {
  body_ += as_text(bytes);
  const bool last_chunk = body_is_chunked_ && body_.ends_with("\r\n0\r\n\r\n");
  if (body_.size() >= body_bytes_max_ || last_chunk) finish_refusal();
}

void ClientOpening::finish_refusal() {
  if (body_is_chunked_) body_ = decode_chunks(body_);
  body_.resize(std::min<std::size_t>(body_.size(), body_is_chunked_ ? excerpt_bytes_max : body_bytes_max_));
  std::string what = where() + ": answered " + describe(response_);
  if (const std::string excerpt = excerpt_of(body_); !excerpt.empty()) what += ": " + excerpt;
  give_up(code_of_status(response_.status()), std::move(what), response_.status());
}

void ClientOpening::fail_transport(const io::IoResult& result) {
  if (const std::string_view why = transport_->failure(); !why.empty()) {
    return give_up(ErrorCode::TlsFailed, where() + ": " + std::string(why));
  }
  if (result.status == io::IoStatus::Eof) {
    return give_up(ErrorCode::Closed, where() + ": closed the connection before it answered");
  }
  const Error error = Error::from_errno(result.errno_value, where());
  give_up(error.code, error.message);
}

void ClientOpening::handle_timer() {
  if (step_ == Step::Refusing) return finish_refusal();
  const std::string_view waited_for = step_ == Step::Connecting ? "no connection in time"
                                      : step_ == Step::Proxying ? "no answer to CONNECT in time"
                                      : target_.is_secure && timings_.secured == timings_.proxied
                                          ? "no TLS handshake in time"
                                          : "no answer to the upgrade in time";
  give_up(ErrorCode::TimedOut, where() + ": " + std::string(waited_for));
}

void ClientOpening::give_up(ErrorCode code, std::string what, int status) {
  deliver(std::unexpected(OpenFailure{.error = {.code = code, .message = std::move(what)},
                                      .status = status,
                                      .body = std::move(body_),
                                      .retry_in = std::nullopt}));
}

void ClientOpening::abandon() {
  step_ = Step::Done;
  connecting_.reset();
  core_->loop->disarm(*this);
  if (transport_ != nullptr) transport_->close(io::CloseMode::Reset);
  callback_ = nullptr;
}

void ClientOpening::deliver(std::expected<Opened, OpenFailure> outcome) {
  auto callback = std::exchange(callback_, nullptr);
  abandon();
  callback(std::move(outcome));
}

}  // namespace sinnet::endpoint
