#include "h2_stop_rig.h"

enum engine_stop of;
uint64_t place;
struct exchange *stopped; /* most recently */

void stop_and_respond(struct rig *rig, struct exchange *ex)
{
    assert_int_equal(engine_stop_at(ex, of, place), 0);
    assert_int_equal(engine_respond(ex, &rig->response), 0);
}

void note(struct rig *rig, struct exchange *ex)
{
    stopped = ex;
}

struct rig *rig_stopping(enum engine_stop at, uint64_t n)
{
    struct rig *rig = rig_ready();
    of = at;
    place = n;
    stopped = NULL;
    rig->on_complete = stop_and_respond;
    rig->on_stopped = note;
    return rig;
}

void ping(struct rig *rig)
{
    rig_frame_in(rig, NGHTTP2_PING, 0, 0, "12345678", 8);
}

size_t section_len(struct rig *rig)
{
    const uint8_t *p = buf_bytes(&rig->out);
    return 9 + ((size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2]);
}
