/* rows.h - which events, members and words a ledger has, said once: the enumerations of ledger.h,
 * the names in JSON, docs/openapi.json and tests derive from these rows.
 */
#pragma once

/*  symbol, JSON name, what it means */
#define LEDGER_EVENTS(X)                                                                           \
    X(CONNECTION_OPEN, "connection_open", "a TCP connection was accepted")                         \
    X(CLIENT_HELLO, "client_hello", "a TLS ClientHello arrived")                                   \
    X(TLS_ESTABLISHED, "tls_established", "the TLS handshake is complete")                         \
    X(TLS_FAILED, "tls_failed", "the TLS handshake or a later record failed")                      \
    X(PROTOCOL, "protocol", "the connection speaks this HTTP version")                             \
    X(REQUEST, "request", "the header section of a request is complete")                           \
    X(REQUEST_COMPLETE, "request_complete", "the request's last byte was read")                    \
    X(PROCESSED, "processed", "the endpoint did what the request asks; its response is ready")     \
    X(RESPONSE_START, "response_start", "the response is about to be sent")                        \
    X(RESPONSE_END, "response_end", "the response's last byte was handed to the kernel")           \
    X(RESPONSE_ACKED, "response_acked",                                                            \
      "the client has the response: its kernel has ACKed it, or the client shows that it read it") \
    X(EXCHANGE_LOST, "exchange_lost", "an exchange ended before its response was whole")           \
    X(FAULT, "fault", "a fault is about to happen, as a mode or the admin API told")               \
    X(FAULT_DONE, "fault_done", "whether a fault took effect; or how it went")                     \
    X(FAULT_MISSED, "fault_missed", "a rule or a step of it does nothing, and why")                \
    X(FAULT_ACKED, "fault_acked", "the client's kernel has acknowledged what told it of a fault")  \
    X(STALE_BYTES, "stale_bytes", "the client sent on a connection that we ended or silenced")     \
    X(STALE_REQUEST, "stale_request", "a request in such bytes")                                   \
    X(SYN_REFUSED, "syn_refused", "a SYN came while the listeners refuse")                         \
    X(SYN_DROPPED, "syn_dropped", "a SYN came while the listeners drop SYNs")                      \
    X(SEGMENTS_DROPPED, "segments_dropped", "the black hole swallowed segments of the client")     \
    X(PEER_FIN, "peer_fin", "the client closed its sending side (FIN)")                            \
    X(PEER_RST, "peer_rst", "the client reset the connection (RST)")                               \
    X(PEER_CLOSE_NOTIFY, "peer_close_notify", "the client sent a TLS close_notify")                \
    X(PEER_ALERT, "peer_alert", "the client sent another TLS alert")                               \
    X(PEER_SETTINGS, "peer_settings", "the client sent HTTP/2 SETTINGS")                           \
    X(PEER_SETTINGS_ACK, "peer_settings_ack", "the client has taken our HTTP/2 SETTINGS")          \
    X(PEER_PING, "peer_ping", "the client sent an HTTP/2 PING")                                    \
    X(PEER_PING_ACK, "peer_ping_ack", "the client answered our PING")                              \
    X(PING_SENT, "ping_sent", "we sent an HTTP/2 PING")                                            \
    X(PEER_GOAWAY, "peer_goaway", "the client sent GOAWAY")                                        \
    X(PEER_RST_STREAM, "peer_rst_stream", "the client reset a stream")                             \
    X(PROTOCOL_ERROR, "protocol_error", "the client broke HTTP; what we answered")                 \
    X(LIMIT, "limit", "what the client sent is more than the server takes")                        \
    X(CONNECTION_END, "connection_end", "the connection is over: by whom, how, totals")            \
    X(MODE, "mode", "the mode of the run or of one connection changed")                            \
    X(PLAN, "plan", "the plan of the run changed: which connections get which mode")               \
    X(WARNING, "warning", "what was set does nothing, and why")                                    \
    X(MARK, "mark", "the test harness named a point in time")                                      \
    X(RUN_START, "run_start", "a run begins: of what its verdict will be")                         \
    X(EXPECTATIONS, "expectations", "what is expected of the client was changed")                  \
    X(PHASE, "phase", "a phase of the run begins")                                                 \
    X(COMMAND_START, "command_start", "the command under test was started")                        \
    X(COMMAND_EXIT, "command_exit", "the command under test has ended")                            \
    X(REPORT, "report", "the command's own account of a request")                                  \
    X(RUN_END, "run_end", "the run is over")                                                       \
    X(CLEARED, "cleared", "the ledger was emptied by a reset")                                     \
    X(GAP, "gap", "events are missing here")                                                       \
    X(OUT_OF_DESCRIPTORS, "out_of_descriptors",                                                    \
      "connections wait: no file descriptors are left for them")                                   \
    X(SERVER_PAUSED, "server_paused", "the server did not run: what came meanwhile was read late")

