#include "io/tls_failure.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>

namespace sinnet::io {
namespace {

std::string reason_of(unsigned long error) {
  if (error == 0) return "unknown reason";
  if (const char* text = ERR_reason_error_string(error); text != nullptr) return text;
  return "error " + std::to_string(ERR_GET_REASON(error));
}

std::string verification_reason(const ssl_st* ssl) {
  const long result = SSL_get_verify_result(ssl);
  std::string text = "certificate refused: ";
  text += X509_verify_cert_error_string(result);
  X509_VERIFY_PARAM* parameters = SSL_get0_param(const_cast<ssl_st*>(ssl));
  if (result == X509_V_ERR_HOSTNAME_MISMATCH) {
    if (const char* host = X509_VERIFY_PARAM_get0_host(parameters, 0); host != nullptr) {
      text.append(" (expected ").append(host).append(")");
    }
  } else if (result == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    if (char* address = X509_VERIFY_PARAM_get1_ip_asc(parameters); address != nullptr) {
      text.append(" (expected ").append(address).append(")");
      OPENSSL_free(address);
    }
  }
  return text;
}

}  // namespace

std::string take_newest_reason() {
  std::string text = reason_of(ERR_peek_last_error());
  ERR_clear_error();
  return text;
}

std::string take_connection_reason(ssl_st* ssl) {
  const unsigned long error = ERR_peek_error();
  const int reason = ERR_GET_REASON(error);
  std::string text;
  if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    text = verification_reason(ssl);
  } else if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET &&
             reason <= SSL_AD_REASON_OFFSET + 255) {
    // OpenSSL numbers received alerts as reasons from 1000 on; its texts name ancient protocol versions.
    text = "the peer sent the alert ";
    text += SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET);
  } else {
    text = reason_of(error);
  }
  ERR_clear_error();
  return text;
}

}  // namespace sinnet::io
