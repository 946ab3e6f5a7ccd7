/* trials.c - all runs of a server: their ids, and how long those that have ended are kept. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "trial/trial_parts.h"

#define ID_PREFIX "r"

static struct trial *trial_at(const struct link *i)
{
    return link_entry(i, struct trial, link);
}

/* --- Life */

static int copy_text(char **to, const char *from)
{
    return !from || (*to = strdup(from)) ? 0 : -ENOMEM;
}

/* The default run's. */
static int adopt(struct trials *t)
{
    struct trial *made = trial_create(t, RUNS_DEFAULT, runs_find(t->runs, RUNS_DEFAULT));
    if (!made)
        return -ENOMEM;
    link_append(&t->running, &made->link);
    return 0;
}

int trials_create(const struct trials_config *config, struct trials **out, struct refusal *why)
{
    struct trials *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    link_init(&t->running);
    link_init(&t->kept);
    t->runs = config->runs;
    t->config = *config->runs_config;
    t->kept_bytes = config->kept_bytes;
    snprintf(t->ports_text, sizeof t->ports_text, "%s", config->ports);
    int error = ports_read(config->ports, &t->ports, why);
    if (!error)
        error = copy_text(&t->advertise, config->advertise);
    if (!error)
        error = copy_text(&t->ledger_dir, config->ledger_dir);
    if (!error)
        error = adopt(t);
    if (error)
        trials_destroy(t);
    else
        *out = t;
    return error;
}

void trials_set_tls(struct trials *t, struct tls_server *tls)
{
    t->config.tls = tls;
}

void trials_set_admin(struct trials *t, const char *address)
{
    snprintf(t->admin, sizeof t->admin, "%s", address);
}

void trials_stop(struct trials *t)
{
    t->stopping = true;
    for (struct link *i = t->running.next, *next; i != &t->running; i = next) {
        next = i->next;
        judged_free(&trial_at(i)->judged); /* nobody asks for it any more */
        trial_end(trial_at(i), REASON_STOPPED);
    }
}

void trials_destroy(struct trials *t)
{
    if (!t)
        return;
    while (!link_empty(&t->running))
        trial_destroy(trial_at(t->running.next));
    while (!link_empty(&t->kept))
        trial_destroy(trial_at(t->kept.next));
    free(t->advertise);
    free(t->ledger_dir);
    free(t);
}

/* --- Which there are */

static struct trial *find_in(const struct link *list, const char *id)
{
    for (struct link *i = list->next; i != list; i = i->next)
        if (strcmp(trial_at(i)->id, id) == 0)
            return trial_at(i);
    return NULL;
}

struct trial *trials_find(const struct trials *t, const char *id)
{
    struct trial *found = find_in(&t->running, id);
    return found ? found : find_in(&t->kept, id);
}

struct trial *trials_default(const struct trials *t)
{
    return trials_find(t, RUNS_DEFAULT);
}

bool trials_had(const struct trials *t, const char *id)
{
    char again[RUNS_ID_SIZE];
    uint64_t number = strncmp(id, ID_PREFIX, sizeof ID_PREFIX - 1) == 0
                          ? strtoull(id + sizeof ID_PREFIX - 1, NULL, 10)
                          : 0;
    snprintf(again, sizeof again, ID_PREFIX "%llu", (unsigned long long)number);
    return number > 0 && number <= t->made && strcmp(again, id) == 0;
}

struct trial *trials_next(const struct trials *t, const struct trial *after)
{
    const struct link *i = after ? after->link.next : t->running.next;
    if (i == &t->running) /* then those that have ended, the oldest first */
        i = t->kept.next;
    return i == &t->kept ? NULL : trial_at(i);
}

const struct tally *trials_tally(const struct trials *t)
{
    return &t->tally;
}

size_t trials_kept(const struct trials *t)
{
    return t->kept_count;
}

size_t trials_running(const struct trials *t)
{
    return t->running_count;
}

uint64_t trials_made(const struct trials *t)
{
    return t->made;
}

/* --- Making one */

int trials_add(struct trials *t, const json_t *spec, struct trial **out, struct refusal *why)
{
    char id[RUNS_ID_SIZE];
    if (t->stopping)
        return refuse(why, "$", "", "the server stops"), TRIAL_TOO_MANY;
    if (t->running_count >= TRIALS_MAX) {
        refuse(why, "$", "end one: DELETE /v1/runs/{run}", "there are %d runs already", TRIALS_MAX);
        return TRIAL_TOO_MANY;
    }
    snprintf(id, sizeof id, ID_PREFIX "%llu", (unsigned long long)t->made + 1);
    int error = spec_add(t, spec, id, out, why);
    if (error == TRIAL_NO_PORT)
        refuse(why, "$.listeners", "end a run: DELETE /v1/runs/{run}; or a longer --run-ports",
               "of %s fewer ports are free than it has listeners", t->ports_text);
    if (error)
        return error;
    t->made++;
    t->running_count++;
    link_append(&t->running, &(*out)->link);
    return 0;
}

/* --- Those that have ended */

static size_t trial_memory(const struct trial *t)
{
    return ledger_memory(t->ledger) + buf_len(&t->judged.found.document) +
           buf_len(&t->judged.found.calls);
}

static size_t kept_bytes(const struct trials *t)
{
    size_t bytes = 0;
    for (const struct link *i = t->kept.next; i != &t->kept; i = i->next)
        bytes += trial_memory(trial_at(i));
    return bytes;
}

static void forget_oldest(struct trials *t)
{
    struct trial *oldest = trial_at(t->kept.next);
    link_remove(&oldest->link);
    t->tally.dropped += ledger_dropped(oldest->ledger);
    oldest->trials = NULL;
    t->kept_count--;
    trial_unref(oldest);
}

void trials_keep(struct trial *trial)
{
    struct trials *t = trial->trials;
    link_remove(&trial->link);
    link_append(&t->kept, &trial->link);
    t->running_count -= strcmp(trial->id, RUNS_DEFAULT) != 0;
    t->kept_count++;
    while (t->kept_count > TRIALS_KEPT || (t->kept_count > 1 && kept_bytes(t) > t->kept_bytes))
        forget_oldest(t);
}
