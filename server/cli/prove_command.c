#include "cli/prove_command.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/child.h"
#include "cli/driver_lines.h"
#include "cli/environment.h"
#include "cli/sockets.h"
#include "verdict/expect.h"

#define LOOK_MS   20                  /* between two looks at the report, or at the verdict */
#define SETTLE    (11 * NS_PER_S)     /* unless a check has a longer window than 10 s */
#define LEAVES    (250 * NS_PER_MS)   /* behind COMMAND's end its last FIN is seen so soon */
#define PATIENCE  (10 * NS_PER_S)     /* of a signal, with COMMAND */
#define SHOWN_MAX ((size_t)64 * 1024) /* what may wait to be shown before COMMAND has to */
/* In the control the step `pause` is a little shorter than where the fault comes, so that it shows
 * that the client keeps an idle connection for so long, and leaves it because of the fault; unless
 * that would take long. Seconds. */
#define PAUSE_LESS    0.1
#define PAUSE_SHORT   0.05
#define PAUSE_CONTROL 3.0

/* --- The loop, and signals */

static const int passed_on[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };
#define PASSED_ON (sizeof passed_on / sizeof *passed_on)

static void signalled(uv_signal_t *handle, int number)
{
    struct proving *p = handle->data;
    bool ends = number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;
    if (ends && !p->signal)
        p->signal = number;
    p->interrupts += ends;
    if (p->child && p->interrupts > 1)
        child_kill(p->child);
    else if (p->child)
        child_signal(p->child, number);
}

static void ticked(uv_timer_t *timer)
{
}

int proving_begin(struct proving *p)
{
    int error = uv_timer_init(p->place->loop, &p->tick);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; !error && i < PASSED_ON; i++) {
        error = uv_signal_init(p->place->loop, &p->signals[i]);
        if (error)
            break;
        p->signals[i].data = p;
        error = uv_signal_start(&p->signals[i], signalled, passed_on[i]);
    }
    return error;
}

void proving_end(struct proving *p)
{
    for (size_t i = 0; i < PASSED_ON; i++)
        if (p->signals[i].data)
            uv_close((uv_handle_t *)&p->signals[i], NULL);
    uv_close((uv_handle_t *)&p->tick, NULL);
    uv_run(p->place->loop, UV_RUN_NOWAIT);
}

void proving_turn(struct proving *p, int64_t until)
{
    int64_t left = until - clock_now();
    uv_update_time(p->place->loop);
    /* It repeats: one that is due before the poll is over by then, and would not end it. */
    uv_timer_start(&p->tick, ticked, left > 0 ? (uint64_t)(left / NS_PER_MS + 1) : 0, 1);
    uv_run(p->place->loop, UV_RUN_ONCE);
    uv_timer_stop(&p->tick);
}

/* --- What it is told */

static void set_text(struct environment *e, const char *name, const json_t *run, const char *member)
{
    const char *text = json_string_value(json_object_get(run, member));
    if (text)
        environment_set(e, name, text);
}

/* What clients read to trust the CA, and not to go by a proxy. */
static void set_trust(struct environment *e, const struct proving *p)
{
    static const char *const of_ca[] = { "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE",
                                         "NODE_EXTRA_CA_CERTS" };
    static const char *const no_proxy[] = { "NO_PROXY", "no_proxy" };
    for (size_t i = 0; p->place->ca && i < sizeof of_ca / sizeof *of_ca; i++)
        environment_set(e, of_ca[i], p->place->ca);
    for (size_t i = 0; i < 2; i++) {
        environment_add(e, no_proxy[i], "localhost,127.0.0.1,::1");
        if (p->options->advertise)
            environment_add(e, no_proxy[i], p->options->advertise);
    }
}