/* Field kinds: INT a number; TEXT a string; WORD one of the words of its LEDGER_WORDS_...; BOOL;
 * SPAN nanoseconds, shown as milliseconds with three decimals; REAL a fraction; HASH 64 bits, shown
 * as 16 hexadecimal digits; LIST strings, each put there by ledger_item, shown as an array; JSON a
 * text that is JSON, shown as it is (left out with "cut" when longer than 4,096 bytes). Texts may
 * be any bytes: what is no UTF-8 is shown as buf_json does. What is one of a fixed set is a WORD; a
 * TEXT is what the client has sent (SNI, METHOD ... DEBUG_DATA), what users name (LISTENER,
 * MODE_NAME, NAME, RUN, STEPS), a clause for people (WHY), or from a registry in which numbers
 * without a name are shown as such (ALERT, SENT_ALERT, ERROR) or that is a library's (CIPHER; ALPN:
 * what the wire's owner offers). symbol, JSON name, kind */
#define LEDGER_FIELDS(X)                                                                           \
    X(LISTENER, "listener", TEXT)                                                                  \
    X(PEER, "peer", TEXT)                                                                          \
    X(SNI, "sni", TEXT)                                                                            \
    X(ALPN_OFFERED, "alpn_offered", LIST)                                                          \
    X(ALPN, "alpn", TEXT)                                                                          \
    X(RESUMPTION_OFFERED, "resumption_offered", BOOL)                                              \
    X(RESUMED, "resumed", BOOL)                                                                    \
    X(TLS_VERSION, "tls_version", WORD)                                                            \
    X(CIPHER, "cipher", TEXT)                                                                      \
    X(PROTOCOL_NAME, "protocol", WORD)                                                             \
    X(STREAM, "stream", INT)                                                                       \
    X(METHOD, "method", TEXT)                                                                      \
    X(TARGET, "target", TEXT)                                                                      \
    X(AUTHORITY, "authority", TEXT)                                                                \
    X(ATTEMPT, "attempt", INT)                                                                     \
    X(IDLE_BEFORE, "idle_before_ms", SPAN)                                                         \
    X(CONNECTION_HEADER, "connection_header", TEXT)                                                \
    X(HEADERS, "headers", LIST)                                                                    \
    X(STATUS, "status", INT)                                                                       \
    X(BODY_BYTES, "body_bytes", INT)                                                               \
    X(REACHED, "reached", WORD)                                                                    \
    X(WHY, "why", TEXT)                                                                            \
    X(MODE_NAME, "mode", TEXT)                                                                     \
    X(RULE, "rule", INT)                                                                           \
    X(TRIGGER, "trigger", WORD)                                                                    \
    X(STEP, "step", WORD)                                                                          \
    X(ARGUMENTS, "arguments", JSON)                                                                \
    X(FAULT, "fault", INT)                                                                         \
    X(LATE, "late_ms", SPAN)                                                                       \
    X(BY, "by", WORD)                                                                              \
    X(HOW, "how", WORD)                                                                            \
    X(IN, "in", WORD)                                                                              \
    X(AFTER_FAULT, "after_fault_ms", SPAN)                                                         \
    X(SENT_INTO, "sent_into", WORD)                                                                \
    X(FIN_ACKED_BEFORE, "fin_acked", WORD)                                                         \
    X(COMPLETE, "complete", BOOL)                                                                  \
    X(BYTES, "bytes", INT)                                                                         \
    X(ATTEMPTS, "attempts", INT)                                                                   \
    X(SEGMENTS, "segments", INT)                                                                   \
    X(TOTAL, "total", INT)                                                                         \
    X(ALERT, "alert", TEXT)                                                                        \
    X(SENT_ALERT, "sent_alert", TEXT)                                                              \
    X(ERROR, "error", TEXT)                                                                        \
    X(LAST_STREAM, "last_stream", INT)                                                             \
    X(SETTINGS, "settings", TEXT)                                                                  \
    X(OPAQUE, "opaque", TEXT)                                                                      \
    X(DEBUG_DATA, "debug_data", TEXT)                                                              \
    X(NAME, "name", TEXT)                                                                          \
    X(PARAMS, "params", JSON)                                                                      \
    X(APPLY, "apply", WORD)                                                                        \
    X(PLAN, "plan", JSON)                                                                          \
    X(SEED, "seed", INT)                                                                           \
    X(ENTRY, "entry", INT)                                                                         \
    X(NUMBER, "number", INT)                                                                       \
    X(LIVE, "live", INT)                                                                           \
    X(TIME_SCALE, "time_scale", REAL)                                                              \
    X(BYTES_IN, "bytes_in", INT)                                                                   \
    X(BYTES_OUT, "bytes_out", INT)                                                                 \
    X(EXCHANGES, "exchanges", INT)                                                                 \
    X(LIFETIME, "lifetime_ms", SPAN)                                                               \
    X(AFTER_PEER_FIN, "after_peer_fin_ms", SPAN)                                                   \
    X(FIRST_BYTE, "first_byte_ms", SPAN)                                                           \
    X(REUSED, "reused", BOOL)                                                                      \
    X(HANGUP_CALL, "hangup_call", TEXT)                                                            \
    X(IDEMPOTENCY_KEY, "idempotency_key", TEXT)                                                    \
    X(REQUEST_ID, "request_id", TEXT)                                                              \
    X(TRACE_ID, "trace_id", TEXT)                                                                  \
    X(SPAN_ID, "span_id", TEXT)                                                                    \
    X(OTHER_KEYS, "other_keys", LIST)                                                              \
    X(FINGERPRINT, "fingerprint", HASH)                                                            \
    X(USER_AGENT, "user_agent", TEXT)                                                              \
    X(RANGE, "range", TEXT)                                                                        \
    X(CONTENT_TYPE, "content_type", TEXT)                                                          \
    X(CONTENT_LENGTH, "content_length", INT)                                                       \
    X(EXPECT, "expect", TEXT)                                                                      \
    X(EARLY_DATA, "early_data", BOOL)                                                              \
    X(DIGEST, "digest", HASH)                                                                      \
    X(BLOCKED_BY_WINDOW, "blocked_by_window", BOOL)                                                \
    X(LOST_BY, "lost_by", WORD)                                                                    \
    X(END_OFFSET, "end_offset", INT)                                                               \
    X(SENT, "sent", INT)                                                                           \
    X(OF, "of", INT)                                                                               \
    X(OFFSET, "offset", INT)                                                                       \
    X(PROOF, "proof", WORD)                                                                        \
    X(FROM, "from_ms", SPAN)                                                                       \
    X(TO, "to_ms", SPAN)                                                                           \
    X(SRTT, "srtt_us", INT)                                                                        \
    X(CLASS, "class", WORD)                                                                        \
    X(SCOPE, "scope", WORD)                                                                        \
    X(IN_EFFECT, "in_effect", BOOL)                                                                \
    X(LAST_FAULT, "last_fault", INT)                                                               \
    X(EFFECT, "effect", BOOL)                                                                      \
    X(IDLE, "idle_ms", SPAN)                                                                       \
    X(CROSSED, "crossed", BOOL)                                                                    \
    X(BEHIND_FAULT, "behind_fault", BOOL)                                                          \
    X(ANSWERED, "answered", INT)                                                                   \
    X(DUE_IN, "due_in_ms", SPAN)                                                                   \
    X(FAMILY, "family", INT)                                                                       \
    X(PATH, "path", WORD)                                                                          \
    X(CLIENT, "client", HASH)                                                                      \
    X(SAMPLED, "sampled_ms", SPAN)                                                                 \
    X(DATA, "data", INT)                                                                           \
    X(DATA_BYTES, "data_bytes", INT)                                                               \
    X(FIRST_DATA, "first_data_ms", SPAN)                                                           \
    X(FINS, "fins", INT)                                                                           \
    X(RSTS, "rsts", INT)                                                                           \
    X(SYNS, "syns", INT)                                                                           \
    X(PROBES, "probes", INT)                                                                       \
    X(ACKS, "acks", INT)                                                                           \
    X(SOURCE, "source", WORD)                                                                      \
    X(RUN, "run", TEXT)                                                                            \
    X(VERSION, "version", TEXT)                                                                    \
    X(RULES, "rules", INT)                                                                         \
    X(OVER, "over", WORD)                                                                          \
    X(EXPECTATIONS, "expectations", JSON)                                                          \
    X(ORIGIN, "origin", TEXT)                                                                      \
    X(RELAYED, "relayed", BOOL)                                                                    \
    X(CONTROL, "control", BOOL)                                                                    \
    X(KEPT, "kept", INT)                                                                           \
    X(PHASE, "phase", WORD)                                                                        \
    X(PHASE_SEQ, "phase_seq", INT)                                                                 \
    X(EXPECTED_SEQ, "expected_seq", INT)                                                           \
    X(COMMAND, "command", LIST)                                                                    \
    X(PID, "pid", INT)                                                                             \
    X(STEPS, "steps", TEXT)                                                                        \
    X(EXIT_STATUS, "exit_status", INT)                                                             \
    X(SIGNAL, "signal", INT)                                                                       \
    X(KILLED, "killed", BOOL)                                                                      \
    X(REPORT, "report", JSON)                                                                      \
    X(REASON, "reason", WORD)                                                                      \
    X(FIRST_SEQ, "first_seq", INT)                                                                 \
    X(LAST_SEQ, "last_seq", INT)                                                                   \
    X(PAUSED, "paused_ms", SPAN)                                                                   \
    X(SLEPT, "slept_ms", SPAN)

