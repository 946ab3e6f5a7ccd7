/* catalogue_rig.h - a catalogue and a directory for mode files, for tests. */
#pragma once

#include "mode_fakes.h"

#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mode/catalogue.h"

extern struct refusal catalogue_why; /* the last one */
extern struct catalogue *catalogue;
extern char dir[64];

int catalogue_set_up(void **state);
int catalogue_tear_down(void **state);
int compile(const char *text, struct mode_program **out);
int put(const char *name, const char *document);
void write_file(const char *name, const char *text);
size_t count(void);

#define OWN(name) "{'name': '" name "', 'summary': '-', 'rules': [{'on': 'accept', 'do': ['rst']}]}"

#define TEST(name) cmocka_unit_test_setup_teardown(name, catalogue_set_up, catalogue_tear_down)
