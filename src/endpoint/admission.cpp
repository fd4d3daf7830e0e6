#include "endpoint/admission.hpp"

namespace sinnet::endpoint {

AddressCounter::Counts::value_type* AddressCounter::take(const IpAddress& address) {
  if (max_ == 0) return nullptr;
  const std::lock_guard lock(mutex_);
  Counts::value_type& entry = *counts_.try_emplace(address, Count{.counter = this}).first;
  if (entry.second.held >= max_) return nullptr;
  ++entry.second.held;
  return &entry;
}

void AddressCounter::give_back(Counts::value_type& entry) {
  const std::lock_guard lock(mutex_);
  if (--entry.second.held == 0) counts_.erase(counts_.find(entry.first));
}

std::optional<AddressTicket> AddressTicket::take(AddressCounter& counter, const IpAddress& address) {
  AddressTicket ticket;
  ticket.entry_ = counter.take(address);
  if (ticket.entry_ == nullptr) return std::nullopt;
  return ticket;
}

}  // namespace sinnet::endpoint