/* The words of the WORD fields: symbol, word. An empty one is left out. */

/* Of the protocols, by their ALPN ids and in the order of engine/protocol.h. */
#define LEDGER_WORDS_PROTOCOL_NAME(X)                                                              \
    X(H1, "http/1.1")                                                                              \
    X(H2, "h2")

#define LEDGER_WORDS_TLS_VERSION(X)                                                                \
    X(1_2, "TLS1.2")                                                                               \
    X(1_3, "TLS1.3")

/* Who wanted a connection's end. */
#define LEDGER_WORDS_BY(X)                                                                         \
    X(NOBODY, "")                                                                                  \
    X(CLIENT, "client")                                                                            \
    X(SERVER, "server")                                                                            \
    X(FAULT, "fault")                                                                              \
    X(NETWORK, "network")                                                                          \
    X(RESET, "reset")                                                                              \
    X(MODE, "mode")                                                                                \
    X(SHUTDOWN, "shutdown")

/* How it ended: what the client sees of it, or why that is not known. */
#define LEDGER_WORDS_HOW(X)                                                                        \
    X(AS_SEEN, "")                                                                                 \
    X(FIN, "fin")                                                                                  \
    X(RST, "rst")                                                                                  \
    X(SILENCE, "silence")                                                                          \
    X(NOTHING, "nothing")                                                                          \
    X(UNPROBED, "keep-alive probes unanswered")                                                    \
    X(UNACKED, "what was sent is not acknowledged")                                                \
    X(ERROR, "error")                                                                              \
    X(NO_MEMORY, "out of memory")                                                                  \
    X(NO_ROOM, "out of descriptors or memory")

