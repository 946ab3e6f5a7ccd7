/* authority_fixture.h - a fresh state directory for each test, and eyes on what is in it. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <gnutls/x509.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "certs/authority.h"
#include "tests/count.h"

#define NOW 1800000000LL /* 2027-01-15 */
#define DAY 86400LL

extern const char *const fixture_all_files[5];

extern char fixture_top[64];    /* a fresh directory for each test */
extern char fixture_state[128]; /* top/state */
extern struct authority_files fixture_files;
extern struct refusal fixture_why;

/* A path in the state directory; the last few stay valid. */
const char *fixture_path(const char *name);
void fixture_put(const char *path, const void *bytes, size_t n);
void fixture_put_text(const char *path, const char *text);
gnutls_datum_t fixture_get(const char *path);
void fixture_copy(const char *from, const char *to);
bool fixture_same_bytes(const gnutls_datum_t *a, const gnutls_datum_t *b);
unsigned fixture_mode_of(const char *path);
bool fixture_is_there(const char *path);
int fixture_make_top(void **unused);
int fixture_remove_top(void **unused);
int fixture_open_at(long long now);
void fixture_open(long long now);

/* What is in the state directory, to see what a later start changed. */
struct snapshot {
    gnutls_datum_t bytes[COUNT(fixture_all_files)];
};

struct snapshot fixture_look(void);
void fixture_forget(struct snapshot *seen);

/* The names of the files that differ now, each with a blank after it. */
const char *fixture_changed_since(const struct snapshot *before);

/* Would a client that trusts ca.pem accept server.pem for this host at that time? */
bool fixture_accepted(const char *host, const char *purpose, long long at);
bool fixture_serves(const char *host, long long at);
gnutls_x509_crt_t fixture_load_cert(const char *path);
bool fixture_pair_fits(void);
long long fixture_expiry(void);

/* Runs a check in a process of its own, not as root. */
int fixture_as_nobody(int (*check)(void));

/* Ways to damage a server certificate. */
void fixture_damage_chain(void);
void fixture_lose_cert(void);
