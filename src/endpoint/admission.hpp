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

 private:
  friend class AddressTicket;
  struct Less {
    bool operator()(const IpAddress& a, const IpAddress& b) const noexcept { return a.octets < b.octets; }
  };
  struct Count {
    AddressCounter* counter = nullptr;
    std::size_t held = 0;
  };
  using Counts = std::map<IpAddress, Count, Less>;

  /// Null: the address has as many as it may. The entry stays where it is as long as somebody holds it.
  [[nodiscard]] Counts::value_type* take(const IpAddress& address);
  void give_back(Counts::value_type& entry);

  std::size_t max_;
  std::mutex mutex_;
  Counts counts_;
};

/// A place in an AddressCounter, given back when it ends. One pointer, since every connection holds one.
class AddressTicket {
 public:
  AddressTicket() = default;
  AddressTicket(AddressTicket&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
  AddressTicket& operator=(AddressTicket&& other) noexcept {
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~AddressTicket() {
    if (entry_ != nullptr) entry_->second.counter->give_back(*entry_);
  }
  /// Nothing: the address has as many as it may.
  [[nodiscard]] static std::optional<AddressTicket> take(AddressCounter& counter, const IpAddress& address);

 private:
  AddressCounter::Counts::value_type* entry_ = nullptr;
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
  /// Whoever is told by other means that it holds one keeps it as TotalTicket(count) until it ends.
  void release() noexcept { count_ = nullptr; }
  ~TotalTicket() {
    if (count_ != nullptr) count_->fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::size_t>* count_ = nullptr;
};

}  // namespace sinnet::endpoint