/* In what it ended. */
#define LEDGER_WORDS_IN(X)                                                                         \
    X(SERVICE, "")                                                                                 \
    X(HANDSHAKE, "handshake")

/* How far a request was read and answered. */
#define LEDGER_WORDS_REACHED(X)                                                                    \
    X(BEGUN, "begun")                                                                              \
    X(HEADERS, "headers")                                                                          \
    X(COMPLETE, "complete")                                                                        \
    X(ANSWERING, "answering")

/* What the client sent something into. */
#define LEDGER_WORDS_SENT_INTO(X)                                                                  \
    X(NOTHING, "")                                                                                 \
    X(ENDING, "ending")                                                                            \
    X(FIN_SENT, "fin_sent")                                                                        \
    X(FORGOTTEN, "forgotten")                                                                      \
    X(STALLED, "stalled")                                                                          \
    X(BLACK_HOLED, "black_holed")                                                                  \
    X(RESETTING, "resetting")                                                                      \
    X(GOAWAY, "goaway")

/* How that relates to our FIN: we sent none; seen ACKed before the bytes came, so that the client's
 * kernel knew; still not ACKed when they were read: they crossed, nobody is to blame; ACKed by now,
 * but perhaps only after they were sent. */
#define LEDGER_WORDS_FIN_ACKED_BEFORE(X)                                                           \
    X(NONE, "")                                                                                    \
    X(ACKED, "acked")                                                                              \
    X(CROSSED, "crossed")                                                                          \
    X(UNCLEAR, "unclear")

