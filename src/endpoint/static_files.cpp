/// Files below one directory: opening them safely, and the head each request asks for. It knows no
/// connection.

#include "endpoint/static_files.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "sinnet/http/conditional.hpp"
#include "sinnet/http/date.hpp"
#include "sinnet/http/media_type.hpp"
#include "sinnet/http/range.hpp"

namespace sinnet::endpoint {
namespace {

/// RESOLVE_BENEATH answers EAGAIN when something was renamed meanwhile; more than this in a row is no
/// accident.
constexpr int open_attempts_max = 8;

/// A descriptor on the stack.
class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// Opens a file below `directory` for reading; -1 and errno. The kernel walks the path, so no check can be
/// overtaken by a rename. O_NONBLOCK: a FIFO in the way must not hold the shard.
int open_beneath(const std::string& directory, const std::string& path) noexcept {
  const Descriptor base(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (base.fd() < 0) return -1;
  open_how how{};
  how.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  long fd = -1;
  for (int attempt = 0; attempt < open_attempts_max; ++attempt) {
    fd = ::syscall(SYS_openat2, base.fd(), path.c_str(), &how, sizeof(how));
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
  }
  return static_cast<int>(fd);
}

/// What to answer when a file could not be opened. That it exists but is forbidden is nobody's business.
int status_of(int error) noexcept {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case EPERM:
    case EXDEV:  // RESOLVE_BENEATH: it leads outside
    case ELOOP:
    case ENAMETOOLONG:
    case ENXIO: return 404;  // a socket
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN: return 503;
    default: return 500;
  }
}

http::WallTime wall_now() noexcept {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

/// Gathers the fields of one head. Values are kept by the caller or in `texts`.
class Answer {
 public:
  Answer(int status, http::WallTime now, bool keeps_alive) : status_(status), date_(http::write_date(now)) {
    add("Date", {date_.data(), date_.size()});
    if (!keeps_alive) add("Connection", "close");
  }
  void add(std::string_view name, std::string_view value) {
    fields_.push_back({.name = name, .value = value});
  }

  [[nodiscard]] FileAnswer write() const {
    FileAnswer answer;
    answer.status = status_;
    [[maybe_unused]] const auto written =
        http::write_head(answer.head, http::StatusLine{.status = status_, .reason = {}}, fields_);
    assert(written.has_value());
    return answer;
  }
  /// With a line of text as its body.
  [[nodiscard]] FileAnswer write_text(bool is_head) {
    std::string text{http::reason_of(status_)};
    text += '\n';
    const std::string length = std::to_string(text.size());
    add("Content-Type", "text/plain; charset=utf-8");
    add("X-Content-Type-Options", "nosniff");
    add("Content-Length", length);
    FileAnswer answer = write();
    if (!is_head) answer.text = Buffer::copy_of(as_bytes(text));
    return answer;
  }

 private:
  int status_;
  std::array<char, http::date_bytes> date_;
  std::vector<http::Field> fields_;
};

/// RFC 9110 5.3: several lines of one list are one list.
std::optional<std::string> joined(const http::Headers& headers, std::string_view name) {
  std::optional<std::string> list;
  for (const http::Field field : headers.all(name)) {
    if (list.has_value()) {
      *list += ',';
      *list += field.value;
    } else {
      list.emplace(field.value);
    }
  }
  return list;
}

/// Where a directory without its slash is redirected to: relative to itself, so that neither a proxy's prefix
/// nor a target that begins with two slashes can lead elsewhere. nullopt: it has its slash.
std::optional<std::string> with_slash(std::string_view path_and_query) {
  const std::size_t question = std::min(path_and_query.find('?'), path_and_query.size());
  const std::string_view path = path_and_query.substr(0, question);
  const std::string_view segment = path.substr(path.rfind('/') + 1);
  if (segment.empty()) return std::nullopt;
  std::string location = "./";
  location += segment;
  location += '/';
  location += path_and_query.substr(question);
  return location;
}

/// What is known of a file that is open.
struct File {
  std::uint64_t size_bytes;
  std::string entity_tag;
  std::optional<http::WallTime> modified;
};

File describe(const struct stat& status, http::WallTime now) {
  File file{.size_bytes = static_cast<std::uint64_t>(status.st_size), .entity_tag = {}, .modified = {}};
  const std::int64_t seconds = status.st_mtim.tv_sec;
  const auto bits = static_cast<std::uint64_t>(seconds) * 1'000'000'000U +
                    static_cast<std::uint64_t>(status.st_mtim.tv_nsec);  // may wrap: it is only compared
  file.entity_tag = http::make_entity_tag(static_cast<std::int64_t>(bits), file.size_bytes);
  // RFC 9110 8.8.2.1: never later than the response's Date.
  if (seconds >= 0) file.modified = std::min(http::WallTime(std::chrono::seconds(seconds)), now);
  return file;
}

FileAnswer answer_file(const http::RequestHead& head, Descriptor descriptor, const File& file,
                       std::string_view media_type, http::WallTime now, bool keeps_alive) {
  const bool is_head = head.method() == "HEAD";
  const http::Headers& headers = head.headers();
  const auto if_match = joined(headers, "if-match");
  const auto if_none_match = joined(headers, "if-none-match");
  const http::Preconditions preconditions{.if_match = if_match,
                                          .if_none_match = if_none_match,
                                          .if_modified_since = headers.find_only("if-modified-since"),
                                          .if_unmodified_since = headers.find_only("if-unmodified-since"),
                                          .if_range = headers.find("if-range")};
  const http::Validators validators{.entity_tag = file.entity_tag, .modified = file.modified};
  const http::Verdict verdict = http::evaluate_preconditions(preconditions, validators, true, now);
  if (verdict == http::Verdict::PreconditionFailed) return Answer(412, now, keeps_alive).write_text(is_head);

  http::RangeAnswer range;
  const auto wanted = headers.find_only("range");
  if (verdict == http::Verdict::Proceed && wanted.has_value() && !is_head &&
      http::if_range_holds(preconditions, validators, now)) {
    range = http::evaluate_range(*wanted, file.size_bytes);
  }
  if (range.outcome == http::RangeOutcome::Unsatisfiable) {
    const std::string content_range = http::write_unsatisfied_range(file.size_bytes);
    Answer answer(416, now, keeps_alive);
    answer.add("Content-Range", content_range);
    return answer.write_text(is_head);
  }

  const bool is_partial = range.outcome == http::RangeOutcome::Partial;
  const bool is_unchanged = verdict == http::Verdict::NotModified;
  const std::uint64_t offset = is_partial ? range.first : 0;
  const std::uint64_t bytes = is_partial ? range.last - range.first + 1 : file.size_bytes;
  const std::string length = std::to_string(bytes);
  const std::string content_range = is_partial ? http::write_content_range(range, file.size_bytes) : "";
  Answer answer(is_unchanged ? 304 : is_partial ? 206 : 200, now, keeps_alive);
  answer.add("ETag", file.entity_tag);
  std::array<char, http::date_bytes> modified;
  if (file.modified.has_value()) {
    modified = http::write_date(*file.modified);
    answer.add("Last-Modified", {modified.data(), modified.size()});
  }
  answer.add("Cache-Control", "no-cache");
  if (!is_unchanged) {  // RFC 9110 15.4.5: a 304 says nothing about what it does not send
    answer.add("Content-Type", media_type);
    answer.add("X-Content-Type-Options", "nosniff");
    answer.add("Accept-Ranges", "bytes");
    if (is_partial) answer.add("Content-Range", content_range);
    answer.add("Content-Length", length);
  }
  FileAnswer written = answer.write();
  if (!is_unchanged && !is_head && bytes > 0) {
    written.body = std::make_unique<FileBody>(descriptor.release(), offset, bytes);
  }
  return written;
}

}  // namespace

FileBody::~FileBody() { ::close(fd_); }

Buffer FileBody::next(std::size_t bytes_max) {
  Buffer piece = Buffer::allocate(static_cast<std::size_t>(std::min<std::uint64_t>(bytes_max, remaining_)));
  const MutableBytes room = piece.mutable_bytes();
  ssize_t count = -1;
  do {
    count = ::pread(fd_, room.data(), room.size(), static_cast<off_t>(offset_));
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return {};
  const auto bytes = static_cast<std::size_t>(count);
  piece.resize(bytes);
  offset_ += bytes;
  remaining_ -= bytes;
  return piece;
}

StaticFiles::StaticFiles(std::string directory, std::string index)
    : directory_(std::move(directory)), index_(std::move(index)) {}

FileAnswer StaticFiles::answer(const http::RequestHead& head, std::string_view relative_path,
                               bool keeps_alive) const {
  const http::WallTime now = wall_now();
  const bool is_head = head.method() == "HEAD";
  const auto refuse = [&](int status) { return Answer(status, now, keeps_alive).write_text(is_head); };
  if (!is_head && head.method() != "GET") {
    Answer answer(405, now, keeps_alive);
    answer.add("Allow", "GET, HEAD");
    return answer.write_text(is_head);
  }

  std::string path{relative_path};
  const bool wants_index = path.empty() || path.ends_with('/');
  if (wants_index && index_.empty()) return refuse(404);
  if (wants_index) path += index_;
  if (path.find('\0') != std::string::npos) return refuse(404);  // the kernel would see less than we did
  Descriptor descriptor(open_beneath(directory_, path));
  if (descriptor.fd() < 0) return refuse(status_of(errno));
  struct stat status{};
  if (::fstat(descriptor.fd(), &status) != 0) return refuse(500);
  if (S_ISDIR(status.st_mode) && !wants_index) {
    const auto location = with_slash(head.path_and_query());
    if (!location.has_value()) return refuse(404);
    Answer answer(308, now, keeps_alive);
    answer.add("Location", *location);
    return answer.write_text(is_head);
  }
  if (!S_ISREG(status.st_mode)) return refuse(404);
  return answer_file(head, std::move(descriptor), describe(status, now), http::media_type_of(path), now,
                     keeps_alive);
}

}  // namespace sinnet::endpoint
