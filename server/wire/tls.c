/* tls.c - TLS on a wire: GnuTLS over memory.
 *
 * GnuTLS pulls from w->in, a view of what was just read from the socket, and pushes into w->out.
 * Everything in the view is consumed before the wire returns to the loop: GnuTLS says "again" after
 * a record that carries no data (a ticket, a KeyUpdate) although more is there, so only an empty
 * view means that the socket has to be asked.
 *
 * Putting a handshake off at the ClientHello is not left to GnuTLS, whose hooks cannot do it in all
 * cases (a TLS 1.2 ticket is answered regardless, so is a hello that draws a HelloRetryRequest). A
 * session that has read the hello is thrown away, with nothing said, and a new one reads everything
 * again when the wire is back in service.
 */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "wire/keylog.h"
#include "wire/wire_impl.h"

#define RECORD_ALERT 21
#define SNI_MAX      255 /* octets of a name that are kept */

/* Extensions of a ClientHello (RFC 8446 4.2, RFC 6066, RFC 7301, RFC 7685, RFC 5077). */
enum {
    EXT_SERVER_NAME = 0,
    EXT_GROUPS = 10,
    EXT_SIGNATURES = 13,
    EXT_ALPN = 16,
    EXT_PADDING = 21,
    EXT_SESSION_TICKET = 35,
    EXT_PRE_SHARED_KEY = 41,
    EXT_EARLY_DATA = 42,
    EXT_VERSIONS = 43,
    EXT_COOKIE = 44
};

/* An encrypted one is longer than its level and description. */
static bool is_clear_alert(const uint8_t head[5])
{
    return head[0] == RECORD_ALERT && head[3] == 0 && head[4] == 2;
}

/* Follows the records in what the client sends (RFC 8446 5.1), to know how many there were, and
 * what a cleartext alert says. */
static void follow_records(struct wire *w, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        if (w->record_left > 0) {
            size_t part = n < w->record_left ? n : w->record_left;
            if (is_clear_alert(w->record_head))
                for (size_t i = 0; i < part; i++)
                    w->alert[w->alert_have++] = bytes[i];
            w->record_left -= (uint32_t)part;
            bytes += part;
            n -= part;
            continue;
        }
        w->record_head[w->record_have++] = *bytes++;
        n--;
        if (w->record_have == sizeof w->record_head) {
            w->record_left = (uint32_t)w->record_head[3] << 8 | w->record_head[4];
            w->record_have = 0;
            w->records++;
            w->alert_have = 0;
        }
    }
}

bool wire_tls_just_notified(const struct wire *w)
{
    return w->notify_read && w->records == 1 && w->record_have == 0 && w->record_left == 0;
}

static ssize_t pull(gnutls_transport_ptr_t transport, void *out, size_t size)
{
    struct wire *w = transport;
    if (w->in_len == 0) {
        if (w->peer_fin)
            return 0;
        gnutls_transport_set_errno(w->tls, EAGAIN);
        return -1;
    }
    size_t n = size < w->in_len ? size : w->in_len;
    memcpy(out, w->in, n);
    follow_records(w, w->in, n);
    w->in += n;
    w->in_len -= n;
    return (ssize_t)n;
}

static ssize_t push(gnutls_transport_ptr_t transport, const giovec_t *parts, int count)
{
    struct wire *w = transport;
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    if (wire_says_no_more(w))
        return (ssize_t)total;
    if (buf_reserve(&w->out, total) < 0) {
        gnutls_transport_set_errno(w->tls, ENOMEM);
        return -1;
    }
    for (int i = 0; i < count; i++)
        buf_add(&w->out, parts[i].iov_base, parts[i].iov_len);
    w->out_total += total;
    return (ssize_t)total;
}

/* --- The ClientHello, as the client sent it */

struct hello {
    const uint8_t *name; /* of the server, as the client asks for it */
    size_t name_len;
    char alpn[LEDGER_LIST_SIZE]; /* offered */
    size_t alpn_len;
    bool resumption;
    uint64_t client; /* of the extensions, in whatever order */
};