static int make_environment(struct environment *e, const struct proving *p, const char *phase,
                            const char *steps, const char *report, struct refusal *why)
{
    char pause[32];
    json_t *run = NULL;
    int error = p->place->ops->about(p->place, &run, why);
    if (error)
        return error;
    const json_t *urls = json_object_get(run, "urls");
    environment_take(e);
    set_text(e, "HANGUP_URL", urls, "base");
    set_text(e, "HANGUP_HTTPS", urls, "https");
    set_text(e, "HANGUP_HTTPS1", urls, "https1");
    set_text(e, "HANGUP_HTTP", urls, "http");
    set_text(e, "HANGUP_ADMIN", run, "admin_url");
    set_text(e, "HANGUP_MARK_URL", run, "mark_url");
    set_text(e, "HANGUP_RUN", run, "id");
    set_text(e, "HANGUP_OVER", run, "over");
    double seconds = json_number_value(json_object_get(run, "pause_s"));
    if (strcmp(phase, "control") == 0)
        seconds = seconds > PAUSE_CONTROL || seconds < PAUSE_LESS + PAUSE_SHORT
                      ? PAUSE_SHORT
                      : seconds - PAUSE_LESS;
    snprintf(pause, sizeof pause, "%.3f", seconds);
    for (char *c = pause; *c; c++)
        *c = *c == ',' ? '.' : *c; /* whatever the locale */
    environment_set(e, "HANGUP_PAUSE", pause);
    environment_set(e, "HANGUP_PHASE", phase);
    environment_set(e, "HANGUP_MITIGATION", strcmp(phase, "without") == 0 ? "off" : "on");
    environment_set(e, "HANGUP_REPORT", report);
    environment_set(e, "HANGUP_STEPS", steps ? steps : "");
    environment_set(e, "HANGUP_CA", p->place->ca ? p->place->ca : "");
    if (!p->options->no_trust)
        set_trust(e, p);
    json_decref(run);
    return e->failed ? -ENOMEM : 0;
}

/* --- What it says */

struct hearing {
    struct proving *p;
    struct driver_lines lines;
    struct buf shown; /* that stdout has not taken yet */
    bool waits;       /* COMMAND does, for that */
    bool ended, gone;
    unsigned not_ok;
};

/* Hands on what our stdout takes now; all of it at the end, unless a signal comes first. What it
 * refuses is given up: whoever read it has gone. */
static void show(struct hearing *h, bool all)
{
    struct pollfd can = { .fd = h->p->shown, .events = POLLOUT };
    while (buf_len(&h->shown)) {
        size_t some = buf_len(&h->shown) < PIPE_BUF ? buf_len(&h->shown) : PIPE_BUF;
        ssize_t n = -1;
        if (poll(&can, 1, all ? LOOK_MS : 0) <= 0) {
            if (!all || h->p->signal)
                return;
            proving_turn(h->p, clock_now());
            continue;
        }
        n = write(h->p->shown, buf_bytes(&h->shown), some);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            n = (ssize_t)buf_len(&h->shown);
        if (n > 0)
            buf_consume(&h->shown, (size_t)n);
    }
    if (h->waits && h->p->child) {
        h->waits = false;
        child_read_on(h->p->child);
    }
}

static bool wrote(void *arg, const char *bytes, size_t len)
{
    struct hearing *h = arg;
    driver_lines_out(&h->lines, bytes, len, &h->shown);
    show(h, false);
    h->waits = buf_len(&h->shown) > SHOWN_MAX;
    return !h->waits;
}

static void ended(void *arg)
{
    ((struct hearing *)arg)->ended = true;
}

static void gone(void *arg)
{
    ((struct hearing *)arg)->gone = true;
}

static int line(void *arg, const char *text, size_t len, struct refusal *why)
{
    struct hearing *h = arg;
    return h->p->place->ops->report(h->p->place, text, len, why);
}

/* --- Its time */

/* Until COMMAND has ended, of itself or not. Returns whether it ran out of time. */
static bool await_end(struct hearing *h)
{
    struct proving *p = h->p;
    int64_t until = clock_now() + p->options->timeout, patience = INT64_MAX;
    bool timed_out = false, stopped = false;
    while (!h->ended) {
        proving_turn(p, clock_now() + LOOK_MS * NS_PER_MS);
        driver_lines_read(&h->lines, false);
        show(h, false);
        int64_t now = clock_now();
        if (p->signal && patience == INT64_MAX)
            patience = now + PATIENCE;
        if (!h->ended && !stopped && (now >= until || now >= patience)) {
            timed_out = now >= until;
            stopped = true;
            child_stop(p->child);
        }
    }
    return timed_out && !p->signal;
}

/* How many connections to the run others on this machine hold. */
static size_t count_held(const struct proving *p)
{
    uint16_t ports[8];
    size_t count = 0;
    const char *name;
    json_t *run = NULL, *url;
    if (p->place->ops->about(p->place, &run, NULL) != 0)
        return 0;
    json_object_foreach(json_object_get(run, "urls"), name, url)
    {
        const char *port = json_is_string(url) ? strrchr(json_string_value(url), ':') : NULL;
        if (port && strcmp(name, "base") != 0 && count < sizeof ports / sizeof *ports)
            ports[count++] = (uint16_t)atoi(port + 1);
    }
    json_decref(run);
    return sockets_connected_to(ports, count);
}

