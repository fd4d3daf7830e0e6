/// libwebsockets as an echo and fan-out server, on libuv where Debian's build has it (else poll).
/// Never gathers a message: it echoes pieces as they come, as the library's own examples do.
#include <libwebsockets.h>

#include <cstring>
#include <deque>
#include <memory>
#include <new>
#include <unordered_set>
#include <vector>

#include "arguments.hpp"

namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;  // the most one receive callback hands over
constexpr std::size_t kQueuedMax = 32;          // pieces per connection before reading pauses

/// Part of a message with the room in front that lws_write wants for the header.
struct Piece {
  std::vector<unsigned char> bytes;
  int flags = 0;
};

struct Session {
  std::deque<std::shared_ptr<Piece>> queue;
  std::vector<unsigned char> publication;
  bool publishes = false;
  bool paused = false;
};

std::unordered_set<lws*> subscribers;

std::shared_ptr<Piece> make_piece(const void* data, std::size_t size, int flags) {
  auto piece = std::make_shared<Piece>();
  piece->bytes.resize(LWS_PRE + size);
  if (size > 0) std::memcpy(piece->bytes.data() + LWS_PRE, data, size);
  piece->flags = flags;
  return piece;
}

void handle_open(lws* connection, Session* session) {
  new (session) Session;
  char path[64] = {};
  lws_hdr_copy(connection, path, sizeof path, WSI_TOKEN_GET_URI);
  session->publishes = std::strcmp(path, "/publish") == 0;
  if (std::strcmp(path, "/fanout") == 0) subscribers.insert(connection);
  // zlib's default level, which the other peers use; fails, harmlessly, when nothing was negotiated.
  lws_set_extension_option(connection, "permessage-deflate", "compression_level", "6");
}

void handle_publication(lws* connection, Session& session, const void* data, std::size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  session.publication.insert(session.publication.end(), bytes, bytes + size);
  if (lws_is_final_fragment(connection) == 0) return;
  const auto piece = make_piece(session.publication.data(), session.publication.size(),
                                lws_frame_is_binary(connection) != 0 ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
  session.publication.clear();
  for (lws* subscriber : subscribers) {
    static_cast<Session*>(lws_wsi_user(subscriber))->queue.push_back(piece);
    lws_callback_on_writable(subscriber);
  }
}

void handle_message(lws* connection, Session& session, const void* data, std::size_t size) {
  if (session.publishes) return handle_publication(connection, session, data, size);
  const int flags =
      lws_write_ws_flags(lws_frame_is_binary(connection) != 0 ? LWS_WRITE_BINARY : LWS_WRITE_TEXT,
                         lws_is_first_fragment(connection), lws_is_final_fragment(connection));
  session.queue.push_back(make_piece(data, size, flags));
  lws_callback_on_writable(connection);
  if (!session.paused && session.queue.size() >= kQueuedMax) {
    session.paused = true;
    lws_rx_flow_control(connection, 0);
  }
}

int handle_writable(lws* connection, Session& session) {
  while (!session.queue.empty()) {
    const auto piece = std::move(session.queue.front());
    session.queue.pop_front();
    const std::size_t size = piece->bytes.size() - LWS_PRE;
    const int written = lws_write(connection, piece->bytes.data() + LWS_PRE, size,
                                  static_cast<lws_write_protocol>(piece->flags));
    if (written < static_cast<int>(size)) return -1;
    if (lws_send_pipe_choked(connection) != 0) break;
  }
  if (!session.queue.empty()) lws_callback_on_writable(connection);
  if (session.paused && session.queue.size() < kQueuedMax / 2) {
    session.paused = false;
    lws_rx_flow_control(connection, 1);
  }
  return 0;
}

int handle(lws* connection, lws_callback_reasons reason, void* user, void* data, std::size_t size) {
  auto* session = static_cast<Session*>(user);
  switch (reason) {
    case LWS_CALLBACK_ESTABLISHED: handle_open(connection, session); return 0;
    case LWS_CALLBACK_RECEIVE: handle_message(connection, *session, data, size); return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE: return handle_writable(connection, *session);
    case LWS_CALLBACK_CLOSED:
      subscribers.erase(connection);
      session->~Session();
      return 0;
    default: return 0;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const peer::Arguments arguments = peer::parse_arguments(argc, argv);
  lws_set_log_level(LLL_ERR, nullptr);
  const lws_protocols protocols[] = {{"echo", handle, sizeof(Session), kPieceBytes, 0, nullptr, 0},
                                     {nullptr, nullptr, 0, 0, 0, nullptr, 0}};
  const lws_extension extensions[] = {
      {"permessage-deflate", lws_extension_callback_pm_deflate,
       "permessage-deflate; client_no_context_takeover; server_no_context_takeover"},
      {nullptr, nullptr, nullptr}};
  lws_context_creation_info info{};
  info.port = arguments.port;
  info.iface = "127.0.0.1";
  info.protocols = protocols;
  if (arguments.deflate) info.extensions = extensions;
  info.pt_serv_buf_size = kPieceBytes;
  info.options = LWS_SERVER_OPTION_VALIDATE_UTF8;
#ifdef LWS_WITH_LIBUV
  info.options |= LWS_SERVER_OPTION_LIBUV;
#endif
  if (!arguments.certificate.empty()) {
    info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info.ssl_cert_filepath = arguments.certificate.c_str();
    info.ssl_private_key_filepath = arguments.key.c_str();
  }
  lws_context* context = lws_create_context(&info);
  if (context == nullptr) return 1;
  peer::tell_ready();
  while (lws_service(context, 0) >= 0) {
  }
  lws_context_destroy(context);
}
