/* shared_catalogue.h - the catalogue of a test that seldom changes it: to read all built-in modes
 * takes longer than most such tests, under valgrind most of all. */
#pragma once

#include "mode/catalogue.h"

/* The catalogue with the built-in modes. NULL without memory. One at a time. */
struct catalogue *shared_catalogue_take(void);

/* Gives it back, for the next one to take it; if it has been changed, destroys it. NULL is fine. */
void shared_catalogue_give(struct catalogue *catalogue);
