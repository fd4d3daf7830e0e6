/// Boost.Beast as an echo and fan-out server: one thread, asynchronous, no strand, no type-erased executor.
/// Never uses auto-fragmentation or timeouts, which cost Beast work the other peers do not do.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include <deque>
#include <memory>
#include <unordered_set>
#include <utility>
#include <vector>

#include "arguments.hpp"

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using boost::system::error_code;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;
using TlsStream = beast::ssl_stream<Socket>;

using Shared = std::shared_ptr<const std::vector<char>>;

template <typename Stream>
class Session;

template <typename Stream>
std::unordered_set<Session<Stream>*>& subscribers() {
  static std::unordered_set<Session<Stream>*> all;
  return all;
}

template <typename Stream>
class Session : public std::enable_shared_from_this<Session<Stream>> {
 public:
  template <typename... Arguments>
  explicit Session(bool deflate, Arguments&&... arguments) : stream_(std::forward<Arguments>(arguments)...) {
    websocket::permessage_deflate extension;
    extension.server_enable = deflate;
    extension.server_no_context_takeover = true;
    extension.client_no_context_takeover = true;
    extension.compLevel = 6;  // zlib's defaults, which the other peers use
    extension.memLevel = 8;
    stream_.set_option(extension);
    stream_.auto_fragment(false);
    stream_.read_message_max(peer::kMessageBytesMax);
  }
  ~Session() { subscribers<Stream>().erase(this); }

  void start() {
    auto self = this->shared_from_this();
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      stream_.next_layer().async_handshake(asio::ssl::stream_base::server, [self](error_code error) {
        if (!error) self->read_request();
      });
    } else {
      read_request();
    }
  }

  void deliver(Shared message, bool text) {
    queue_.push_back(std::move(message));
    if (queue_.size() == 1) {
      stream_.text(text);
      write_queued();
    }
  }

 private:
  void read_request() {
    auto self = this->shared_from_this();
    http::async_read(stream_.next_layer(), buffer_, request_, [self](error_code error, std::size_t) {
      if (!error) self->accept();
    });
  }

  void accept() {
    auto self = this->shared_from_this();
    publishes_ = request_.target() == "/publish";
    if (request_.target() == "/fanout") subscribers<Stream>().insert(this);
    stream_.async_accept(request_, [self](error_code error) {
      self->request_ = {};
      if (!error) self->read();
    });
  }

  void read() {
    stream_.async_read(buffer_, [self = this->shared_from_this()](error_code error, std::size_t) {
      if (error) return;
      if (self->publishes_) return self->publish();
      self->echo();
    });
  }

  void echo() {
    stream_.text(stream_.got_text());
    stream_.async_write(buffer_.data(), [self = this->shared_from_this()](error_code error, std::size_t) {
      if (error) return;
      self->buffer_.clear();
      self->read();
    });
  }

  void publish() {
    const auto* data = static_cast<const char*>(buffer_.data().data());
    const auto message = std::make_shared<const std::vector<char>>(data, data + buffer_.size());
    for (Session* subscriber : subscribers<Stream>()) subscriber->deliver(message, stream_.got_text());
    buffer_.clear();
    read();
  }

  void write_queued() {
    stream_.async_write(asio::buffer(*queue_.front()),
                        [self = this->shared_from_this()](error_code error, std::size_t) {
                          if (error) return;
                          self->queue_.pop_front();
                          if (!self->queue_.empty()) self->write_queued();
                        });
  }

  websocket::stream<Stream> stream_;
  beast::flat_buffer buffer_;
  http::request<http::empty_body> request_;
  std::deque<Shared> queue_;
  bool publishes_ = false;
};

class Server {
 public:
  explicit Server(const peer::Arguments& arguments)
      : arguments_(arguments),
        acceptor_(loop_, {asio::ip::address_v4::loopback(), arguments.port}),
        tls_(asio::ssl::context::tls_server) {
    if (arguments.certificate.empty()) return;
    tls_.use_certificate_chain_file(arguments.certificate);
    tls_.use_private_key_file(arguments.key, asio::ssl::context::pem);
  }

  void run() {
    accept();
    peer::tell_ready();
    loop_.run();
  }

 private:
  void accept() {
    acceptor_.async_accept(loop_.get_executor(), [this](error_code error, Socket socket) {
      if (!error) {
        socket.set_option(asio::ip::tcp::no_delay(true));
        if (arguments_.certificate.empty()) {
          std::make_shared<Session<Socket>>(arguments_.deflate, std::move(socket))->start();
        } else {
          std::make_shared<Session<TlsStream>>(arguments_.deflate, std::move(socket), tls_)->start();
        }
      }
      accept();
    });
  }

  peer::Arguments arguments_;
  asio::io_context loop_{1};
  Acceptor acceptor_;
  asio::ssl::context tls_;
};

}  // namespace

int main(int argc, char** argv) { Server(peer::parse_arguments(argc, argv)).run(); }
