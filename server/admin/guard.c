#include "admin/guard.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/token.h"

#define HOST_MAX 256
#define HOST_ALLOWED                                                                               \
    "localhost, a loopback address, the address listened on, host.docker.internal, --name"

/* The host of "host", "host:port", "[v6]:port", lower case, without a last dot; false if it is none
 * of these. */
static bool split_host(const char *text, size_t len, char out[HOST_MAX])
{
    const char *end;
    if (len && *text == '[') {
        end = memchr(text, ']', len);
        if (!end)
            return false;
        text++, len--;
    } else {
        end = memchr(text, ':', len);
        if (!end)
            end = text + len;
    }
    size_t n = (size_t)(end - text);
    const char *port = end + (*end == ']' && end < text + len);
    const char *stop = text + len;
    if (port < stop && *port++ != ':')
        return false;
    while (port < stop) {
        if (*port < '0' || *port > '9')
            return false;
        port++;
    }
    if (n && text[n - 1] == '.')
        n--;
    if (n == 0 || n >= HOST_MAX || memchr(text, '\0', n))
        return false;
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 0x20 : text[i]);
    out[n] = '\0';
    return true;
}

static bool read_host(const char *text, union address *out)
{
    if (!address_read(text, out))
        return false;
    address_unmap(out);
    return true;
}

int guard_init(struct guard *guard, const char *token, const char *const *names, unsigned count,
               struct refusal *why)
{
    memset(guard, 0, sizeof *guard);
    if (token && !token_is_valid(token))
        return refuse(why, "--admin-token", TOKEN_ALLOWED, TOKEN_REFUSED);
    if (token && !(guard->token = strdup(token)))
        return -ENOMEM;
    guard->names = count ? calloc(count, sizeof *guard->names) : NULL;
    if (count && !guard->names)
        return -ENOMEM;
    for (; guard->name_count < count; guard->name_count++) {
        if (!(guard->names[guard->name_count] = strdup(names[guard->name_count])))
            return -ENOMEM;
    }
    return 0;
}

void guard_finish(struct guard *guard)
{
    for (unsigned i = 0; i < guard->name_count; i++)
        free(guard->names[i]);
    free(guard->names);
    free(guard->token);
    memset(guard, 0, sizeof *guard);
}

void guard_bound(struct guard *guard, const char *text)
{
    char host[HOST_MAX];
    union address address;
    if (!split_host(text, strlen(text), host) || !read_host(host, &address))
        return;
    if (address_is_any(&address))
        guard->any_address = true;
    else if (guard->bound_count < GUARD_BOUND_MAX)
        guard->bound[guard->bound_count++] = address;
}

static bool name_matches(const char *name, const char *host)
{
    if (strncmp(name, "*.", 2) == 0) {
        const char *dot = strchr(host, '.');
        return dot && dot != host && strcasecmp(dot, name + 1) == 0;
    }
    return strcasecmp(name, host) == 0;
}

static bool host_is_ours(const struct guard *guard, const char *text, size_t len)
{
    char host[HOST_MAX];
    union address address, named;
    if (!split_host(text, len, host))
        return false;
    bool is_address = read_host(host, &address);
    for (unsigned i = 0; i < guard->name_count; i++) {
        if (name_matches(guard->names[i], host) ||
            (is_address && read_host(guard->names[i], &named) &&
             address_same_host(&address, &named)))
            return true;
    }
    if (is_address) {
        bool ours = guard->any_address || address_is_loopback(&address);
        for (unsigned i = 0; !ours && i < guard->bound_count; i++)
            ours = address_same_host(&address, &guard->bound[i]);
        return ours;
    }
    return address_is_localhost(host) || strcmp(host, "host.docker.internal") == 0;
}

/* The API speaks cleartext HTTP only. */
static bool same_origin(const char *origin, const char *host)
{
    return strncasecmp(origin, "http://", 7) == 0 && strcasecmp(origin + 7, host) == 0;
}

/* Takes as long for a wrong token as for the right one. */
static bool token_matches(const char *token, const char *given)
{
    size_t len = strlen(token), given_len = strlen(given);
    volatile unsigned char differs = len != given_len;
    for (size_t i = 0; i < given_len; i++)
        differs |= (unsigned char)(given[i] ^ token[len ? i % len : 0]);
    return !differs;
}

static bool is_authorized(const struct guard *guard, const char *authorization)
{
    if (!authorization || strncasecmp(authorization, "bearer ", 7) != 0)
        return false;
    const char *given = authorization + 7;
    given += strspn(given, " ");
    return token_matches(guard->token, given);
}

static int deny(struct refusal *why, int status, const char *where, const char *allowed,
                const char *what)
{
    refuse(why, where, allowed, "%s", what);
    return status;
}

int guard_check(const struct guard *guard, const struct guard_request *r, bool open,
                struct refusal *why)
{
    if (r->repeated)
        return deny(why, 400, "header", "one each of Host, Origin, Sec-Fetch-Site, Authorization",
                    "a header field came more than once");
    if (!r->host || !host_is_ours(guard, r->host, strlen(r->host)))
        return deny(why, 403, "Host", HOST_ALLOWED,
                    "is no name of this server; a web page may have been pointed at it");
    if (r->authority && !host_is_ours(guard, r->authority, r->authority_len))
        return deny(why, 403, "target", HOST_ALLOWED, "its host is no name of this server");
    if (r->origin && !same_origin(r->origin, r->host))
        return deny(why, 403, "Origin", "none, or this API's own",
                    "calls from web pages of other origins are refused");
    if (r->fetch_site && strcasecmp(r->fetch_site, "same-origin") != 0 &&
        strcasecmp(r->fetch_site, "none") != 0)
        return deny(why, 403, "Sec-Fetch-Site", "none, same-origin",
                    "calls from web pages of other sites are refused");
    if (guard->token && !open && !is_authorized(guard, r->authorization))
        return deny(why, 401, "Authorization", "Bearer TOKEN, as given with --admin-token",
                    "the token is missing or wrong");
    return 0;
}
