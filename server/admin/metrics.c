/* metrics.c - GET /metrics: counts for Prometheus (text exposition format 0.0.4). What is counted
 * is counted as it happens (trial/tally.h) or there already; a scrape reads it, and /proc once.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "admin/call.h"
#include "base/clock.h"
#include "base/number.h"
#include "run/ledger_file.h"
#include "run/pauses.h"
#include "trial/tally.h"

#define TYPE "text/plain; version=0.0.4; charset=utf-8"

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(struct buf *out, const char *name, const char *type, const char *help,
                uint64_t value)
{
    head(out, name, type, help);
    buf_printf(out, "%s %" PRIu64 "\n", name, value);
}

/* Of a label's words: all that there are, also those with 0, so that a rate has a beginning. */
static void words(struct buf *out, const char *name, const char *label, enum ledger_field field,
                  const uint64_t *counts, size_t most)
{
    for (size_t i = 0; i < (size_t)ledger_word_count(field) && i < most; i++) {
        const char *word = ledger_word_name(field, (int64_t)i);
        if (word && *word)
            buf_printf(out, "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, word, counts[i]);
    }
}

/* --- What happened */

static void write_events(const struct tally *t, struct buf *out)
{
    static const struct {
        enum ledger_event event;
        const char *name, *help;
    } rows[] = {
        { EV_CONNECTION_OPEN, "hangup_connections_total", "TCP connections that were accepted." },
        { EV_REQUEST, "hangup_requests_total", "Requests whose header section was read." },
        { EV_RESPONSE_END, "hangup_responses_total", "Responses that were handed to the kernel." },
        { EV_STALE_REQUEST, "hangup_stale_requests_total",
          "Requests on connections that were ended or silenced before." },
        { EV_STALE_BYTES, "hangup_stale_uses_total",
          "Times that a client sent on a connection that was ended or silenced." },
        { EV_TLS_FAILED, "hangup_tls_failures_total", "TLS handshakes and records that failed." },
        { EV_PROTOCOL_ERROR, "hangup_protocol_errors_total", "Clients that broke HTTP." },
        { EV_MARK, "hangup_marks_total", "Marks that were set." },
        { EV_OUT_OF_DESCRIPTORS, "hangup_out_of_descriptors_total",
          "Times that connections had to wait for descriptors." },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        one(out, rows[i].name, "counter", rows[i].help, t->events[rows[i].event]);
    head(out, "hangup_exchanges_lost_total", "counter",
         "Exchanges that ended before their response was whole, by what they were lost to.");
    words(out, "hangup_exchanges_lost_total", "by", F_LOST_BY, t->lost, TALLY_WORDS);
    head(out, "hangup_faults_total", "counter", "Steps of modes that were taken, by step.");
    words(out, "hangup_faults_total", "step", F_STEP, t->faults, STEP_COUNT);
}

static void write_verdicts(const struct tally *t, struct buf *out)
{
    static const char *const outcomes[] = { "n/a", "pass", "inconclusive", "fail" };
    head(out, "hangup_verdicts_total", "counter",
         "Verdicts of runs that have ended; those under way are in none.");
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
        buf_printf(out, "hangup_verdicts_total{verdict=\"%s\"} %" PRIu64 "\n", outcomes[i],
                   t->verdicts[i]);
    head(out, "hangup_calls_total", "counter",
         "Calls of runs that have ended, by what became of them; not of those under way.");
    for (size_t i = 0; i < TALLY_STATES; i++)
        buf_printf(out, "hangup_calls_total{outcome=\"%s\"} %" PRIu64 "\n", tally_states[i],
                   t->calls[i]);
}

/* --- How it is now */

static void write_runs(const struct trials *trials, const struct tally *tally, struct buf *out)
{
    uint64_t events = 0, dropped = tally->dropped, bytes = 0, connections = 0, open = 0;
    for (struct trial *t = NULL; (t = trials_next(trials, t));) {
        struct run *run = trial_run(t);
        connections += run ? run_connection_count(run) : 0;
        open += run ? run_open_exchanges(run) : 0;
        dropped += ledger_dropped(trial_ledger(t));
        bytes += ledger_memory(trial_ledger(t));
    }
    for (int event = 0; event < EV_COUNT; event++)
        events += tally->events[event];
    one(out, "hangup_connections", "gauge", "Connections that are open.", connections);
    one(out, "hangup_requests_open", "gauge", "Requests that are not answered or lost yet.", open);
    one(out, "hangup_runs", "gauge", "Runs, the default one aside.", trials_running(trials));
    one(out, "hangup_runs_kept", "gauge", "Runs that have ended and are kept.",
        trials_kept(trials));
    one(out, "hangup_runs_total", "counter", "Runs that were made.", trials_made(trials));
    one(out, "hangup_ledger_events_total", "counter", "Events that ledgers were told.", events);
    one(out, "hangup_ledger_dropped_total", "counter",
        "Events that ledgers have dropped for want of room.", dropped);
    one(out, "hangup_ledger_files_lost_total", "counter",
        "Files of ledgers that were deleted, replaced or cut while they were written.",
        ledger_file_losses());
    one(out, "hangup_ledger_unwritten_total", "counter",
        "Events that are missing at the end of their ledgers' files.", ledger_file_events_lost());
    one(out, "hangup_ledger_bytes", "gauge", "Memory of ledgers.", bytes);
}

static void write_seconds(struct buf *out, const char *name, const char *help, int64_t ns)
{
    char text[NUMBER_SIZE];
    number_real((double)ns / NS_PER_S, text);
    head(out, name, "counter", help);
    buf_printf(out, "%s %s\n", name, text);
}

static void write_lateness(struct buf *out)
{
    const struct timers_late *late = timers_late();
    char text[NUMBER_SIZE];
    uint64_t count = 0;
    head(out, "hangup_loop_lateness_seconds", "histogram", "How late timers of the loop were.");
    for (size_t i = 0; i < TIMERS_BUCKETS; i++) {
        count += late->count[i];
        if (i < TIMERS_BUCKETS - 1)
            number_real((double)timers_late_bounds[i] / NS_PER_S, text);
        else
            strcpy(text, "+Inf");
        buf_printf(out, "hangup_loop_lateness_seconds_bucket{le=\"%s\"} %" PRIu64 "\n", text,
                   count);
    }
    number_real((double)late->sum / NS_PER_S, text);
    buf_printf(out,
               "hangup_loop_lateness_seconds_sum %s\nhangup_loop_lateness_seconds_count %" PRIu64
               "\n",
               text, count);
}

/* --- The process, by the names that all exporters have */

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        count++;
    if (d)
        closedir(d);
    return count > 3 ? count - 3 : 0; /* "." and ".." and its own */
}

static uint64_t resident_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void write_process(struct buf *out)
{
    struct rlimit limit;
    struct rusage used;
    getrlimit(RLIMIT_NOFILE, &limit);
    getrusage(RUSAGE_SELF, &used);
    one(out, "process_open_fds", "gauge", "Open file descriptors.", open_descriptors());
    one(out, "process_max_fds", "gauge", "How many there may be.", limit.rlim_cur);
    one(out, "process_resident_memory_bytes", "gauge", "Memory that is resident.",
        resident_bytes());
    write_seconds(out, "process_cpu_seconds_total", "CPU time.",
                  (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * NS_PER_S +
                      (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * NS_PER_US);
}

void calls_metrics(struct call *call)
{
    const struct admin *a = call->admin;
    const struct tally *tally = trials_tally(a->trials);
    struct buf *out = response_text(call, 200, TYPE);
    head(out, "hangup_build_info", "gauge", "The version.");
    buf_printf(out, "hangup_build_info{version=\"%s\"} 1\n", HANGUP_VERSION);
    write_events(tally, out);
    write_runs(a->trials, tally, out);
    write_verdicts(tally, out);
    one(out, "hangup_readers_dropped_total", "counter",
        "Streams of events whose readers did not keep up.", a->dropped_readers);
    write_lateness(out);
    write_seconds(out, "hangup_server_paused_seconds_total",
                  "How long the server did not run though it was due, or its machine slept.",
                  pauses_total());
    write_process(out);
}
