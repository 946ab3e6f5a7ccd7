/* The octets of an HTTP/1.1 client, for the engine (engine_host.h has the rules). */
#include <uv.h>

#include "engine/head_memory.h"
#include "tests/fuzz/engine_host.h"

static uv_loop_t loop;

/* Enough for what does not wait for us. */
static void turn(void)
{
    for (int i = 0; i < 4; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    if (!started)
        promise(uv_loop_init(&loop) == 0 && h1_start(&loop) == 0, "the engine starts");
    started = true;
    feed_both(h1_create, data, size, turn);
    promise(head_memory_total() == 0, "the memory of header sections is given back");
    return 0;
}
