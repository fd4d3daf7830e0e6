/// Operations on http::ServerConnection: input in any pieces, answers, ends and time in any order. Checks the
/// machine's promises: no output after the end, one request at a time, an end that comes, one Closed.
/// Each operation is two bytes, what and how much; input is taken from the bytes behind.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "sinnet/http/server_connection.hpp"

namespace {

using namespace sinnet;  // NOLINT(google-build-using-namespace): one small program

void require(bool holds) {
  if (!holds) std::abort();
}

class Session {
 public:
  Session() : machine_(options(), now_) {}

  void feed(const std::uint8_t* data, std::size_t size) {
    if (!machine_.wants_input()) return;
    std::vector<std::byte> lent(size);  // of exact size: a sanitizer sees what outlives it
    std::transform(data, data + size, lent.begin(), [](std::uint8_t b) { return std::byte{b}; });
    machine_.receive(lent, now_);
    poll();
    machine_.keep_input();
  }
  void operate(unsigned what, std::size_t amount) {
    constexpr std::string_view head = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n";
    constexpr std::string_view refusal =
        "HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    const Buffer body = Buffer::copy_of(as_bytes(std::string(amount * 16, 'b')));
    switch (what % 10) {
      case 0: respond(head, body, true); break;
      case 1: respond(head, body, false); break;
      case 2: machine_.write_body(body, false, now_); break;
      case 3:
        if (streaming_) pending_ = streaming_ = false;
        machine_.write_body(body, true, now_);
        break;
      case 4: write(amount); break;
      case 5: wait(std::chrono::milliseconds(amount * 50)); break;
      case 6: machine_.set_reading(amount % 2 == 0, now_); break;
      case 7:
        if (amount % 8 == 0) machine_.close(now_);
        if (amount % 8 == 1) machine_.refuse(refusal, now_);
        break;
      case 8:
        if (amount % 8 == 0) machine_.receive_eof(now_);
        break;
      default:
        if (amount % 8 == 0 && pending_ && !streaming_ && !machine_.has_output() && !machine_.has_ended()) {
          static_cast<void>(machine_.take_rest());
          closed_ = true;
        }
    }
    poll();
    machine_.keep_input();
  }
  /// Whatever happened, time alone ends it, unless we owe an answer.
  void finish() {
    machine_.set_reading(true, now_);
    poll();
    if (pending_) machine_.refuse("HTTP/1.1 500 X\r\nConnection: close\r\n\r\n", now_);
    for (int i = 0; i < 8 && !machine_.is_done(); ++i) wait(std::chrono::hours(1));
    require(machine_.is_done() && closed_);
  }

 private:
  static const http::ServerOptions& options() {
    static const http::ServerOptions small = [] {
      http::ServerOptions made;
      made.head.head_bytes_max = 512;
      made.body_bytes_max = 64;
      made.drained_below_bytes = 256;
      return made;
    }();
    return small;
  }
  void respond(std::string_view head, const Buffer& body, bool last) {
    if (!pending_ || streaming_) return;
    streaming_ = !last;
    pending_ = !last;
    machine_.respond(head, body, last, now_);
  }
  void write(std::size_t bytes_max) {
    machine_.prepare_output(bytes_max, now_);
    std::array<Slice, 3> slices;
    const std::size_t count = machine_.output(slices);
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < count; ++i) bytes += slices[i].size;
    require((bytes > 0) == machine_.has_output() && bytes <= machine_.waiting_bytes());
    machine_.consume_output(std::min(bytes, bytes_max), now_);
  }
  void wait(Duration duration) {
    now_ += duration;
    machine_.handle_deadline(now_);
    require(!machine_.deadline() || *machine_.deadline() > now_);
    poll();
  }
  void poll() {
    while (const auto event = machine_.poll_event()) {
      require(!closed_);
      if (event->type == http::ServerEventType::Request) {
        require(!pending_ && event->body.size() <= options().body_bytes_max);
        require(!machine_.head().method().empty());
        pending_ = true;
      }
      if (event->type == http::ServerEventType::Drained) require(streaming_);
      if (event->type == http::ServerEventType::Failed)
        require(event->status >= 400 && !event->reason.empty());
      if (event->type == http::ServerEventType::Closed) closed_ = true;
    }
    require(!machine_.has_event());
    if (machine_.has_ended()) require(!machine_.has_output() && closed_ && !machine_.deadline());
  }

  Time now_{std::chrono::seconds(1)};
  http::ServerConnection machine_;
  bool pending_ = false;
  bool streaming_ = false;
  bool closed_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Session session;
  while (size >= 2) {
    const unsigned what = data[0];
    const std::size_t amount = data[1];
    data += 2;
    size -= 2;
    if (what < 128) {
      const std::size_t bytes = std::min(size, amount);
      session.feed(data, bytes);
      data += bytes;
      size -= bytes;
    } else {
      session.operate(what - 128, amount);
    }
  }
  session.finish();
  return 0;
}
