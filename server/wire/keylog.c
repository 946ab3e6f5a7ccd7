#include "wire/keylog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/log.h"

#define LINE_SIZE 512 /* the longest label, 32 octets and the longest secret: below 300 */

struct keylog {
    int fd;
    bool torn; /* the last line was written only in part */
    unsigned long lost;
    char file[];
};

int keylog_open(const char *file, struct keylog **out, struct refusal *why)
{
    struct keylog *k = calloc(1, sizeof *k + strlen(file) + 1);
    if (!k)
        return -ENOMEM;
    strcpy(k->file, file);
    k->fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    if (k->fd < 0) {
        int error = errno;
        free(k);
        return refuse(why, "--keylog", "a file that this user may write to",
                      "%.160s cannot be opened: %s", file, strerror(error));
    }
    *out = k;
    return 0;
}

static size_t add_hex(char *line, size_t len, const gnutls_datum_t *bytes)
{
    size_t room = (LINE_SIZE - len - 2) / 2; /* the NUL, and what ends the line */
    return len + hex_write(bytes->data, bytes->size < room ? bytes->size : room, line + len);
}

static void lose(struct keylog *k, const char *why)
{
    if (k->lost++ == 0)
        log_error("--keylog: a line cannot be written to %s: %s; what is lost from now on is only "
                  "counted",
                  k->file, why);
}

void keylog_write(struct keylog *k, gnutls_session_t session, const char *label,
                  const gnutls_datum_t *secret)
{
    char line[LINE_SIZE];
    gnutls_datum_t client_random;
    gnutls_session_get_random(session, &client_random, NULL);
    size_t len = (size_t)snprintf(line, sizeof line, "%s%.64s ", k->torn ? "\n" : "", label);
    len = add_hex(line, len, &client_random);
    line[len++] = ' ';
    len = add_hex(line, len, secret);
    line[len++] = '\n';

    ssize_t written;
    do
        written = write(k->fd, line, len);
    while (written < 0 && errno == EINTR);
    if (written != (ssize_t)len)
        lose(k, written < 0 ? strerror(errno) : "only a part of it was taken");
    if (written > 0)
        k->torn = written != (ssize_t)len;
}

void keylog_established(struct keylog *k, gnutls_session_t session)
{
    gnutls_datum_t secret;
    if (gnutls_protocol_get_version(session) >= GNUTLS_TLS1_3 ||
        !gnutls_session_is_resumed(session))
        return;
    gnutls_session_get_master_secret(session, &secret);
    keylog_write(k, session, "CLIENT_RANDOM", &secret);
}

void keylog_close(struct keylog *k)
{
    if (!k)
        return;
    if (k->lost > 0)
        log_error("--keylog: %lu lines could not be written to %s", k->lost, k->file);
    close(k->fd);
    free(k);
}
