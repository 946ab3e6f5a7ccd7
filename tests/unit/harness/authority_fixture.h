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

#define NOW 1800000000LL /* 2027-01-15 */
#define DAY 86400LL

#define COUNT(array) (sizeof(array) / sizeof *(array))

extern const char *const all_files[5];

extern char top[64];    /* a fresh directory for each test */
extern char state[128]; /* top/state */
extern struct authority_files files;
extern struct refusal why;

/* A path in the state directory; the last few stay valid. */
const char *in_state(const char *name);
void put(const char *path, const void *bytes, size_t n);
void put_text(const char *path, const char *text);
gnutls_datum_t get(const char *path);
void copy(const char *from, const char *to);
bool same_bytes(const gnutls_datum_t *a, const gnutls_datum_t *b);
unsigned mode_of(const char *path);
bool is_there(const char *path);
int make_top(void **unused);
int remove_top(void **unused);
int open_at(long long now);
void open_fine(long long now);

/* What is in the state directory, to see what a later start changed. */
struct snapshot {
    gnutls_datum_t bytes[COUNT(all_files)];
};

struct snapshot look(void);
void forget(struct snapshot *seen);

/* The names of the files that differ now, each with a blank after it. */
const char *changed_since(const struct snapshot *before);

/* Would a client that trusts ca.pem accept server.pem for this host at that time? */
bool accepted(const char *host, const char *purpose, long long at);
bool serves(const char *host, long long at);
gnutls_x509_crt_t load_cert(const char *path);
bool pair_fits(void);
long long expiry(void);

/* Runs a check in a process of its own, not as root. */
int as_nobody(int (*check)(void));

/* Ways to damage a server certificate. */
void damage_chain(void);
void lose_cert(void);
