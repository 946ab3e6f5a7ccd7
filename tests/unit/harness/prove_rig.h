/* prove_rig.h - `hangup prove` on a server that the test stands in for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define PROVE_FAKE_RUNS 8

/* The server; what is left as it was set up passes. */
extern struct prove_fake {
    char story[4096];    /* what was asked of it, word by word */
    const char *verdict; /* of the fault */
    int requests;        /* that came in the control */
    int without;         /* and without the mitigation */
    bool final;
    size_t open;
    bool left;   /* these: in silence for good */
    int refuses; /* what add returns */
    unsigned runs;
    const char *second;                    /* the verdict of the second run; NULL: the same */
    const char *verdicts[PROVE_FAKE_RUNS]; /* of each of the first ones; NULL: as above */
    const char *sentence;                  /* of its check */
    const char *own_url;                   /* of the place; NULL: none */
    const char *http;                      /* the URL of its clear listener; NULL: of none */
} fake;

/* A folder of the test's own, and what was said into it. */
extern char scratch[64], out_path[80], err_path[80];
extern char text[16384]; /* what was read last */

int prove_setup(void **state);
int prove_teardown(void **state);

/* A file's text, in text. */
const char *file(const char *path);
const char *in_scratch(const char *name); /* until the next call */
void assert_has(const char *in, const char *what);

/* Runs it; its stdout and stderr go into files meanwhile. Returns its exit status. */
int run(const char *const *words);
#define RUN(...)   run((const char *const[]){ __VA_ARGS__, NULL })
#define SH(script) "--", "sh", "-c", script
