/* history_parts.h - the inside of a history, for the files that make it up: history.c (records and
 * gaps), attempts.c, requests.c, presumed.c, connections.c and faults.c (what each event does),
 * judge.c (what follows).
 */
#pragma once

#include "verdict/history.h"
#include "verdict/store.h"

struct history {
    struct history_config config;
    struct store attempts;          /* by number */
    struct store connections;       /* by id */
    struct store faults;            /* by seq */
    struct store marks, lost_syns;  /* by seq */
    struct store gaps;              /* by the first that is missing */
    struct store pauses;            /* by seq */
    uint8_t *heads;                 /* HEAD_MAX for each attempt, by its number */
    struct connection *recent;      /* that a record was of; or NULL */
    struct attempt *recent_attempt; /* that was entered or found last; or NULL */
    uint64_t last_seq;              /* of the last record; 0: none yet */
    int64_t age;
    int64_t told;          /* the age of the last record; NEVER: none yet */
    int64_t unknown_until; /* the last that was forgotten may have gone on so long; NEVER */
    uint64_t last_number;  /* of an attempt */
    uint64_t forgotten, forgotten_unanswered, forgotten_struck;
    bool marks_forgotten, pauses_forgotten;
    bool commanded; /* see history_commanded */
    bool proxied;   /* a request says that a proxy has sent it */
    bool gap_open;  /* the newest gap lasts to the next record */
};

/* Of most requests nobody ever asks what they said but whether there was a fault: it is kept as the
 * ledger has it, and read when the attempt is looked at. One that is longer is read at once. */
#define HEAD_MAX 512

typedef void event_handler(struct history *h, const struct ledger_record *r);

/* attempts.c */
event_handler history_on_processed, history_on_response_start, history_on_response_end,
    history_on_response_acked, history_on_exchange_lost, history_on_peer_rst_stream;
/* requests.c */
event_handler history_on_request, history_on_stale_request, history_on_request_complete;
/* presumed.c */
event_handler history_on_segments_dropped;
/* connections.c */
event_handler history_on_connection_open, history_on_client_hello, history_on_protocol,
    history_on_peer_fin, history_on_peer_rst, history_on_peer_close_notify, history_on_peer_goaway,
    history_on_peer_ping, history_on_peer_ping_ack, history_on_peer_settings,
    history_on_peer_settings_ack, history_on_ping_sent, history_on_peer_alert,
    history_on_stale_bytes, history_on_connection_end, history_on_syn_dropped;
/* faults.c */
event_handler history_on_fault, history_on_fault_done, history_on_fault_acked;

/* texts: hash alone, or with up to 200 bytes for showing. Without memory for these, false. */
void record_hash(const struct ledger_record *r, enum ledger_field field, struct text *out);
/* As the digest of a request without content. */
void record_no_content(struct text *out);
bool record_keep(const struct ledger_record *r, enum ledger_field field, struct text *out);

/* A number of a record as an age, or NEVER. */
int64_t record_age(const struct ledger_record *r, enum ledger_field field);
enum tri record_tri(const struct ledger_record *r, enum ledger_field field);

/* Something of this time is forgotten. */
void history_unknown(struct history *h, int64_t age);
/* Makes room in a store; what is forgotten is counted. */
void history_make_room(struct history *h, struct store *s);

/* The connection of a record; one that the ledger has not told of is made, with nothing known. */
struct connection *history_connection_of(struct history *h, const struct ledger_record *r);
/* From the newest to the oldest of a connection: NULL at the end. */
struct attempt *attempt_newest(struct history *h, const struct connection *c);
struct attempt *attempt_before(struct history *h, const struct attempt *a);
struct attempt *attempt_of(struct history *h, const struct connection *c, uint32_t exchange);
/* A new one, that a record is the first to tell of. */
struct attempt *attempt_add(struct history *h, struct connection *c, const struct ledger_record *r);
/* The attempt that an event is about. When its request is not in the ledger, one is made of which
 * nothing is known but that it was there. */
struct attempt *attempt_told(struct history *h, struct connection *c,
                             const struct ledger_record *r);
/* It is found by its exchange from now on, if it has one. */
void attempt_enter(struct history *h, struct attempt *a);
/* It came so far, by this record. */
void attempt_reach(struct attempt *a, enum progress progress, const struct ledger_record *r);
/* The presumed attempt that nothing was read of yet; what comes is read in the order in which it
 * was sent, so that it is the next request of its connection, if it is one. */
struct attempt *presumed_on(struct history *h, const struct connection *c);

/* Whether it can still be struck: not answered, not lost. */
bool attempt_pending(const struct attempt *a);
/* Whether the client can be said to give it up itself: nothing told it yet that it is lost. */
bool attempt_abandonable(struct history *h, struct attempt *a);
/* Opens a time out of service, or changes what trouble the standing one is. */
void attempt_out(struct attempt *a, enum trouble trouble, uint64_t fault, int64_t from,
                 uint64_t seq);
/* Its client has ended it itself; fault: that the record names, or 0. */
void attempt_abandoned(struct history *h, const struct connection *c, struct attempt *a,
                       uint64_t fault, const struct ledger_record *r);
/* Takes back what a fault did that did not take effect. */
void attempt_spared(struct attempt *a, uint64_t fault);
/* Ends the times out of service by a fault. */
void attempt_repaired(struct attempt *a, uint64_t fault, int64_t age);
/* Before it is dropped. */
void attempt_forget(struct attempt *a);
/* Reads what was kept of its request. */
void attempt_read_head(const struct history *h, struct attempt *a);

/* What the faults that stand on a connection do to a new attempt of it; named: the one that the
 * record names, or 0. */
void faults_meet(struct history *h, struct connection *c, struct attempt *a, uint64_t named);
/* A stream that a GOAWAY promises, and that the client ended as it heard of that, was struck by it
 * (section 3). To be called when either is told. */
void faults_drop(struct history *h, const struct connection *c, struct attempt *a);
/* The client ends the connection: what it waits for there, it has given up (section 2). */
void connection_left(struct history *h, struct connection *c, const struct ledger_record *r,
                     enum leaving how);
/* Responses that went out just before an RST of ours, and of which no proof came that the client
 * read them, are doubtful (section 2). */
void connection_doubt(struct history *h, struct connection *c, uint64_t fault, int64_t at,
                      uint64_t seq);

/* --- Section 3: what kinds of faults there are (kinds.c) */

/* When the client can see it. */
enum visibility {
    SEEN_NEVER, /* it is silent */
    SEEN_ACKED, /* by its kernel, when that has ACKed what said it */
    SEEN_READ,  /* the same, but the client's process must run to read it */
    SEEN_RST,   /* an RST is not ACKed: a round trip later, to be sure */
    SEEN_END    /* when the end of the response shows it */
};

enum repeat { REPEAT_IDEMPOTENT, REPEAT_ANY };

/* From when on an answer is held by it: see section 3. */
enum holds { HOLDS_NOT, HOLDS_ANSWER, HOLDS_CONTENT, HOLDS_SLOW };

struct kind {
    enum visibility visibility;
    enum repeat refused; /* what may be repeated when this has refused it */
    enum holds holds;
    bool kills; /* with connection scope: nothing is answered on the connection after it */
};
const struct kind *kind_of(enum ledger_step step);
