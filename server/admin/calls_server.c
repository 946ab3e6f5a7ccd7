/* calls_server.c - about the server itself. */
#include <string.h>

#include "admin/call.h"
#include "admin/openapi.h"
#include "wire/caps.h"

void calls_health(struct call *call)
{
    response_json(call, 200, json_pack("{s:s}", "status", "ok"));
}

void calls_index(struct call *call)
{
    json_auto_t *calls = json_array();
    bool whole = true;
    for (size_t i = 0; i < routes_count; i++) {
        json_t *row = json_pack("{s:s, s:s, s:s}", "method", routes[i].method, "path",
                                routes[i].path, "about", routes[i].about);
        whole &= json_array_append_new(calls, row) == 0;
    }
    response_json(call, 200,
                  whole ? json_pack("{s:s, s:O}", "version", HANGUP_VERSION, "calls", calls)
                        : NULL);
}

/* What the type of a problem names. */
void calls_problem(struct call *call)
{
    for (int i = 0; i < PROBLEM_COUNT; i++) {
        const struct problem_row *row = problem_row((enum problem)i);
        if (strcmp(row->kind, call_arg(call, "kind")) == 0) {
            buf_printf(response_text(call, 200, "text/plain; charset=utf-8"), "%s (%d)\n\n%s\n",
                       row->title, row->status, row->about);
            return;
        }
    }
    response_refuse(call, PROBLEM_NO_PROBLEM, call->target.path,
                    "a type that a response of this API has", "there is no problem of this kind");
}

void calls_openapi(struct call *call)
{
    response_fixed(call, "application/openapi+json", openapi_json, openapi_json_len);
}

void calls_capabilities(struct call *call)
{
    json_auto_t *rows = json_array();
    bool whole = true;
    for (int i = 0; i < CAPABILITY_COUNT; i++) {
        const struct capability_row *row = caps_row((enum capability)i);
        json_t *entry = json_pack("{s:s, s:s, s:b, s:s}", "name", row->name, "about", row->about,
                                  "available", (int)row->available, "needs", row->needs);
        if (!row->available)
            whole &= json_object_set_new(entry, "why_not", json_string(row->why_not)) == 0;
        whole &= json_array_append_new(rows, entry) == 0;
    }
    response_json(call, 200, whole ? json_pack("{s:O}", "capabilities", rows) : NULL);
}

static void response_ca(struct call *call, const struct file *ca, const char *type)
{
    if (ca->len)
        response_bytes(call, type, ca->bytes, ca->len);
    else
        response_refuse(call, PROBLEM_NO_CA_CERTIFICATE, call->target.path, "",
                        "the server runs with a certificate of your own (--cert), not with its "
                        "local CA");
}

void calls_ca_pem(struct call *call)
{
    response_ca(call, &call->admin->ca_pem, "application/x-pem-file");
}

void calls_ca_der(struct call *call)
{
    response_ca(call, &call->admin->ca_der, "application/x-x509-ca-cert");
}
