/* admin.h - the admin API: drives the server, reads the ledger. See docs/admin-api.md. */
#pragma once

#include <stdbool.h>

#include "base/refusal.h"

struct admin;
struct catalogue;
struct listener;
struct trials;
struct uv_loop_s;

struct admin_config {
    struct uv_loop_s *loop;
    struct trials *trials; /* with the default one */
    struct catalogue *catalogue;
    const char *address;      /* as listener_open takes it */
    const char *token;        /* bearer token asked for on /v1; NULL: none */
    const char *const *names; /* further host names that Host may carry (--name) */
    unsigned name_count;
    const char *ca_pem, *ca_der; /* paths; NULL with --cert */
};

/* Starts listening. Returns 0, BAD_INPUT or -errno. */
int admin_start(const struct admin_config *config, struct admin **out, struct refusal *why);
struct listener *admin_listener(struct admin *a);

/* Listens no more, answers waiting calls, and stops once each response on its way was taken, or
 * after two seconds. Then calls stopped; memory goes once the loop has closed its handles. */
void admin_stop(struct admin *a, void (*stopped)(void *arg), void *arg);
