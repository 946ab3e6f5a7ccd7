/* keylog.h - the secrets of TLS sessions in a file, in the SSLKEYLOGFILE format, with which
 * Wireshark decrypts what it has captured.
 *
 * GnuTLS would do so by itself when SSLKEYLOGFILE is set, but not in a program with file
 * capabilities: there it does not trust the environment, and says nothing.
 */
#pragma once

#include <gnutls/gnutls.h>

#include "base/refusal.h"

struct keylog;

/* Opens a file to append to; a new one is for its owner alone (0600). Nothing blocks: a FIFO needs
 * a reader, and what it does not take is lost. Returns 0, BAD_INPUT (why->where is "--keylog") or
 * -ENOMEM. */
int keylog_open(const char *file, struct keylog **out, struct refusal *why);

/* Writes a line: the label, the session's client random, the secret. One that cannot be written is
 * counted; the first of them is in the log. */
void keylog_write(struct keylog *k, gnutls_session_t session, const char *label,
                  const gnutls_datum_t *secret);

/* For an established session: writes what GnuTLS leaves out, the line of a resumed one of TLS 1.2.
 */
void keylog_established(struct keylog *k, gnutls_session_t session);

/* Says in the log how many lines are missing, if any. NULL is fine. */
void keylog_close(struct keylog *k);
