/* catalogue_data.h - the built-in mode files as text; the table is made at build time. */
#pragma once

struct catalogue_file {
    const char *name, *text; /* ends with a row of NULLs */
};
extern const struct catalogue_file catalogue_files[];
