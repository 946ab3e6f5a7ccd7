/* late.c - what rules on late are told of requests that are not whole, beside their stages
 * (exchange.c): when the connection serves again, and when it has another mode.
 */
#include "run/exchange.h"

void late_anew(struct exchanges *xs, int64_t now)
{
    for (struct link *i = xs->unanswered.next; i != &xs->unanswered; i = i->next) {
        struct session_exchange *sx = link_entry(i, struct session_exchange, link);
        if (sx->reached < REACHED_COMPLETE)
            mode_exchange_late(&sx->mx,
                               sx->reached == REACHED_HEADERS ? ON_LATE_BODY : ON_LATE_HEAD, now);
    }
}

void late_another_mode(struct exchanges *xs)
{
    for (struct link *i = xs->unanswered.next; i != &xs->unanswered; i = i->next) {
        struct session_exchange *sx = link_entry(i, struct session_exchange, link);
        mode_exchange_anew(&sx->mx, sx->reached >= REACHED_HEADERS && sx->mx.ex != &sx->copy);
    }
    for (struct link *i = xs->leaving.next; i != &xs->leaving; i = i->next)
        mode_exchange_anew(&link_entry(i, struct session_exchange, link)->mx, false);
}

void late_due(void *host, struct mode_exchange *mx, int64_t now)
{
    struct session_exchange *sx = link_entry(mx, struct session_exchange, mx);
    exchange_pin(sx);
    if (!sx->end_told)
        mode_exchange_due(mx, now);
    exchange_unpin(sx);
}
