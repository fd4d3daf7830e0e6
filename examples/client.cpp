/// Says one thing to a server and prints the first thing it hears.
///     example_client [URL [TEXT]]

#include <chrono>
#include <cstdio>

#include "sinnet/endpoint/client.hpp"

int main(int argc, char** argv) {
  auto ws = sinnet::connect(argc > 1 ? argv[1] : "ws://127.0.0.1:9001/chat");
  if (!ws) {
    std::fprintf(stderr, "%s\n", ws.error().message.c_str());
    return 1;
  }
  (void)(*ws)->send_text(argc > 2 ? argv[2] : "hello");
  auto heard = (*ws)->receive(std::chrono::seconds(5));  // an error, too, if the sending failed
  if (!heard) {
    std::fprintf(stderr, "%s\n", heard.error().message.c_str());
    return 1;
  }
  std::printf("%.*s\n", static_cast<int>(heard->text().size()), heard->text().data());
  (*ws)->close();
}
