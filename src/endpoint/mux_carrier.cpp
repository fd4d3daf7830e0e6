#include "sinnet/endpoint/mux.hpp"
#include "sinnet/io/driver.hpp"

namespace sinnet::endpoint {
namespace {

/// More than a session ever freezes at once, so that a peer that does not read still is read from: two sides
/// that both only write would wait for each other for ever. What a peer can provoke beyond a batch is merged
/// and bounded in the session.
constexpr std::size_t waiting_bytes_max = 1024 * 1024;

}  // namespace

/// A session on a transport.
class MuxCarrier::Carried final : public MuxConnection, public io::Driver<MuxCarrier::Carried> {
  using Driver = io::Driver<Carried>;

 public:
  Carried(MuxCarrier& owner, std::unique_ptr<io::Transport> transport, mux::Role role)
      : MuxConnection(owner.shared_, role, *owner.loop_),
        Driver(*owner.loop_, std::move(transport)),
        owner_(&owner) {}

  void begin() {
    shared_->handler->started(*this);
    if (!is_finished()) start({});
  }
  /// Tells the handler the rest. The owner destroys it.
  void drop() {
    abandon(io::CloseMode::Reset);
    dispatch_rest(loop().now());
  }

  // MuxConnection
  [[nodiscard]] io::Loop& loop() const noexcept override { return Driver::loop(); }
  void abort() override {
    if (is_finished()) return;
    session_.receive_eof(loop().now());
    transport().close(io::CloseMode::Reset);
    schedule_flush();  // tells the handler
  }

 private:
  friend Driver;
  void schedule() override { schedule_flush(); }

  // Driver
  [[nodiscard]] mux::Session& machine() noexcept { return session_; }
  [[nodiscard]] static constexpr std::size_t reply_bytes_max() noexcept { return waiting_bytes_max; }
  [[nodiscard]] bool handle_event(const mux::Event& event) {
    dispatch(event);
    return true;
  }
  void handle_finished() { owner_->forget(*this); }

  MuxCarrier* owner_;
};

MuxCarrier::MuxCarrier(io::Loop& loop, MuxOptions options, std::shared_ptr<MuxHandler> handler)
    : loop_(&loop),
      shared_(std::make_shared<const MuxConnection::Shared>(std::move(options), std::move(handler))) {}

MuxCarrier::~MuxCarrier() {
  for (auto& [connection, owned] : connections_) connection->drop();
}

void MuxCarrier::carry(std::unique_ptr<io::Transport> transport, mux::Role role) {
  auto connection = std::make_unique<Carried>(*this, std::move(transport), role);
  Carried* const carried = connection.get();
  connections_.emplace(carried, std::move(connection));
  carried->begin();
}

void MuxCarrier::go_away(std::uint64_t code, std::string_view reason) {
  for (auto& [connection, owned] : connections_) connection->go_away(code, reason);
}

void MuxCarrier::forget(Carried& connection) {
  auto node = connections_.extract(&connection);
  loop_->destroy_later(std::move(node.mapped()));
}

}  // namespace sinnet::endpoint
