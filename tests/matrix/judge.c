/* judge.c - judges saved ledgers, many in one process: for the matrix and its mutations.
 *
 *     judge [calls | ATTEMPTS CONNECTIONS FAULTS] < LEDGERS > VERDICTS
 *
 * Reads events, a line each; an empty line ends a ledger, and draws its verdict: the document of
 * verdict_json() (or verdict_calls()) on one line, or { "error": TEXT } for a line that is no
 * event. What its sequence numbers leave out is missing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/refusal.h"
#include "ledger/ledger.h"
#include "verdict/verdict.h"

struct judge {
    struct verdict_config config;
    struct ledger *ledger;
    struct ledger_cursor cursor;
    struct verdict *verdict;
    char error[400];
    bool calls;
};

static void begin(struct judge *j)
{
    j->ledger = ledger_create((size_t)64 << 20);
    j->verdict = verdict_create(&j->config);
    if (!j->ledger || !j->verdict)
        abort();
    j->cursor = (struct ledger_cursor){ .ledger = j->ledger };
    *j->error = 0;
}

static void take(struct judge *j, const char *line, size_t len)
{
    struct refusal why = { 0 };
    struct ledger_record record;
    if (*j->error)
        return;
    if (ledger_load(j->ledger, line, len, &why))
        snprintf(j->error, sizeof j->error, "%.100s: %.250s", why.where, why.what);
    while (ledger_next(&j->cursor, &record))
        verdict_feed(j->verdict, &record);
}

static void end(struct judge *j)
{
    json_t *document = *j->error  ? json_pack("{s:s}", "error", j->error)
                       : j->calls ? verdict_calls(j->verdict)
                                  : verdict_json(j->verdict);
    if (!document || json_dumpf(document, stdout, JSON_COMPACT))
        abort();
    putchar('\n');
    fflush(stdout);
    json_decref(document);
    verdict_destroy(j->verdict);
    ledger_destroy(j->ledger);
}

int main(int argc, char **argv)
{
    struct judge j = { .config = { .attempts = 4096, .connections = 1024, .faults = 1024 } };
    char *line = NULL;
    size_t size = 0;
    ssize_t len;

    j.calls = argc == 2 && strcmp(argv[1], "calls") == 0;
    if (argc == 4)
        j.config = (struct verdict_config){ .attempts = strtoul(argv[1], NULL, 10),
                                            .connections = strtoul(argv[2], NULL, 10),
                                            .faults = strtoul(argv[3], NULL, 10) };
    begin(&j);
    while ((len = getline(&line, &size, stdin)) > 0) {
        if (len == 1) {
            end(&j);
            begin(&j);
        } else {
            take(&j, line, (size_t)len - (line[len - 1] == '\n'));
        }
    }
    verdict_destroy(j.verdict);
    ledger_destroy(j.ledger);
    free(line);
    return 0;
}
