/// Client sockets: connecting, TLS, the upgrade. Never interprets frames.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>

#include "load.hpp"

namespace load {

namespace {

// RFC 6455 1.3: the specification's own example of key and token.
constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
// Below every listen backlog; one by one, 10,000 connections would wait for 20,000 changes of task.
constexpr std::size_t kConnectingMax = 64;
constexpr int kPatienceMs = 10000;  // for one step of connecting; a loaded machine is slow, not dead

void wait_for(int fd, short events) {
  pollfd entry{fd, events, 0};
  if (poll(&entry, 1, kPatienceMs) <= 0) fail("the server does not answer");
}

SSL* start_tls(int fd) {
  static SSL_CTX* context = [] {
    SSL_CTX* fresh = SSL_CTX_new(TLS_client_method());
    // One version and one cipher suite, so that all servers do the same cryptography.
    SSL_CTX_set_min_proto_version(fresh, TLS1_3_VERSION);
    if (SSL_CTX_set_ciphersuites(fresh, "TLS_AES_128_GCM_SHA256") != 1) fail("no such cipher suite");
    SSL_CTX_set_mode(fresh, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(fresh, 1);  // one read for many records: the generator has to stay cheap
    SSL_CTX_set_default_read_buffer_len(fresh, 65536);
    return fresh;
  }();
  SSL* ssl = SSL_new(context);
  SSL_set_fd(ssl, fd);
  while (SSL_connect(ssl) != 1) {
    const int error = SSL_get_error(ssl, -1);
    if (error == SSL_ERROR_WANT_READ)
      wait_for(fd, POLLIN);
    else if (error == SSL_ERROR_WANT_WRITE)
      wait_for(fd, POLLOUT);
    else
      fail("the TLS handshake failed");
  }
  return ssl;
}

std::string lowercase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

}  // namespace

int start_connect(std::uint16_t port) {
  static std::uint32_t turn = 0;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) fail_errno("socket");
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  sockaddr_in source{};
  source.sin_family = AF_INET;
  source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + turn++ % 64);
  if (bind(fd, reinterpret_cast<sockaddr*>(&source), sizeof source) != 0) fail_errno("bind");
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(port);
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&server), sizeof server) != 0 && errno != EINPROGRESS) {
    fail_errno("connect");
  }
  return fd;
}

std::string upgrade_request(const Options& options, std::string_view path) {
  std::string request =
      "GET " + std::string(path) + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(options.port) +
      "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + std::string(kKey) +
      "\r\nSec-WebSocket-Version: 13\r\n";
  if (options.deflate) {
    request +=
        "Sec-WebSocket-Extensions: permessage-deflate; "
        "server_no_context_takeover; client_no_context_takeover\r\n";
  }
  return request + "\r\n";
}

bool is_accepted(std::string_view head, const Options& options) {
  if (!head.starts_with("HTTP/1.1 101 ")) return false;
  if (head.find(kAccept) == std::string_view::npos) return false;
  const std::string lower = lowercase(head);
  if (lower.find("\nsec-websocket-accept:") == std::string::npos) return false;
  const bool extended = lower.find("permessage-deflate") != std::string::npos;
  return extended == options.deflate &&
         (!extended || lower.find("server_no_context_takeover") != std::string::npos);
}

namespace {

void request_upgrade(Wire& wire, const Options& options, std::string_view path) {
  wait_for(wire.fd, POLLOUT);
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(wire.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    errno = error;
    fail_errno("connect");
  }
  if (options.tls) wire.ssl = start_tls(wire.fd);
  if (options.mode == "raw") return;
  const std::string request = upgrade_request(options, path);
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(request.data()), request.size());
  if (write_wire(wire, bytes) != bytes.size()) fail("the request did not fit the socket");
}

void finish_upgrade(Wire& wire, const Options& options) {
  std::string head;
  std::uint8_t byte = 0;  // one at a time: what follows the head must stay in the socket
  while (!head.ends_with("\r\n\r\n")) {
    if (head.size() > 4096) fail("the response head is too long");
    if (read_wire(wire, {&byte, 1}) == 1) {
      head.push_back(static_cast<char>(byte));
    } else {
      wait_for(wire.fd, POLLIN);
    }
  }
  if (!is_accepted(head, options)) fail("not the 101 that was asked for:\n" + head);
}

}  // namespace

std::vector<Wire> open_wires(const Options& options, std::string_view path, std::size_t count) {
  std::vector<Wire> wires(count);
  for (std::size_t begin = 0; begin < count; begin += kConnectingMax) {
    const auto batch = std::span(wires).subspan(begin, std::min(kConnectingMax, count - begin));
    for (Wire& wire : batch) wire.fd = start_connect(options.port);
    for (Wire& wire : batch) request_upgrade(wire, options, path);
    if (options.mode == "raw") continue;
    for (Wire& wire : batch) finish_upgrade(wire, options);
  }
  return wires;
}

void close_wire(Wire& wire) {
  if (wire.ssl != nullptr) SSL_free(wire.ssl);
  close(wire.fd);
  wire = Wire{};
}

std::size_t read_wire(Wire& wire, std::span<std::uint8_t> space) {
  if (wire.ssl != nullptr) {
    const int got = SSL_read(wire.ssl, space.data(), static_cast<int>(space.size()));
    if (got > 0) return static_cast<std::size_t>(got);
    if (SSL_get_error(wire.ssl, got) == SSL_ERROR_WANT_READ) return 0;
    fail("TLS read failed");
  }
  const ssize_t got = recv(wire.fd, space.data(), space.size(), 0);
  if (got > 0) return static_cast<std::size_t>(got);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (got == 0) fail("the server closed a connection");
  fail_errno("recv");
}

std::size_t write_wire(Wire& wire, Bytes bytes) {
  if (wire.ssl != nullptr) {
    const int sent = SSL_write(wire.ssl, bytes.data(), static_cast<int>(bytes.size()));
    if (sent > 0) return static_cast<std::size_t>(sent);
    if (SSL_get_error(wire.ssl, sent) == SSL_ERROR_WANT_WRITE) return 0;
    fail("TLS write failed");
  }
  const ssize_t sent = send(wire.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (errno == EAGAIN || errno == EINTR) return 0;
  fail_errno("send");
}

std::string congestion_of(int fd) {
  char name[16] = {};
  socklen_t size = sizeof name;
  if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size) != 0) return "unknown";
  return std::string(name, strnlen(name, sizeof name));
}

}  // namespace load
