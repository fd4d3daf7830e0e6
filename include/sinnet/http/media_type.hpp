#pragma once
/// The Content-Type of a file by its name. Never looks at the content (sniffing is how text becomes script).

#include <string_view>

namespace sinnet::http {

/// By the extension of the last path segment, case-blind; text types say charset=utf-8.
/// "application/octet-stream" if the extension is unknown or missing (".profile" has none). A view of static
/// storage.
[[nodiscard]] std::string_view media_type_of(std::string_view path) noexcept;

}  // namespace sinnet::http
