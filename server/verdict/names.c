/* names.c - the names by which an attempt says to what call it belongs: the first of R1's joins. */
#include "base/hash.h"
#include "verdict/calls_parts.h"

#define NAMES_MAX (4 + ATTEMPT_KEYS)

/* Of store names. */
struct named {
    size_t call;
};

static uint64_t mix(const uint64_t *parts, size_t size)
{
    uint64_t hash = hash_more(HASH_START, parts, size);
    return hash ? hash : 1;
}

int names_init(struct build *b, size_t attempts)
{
    size_t names = attempts * NAMES_MAX + 1;
    int error = store_init(&b->names, sizeof(struct named), names);
    return error ? error : store_init(&b->worn, 1, names);
}

enum { NAME_CALL = 1, NAME_KEY, NAME_OTHER, NAME_REQUEST_ID, NAME_TRACE };

/* Its names, the strongest first; ids: those that name it only as long as they are not worn. */
static size_t names_of(const struct entry *e, uint64_t *names, size_t *first_id)
{
    const struct attempt *a = e->attempt;
    size_t count = 0;
    if (a->hangup_call.hash)
        names[count++] = mix((const uint64_t[]){ NAME_CALL, a->hangup_call.hash }, 16);
    if (a->idempotency_key.hash && e->path)
        names[count++] = mix((const uint64_t[]){ NAME_KEY, a->idempotency_key.hash, e->path }, 24);
    for (int i = 0; i < ATTEMPT_KEYS && a->other_keys[i]; i++)
        names[count++] = mix((const uint64_t[]){ NAME_OTHER, a->other_keys[i] }, 16);
    *first_id = count;
    if (a->request_id.hash && e->what)
        names[count++] =
            mix((const uint64_t[]){ NAME_REQUEST_ID, a->request_id.hash, e->what }, 24);
    if (a->trace_id.hash && e->what)
        names[count++] = mix((const uint64_t[]){ NAME_TRACE, a->trace_id.hash, e->what }, 24);
    return count;
}

/* An X-Request-ID or trace id that is sent again after it was answered, or perhaps was, names no
 * call, but perhaps a session or a process: joining by it would make retries of the polls of one.
 */
static bool is_worn(const struct build *b, size_t before, const struct entry *e)
{
    switch (join_standing(b, &b->entries[before], e->attempt->first_byte.from)) {
    case IS_DONE:
    case IS_UNCONFIRMED:
    case IS_UNSURE:
        return true;
    default:
        return false;
    }
}

void names_find_worn(struct build *b)
{
    for (size_t i = 0; i < b->entry_count; i++) {
        const struct entry *e = &b->entries[i];
        uint64_t names[NAMES_MAX];
        size_t first_id, count = names_of(e, names, &first_id);
        for (size_t n = first_id; n < count; n++) {
            struct named *named = store_find(&b->names, names[n]);
            if (!named)
                named = store_add(&b->names, names[n]);
            else if (is_worn(b, named->call, e) && !store_find(&b->worn, names[n]))
                store_add(&b->worn, names[n]);
            named->call = i; /* here: an entry */
        }
    }
    while (store_count(&b->names) > 0)
        store_drop(&b->names);
}

/* Two calls that the harness named are two, whatever else is equal. */
bool names_part(const struct made *call, const struct entry *e)
{
    return call->named && e->attempt->hangup_call.hash &&
           call->named != e->attempt->hangup_call.hash;
}

/* A harness may give one Hangup-Call to one thing after another by mistake, as to all that a screen
 * asks for. What it names for certain is what was asked before, and the next hop of a redirect. */
static bool asks_else(const struct build *b, const struct made *call, const struct entry *e)
{
    const struct entry *m = &b->entries[call->first - 1];
    const struct entry *last = &b->entries[call->last - 1];
    if (!e->path || last->attempt->status / 100 == 3)
        return false;
    while (m && m->path && m->path != e->path)
        m = m->next ? &b->entries[m->next - 1] : NULL;
    return !m;
}

size_t names_join(const struct build *b, const struct entry *e, enum join *join)
{
    size_t perhaps = NO_CALL;
    uint64_t names[NAMES_MAX];
    size_t first_id, count = names_of(e, names, &first_id);
    for (size_t i = 0; i < count; i++) {
        const struct named *named = store_find(&b->names, names[i]);
        if (!named || names_part(&b->made[named->call], e))
            continue;
        /* Whether it is worn can only be told when all before it is known. */
        bool worn = i >= first_id && (history_lacks(b->h, 0, e->attempt->first_byte.from) ||
                                      store_find(&b->worn, names[i]) != NULL);
        bool else_asked =
            i == 0 && e->attempt->hangup_call.hash && asks_else(b, &b->made[named->call], e);
        if (!worn && !else_asked) {
            *join = JOIN_NAMED;
            return named->call;
        }
        /* What is done twice must not be overlooked. */
        if (join_takes_loose(b) && (else_asked || !repeat_is_safe(e->attempt))) {
            *join = JOIN_LOOSE;
            perhaps = named->call;
        }
    }
    return perhaps;
}

void names_keep(struct build *b, size_t index, const struct entry *e)
{
    if (e->attempt->hangup_call.hash)
        b->made[index].named = e->attempt->hangup_call.hash;
    uint64_t names[NAMES_MAX];
    size_t first_id, count = names_of(e, names, &first_id);
    for (size_t i = 0; i < count; i++) {
        if (!store_find(&b->names, names[i]))
            ((struct named *)store_add(&b->names, names[i]))->call = index;
    }
}
