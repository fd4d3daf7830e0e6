/// websocketpp on stand-alone Asio as an echo and fan-out server: one thread, so no locks, and no logging.
/// Never compiled as C++20: the library's constructors are ill-formed there.
#define ASIO_STANDALONE
#include <set>
#include <websocketpp/concurrency/none.hpp>
#include <websocketpp/config/asio.hpp>
#include <websocketpp/extensions/permessage_deflate/enabled.hpp>
#include <websocketpp/logger/stub.hpp>
#include <websocketpp/server.hpp>

#include "arguments.hpp"

namespace {

namespace wpp = websocketpp;

/// The library's Asio configuration with locks, logs and, unless asked for, compression taken out.
template <typename Base>
struct Lean : Base {
  using type = Lean;
  using concurrency_type = wpp::concurrency::none;
  using request_type = typename Base::request_type;
  using response_type = typename Base::response_type;
  using message_type = typename Base::message_type;
  using con_msg_manager_type = typename Base::con_msg_manager_type;
  using endpoint_msg_manager_type = typename Base::endpoint_msg_manager_type;
  using alog_type = wpp::log::stub;
  using elog_type = wpp::log::stub;
  using rng_type = typename Base::rng_type;
  struct transport_config : Base::transport_config {
    using concurrency_type = wpp::concurrency::none;
    using alog_type = wpp::log::stub;
    using elog_type = wpp::log::stub;
    using request_type = typename Base::request_type;
    using response_type = typename Base::response_type;
    static const bool enable_multithreading = false;
  };
  using transport_type = wpp::transport::asio::endpoint<transport_config>;
  static const std::size_t max_message_size = peer::kMessageBytesMax;
};

template <typename Base>
struct Deflating : Lean<Base> {
  using type = Deflating;
  struct permessage_deflate_config {};
  using permessage_deflate_type = wpp::extensions::permessage_deflate::enabled<permessage_deflate_config>;
};

template <typename Config>
void run(const peer::Arguments& arguments) {
  using Server = wpp::server<Config>;
  constexpr bool secure = std::is_base_of_v<wpp::config::asio_tls, Config>;
  Server server;
  std::set<wpp::connection_hdl, std::owner_less<wpp::connection_hdl>> subscribers;
  server.init_asio();
  server.set_reuse_addr(true);
  server.set_max_message_size(peer::kMessageBytesMax);
  server.set_tcp_post_init_handler([&](wpp::connection_hdl handle) {
    server.get_con_from_hdl(handle)->get_raw_socket().set_option(wpp::lib::asio::ip::tcp::no_delay(true));
  });
  if constexpr (secure) {
    server.set_tls_init_handler([&](wpp::connection_hdl) {
      static const auto context = [&] {
        auto fresh = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
        fresh->use_certificate_chain_file(arguments.certificate);
        fresh->use_private_key_file(arguments.key, asio::ssl::context::pem);
        return fresh;
      }();
      return context;
    });
  }
  server.set_open_handler([&](wpp::connection_hdl handle) {
    const auto connection = server.get_con_from_hdl(handle);
    const std::string& path = connection->get_resource();
    if (path == "/fanout") subscribers.insert(handle);
    if (path != "/publish") return;
    connection->set_message_handler([&](wpp::connection_hdl, typename Server::message_ptr message) {
      for (const auto& subscriber : subscribers) {
        server.send(subscriber, message->get_payload(), message->get_opcode());
      }
    });
  });
  server.set_close_handler([&](wpp::connection_hdl handle) { subscribers.erase(handle); });
  server.set_message_handler([&](wpp::connection_hdl handle, typename Server::message_ptr message) {
    server.send(handle, message->get_payload(), message->get_opcode());
  });
  server.listen(asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), arguments.port));
  server.start_accept();
  peer::tell_ready();
  server.run();
}

}  // namespace

int main(int argc, char** argv) {
  const peer::Arguments arguments = peer::parse_arguments(argc, argv);
  if (!arguments.certificate.empty()) {
    run<Lean<wpp::config::asio_tls>>(arguments);
  } else if (arguments.deflate) {
    run<Deflating<wpp::config::asio>>(arguments);
  } else {
    run<Lean<wpp::config::asio>>(arguments);
  }
}
