#pragma once
/// ProxyPreface: takes the PROXY header off a connection before TLS or HTTP begins. Reads not one byte beyond
/// it.

#include "endpoint/proxy_protocol.hpp"
#include "endpoint/shard.hpp"
#include "sinnet/io/loop.hpp"
#include "sinnet/io/transport.hpp"

namespace sinnet::endpoint {

class ProxyPreface final : public io::ReadyHandler, public io::Timer, public io::Destroyable {
 public:
  ProxyPreface(Shard& shard, Arrival arrival);

  void begin();

 private:
  void handle_ready(bool readable, bool writable) override;
  void handle_timer() override { refuse("PROXY header not whole in time"); }
  void finish();
  void refuse(std::string_view why);

  Shard* shard_;
  Arrival arrival_;
  ProxyParser parser_;
};

}  // namespace sinnet::endpoint
