/* tls.h - the server's TLS credentials. Sessions belong to their wire (wire.c, tls.c). */
#pragma once

#include "base/refusal.h"

struct keylog;
struct tls_server;

/* Loads a PEM chain and its key, makes the session ticket key. TLS 1.2 and 1.3.
 * Returns 0, BAD_INPUT (unreadable, not PEM, key and certificate do not match) or -errno. */
int tls_server_create(const char *cert_file, const char *key_file, struct tls_server **out,
                      struct refusal *why);
/* Sessions made from now on write their secrets there; it is borrowed. */
void tls_server_set_keylog(struct tls_server *server, struct keylog *keylog);
/* The file of the CA that clients are to trust; it is borrowed. NULL: not known. */
void tls_server_set_ca(struct tls_server *server, const char *ca_file);
void tls_server_destroy(struct tls_server *server);
