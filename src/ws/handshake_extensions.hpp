#pragma once
/// Reads Sec-WebSocket-Extensions (RFC 6455 9.1) and the parameters of permessage-deflate in it (RFC
/// 7692 7.1), and writes them. Never decides what to agree to.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sinnet/ws/deflate.hpp"

namespace sinnet::ws {

/// Walks one field value forwards only: every character is looked at once, whatever it is.
///
///   extension-list = 1#( token *( ";" token [ "=" ( token | quoted-string ) ] ) )
class ExtensionReader {
 public:
  enum class Item : std::uint8_t { Extension, Parameter, End, Malformed };

  explicit ExtensionReader(std::string_view list) noexcept : rest_(list) {}

  /// End and Malformed repeat.
  [[nodiscard]] Item next();
  /// Of the extension or parameter just met: a view of the list.
  [[nodiscard]] std::string_view name() const noexcept { return name_; }
  /// The parameter's value without quotes and escapes, if it has one. Ends with the next call of next().
  [[nodiscard]] std::optional<std::string_view> value() const noexcept {
    return has_value_ ? std::optional<std::string_view>{value_} : std::nullopt;
  }

 private:
  void skip_blanks() noexcept;
  [[nodiscard]] bool skip(char c) noexcept;
  [[nodiscard]] bool read_name() noexcept;
  [[nodiscard]] bool read_value();
  [[nodiscard]] bool read_quoted();
  Item end_with(Item item) noexcept;

  std::string_view rest_;
  std::string_view name_;
  std::string value_;
  bool has_value_ = false;
  bool in_element_ = false;  // behind an extension's name, where `;` or `,` may follow
  bool seen_any_ = false;
  bool malformed_ = false;
};

/// The parameters of one permessage-deflate element as they stood there.
struct DeflateElement {
  bool is_sound = true;  ///< every parameter known, at most once, with a value it may have (RFC 7692 7.1)
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  bool has_client_max_window_bits = false;
  std::optional<std::uint8_t> server_max_window_bits;  ///< 8–15
  std::optional<std::uint8_t>
      client_max_window_bits;  ///< 8–15; may be missing although the parameter is there
};

/// What one or several fields listed.
struct ExtensionList {
  bool is_malformed = false;
  bool has_unknown = false;  ///< an extension other than permessage-deflate
  std::vector<DeflateElement> deflate;
};

/// Adds what one field lists.
void read_extensions(std::string_view field_value, ExtensionList& list);

/// The element a client offers for these options.
[[nodiscard]] std::string write_deflate_offer(const DeflateOptions& options);

/// The element a server answers. `states_server_window` names the window even when it is 15.
[[nodiscard]] std::string write_deflate_answer(const DeflateParameters& parameters,
                                               bool states_server_window);

}  // namespace sinnet::ws