/* Whom a plan or mode is for: all connections or new ones. */
#define LEDGER_WORDS_APPLY(X)                                                                      \
    X(ALL, "all")                                                                                  \
    X(NEW, "new")

/* To what an exchange was lost. */
#define LEDGER_WORDS_LOST_BY(X)                                                                    \
    X(NONE, "")                                                                                    \
    X(FAULT, "fault")                                                                              \
    X(CLIENT_CANCEL, "client_cancel")                                                              \
    X(CLIENT_FIN, "client_fin")                                                                    \
    X(CLIENT_RST, "client_rst")                                                                    \
    X(CLIENT_GOAWAY, "client_goaway")                                                              \
    X(SERVER, "server")                                                                            \
    X(TIMEOUT, "timeout")                                                                          \
    X(PROTOCOL, "protocol")                                                                        \
    X(LIMIT, "limit")                                                                              \
    X(NETWORK, "network")                                                                          \
    X(SHUTDOWN, "shutdown")

/* What shows that the client has a response: its kernel's ACK; the others, that it has read it. */
#define LEDGER_WORDS_PROOF(X)                                                                      \
    X(NONE, "")                                                                                    \
    X(ACK, "ack")                                                                                  \
    X(NEXT_REQUEST, "next_request")                                                                \
    X(PING_ACK, "ping_ack")

/* What a step does to a request or connection; "says" and "repairs" are no faults to a client. */
#define LEDGER_WORDS_CLASS(X)                                                                      \
    X(NONE, "")                                                                                    \
    X(ENDS, "ends")                                                                                \
    X(SILENCES, "silences")                                                                        \
    X(REFUSES, "refuses")                                                                          \
    X(HOLDS, "holds")                                                                              \
    X(CUTS, "cuts")                                                                                \
    X(SAYS, "says")                                                                                \
    X(SHAPES, "shapes")                                                                            \
    X(REPAIRS, "repairs")

/* To what. */
#define LEDGER_WORDS_SCOPE(X)                                                                      \
    X(NONE, "")                                                                                    \
    X(STREAM, "stream")                                                                            \
    X(CONNECTION, "connection")                                                                    \
    X(LISTENER, "listener")

/* How the client reaches us: without anybody between who ACKs; by a gateway that rewrites its
 * address; by a relay, whose ACKs say nothing of the client. */
#define LEDGER_WORDS_PATH(X)                                                                       \
    X(DIRECT, "direct")                                                                            \
    X(GATEWAY, "gateway")                                                                          \
    X(RELAYED, "relayed")

/* Who set a mark. */
#define LEDGER_WORDS_SOURCE(X)                                                                     \
    X(ADMIN, "admin")                                                                              \
    X(HEADER, "header")

/* The only protocol of a run. */
#define LEDGER_WORDS_OVER(X)                                                                       \
    X(BOTH, "")                                                                                    \
    X(H1, "h1")                                                                                    \
    X(H2, "h2")

/* The phases of a run: without the fault; with it; with it, and the client's mitigation off. */
#define LEDGER_WORDS_PHASE(X)                                                                      \
    X(CONTROL, "control")                                                                          \
    X(FAULT, "fault")                                                                              \
    X(WITHOUT, "without")

/* Why a run is over. */
#define LEDGER_WORDS_REASON(X)                                                                     \
    X(FINISHED, "finished")                                                                        \
    X(DELETED, "deleted")                                                                          \
    X(TTL, "ttl")                                                                                  \
    X(STOPPED, "stopped")

/* What sets a rule off, and what a rule does; "admin" is the API's "do". The rows of the mode
 * language (mode/triggers.c, mode/steps.c) are indexed by these. */
