/// The load generator's command line. Never measures anything itself.
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "load.hpp"

namespace load {

namespace {

[[noreturn]] void usage(const std::string& mistake) {
  std::fprintf(stderr,
               "load: %s\n"
               "usage: load echo|raw|connect|fanout|idle --port PORT [option...]\n"
               "  --connections N   (fanout: subscribers on /fanout; one more publishes on /publish)\n"
               "  --depth N         messages in flight per connection\n"
               "  --bytes N         payload bytes of a message\n"
               "  --warmup S --duration S\n"
               "  --server-pid PID  measure that process's CPU in the same window\n"
               "  --text --deflate --tls --path PATH\n",
               mistake.c_str());
  std::exit(1);
}

double parse_number(const char* text, const std::string& name) {
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  if (end == text || *end != '\0' || !(value >= 0) || value > 1e12) usage(name + " wants a number");
  return value;
}

bool set_switch(Options& options, const std::string& name) {
  if (name == "--text") return options.text = true;
  if (name == "--deflate") return options.deflate = options.text = true;
  if (name == "--tls") return options.tls = true;
  return false;
}

void set_value(Options& options, const std::string& name, const char* text) {
  if (name == "--path") {
    options.path = text;
    return;
  }
  const double value = parse_number(text, name);
  if (name == "--port")
    options.port = static_cast<std::uint16_t>(value);
  else if (name == "--connections")
    options.connections = static_cast<std::size_t>(value);
  else if (name == "--depth")
    options.depth = static_cast<std::size_t>(value);
  else if (name == "--bytes")
    options.bytes = static_cast<std::size_t>(value);
  else if (name == "--warmup")
    options.warmup_s = value;
  else if (name == "--duration")
    options.duration_s = value;
  else if (name == "--server-pid")
    options.server_pid = static_cast<int>(value);
  else
    usage("unknown option " + name);
}

}  // namespace

Options parse_options(int argc, char** argv) {
  if (argc < 2) usage("which mode?");
  Options options;
  options.mode = argv[1];
  for (int i = 2; i < argc; ++i) {
    const std::string name = argv[i];
    if (set_switch(options, name)) continue;
    if (i + 1 == argc) usage(name + " wants a value");
    set_value(options, name, argv[++i]);
  }
  if (options.port == 0) usage("--port is missing");
  if (options.connections == 0 || options.depth == 0) usage("--connections and --depth begin at 1");
  return options;
}

}  // namespace load

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const load::Options options = load::parse_options(argc, argv);
  if (options.mode == "echo" || options.mode == "raw") return load::run_echo(options);
  if (options.mode == "connect") return load::run_connect(options);
  if (options.mode == "fanout") return load::run_fanout(options);
  if (options.mode == "idle") return load::run_idle(options);
  std::fprintf(stderr, "load: unknown mode %s\n", options.mode.c_str());
  return 1;
}
