/* talk.h - the same conversation from every seat: HTTP/1.1 or HTTP/2, cleartext or TLS.
 *
 * A seat is where a client sits; a stage is one test at one seat, with its server and its
 * connections; a talk is one connection of it. A scenario is written once and runs from all seats
 * that it names.
 */
#pragma once

#include "admin.h"
#include "check.h"
#include "client.h"
#include "h1.h"
#include "h2.h"
#include "server.h"
#include "tests/skip.h"

#define ENTITLEMENT "/api/entitlement/get"

struct seat {
    const char *name;
    bool h2;
    enum client_tls tls;
};

#define SEAT_H1_CLEARTEXT 1u
#define SEAT_H1_TLS       2u
#define SEAT_H2_CLEARTEXT 4u
#define SEAT_H2_TLS       8u
#define SEAT_H1_TLS12     16u
#define SEATS_H1          (SEAT_H1_CLEARTEXT | SEAT_H1_TLS | SEAT_H1_TLS12)
#define SEATS_H2          (SEAT_H2_CLEARTEXT | SEAT_H2_TLS)
#define SEATS_TLS         (SEAT_H1_TLS | SEAT_H2_TLS | SEAT_H1_TLS12)
#define SEATS_ALL         (SEATS_H1 | SEATS_H2)

struct talk {
    const struct seat *seat;
    struct client c;
    struct h2 h2;
    uint64_t connection;   /* the server's id, once it has answered */
    int32_t stream;        /* of the last request */
    int64_t asked_at;      /* just before the last request was sent; the first: before connecting */
    int64_t answered_at;   /* the last answer was there */
    int64_t hurry_ms;      /* see in_time; 0: none */
    uint64_t raw_answered; /* c.raw_in when the last answer had come */
    int status;            /* of the last answer */
    struct buf body;       /* NUL-terminated */
};

#define STAGE_TALKS 32

struct stage {
    const struct server *server;
    const struct seat *seat;
    int64_t hurry_ms; /* of the talks that are opened */
    struct talk *talks[STAGE_TALKS];
    unsigned count;
};

struct scenario {
    const char *title; /* snake_case sentence */
    void (*run)(struct stage *stage);
    unsigned seats;
};

#define SCENARIO(function, where)                                                                  \
    {                                                                                              \
#function, function, where                                                                 \
    }

/* Runs all scenarios from their seats as one cmocka group against one server, which is reset before
 * each. options: for server_start. With PART=2/4 in the environment each fourth case is run, from
 * the second on. Returns what main should. */
int scenarios_run(const char *group, const struct scenario *list, size_t count,
                  const char *const *options);

/* What a test says of a server's timer must hold on a machine that is slow. A time that the timer
 * may not be before is taken from before what starts it. What the client must do before a timer is
 * reached it may do too late: that shows by its own clock, and then nothing can be said of what it
 * sees. This is called when it has done that, or where it shows that it was too late: by is the
 * earliest time at which the timer can be reached. When that is over, the scenario is played once
 * more, from its beginning. */
void in_time(int64_t by);
/* hurry_ms is the same for timers that are about silence: a talk has sent its next request so soon
 * after asked_at. talk_ask sees to that itself. */
void talk_in_time(const struct talk *t);

/* Another connection of the stage. */
struct talk *talk_open(struct stage *stage);
/* The same without expecting it to go well: *connected tells, the talk's client how it went.
 * patience_ms: as in client_options. */
struct talk *talk_try(struct stage *stage, int64_t patience_ms, bool *connected);

/* Appends a request on the talk. key: an Idempotency-Key, NULL for none. body: NULL for none. */
void talk_compose(struct talk *t, struct buf *out, const char *method, const char *target,
                  const char *key, const char *body);
/* Sends a GET for the entitlement. Returns as client_send. */
int talk_ask(struct talk *t, const char *key);
int talk_ask_for(struct talk *t, const char *method, const char *target, const char *key,
                 const char *body);
/* Reads the answer to the last request into status and body. False: it did not come. */
bool talk_answer(struct talk *t, int64_t until);
/* Asks and is answered with 200, or the test fails. Over HTTP/2 the first request leaves behind the
 * ACK of the server's SETTINGS: an ACK that is sent later can meet the FIN of a fault, and draw
 * RST.
 */
void talk_served(struct talk *t);
/* HTTP/1.1: the answer to the last request has this status and says Connection: close, and the
 * server ends the connection behind it in good order, or the test fails. */
void talk_is_ended(struct talk *t, int status);
/* Closes the client's end. */
void talk_close(struct talk *t);
/* Closes and frees all of the stage's. */
void stage_clear(struct stage *stage);

/* A number under "served" in the last answer. */
uint64_t talk_served_number(const struct talk *t, const char *member);
