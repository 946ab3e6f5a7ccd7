/* tls_alert.h - the alerts of TLS by name, as RFC 8446 6 and the registry "TLS Alerts" have them.
 * What only older versions had keeps its name there, without "_RESERVED".
 */
#pragma once

/* What a server may send, and close_notify, which ends TLS in order. number, name */
#define TLS_ALERTS_OF_SERVERS(X)                                                                   \
    X(10, unexpected_message)                                                                      \
    X(20, bad_record_mac)                                                                          \
    X(22, record_overflow)                                                                         \
    X(40, handshake_failure)                                                                       \
    X(42, bad_certificate)                                                                         \
    X(43, unsupported_certificate)                                                                 \
    X(44, certificate_revoked)                                                                     \
    X(45, certificate_expired)                                                                     \
    X(46, certificate_unknown)                                                                     \
    X(47, illegal_parameter)                                                                       \
    X(48, unknown_ca)                                                                              \
    X(49, access_denied)                                                                           \
    X(50, decode_error)                                                                            \
    X(51, decrypt_error)                                                                           \
    X(70, protocol_version)                                                                        \
    X(71, insufficient_security)                                                                   \
    X(80, internal_error)                                                                          \
    X(86, inappropriate_fallback)                                                                  \
    X(90, user_canceled)                                                                           \
    X(109, missing_extension)                                                                      \
    X(110, unsupported_extension)                                                                  \
    X(112, unrecognized_name)                                                                      \
    X(115, unknown_psk_identity)                                                                   \
    X(116, certificate_required)                                                                   \
    X(120, no_application_protocol)

/* The others. */
#define TLS_ALERTS_BESIDE(X)                                                                       \
    X(0, close_notify)                                                                             \
    X(21, decryption_failed)                                                                       \
    X(30, decompression_failure)                                                                   \
    X(41, no_certificate)                                                                          \
    X(52, too_many_cids_requested)                                                                 \
    X(60, export_restriction)                                                                      \
    X(100, no_renegotiation)                                                                       \
    X(111, certificate_unobtainable)                                                               \
    X(113, bad_certificate_status_response)                                                        \
    X(114, bad_certificate_hash_value)                                                             \
    X(117, general_error)                                                                          \
    X(121, ech_required)

enum tls_alert {
#define X(number, name) TLS_ALERT_##name = (number),
    TLS_ALERTS_OF_SERVERS(X) TLS_ALERTS_BESIDE(X)
#undef X
};

/* The name; of one that nobody has registered its number. Static memory, until the next call. */
const char *tls_alert_name(int description);
