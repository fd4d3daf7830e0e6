#pragma once
/// Admission: how many connections there may be, in all and for each client address. Counts only; who refuses
/// how is the shard's business.

#include <atomic>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "endpoint/cidr.hpp"

namespace sinnet::endpoint {

/// Counts one kind of thing for each address. Any thread. An ordered map, so that nobody can choose colliding
/// keys.
class AddressCounter {
 public:
  explicit AddressCounter(std::size_t max) : max_(max) {}

  /// False: the address has as many as it may.
  [[nodiscard]] bool take(const IpAddress& address);
  void give_back(const IpAddress& address);

 private:
  struct Less {
    bool operator()(const IpAddress& a, const IpAddress& b) const noexcept { return a.octets < b.octets; }
  };
  std::size_t max_;
  std::mutex mutex_;
  std::map<IpAddress, std::size_t, Less> counts_;
};

/// A place in an AddressCounter, given back when it ends.
class AddressTicket {
 public:
  AddressTicket() = default;
  AddressTicket(AddressTicket&& other) noexcept
      : counter_(std::exchange(other.counter_, nullptr)), address_(other.address_) {}
  AddressTicket& operator=(AddressTicket&& other) noexcept {
    std::swap(counter_, other.counter_);
    std::swap(address_, other.address_);
    return *this;
  }
  ~AddressTicket() {
    if (counter_ != nullptr) counter_->give_back(address_);
  }
  /// Nothing: the address has as many as it may.
  [[nodiscard]] static std::optional<AddressTicket> take(AddressCounter& counter, const IpAddress& address);

 private:
  AddressCounter* counter_ = nullptr;
  IpAddress address_;
};

/// A place among all connections.
class TotalTicket {
 public:
  TotalTicket() = default;
  explicit TotalTicket(std::atomic<std::size_t>& count) : count_(&count) {}
  TotalTicket(TotalTicket&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  TotalTicket& operator=(TotalTicket&& other) noexcept {
    std::swap(count_, other.count_);
    return *this;
  }
  ~TotalTicket() {
    if (count_ != nullptr) count_->fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::size_t>* count_ = nullptr;
};

}  // namespace sinnet::endpoint
