#include "markup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define DEPTH 16

struct reader {
    const char *text, *at, *end;
    const struct markup_rule *rules;
    char open[DEPTH][32];
    size_t depth;
    bool html;
    void (*element)(void *arg, const char *name, const char *attributes);
    void *arg;
};

static void fail_here(const struct reader *r, const char *what)
{
    const char *from = r->at - r->text > 60 ? r->at - 60 : r->text;
    fail_msg("%s at %zu: ...%.*s>>>%.*s", what, (size_t)(r->at - r->text), (int)(r->at - from),
             from, (int)(r->end - r->at > 60 ? 60 : r->end - r->at), r->at);
}

void markup_plain(const char *text, size_t len)
{
    for (size_t i = 0, n; i < len; i += n) {
        n = utf8_sequence((const uint8_t *)text + i, len - i);
        uint8_t c = (uint8_t)text[i];
        if (n == 0 || (c < 0x20 && c != '\n') || c == 0x7f ||
            (n == 2 && c == 0xc2 && (uint8_t)text[i + 1] < 0xa0))
            fail_msg("octet %#x at %zu: ...%.*s", c, i, i > 40 ? 40 : (int)i,
                     text + (i > 40 ? i - 40 : 0));
    }
}

static bool begins(const struct reader *r, const char *word)
{
    size_t len = strlen(word);
    return (size_t)(r->end - r->at) >= len && memcmp(r->at, word, len) == 0;
}

static void entity(struct reader *r)
{
    static const char *const known[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (begins(r, known[i])) {
            r->at += strlen(known[i]);
            return;
        }
    }
    fail_here(r, "an entity");
}

static size_t name(struct reader *r, char out[32])
{
    size_t len = 0;
    while (r->at < r->end && len < 31 &&
           ((*r->at >= 'a' && *r->at <= 'z') || *r->at == '-' || (*r->at >= '0' && *r->at <= '9')))
        out[len++] = *r->at++;
    out[len] = '\0';
    if (!len)
        fail_here(r, "a name");
    return len;
}

static bool has_word(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list; at && (at = strstr(at, word)); at++)
        if ((at == list || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
            return true;
    return false;
}

static const struct markup_rule *rule_of(const struct reader *r, const char *element)
{
    const char *parent = r->depth ? r->open[r->depth - 1] : NULL;
    if (!r->rules)
        return NULL;
    for (const struct markup_rule *rule = r->rules; rule->element; rule++)
        if (strcmp(rule->element, element) == 0 &&
            (r->html || (rule->parent && parent ? strcmp(rule->parent, parent) == 0
                                                : !rule->parent && !parent)))
            return rule;
    fail_here(r, "an element that is not known here, before");
    return NULL;
}

/* NAME="VALUE"... up to ">" or "/>". */
static void attributes(struct reader *r, const struct markup_rule *rule, char *out, size_t size)
{
    size_t used = 0, required = 0;
    out[0] = '\0';
    while (r->at < r->end && *r->at == ' ') {
        char key[32];
        r->at++;
        name(r, key);
        if (rule && !has_word(rule->required, key) && !has_word(rule->optional, key))
            fail_here(r, "an attribute that is not known, before");
        required += rule && has_word(rule->required, key);
        if (!begins(r, "=\""))
            fail_here(r, "no value");
        r->at += 2;
        const char *value = r->at;
        while (r->at < r->end && *r->at != '"') {
            if (*r->at == '<' || *r->at == '\n')
                fail_here(r, "in a value");
            if (*r->at == '&')
                entity(r);
            else
                r->at++;
        }
        if (used < size)
            used += (size_t)snprintf(out + used, size - used, "%s=%.*s\n", key,
                                     (int)(r->at - value), value);
        r->at++;
    }
    size_t wanted = 0;
    for (const char *c = rule ? rule->required : NULL; c && *c; wanted++)
        c = strchr(c, ' ') ? strchr(c, ' ') + 1 : "";
    if (required != wanted)
        fail_here(r, "an attribute is missing, before");
}

static void begin(struct reader *r)
{
    char element[32], attr[2048];
    r->at++;
    name(r, element);
    const struct markup_rule *rule = rule_of(r, element);
    attributes(r, rule, attr, sizeof attr);
    if (r->element)
        r->element(r->arg, element, attr);
    bool empty = begins(r, "/>");
    r->at += empty;
    if (r->at >= r->end || *r->at != '>')
        fail_here(r, "no end of a tag");
    r->at++;
    if (empty || (r->html && (strcmp(element, "meta") == 0 || strcmp(element, "br") == 0)))
        return;
    assert_true(r->depth < DEPTH);
    strcpy(r->open[r->depth++], element);
}

static void end(struct reader *r)
{
    char element[32];
    r->at += 2;
    name(r, element);
    if (!r->depth || strcmp(r->open[r->depth - 1], element) != 0 || *r->at != '>')
        fail_here(r, "an end of what did not begin");
    r->at++;
    r->depth--;
}

static void content(struct reader *r)
{
    bool any = false;
    while (r->at < r->end) {
        if (begins(r, "</"))
            end(r);
        else if (*r->at == '<')
            begin(r), any = true;
        else if (*r->at == '&')
            entity(r);
        else if (*r->at == '>' && !(r->html && strcmp(r->open[r->depth - 1], "style") == 0))
            fail_here(r, "a \">\"");
        else if (!r->depth && *r->at != '\n')
            fail_here(r, "text outside of the root");
        else
            r->at++;
    }
    if (r->depth || !any)
        fail_here(r, "it is not whole");
}

static void prologue(struct reader *r, const char *text)
{
    if (!begins(r, text))
        fail_here(r, "no prologue");
    r->at += strlen(text);
}

void markup_xml(const char *text, size_t len, const struct markup_rule *rules,
                void (*element)(void *arg, const char *name, const char *attributes), void *arg)
{
    struct reader r = {
        .text = text, .at = text, .end = text + len, .rules = rules, .element = element, .arg = arg
    };
    markup_plain(text, len);
    prologue(&r, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    content(&r);
}

void markup_html(const char *text, size_t len, const struct markup_rule *rules)
{
    struct reader r = { .text = text, .at = text, .end = text + len, .rules = rules, .html = true };
    markup_plain(text, len);
    prologue(&r, "<!DOCTYPE html>\n");
    content(&r);
}
