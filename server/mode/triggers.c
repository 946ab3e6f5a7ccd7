/* triggers.c - when a rule fires: the rows of the triggers, and of what narrows them. */
#include "base/duration.h"
#include "mode/language.h"

const struct rule_member_row rule_member_rows[RULE_MEMBERS] = {
    [RULE_AT] = { "at", "where in the request or response", "one of the trigger's places" },
    [RULE_WHAT] = { "what", "what is late, or what the client says",
                    "of late: \"handshake\", \"nothing\", \"head\" or \"body\"; of peer: \"ping\", "
                    "\"ping_ack\", \"settings\", \"settings_ack\", \"goaway\", \"rst_stream\", "
                    "\"window_update\", \"close_notify\" or \"fin\"" },
    [RULE_COUNT] = { "count", "at each so many-th only", "an integer from 1 to 10000" },
    [RULE_WITHIN] = { "within", "only when so many came within this time", DURATION_ALLOWED },
    [RULE_SPACING] = { "spacing",
                       "counts only what comes sooner after the one before, with no HEADERS or "
                       "DATA "
                       "of the server's between them; these begin the count anew",
                       DURATION_ALLOWED },
    [RULE_AFTER] = { "after", "how long it lasts before the rule fires", DURATION_ALLOWED },
    [RULE_NAME] = { "name", "the mark it waits for", MODE_NAME_ALLOWED },
    [RULE_UNLESS] = { "unless", "another mark: set before the rule fires, it calls it off",
                      MODE_NAME_ALLOWED },
    [RULE_OVER] = { "over", "only on connections of this protocol", "\"h1\" or \"h2\"" },
    [RULE_NTH] = { "nth", "only for these requests of the connection, counted from 1",
                   "a request's number (2), or a range as text (\"2\", \"2-4\", \"3-\")" },
    [RULE_IDLE] = { "idle", "only when the connection was idle at least so long before the request",
                    DURATION_ALLOWED },
    [RULE_AGE] = { "age", "only when the connection was accepted at least so long ago",
                   DURATION_ALLOWED },
    [RULE_CONNECTION] = { "connection",
                          "only on these connections, counted from 1 since the mode was set",
                          "a connection's number (2), or a range as text (\"2\", \"2-4\", \"3-\"), "
                          "also of every so many-th: \"1-/2\" (1, 3, 5 ...), \"2-10/4\"" },
    [RULE_TIMES] = { "times", "at most so often on one connection",
                     "an integer from 1 to 4294967294" },
    [RULE_TLS] = { "tls", "only over TLS (true), or in cleartext (false)", "true or false" },
    [RULE_LISTENER] = { "listener", "only on connections that came to this listener",
                        "a listener's name, or a list of them; * stands for anything" },
    [RULE_FAMILY] = { "family", "only for clients that came over this version of IP",
                      "\"ipv4\" or \"ipv6\"" },
    [RULE_SNI] = { "sni", "only where the TLS ClientHello asked for this name",
                   "a server's name, or a list of them; * stands for anything, \"\" for none" },
    [RULE_RESUMED] = { "resumed", "only where TLS resumed a session (true), or did not (false)",
                       "true or false" },
    [RULE_USED] = { "used", "only on connections that have carried a request (true), or none",
                    "true or false" },
    [RULE_METHOD] = { "method", "only for requests of this method",
                      "a method (\"POST\"), or a list of them" },
    [RULE_PATH] = { "path", "only for requests of this path, without the query",
                    "a path (\"/api/*\"), or a list of them; * stands for anything" },
    [RULE_AUTHORITY] = { "authority", "only for requests to this authority (:authority, or Host)",
                         "an authority (\"*.example:8443\"), or a list of them; * stands for "
                         "anything" },
    [RULE_HEADER] = { "header", "only for requests with this header field",
                      "a header's name, or {\"name\": NAME, \"value\": TEXT}, * standing for "
                      "anything in it, or {\"name\": NAME, \"present\": false}" },
    [RULE_CONTENT] = { "content", "only for requests with so many octets of content",
                       "{\"min\": N, \"max\": N}, or one of them" },
    [RULE_PROBABILITY] = { "probability", "only with this probability; the run's seed decides",
                           "a number from 0 to 1" },
};

