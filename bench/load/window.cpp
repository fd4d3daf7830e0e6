/// The measured window and the scheduler's statistics. Never touches a socket.
#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "load.hpp"

namespace load {

namespace {

double scheduled_s_of_task(const std::string& path) {
  FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return 0;  // the thread has ended between listing and reading
  unsigned long long nanoseconds = 0;
  if (std::fscanf(file, "%llu", &nanoseconds) != 1) fail("no scheduler statistics in " + path);
  std::fclose(file);
  return static_cast<double>(nanoseconds) * 1e-9;
}

}  // namespace

double scheduled_s(int pid) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/task";
  DIR* tasks = opendir(folder.c_str());
  if (tasks == nullptr) fail_errno(folder);
  double sum = 0;
  while (const dirent* entry = readdir(tasks)) {
    if (entry->d_name[0] != '.') sum += scheduled_s_of_task(folder + "/" + entry->d_name + "/schedstat");
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
  taken.own_s = scheduled_s(getpid());
  if (options_.server_pid != 0) taken.server_s = scheduled_s(options_.server_pid);
  taken.at_s = now_s();
  return taken;
}

bool Window::turn_over(double now, double work) {
  if (open_) {
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
  const double server_s = end_.server_s - begin_.server_s;
  if (work <= 0) fail("nothing came back in the measured window");
  std::printf(
      "{\"mode\":\"%s\",\"connections\":%zu,\"depth\":%zu,\"bytes\":%zu,"
      "\"messages\":%.2f,\"seconds\":%.6f,\"messages_per_s\":%.2f,\"load_busy\":%.4f",
      options_.mode.c_str(), options_.connections, options_.depth, options_.bytes, work, seconds,
      work / seconds, (end_.own_s - begin_.own_s) / seconds);
  if (server_s > 0) {
    std::printf(",\"server_cpu_s\":%.6f,\"server_busy\":%.4f,\"messages_per_server_cpu_s\":%.2f", server_s,
                server_s / seconds, work / server_s);
  }
  std::printf("%s}\n", extra.c_str());
  std::fflush(stdout);
}

}  // namespace load
