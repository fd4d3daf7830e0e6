#pragma once
/// The head of an HTTP/1.1 message (RFC 9112): a strict incremental parser, the parsed heads, body framing
/// and a writer. This file never reads a body, never does I/O and never repairs what a peer sent: what two
/// readers could read differently (request smuggling) is refused.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sinnet/base/bytes.hpp"
#include "sinnet/base/error.hpp"

namespace sinnet::http {

/// One header field: name and value without the whitespace around it. Views; whoever hands one out says how
/// long they live.
struct Field {
  std::string_view name;
  std::string_view value;

  friend bool operator==(const Field&, const Field&) = default;
};

/// ASCII letters equal without case, as field names, tokens and hosts compare. Linear, no locale.
[[nodiscard]] bool equals_case_blind(std::string_view a, std::string_view b) noexcept;

/// RFC 9110 5.6.2: one or more tchar. Methods, field names and protocol names are tokens.
[[nodiscard]] bool is_token(std::string_view text) noexcept;

/// RFC 9110 5.5: HTAB, SP, visible ASCII and bytes from 0x80, with no whitespace at either end. Empty is
/// allowed.
[[nodiscard]] bool is_field_value(std::string_view text) noexcept;

/// RFC 9110 7.2: `uri-host [":" port]`: a name, an IPv4 address or a bracketed IPv6 address; a port in
/// 0–65535. Not empty, no user information.
[[nodiscard]] bool is_host(std::string_view text) noexcept;

/// The registered phrase, `Bad Request` for 400; empty for a status we have no phrase for.
[[nodiscard]] std::string_view reason_of(int status) noexcept;

/// The header fields of one head, in their order on the wire, in one counted block with the head's bytes.
/// Views handed out live as long as any copy of the Headers (or of the head it came from); moving keeps them
/// valid. Lookups are case-blind and linear in the number of fields (bounded by HeadLimits, so no hash to
/// flood).
class Headers {
 public:
  /// Walks the fields; with a name, only those that carry it.
  class Iterator {
   public:
    using value_type = Field;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;

    Iterator() noexcept = default;
    [[nodiscard]] Field operator*() const noexcept { return (*headers_)[index_]; }
    Iterator& operator++() noexcept {
      ++index_;
      skip();
      return *this;
    }
    Iterator operator++(int) noexcept {
      Iterator old = *this;
      ++*this;
      return old;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) noexcept { return a.index_ == b.index_; }

   private:
    friend class Headers;
    Iterator(const Headers& headers, std::size_t index, std::string_view name) noexcept
        : headers_(&headers), index_(index), name_(name) {
      skip();
    }
    void skip() noexcept;

    const Headers* headers_ = nullptr;
    std::size_t index_ = 0;
    std::string_view name_;
  };

  /// The fields of one name: a range of Field. Ends with the Headers it came from.
  struct Matches {
    Iterator first;
    Iterator last;
    [[nodiscard]] Iterator begin() const noexcept { return first; }
    [[nodiscard]] Iterator end() const noexcept { return last; }
  };

  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] Field operator[](std::size_t index) const noexcept;
  [[nodiscard]] Iterator begin() const noexcept { return {*this, 0, {}}; }
  [[nodiscard]] Iterator end() const noexcept { return {*this, count_, {}}; }

  /// The first value of that name; nullopt if there is none.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
  /// The value if the name occurs exactly once; nullopt otherwise.
  [[nodiscard]] std::optional<std::string_view> find_only(std::string_view name) const noexcept;
  [[nodiscard]] std::size_t count(std::string_view name) const noexcept;
  /// Every field of that name (not empty), in order. `name` must live as long as the range.
  [[nodiscard]] Matches all(std::string_view name) const noexcept {
    return {.first = {*this, 0, name}, .last = {*this, count_, name}};
  }
  /// Whether a comma-separated list, spread over any number of fields of that name, holds the token.
  /// Case-blind, linear.
  [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const noexcept;

 private:
  friend class HeadParser;
  struct Entry {  // offsets into the head's text; 16 bits suffice because of head_bytes_ceiling
    std::uint16_t name_offset;
    std::uint16_t name_bytes;
    std::uint16_t value_offset;
    std::uint16_t value_bytes;
  };
  friend class Head;
  Headers() noexcept = default;
  Headers(std::string_view text, std::span<const Entry> entries);
  [[nodiscard]] std::string_view text() const noexcept;
  /// Part of it; empty where there is none.
  [[nodiscard]] std::string_view text(std::size_t offset, std::size_t size_bytes) const noexcept;

  Buffer block_;  // the entries, then the head's bytes
  std::uint16_t count_ = 0;
};

/// RFC 9112 3.2.
enum class TargetForm : std::uint8_t {
  Origin,     ///< `/path?query`
  Absolute,   ///< `http://host/path?query`; the parser made sure that its authority is the Host field's
  Authority,  ///< `host:port`, only with CONNECT
  Asterisk,   ///< `*`, only with OPTIONS
};

/// What the heads of requests and responses have in common. Copying shares the bytes. Views live as long as
/// any copy. Immutable, so any number of threads may read it.
class Head {
 public:
  /// 1 for HTTP/1.1, 0 for HTTP/1.0.
  [[nodiscard]] int version_minor() const noexcept { return version_minor_; }
  [[nodiscard]] const Headers& headers() const noexcept { return headers_; }
  /// The head exactly as received, with the blank line that ends it.
  [[nodiscard]] std::string_view text() const noexcept { return headers_.text(); }
  /// Whether the connection may carry another request behind this exchange (RFC 9112 9.3).
  [[nodiscard]] bool keeps_alive() const noexcept;

