#include "cli/client_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "cli/output.hpp"
#include "daemon/config_text.hpp"
#include "sinnet/http/head.hpp"
#include "sinnet/http/url.hpp"

namespace sinnet::cli {
namespace {

constexpr std::array shared_options{
    Option{"-H,--header", "'K: V'", "one more field of the request", true},
    Option{"-s,--subprotocol", "PROTO", "a subprotocol to offer, most wanted first", true},
    Option{"--origin", "O", "the Origin to send"},
    Option{"--ca", "FILE", "trust these issuers (PEM) instead of the system's"},
    Option{"--insecure", "", "accept any certificate"},
    Option{"--cert", "FILE", "the certificate to show (PEM)"},
    Option{"--key", "FILE", "its private key, if it is not in the same file"},
    Option{"--proxy", "URL", "http://[user:password@]host:port; \"\" for none. Default: the environment's"},
    Option{"--timeout", "DURATION", "for the whole opening (default 15s)"},
};

/// The first of these variables that is set.
std::string environment(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  }
  return {};
}

std::string environment_proxy(std::string_view url) {
  const auto parsed = http::parse_url(url);
  if (!parsed || is_spared_by(environment({"no_proxy", "NO_PROXY"}), parsed->host)) return {};
  // HTTP_PROXY in capitals is a request's "Proxy:" field in a CGI program, so it is not looked at.
  std::string proxy = parsed->is_secure() ? environment({"wss_proxy", "https_proxy", "HTTPS_PROXY"})
                                          : environment({"ws_proxy", "http_proxy"});
  if (proxy.empty()) proxy = environment({"all_proxy", "ALL_PROXY"});
  if (!proxy.empty() && proxy.find("://") == proxy.npos) proxy.insert(0, "http://");
  return proxy;
}

template <class T, class Parse>
std::optional<T> read_option(const Arguments& arguments, std::string_view option, T otherwise, Parse parse) {
  const std::optional<std::string> typed = arguments.value(option);
  if (!typed) return otherwise;
  const auto read = parse(*typed);
  if (read) return static_cast<T>(*read);
  complain(fmt::format("{}: {}", option, read.error()));
  return std::nullopt;
}

}  // namespace

std::vector<Option> with_client_options(std::vector<Option> own) {
  own.insert(own.end(), shared_options.begin(), shared_options.end());
  return own;
}

std::expected<endpoint::ClientOptions, std::string> client_options(const Arguments& arguments,
                                                                   std::string_view url) {
  endpoint::ClientOptions options;
  for (const std::string& header : arguments.values("--header")) {
    const std::size_t colon = header.find(':');
    if (colon == header.npos) {
      return std::unexpected(fmt::format("--header: expected \"Name: value\", got \"{}\"", header));
    }
    const std::size_t value = header.find_first_not_of(" \t", colon + 1);
    options.headers.emplace_back(header.substr(0, colon), value == header.npos ? "" : header.substr(value));
  }
  options.protocols = arguments.values("--subprotocol");
  options.origin = arguments.value("--origin").value_or("");
  options.tls.ca_file = arguments.value("--ca").value_or("");
  options.tls.insecure = arguments.has("--insecure");
  options.tls.certificate.certificate_file = arguments.value("--cert").value_or("");
  options.tls.certificate.key_file =
      arguments.value("--key").value_or(options.tls.certificate.certificate_file);
  if (arguments.has("--key") && !arguments.has("--cert")) return std::unexpected("--key needs --cert");
  options.proxy = arguments.has("--proxy") ? *arguments.value("--proxy") : environment_proxy(url);
  if (const auto timeout = arguments.value("--timeout")) {
    const auto read = daemon::parse_duration(*timeout);
    if (!read) return std::unexpected("--timeout: " + read.error());
    options.open_timeout = *read;
  }
  return options;
}

std::string complete_url(std::string_view typed) {
  const bool has_scheme = typed.find("://") != typed.npos || typed.starts_with("ws+unix:");
  return has_scheme ? std::string(typed) : "ws://" + std::string(typed);
}

bool is_spared_by(std::string_view no_proxy, std::string_view host) noexcept {
  while (!no_proxy.empty()) {
    const std::size_t comma = std::min(no_proxy.find(','), no_proxy.size());
    std::string_view name = no_proxy.substr(0, comma);
    no_proxy.remove_prefix(std::min(comma + 1, no_proxy.size()));
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    if (name == "*") return true;
    if (name.starts_with('.')) name.remove_prefix(1);
    if (name.empty() || host.size() < name.size()) continue;
    const std::string_view tail = host.substr(host.size() - name.size());
    const bool at_label = host.size() == name.size() || host[host.size() - name.size() - 1] == '.';
    if (at_label && http::equals_case_blind(tail, name)) return true;
  }
  return false;
}

Exit exit_of(const Error& error) noexcept {
  switch (error.code) {
    case ErrorCode::InvalidArgument: return Exit::Usage;
    case ErrorCode::TimedOut: return Exit::TimedOut;
    case ErrorCode::NotFound:
    case ErrorCode::Refused:
    case ErrorCode::Unreachable: return Exit::Unreachable;
    default: return Exit::Failed;
  }
}

Exit exit_of(const endpoint::OpenFailure& failure) noexcept {
  return failure.status != 0 ? Exit::Failed : exit_of(failure.error);
}

std::optional<Duration> duration_option(const Arguments& arguments, std::string_view option,
                                        Duration otherwise) {
  return read_option(arguments, option, otherwise, daemon::parse_duration);
}

std::optional<std::uint64_t> size_option(const Arguments& arguments, std::string_view option,
                                         std::uint64_t otherwise) {
  return read_option(arguments, option, otherwise, daemon::parse_size);
}

std::optional<std::uint64_t> count_option(const Arguments& arguments, std::string_view option,
                                          std::uint64_t otherwise) {
  return read_option(arguments, option, otherwise, daemon::parse_count);
}

}  // namespace sinnet::cli
