#include "endpoint/channels.hpp"

#include <algorithm>

#include "endpoint/server_connection.hpp"

namespace sinnet::endpoint {

struct Channels::Channel {
  struct Subscriber {
    ServerConnection* connection = nullptr;
    std::size_t position = 0;  ///< in the connection's memberships
  };
  std::string_view name;  ///< the map's key
  std::vector<Subscriber> subscribers;
};

Channels::Channels() = default;
Channels::~Channels() = default;

void Channels::join(ServerConnection& connection, std::string_view name) {
  auto place = channels_.find(name);
  if (place == channels_.end()) {
    place = channels_.try_emplace(std::string(name)).first;
    place->second.name = place->first;
  }
  Channel& channel = place->second;
  std::vector<Membership>& memberships = connection.memberships();
  const bool is_in = std::any_of(memberships.begin(), memberships.end(), [&](const Membership& membership) {
    return membership.channel == &channel;
  });
  if (is_in) return;
  memberships.push_back({&channel, channel.subscribers.size()});
  channel.subscribers.push_back({&connection, memberships.size() - 1});
}

/// Takes the subscriber out of the channel; the last one fills its place. Drops an empty channel.
void Channels::remove(Membership membership) {
  Channel& channel = *membership.channel;
  auto& subscribers = channel.subscribers;
  subscribers[membership.position] = subscribers.back();
  subscribers.pop_back();
  if (membership.position < subscribers.size()) {
    const Channel::Subscriber& moved = subscribers[membership.position];
    moved.connection->memberships()[moved.position].position = membership.position;
  }
  if (subscribers.empty()) channels_.erase(channels_.find(channel.name));
}

void Channels::leave(ServerConnection& connection, std::string_view name) {
  std::vector<Membership>& memberships = connection.memberships();
  const auto place = std::find_if(memberships.begin(), memberships.end(), [&](const Membership& membership) {
    return membership.channel->name == name;
  });
  if (place == memberships.end()) return;
  const Membership gone = *place;
  *place = memberships.back();
  memberships.pop_back();
  if (place != memberships.end()) {
    place->channel->subscribers[place->position].position =
        static_cast<std::size_t>(place - memberships.begin());
  }
  remove(gone);
}

void Channels::leave_all(ServerConnection& connection) {
  std::vector<Membership>& memberships = connection.memberships();
  while (!memberships.empty()) {
    const Membership gone = memberships.back();
    memberships.pop_back();
    remove(gone);
  }
}

std::size_t Channels::deliver(std::string_view name, const ws::SharedFrame& frame, ConnectionId except) {
  const auto place = channels_.find(name);
  if (place == channels_.end()) return 0;
  // Sending may close a slow subscriber, but its membership ends only when it is destroyed, at the turn's
  // end.
  std::size_t reached = 0;
  for (const Channel::Subscriber& subscriber : place->second.subscribers) {
    ServerConnection& connection = *subscriber.connection;
    if (connection.id() != except && connection.send_from_others(frame)) ++reached;
  }
  return reached;
}

std::size_t Channels::subscribers(std::string_view name) const {
  const auto place = channels_.find(name);
  return place == channels_.end() ? 0 : place->second.subscribers.size();
}

}  // namespace sinnet::endpoint
