#include "support/certificates.hpp"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace sinnet::test {
namespace {

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Memory = std::unique_ptr<BIO, Freer<BIO_free>>;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "test certificates: %s failed\n", what);
  std::abort();
}

std::string text_of(const Memory& memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate) {
  const Memory memory{BIO_new(BIO_s_mem())};
  require(PEM_write_bio_X509(memory.get(), certificate) == 1, "PEM_write_bio_X509");
  return text_of(memory);
}

std::string pem_of(EVP_PKEY* key, const std::string* pass_phrase) {
  const Memory memory{BIO_new(BIO_s_mem())};
  const EVP_CIPHER* cipher = pass_phrase == nullptr ? nullptr : EVP_aes_128_cbc();
  const char* text = pass_phrase == nullptr ? nullptr : pass_phrase->c_str();
  const int size = pass_phrase == nullptr ? 0 : static_cast<int>(pass_phrase->size());
  require(PEM_write_bio_PKCS8PrivateKey(memory.get(), key, cipher, text, size, nullptr, nullptr) == 1,
          "PEM_write_bio_PKCS8PrivateKey");
  return text_of(memory);
}

void add_entry(X509_NAME* name, const char* field, const std::string& value) {
  if (value.empty()) return;
  require(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(value.data()),
                                     static_cast<int>(value.size()), -1, 0) == 1,
          "X509_NAME_add_entry_by_txt");
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  require(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1, value.c_str());
  X509_EXTENSION_free(extension);
}

Certificate begin_certificate(EVP_PKEY* key, long valid_from_s, long valid_until_s) {
  Certificate certificate{X509_new()};
  X509_set_version(certificate.get(), X509_VERSION_3);
  std::uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), serial >> 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), valid_from_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), valid_until_s);
  require(X509_set_pubkey(certificate.get(), key) == 1, "X509_set_pubkey");
  return certificate;
}

}  // namespace

struct CertificateAuthority::Parts {
  Key key;
  Certificate certificate;
};

CertificateAuthority::CertificateAuthority(const std::string& common_name)
    : parts_(std::make_unique<Parts>()) {
  parts_->key = Key{EVP_EC_gen("P-256")};
  parts_->certificate = begin_certificate(parts_->key.get(), -7200, 86'400);
  X509* own = parts_->certificate.get();
  add_entry(X509_get_subject_name(own), "CN", common_name);
  X509_set_issuer_name(own, X509_get_subject_name(own));
  add_extension(own, own, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(own, own, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(own, own, NID_subject_key_identifier, "hash");
  require(X509_sign(own, parts_->key.get(), EVP_sha256()) > 0, "X509_sign");
  certificate_ = pem_of(own);
}

CertificateAuthority::~CertificateAuthority() = default;

IssuedCertificate CertificateAuthority::issue(const LeafRequest& request) const {
  const Key key{EVP_EC_gen("P-256")};
  const Certificate leaf = begin_certificate(key.get(), request.valid_from_s, request.valid_until_s);
  X509* issuer = parts_->certificate.get();
  add_entry(X509_get_subject_name(leaf.get()), "O", request.organization);
  add_entry(X509_get_subject_name(leaf.get()), "CN", request.common_name);
  X509_set_issuer_name(leaf.get(), X509_get_subject_name(issuer));
  add_extension(leaf.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(leaf.get(), issuer, NID_ext_key_usage, "serverAuth,clientAuth");
  std::string names;
  for (const std::string& name : request.dns_names) names += (names.empty() ? "DNS:" : ",DNS:") + name;
  for (const std::string& address : request.ip_addresses) names += (names.empty() ? "IP:" : ",IP:") + address;
  if (!names.empty()) add_extension(leaf.get(), issuer, NID_subject_alt_name, names);
  require(X509_sign(leaf.get(), parts_->key.get(), EVP_sha256()) > 0, "X509_sign");
  return {pem_of(leaf.get()), pem_of(key.get(), nullptr)};
}

std::string encrypt_key(const std::string& key, const std::string& pass_phrase) {
  const Memory memory{BIO_new_mem_buf(key.data(), static_cast<int>(key.size()))};
  const Key parsed{PEM_read_bio_PrivateKey(memory.get(), nullptr, nullptr, nullptr)};
  require(parsed != nullptr, "PEM_read_bio_PrivateKey");
  return pem_of(parsed.get(), &pass_phrase);
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = std::filesystem::temp_directory_path() / "sinnet-test-XXXXXX";
  require(::mkdtemp(pattern.data()) != nullptr, "mkdtemp");
  folder_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string TemporaryFolder::write(const std::string& name, std::string_view contents) const {
  std::ofstream file{path(name), std::ios::binary | std::ios::trunc};
  file << contents;
  file.close();
  require(!file.fail(), "writing a file");
  return path(name);
}

}  // namespace sinnet::test
