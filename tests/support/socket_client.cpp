#include "support/socket_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace sinnet::test {
namespace {

constexpr unsigned close_opcode = 8;
constexpr unsigned ping_opcode = 9;

bool wait_for(int fd, short events, int milliseconds) {
  pollfd entry{.fd = fd, .events = events, .revents = 0};
  int count = 0;
  do {
    count = ::poll(&entry, 1, milliseconds);
  } while (count < 0 && errno == EINTR);
  return count > 0;
}

void append_big_endian(std::string& out, std::uint64_t value, unsigned bytes) {
  for (unsigned i = bytes; i-- > 0;) out += static_cast<char>((value >> (8 * i)) & 0xff);
}

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

}  // namespace

unsigned WireFrame::close_code() const {
  if (opcode != close_opcode) return 0;
  return payload.size() < 2 ? 1005
                            : static_cast<unsigned>(big_endian(std::string_view(payload).substr(0, 2)));
}

std::string wire_header(unsigned opcode, std::uint64_t length, FrameShape shape) {
  std::string out;
  out += static_cast<char>((shape.fin ? 0x80U : 0U) | shape.rsv << 4 | opcode);
  const unsigned mask_bit = shape.masked ? 0x80U : 0U;
  const unsigned wide = shape.length_bytes != 0 ? shape.length_bytes
                        : length < 126          ? 0
                        : length <= 0xffff      ? 2
                                                : 8;
  out += static_cast<char>(mask_bit | (wide == 0 ? static_cast<unsigned>(length) : wide == 2 ? 126U : 127U));
  append_big_endian(out, length, wide);
  if (shape.masked) append_big_endian(out, shape.mask, 4);
  return out;
}

std::string wire_frame(unsigned opcode, std::string_view payload, FrameShape shape) {
  std::string out = wire_header(opcode, payload.size(), shape);
  for (std::size_t i = 0; i < payload.size(); ++i) {
    const std::uint32_t key = shape.masked ? shape.mask >> (8 * (3 - i % 4)) & 0xff : 0;
    out += static_cast<char>(static_cast<unsigned char>(payload[i]) ^ key);
  }
  return out;
}

std::string close_payload(unsigned code, std::string_view reason) {
  std::string out;
  append_big_endian(out, code, 2);
  return out += reason;
}

std::string upgrade_head(std::string_view target, std::string_view extra) {
  std::string head = "GET ";
  head += target;
  head += " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ";
  head += sample_key;
  head += "\r\nSec-WebSocket-Version: 13\r\n";
  head += extra;
  return head += "\r\n";
}

int status_of(std::string_view response) {
  constexpr std::string_view start = "HTTP/1.1 ";
  return response.starts_with(start) ? std::atoi(std::string(response.substr(start.size(), 3)).c_str()) : 0;
}

