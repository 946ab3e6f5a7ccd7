#include "cli/admin_token.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define VARIABLE "HANGUP_ADMIN_TOKEN"

#define ALLOWED "a file of one line, the token, of at most 4096 bytes"

/* Takes the line's end off. */
static int read_file(const char *path, char out[ADMIN_TOKEN_MAX + 1], struct refusal *why)
{
    static const char option[] = "--admin-token-file";
    struct file file = { 0 };
    int error = file_read(AT_FDCWD, path, ADMIN_TOKEN_MAX + 2, FILE_ANY, &file);
    if (error && error != FILE_TOO_LARGE)
        return file_refuse(error, option, path, ALLOWED, why);
    size_t n = file.len;
    if (n && file.bytes[n - 1] == '\n' && --n && file.bytes[n - 1] == '\r')
        n--;
    if (error || n > ADMIN_TOKEN_MAX || (n && memchr(file.bytes, '\0', n)))
        error = refuse(why, option, ALLOWED, "%.160s holds no token", path);
    else if (n == 0)
        error = refuse(why, option, ALLOWED, "%.160s holds no token: it is empty", path);
    else
        memcpy(out, file.bytes, n);
    out[error ? 0 : n] = '\0';
    file_free(&file);
    return error;
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
