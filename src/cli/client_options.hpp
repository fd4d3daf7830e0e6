#pragma once
/// The options that say how to open a WebSocket, shared by the verbs that do, and what a failed opening means
/// for the exit code.

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command_line.hpp"
#include "sinnet/endpoint/client.hpp"

namespace sinnet::cli {

/// -H, -s, --origin, --ca, --insecure, --cert, --key, --proxy, --timeout, and `own` in front of them. Lives
/// as long as the program.
[[nodiscard]] std::vector<Option> with_client_options(std::vector<Option> own);

/// From the options above. `url` decides whether the proxy of the environment (`wss_proxy` and `https_proxy`,
/// `ws_proxy` and `http_proxy`, then `all_proxy`) is asked: not for a host that `no_proxy` names.
/// An error is half a sentence.
[[nodiscard]] std::expected<endpoint::ClientOptions, std::string> client_options(const Arguments& arguments,
                                                                                 std::string_view url);

/// What a person types: "localhost:8080/chat" means ws://.
[[nodiscard]] std::string complete_url(std::string_view typed);

/// Whether `no_proxy` ("example.com,.corp,10.0.0.1,*") names the host: itself, or a domain above it.
[[nodiscard]] bool is_spared_by(std::string_view no_proxy, std::string_view host) noexcept;

/// Unreachable for what never answered, TimedOut, Usage for what cannot be asked, Failed for every refusal.
[[nodiscard]] Exit exit_of(const endpoint::OpenFailure& failure) noexcept;
[[nodiscard]] Exit exit_of(const Error& error) noexcept;

/// A duration, size or count given to an option; nothing, after complaining, if it cannot be read.
[[nodiscard]] std::optional<Duration> duration_option(const Arguments& arguments, std::string_view option,
                                                      Duration otherwise);
[[nodiscard]] std::optional<std::uint64_t> size_option(const Arguments& arguments, std::string_view option,
                                                       std::uint64_t otherwise);
[[nodiscard]] std::optional<std::uint64_t> count_option(const Arguments& arguments, std::string_view option,
                                                        std::uint64_t otherwise);

}  // namespace sinnet::cli
