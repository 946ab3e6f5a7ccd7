#include "shared_catalogue.h"

static struct catalogue *kept;
static uint64_t version; /* of one that has not been changed */

struct catalogue *shared_catalogue_take(void)
{
    struct catalogue *taken = kept ? kept : catalogue_create();
    kept = NULL;
    if (taken)
        version = catalogue_version(taken);
    return taken;
}

void shared_catalogue_give(struct catalogue *catalogue)
{
    if (catalogue && !kept && catalogue_version(catalogue) == version)
        kept = catalogue;
    else
        catalogue_destroy(catalogue);
}