#define LEDGER_WORDS_TRIGGER(X)                                                                    \
    X(LISTEN, "listen")                                                                            \
    X(ACCEPT, "accept")                                                                            \
    X(CLIENT_HELLO, "client_hello")                                                                \
    X(HANDSHAKE, "handshake")                                                                      \
    X(PROTOCOL, "protocol")                                                                        \
    X(REQUEST, "request")                                                                          \
    X(REUSE, "reuse")                                                                              \
    X(RESPONSE, "response")                                                                        \
    X(IDLE, "idle")                                                                                \
    X(AGE, "age")                                                                                  \
    X(LATE, "late")                                                                                \
    X(PEER, "peer")                                                                                \
    X(MARK, "mark")                                                                                \
    X(STALE, "stale")                                                                              \
    X(ADMIN, "admin")
#define LEDGER_WORDS_STEP(X)                                                                       \
    X(FIN, "fin")                                                                                  \
    X(RST, "rst")                                                                                  \
    X(FORGET, "forget")                                                                            \
    X(BLACK_HOLE, "black_hole")                                                                    \
    X(HEAL, "heal")                                                                                \
    X(STALL, "stall")                                                                              \
    X(RESUME, "resume")                                                                            \
    X(GOAWAY, "goaway")                                                                            \
    X(GOAWAY_NOTICE, "goaway_notice")                                                              \
    X(PING, "ping")                                                                                \
    X(IGNORE_PINGS, "ignore_pings")                                                                \
    X(IGNORE_SETTINGS, "ignore_settings")                                                          \
    X(WINDOW, "window")                                                                            \
    X(MAX_STREAMS, "max_streams")                                                                  \
    X(CLOSE_NOTIFY, "close_notify")                                                                \
    X(ALERT, "alert")                                                                              \
    X(THROTTLE, "throttle")                                                                        \
    X(DRIP, "drip")                                                                                \
    X(CUT, "cut")                                                                                  \
    X(INJECT, "inject")                                                                            \
    X(WAIT, "wait")                                                                                \
    X(DELAY, "delay")                                                                              \
    X(HOLD, "hold")                                                                                \
    X(RESPOND, "respond")                                                                          \
    X(HEADER, "header")                                                                            \
    X(RST_STREAM, "rst_stream")                                                                    \
    X(REFUSE, "refuse")                                                                            \
    X(NO_CONTINUE, "no_continue")                                                                  \
    X(INTERIM, "interim")                                                                          \
    X(REFUSE_SYN, "refuse_syn")                                                                    \
    X(DROP_SYN, "drop_syn")                                                                        \
    X(LISTEN, "listen")

/* symbol, the JSON names of the event's members, those that may be missing with a "?" ("params",
 * "arguments", "plan", "expectations" and "report" are missing when they are too long). Every event
 * has "seq", "at", "ms" and "event" besides, and may have "cut". "fault" is the seq of the fault
 * that the event follows from. docs/openapi.json is made from these rows. */
