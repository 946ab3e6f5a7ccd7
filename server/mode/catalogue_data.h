/* catalogue_data.h - the built-in mode files, the cases and the suites, as text; the tables are
 * made at build time (tools/embed.py).
 */
#pragma once

struct catalogue_file {
    const char *name, *text; /* the file's name without ".json"; ends with a row of NULLs */
};
extern const struct catalogue_file catalogue_files[]; /* modes/catalogue */
extern const struct catalogue_file case_files[];      /* modes/cases */
extern const struct catalogue_file suite_files[];     /* modes/suites */
