#include "cli/admin_token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE "HANGUP_ADMIN_TOKEN"

static int refuse_file(struct refusal *why, const char *path, const char *what)
{
    return refuse(why, "--admin-token-file", "a file of one line, the token, of at most 4096 bytes",
                  "%.120s: %s", path, what);
}

/* Takes the line's end off. */
static int read_file(const char *path, char out[ADMIN_TOKEN_MAX + 1], struct refusal *why)
{
    char bytes[ADMIN_TOKEN_MAX + 3]; /* and "\r\n", and one more to see that it is longer */
    FILE *file = fopen(path, "re");
    if (!file)
        return refuse_file(why, path, strerror(errno));
    size_t n = fread(bytes, 1, sizeof bytes, file);
    int error = ferror(file) ? errno : 0;
    fclose(file);
    if (error)
        return refuse_file(why, path, strerror(error));
    if (n && bytes[n - 1] == '\n' && --n && bytes[n - 1] == '\r')
        n--;
    if (n == 0 || n > ADMIN_TOKEN_MAX || memchr(bytes, '\0', n))
        return refuse_file(why, path, n == 0 ? "it is empty" : "this is no token");
    memcpy(out, bytes, n);
    out[n] = '\0';
    return 0;
}

int admin_token_read(struct options *o, struct refusal *why)
{
    static char token[ADMIN_TOKEN_MAX + 1];
    const char *environment = getenv(VARIABLE);
    if (o->admin_token && o->admin_token_file)
        return refuse(why, "--admin-token-file", "one of the two",
                      "it cannot go with --admin-token");
    if (o->admin_token) {
        o->token_source = "--admin-token";
    } else if (o->admin_token_file) {
        int error = read_file(o->admin_token_file, token, why);
        if (error)
            return error;
        o->admin_token = token;
        o->token_source = "--admin-token-file";
    } else if (environment) {
        o->admin_token = environment;
        o->token_source = VARIABLE;
    }
    return 0;
}
