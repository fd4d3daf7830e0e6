#pragma once
/// Certificates made while a test runs: an authority, leaves for servers and clients, and a folder to put
/// them in. EC P-256 keys, so that one takes well under a millisecond. Nothing here is for use outside tests.
/// A test that uses it links OpenSSL::SSL.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sinnet::test {

/// A certificate and its private key, both PEM.
struct IssuedCertificate {
  std::string certificate;
  std::string key;
};

struct LeafRequest {
  std::string common_name = "leaf";
  std::string organization{};  ///< "" for none
  std::vector<std::string> dns_names{};
  std::vector<std::string> ip_addresses{};
  /// Validity, in seconds from now. Both negative: expired.
  long valid_from_s = -3600;
  long valid_until_s = 3600;
};

class CertificateAuthority {
 public:
  explicit CertificateAuthority(const std::string& common_name);
  ~CertificateAuthority();

  /// PEM of the self-signed certificate.
  [[nodiscard]] const std::string& certificate() const { return certificate_; }
  [[nodiscard]] IssuedCertificate issue(const LeafRequest& request) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
  std::string certificate_;
};

/// The same key, encrypted with a pass phrase.
[[nodiscard]] std::string encrypt_key(const std::string& key, const std::string& pass_phrase);

/// A folder of its own under the system's temporary one, removed with everything in it at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  /// Writes (or replaces) a file; answers its path.
  std::string write(const std::string& name, std::string_view contents) const;
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }

 private:
  std::string folder_;
};

}  // namespace sinnet::test
