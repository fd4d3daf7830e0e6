// Stands in for the server while there is none, so that the command line can be built and tested by itself.

#include "daemon/serve.hpp"

namespace sinnet::daemon {

[[gnu::weak]] int serve(const Config&) { return 1; }

}  // namespace sinnet::daemon
