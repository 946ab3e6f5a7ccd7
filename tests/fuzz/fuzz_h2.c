/* HTTP/2 frames, behind the preface, for the engine (engine_host.h has the rules). */
#include "engine/head_memory.h"
#include "tests/fuzz/engine_host.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

static void no_turn(void)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *input = malloc(size + sizeof PREFACE);
    if (!input || size == 0) {
        free(input);
        return 0;
    }
    input[0] = data[0];
    memcpy(input + 1, PREFACE, sizeof PREFACE - 1);
    memcpy(input + sizeof PREFACE, data + 1, size - 1);
    feed_both(h2_create, input, size + sizeof PREFACE - 1, no_turn);
    promise(head_memory_total() == 0, "the memory of header sections is given back");
    free(input);
    return 0;
}
