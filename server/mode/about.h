/* about.h - what a mode is about, read from its document: for listings and docs.
 *
 * A document here is whole (catalogue_resolved) and right (mode_check).
 */
#pragma once

#include <jansson.h>

/* The groups of modes, in the order of a listing; the last one, with the name NULL, is for modes
 * without a group. */
struct mode_group {
    const char *name, *title;
};
extern const struct mode_group mode_groups[];

/* The row of a document's group. */
const struct mode_group *mode_group_of(const json_t *whole);

/* OVER_*: the protocols over which at least one of its rules can fire. */
unsigned mode_over(const json_t *whole);
/* The same as an array of their names ("h1"). New reference; NULL without memory. */
json_t *mode_over_list(const json_t *whole);
/* The same of a set of protocols. */
json_t *mode_over_names(unsigned over);

/* What the steps need of the machine, by their rows: an array of {"capability", "for", "with"}: the
 * Linux capability, our name for what it allows, and the parameter's value with which it is needed
 * ("how=black_hole"; left out: always). New reference; NULL without memory. */
json_t *mode_needs(const json_t *whole);