#define LEDGER_MEMBERS(X)                                                                          \
    X(CONNECTION_OPEN, "connection listener peer number mode entry? family? path?")                \
    X(CLIENT_HELLO, "connection sni? alpn_offered resumption_offered")                             \
    X(TLS_ESTABLISHED, "connection tls_version cipher alpn? resumed")                              \
    X(TLS_FAILED, "connection why sent_alert?")                                                    \
    X(PROTOCOL, "connection protocol client?")                                                     \
    X(REQUEST, "connection exchange stream? method? target? authority? connection_header? "        \
               "headers idle_before_ms? attempt? complete? first_byte_ms reused hangup_call? "     \
               "idempotency_key? request_id? trace_id? span_id? other_keys? fingerprint? "         \
               "user_agent? range? content_type? content_length? expect? early_data?")             \
    X(REQUEST_COMPLETE,                                                                            \
      "connection exchange? stream? sent_into? fault? after_fault_ms? fin_acked? "                 \
      "body_bytes attempt digest")                                                                 \
    X(PROCESSED, "connection exchange attempt status effect")                                      \
    X(RESPONSE_START, "connection exchange status")                                                \
    X(RESPONSE_END, "connection exchange status end_offset")                                       \
    X(RESPONSE_ACKED, "connection exchange proof from_ms to_ms")                                   \
    X(EXCHANGE_LOST,                                                                               \
      "connection exchange reached attempt? why fault? lost_by last_fault? body_bytes? "           \
      "blocked_by_window? sent? of?")                                                              \
    X(FAULT, "connection? exchange? mode rule trigger step arguments? late_ms? time_scale? "       \
             "class scope last_stream? srtt_us?")                                                  \
    X(FAULT_DONE,                                                                                  \
      "connection? exchange? step fault in_effect? why? after_fault_ms? bytes? offset?")           \
    X(FAULT_MISSED, "connection exchange? mode rule trigger step? arguments? late_ms? why")        \
    X(FAULT_ACKED, "connection fault? step from_ms to_ms after_fault_ms")                          \
    X(STALE_BYTES, "connection bytes sent_into fault? after_fault_ms fin_acked?")                  \
    X(STALE_REQUEST, "connection exchange? stream? method? target? authority? connection_header? " \
                     "headers sent_into fault? after_fault_ms? fin_acked? attempt? complete "      \
                     "first_byte_ms reused hangup_call? idempotency_key? request_id? trace_id? "   \
                     "span_id? other_keys? fingerprint? user_agent? range? content_type? "         \
                     "content_length? expect? early_data?")                                        \
    X(SYN_REFUSED, "listener? peer? attempts? total? why?")                                        \
    X(SYN_DROPPED, "listener? peer? attempts? segments? total? why?")                              \
    X(SEGMENTS_DROPPED, "connection segments total sampled_ms after_fault_ms fault? data? "        \
                        "data_bytes? first_data_ms? fins? rsts? syns? probes? acks?")              \
    X(PEER_FIN,                                                                                    \
      "connection bytes? fault? last_fault? idle_ms? after_fault_ms? crossed? behind_fault?")      \
    X(PEER_RST,                                                                                    \
      "connection why? fault? last_fault? idle_ms? after_fault_ms? crossed? behind_fault?")        \
    X(PEER_CLOSE_NOTIFY, "connection fault? behind_fault?")                                        \
    X(PEER_ALERT, "connection alert fault?")                                                       \
    X(PEER_SETTINGS, "connection settings? client?")                                               \
    X(PEER_SETTINGS_ACK, "connection")                                                             \
    X(PEER_PING, "connection opaque")                                                              \
    X(PEER_PING_ACK, "connection opaque")                                                          \
    X(PING_SENT, "connection opaque fault?")                                                       \
    X(PEER_GOAWAY,                                                                                 \
      "connection last_stream error debug_data? fault? last_fault? idle_ms? after_fault_ms? "      \
      "crossed? behind_fault?")                                                                    \
    X(PEER_RST_STREAM, "connection stream error exchange?")                                        \
    X(PROTOCOL_ERROR, "connection why")                                                            \
    X(LIMIT, "connection exchange? why")                                                           \
    X(CONNECTION_END,                                                                              \
      "connection by how fault? why? in? exchanges bytes_in bytes_out lifetime_ms "                \
      "after_peer_fin_ms? last_fault? answered idle_ms? due_in_ms? rule?")                         \
    X(MODE, "connection? mode entry? params? seed? apply? live? time_scale? why?")                 \
    X(PLAN, "plan? seed apply live time_scale")                                                    \
    X(WARNING, "connection? exchange? mode? name? why")                                            \
    X(MARK, "name source from_ms to_ms")                                                           \
    X(RUN_START, "run version rules over? expectations? origin? time_scale seed relayed? "         \
                 "control? kept")                                                                  \
    X(EXPECTATIONS, "expectations? origin")                                                        \
    X(PHASE, "phase phase_seq? expected_seq?")                                                     \
    X(COMMAND_START, "command pid? steps? phase_seq? expected_seq?")                               \
    X(COMMAND_EXIT, "exit_status? signal? killed? live phase_seq? expected_seq?")                  \
    X(REPORT, "report?")                                                                           \
    X(RUN_END, "reason phase_seq? expected_seq?")                                                  \
    X(CLEARED, "")                                                                                 \
    X(GAP, "first_seq last_seq")                                                                   \
    X(OUT_OF_DESCRIPTORS, "")                                                                      \
    X(SERVER_PAUSED, "from_ms to_ms paused_ms slept_ms?")
