#include "endpoint/admission.hpp"

namespace sinnet::endpoint {

bool AddressCounter::take(const IpAddress& address) {
  const std::lock_guard lock(mutex_);
  std::size_t& count = counts_[address];
  if (count >= max_) {
    if (count == 0) counts_.erase(address);
    return false;
  }
  ++count;
  return true;
}

void AddressCounter::give_back(const IpAddress& address) {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(address);
  if (found != counts_.end() && --found->second == 0) counts_.erase(found);
}

std::optional<AddressTicket> AddressTicket::take(AddressCounter& counter, const IpAddress& address) {
  if (!counter.take(address)) return std::nullopt;
  AddressTicket ticket;
  ticket.counter_ = &counter;
  ticket.address_ = address;
  return ticket;
}

}  // namespace sinnet::endpoint
