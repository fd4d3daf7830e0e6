#pragma once
/// StaticFiles: files below one directory as HTTP responses, with types, validators and ranges (RFC 9110 13,
/// 14). It never leaves its directory, whatever the path says, and never holds a whole large file.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sinnet/base/bytes.hpp"
#include "sinnet/http/head.hpp"

namespace sinnet::endpoint {

/// The rest of a file under way to a client. Owns the descriptor.
class FileBody {
 public:
  FileBody(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept
      : fd_(fd), offset_(offset), remaining_(bytes) {}
  FileBody(const FileBody&) = delete;
  FileBody& operator=(const FileBody&) = delete;
  ~FileBody();

  /// At most `bytes_max` more bytes. Empty before `is_over()`: the file shrank or cannot be read; the
  /// response is broken.
  [[nodiscard]] Buffer next(std::size_t bytes_max);
  [[nodiscard]] bool is_over() const noexcept { return remaining_ == 0; }

 private:
  int fd_;
  std::uint64_t offset_;
  std::uint64_t remaining_;
};

/// An answer to write: a whole head, and behind it `text` or `body`, at most one of them (neither: no body,
/// or HEAD).
struct FileAnswer {
  int status = 200;
  std::string head;
  Buffer text;                     ///< a short body: what an error says
  std::unique_ptr<FileBody> body;  ///< null, or not over yet
};

/// Immutable; any thread. Reads files with blocking calls: they come from the page cache or a local disk.
class StaticFiles {
 public:
  StaticFiles(std::string directory, std::string index);

  /// Answers GET and HEAD (405 otherwise) for `relative_path`: decoded, normalised, without a leading slash;
  /// "" or a path that ends with a slash is the directory's index. A directory without its slash is
  /// redirected (308). 404 for what is not a regular file inside the directory. Symbolic links are followed
  /// while they stay inside; absolute ones count as leading outside. `keeps_alive` decides `Connection`.
  [[nodiscard]] FileAnswer answer(const http::RequestHead& head, std::string_view relative_path,
                                  bool keeps_alive) const;

 private:
  std::string directory_;
  std::string index_;
};

}  // namespace sinnet::endpoint
