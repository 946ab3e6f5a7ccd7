/* narrow.c - what narrows a rule to some connections or requests, beside the numbers and times that
 * each trigger has: a table of what can be asked, where the answer is known, and how it is found.
 *
 * What is asked of a header section is answered once, when that is whole (mode_exchange_pick), as
 * the engine has forgotten the request by the end of its response. Chance is drawn by hashing the
 * seed, the connection's number, the rule's and the request's: so it does not depend on what else
 * happens, and may be asked for often.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/draw.h"
#include "mode/language.h"
#include "mode/runtime.h"

/* --- Texts, with "*" for anything */

static bool same(char a, char b, bool any_case)
{
    return any_case ? strncasecmp(&a, &b, 1) == 0 : a == b;
}

/* Goes back to the last star only: the stars before it have matched as little as they can. */
static bool fits_pattern(const char *pattern, const char *text, size_t len, bool any_case)
{
    const char *star = NULL;
    size_t at = 0, after_star = 0;
    while (at < len) {
        if (*pattern == '*') {
            star = ++pattern;
            after_star = at;
        } else if (*pattern && same(*pattern, text[at], any_case)) {
            pattern++;
            at++;
        } else if (star) {
            pattern = star;
            at = ++after_star;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

static bool fits_any(const struct mode_narrowing *n, const char *text, size_t len, bool any_case)
{
    for (const char *const *each = n->texts; *each; each++)
        if (fits_pattern(*each, text, len, any_case))
            return true;
    return false;
}

/* --- Matching */

static bool tls_matches(const struct mode_narrowing *n, const struct mode_conn *mc,
                        const struct request *request)
{
    return mc->wire && wire_is_tls(mc->wire) == n->flag;
}

static bool listener_matches(const struct mode_narrowing *n, const struct mode_conn *mc,
                             const struct request *request)
{
    return mc->listener && fits_any(n, mc->listener, strlen(mc->listener), false);
}

static bool family_matches(const struct mode_narrowing *n, const struct mode_conn *mc,
                           const struct request *request)
{
    return mc->v6 == n->flag;
}

static bool sni_matches(const struct mode_narrowing *n, const struct mode_conn *mc,
                        const struct request *request)
{
    struct wire_tls_info info;
    if (!mc->wire || !wire_is_tls(mc->wire))
        return false;
    wire_tls_info(mc->wire, &info);
    return fits_any(n, info.sni, info.sni_len, true);
}

static bool resumed_matches(const struct mode_narrowing *n, const struct mode_conn *mc,
                            const struct request *request)
{
    struct wire_tls_info info;
    if (!mc->wire || !wire_is_tls(mc->wire))
        return false;
    wire_tls_info(mc->wire, &info);
    return *info.version && info.resumed == n->flag; /* no version yet: it is not established */
}

static bool used_matches(const struct mode_narrowing *n, const struct mode_conn *mc,
                         const struct request *request)
{
    return mc->used == n->flag;
}

static bool method_matches(const struct mode_narrowing *n, const struct mode_conn *mc,
                           const struct request *request)
{
    return fits_any(n, request->method, strlen(request->method), false);
}

/* Of a target in absolute form (RFC 9112 3.2.2) what is behind the authority. */
static bool path_matches(const struct mode_narrowing *n, const struct mode_conn *mc,
                         const struct request *request)
{
    const char *path = request->target, *scheme = strstr(path, "://");
    if (*path != '/' && scheme) {
        path = scheme + 3;
        path += strcspn(path, "/?");
    }
    return *path == '/' || !scheme ? fits_any(n, path, strcspn(path, "?"), false)
                                   : fits_any(n, "/", 1, false);
}

static bool authority_matches(const struct mode_narrowing *n, const struct mode_conn *mc,
                              const struct request *request)
{
    const struct header *host = request_header(request, "host");
    if (*request->authority)
        return fits_any(n, request->authority, strlen(request->authority), true);
    return host ? fits_any(n, host->value, host->value_len, true) : fits_any(n, "", 0, true);
}

/* One of several fields of the name is enough. */
static bool header_matches(const struct mode_narrowing *n, const struct mode_conn *mc,
                           const struct request *request)
{
    bool found = false;
    for (uint32_t i = 0; i < request->header_count && !found; i++) {
        const struct header *h = &request->headers[i];
        found = header_is(h, n->name) && (!n->texts || fits_any(n, h->value, h->value_len, false));
    }
    return found == n->flag;
}

/* --- Reading */

static int read_flag(struct compiler *c, const struct path *at, const json_t *json,
                     struct mode_narrowing *out)
{
    char shown[SHOWN_SIZE];
    out->flag = json_is_true(json);
    return json_is_boolean(json) ? 0
                                 : mode_refuse_at(c, at, "true or false", "%s is neither",
                                                  mode_json_shown(json, shown));
}

static int read_family(struct compiler *c, const struct path *at, const json_t *json,
                       struct mode_narrowing *out)
{
    const char *text = json_is_string(json) ? json_string_value(json) : "";
    char shown[SHOWN_SIZE];
    out->flag = strcmp(text, "ipv6") == 0;
    return out->flag || strcmp(text, "ipv4") == 0
               ? 0
               : mode_refuse_at(c, at, "ipv4, ipv6", "%s is no version of IP",
                                mode_json_shown(json, shown));
}

#define TEXTS_MAX 64

/* A text, or a list of some. */
static int read_texts(struct compiler *c, const struct path *at, const json_t *json,
                      struct mode_narrowing *out)
{
    size_t count = json_is_array(json) ? json_array_size(json) : 1;
    if (count == 0 || count > TEXTS_MAX)
        return mode_refuse_at(c, at, "a text, or a list of 1 to 64", "%zu texts", count);
    const char **texts = program_alloc(c->program, (count + 1) * sizeof *texts);
    if (!texts)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        struct path inside = PATH_INDEX(at, i);
        const json_t *each = json_is_array(json) ? json_array_get(json, i) : json;
        char shown[SHOWN_SIZE];
        if (!json_is_string(each) || json_string_length(each) > MODE_TEXT_MAX)
            return mode_refuse_at(c, json_is_array(json) ? &inside : at,
                                  "a text of at most 4096 bytes, or a list of 1 to 64",
                                  "%s is none", mode_json_shown(each, shown));
        texts[i] = program_text(c->program, json_string_value(each), json_string_length(each));
        if (!texts[i])
            return -ENOMEM;
    }
    out->texts = texts;
    return 0;
}

static int read_path(struct compiler *c, const struct path *at, const json_t *json,
                     struct mode_narrowing *out)
{
    int error = read_texts(c, at, json, out);
    for (size_t i = 0; !error && out->texts[i]; i++) {
        struct path inside = PATH_INDEX(at, i);
        const char *text = out->texts[i];
        if (*text != '/' && *text != '*')
            error = mode_refuse_at(c, json_is_array(json) ? &inside : at, "\"/api/*\", \"*\"",
                                   "\"%.64s\" is no path: it begins with / or *", text);
        else if (strchr(text, '?'))
            error = mode_refuse_at(c, json_is_array(json) ? &inside : at, "the path alone",
                                   "\"%.64s\" has a query, which is not looked at", text);
    }
    return error;
}

/* NAME, {"name": NAME, "value": TEXT}, {"name": NAME, "present": false} */
static int read_header(struct compiler *c, const struct path *at, const json_t *json,
                       struct mode_narrowing *out)
{
    const char *allowed = "a header's name, or an object: name, value or present";
    const json_t *object = json_is_object(json) ? json : NULL, *value = NULL, *present = NULL;
    const json_t *name = object ? json_object_get(object, "name") : json;
    char shown[SHOWN_SIZE];
    const char *key;
    json_t *each;
    json_object_foreach((json_t *)object, key, each)
    {
        struct path here = PATH_KEY(at, key);
        if (strcmp(key, "value") == 0)
            value = each;
        else if (strcmp(key, "present") == 0)
            present = each;
        else if (strcmp(key, "name") != 0)
            return mode_refuse_at(c, &here, "name, value, present", "it has no such member");
    }
    struct path of_name = PATH_KEY(at, "name"), of_value = PATH_KEY(at, "value"),
                of_present = PATH_KEY(at, "present");
    if (!json_is_string(name) || !header_name_valid(json_string_value(name)))
        return mode_refuse_at(c, object ? &of_name : at, allowed, "%s is no header's name",
                              name ? mode_json_shown(name, shown) : "it is missing, and this");
    out->name = program_text(c->program, json_string_value(name), json_string_length(name));
    out->flag = true;
    int error = out->name ? 0 : -ENOMEM;
    if (!error && present)
        error = read_flag(c, &of_present, present, out);
    if (!error && value && !out->flag)
        return mode_refuse_at(c, &of_value, "one of value and present",
                              "a header that is not there has no value");
    return !error && value ? read_texts(c, &of_value, value, out) : error;
}

/* {"min": N, "max": N} */
static int read_content(struct compiler *c, const struct path *at, const json_t *json,
                        struct mode_narrowing *out)
{
    char shown[SHOWN_SIZE];
    const char *key;
    json_t *each;
    out->max = PLACE_MAX;
    if (!json_is_object(json) || json_object_size(json) == 0)
        return mode_refuse_at(c, at, rule_member_rows[RULE_CONTENT].allowed,
                              "%s says no number of octets", mode_json_shown(json, shown));
    json_object_foreach((json_t *)json, key, each)
    {
        struct path here = PATH_KEY(at, key);
        bool min = strcmp(key, "min") == 0;
        if (!min && strcmp(key, "max") != 0)
            return mode_refuse_at(c, &here, "min, max", "it has no such member");
        const struct arg_row row = { .name = key, .type = VALUE_INT, .max = PLACE_MAX };
        union mode_value value;
        int error = value_read(c, &here, &row, each, &value);
        if (error)
            return error;
        *(min ? &out->min : &out->max) = value.number;
    }
    return out->min <= out->max ? 0
                                : mode_refuse_at(c, at, "a min that is not above max",
                                                 "no content is of so many octets");
}

static int read_probability(struct compiler *c, const struct path *at, const json_t *json,
                            struct mode_narrowing *out)
{
    char shown[SHOWN_SIZE];
    out->probability = json_number_value(json);
    return json_is_number(json) && out->probability >= 0 && out->probability <= 1
               ? 0
               : mode_refuse_at(c, at, "a number from 0 to 1", "%s is no probability",
                                mode_json_shown(json, shown));
}

/* --- The rows */

#define ALL_SLOTS     IN_ANY
#define FROM_HELLO    (ALL_SLOTS & ~(IN(ON_ACCEPT) | IN(ON_LATE_HANDSHAKE)))
#define FROM_TLS      (FROM_HELLO & ~IN(ON_CLIENT_HELLO))
#define IN_RESPONSE   (IN(ON_RESPONSE_START) | IN_MIDDLE | IN(ON_RESPONSE_END))
#define FROM_COMPLETE (IN(ON_COMPLETE) | IN_RESPONSE)
#define FROM_HEADERS  (IN(ON_HEADERS) | IN(ON_REQUEST_CONTENT) | FROM_COMPLETE | IN(ON_LATE_BODY))

static const char is_known[] = "any trigger on a connection",
                  hello_known[] = "a trigger from client_hello on",
                  tls_known[] = "a trigger from handshake on",
                  head_known[] = "request or reuse from headers on, response, or late with "
                                 "\"what\": body",
                  content_known[] = "request or reuse at complete, or response";

static const struct narrow_row narrow_rows[] = {
    { RULE_TLS, NARROW_CONNECTION, ALL_SLOTS, is_known, 0, read_flag, tls_matches },
    { RULE_LISTENER, NARROW_CONNECTION, ALL_SLOTS, is_known, 0, read_texts, listener_matches },
    { RULE_FAMILY, NARROW_CONNECTION, ALL_SLOTS, is_known, 0, read_family, family_matches },
    { RULE_SNI, NARROW_CONNECTION, FROM_HELLO, hello_known, 1, read_texts, sni_matches },
    { RULE_RESUMED, NARROW_CONNECTION, FROM_TLS, tls_known, 1, read_flag, resumed_matches },
    { RULE_USED, NARROW_STATE, IN(ON_IDLE) | IN(ON_AGE) | IN(ON_MARK), "idle, age, mark", 0,
      read_flag, used_matches },
    { RULE_METHOD, NARROW_REQUEST, FROM_HEADERS, head_known, 0, read_texts, method_matches },
    { RULE_PATH, NARROW_REQUEST, FROM_HEADERS, head_known, 0, read_path, path_matches },
    { RULE_AUTHORITY, NARROW_REQUEST, FROM_HEADERS, head_known, 0, read_texts, authority_matches },
    { RULE_HEADER, NARROW_REQUEST, FROM_HEADERS, head_known, 0, read_header, header_matches },
    { RULE_CONTENT, NARROW_REQUEST, FROM_COMPLETE, content_known, 0, read_content, NULL },
    { RULE_PROBABILITY, NARROW_CHANCE, ALL_SLOTS, is_known, 0, read_probability, NULL },
};
#define ROWS (sizeof narrow_rows / sizeof *narrow_rows)

int narrow_read(struct compiler *c, const struct path *at, const json_t *json,
                struct mode_rule *rule)
{
    struct mode_narrowing found[ROWS];
    unsigned count = 0;
    for (size_t i = 0; i < ROWS; i++) {
        const struct narrow_row *row = &narrow_rows[i];
        const char *name = rule_member_rows[row->member].name;
        const json_t *value = json_object_get(json, name);
        struct path here = PATH_KEY(at, name);
        if (!value)
            continue;
        if (!(row->slots & IN(rule->slot)))
            return mode_refuse_at(c, &here, row->known, "\"%s\" is not known there yet", name);
        found[count] = (struct mode_narrowing){ .row = row };
        int error = row->read(c, &here, value, &found[count]);
        if (error)
            return error;
        rule->of_request |= row->kind == NARROW_REQUEST && row->matches;
        rule->unsure |= row->kind == NARROW_REQUEST || row->kind == NARROW_CHANCE;
        count++;
    }
    if (count == 0)
        return 0;
    struct mode_narrowing *narrow = program_alloc(c->program, count * sizeof *narrow);
    if (!narrow)
        return -ENOMEM;
    memcpy(narrow, found, count * sizeof *narrow);
    rule->narrow = narrow;
    rule->narrow_count = count;
    return 0;
}

/* --- At work */

static bool all_match(const struct mode_conn *mc, const struct mode_rule *rule,
                      enum narrow_kind last)
{
    for (unsigned i = 0; i < rule->narrow_count; i++) {
        const struct mode_narrowing *n = &rule->narrow[i];
        if (n->row->kind <= last && !n->row->matches(n, mc, NULL))
            return false;
    }
    return true;
}

bool mode_rule_is_for(const struct mode_conn *mc, const struct mode_rule *rule)
{
    return all_match(mc, rule, NARROW_CONNECTION);
}

bool narrow_is_about(const struct mode_conn *mc, const struct mode_rule *rule)
{
    return all_match(mc, rule, NARROW_STATE);
}

/* nth: of the request, or of the drawing where there is none. */
static bool is_drawn(const struct mode_conn *mc, const struct mode_rule *rule,
                     const struct mode_narrowing *n, uint32_t nth)
{
    const uint64_t words[] = { mc->number, rule->number, nth, mc->id };
    return n->probability >= 1 || draw(mc->seed, words, mc->number ? 3 : 4) < n->probability;
}

bool narrow_fits(const struct mode_conn *mc, const struct mode_rule *rule,
                 const struct mode_exchange *mx)
{
    if (rule->of_request && !(mx && mx->picked >> rule->number & 1))
        return false;
    for (unsigned i = 0; mx && i < rule->narrow_count; i++) {
        const struct mode_narrowing *n = &rule->narrow[i];
        if (n->row->kind == NARROW_CHANCE && !is_drawn(mc, rule, n, mx->ex->nth))
            return false;
        if (n->row->member == RULE_CONTENT &&
            (mx->content < (uint64_t)n->min || mx->content > (uint64_t)n->max))
            return false;
    }
    return true;
}

bool narrow_drawn(struct mode_conn *mc, const struct mode_rule *rule)
{
    for (unsigned i = 0; i < rule->narrow_count; i++)
        if (rule->narrow[i].row->kind == NARROW_CHANCE &&
            !is_drawn(mc, rule, &rule->narrow[i], ++mc->draws))
            return false;
    return true;
}

void mode_exchange_pick(struct mode_exchange *mx)
{
    const struct mode_program *program = mx->conn->program;
    mx->picked = 0;
    for (unsigned i = 0; i < program->rule_count; i++) {
        const struct mode_rule *rule = &program->rules[i];
        bool fits = rule->of_request;
        for (unsigned k = 0; fits && k < rule->narrow_count; k++) {
            const struct mode_narrowing *n = &rule->narrow[k];
            fits = n->row->kind != NARROW_REQUEST || !n->row->matches ||
                   n->row->matches(n, mx->conn, &mx->ex->request);
        }
        mx->picked |= (uint64_t)fits << rule->number;
    }
}

unsigned narrow_kinds(const struct mode_rule *rule, unsigned kinds)
{
    for (unsigned i = 0; i < rule->narrow_count; i++) {
        const struct mode_narrowing *n = &rule->narrow[i];
        if (n->row->tls || (n->row->member == RULE_TLS && n->flag))
            kinds &= KINDS_TLS;
        else if (n->row->member == RULE_TLS)
            kinds &= ~KINDS_TLS;
    }
    return kinds;
}
