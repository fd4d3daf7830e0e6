#pragma once
/// What stands for something under way in a loop, so that it can be given up.

namespace sinnet::io {

/// Destroying it cancels: its callback is dropped without being called. It must not outlive its loop. Once
/// the callback has run it stands for nothing and may be kept or destroyed, also from inside the callback.
class Pending {
 public:
  Pending() = default;
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  virtual ~Pending() = default;
};

}  // namespace sinnet::io
