#include "run/runs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/limits.h"
#include "run/ledger_file.h"
#include "run/pauses.h"
#include "run/run_parts.h"

struct runs {
    struct link all; /* struct entry */
    struct ledger_budget budget;
    void (*done)(void *arg, bool all); /* set while shutting down */
    void *done_arg;
};

struct entry {
    struct link link;
    struct runs *runs;
    struct run *run;
    struct link listeners;    /* struct opened */
    struct ledger_file *file; /* NULL: its ledger is in none */
    struct runs_keeper *keeper;
    char id[RUNS_ID_SIZE];
    bool ending;
};

struct opened {
    struct link link;
    char name[RUN_LISTENER_NAME_SIZE];
    struct run_listener listener;
};

static struct entry *entry_at(const struct link *i)
{
    return link_entry(i, struct entry, link);
}

/* --- What they share */

static bool make_room(void *owner)
{
    struct runs *runs = owner;
    struct room room = { NULL, 0 };
    for (struct link *i = runs->all.next; i != &runs->all; i = i->next)
        room_look(entry_at(i)->run, &room);
    return room_make(&room);
}

static void out_of_descriptors(void *owner)
{
    struct runs *runs = owner;
    for (struct link *i = runs->all.next; i != &runs->all; i = i->next) {
        struct ledger *l = run_ledger(entry_at(i)->run);
        ledger_begin(l, EV_OUT_OF_DESCRIPTORS, 0, 0);
        ledger_commit(l);
    }
}

static void say_paused(void *owner, const struct pause_seen *pause)
{
    struct runs *runs = owner;
    for (struct link *i = runs->all.next; i != &runs->all; i = i->next) {
        struct ledger *l = run_ledger(entry_at(i)->run);
        int64_t from = ledger_age(l, pause->from);
        ledger_begin(l, EV_SERVER_PAUSED, 0, 0);
        ledger_int(l, F_FROM, from > 0 ? from : 0);
        ledger_int(l, F_TO, ledger_age(l, pause->to));
        ledger_int(l, F_PAUSED, pause->late + pause->slept);
        if (pause->slept)
            ledger_int(l, F_SLEPT, pause->slept);
        ledger_commit(l);
    }
}

/* --- Runs */

int runs_create(size_t ledger_bytes, struct runs **out)
{
    struct runs *runs = calloc(1, sizeof *runs);
    if (!runs)
        return -ENOMEM;
    link_init(&runs->all);
    ledger_budget_init(&runs->budget, ledger_bytes);
    descriptors_set_room(make_room, runs);
    listener_set_out_of_descriptors(out_of_descriptors, runs);
    pauses_watch(say_paused, runs);
    *out = runs;
    return 0;
}

struct run *runs_find(const struct runs *runs, const char *id)
{
    for (struct link *i = runs->all.next; i != &runs->all; i = i->next)
        if (strcmp(entry_at(i)->id, id) == 0)
            return entry_at(i)->run;
    return NULL;
}

static struct entry *entry_of(const struct runs *runs, const struct run *run)
{
    struct link *i = runs->all.next;
    while (entry_at(i)->run != run)
        i = i->next;
    return entry_at(i);
}

int runs_add(struct runs *runs, const char *id, const struct run_config *config, struct run **out)
{
    if (runs_find(runs, id))
        return -EEXIST;
    if (strlen(id) >= RUNS_ID_SIZE)
        return -ENAMETOOLONG;
    struct entry *e = calloc(1, sizeof *e);
    int error = e ? run_create(config, &e->run) : -ENOMEM;
    if (error) {
        free(e);
        return error;
    }
    e->runs = runs;
    strcpy(e->id, id);
    link_init(&e->listeners);
    link_append(&runs->all, &e->link);
    ledger_join(run_ledger(e->run), &runs->budget);
    *out = e->run;
    return 0;
}

int runs_save(struct runs *runs, struct run *run, const char *directory, struct refusal *why)
{
    struct entry *e = entry_of(runs, run);
    return ledger_file_open(run->config.loop, run_ledger(run), directory, e->id, &e->file, why);
}

const char *runs_saved(const struct runs *runs, const struct run *run)
{
    const struct entry *e = entry_of(runs, run);
    return e->file ? ledger_file_path(e->file) : NULL;
}

/* --- Listeners */

static struct opened *find_opened(const struct entry *e, const char *name)
{
    for (struct link *i = e->listeners.next; i != &e->listeners; i = i->next) {
        struct opened *o = link_entry(i, struct opened, link);
        if (strcmp(o->name, name) == 0)
            return o;
    }
    return NULL;
}

