#include "run/ledger_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/timer.h"
#include "base/worker.h"

#define PIECE     (64u * 1024) /* about as much is given to a thread at a time */
#define RETRY     NS_PER_S
#define NAMES_MAX 1000 /* of one second */

struct ledger_file {
    struct link link; /* of closing, then */
    struct uv_loop_s *loop;
    struct ledger *ledger;
    struct ledger_cursor cursor;
    struct ledger_watch watch;
    struct timer timer; /* the next piece, or another try */
    struct buf lines;   /* a thread writes them; left alone until it has */
    struct buf next;    /* to be written behind them */
    off_t offset;       /* where lines go */
    int fd;             /* -1: there is no file yet */
    bool writing;       /* a thread is at it, which alone has: */
    ssize_t put;        /* octets of lines that are in the file now; or -errno */
    bool gone;          /* it is not the file at its path any more, or was cut */
    bool failing;
    bool closing;     /* the ledger has all that it will have */
    unsigned retries; /* since then */
    size_t stem;      /* the part of the path that comes before the time */
    char path[];      /* with PATH_TAIL octets behind that */
};

#define PATH_TAIL 40

static uint64_t lost; /* files, see ledger_file_losses() */
static uint64_t events_lost;
static struct link closing = { &closing, &closing };

/* Who waits until there are no more of these. */
static struct {
    void (*done)(void *arg, bool all); /* NULL: nobody */
    void *arg;
    struct timer timer;
} waiting;

static void write_on(struct ledger_file *f);

/* --- Opening */

static int refuse_directory(struct refusal *why, const char *path, int error)
{
    if (error == ENOMEM)
        return -ENOMEM;
    return refuse(why, path, "a directory in which files can be made", "%s", strerror(error));
}

/* What is written goes behind what is there: a file that was cut stays short, and whole. */
static int make(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
}

static int open_new(struct ledger_file *f)
{
    char at[CLOCK_RFC3339_SIZE];
    clock_rfc3339(clock_wall(clock_now()), at);
    f->offset = 0;
    for (int n = 1; n <= NAMES_MAX; n++) {
        char again[12] = "";
        if (n > 1)
            snprintf(again, sizeof again, "-%d", n);
        snprintf(f->path + f->stem, PATH_TAIL, "-%.4s%.2s%.5s%.2s%.2sZ%s.ndjson", at, at + 5,
                 at + 8, at + 14, at + 17, again);
        f->fd = make(f->path);
        if (f->fd >= 0 || errno != EEXIST)
            break;
    }
    return f->fd >= 0 ? 0 : errno;
}

/* --- What is to be written */

static void render_gap(struct ledger_file *f, uint64_t behind, const struct ledger_record *next)
{
    if (next->seq == behind + 1)
        return;
    ledger_render_gap(behind + 1, next, &f->next);
    buf_text(&f->next, "\n");
}

/* Renders the next event, with the gap before it. False: there is none; or no memory for it, and it
 * is still the next one. */
static bool render_one(struct ledger_file *f)
{
    struct ledger_record record;
    const struct ledger_cursor before = f->cursor;
    size_t len = buf_len(&f->next);
    if (!ledger_next(&f->cursor, &record))
        return false;
    render_gap(f, before.since, &record);
    ledger_render(&record, &f->next);
    buf_text(&f->next, "\n");
    if (!f->next.failed)
        return true;
    f->next.end = f->next.start + len;
    f->next.failed = false;
    f->cursor = before;
    return false;
}

/* Renders until there are so many octets, the time is over or there is no more; at least one event,
 * however slow the machine is: nobody would come for it. */
static void render(struct ledger_file *f, size_t most, int64_t until)
{
    while (render_one(f) && buf_len(&f->next) < most && clock_now() < until)
        ;
}

/* --- Writing */

static void destroy(struct ledger_file *f)
{
    link_remove(&f->link);
    timer_cancel(&f->timer);
    if (f->fd >= 0)
        close(f->fd);
    ledger_destroy(f->ledger);
    buf_free(&f->lines);
    buf_free(&f->next);
    free(f);
}

static void look_whether_all_are_closed(void)
{
    void (*done)(void *arg, bool all) = waiting.done;
    if (!done || !link_empty(&closing))
        return;
    waiting.done = NULL;
    timer_cancel(&waiting.timer);
    done(waiting.arg, true);
}