/* Values that mean nothing, and that a client may draw anew each time (RFC 8701). */
static bool is_grease(unsigned value)
{
    return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

/* Values of two octets, but for those. */
static uint64_t hash_values(uint64_t hash, const uint8_t *values, size_t size)
{
    for (size_t i = 0; i + 1 < size; i += 2)
        if (!is_grease((unsigned)values[i] << 8 | values[i + 1]))
            hash = hash_more(hash, values + i, 2);
    return hash;
}

/* What is the same in each ClientHello of a client: not what depends on the server, on an earlier
 * session, or on chance. Some clients draw the order of extensions. */
static void note_for_hash(struct hello *hello, unsigned id, const uint8_t *data, size_t size)
{
    const uint8_t name[2] = { (uint8_t)(id >> 8), (uint8_t)id };
    uint64_t hash = hash_more(HASH_START, name, sizeof name);
    switch (id) {
    case EXT_SERVER_NAME:
    case EXT_ALPN:
    case EXT_PADDING:
    case EXT_SESSION_TICKET:
    case EXT_PRE_SHARED_KEY:
    case EXT_EARLY_DATA:
    case EXT_COOKIE:
        return;
    case EXT_GROUPS:
    case EXT_SIGNATURES: /* a length of two octets, then the values */
        hash = hash_values(hash, data + 2, size < 2 ? 0 : size - 2);
        break;
    case EXT_VERSIONS: /* of one */
        hash = hash_values(hash, data + 1, size < 1 ? 0 : size - 1);
        break;
    default:
        break;
    }
    if (!is_grease(id))
        hello->client += hash;
}

/* A hash of all that, behind the fields ahead of the extensions (RFC 8446 4.1.2): version (2),
 * random (32), session id, cipher suites, compression methods. Never 0. */
static uint64_t client_of(const struct hello *hello, const uint8_t *message, size_t size)
{
    uint64_t hash = hello->client;
    size_t at = 2 + 32;
    if (size > at)
        at += 1 + (size_t)message[at];
    if (at + 2 <= size) {
        size_t ciphers = (size_t)message[at] << 8 | message[at + 1];
        at += 2;
        hash = hash_more(hash, message, 2);
        hash = hash_values(hash, message + at, ciphers < size - at ? ciphers : size - at);
    }
    return hash ? hash : 1;
}

static void note_server_name(struct hello *hello, const uint8_t *data, size_t size)
{
    /* list length (2), then the only type there is: host_name 0 (1), length (2), name */
    if (size < 5 || data[2] != 0)
        return;
    size_t len = (size_t)data[3] << 8 | data[4];
    if (len > size - 5)
        return;
    hello->name = data + 5;
    hello->name_len = len;
}

static void note_alpn(struct hello *hello, const uint8_t *data, size_t size)
{
    for (size_t i = 2; i < size && data[i] <= size - i - 1; i += (size_t)data[i] + 1)
        hello->alpn_len =
            ledger_item(hello->alpn, sizeof hello->alpn, hello->alpn_len, data + i + 1, data[i]);
}

static int note_extension(void *context, unsigned id, const unsigned char *data, unsigned size)
{
    struct hello *hello = context;
    note_for_hash(hello, id, data, size);
    if (id == EXT_SERVER_NAME)
        note_server_name(hello, data, size);
    else if (id == EXT_ALPN)
        note_alpn(hello, data, size);
    else if (id == EXT_PRE_SHARED_KEY || (id == EXT_SESSION_TICKET && size > 0))
        hello->resumption = true;
    return 0;
}

static void keep_name(struct wire *w, const struct hello *hello)
{
    size_t len = hello->name_len < SNI_MAX ? hello->name_len : SNI_MAX;
    w->sni = len > 0 ? malloc(len) : NULL;
    if (!w->sni)
        return;
    memcpy(w->sni, hello->name, len);
    w->sni_len = (uint8_t)len;
}

static void ledger_hello(struct wire *w, const gnutls_datum_t *message)
{
    static struct hello hello; /* used up within the call */
    hello = (struct hello){ 0 };
    gnutls_ext_raw_parse(&hello, note_extension, message, GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO);
    w->client = client_of(&hello, message->data, message->size);
    ledger_begin(w->ledger, EV_CLIENT_HELLO, w->id, 0);
    if (hello.name_len > 0)
        ledger_bytes(w->ledger, F_SNI, (const char *)hello.name, hello.name_len);
    ledger_bytes(w->ledger, F_ALPN_OFFERED, hello.alpn, hello.alpn_len);
    ledger_int(w->ledger, F_RESUMPTION_OFFERED, hello.resumption);
    ledger_commit(w->ledger);
    keep_name(w, &hello);
}

uint64_t wire_client(const struct wire *w)
{
    return w->client;
}

/* Does the handshake continue? Not in a fault, and not after a fatal alert of ours. */
static bool in_handshake(const struct wire *w)
{
    return w->state == WIRE_HANDSHAKE && !w->tls_done;
}

static int client_hello(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                        const gnutls_datum_t *message)
{
    struct wire *w = gnutls_session_get_ptr(session);
    if (!incoming || w->hello_seen)
        return 0; /* the second one, after a HelloRetryRequest, adds nothing; nor the same again */
    w->hello_seen = true;
    ledger_hello(w, message);
    if (w->calls->hello)
        w->calls->hello(w->owner);
    return in_handshake(w) ? 0 : GNUTLS_E_AGAIN; /* which draws no alert */
}

static int write_key(gnutls_session_t session, const char *label, const gnutls_datum_t *secret)
{
    struct wire *w = gnutls_session_get_ptr(session);
    keylog_write(w->server->keylog, session, label, secret);
    return 0;
}

#define ALPN_MAX 8 /* GnuTLS keeps no more */

/* Mandatory: a client that offers only what we do not speak gets the alert of RFC 7301 3.2. */
static int offer(gnutls_session_t tls, const char *const *alpn)
{
    gnutls_datum_t list[ALPN_MAX];
    unsigned n = 0;
    for (; alpn && alpn[n] && n < ALPN_MAX; n++)
        list[n] = (gnutls_datum_t){ (unsigned char *)alpn[n], (unsigned)strlen(alpn[n]) };
    return n ? gnutls_alpn_set_protocols(tls, list, n,
                                         GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE)
             : 0;
}

int wire_tls_create(struct wire *w, struct tls_server *server, const char *const *alpn)
{
    if (gnutls_init(&w->tls, GNUTLS_SERVER | GNUTLS_NONBLOCK) < 0)
        return -ENOMEM;
    w->server = server;
    w->alpn = alpn;
    gnutls_session_set_ptr(w->tls, w);
    gnutls_transport_set_ptr(w->tls, w);
    gnutls_transport_set_pull_function(w->tls, pull);
    gnutls_transport_set_vec_push_function(w->tls, push);
    gnutls_handshake_set_hook_function(w->tls, GNUTLS_HANDSHAKE_CLIENT_HELLO, GNUTLS_HOOK_PRE,
                                       client_hello);
    if (server->keylog)
        gnutls_session_set_keylog_function(w->tls, write_key);
    if (gnutls_priority_set(w->tls, server->priority) < 0 ||
        gnutls_credentials_set(w->tls, GNUTLS_CRD_CERTIFICATE, server->cred) < 0 ||
        gnutls_session_ticket_enable_server(w->tls, &server->ticket_key) < 0 ||
        offer(w->tls, alpn) < 0) {
        gnutls_deinit(w->tls);
        w->tls = NULL;
        return -ENOMEM;
    }
    return 0;
}

/* --- Records */

static void send_alert(struct wire *w, int level, int description)
{
    if (!wire_shape_put_alert(w, level, description))
        gnutls_alert_send(w->tls, level, description);
}

void wire_tls_fail(struct wire *w, int error, const char *why)
{
    int level, description = gnutls_error_to_alert(error, &level);
    bool answers = wire_serving(w) && !w->notified;
    wire_tls_ledger_failed(w, why ? why : gnutls_strerror(error), answers ? description : -1);
    w->tls_done = true;
    if (wire_serving(w)) {
        if (answers)
            send_alert(w, level, description);
        w->notified = true; /* a fatal alert ends TLS: no close_notify after it (RFC 8446 6.2) */
        wire_begin_ending(w);
    }
}

/* Was the record that was just read a cleartext alert? Asked once. GnuTLS, which expects
 * encrypted ones in a TLS 1.3 handshake, says of it that decryption failed; OpenSSL's clients send
 * it so. */
static bool alert_in_cleartext(struct wire *w)
{
    bool whole = w->alert_have == sizeof w->alert;
    if (whole)
        w->alert_have = 0;
    return whole;
}

/* RFC 8446 6: what level an alert has does not matter, but for user_canceled. */
static void alert_received(struct wire *w, bool fatal, int description)
{
    bool last = fatal || (gnutls_protocol_get_version(w->tls) >= GNUTLS_TLS1_3 &&
                          description != GNUTLS_A_USER_CANCELED);
    wire_tls_ledger_alert(w, description, last);
    if (!last)
        return;
    w->tls_done = true;
    w->notified = true;
    wire_shape_tls_ended(w);
    if (w->state == WIRE_HANDSHAKE) {
        w->end_by = BY_CLIENT;
        wire_begin_ending(w);
    } else {
        wire_tell_peer_closed(w, false);
    }
}

static void close_notify_received(struct wire *w)
{
    w->tls_done = w->peer_notified = w->notify_read = true;
    ledger_begin(w->ledger, EV_PEER_CLOSE_NOTIFY, w->id, 0);
    wire_ledger_fault(w);
    wire_ledger_behind(w);
    ledger_commit(w->ledger);
    wire_tell_peer_ends(w, false);
}

/* No other versions are offered (tls_server.c). */
static enum ledger_tls_version version_of(const struct wire *w)
{
    return gnutls_protocol_get_version(w->tls) == GNUTLS_TLS1_3 ? TLS_VERSION_1_3 : TLS_VERSION_1_2;
}

static void established(struct wire *w)
{
    gnutls_datum_t alpn = { NULL, 0 };
    char name[16] = "";
    struct wire_tls_info info;
    if (gnutls_alpn_get_selected_protocol(w->tls, &alpn) == 0)
        snprintf(name, sizeof name, "%.*s", (int)alpn.size, (const char *)alpn.data);
    w->established = true;
    w->established_at = clock_now();
    w->state = WIRE_OPEN;
    if (w->server->keylog)
        keylog_established(w->server->keylog, w->tls);
    wire_tls_info(w, &info);
    ledger_begin(w->ledger, EV_TLS_ESTABLISHED, w->id, 0);
    ledger_word(w->ledger, F_TLS_VERSION, version_of(w));
    ledger_text(w->ledger, F_CIPHER, info.cipher);
    ledger_text(w->ledger, F_ALPN, name[0] ? name : NULL);
    ledger_int(w->ledger, F_RESUMED, info.resumed);
    ledger_commit(w->ledger);
    wire_tell_state(w);
    w->calls->established(w->owner, name);
}

/* Keeps what is left of the present reading for when the wire is back in service. */
static void hold_rest(struct wire *w)
{
    wire_hold(w, w->in, w->in_len);
    w->in_len = 0;
}

/* Where the present reading begins: w->in moves on, its end stays. */
static const uint8_t *reading_start(const struct wire *w)
{
    return w->in + w->in_len - w->reading;
}

/* While the ClientHello is not there yet: keeps what came of it, see put_off(). */
static void keep_early(struct wire *w)
{
    if (w->hello_seen)
        buf_free(&w->early);
    else if (!in_handshake(w) || !w->calls->hello)
        return; /* held, or dropped, or not needed */
    else if (buf_len(&w->early) + w->reading > LIMIT_HELLO)
        wire_tls_fail(w, GNUTLS_E_HANDSHAKE_TOO_LARGE, NULL);
    else if (buf_add(&w->early, reading_start(w), w->reading) < 0)
        wire_end(w, WIRE_LAST_QUIET, BY_SERVER, HOW_NO_MEMORY);
}

/* hello() stalled the wire, or put it into a black hole: the handshake is to begin anew later. */
static void put_off(struct wire *w)
{
    gnutls_session_t old = w->tls;
    int error = wire_tls_create(w, w->server, w->alpn);
    if (error) {
        w->tls = old;
        wire_end_error(w, WIRE_LAST_QUIET, BY_SERVER, -error);
        return;
    }
    gnutls_deinit(old);
    wire_hold(w, buf_bytes(&w->early), buf_len(&w->early));
    w->in = reading_start(w);
    w->in_len = w->reading;
    hold_rest(w);
    w->record_have = 0;
    w->record_left = 0;
}

/* One step of the handshake. Returns false when there is no more to do with what was read. */
static bool handshake_step(struct wire *w)
{
    if (w->state != WIRE_HANDSHAKE) { /* stalled or black-holed: later; ended: never */
        if (wire_row(w)->held)
            hold_rest(w);
        return false;
    }
    int result = gnutls_handshake(w->tls);
    if (wire_row(w)->held)
        put_off(w);
    else if (!in_handshake(w))
        return false; /* hello() ended it */
    else if (result == GNUTLS_E_SUCCESS)
        established(w);
    else if (alert_in_cleartext(w))
        alert_received(w, w->alert[0] == GNUTLS_AL_FATAL || gnutls_error_is_fatal(result),
                       w->alert[1]);
    else if (result == GNUTLS_E_WARNING_ALERT_RECEIVED || result == GNUTLS_E_FATAL_ALERT_RECEIVED)
        alert_received(w, result == GNUTLS_E_FATAL_ALERT_RECEIVED, gnutls_alert_get(w->tls));
    else if (gnutls_error_is_fatal(result))
        wire_tls_fail(w, result, NULL);
    return w->in_len > 0;
}

/* One record. Returns false when there is no more to do with what was read. */
static bool open_record(struct wire *w)
{
    static uint8_t plain[RECORD_MAX]; /* used up within the call: deliver() copies what must stay */
    ssize_t n = gnutls_record_recv(w->tls, plain, sizeof plain);
    w->heard = w->heard || n > 0;
    if (n > 0)
        wire_deliver(w, plain, (size_t)n);
    else if (n == 0)
        close_notify_received(w);
    else if (n == GNUTLS_E_WARNING_ALERT_RECEIVED || n == GNUTLS_E_FATAL_ALERT_RECEIVED)
        alert_received(w, n == GNUTLS_E_FATAL_ALERT_RECEIVED, gnutls_alert_get(w->tls));
    else if (n == GNUTLS_E_REHANDSHAKE) /* TLS 1.2 only; declined, as RFC 5246 7.2.2 allows */
        wire_alert(w, false, GNUTLS_A_NO_RENEGOTIATION);
    else if (gnutls_error_is_fatal((int)n))
        wire_tls_fail(w, (int)n, NULL);
    return w->in_len > 0 || gnutls_record_check_pending(w->tls) > 0;
}

/* A step must use up something, or be the end of the handshake: it is GnuTLS that says so, and one
 * that says "again" over bytes that it does not take would be asked for ever. */
static void no_progress(struct wire *w)
{
    static struct log_gate gate;
    log_sometimes(&gate, LOG_ERROR, "connection %llu: TLS takes nothing of what was read: it ends",
                  (unsigned long long)w->id);
    wire_tls_fail(w, GNUTLS_E_INTERNAL_ERROR, NULL);
}

void wire_tls_input(struct wire *w)
{
    bool more = true;
    if (!w->established && wire_tls_in_cleartext(w))
        return;
    while (more && w->state != WIRE_CLOSED && !w->tls_done) {
        size_t unread = w->in_len, opened = gnutls_record_check_pending(w->tls);
        bool was_established = w->established;
        more = w->established ? open_record(w) : handshake_step(w);
        if (more && !w->tls_done && w->in_len == unread && w->established == was_established &&
            gnutls_record_check_pending(w->tls) == opened)
            no_progress(w);
    }
    follow_records(w, w->in, w->in_len); /* dropped */
    w->in += w->in_len;
    w->in_len = 0;
    if (!w->established && w->state != WIRE_CLOSED)
        keep_early(w);
}

int wire_tls_seal(struct wire *w, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;
    while (n > 0) {
        ssize_t sealed = gnutls_record_send(w->tls, from, n);
        if (sealed < 0)
            return sealed == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EPROTO;
        from += sealed;
        n -= (size_t)sealed;
    }
    return 0;
}

void wire_tls_notify(struct wire *w)
{
    if (!w->tls || !w->established || w->notified)
        return;
    w->notified = true;
    if (!wire_shape_put_alert(w, GNUTLS_AL_WARNING, GNUTLS_A_CLOSE_NOTIFY))
        gnutls_bye(w->tls, GNUTLS_SHUT_WR);
}

int wire_alert(struct wire *w, bool fatal, int description)
{
    if (wire_ready(w, WIRE_VERB_ALERT))
        return WIRE_TOO_LATE;
    send_alert(w, fatal ? GNUTLS_AL_FATAL : GNUTLS_AL_WARNING, description);
    if (fatal || description == GNUTLS_A_CLOSE_NOTIFY) {
        w->notified = true;
        w->tls_done = w->tls_done || !w->established; /* an established one can still be heard */
    }
    if (!w->corked)
        wire_flush_in_verb(w);
    return 0;
}

void wire_tls_info(const struct wire *w, struct wire_tls_info *info)
{
    *info = (struct wire_tls_info){ "", "", "", 0, false };
    if (!w->tls)
        return;
    if (w->sni)
        info->sni = w->sni;
    info->sni_len = w->sni_len;
    if (!w->established)
        return;
    info->version = ledger_word_name(F_TLS_VERSION, version_of(w));
    info->cipher = gnutls_cipher_get_name(gnutls_cipher_get(w->tls));
    info->resumed = gnutls_session_is_resumed(w->tls);
}