static void close_opened(struct opened *o)
{
    struct listener *socket = o->listener.socket;
    run_remove_listener(&o->listener);
    listener_close(socket);
    link_remove(&o->link);
    free(o);
}

static void close_all(struct entry *e)
{
    while (!link_empty(&e->listeners))
        close_opened(link_entry(e->listeners.next, struct opened, link));
}

int runs_listen(struct runs *runs, struct run *run, const struct runs_listener *with,
                struct refusal *why)
{
    struct listener *socket;
    struct entry *e = entry_of(runs, run);
    struct opened *o = calloc(1, sizeof *o);
    if (!o)
        return -ENOMEM;
    snprintf(o->name, sizeof o->name, "%s", with->name);
    o->listener =
        (struct run_listener){ .run = run, .name = o->name, .tls = with->tls, .over = with->over };
    int error = listener_open(run->config.loop, with->name, with->address, run_accept, &o->listener,
                              &socket, why);
    if (error) {
        free(o);
        return error;
    }
    run_add_listener(&o->listener, socket);
    link_append(&e->listeners, &o->link);
    return 0;
}

void runs_unlisten(struct runs *runs, struct run *run, const char *name)
{
    struct opened *o = find_opened(entry_of(runs, run), name);
    if (o)
        close_opened(o);
}

const struct listener *runs_listening(const struct runs *runs, const struct run *run,
                                      const char *name)
{
    const struct opened *o = find_opened(entry_of(runs, run), name);
    return o ? o->listener.socket : NULL;
}

const struct listener *runs_listening_at(const struct runs *runs, const struct run *run, size_t i)
{
    const struct entry *e = entry_of(runs, run);
    const struct link *l = e->listeners.next;
    while (l != &e->listeners && i--)
        l = l->next;
    return l == &e->listeners ? NULL : link_entry(l, struct opened, link)->listener.socket;
}

/* --- The end */

static void destroy(struct entry *e, struct ledger **keep)
{
    close_all(e);
    ledger_file_close(e->file);
    link_remove(&e->link);
    run_destroy(e->run, keep);
    free(e);
}

/* All have ended: what their files lack is written. */
static void write_files(struct runs *runs)
{
    pauses_stop();
    ledger_file_finish_all(clock_now() + LIMIT_WRITTEN, runs->done, runs->done_arg);
}

static void ended(void *arg)
{
    struct entry *e = arg;
    struct runs *runs = e->runs;
    struct runs_keeper *keeper = e->keeper;
    struct ledger *ledger;
    if (keeper)
        keeper->last(keeper);
    destroy(e, keeper ? &ledger : NULL);
    if (keeper)
        keeper->ended(keeper, ledger);
    if (runs->done && link_empty(&runs->all))
        write_files(runs);
}

static void end(struct entry *e, int64_t grace_ns)
{
    if (e->ending)
        return;
    e->ending = true;
    run_shutdown(e->run, grace_ns, ended, e);
    close_all(e);
}

void runs_end(struct runs *runs, struct run *run, int64_t grace_ns, struct runs_keeper *keeper)
{
    struct entry *e = entry_of(runs, run);
    if (!e->ending)
        e->keeper = keeper;
    end(e, grace_ns);
}

void runs_drop(struct runs *runs, struct run *run)
{
    destroy(entry_of(runs, run), NULL);
}

void runs_shutdown(struct runs *runs, int64_t grace_ns, void (*done)(void *arg, bool all),
                   void *arg)
{
    runs->done = done;
    runs->done_arg = arg;
    for (struct link *i = runs->all.next; i != &runs->all; i = i->next)
        end(entry_at(i), grace_ns);
    if (link_empty(&runs->all))
        write_files(runs);
}

void runs_abort(struct runs *runs)
{
    for (struct link *i = runs->all.next; i != &runs->all; i = i->next)
        run_abort(entry_at(i)->run);
}

void runs_settle(struct runs *runs)
{
    for (struct link *i = runs->all.next; i != &runs->all; i = i->next)
        run_settle(entry_at(i)->run);
}

void runs_destroy(struct runs *runs)
{
    if (!runs)
        return;
    pauses_stop();
    while (!link_empty(&runs->all))
        destroy(entry_at(runs->all.next), NULL);
    listener_set_out_of_descriptors(NULL, NULL);
    descriptors_set_room(NULL, NULL);
    exchange_stop();
    free(runs);
}
