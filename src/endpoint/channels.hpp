#pragma once
/// Channels of one shard: who joined what, and the handing out of one encoded message to all of them.
/// It does not order publications between shards (Shard does) and keeps no history.

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sinnet/endpoint/handler.hpp"
#include "sinnet/ws/shared_frame.hpp"

namespace sinnet::endpoint {

class ServerConnection;

class Channels {
 public:
  struct Channel;
  /// One side of a membership, kept by the connection.
  struct Membership {
    Channel* channel = nullptr;
    std::size_t position = 0;  ///< in the channel's subscribers
  };

  Channels();
  Channels(const Channels&) = delete;
  Channels& operator=(const Channels&) = delete;
  ~Channels();

  /// Joining twice changes nothing.
  void join(ServerConnection& connection, std::string_view name);
  void leave(ServerConnection& connection, std::string_view name);
  void leave_all(ServerConnection& connection);
  /// Queues the frame for every subscriber but `except`; answers for how many.
  std::size_t deliver(std::string_view name, const ws::SharedFrame& frame, ConnectionId except);
  [[nodiscard]] std::size_t subscribers(std::string_view name) const;

 private:
  void remove(Membership membership);

  // Ordered: peers may choose the names, so there is no hash to flood.
  std::map<std::string, Channel, std::less<>> channels_;
};

}  // namespace sinnet::endpoint
