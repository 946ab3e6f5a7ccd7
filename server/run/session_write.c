/* session_write.c - a connection as the admin API shows it.
 */
#include <inttypes.h>
#include <string.h>

#include "base/number.h"
#include "run/session.h"

static void write_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    buf_json(out, text, strlen(text));
}

static void write_span(struct buf *out, const char *name, int64_t ns)
{
    char text[NUMBER_SIZE];
    number_ms(ns, text);
    buf_printf(out, ",\"%s\":%s", name, text);
}

static void write_tls(const struct session *s, struct buf *out)
{
    struct wire_tls_info tls;
    if (!wire_is_tls(s->xs.wire)) {
        buf_text(out, ",\"tls\":null");
        return;
    }
    wire_tls_info(s->xs.wire, &tls);
    buf_printf(out, ",\"tls\":{\"version\":\"%s\"", tls.version);
    write_text(out, "cipher", tls.cipher);
    buf_text(out, ",\"sni\":");
    buf_json(out, (const char *)tls.sni, tls.sni_len);
    buf_printf(out, ",\"resumed\":%s}", tls.resumed ? "true" : "false");
}

/* The mode, its parameters and, when it is not 1, its time scale. */
static void write_mode(const struct mode_program *mode, struct buf *out)
{
    char scale[NUMBER_SIZE];
    write_text(out, "mode", mode->name);
    buf_printf(out, ",\"params\":%s", mode->params);
    if (mode->scale == 1)
        return;
    number_real(mode->scale, scale);
    buf_printf(out, ",\"time_scale\":%s", scale);
}

void session_write(struct session *s, struct buf *out)
{
    int64_t now = clock_now();
    char peer[ADDRESS_TEXT_SIZE];
    address_text(&s->peer.any, peer);
    session_catch_up(s);
    buf_printf(out, "{\"id\":%" PRIu64, s->xs.id);
    write_text(out, "listener", s->listener);
    write_text(out, "peer", peer);
    write_text(out, "state", wire_state_name(wire_state(s->xs.wire)));
    if (s->xs.engine)
        write_text(out, "protocol", engine_protocol(s->xs.engine));
    else
        buf_text(out, ",\"protocol\":null");
    write_tls(s, out);
    write_mode(s->mode.program, out);
    char why[FITS_WARNING_SIZE];
    if (fits_warning(s, why))
        write_text(out, "warning", why);
    else
        buf_text(out, ",\"warning\":null");
    write_span(out, "age_ms", now - s->mode.accepted_at);
    if (s->xs.idle_since != TIME_NONE)
        write_span(out, "idle_ms", now - s->xs.idle_since);
    else
        buf_text(out, ",\"idle_ms\":null");
    buf_printf(out,
               ",\"exchanges\":%u,\"open_exchanges\":%u,\"bytes_in\":%" PRIu64
               ",\"bytes_out\":%" PRIu64 "}",
               s->xs.begun, s->xs.open, (uint64_t)wire_bytes_in(s->xs.wire),
               (uint64_t)wire_bytes_out(s->xs.wire));
}