/* It is closed: all is written, or given up. */
static void finish(struct ledger_file *f)
{
    destroy(f);
    look_whether_all_are_closed();
}

static uint64_t lines_in(const struct buf *b)
{
    uint64_t lines = 0;
    const uint8_t *bytes = buf_bytes(b);
    for (size_t i = 0; i < buf_len(b); i++)
        lines += bytes[i] == '\n';
    return lines;
}

/* How many events are not written yet: they are in no file, and will be in none. */
static uint64_t lose_rest(struct ledger_file *f)
{
    uint64_t events = ledger_last(f->ledger) - f->cursor.since;
    events += lines_in(&f->lines) + lines_in(&f->next);
    events_lost += events;
    return events;
}

static void give_up(struct ledger_file *f, const char *why)
{
    uint64_t events = lose_rest(f);
    if (events > 0)
        log_error("%s lacks the last %llu events of its ledger: %s", f->path,
                  (unsigned long long)events, why);
}

static void failed(struct ledger_file *f, int error)
{
    if (!f->failing)
        log_error("the ledger cannot be written to %s: %s; it is tried again each second", f->path,
                  strerror(error));
    if (f->closing && (waiting.done || f->retries++ == CLOSING_RETRIES)) {
        give_up(f, strerror(error));
        finish(f);
        return;
    }
    if (!f->failing && !f->closing) {
        ledger_begin(f->ledger, EV_WARNING, 0, 0);
        ledger_text(f->ledger, F_NAME, f->path);
        ledger_text(f->ledger, F_WHY, "the ledger's file cannot be written; see the log");
        ledger_commit(f->ledger);
    }
    f->failing = true;
    timer_at(&f->timer, clock_now() + RETRY);
}

static void say_anew(struct ledger_file *f)
{
    ledger_begin(f->ledger, EV_WARNING, 0, 0);
    ledger_text(f->ledger, F_NAME, f->path);
    ledger_text(f->ledger, F_WHY,
                "the ledger's file was deleted, or cut, while it was written; it goes on in a new "
                "one, from the first event that is kept");
    ledger_commit(f->ledger);
}

static void lose_at_end(struct ledger_file *f)
{
    char rest[80] = "";
    uint64_t events = lose_rest(f);
    if (events > 0)
        snprintf(rest, sizeof rest, ", and so are the last %llu events of the ledger",
                 (unsigned long long)events);
    log_error("%s was deleted, or cut, while the ledger was written to it, which has ended: what "
              "was in it is lost%s",
              f->path, rest);
}

/* What was written is gone: the ledger goes on in a new file, with all that it still has. Not at
 * its end: who deletes the file then has had it. */
static void begin_anew(struct ledger_file *f)
{
    lost++;
    if (f->closing) {
        lose_at_end(f);
        finish(f);
        return;
    }
    say_anew(f);
    close(f->fd);
    buf_free(&f->lines);
    buf_free(&f->next);
    f->cursor = (struct ledger_cursor){ .ledger = f->ledger };
    char *was = strdup(f->path);
    int error = open_new(f);
    log_error("%s was deleted, or cut, while the ledger was written to it; it goes on in %s",
              was ? was : "the ledger's file", f->path);
    free(was);
    if (!error)
        write_on(f);
    else
        failed(f, error);
}

/* By a thread: the disk may be slow. */
static void put(void *arg)
{
    struct ledger_file *f = arg;
    struct stat st;
    do
        f->put = write(f->fd, buf_bytes(&f->lines), buf_len(&f->lines));
    while (f->put < 0 && errno == EINTR);
    if (f->put < 0)
        f->put = -errno;
    else
        f->gone = fstat(f->fd, &st) == 0 && (st.st_nlink == 0 || st.st_size < f->offset + f->put);
}

static void written(void *arg)
{
    struct ledger_file *f = arg;
    f->writing = false;
    if (f->put <= 0) {
        failed(f, f->put ? (int)-f->put : ENOSPC);
        return;
    }
    if (f->failing)
        log_info("the ledger is written to %s again", f->path);
    f->failing = false;
    f->offset += f->put;
    buf_consume(&f->lines, (size_t)f->put);
    if (f->gone)
        begin_anew(f);
    else
        write_on(f);
}

