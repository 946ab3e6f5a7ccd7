#include "certs/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"

#define WHERE "--name"
#define ALLOWED                                                                                    \
    "a DNS name (\"app.test\", \"*.app.test\") or an IP address (\"192.168.1.20\", \"fd00::20\")"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Docker's container names have underscores, and clients do reach servers by them. */
static bool is_label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '_';
}

static bool is_ascii(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

/* What keeps this from being a DNS name, or NULL. */
static const char *dns_fault(const char *text)
{
    unsigned labels = 0;
    bool wildcard = strncmp(text, "*.", 2) == 0;
    if (strlen(text) > NAME_MAX_DNS)
        return "is longer than 253 characters";
    for (const char *label = wildcard ? text + 2 : text;; labels++) {
        size_t len = strcspn(label, ".");
        if (len == 0)
            return "has an empty label between, before or after its dots";
        if (len > 63)
            return "has a label longer than 63 characters";
        if (label[0] == '-' || label[len - 1] == '-')
            return "has a label that begins or ends with a hyphen";
        bool digits_only = true;
        for (size_t i = 0; i < len; i++) {
            if (label[i] == '*')
                return "has a \"*\" that is not the whole of its first label";
            if (!is_label_char(label[i]))
                return "has a character other than letters, digits, \"-\", \"_\" and \".\"";
            digits_only = digits_only && is_digit(label[i]);
        }
        if (!label[len])
            /* Clients take such a host for an IPv4 address, whatever its other labels are. */
            return digits_only               ? "ends in a number but is not an IPv4 address"
                   : wildcard && labels == 0 ? "has a wildcard right above the last label, which "
                                               "clients refuse"
                                             : NULL;
        label += len + 1;
    }
}

static void set_address(struct name *out, const union address *a)
{
    bool v6 = a->any.sa_family == AF_INET6;
    const void *bytes = v6 ? (const void *)&a->v6.sin6_addr : &a->v4.sin_addr;
    *out = (struct name){ .is_ip = true, .len = v6 ? 16 : 4 };
    memcpy(out->bytes, bytes, out->len);
}

int name_parse(const char *text, struct name *out, struct refusal *why)
{
    union address address;
    if (address_read(text, &address)) {
        set_address(out, &address);
        return 0;
    }
    if (!*text)
        return refuse(why, WHERE, ALLOWED, "it is empty");
    if (!is_ascii(text))
        return refuse(why, WHERE, "its ASCII form (\"xn--...\")",
                      "\"%.150s\" has characters outside ASCII", text);
    if (text[0] == '[')
        return refuse(why, WHERE, ALLOWED, "\"%.150s\" has brackets, as only a URL needs them",
                      text);
    if (strchr(text, '/'))
        return refuse(why, WHERE, ALLOWED, "\"%.150s\" is a URL or a network, not a host", text);
    if (strchr(text, ':'))
        return refuse(why, WHERE, ALLOWED, "\"%.150s\" has a colon but is not an IPv6 address%s",
                      text,
                      strchr(text, '%') ? " without a zone" : " (a port does not belong here)");
    const char *fault = dns_fault(text);
    if (fault)
        return refuse(why, WHERE, ALLOWED, "\"%.100s\" %s", text, fault);

    *out = (struct name){ .len = strlen(text) };
    for (size_t i = 0; i < out->len; i++)
        out->bytes[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]);
    return 0;
}

static bool same(const struct name *a, const struct name *b)
{
    return a->is_ip == b->is_ip && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

size_t names_find(const struct names *names, const struct name *name)
{
    size_t i = 0;
    while (i < names->count && !same(&names->list[i], name))
        i++;
    return i;
}

static void add(struct names *names, const struct name *name)
{
    if (names_find(names, name) == names->count)
        names->list[names->count++] = *name;
}

int names_wanted(const char *const *extra, size_t count, struct names *out, struct refusal *why)
{
    char host[NAME_MAX_DNS + 2] = "";
    const char *always[NAMES_ALWAYS] = { "localhost", "127.0.0.1", "::1", "host.docker.internal",
                                         host };

    if (count > NAMES_MAX)
        return refuse(why, WHERE, "fewer; a wildcard may stand for several",
                      "there are %zu of them, and %d is the most", count, NAMES_MAX);
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';

    struct names names = { .list = calloc(NAMES_ALWAYS + count, sizeof *names.list) };
    if (!names.list)
        return -ENOMEM;
    struct name name;
    for (size_t i = 0; i < NAMES_ALWAYS; i++)
        if (name_parse(always[i], &name, NULL) == 0) /* a host name may be anything */
            add(&names, &name);
    for (size_t i = 0; i < count; i++) {
        int failed = name_parse(extra[i], &name, why);
        if (failed) {
            names_finish(&names);
            return failed;
        }
        add(&names, &name);
    }
    *out = names;
    return 0;
}

void names_finish(struct names *names)
{
    free(names->list);
    *names = (struct names){ 0 };
}
