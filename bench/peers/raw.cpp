/// Raw TCP echo on epoll: what the kernel alone costs. Never looks at a byte, knows no WebSocket.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "arguments.hpp"

namespace {

struct Connection {
  int fd = -1;
  std::size_t begin = 0;  // unsent bytes of `kept`
  std::vector<char> kept;
};

void interest(int epoll, Connection* connection, int operation, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = connection;
  epoll_ctl(epoll, operation, connection->fd, &event);
}

/// Sends what was kept; true when nothing is left.
bool flush(Connection& connection) {
  while (connection.begin < connection.kept.size()) {
    const ssize_t sent = send(connection.fd, connection.kept.data() + connection.begin,
                              connection.kept.size() - connection.begin, MSG_NOSIGNAL);
    if (sent < 0) return false;
    connection.begin += static_cast<std::size_t>(sent);
  }
  connection.kept.clear();
  connection.begin = 0;
  return true;
}

/// Reads once and echoes; what the socket does not take is kept, and reading pauses until it is gone.
void serve(int epoll, Connection* connection, std::vector<char>& space) {
  if (!connection->kept.empty()) {
    if (!flush(*connection)) return;
    interest(epoll, connection, EPOLL_CTL_MOD, EPOLLIN);
  }
  const ssize_t got = recv(connection->fd, space.data(), space.size(), 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    close(connection->fd);
    delete connection;
    return;
  }
  ssize_t sent = send(connection->fd, space.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL);
  if (sent == got) return;
  if (sent < 0) sent = 0;
  connection->kept.assign(space.data() + sent, space.data() + got);
  interest(epoll, connection, EPOLL_CTL_MOD, EPOLLOUT);
}

}  // namespace

int main(int argc, char** argv) {
  const peer::Arguments arguments = peer::parse_arguments(argc, argv);
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(arguments.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, 4096) != 0) {
    std::perror("listen");
    return 1;
  }
  const int epoll = epoll_create1(0);
  Connection accepting;
  accepting.fd = listener;
  interest(epoll, &accepting, EPOLL_CTL_ADD, EPOLLIN);
  peer::tell_ready();
  std::vector<char> space(256 * 1024);
  epoll_event events[512];
  while (true) {
    const int count = epoll_wait(epoll, events, 512, -1);
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[i].data.ptr);
      if (connection != &accepting) {
        serve(epoll, connection, space);
        continue;
      }
      const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
      if (fd < 0) continue;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      auto* fresh = new Connection;
      fresh->fd = fd;
      interest(epoll, fresh, EPOLL_CTL_ADD, EPOLLIN);
    }
  }
}
