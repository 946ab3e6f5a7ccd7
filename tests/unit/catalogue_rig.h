/* catalogue_rig.h - a catalogue and a directory for mode files, for tests. Include once in a test
 * program, in place of mode_fakes.h.
 */
#pragma once

#include "mode_fakes.h"

#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mode/catalogue.h"

static struct refusal why;
static struct catalogue *catalogue;
static char dir[64];

static int set_up(void **state)
{
    memset(&why, 0, sizeof why);
    catalogue = catalogue_create();
    snprintf(dir, sizeof dir, "/tmp/hangup-catalogue-XXXXXX");
    return catalogue && mkdtemp(dir) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
    return remove(path);
}

static int tear_down(void **state)
{
    catalogue_destroy(catalogue);
    for (int i = 0; i < CAPABILITY_COUNT; i++)
        caps[i].available = true;
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline int compile(const char *text, struct mode_program **out)
{
    memset(&why, 0, sizeof why);
    return catalogue_compile_text(catalogue, text, strlen(text), 1, out, &why);
}

static inline int put(const char *name, const char *document)
{
    json_t *json = json_of(document);
    memset(&why, 0, sizeof why);
    int outcome = catalogue_put(catalogue, name, json, &why);
    json_decref(json);
    return outcome;
}

static inline void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (; *text; text++)
        fputc(*text == '\'' ? '"' : *text, file);
    fclose(file);
}

static inline size_t count(void)
{
    size_t n = 0;
    while (catalogue_at(catalogue, n, NULL))
        n++;
    return n;
}

#define OWN(name) "{'name': '" name "', 'summary': '-', 'rules': [{'on': 'accept', 'do': ['rst']}]}"

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
