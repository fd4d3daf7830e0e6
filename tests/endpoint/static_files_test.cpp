/// endpoint::StaticFiles: what stays inside the directory, validators, ranges, and files that change under
/// way.

#include "endpoint/static_files.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "support/scratch.hpp"

namespace sinnet::endpoint {
namespace {

class StaticFilesTest : public testing::Test {
 protected:
  StaticFilesTest() {
    scratch_.write("outside.txt", "secret");
    scratch_.write("root/hello.txt", "0123456789");
    scratch_.write("root/index.html", "<p>root");
    scratch_.write("root/sub/index.html", "<p>sub");
    scratch_.write("root/empty.bin", "");
  }

  static http::RequestHead parse(const std::string& text) {
    http::HeadParser parser(http::HeadRole::Request);
    EXPECT_EQ(parser.receive(as_bytes(text)).status, http::HeadParser::Status::Done) << text;
    return parser.take_request();
  }
  FileAnswer ask(std::string_view path, const std::string& fields = "", const std::string& method = "GET",
                 bool keeps_alive = true, std::string target = "") const {
    if (target.empty()) target = "/" + std::string(path);
    for (char& c : target) c = c > ' ' && c < '\x7f' ? c : '_';
    return files_.answer(parse(method + ' ' + target + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n"), path,
                         keeps_alive);
  }
  static std::string read(const FileAnswer& answer, std::size_t step = 4) {
    std::string all;
    while (answer.body != nullptr && !answer.body->is_over()) {
      const Buffer piece = answer.body->next(step);
      if (piece.empty()) return all + "!";
      EXPECT_LE(piece.size(), step);
      all += as_text(piece.bytes());
    }
    return all;
  }
  static std::string field(const FileAnswer& answer, std::string_view name) {
    http::HeadParser parser(http::HeadRole::Response);
    EXPECT_EQ(parser.receive(as_bytes(answer.head)).status, http::HeadParser::Status::Done);
    const http::ResponseHead head = parser.take_response();
    EXPECT_EQ(head.status(), answer.status);
    return std::string(head.headers().find_only(name).value_or("(none)"));
  }

  test::ScratchDirectory scratch_;
  StaticFiles files_{scratch_.path("root"), "index.html"};
};

TEST_F(StaticFilesTest, AnswersAFileWithItsTypeAndValidators) {
  const FileAnswer answer = ask("hello.txt");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(field(answer, "content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(field(answer, "content-length"), "10");
  EXPECT_EQ(field(answer, "accept-ranges"), "bytes");
  EXPECT_EQ(field(answer, "x-content-type-options"), "nosniff");
  EXPECT_EQ(field(answer, "cache-control"), "no-cache");
  EXPECT_EQ(field(answer, "connection"), "(none)");
  EXPECT_EQ(field(answer, "date").size(), 29U);
  EXPECT_EQ(field(answer, "last-modified").size(), 29U);
  EXPECT_TRUE(field(answer, "etag").starts_with('"'));
  EXPECT_EQ(read(answer), "0123456789");
  EXPECT_EQ(field(ask("hello.txt", "", "GET", false), "connection"), "close");
}

TEST_F(StaticFilesTest, AnswersHeadWithTheSameFieldsAndNoBody) {
  const FileAnswer answer = ask("hello.txt", "Range: bytes=0-1\r\n", "HEAD");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(field(answer, "content-length"), "10");
  EXPECT_EQ(answer.body, nullptr);
  const FileAnswer missing = ask("missing", "", "HEAD");
  EXPECT_EQ(missing.status, 404);
  EXPECT_TRUE(missing.text.empty());
}

TEST_F(StaticFilesTest, RefusesOtherMethodsAndNamesThoseItTakes) {
  const FileAnswer answer = ask("hello.txt", "", "POST");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(field(answer, "allow"), "GET, HEAD");
  EXPECT_EQ(std::to_string(answer.text.size()), field(answer, "content-length"));
}

TEST_F(StaticFilesTest, NeverLeavesItsDirectory) {
  std::filesystem::create_symlink("../outside.txt", scratch_.path("root/link.txt"));
  std::filesystem::create_symlink(scratch_.path("outside.txt"), scratch_.path("root/absolute.txt"));
  std::filesystem::create_directory_symlink("..", scratch_.path("root/up"));
  using namespace std::string_view_literals;
  for (const std::string_view path :
       {"../outside.txt"sv, "sub/../../outside.txt"sv, "link.txt"sv, "absolute.txt"sv, "up/outside.txt"sv,
        "/etc/passwd"sv, "//etc/passwd"sv, "hello.txt\0.html"sv, "hello.txt/"sv, ".."sv, "../"sv}) {
    const FileAnswer answer = ask(path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.body, nullptr) << path;
    EXPECT_EQ(as_text(answer.text.bytes()), "Not Found\n");
    EXPECT_EQ(field(answer, "content-type"), "text/plain; charset=utf-8");
  }
}

TEST_F(StaticFilesTest, FollowsLinksThatStayInside) {
  std::filesystem::create_symlink("../hello.txt", scratch_.path("root/sub/link.txt"));
  EXPECT_EQ(read(ask("sub/link.txt")), "0123456789");
}

TEST_F(StaticFilesTest, AnswersRegularFilesOnly) {
  ASSERT_EQ(::mkfifo(scratch_.path("root/pipe").c_str(), 0600), 0);
  EXPECT_EQ(ask("pipe").status, 404);  // and it came back: nobody writes into the pipe
}

TEST_F(StaticFilesTest, AnswersTheIndexOfADirectoryAndRedirectsToItsSlash) {
  EXPECT_EQ(read(ask("")), "<p>root");
  EXPECT_EQ(read(ask("sub/")), "<p>sub");
  EXPECT_EQ(field(ask("sub/"), "content-type"), "text/html; charset=utf-8");
  const FileAnswer answer = ask("sub", "", "GET", true, "/files/sub?a=/b");
  EXPECT_EQ(answer.status, 308);
  EXPECT_EQ(field(answer, "location"), "./sub/?a=/b");
  // A target that browsers would read as another host leads nowhere else.
  EXPECT_EQ(field(ask("sub", "", "GET", true, "//evil.example/..//sub"), "location"), "./sub/");
  EXPECT_EQ(ask("sub", "", "GET", true, "/sub/").status, 404);
  EXPECT_EQ(StaticFiles(scratch_.path("root"), "")
                .answer(parse("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "", true)
                .status,
            404);
}

TEST_F(StaticFilesTest, AnswersOneRange) {
  const FileAnswer middle = ask("hello.txt", "Range: bytes=2-5\r\n");
  EXPECT_EQ(middle.status, 206);
  EXPECT_EQ(field(middle, "content-range"), "bytes 2-5/10");
  EXPECT_EQ(field(middle, "content-length"), "4");
  EXPECT_EQ(read(middle), "2345");
  EXPECT_EQ(read(ask("hello.txt", "Range: bytes=-3\r\n")), "789");
  EXPECT_EQ(read(ask("hello.txt", "Range: bytes=8-\r\n")), "89");
  EXPECT_EQ(ask("hello.txt", "Range: bytes=0-1,4-5\r\n").status, 200);
  const FileAnswer beyond = ask("hello.txt", "Range: bytes=10-\r\n");
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(field(beyond, "content-range"), "bytes */10");
}

TEST_F(StaticFilesTest, AnswersConditions) {
  const FileAnswer whole = ask("hello.txt");
  const std::string tag = field(whole, "etag");
  const std::string modified = field(whole, "last-modified");
  const FileAnswer unchanged =
      ask("hello.txt", "If-None-Match: \"other\"\r\nIf-None-Match: W/" + tag + "\r\n");
  EXPECT_EQ(unchanged.status, 304);
  EXPECT_EQ(field(unchanged, "etag"), tag);
  EXPECT_EQ(field(unchanged, "content-length"), "(none)");
  EXPECT_EQ(unchanged.body, nullptr);
  EXPECT_EQ(ask("hello.txt", "If-Modified-Since: " + modified + "\r\n").status, 304);
  EXPECT_EQ(ask("hello.txt", "If-None-Match: \"other\"\r\n").status, 200);
  EXPECT_EQ(ask("hello.txt", "If-Match: \"other\"\r\n").status, 412);
  EXPECT_EQ(ask("hello.txt", "Range: bytes=0-1\r\nIf-Range: " + tag + "\r\n").status, 206);
  EXPECT_EQ(ask("hello.txt", "Range: bytes=0-1\r\nIf-Range: \"other\"\r\n").status, 200);
}

TEST_F(StaticFilesTest, AnswersAnEmptyFile) {
  const FileAnswer answer = ask("empty.bin");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(field(answer, "content-length"), "0");
  EXPECT_EQ(answer.body, nullptr);
}

TEST_F(StaticFilesTest, ReadsABigFileInSteps) {
  std::string content(3 * 1024 * 1024 + 5, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 31 / 7);
  scratch_.write("root/big.bin", content);
  EXPECT_TRUE(read(ask("big.bin"), 64 * 1024) == content);
}

TEST_F(StaticFilesTest, AFileThatShrinksBreaksTheResponseAndAFileThatGrowsDoesNot) {
  const FileAnswer shrinking = ask("hello.txt");
  EXPECT_EQ(as_text(shrinking.body->next(3).bytes()), "012");
  std::filesystem::resize_file(scratch_.path("root/hello.txt"), 5);
  EXPECT_EQ(read(shrinking), "34!");
  EXPECT_FALSE(shrinking.body->is_over());

  const FileAnswer growing = ask("hello.txt");
  std::filesystem::resize_file(scratch_.path("root/hello.txt"), 50);
  EXPECT_EQ(read(growing), "01234");
}

}  // namespace
}  // namespace sinnet::endpoint
