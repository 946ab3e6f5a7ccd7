/* endpoint_rig.h - asking an endpoint, and looking at its response. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "endpoint/endpoint.h"

#include "harness/memory.h"

static inline struct response ask(struct endpoint *e, const char *method, const char *target)
{
    const struct request request = { .method = method, .target = target, .authority = "localhost" };
    const struct served served = { 12, 3, "h2", 1 };
    struct response response;
    memset(&response, 0xff, sizeof response);
    endpoint_respond(e, &request, &served, &response);
    return response;
}

static inline const char *header_of(const struct response *response, const char *name)
{
    static char value[4][200];
    static unsigned turn;
    for (size_t i = 0; i < response->header_count; i++) {
        const struct header *h = &response->headers[i];
        if (h->name_len == strlen(name) && memcmp(h->name, name, h->name_len) == 0) {
            char *out = value[turn++ % 4];
            snprintf(out, sizeof value[0], "%.*s", (int)h->value_len, h->value);
            return out;
        }
    }
    return NULL;
}

static inline void assert_header(const struct response *response, const char *name,
                                 const char *value)
{
    const char *found = header_of(response, name);
    if (!found)
        fail_msg("no header %s", name);
    assert_string_equal(found, value);
}

static inline void assert_body(const struct response *response, const char *text)
{
    assert_int_equal(response->body_len, strlen(text));
    assert_memory_equal(response->body, text, response->body_len);
}

static inline void assert_problem(const struct response *response, int status)
{
    assert_int_equal(response->status, status);
    assert_header(response, "content-type", "application/problem+json");
    json_t *body = json_loadb(response->body, response->body_len, 0, NULL);
    assert_non_null(body);
    assert_int_equal(json_integer_value(json_object_get(body, "status")), status);
    assert_string_equal(json_string_value(json_object_get(body, "title")), problem_title(status));
    assert_true(json_string_length(json_object_get(body, "detail")) > 10);
    json_decref(body);
}

static inline struct endpoint *plain(void)
{
    struct endpoint *e;
    assert_int_equal(endpoint_create(NULL, &e, NULL), 0);
    return e;
}
