/* catalogue.h - the modes there are: the built-in ones, compiled into the binary from
 * modes/catalogue, and the tester's own.
 *
 * A mode can extend another one: it inherits its members (but for the name) where it has none of
 * its own. Members of its "params" that are no objects are other defaults for inherited parameters,
 * objects declare parameters, new or anew; its rules come behind the inherited ones. What is looked
 * up is the document as it was written; what is compiled, and what catalogue_resolved gives, is
 * whole.
 */
#pragma once

#include <jansson.h>

#include <stdint.h>

#include "mode/mode.h"

struct catalogue;

/* With the built-in modes. NULL without memory. */
struct catalogue *catalogue_create(void);
void catalogue_destroy(struct catalogue *c);

/* Adds every *.json of a directory (--modes), which may extend each other; all or none. BAD_INPUT:
 * where is "FILE: $.path". */
int catalogue_load(struct catalogue *c, const char *dir, struct refusal *why);

/* Adds or replaces a user mode after checking it, and those that extend it. A built-in name is
 * refused, as is a "name" member that differs from name. */
int catalogue_put(struct catalogue *c, const char *name, const json_t *document,
                  struct refusal *why);
/* Returns 0, MODE_UNKNOWN, or BAD_INPUT for a built-in one and for one that another extends.
 * Programs in use are not touched. */
int catalogue_remove(struct catalogue *c, const char *name, struct refusal *why);

/* Grows with each change of it, so that what is derived from it can be kept. */
uint64_t catalogue_version(const struct catalogue *c);

/* Documents by name and in order (name ascending); borrowed. NULL: none such. */
const json_t *catalogue_get(const struct catalogue *c, const char *name);
const json_t *catalogue_at(const struct catalogue *c, size_t i, bool *built_in);

/* The document of a mode with all that it inherits, without "extends". New reference; NULL: none
 * such, or no memory. */
json_t *catalogue_resolved(const struct catalogue *c, const char *name);

/* Finds and compiles: 0, BAD_INPUT, MODE_UNKNOWN (allowed lists names like it), MODE_UNAVAILABLE.
 */
int catalogue_compile(const struct catalogue *c, const char *name, const json_t *params,
                      bool lenient, double scale, struct mode_program **out, struct refusal *why);

/* The same from "NAME[;k=v]...". */
int catalogue_compile_text(const struct catalogue *c, const char *text, size_t len, double scale,
                           struct mode_program **out, struct refusal *why);
