#include "h2_stop_rig.h"

enum engine_stop stop_of;
uint64_t stop_place;
struct exchange *stop_exchange; /* most recently */

void stop_and_respond(struct rig *rig, struct exchange *ex)
{
    assert_int_equal(engine_stop_at(ex, stop_of, stop_place), 0);
    assert_int_equal(engine_respond(ex, &rig->response), 0);
}

void stop_note(struct rig *rig, struct exchange *ex)
{
    stop_exchange = ex;
}

struct rig *stop_rig(enum engine_stop at, uint64_t n)
{
    struct rig *rig = rig_ready();
    stop_of = at;
    stop_place = n;
    stop_exchange = NULL;
    rig->on_complete = stop_and_respond;
    rig->on_stopped = stop_note;
    return rig;
}

void stop_ping(struct rig *rig)
{
    rig_frame_in(rig, NGHTTP2_PING, 0, 0, "12345678", 8);
}

size_t stop_section_len(struct rig *rig)
{
    const uint8_t *p = buf_bytes(&rig->out);
    return 9 + ((size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2]);
}
