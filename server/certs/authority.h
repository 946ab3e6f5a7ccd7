/* authority.h - the local CA.
 *
 * At the first start it mints, in the state directory,
 *     ca-key.pem ca.pem ca.der       a CA of its own (ECDSA P-256, 10 years)
 *     server-key.pem server.pem      a server certificate by it (ECDSA P-256, serverAuth, 397 days;
 *                                    server.pem is the chain)
 * and keeps them for later starts. The server certificate is made anew when less than 30 days are
 * left, when the wanted names changed, when key and certificate do not match, or when either file
 * is damaged; the CA only when its files are missing altogether (a damaged one is refused:
 * making a new one would silently break the trust people set up). Keys are 0600, the directory 0700
 * if we make it; files are written to a temporary name, synced and renamed, so that a full disk or
 * a crash leaves no half file. Two servers starting at once on one directory agree (flock).
 */
#pragma once

#include <stddef.h>

#include "base/refusal.h"

struct authority_files {
    char ca_pem[512], ca_der[512], cert[512], key[512]; /* paths */
};

/* names: extra SAN entries (--name), each a DNS name (a "*." first label is fine) or an IP address;
 * localhost, 127.0.0.1, ::1, host.docker.internal and the host name are always there. now is the
 * wall clock in seconds (0: the real one; tests pass others).
 * Returns 0, BAD_INPUT (a bad name: where is "--name"; an unusable state directory or a damaged
 * authority: where is the path) or -errno. */
int authority_open(const char *state_dir, const char *const *names, size_t name_count,
                   long long now, struct authority_files *out, struct refusal *why);