 protected:
  Head() noexcept = default;
  [[nodiscard]] std::string_view text(std::size_t offset, std::size_t size_bytes) const noexcept {
    return headers_.text(offset, size_bytes);
  }

 private:
  friend class HeadParser;
  Headers headers_;
  std::uint8_t version_minor_ = 1;
};

/// A request head that HeadParser found sound.
class RequestHead : public Head {
 public:
  /// An empty head: every view is empty. Assign a parsed one.
  RequestHead() noexcept = default;

  [[nodiscard]] std::string_view method() const noexcept { return text(0, method_bytes_); }
  [[nodiscard]] std::string_view target() const noexcept { return text(method_bytes_ + 1U, target_bytes_); }
  [[nodiscard]] TargetForm target_form() const noexcept { return form_; }
  /// Path and query as sent, undecoded: the target itself in origin-form; `/` for an absolute-form without a
  /// path; `*` for asterisk-form; empty for authority-form. Route by this and never by the authority inside a
  /// target.
  [[nodiscard]] std::string_view path_and_query() const noexcept;
  /// The Host field's value, or the target in authority-form; empty in an HTTP/1.0 request without one.
  [[nodiscard]] std::string_view host() const noexcept;

 private:
  friend class HeadParser;
  std::uint16_t method_bytes_ = 0;
  std::uint16_t target_bytes_ = 0;
  TargetForm form_ = TargetForm::Origin;
};

/// A response head that HeadParser found sound.
class ResponseHead : public Head {
 public:
  ResponseHead() noexcept = default;

  /// 100–999.
  [[nodiscard]] int status() const noexcept { return status_; }
  /// May be empty: RFC 9112 4 lets a server leave it out.
  [[nodiscard]] std::string_view reason() const noexcept { return text(reason_offset_, reason_bytes_); }

 private:
  friend class HeadParser;
  std::uint16_t status_ = 0;
  std::uint16_t reason_offset_ = 0;
  std::uint16_t reason_bytes_ = 0;
};

enum class HeadRole : std::uint8_t { Request, Response };

/// No head may be larger whatever the limits say: offsets are 16 bits wide.
inline constexpr std::size_t head_bytes_ceiling = 65535;

/// What a peer may make us hold before it is known. The defaults are what common servers allow.
struct HeadLimits {
  /// start line, fields and blank line; at most head_bytes_ceiling; else 431
  std::uint32_t head_bytes_max = 16 * 1024;
  std::uint32_t target_bytes_max = 8 * 1024;  ///< RFC 9112 3 recommends at least 8000; else 414
  std::uint16_t fields_max = 100;             ///< else 431
};

/// Why a head was refused. The text is static, for logs and the response's body; it repeats nothing the peer
/// sent.
struct HeadError {
  int status = 400;  ///< what to answer: 400, 414, 431, 501 or 505; 502 when it was a response that was bad
  std::string_view reason = {};