static const struct at_row at_request[] = {
    { "first_byte", ON_FIRST_BYTE, "its first byte was read; nothing of it is known yet", 0, 0 },
    { "headers", ON_HEADERS, "its header section is complete", 0, 0 },
    { "content", ON_REQUEST_CONTENT,
      "so much of its content was read, or more in the reading that brought it", true, 1 },
    { "complete", ON_COMPLETE, "its last byte was read", 0, 0 },
    { 0 },
};

static const struct at_row at_response[] = {
    { "start", ON_RESPONSE_START, "nothing of the response was sent yet", 0, 0 },
    { "bytes", ON_RESPONSE_BYTES,
      "exactly so many of its octets, heads and framing included, are with the kernel", true, 1 },
    { "content", ON_RESPONSE_CONTENT,
      "exactly so much of its content is with the kernel; 0: the header section", true, 0 },
    { "end", ON_RESPONSE_END, "the response's last byte was handed to the kernel", 0, 0 },
    { 0 },
};

static const struct at_row late_what[] = {
    { "handshake", ON_LATE_HANDSHAKE, "TLS, since the connection was accepted", 0, 0 },
    { "nothing", ON_LATE_NOTHING,
      "a first request, since the connection was accepted, or TLS established: it has not begun", 0,
      0 },
    { "head", ON_LATE_HEAD, "a request's header section, since its first byte", 0, 0 },
    { "body", ON_LATE_BODY, "a request's content, since its header section", 0, 0 },
    { 0 },
};

static const struct at_row peer_what[] = {
    { "ping", ON_PEER, "PING without ACK", 0, FRAME_PING },
    { "ping_ack", ON_PEER, "the ACK of a PING of the server's", 0, FRAME_PING_ACK },
    { "settings", ON_PEER, "SETTINGS without ACK", 0, FRAME_SETTINGS },
    { "settings_ack", ON_PEER, "the ACK of the server's SETTINGS", 0, FRAME_SETTINGS_ACK },
    { "goaway", ON_PEER, "GOAWAY", 0, FRAME_GOAWAY },
    { "rst_stream", ON_PEER, "RST_STREAM", 0, FRAME_RST_STREAM },
    { "window_update", ON_PEER, "WINDOW_UPDATE, of a stream or the connection", 0,
      FRAME_WINDOW_UPDATE },
    { "close_notify", ON_PEER, "TLS close_notify; never on a cleartext connection", 0,
      SAID_CLOSE_NOTIFY },
    { "fin", ON_PEER, "FIN: the client's side of the TCP connection is closed", 0, SAID_FIN },
    { 0 },
};

#define ALWAYS UINT32_MAX
/* What any trigger on a connection takes, and any about an exchange. */
#define ON_CONNECTION                                                                              \
    (TAKES(RULE_CONNECTION) | TAKES(RULE_TIMES) | TAKES(RULE_TLS) | TAKES(RULE_LISTENER) |         \
     TAKES(RULE_FAMILY) | TAKES(RULE_SNI) | TAKES(RULE_RESUMED) | TAKES(RULE_PROBABILITY))
#define OF_REQUEST                                                                                 \
    (TAKES(RULE_METHOD) | TAKES(RULE_PATH) | TAKES(RULE_AUTHORITY) | TAKES(RULE_HEADER) |          \
     TAKES(RULE_CONTENT))
#define ON_EXCHANGE                                                                                \
    (ON_CONNECTION | OF_REQUEST | TAKES(RULE_AT) | TAKES(RULE_OVER) | TAKES(RULE_NTH) |            \
     TAKES(RULE_AGE))

