/// Sends back what comes on every stream of every session, until SIGTERM.
///     mux_echo --dialect yamux --url tcp://127.0.0.1:9100
/// Prints a line for each session that is over: streams, the most of them at once, bytes, and the sum of the
/// streams' checksums.

#include "mux_echo.hpp"

namespace {

using namespace sinnet;

class Echo final : public example::EchoHandler {
 public:
  void closed(endpoint::MuxConnection& connection, const endpoint::MuxCloseInfo& info) override {
    EchoHandler::closed(connection, info);
    // The session that we connected for is over; a server waits for the next.
    if (connection.role() == mux::Role::Client && carriers != nullptr) carriers->stop();
  }
  example::Carriers* carriers = nullptr;
};

}  // namespace

int main(int argc, char** argv) {
  example::Flags flags = example::parse_flags(argc, argv, mux::Role::Server, false);
  auto echo = std::make_shared<Echo>();
  example::Carriers carriers(std::move(flags), echo);
  echo->carriers = &carriers;
  return carriers.run() ? 0 : 1;
}
