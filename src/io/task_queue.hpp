#pragma once
/// TaskQueue: embedded tasks ordered by nesting depth. It never allocates and never runs a task twice for one
/// queueing.

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "sinnet/io/loop.hpp"

namespace sinnet::io {

class TaskQueue {
 public:
  /// Three levels of nesting (message in stream in message) times two, and room.
  static constexpr unsigned depth_count = 8;

  [[nodiscard]] bool empty() const noexcept {
    for (const LinkList& list : lists_) {
      if (!list.empty()) return false;
    }
    return true;
  }

  /// Changes nothing if the task is queued, here or elsewhere.
  void push(Task& task, unsigned depth = 0) noexcept {
    assert(depth < depth_count);
    if (task.is_queued()) return;
    lists_[depth].push_back(task);
  }

  /// Runs what is queued, deepest first. A task queued meanwhile still runs in this call if its depth is yet
  /// to come; otherwise it stays queued, so that two tasks that queue each other cannot keep the loop here.
  void run() {
    for (std::size_t depth = depth_count; depth-- > 0;) {
      if (lists_[depth].empty()) continue;
      LinkList running;
      running.take(lists_[depth]);
      while (Link* const link = running.pop_front()) static_cast<Task*>(link)->run_task();
    }
  }

 private:
  std::array<LinkList, depth_count> lists_;
};

}  // namespace sinnet::io
