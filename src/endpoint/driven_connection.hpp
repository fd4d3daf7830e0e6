#pragma once
/// DrivenConnection: the half that a server's and a client's connection have in common: what is sent goes
/// into the machine, and the machine's events become calls of the handler. It opens and accepts nothing.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "sinnet/endpoint/handler.hpp"
#include "sinnet/io/driver.hpp"
#include "sinnet/ws/connection.hpp"

namespace sinnet::endpoint {

/// `Derived` owns the machine, and has
///
///     ws::Connection& machine();
///     Handler& handler() const;
///     std::size_t send_queue_bytes() const;        // polling and reading rest while so many bytes wait
///     bool is_accepted() const;                    // the opening was answered with yes
///     bool ensure_accepted();                      // … or is now
///     void note_traffic();                         // the machine's statistics may have changed in this slot
///     void handle_closing(const CloseInfo& info);  // just before the handler is told of the end
///     void end_life();                             // the transport is closed; the last call
///
/// A template, so that none of them costs a virtual call per message.
template <class Derived>
class DrivenConnection : public Connection, public io::Driver<DrivenConnection<Derived>> {
  using Driver = io::Driver<DrivenConnection>;

 public:
  // Connection
  [[nodiscard]] io::Loop& loop() const noexcept final { return Driver::loop(); }
  using Connection::send;
  ws::SendResult send(ws::MessageKind kind, Bytes payload) final {
    if (!ensure_sendable()) return std::unexpected(ws::SendError::Closing);
    return after_send(machine().send(kind, payload, loop().now()));
  }
  ws::SendResult send(ws::MessageKind kind, Buffer&& payload) final {
    if (!ensure_sendable()) return std::unexpected(ws::SendError::Closing);
    return after_send(machine().send(kind, std::move(payload), loop().now()));
  }
  ws::SendResult send(const ws::SharedFrame& frame) final {
    if (!ensure_sendable()) return std::unexpected(ws::SendError::Closing);
    return after_send(machine().send(frame, loop().now()));
  }
  ws::SendResult send_piece(ws::MessageKind kind, Bytes piece, bool first, bool last) final {
    if (!ensure_sendable()) return std::unexpected(ws::SendError::Closing);
    return after_send(machine().send_piece(kind, piece, first, last, loop().now()));
  }
  ws::SendResult ping(Bytes payload) final {
    if (!ensure_sendable()) return std::unexpected(ws::SendError::Closing);
    const Bytes fitting = payload.first(std::min(payload.size(), ws::control_payload_bytes_max));
    return after_send(machine().ping(fitting, loop().now()));
  }
  [[nodiscard]] std::size_t waiting_bytes() const noexcept final { return machine().waiting_bytes(); }
  [[nodiscard]] std::size_t room_bytes() const noexcept final {
    const std::size_t limit = derived().send_queue_bytes();
    return limit - std::min(limit, waiting_bytes());
  }
  void pause() final { Driver::pause(); }
  void resume() final { Driver::resume(); }
  void close(ws::CloseCode code, std::string_view reason) final {
    if (!ensure_sendable()) return;
    machine().close(code, reason, loop().now());
    // Somebody who paused waits for no message any more, and the end is told to the paused too.
    this->schedule_flush();
  }
  [[nodiscard]] bool is_open() const noexcept final {
    return derived().is_accepted() && !this->is_finished() && machine().state() == ws::State::Open;
  }
  [[nodiscard]] const io::TlsInfo* tls() const noexcept final { return this->transport().tls(); }
  [[nodiscard]] bool uses_compression() const noexcept final { return machine().uses_compression(); }

 protected:
  ws::SendResult after_send(ws::SendResult result) {
    if (result) this->schedule_flush();
    return result;
  }

  /// Once, whatever ends it first.
  void tell_closed(const CloseInfo& info) {
    if (told_closed_) return;
    told_closed_ = true;
    derived().handle_closing(info);
    derived().handler().close(*this, info);
  }
  /// From now on the handler hears of no end.
  void conceal_end() noexcept { told_closed_ = true; }
  [[nodiscard]] bool has_told_closed() const noexcept { return told_closed_; }

 private:
  friend Driver;
  friend Derived;  // alone may construct it

  DrivenConnection(io::Loop& loop, std::unique_ptr<io::Transport> transport)
      : Driver(loop, std::move(transport)) {}

  [[nodiscard]] Derived& derived() noexcept { return static_cast<Derived&>(*this); }
  [[nodiscard]] const Derived& derived() const noexcept { return static_cast<const Derived&>(*this); }
  [[nodiscard]] bool ensure_sendable() { return derived().ensure_accepted() && !this->is_finished(); }

  // Driver
  [[nodiscard]] ws::Connection& machine() noexcept { return derived().machine(); }
  [[nodiscard]] const ws::Connection& machine() const noexcept { return derived().machine(); }
  [[nodiscard]] std::size_t reply_bytes_max() const noexcept { return derived().send_queue_bytes(); }
  void handle_slot_end() { derived().note_traffic(); }
  void handle_finished() { derived().end_life(); }
  [[nodiscard]] bool handle_event(const ws::Event& event) {
    switch (event.type) {
      case ws::EventType::Message:
        derived().handler().message(
            *this,
            Message{.kind = event.kind, .payload = event.payload, .first = event.first, .last = event.last});
        break;
      case ws::EventType::Drained: derived().handler().drained(*this); break;
      case ws::EventType::Closed:
        tell_closed({.code = event.code, .reason = event.reason, .was_clean = event.was_clean});
        break;
      case ws::EventType::Failed:
        tell_closed({.code = event.code, .reason = event.reason, .was_violation = true});
        break;
      case ws::EventType::Ping:
      case ws::EventType::Pong: break;
    }
    return true;
  }

  bool told_closed_ : 1 = false;
};

}  // namespace sinnet::endpoint
