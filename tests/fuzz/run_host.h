/* run_host.h - for the fuzzers that need a whole run: its parts, started once, and a client of a
 * listener on loopback, in the same thread.
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/timer.h"
#include "endpoint/endpoint.h"
#include "engine/engine.h"
#include "ledger/ledger.h"
#include "mode/catalogue.h"
#include "run/runs.h"
#include "wire/caps.h"

static uv_loop_t loop;
static struct catalogue *catalogue;
static struct runs *runs;
static struct run *run; /* the default one */
static struct run_config run_config;

static inline void promise(bool kept, const char *what)
{
    if (!kept) {
        fprintf(stderr, "broken: %s\n", what);
        abort();
    }
}

static inline void start_run(struct tls_server *tls)
{
    static struct endpoint *endpoint;
    struct refusal why;
    log_set_level(LOG_ERROR + 1);
    promise(uv_loop_init(&loop) == 0 && timers_start(&loop) == 0 && h1_start(&loop) == 0 &&
                (catalogue = catalogue_create()) && endpoint_create(NULL, &endpoint, &why) == 0,
            "the parts of a run start");
    run_config = (struct run_config){ .loop = &loop,
                                      .catalogue = catalogue,
                                      .endpoint = endpoint,
                                      .tls = tls,
                                      .ledger_bytes = 1 << 20,
                                      .body_limit = 1000,
                                      .time_scale = 1 };
    promise(runs_create(1 << 20, &runs) == 0 &&
                runs_add(runs, RUNS_DEFAULT, &run_config, &run) == 0,
            "a run starts");
}

/* Closes a client with RST, so that nothing of its connection is left. */
static inline void drop_client(int fd)
{
    const struct linger now = { .l_onoff = 1 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

static inline int connect_to(struct sockaddr_in at)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    promise(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0, "connecting");
    return fd;
}