const struct trigger_row trigger_rows[] = {
    [TRIGGER_LISTEN] = { .about = "the next connection would get this mode; with name, when that "
                                  "mark is set. It is "
                                  "about the listeners, not about a connection",
                         .slot = ON_LISTEN,
                         .takes = TAKES(RULE_NAME) | TAKES(RULE_AFTER),
                         .times = ALWAYS },
    [TRIGGER_ACCEPT] = { .about = "the TCP connection was accepted; nothing was read",
                         .slot = ON_ACCEPT,
                         .takes = ON_CONNECTION,
                         .times = ALWAYS },
    [TRIGGER_CLIENT_HELLO] = { .about = "the TLS ClientHello was read, and nothing answered; never "
                                        "on a cleartext connection",
                               .slot = ON_CLIENT_HELLO,
                               .takes = ON_CONNECTION,
                               .times = ALWAYS },
    [TRIGGER_HANDSHAKE] = { .about = "TLS is established; never on a cleartext connection",
                            .slot = ON_HANDSHAKE,
                            .takes = ON_CONNECTION,
                            .times = ALWAYS },
    [TRIGGER_PROTOCOL] = { .about = "the HTTP version is known (ALPN, or the first bytes of a "
                                    "cleartext connection), and "
                                    "nothing of HTTP was said",
                           .slot = ON_PROTOCOL,
                           .takes = ON_CONNECTION | TAKES(RULE_OVER),
                           .times = ALWAYS },
    [TRIGGER_REQUEST] = { .about = "a request arrives",
                          .at = at_request,
                          .default_at = "complete",
                          .takes = ON_EXCHANGE,
                          .nth_first = 1,
                          .times = ALWAYS },
    [TRIGGER_REUSE] = { .about = "a request arrives that is not the connection's first",
                        .at = at_request,
                        .default_at = "first_byte",
                        .takes = ON_EXCHANGE | TAKES(RULE_IDLE),
                        .nth_first = 2,
                        .times = ALWAYS },
    [TRIGGER_RESPONSE] = { .about = "a response is sent",
                           .at = at_response,
                           .default_at = "end",
                           .takes = ON_EXCHANGE,
                           .nth_first = 1,
                           .times = ALWAYS },
    [TRIGGER_IDLE] = { .about = "the connection has been idle so long; once in each idle spell",
                       .slot = ON_IDLE,
                       .takes =
                           ON_CONNECTION | TAKES(RULE_USED) | TAKES(RULE_AFTER) | TAKES(RULE_OVER),
                       .requires = TAKES(RULE_AFTER),
                       .times = ALWAYS },
    [TRIGGER_AGE] = { .about = "the connection was accepted so long ago",
                      .slot = ON_AGE,
                      .takes =
                          ON_CONNECTION | TAKES(RULE_USED) | TAKES(RULE_AFTER) | TAKES(RULE_OVER),
                      .requires = TAKES(RULE_AFTER),
                      .times = ALWAYS },
    [TRIGGER_LATE] = { .about =
                           "something has begun, and is not whole so long after; once for each",
                       .place = RULE_WHAT,
                       .at = late_what,
                       .takes = ON_CONNECTION | OF_REQUEST | TAKES(RULE_WHAT) | TAKES(RULE_AFTER) |
                                TAKES(RULE_OVER) | TAKES(RULE_NTH),
                       .requires = TAKES(RULE_WHAT) | TAKES(RULE_AFTER),
                       .nth_first = 1,
                       .times = ALWAYS },
    [TRIGGER_PEER] = { .about = "the client says this on a connection that is in service, before "
                                "anything is done about it",
                       .place = RULE_WHAT,
                       .at = peer_what,
                       .takes = ON_CONNECTION | TAKES(RULE_WHAT) | TAKES(RULE_COUNT) |
                                TAKES(RULE_WITHIN) | TAKES(RULE_SPACING) | TAKES(RULE_OVER),
                       .requires = TAKES(RULE_WHAT),
                       .times = ALWAYS },
    [TRIGGER_MARK] = { .about =
                           "the test harness set the mark of this name, after ago; at each setting",
                       .slot = ON_MARK,
                       .takes = ON_CONNECTION | TAKES(RULE_USED) | TAKES(RULE_NAME) |
                                TAKES(RULE_AFTER) | TAKES(RULE_UNLESS) | TAKES(RULE_OVER),
                       .requires = TAKES(RULE_NAME),
                       .times = ALWAYS },
    [TRIGGER_STALE] = { .about = "bytes came after we ended or silenced the connection; once, "
                                 "unless times says more",
                        .slot = ON_STALE,
                        .takes = ON_CONNECTION | TAKES(RULE_OVER),
                        .times = 1 },
    { 0 },
};
