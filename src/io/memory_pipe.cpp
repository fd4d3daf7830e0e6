#include "sinnet/io/memory_pipe.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <vector>

#include "sinnet/io/loop.hpp"

namespace sinnet::io {
namespace {

/// A bounded ring of bytes; its memory comes with the first write.
class Ring {
 public:
  explicit Ring(std::size_t capacity) : capacity_(capacity) {}

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t room() const noexcept { return capacity_ - size_; }
  void clear() noexcept { size_ = 0; }

  std::size_t put(Bytes bytes) {
    bytes = bytes.first(std::min(bytes.size(), room()));
    if (bytes.empty()) return 0;
    storage_.resize(capacity_);
    const std::size_t end = (begin_ + size_) % capacity_;
    const std::size_t straight = std::min(bytes.size(), capacity_ - end);
    std::memcpy(storage_.data() + end, bytes.data(), straight);
    std::memcpy(storage_.data(), bytes.data() + straight, bytes.size() - straight);
    size_ += bytes.size();
    return bytes.size();
  }

  std::size_t take(MutableBytes into) {
    into = into.first(std::min(into.size(), size_));
    if (into.empty()) return 0;
    const std::size_t straight = std::min(into.size(), capacity_ - begin_);
    std::memcpy(into.data(), storage_.data() + begin_, straight);
    std::memcpy(into.data() + straight, storage_.data(), into.size() - straight);
    begin_ = (begin_ + into.size()) % capacity_;
    size_ -= into.size();
    return into.size();
  }

 private:
  const std::size_t capacity_;
  std::vector<std::byte> storage_;
  std::size_t begin_ = 0;
  std::size_t size_ = 0;
};

class MemoryTransport;

/// What both ends share. Index 0 and 1 are the ends.
struct Pipe {
  explicit Pipe(std::size_t capacity) : towards{Ring(capacity), Ring(capacity)} {}

  std::array<MemoryTransport*, 2> ends{};  // null once closed
  std::array<Ring, 2> towards;             // towards[i]: written for end i to read
  std::array<bool, 2> has_finished{};      // end i writes no more
  bool is_reset = false;
};

class MemoryTransport final : public Transport, private Task {
 public:
  MemoryTransport(std::shared_ptr<Pipe> pipe, std::size_t side) : pipe_(std::move(pipe)), side_(side) {
    pipe_->ends[side_] = this;
  }
  ~MemoryTransport() override { close(CloseMode::Orderly); }

  IoResult read(MutableBytes into) override;
  IoResult write(std::span<const Slice> slices) override;
  void want(bool read, bool write) override {
    wants_read_ = read;
    wants_write_ = write;
    schedule();
  }
  void shutdown_write() override {
    if (is_closed_) return;
    pipe_->has_finished[side_] = true;
    schedule_peer();
  }
  void close(CloseMode mode) override;
  std::size_t write_room() const override {
    return can_write_something() ? pipe_->towards[peer()].room() : 0;
  }
  void set_ready_handler(ReadyHandler* handler) override { handler_ = handler; }
  void detach() override { loop_ = nullptr; }
  Result<> attach(Loop& loop) override {
    assert(loop_ == nullptr);
    if (is_closed_) return fail(ErrorCode::Closed, "the transport is closed");
    loop_ = &loop;
    schedule();
    return {};
  }
  SocketAddress peer_address() const override { return {}; }

 private:
  [[nodiscard]] std::size_t peer() const noexcept { return 1 - side_; }
  [[nodiscard]] bool can_write_something() const noexcept {
    return !is_closed_ && !pipe_->is_reset && pipe_->ends[peer()] != nullptr && !pipe_->has_finished[side_];
  }
  [[nodiscard]] bool is_readable() const noexcept {
    return pipe_->towards[side_].size() > 0 || pipe_->has_finished[peer()] || pipe_->is_reset;
  }
  [[nodiscard]] bool is_writable() const noexcept {
    return !can_write_something() || pipe_->towards[peer()].room() > 0;  // an error is there to be told, too
  }
  [[nodiscard]] bool is_due() const noexcept {
    return !is_closed_ && loop_ != nullptr &&
           ((wants_read_ && is_readable()) || (wants_write_ && is_writable()));
  }
  void schedule() {
    if (is_due()) loop_->next_turn(*this);
  }
  void schedule_peer() {
    if (MemoryTransport* const other = pipe_->ends[peer()]) other->schedule();
  }
  void run_task() override;

  std::shared_ptr<Pipe> pipe_;
  const std::size_t side_;
  Loop* loop_ = nullptr;
  ReadyHandler* handler_ = nullptr;
  bool wants_read_ = false;
  bool wants_write_ = false;
  bool is_closed_ = false;
};

IoResult MemoryTransport::read(MutableBytes into) {
  assert(!into.empty());
  if (is_closed_) return {0, IoStatus::Error, EBADF};
  if (pipe_->is_reset) return {0, IoStatus::Error, ECONNRESET};
  const std::size_t count = pipe_->towards[side_].take(into);
  if (count > 0) {
    schedule_peer();
    return {count, IoStatus::Ok, 0};
  }
  return {0, pipe_->has_finished[peer()] ? IoStatus::Eof : IoStatus::Blocked, 0};
}

IoResult MemoryTransport::write(std::span<const Slice> slices) {
  if (is_closed_) return {0, IoStatus::Error, EBADF};
  if (pipe_->is_reset) return {0, IoStatus::Error, ECONNRESET};
  if (!can_write_something()) return {0, IoStatus::Error, EPIPE};
  std::size_t asked = 0;
  std::size_t taken = 0;
  for (const Slice& slice : slices) {
    asked += slice.size;
    taken += pipe_->towards[peer()].put(slice.bytes());
    if (taken < asked) break;
  }
  if (taken > 0) schedule_peer();
  return {taken, asked > 0 && taken == 0 ? IoStatus::Blocked : IoStatus::Ok, 0};
}

void MemoryTransport::close(CloseMode mode) {
  if (is_closed_) return;
  is_closed_ = true;
  loop_ = nullptr;
  pipe_->ends[side_] = nullptr;
  pipe_->has_finished[side_] = true;
  pipe_->towards[side_].clear();
  if (mode == CloseMode::Reset) {
    pipe_->is_reset = true;
    pipe_->towards[peer()].clear();
  }
  schedule_peer();
}

void MemoryTransport::run_task() {
  if (!is_due()) return;
  if (handler_ == nullptr) return schedule();
  const std::shared_ptr<Pipe> pipe = pipe_;  // outlives this if the handler destroys it
  const std::size_t side = side_;
  handler_->handle_ready(wants_read_ && is_readable(), wants_write_ && is_writable());
  if (pipe->ends[side] == this) schedule();
}

}  // namespace

std::pair<std::unique_ptr<Transport>, std::unique_ptr<Transport>> make_memory_pipe(
    Loop& loop, std::size_t capacity_bytes) {
  assert(capacity_bytes > 0);
  const auto pipe = std::make_shared<Pipe>(capacity_bytes);
  auto near = std::make_unique<MemoryTransport>(pipe, 0);
  auto far = std::make_unique<MemoryTransport>(pipe, 1);
  // Attaching to memory cannot fail: there is nothing to ask the kernel for.
  [[maybe_unused]] const Result<> near_attached = near->attach(loop);
  [[maybe_unused]] const Result<> far_attached = far->attach(loop);
  return {std::move(near), std::move(far)};
}

}  // namespace sinnet::io
