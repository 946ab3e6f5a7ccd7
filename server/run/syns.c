/* syns.c - see syns.h.
 *
 * With CAP_TAP each SYN is seen, with its sender; a client's kernel sends the same one (same port,
 * same sequence number) again and again when nobody answers. Without it the kernel's counter of
 * what a listening socket has dropped is sampled, and of refused SYNs nothing can be known.
 */
#include "run/syns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/timer.h"
#include "run/run_parts.h"
#include "wire/caps.h"
#include "wire/tap.h"

#define SENDERS    256               /* whose SYNs are told apart */
#define TOLD_MAX   2000              /* events in one spell; then only counted */
#define SAME_SYN   (100 * NS_PER_MS) /* seen again so soon: on another interface, not sent again */
#define FIRST_LOOK (50 * NS_PER_MS)
#define LATER_LOOK NS_PER_S

struct sender {
    union address from;
    uint32_t seq, attempts;
    int64_t seen_at;
};

struct syns {
    struct run *run;
    enum listener_answer answer;
    int64_t began;
    struct tap *tap; /* NULL: without CAP_TAP */
    struct sender senders[SENDERS];
    unsigned oldest;
    uint64_t total, told;
    struct timer look;
    uint64_t drops_before, drops_seen; /* of the listening sockets */
};

static void begin_event(const struct syns *s)
{
    ledger_begin(s->run->shared.ledger,
                 s->answer == LISTENER_REFUSES ? EV_SYN_REFUSED : EV_SYN_DROPPED, 0, 0);
}

/* --- Seen */

static struct sender *sender_of(struct syns *s, const struct tap_segment *syn)
{
    for (unsigned i = 0; i < SENDERS; i++)
        if (s->senders[i].attempts > 0 && s->senders[i].seq == syn->seq &&
            memcmp(&s->senders[i].from, &syn->from, sizeof syn->from) == 0)
            return &s->senders[i];
    struct sender *fresh = &s->senders[s->oldest];
    s->oldest = (s->oldest + 1) % SENDERS;
    *fresh = (struct sender){ .from = syn->from, .seq = syn->seq, .seen_at = TIME_NONE };
    return fresh;
}

static const char *listener_of(const struct syns *s, const struct tap_segment *syn)
{
    uint16_t port = address_port(&syn->to);
    for (const struct run_listener *l = s->run->shared.listeners; l; l = l->next)
        if (listener_port(l->socket) == port)
            return l->name;
    return NULL;
}

static void seen(void *owner, const struct tap_segment *syn)
{
    struct syns *s = owner;
    struct ledger *l = s->run->shared.ledger;
    struct sender *sender = sender_of(s, syn);
    char peer[ADDRESS_TEXT_SIZE];
    int64_t now = clock_now();
    if (sender->seen_at != TIME_NONE && now - sender->seen_at < SAME_SYN)
        return;
    sender->seen_at = now;
    sender->attempts++;
    s->total++;
    if (s->told == TOLD_MAX)
        return;
    s->told++;
    address_text(&syn->from.any, peer);
    begin_event(s);
    ledger_text(l, F_LISTENER, listener_of(s, syn));
    ledger_text(l, F_PEER, peer);
    ledger_int(l, F_ATTEMPTS, sender->attempts);
    ledger_int(l, F_TOTAL, (int64_t)s->total);
    ledger_commit(l);
}

static int open_tap(struct syns *s)
{
    struct tap_config config = {
        .loop = s->run->config.loop,
        .mask = TAP_SYN | TAP_ACK,
        .flags = TAP_SYN,
        .seen = seen,
        .owner = s,
    };
    for (const struct run_listener *l = s->run->shared.listeners; l; l = l->next)
        if (config.port_count < TAP_PORTS_MAX)
            config.ports[config.port_count++] = listener_port(l->socket);
    return tap_open(&config, &s->tap);
}

/* --- Not seen */

static uint64_t count_drops(const struct syns *s)
{
    uint64_t drops = 0;
    for (const struct run_listener *l = s->run->shared.listeners; l; l = l->next)
        drops += listener_drops(l->socket);
    return drops;
}

static void look(struct syns *s)
{
    struct ledger *l = s->run->shared.ledger;
    uint64_t drops = count_drops(s);
    if (drops == s->drops_seen)
        return;
    begin_event(s);
    ledger_int(l, F_SEGMENTS, (int64_t)(drops - s->drops_seen));
    ledger_int(l, F_TOTAL, (int64_t)(drops - s->drops_before));
    ledger_text(l, F_WHY,
                "counted by the kernel; without CAP_NET_RAW it is not known who sent them");
    ledger_commit(l);
    s->drops_seen = drops;
}

static void look_reached(struct timer *m, int64_t late)
{
    struct syns *s = link_entry(m, struct syns, look);
    int64_t now = clock_now();
    look(s);
    timer_at(m, now + (now - s->began < LATER_LOOK ? FIRST_LOOK : LATER_LOOK));
}

static void watch_without_tap(struct syns *s, const char *error)
{
    char why[200];
    if (s->answer == LISTENER_DROPS) {
        s->drops_before = s->drops_seen = count_drops(s);
        s->look.reached = look_reached;
        timer_at(&s->look, clock_now() + FIRST_LOOK);
        return;
    }
    snprintf(why, sizeof why, "who is refused cannot be known without CAP_NET_RAW (%s)", error);
    begin_event(s);
    ledger_text(s->run->shared.ledger, F_WHY, why);
    ledger_commit(s->run->shared.ledger);
}

/* --- Beginning and end of a spell */

void syns_look(struct syns *s)
{
    if (s && s->tap)
        tap_look(s->tap);
    else if (s && timer_armed(&s->look))
        look(s);
}

static void finish(struct syns *s)
{
    struct ledger *l = s->run->shared.ledger;
    char why[96];
    unsigned missed = s->tap ? tap_missed(s->tap) : 0;
    timer_cancel(&s->look);
    if (s->total > s->told || missed > 0) {
        snprintf(why, sizeof why, "%llu more were seen, and %u came too fast to be seen",
                 (unsigned long long)(s->total - s->told), missed);
        begin_event(s);
        ledger_int(l, F_TOTAL, (int64_t)(s->total + missed));
        ledger_text(l, F_WHY, why);
        ledger_commit(l);
    }
    tap_close(s->tap);
    free(s);
}

void syns_watch(struct syns **out, struct run *run, enum listener_answer answer)
{
    if (*out && (*out)->answer == answer)
        return;
    if (*out)
        finish(*out);
    *out = NULL;
    if (answer == LISTENER_ACCEPTS)
        return;
    struct syns *s = calloc(1, sizeof *s);
    if (!s) {
        log_warn("what the listeners refuse or drop is not watched: out of memory");
        return;
    }
    s->run = run;
    s->answer = answer;
    s->began = clock_now();
    *out = s;
    int error = caps_have(CAP_TAP) ? open_tap(s) : -EPERM;
    if (error)
        watch_without_tap(s, strerror(-error));
}
