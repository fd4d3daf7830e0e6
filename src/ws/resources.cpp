#include "sinnet/ws/resources.hpp"

#include <algorithm>
#include <vector>

#include "ws/compressor.hpp"
#include "ws/output_queue.hpp"
#include "ws/unfinished.hpp"

namespace sinnet::ws {
namespace {

/// Enough for the connections that have output at the same time in an ordinary turn.
constexpr std::size_t spare_queues_max = 64;
/// As many for those in the middle of a frame: the next one that stops there was seldom the last.
constexpr std::size_t spare_unfinished_max = 64;
/// Message buffers worth keeping: below, malloc is as fast; above, one would hold the whole budget.
constexpr std::size_t spare_buffer_bytes_min = 64 * 1024;
constexpr std::size_t spare_buffers_bytes_max = 16 * 1024 * 1024;

}  // namespace

struct Resources::Pools {
  std::vector<std::unique_ptr<OutputQueue>> queues;
  std::vector<std::unique_ptr<Unfinished>> unfinished;
  std::vector<Buffer> buffers;
  std::size_t buffers_bytes = 0;
};

Resources::Resources(Random& random)
    : random_(&random),
      compression_(std::make_unique<CompressionPool>()),
      pools_(std::make_unique<Pools>()) {}

Resources::~Resources() = default;

std::unique_ptr<OutputQueue> Resources::borrow_output() {
  if (pools_->queues.empty()) return std::make_unique<OutputQueue>();
  std::unique_ptr<OutputQueue> queue = std::move(pools_->queues.back());
  pools_->queues.pop_back();
  return queue;
}

void Resources::give_back(std::unique_ptr<OutputQueue> queue) {
  if (pools_->queues.size() >= spare_queues_max) return;
  queue->reset();
  pools_->queues.push_back(std::move(queue));
}

std::unique_ptr<Unfinished> Resources::borrow_unfinished() {
  if (pools_->unfinished.empty()) return std::make_unique<Unfinished>();
  std::unique_ptr<Unfinished> unfinished = std::move(pools_->unfinished.back());
  pools_->unfinished.pop_back();
  return unfinished;
}

void Resources::give_back(std::unique_ptr<Unfinished> unfinished) {
  if (pools_->unfinished.size() >= spare_unfinished_max) return;
  *unfinished = {};
  pools_->unfinished.push_back(std::move(unfinished));
}

Buffer Resources::borrow_buffer(std::size_t capacity_bytes, std::uint64_t wanted_bytes) {
  auto& spares = pools_->buffers;
  const std::uint64_t least = std::max<std::uint64_t>(capacity_bytes, wanted_bytes);
  const auto fits = [&](const Buffer& buffer) {
    return buffer.capacity() >= least &&
           buffer.capacity() / 2 <= std::max<std::uint64_t>(least, spare_buffer_bytes_min);
  };
  if (const auto found = std::find_if(spares.rbegin(), spares.rend(), fits); found != spares.rend()) {
    Buffer buffer = std::move(*found);
    spares.erase(std::next(found).base());
    pools_->buffers_bytes -= buffer.capacity();
    return buffer;
  }
  Buffer buffer;
  buffer.reserve(capacity_bytes);
  return buffer;
}

void Resources::give_back(Buffer buffer) {
  if (!buffer.is_unique() || buffer.capacity() < spare_buffer_bytes_min) return;
  if (pools_->buffers_bytes + buffer.capacity() > spare_buffers_bytes_max) return;
  buffer.resize(0);
  pools_->buffers_bytes += buffer.capacity();
  pools_->buffers.push_back(std::move(buffer));
}

}  // namespace sinnet::ws
