/* ready.h - what is said on stdout when the server is ready. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* What there is to say. */
struct ready {
    json_t *listeners;     /* by name: their port and addresses (listener_address) */
    const char *ca;        /* the CA's file; NULL: a certificate of one's own */
    json_t *mode;          /* as GET /v1/mode */
    const char *case_name; /* NULL: none */
};

/* Writes one JSON line, for whoever started us; or for_people, lines with addresses to open and how
 * to trust the CA. Takes both references. Returns 0 or -errno: it could not be written. */
int ready_say(const struct ready *ready, bool for_people);