SocketClient SocketClient::tcp(unsigned port, std::string_view source, int receive_bytes) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return {};
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (receive_bytes > 0) ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  bool is_ready = true;
  if (source != "127.0.0.1") {
    ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    ::inet_pton(AF_INET, std::string(source).c_str(), &address.sin_addr);
    is_ready = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (is_ready && ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
    return SocketClient(fd);
  ::close(fd);
  return {};
}

SocketClient SocketClient::unix_path(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return {};
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return {};
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return SocketClient(fd);
  ::close(fd);
  return {};
}

SocketClient::SocketClient(SocketClient&& other) noexcept
    : deadline_ms(other.deadline_ms),
      fd_(std::exchange(other.fd_, -1)),
      ended_(other.ended_),
      input_(std::move(other.input_)) {}

SocketClient& SocketClient::operator=(SocketClient&& other) noexcept {
  std::swap(deadline_ms, other.deadline_ms);
  std::swap(fd_, other.fd_);
  std::swap(ended_, other.ended_);
  std::swap(input_, other.input_);
  return *this;
}

SocketClient::~SocketClient() { close(); }

void SocketClient::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void SocketClient::reset() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  if (fd_ >= 0) ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

void SocketClient::shutdown_write() {
  if (fd_ >= 0) ::shutdown(fd_, SHUT_WR);
}

bool SocketClient::send(std::string_view data) {
  while (!data.empty()) {
    if (fd_ < 0 || !wait_for(fd_, POLLOUT, deadline_ms)) return false;
    const ssize_t count = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (count > 0) data.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool SocketClient::send_pieces(std::string_view data, std::size_t piece_bytes) {
  while (!data.empty()) {
    const std::string_view piece = data.substr(0, piece_bytes);
    if (!send(piece)) return false;
    data.remove_prefix(piece.size());
  }
  return true;
}

std::size_t SocketClient::send_until_blocked(std::string_view pattern, std::size_t bytes_max, int quiet_ms) {
  std::size_t sent = 0;
  while (sent < bytes_max && wait_for(fd_, POLLOUT, quiet_ms)) {
    const std::string_view rest = pattern.substr(sent % pattern.size());
    const ssize_t count = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN && errno != EINTR) break;
    if (count > 0) sent += static_cast<std::size_t>(count);
  }
  return sent;
}

bool SocketClient::fill() {
  if (fd_ < 0 || ended_ || !wait_for(fd_, POLLIN, deadline_ms)) return false;
  std::array<char, 64 * 1024> piece;
  const ssize_t count = ::recv(fd_, piece.data(), piece.size(), 0);
  if (count <= 0) {
    ended_ = true;
    return false;
  }
  input_.append(piece.data(), static_cast<std::size_t>(count));
  return true;
}

std::string SocketClient::read_until(std::string_view end) {
  std::size_t place = input_.find(end);
  while (place == std::string::npos && fill()) place = input_.find(end);
  const std::size_t count = place == std::string::npos ? input_.size() : place + end.size();
  std::string out = input_.substr(0, count);
  input_.erase(0, count);
  return out;
}

std::string SocketClient::read_exactly(std::size_t count) {
  while (input_.size() < count && fill()) {
  }
  std::string out = input_.substr(0, count);
  input_.erase(0, count);
  return out;
}

std::string SocketClient::read_to_end() {
  while (fill()) {
  }
  return std::exchange(input_, {});
}

bool SocketClient::waits_for_end() {
  while (fill()) input_.clear();
  return ended_;
}

bool SocketClient::stays_silent(int milliseconds) {
  return input_.empty() && !wait_for(fd_, POLLIN, milliseconds);
}

std::string SocketClient::upgrade(std::string_view target, std::string_view extra) {
  send(upgrade_head(target, extra));
  return read_until("\r\n\r\n");
}

bool SocketClient::send_frame(unsigned opcode, std::string_view payload, FrameShape shape) {
  return send(wire_frame(opcode, payload, shape));
}

std::optional<WireFrame> SocketClient::read_frame() {
  std::string header = read_exactly(2);
  if (header.size() < 2) return std::nullopt;
  const auto first = static_cast<unsigned char>(header[0]);
  const auto second = static_cast<unsigned char>(header[1]);
  WireFrame frame{.opcode = first & 0x0fU,
                  .fin = (first & 0x80U) != 0,
                  .rsv = (first >> 4) & 7U,
                  .masked = (second & 0x80U) != 0,
                  .payload = {}};
  std::uint64_t length = second & 0x7fU;
  if (length == 126) length = big_endian(read_exactly(2));
  if (length == 127) length = big_endian(read_exactly(8));
  frame.payload = read_exactly(length);
  if (frame.payload.size() != length) return std::nullopt;
  return frame;
}

unsigned SocketClient::read_close_code() {
  while (const auto frame = read_frame()) {
    if (frame->opcode == close_opcode) return frame->close_code();
  }
  return 0;
}

bool SocketClient::echoes(std::string_view text) {
  if (!send_frame(1, text)) return false;
  while (const auto frame = read_frame()) {
    if (frame->opcode == ping_opcode) continue;
    return frame->opcode == 1 && frame->payload == text;
  }
  return false;
}

}  // namespace sinnet::test