  friend bool operator==(const HeadError&, const HeadError&) = default;
};

/// Reads one head after another from a byte stream. Holds nothing between heads; memory grows with the bytes
/// that arrived and never beyond HeadLimits; each byte is looked at once, however the stream is cut (the
/// results do not depend on it).
///
///   state     receive                        → state
///   Reading   no whole head yet              → Reading  (NeedMore: every byte was consumed)
///   Reading   the blank line                 → Taken    (Done: bytes behind it were not consumed)
///   Reading   anything two readers could
///             read differently, or a limit   → Failed   (Failed: every byte was consumed and is gone)
///   Taken     take_request / take_response   → Reading
///   Failed    receive                        → Failed
///
/// An empty line before a request line is refused too, though RFC 9112 2.2 suggests to skip it: no current
/// client sends one. Used on its owner's thread only.
class HeadParser {
 public:
  enum class Status : std::uint8_t { NeedMore, Done, Failed };
  struct Progress {
    Status status = Status::NeedMore;
    std::size_t consumed_bytes = 0;  ///< of this call's input
  };

  /// Requires head_bytes_max <= head_bytes_ceiling.
  explicit HeadParser(HeadRole role, const HeadLimits& limits = {}) noexcept;

  /// Not after Done: take the head first.
  [[nodiscard]] Progress receive(Bytes input);

  /// The head, once, after Done in that role; the parser is then ready for the next one.
  [[nodiscard]] RequestHead take_request() noexcept;
  [[nodiscard]] ResponseHead take_response() noexcept;

  /// After Failed.
  [[nodiscard]] const HeadError& error() const noexcept { return error_; }
  /// No byte of a head has arrived: an end of the stream is clean here, and no head deadline need run.
  [[nodiscard]] bool is_idle() const noexcept { return state_ == State::Reading && held_.empty(); }
  /// How many bytes of an unfinished head are held.
  [[nodiscard]] std::size_t held_bytes() const noexcept { return held_.size(); }

 private:
  enum class State : std::uint8_t { Reading, Taken, Failed };
  enum class Step : std::uint8_t { More, End, Bad };

  Step scan(std::string_view text);
  Step handle_line(std::string_view text, std::size_t line_end);
  Step handle_request_line(std::string_view line);
  Step handle_target(std::string_view method, std::string_view target);
  Step handle_status_line(std::string_view line);
  Step handle_field(std::string_view line);
  Step finish(std::string_view text);
  Step check_host();
  Step refuse(int status, std::string_view reason) noexcept;
  void forget_held() noexcept;

  HeadLimits limits_;
  HeadRole role_;
  State state_ = State::Reading;
  Buffer held_;                          // bytes of an unfinished head
  std::vector<Headers::Entry> entries_;  // its fields so far
  std::uint32_t line_begin_ = 0;         // where the unfinished line starts
  std::uint32_t scanned_ = 0;            // how far it was searched for LF
  RequestHead request_;                  // filled as the lines become known, whole when Taken
  ResponseHead response_;
  HeadError error_;
};

/// How the end of a message's body is found (RFC 9112 6).
struct BodyFraming {
  enum class Kind : std::uint8_t {
    None,
    Length,  ///< exactly length_bytes follow; may be 0
    Chunked,
    UntilClose,  ///< responses only
  };
  Kind kind = Kind::None;
  std::uint64_t length_bytes = 0;

  friend bool operator==(const BodyFraming&, const BodyFraming&) = default;
};

/// Refused, because two readers may disagree: Content-Length with Transfer-Encoding, twice, as a list, or not
/// 1*DIGIT without leading zeros (400); Transfer-Encoding in HTTP/1.0, twice, or not ending in one `chunked`
/// (400), or with any coding before it (501). On an error answer, close, and parse nothing behind the head.
[[nodiscard]] std::expected<BodyFraming, HeadError> body_framing(const RequestHead& head) noexcept;

/// For a response, given the method of its request (HEAD, CONNECT and 1xx, 204, 304 have no body). Errors as
/// above with status 502.
[[nodiscard]] std::expected<BodyFraming, HeadError> body_framing(const ResponseHead& head,
                                                                 std::string_view request_method) noexcept;

/// The start line of a request to write.
struct RequestLine {
  std::string_view method = "GET";
  std::string_view target = "/";  ///< as on the wire: visible ASCII, no SP, no `#`
};

/// The start line of a response to write.
struct StatusLine {
  int status = 200;              ///< 100–999
  std::string_view reason = {};  ///< empty: reason_of(status)
};

/// Appends an HTTP/1.1 head with the fields in their order and the blank line. Answers InvalidArgument, and
/// leaves `out` as it was, when any part holds what must not stand there (CR, LF, NUL, other controls, a name
/// that is no token…): text of users may be handed in without checking it first. Adds no field of its own.
[[nodiscard]] Result<> write_head(std::string& out, const RequestLine& line, std::span<const Field> fields);
[[nodiscard]] Result<> write_head(std::string& out, const StatusLine& line, std::span<const Field> fields);

}  // namespace sinnet::http