/* For how long the longest window of what is expected lasts, and a second. */
static int64_t settle_of(const struct proving *p)
{
    struct expect *expect = NULL;
    json_t *run = NULL;
    int64_t settle = SETTLE;
    if (p->options->settle)
        return p->options->settle;
    if (p->place->ops->about(p->place, &run, NULL) == 0 &&
        expect_read(json_object_get(run, "expect"), &expect, NULL) == 0) {
        int64_t window = expect_window(expect) + NS_PER_S;
        settle = window > settle ? window : settle;
    }
    expect_free(expect);
    json_decref(run);
    return settle;
}

/* Whether nothing more can come of COMMAND, whose processes are gone: its connections are over, or
 * a fault keeps them silent for good (run_is_awaited) and the client had left them. What leaves one
 * only later lives outside of COMMAND (a simulator), and may ask again elsewhere: that is waited
 * for. */
static bool is_all(const struct child *c, size_t open, bool awaited)
{
    return open == 0 || (!awaited && clock_now() - child_gone_at(c) <= LEAVES);
}

/* Behind its end, until nothing more can come. */
static int await_final(struct hearing *h, struct command_result *out, struct refusal *why)
{
    struct proving *p = h->p;
    int64_t until = clock_now() + settle_of(p);
    size_t open;
    bool awaited;
    int error = 0;
    while (!error && !p->signal && clock_now() < until) {
        error = p->place->ops->look(p->place, &out->final, &open, &awaited, why);
        if (error || out->final || (h->gone && is_all(p->child, open, awaited)))
            return error;
        proving_turn(p, clock_now() + LOOK_MS * NS_PER_MS);
        driver_lines_read(&h->lines, h->gone); /* behind what is final no line counts any more */
        show(h, false);
    }
    if (!error && !p->signal)
        out->held = h->gone ? count_held(p) : 0;
    return error;
}

/* All that is left of it. */
static void end_all(struct hearing *h)
{
    struct proving *p = h->p;
    if (!h->gone)
        child_stop(p->child);
    while (!h->gone) {
        proving_turn(p, clock_now() + NS_PER_S);
        show(h, false);
    }
    if (child_left(p->child))
        fprintf(stderr, "hangup: process %d of COMMAND cannot be killed\n",
                (int)child_left(p->child));
}

/* What it has said is whole now. */
static int end_report(struct hearing *h, struct command_result *out, struct refusal *why)
{
    driver_lines_out_end(&h->lines, &h->shown);
    driver_lines_read(&h->lines, true);
    show(h, true);
    out->drives = driver_lines_speaks(&h->lines);
    out->requests = h->lines.requests;
    out->not_ok = h->lines.not_ok;
    if (!*h->lines.broken.where)
        return 0;
    if (why)
        *why = h->lines.broken;
    return BAD_INPUT;
}

static int attend(struct hearing *h, bool judged, struct command_result *out, struct refusal *why)
{
    struct proving *p = h->p;
    out->timed_out = await_end(h);
    out->status = child_status(p->child, &out->signal);
    driver_lines_read(&h->lines, h->gone);
    int error = p->place->ops->exited(p->place, out->status, out->signal, out->timed_out, why);
    if (!error && judged && !out->timed_out)
        error = await_final(h, out, why);
    end_all(h);
    int broken = end_report(h, out, error ? NULL : why);
    return error ? error : broken;
}

int command_run(struct proving *p, char *const *argv, const char *phase, const char *steps,
                bool judged, struct command_result *out, struct refusal *why)
{
    struct environment e = { .list = NULL };
    struct hearing h = { .p = p, .lines = { .line = line } };
    struct command_result result = { .status = 0 };
    h.lines.arg = &h;
    int error = driver_lines_open(&h.lines);
    if (error && error != -ENOMEM)
        error = refuse(why, "HANGUP_REPORT", "a TMPDIR (else /tmp) in which files can be made",
                       "its file cannot be made: %s", strerror(-error));
    if (!error)
        error = make_environment(&e, p, phase, steps, h.lines.path, why);
    if (!error) {
        const struct child_config config = { .loop = p->place->loop,
                                             .argv = argv,
                                             .environment = e.list,
                                             .wrote = wrote,
                                             .ended = ended,
                                             .gone = gone,
                                             .arg = &h };
        error = child_start(&config, &p->child, why);
    }
    environment_free(&e);
    if (!error) {
        error = p->place->ops->started(p->place, argv, child_id(p->child), steps, why);
        int attended = attend(&h, judged, &result, error ? NULL : why);
        error = error ? error : attended;
        child_destroy(p->child);
        p->child = NULL;
    }
    driver_lines_close(&h.lines);
    buf_free(&h.shown);
    if (!error)
        *out = result;
    return error;
}