/* What is to be written next, if lines are. */
static void take_next(struct ledger_file *f)
{
    struct buf empty = f->lines;
    if (buf_len(&f->lines) > 0)
        return;
    render(f, PIECE, clock_now() + CLOCK_SLICE);
    f->lines = f->next;
    f->next = empty;
}

static void write_on(struct ledger_file *f)
{
    if (f->writing)
        return;
    take_next(f);
    if (buf_len(&f->lines) == 0) {
        bool all = f->cursor.since >= ledger_last(f->ledger);
        if (f->closing && all)
            finish(f);
        else if (f->closing)
            failed(f, ENOMEM);
        else if (!all) /* there was no memory */
            timer_at(&f->timer, clock_now() + RETRY);
        return;
    }
    if (f->fd < 0 && (f->fd = make(f->path)) < 0) {
        failed(f, errno);
        return;
    }
    f->writing = worker_begin(f->loop, put, written, f) != NULL;
    if (!f->writing)
        failed(f, ENOMEM);
}

static void due(struct timer *timer, int64_t late)
{
    write_on(link_entry(timer, struct ledger_file, timer));
}

/* Also while a piece is written: what comes meanwhile is looked for when it is. */
static void committed(struct ledger_watch *watch, const struct ledger_record *record)
{
    struct ledger_file *f = link_entry(watch, struct ledger_file, watch);
    if (!f->writing && !timer_armed(&f->timer))
        timer_at(&f->timer, clock_now());
}

/* --- Life */

int ledger_file_open(struct uv_loop_s *loop, struct ledger *ledger, const char *directory,
                     const char *name, struct ledger_file **out, struct refusal *why)
{
    size_t stem = strlen(directory) + 1 + strlen(name);
    struct ledger_file *f = calloc(1, sizeof *f + stem + PATH_TAIL);
    if (!f)
        return -ENOMEM;
    f->stem = stem;
    snprintf(f->path, stem + 1, "%s/%s", directory, name);
    link_init(&f->link);
    f->loop = loop;
    f->ledger = ledger;
    f->cursor.ledger = ledger;
    f->timer.reached = due;
    f->watch.committed = committed;
    int error = open_new(f);
    if (error && why) {
        free(f); /* it has no reference yet */
        return refuse_directory(why, directory, error);
    }
    ledger_ref(ledger);
    ledger_watch_add(ledger, &f->watch);
    timer_at(&f->timer, clock_now());
    *out = f;
    return 0;
}

void ledger_file_close(struct ledger_file *f)
{
    if (!f)
        return;
    ledger_watch_remove(&f->watch);
    f->closing = true;
    link_append(&closing, &f->link);
    if (!f->writing)
        timer_at(&f->timer, clock_now());
}

/* --- Stop */

/* Those whose threads are at it are left alone, with all that they have. */
static void finish_reached(struct timer *timer, int64_t late)
{
    bool all = true;
    void (*done)(void *arg, bool all) = waiting.done;
    for (struct link *i = closing.next, *next; i != &closing; i = next) {
        struct ledger_file *f = link_entry(i, struct ledger_file, link);
        next = i->next;
        give_up(f, "the disk was too slow for the time that the stop has");
        all = all && !f->writing;
        if (!f->writing)
            destroy(f);
    }
    waiting.done = NULL;
    done(waiting.arg, all);
}

void ledger_file_finish_all(int64_t until, void (*done)(void *arg, bool all), void *arg)
{
    waiting.done = done;
    waiting.arg = arg;
    waiting.timer.reached = finish_reached;
    for (struct link *i = closing.next; i != &closing; i = i->next) {
        struct ledger_file *f = link_entry(i, struct ledger_file, link);
        if (!f->writing)
            timer_at(&f->timer, clock_now());
    }
    timer_at(&waiting.timer, until);
    look_whether_all_are_closed();
}

const char *ledger_file_path(const struct ledger_file *f)
{
    return f->path;
}

uint64_t ledger_file_losses(void)
{
    return lost;
}

uint64_t ledger_file_events_lost(void)
{
    return events_lost;
}
