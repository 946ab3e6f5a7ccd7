/* closing.c - "closing" of a mode: what servers do differently when a connection ends, whether a
 * rule of the mode ends it or the server in good order. */
#include <errno.h>
#include <string.h>

#include "mode/language.h"

enum { LINGER, FIN_WAIT, CLIENT_FIRST, LATE_CLOSE_NOTIFY, MEMBERS };

static const char *const client_first_names[] = { "close_notify", "fin", NULL };
static const char *const late_close_notify_names[] = { "ignore", "rst", NULL };

const struct arg_row closing_rows[] = {
    [LINGER] = { .name = "linger",
                 .about = "so long after the FIN of an orderly close what comes is read and "
                          "discarded (RFC 9112 9.6), and draws RST only later",
                 .type = VALUE_DURATION,
                 .fallback = "\"2s\"" },
    [FIN_WAIT] = { .name = "fin_wait",
                   .about = "so long after a FIN of ours, that of a fault too, the connection is "
                            "known (Linux: tcp_fin_timeout); then it is gone, with nothing said. "
                            "20 minutes at most",
                   .type = VALUE_DURATION,
                   .fallback = "\"60s\"" },
    [CLIENT_FIRST] = { .name = "client_first",
                       .about = "what is said over TLS when the client was first to end: "
                                "close_notify and FIN (RFC 8446 6.1), or the FIN alone",
                       .type = VALUE_CHOICE,
                       .choices = client_first_names,
                       .fallback = "\"close_notify\"" },
    [LATE_CLOSE_NOTIFY] = { .name = "late_close_notify",
                            .about = "what the client's close_notify draws that comes behind our "
                                     "FIN: nothing, or RST as other bytes do",
                            .type = VALUE_CHOICE,
                            .choices = late_close_notify_names,
                            .fallback = "\"ignore\"" },
    [MEMBERS] = { 0 },
};

static int check_names(struct compiler *c, const struct path *at, const json_t *closing)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)closing, key, value)
    {
        struct name_list names = { .meant.word = key };
        const struct arg_row *row = closing_rows;
        while (row->name && strcmp(row->name, key) != 0)
            mode_names_add(&names, row++->name);
        struct path here = PATH_KEY(at, key);
        if (row->name)
            continue;
        mode_refuse_at(c, &here, names.text, "there is no such choice when a connection ends");
        return refuse_meant(c->why, &names.meant);
    }
    return 0;
}

int closing_read(struct compiler *c, const json_t *closing)
{
    struct path root = PATH_KEY(NULL, "$"), at = PATH_KEY(&root, "closing");
    union mode_value value[MEMBERS];
    json_t *made = NULL;
    int error = closing ? params_expand(c, &at, closing, &made) : 0;
    json_auto_t *given = made;
    if (!error)
        error = check_names(c, &at, given);
    for (unsigned i = 0; !error && i < MEMBERS; i++) {
        const struct arg_row *row = &closing_rows[i];
        struct path here = PATH_KEY(&at, row->name);
        json_t *json = json_object_get(given, row->name);
        json_auto_t *used = json ? json_incref(json) : value_fallback(row);
        error = used ? value_read(c, &here, row, used, &value[i]) : -ENOMEM;
    }
    if (!error)
        c->program->head.closing =
            (struct wire_closing){ .linger = value[LINGER].number,
                                   .fin_wait = value[FIN_WAIT].number,
                                   .fin_alone = value[CLIENT_FIRST].number == 1,
                                   .reset_late_notify = value[LATE_CLOSE_NOTIFY].number == 1 };
    return error;
}
