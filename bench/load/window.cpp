/// The measured window and the scheduler's statistics. Never touches a socket.
#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "load.hpp"

namespace load {

namespace {

constexpr double kPatienceS = 10;  // for the first message of the window

void add_task(const std::string& path, Scheduled& sum) {
  FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return;  // the thread has ended between listing and reading
  unsigned long long ran_ns = 0, waited_ns = 0;
  const int fields = std::fscanf(file, "%llu %llu", &ran_ns, &waited_ns);
  std::fclose(file);
  if (fields != 2) return;  // it ended between opening and reading
  sum.ran_s += static_cast<double>(ran_ns) * 1e-9;
  sum.waited_s += static_cast<double>(waited_ns) * 1e-9;
  ++sum.tasks;
}

}  // namespace

Scheduled scheduled(int pid) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/task";
  DIR* tasks = opendir(folder.c_str());
  if (tasks == nullptr) fail_errno(folder);
  Scheduled sum;
  while (const dirent* entry = readdir(tasks)) {
    if (entry->d_name[0] != '.') add_task(folder + "/" + entry->d_name + "/schedstat", sum);
  }
  closedir(tasks);
  return sum;
}

std::uint64_t resident_bytes(int pid) {
  FILE* file = std::fopen(("/proc/" + std::to_string(pid) + "/statm").c_str(), "re");
  if (file == nullptr) fail_errno("statm");
  unsigned long long size = 0, resident = 0;
  if (std::fscanf(file, "%llu %llu", &size, &resident) != 2) fail("statm is not as expected");
  std::fclose(file);
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

Window::Window(const Options& options) : options_(options), next_s_(now_s() + options.warmup_s) {}

Window::Sample Window::sample(double work) const {
  Sample taken;
  taken.work = work;
  taken.own = scheduled(getpid());
  if (options_.server_pid != 0) taken.server = scheduled(options_.server_pid);
  taken.at_s = now_s();
  return taken;
}

bool Window::turn_over(double now, double work) {
  if (open_) {
    // A run too short for one message (a smoke test on a loaded machine) goes on until there is one.
    if (work <= begin_.work && now < begin_.at_s + options_.duration_s + kPatienceS) {
      next_s_ = now + options_.duration_s;
      return true;
    }
    end_ = sample(work);
    return false;
  }
  begin_ = sample(work);
  open_ = true;
  next_s_ = now + options_.duration_s;
  return true;
}

int Window::wait_ms() const { return std::max(1, static_cast<int>((next_s_ - now_s()) * 1000)); }

void Window::print(const std::string& extra) const {
  const double seconds = end_.at_s - begin_.at_s;
  const double work = end_.work - begin_.work;
  const double server_s = end_.server.ran_s - begin_.server.ran_s;
  if (work <= 0) fail("nothing came back in the measured window");
  std::printf(
      "{\"mode\":\"%s\",\"connections\":%zu,\"depth\":%zu,\"bytes\":%zu,"
      "\"messages\":%.2f,\"seconds\":%.6f,\"messages_per_s\":%.2f,\"load_busy\":%.4f,\"load_waited\":%.4f",
      options_.mode.c_str(), options_.connections, options_.depth, options_.bytes, work, seconds,
      work / seconds, (end_.own.ran_s - begin_.own.ran_s) / seconds,
      (end_.own.waited_s - begin_.own.waited_s) / seconds);
  if (server_s > 0) {
    std::printf(",\"server_cpu_s\":%.6f,\"server_busy\":%.4f,\"messages_per_server_cpu_s\":%.2f", server_s,
                server_s / seconds, work / server_s);
    std::printf(",\"server_threads\":%d,\"server_waited\":%.4f", end_.server.tasks,
                (end_.server.waited_s - begin_.server.waited_s) / seconds);
  }
  std::printf("%s}\n", extra.c_str());
  std::fflush(stdout);
}

}  // namespace load
