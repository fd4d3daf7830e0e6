#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "sinnet/io/signals.hpp"

namespace sinnet::io {
namespace {

constexpr Duration settle_time = std::chrono::milliseconds{100};
constexpr std::uint32_t folder_events =
    IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_ONLYDIR;
// As many links as the kernel follows in one path (MAXSYMLINKS).
constexpr int links_max = 40;

}  // namespace

Result<std::unique_ptr<FileWatcher>> FileWatcher::create(Loop& loop, std::vector<std::string> paths,
                                                         Callback callback) {
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return std::unexpected(Error::from_errno(errno, "inotify_init1"));
  std::unique_ptr<FileWatcher> watcher(new FileWatcher(loop, fd, std::move(callback)));
  for (std::string& path : paths) {
    if (auto watching = watcher->watch_folders(path); !watching) return std::unexpected(watching.error());
    const Identity identity = identify(path);
    watcher->files_.push_back({std::move(path), identity});
  }
  if (auto watching = loop.watch(fd, EPOLLIN, *watcher); !watching) return std::unexpected(watching.error());
  return watcher;
}

FileWatcher::~FileWatcher() {
  loop_.unwatch(fd_, *this);
  ::close(fd_);
}

// The folder of the path, and those of each link it leads through: certbot's live/ points into archive/, and
// a mounted secret's file through "..data", which is what changes there. Watching a folder twice is watching
// it once.
Result<> FileWatcher::watch_folders(const std::string& path) {
  std::filesystem::path step = path;
  for (int links = 0; links < links_max; ++links) {
    const std::filesystem::path folder =
        step.has_parent_path() ? step.parent_path() : std::filesystem::path(".");
    if (::inotify_add_watch(fd_, folder.c_str(), folder_events) < 0 && links == 0) {
      return std::unexpected(Error::from_errno(errno, "watch " + folder.string()));
    }
    std::error_code error;
    const std::filesystem::path real_folder = std::filesystem::canonical(folder, error);
    if (!error) ::inotify_add_watch(fd_, real_folder.c_str(), folder_events);
    std::error_code not_a_link;
    const std::filesystem::path target = std::filesystem::read_symlink(step, not_a_link);
    if (not_a_link) break;
    step = folder / target;  // an absolute target replaces the folder
  }
  return {};
}

FileWatcher::Identity FileWatcher::identify(const std::string& path) {
  struct stat file{};
  if (::stat(path.c_str(), &file) != 0) return {};
  return {file.st_dev, file.st_ino, file.st_size, file.st_ctim.tv_sec * 1'000'000'000 + file.st_ctim.tv_nsec};
}

// Which name changed does not matter: every watched path is compared, which also covers an overflowing queue.
void FileWatcher::handle_events(std::uint32_t /*events*/) {
  alignas(inotify_event) std::array<char, 4096> events;
  while (::read(fd_, events.data(), events.size()) > 0) {
  }
  loop_.arm(*this, loop_.now() + settle_time);
}

void FileWatcher::handle_timer() {
  for (File& file : files_) {
    const Identity now = identify(file.path);
    if (now == file.identity) continue;
    file.identity = now;
    static_cast<void>(watch_folders(file.path));  // links may lead elsewhere now
    callback_(file.path);
  }
}

}  // namespace sinnet::io
