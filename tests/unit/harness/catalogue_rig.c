#include "catalogue_rig.h"
#include "shared_catalogue.h"

struct refusal catalogue_why;
struct catalogue *catalogue;
char dir[64];

int catalogue_set_up(void **state)
{
    memset(&catalogue_why, 0, sizeof catalogue_why);
    catalogue = shared_catalogue_take();
    snprintf(dir, sizeof dir, "/tmp/hangup-catalogue-XXXXXX");
    return catalogue && mkdtemp(dir) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
    return remove(path);
}

int catalogue_tear_down(void **state)
{
    shared_catalogue_give(catalogue);
    for (int i = 0; i < CAPABILITY_COUNT; i++)
        caps[i].available = true;
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int compile(const char *text, struct mode_program **out)
{
    memset(&catalogue_why, 0, sizeof catalogue_why);
    return catalogue_compile_text(catalogue, text, strlen(text), 1, out, &catalogue_why);
}

int put(const char *name, const char *document)
{
    json_t *json = json_of(document);
    memset(&catalogue_why, 0, sizeof catalogue_why);
    int outcome = catalogue_put(catalogue, name, json, &catalogue_why);
    json_decref(json);
    return outcome;
}

void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (; *text; text++)
        fputc(*text == '\'' ? '"' : *text, file);
    fclose(file);
}

size_t count(void)
{
    size_t n = 0;
    while (catalogue_at(catalogue, n, NULL))
        n++;
    return n;
}
