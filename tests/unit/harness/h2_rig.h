/* h2_rig.h - for the tests of the HTTP/2 engine: a host that logs what it is told, bytes by hand,
 * and an nghttp2 client as the peer. Everything is over memory.
 *
 * The host's log is text, a line a call ("begin 1", "headers 1 GET /x"), and so is the transcript
 * of the frames that the engine put out ("HEADERS 1", "GOAWAY last=1 NO_ERROR").
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/engine.h"
#include "engine/h2_error.h"
#include "engine/h2_impl.h"
#include "engine/head_memory.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

struct rig {
    struct engine *engine;
    struct buf log;
    struct buf out; /* all that was put out */
    size_t room;
    unsigned outputs, begun, ended, finished, stale, errors, limits;
    unsigned stale_complete;
    size_t stale_bytes;
    size_t body_bytes;
    struct exchange *last; /* begun most recently */
    bool answer;           /* complete() answers 200 "hello" */
    struct response response;
    void (*on_begin)(struct rig *rig, struct exchange *ex);
    void (*on_headers)(struct rig *rig, struct exchange *ex);
    void (*on_complete)(struct rig *rig, struct exchange *ex);
    void (*on_responded)(struct rig *rig, struct exchange *ex);
    void (*on_lost)(struct rig *rig, struct exchange *ex);
    void (*on_stopped)(struct rig *rig, struct exchange *ex);
    bool quiet; /* body() is counted, not logged */
    /* The nghttp2 client, if one is used */
    nghttp2_session *client;
    size_t delivered; /* of out */
    unsigned answers, closed;
    int status;
    size_t answer_bytes;
    uint32_t close_error, goaway_error;
    char answer_length[24], answer_type[64];
};

/* --- The host */

/* For on_begin, on_headers and on_complete: answers, or does not yet. */
void respond_now(struct rig *rig, struct exchange *ex);
void keep_for_later(struct rig *rig, struct exchange *ex);

extern const struct engine_host rig_calls;

struct rig *rig_create(void);

/* Every exchange that began has ended, once, when this returns. */
void rig_destroy(struct rig *rig);

/* The log so far; the next call gives what comes after. */
const char *rig_log(struct rig *rig);

/* --- Bytes by hand */

void rig_input(struct rig *rig, const void *bytes, size_t n);
void put_frame(struct buf *to, uint8_t type, uint8_t flags, uint32_t stream, const void *payload,
               size_t n);

void rig_frame_in(struct rig *rig, uint8_t type, uint8_t flags, uint32_t stream,
                  const void *payload, size_t n);

/* :method GET, :scheme https, :path /, :authority "a" - and the same with POST */
#define GET_BLOCK                                                                                  \
    "\x82\x87\x84\x01\x01"                                                                         \
    "a"
#define POST_BLOCK                                                                                 \
    "\x83\x87\x84\x01\x01"                                                                         \
    "a"
#define BLOCK_LEN   6
#define END_STREAM  NGHTTP2_FLAG_END_STREAM
#define END_HEADERS NGHTTP2_FLAG_END_HEADERS

void rig_get(struct rig *rig, uint32_t stream);
void rig_preface(struct rig *rig);

/* A rig past the preface, with nothing logged and nothing put out. */
struct rig *rig_ready(void);
uint32_t big32(const uint8_t *p);

/* What was put out since the last call: whole frames, or the test fails. */
const char *rig_frames(struct rig *rig);

/* --- The nghttp2 client */

int client_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                  size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                  void *user);

void rig_client(struct rig *rig);

#define NV(name, value)                                                                            \
    {                                                                                              \
        (uint8_t *)(name), (uint8_t *)(value), strlen(name), strlen(value), 0                      \
    }

/* Submits a request; body may be NULL. extra: one more header, or NULL. */
int32_t client_request(struct rig *rig, const char *method, const char *path, const char *name,
                       const char *value, const h2_data_provider *body);

/* Carries bytes both ways until neither side has more to say. */
void rig_talk(struct rig *rig);
