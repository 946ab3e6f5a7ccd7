/* verdict_truths.h - runs with a known truth: the scenarios of the rules R1 to R10 and the cells of
 * their section 6, as ledgers. c1 is the first connection of a phase.
 */
#pragma once

#include "verdict_says.h"

/* A control: two requests on one connection, and its command's end. */
#define CONTROL(what)                                                                              \
    "0.100 phase control\n0.100 command_start\n"                                                   \
    "0.200 c91 open\n" ANSWERED("0.200", "c91", "x1", what) ANSWERED(                              \
        "1.200", "c91", "x2",                                                                      \
        what) "1.300 command_exit exit_status=0 live=1\n"                                          \
              "1.300 c91 peer_fin\n1.300 c91 connection_end by=client how=fin\n"                   \
              "5.000 phase fault\n5.000 mode mode=m params={} time_scale=1\n5.000 command_start\n"

/* The same; it uses its connection again after a longer pause. */
#define CONTROL_KEPT(what)                                                                         \
    "0.100 phase control\n0.100 command_start\n"                                                   \
    "0.200 c91 open h2\n" ANSWERED("0.200", "c91", "x1", what) ANSWERED(                           \
        "4.600", "c91", "x2",                                                                      \
        what) "4.700 command_exit exit_status=0 live=1\n"                                          \
              "4.700 c91 peer_fin\n4.700 c91 connection_end by=client how=fin\n"                   \
              "5.000 phase fault\n5.000 mode mode=m params={} time_scale=1\n5.000 command_start\n"

#define GONE(at, c) at " " c " peer_fin\n" at " " c " connection_end by=client how=fin\n"
/* The client answers our FIN. */
#define SAW(at, c)                                                                                 \
    at " " c " peer_fin fault=F crossed=false\n" at " " c                                          \
       " connection_end by=fault how=fin fault=F\n"
#define EXIT(at) at " command_exit exit_status=0 live=0\n"

#define RETRY_ONCE  "[\"retry-once\"]"
#define TWICE(what) "10.000 c101 open\n" ANSWERED("10.000", "c101", "x1", what)

static const struct truth cells[] = {
    { "1: retries once at 5 ms, fresh: h1", RETRY_ONCE,
      CONTROL("GET /a") TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a")
          GONE("11.004", "c101") "11.005 c102 open\n" ANSWERED("11.005", "c102", "x1", "GET /a")
              GONE("11.050", "c102") EXIT("11.060"),
      "pass recovered=pass retries=pass retry_elsewhere=pass", 0 },
    { "1: while the run goes on, more attempts may come", RETRY_ONCE,
      CONTROL("GET /a") TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a")
          GONE("11.004", "c101") "11.005 c102 open\n" ANSWERED("11.005", "c102", "x1", "GET /a"),
      "pass~ recovered=pass~ retries=pass~ retry_elsewhere=pass~", 0 },
    { "2: polls each second, never retries: with a control", RETRY_ONCE,
      "0.100 phase control\n0.200 c91 open\n" ANSWERED("1.000", "c91", "x1", "GET /s")
          ANSWERED("2.000", "c91", "x2", "GET /s") ANSWERED("3.000", "c91", "x3", "GET /s")
              ANSWERED("4.000", "c91", "x4", "GET /s") "9.000 phase fault\n" TWICE("GET /s")
                  BITTEN("11.000", "c101", "x2", "GET /s") "12.000 c102 open\n" ANSWERED(
                      "12.000", "c102", "x1", "GET /s") ANSWERED("13.000", "c102", "x2", "GET /s"),
      "fail recovered=fail retries=fail retry_elsewhere=n/a~", 12000 },
    { "2: the same without a control", RETRY_ONCE,
      TWICE("GET /s") BITTEN("11.000", "c101", "x2", "GET /s") "12.000 c102 open\n" ANSWERED(
          "12.000", "c102", "x1", "GET /s"),
      "inconclusive~ recovered=inconclusive(hangup-call) retries=inconclusive(hangup-call)~ "
      "retry_elsewhere=inconclusive(hangup-call)~",
      12000 },
    { "2: named calls: nothing is joined that is not one", RETRY_ONCE,
      TWICE("GET /s hangup_call=1")
          BITTEN("11.000", "c101", "x2", "GET /s hangup_call=2") "12.000 c102 open\n" ANSWERED(
              "12.000", "c102", "x1", "GET /s hangup_call=3"),
      "fail recovered=fail retries=fail retry_elsewhere=n/a~", 12000 },
    { "3: a new X-Request-ID for each attempt", RETRY_ONCE,
      "10.000 c101 open h2\n" ANSWERED("10.000", "c101", "x1", "GET /a request_id=1 stream=1")
          BITTEN("11.000", "c101", "x2", "GET /a request_id=2 stream=3")
              GONE("11.004", "c101") "11.005 c102 open h2\n" ANSWERED(
                  "11.005", "c102", "x1", "GET /a request_id=3 stream=1") GONE("11.050", "c102")
                  EXIT("11.060"),
      "pass recovered=pass retries=pass retry_elsewhere=pass", 0 },
    { "4: one trace id, another target after it", "[\"recovered\"]",
      "10.000 c101 open h2\n" ANSWERED("10.000", "c101", "x1", "GET /a trace_id=t")
          BITTEN("11.000", "c101", "x2", "GET /b trace_id=t")
              GONE("11.004", "c101") "11.005 c102 open h2\n" ANSWERED("11.005", "c102", "x1",
                                                                      "GET /c trace_id=t"),
      "fail recovered=fail", 12000 },
    { "6: GraphQL: an unrelated POST follows", "[\"recovered\"]",
      "10.000 c101 open h2\n11.000 c101 x1 POST /q -whole content_length=100 content_type=j\n"
      "11.000 c101 fin\n11.000 c101 x1 lost\n" GONE(
          "11.001", "c101") "11.200 c102 open h2\n"
                            "11.200 c102 x1 POST /q content_length=100 content_type=j digest=b\n"
                            "11.200 c102 x1 answer\n",
      "inconclusive~ recovered=n/a~", 12000 },
    { "7: two retries at once of a POST", "[\"executed_once\"]",
      "10.000 c101 open\n11.000 c101 x1 POST /a digest=d\n11.000 c101 x1 processed effect=true\n"
      "11.000 c101 fin\n11.000 c101 x1 lost\n" GONE(
          "11.001",
          "c101") "11.100 c102 open\n11.100 c103 open\n11.100 c102 x1 POST /a digest=d\n"
                  "11.100 c103 x1 POST /a digest=d\n11.110 c102 x1 answer\n11.110 c103 x1 answer\n",
      "fail executed_once=fail", 12000 },
    { "9: a retry from ::1", RETRY_ONCE,
      "10.000 c101 open family=4\n" ANSWERED("10.000", "c101", "x1", "GET /a")
          BITTEN("11.000", "c101", "x2", "GET /a")
              GONE("11.004", "c101") "11.005 c102 open family=6\n" ANSWERED(
                  "11.005", "c102", "x1", "GET /a") GONE("11.050", "c102") EXIT("11.060"),
      "pass recovered=pass retries=pass retry_elsewhere=pass", 0 },
    { "10: a call dies inside the client, its user tries again: with its account",
      "[\"recovered\"]",
      CONTROL("GET /a") TWICE(
          "GET /a") "10.010 report {\"driver\":1}\n"
                    "10.010 report {\"n\":1,\"step\":\"get\",\"ok\":true,\"status\":200}\n13.000 "
                    "c101 rst\n"
                    "13.000 c101 connection_end by=fault how=rst\n"
                    "13.500 report {\"n\":2,\"step\":\"get\",\"ok\":false,\"error\":\"-1005\"}\n"
                    "16.000 c102 open\n" ANSWERED(
                        "16.000", "c102", "x1",
                        "GET /a") "16.010 report "
                                  "{\"n\":3,\"step\":\"get\",\"ok\":true,\"status\":200}\n",
      "fail~ recovered=fail~", 0 },
    { "10: from the wire alone", "[\"recovered\"]",
      CONTROL("GET /a") TWICE(
          "GET /a") "13.000 c101 rst\n"
                    "13.000 c101 connection_end by=fault how=rst\n16.000 c102 open\n" ANSWERED(
                        "16.000", "c102", "x1", "GET /a"),
      "inconclusive~ recovered=inconclusive(report)~", 0 },
    { "10: from the wire, and a command that ended with 0, but asked less than in the control",
      "[\"recovered\"]",
      CONTROL("GET /a") TWICE("GET /b") ANSWERED(
          "10.000", "c101", "x2",
          "GET /a") "13.000 c101 rst\n"
                    "13.000 c101 connection_end by=fault how=rst\n16.000 c102 open\n" ANSWERED(
                        "16.000", "c102", "x1", "GET /c") GONE("16.100", "c102") EXIT("16.200"),
      "inconclusive recovered=inconclusive(report)", 0 },
    { "19: avoided, and all is told: by a command that ended with 0", NULL,
      CONTROL("GET /a") TWICE("GET /a") "13.000 c101 fin\n" SAW(
          "13.001", "c101") "16.000 c102 open\n" ANSWERED("16.000", "c102", "x1", "GET /a")
          GONE("16.100", "c102") EXIT("16.200"),
      "pass recovered=pass executed_once=n/a user_wait=pass no_storm=n/a", 0 },
    { "19: avoided: retry-once is not tested", RETRY_ONCE,
      CONTROL("GET /a") TWICE("GET /a") "13.000 c101 fin\n" SAW(
          "13.001", "c101") "16.000 c102 open\n" ANSWERED("16.000", "c102", "x1", "GET /a")
          GONE("16.100", "c102") EXIT("16.200"),
      "inconclusive recovered=pass retries=inconclusive(not-struck) "
      "retry_elsewhere=inconclusive(not-struck)",
      0 },
    { "11: Connection: close", NULL,
      CONTROL("GET /a connection_header=close") "10.000 c101 open\n" ANSWERED(
          "10.000", "c101", "x1",
          "GET /a connection_header=close") "10.001 c101 connection_end by=server how=fin rule=0 "
                                            "idle=0.001\n"
                                            "11.000 c102 open\n" ANSWERED(
                                                "11.000", "c102", "x1",
                                                "GET /a connection_header=close") "11.001 c102 "
                                                                                  "connection_end "
                                                                                  "by=server "
                                                                                  "how=fin rule=0 "
                                                                                  "idle=0."
                                                                                  "001\n" EXIT("11."
                                                                                               "00"
                                                                                               "2"),
      "pass recovered=pass executed_once=n/a user_wait=pass no_storm=n/a", 0 },
    { "11: expected", "[\"connection-close\"]",
      "10.000 c101 open\n" ANSWERED(
          "10.000", "c101", "x1",
          "GET /a connection_header=close") "10.001 c101 connection_end by=server how=fin\n"
                                            "11.000 c102 open\n" ANSWERED(
                                                "11.000", "c102", "x1",
                                                "GET /a connection_header=close") "11.001 c102 "
                                                                                  "connection_end "
                                                                                  "by=server "
                                                                                  "how=fin\n",
      "pass~ connection_close=pass~", 0 },
    { "11: the second does not say so", "[\"connection-close\"]",
      "10.000 c101 open\n" ANSWERED(
          "10.000", "c101", "x1",
          "GET /a connection_header=close") "10.001 c101 connection_end by=server how=fin\n"
                                            "11.000 c102 open\n" ANSWERED("11.000", "c102", "x1",
                                                                          "GET /a"),
      "fail connection_close=fail", 0 },
    { "11: a request that is not served comes behind one that says so", "[\"connection-close\"]",
      "10.000 c101 open\n" ANSWERED(
          "10.000", "c101", "x1",
          "GET /a connection_header=close") "10.010 c101 peer_fin\n10.010 c101 x2 GET /a "
                                            "connection_header=close\n"
                                            "10.010 c101 x2 lost lost_by=client_fin -fault\n"
                                            "10.010 c101 connection_end by=client how=fin\n11.000 "
                                            "c102 open\n" ANSWERED(
                                                "11.000", "c102", "x1",
                                                "GET /a connection_header=close"),
      "fail connection_close=fail", 0 },
    { "14: a request 1 ms after the FIN's ACK", "[\"no_stale_use\"]",
      CONTROL("GET /a") TWICE("GET /a") "13.000 c101 fin\n13.001 c101 x2 stale GET /a\n",
      "inconclusive~ no_stale_use=inconclusive(later)~", 0 },
    { "14: 1 s after it", "[\"no_stale_use\"]",
      CONTROL("GET /a") TWICE("GET /a") "13.000 c101 fin\n14.000 c101 x2 stale GET /a\n",
      "fail~ no_stale_use=fail~", 0 },
    { "14: on a new connection", "[\"no_stale_use\"]",
      CONTROL("GET /a") TWICE("GET /a") "13.000 c101 fin\n" SAW(
          "13.001", "c101") "14.000 c102 open\n" ANSWERED("14.000", "c102", "x1", "GET /a")
          EXIT("14.500"),
      "pass~ no_stale_use=pass~", 0 },
    { "34: after an RST nothing can be seen", "[\"no_stale_use\"]",
      CONTROL("GET /a") TWICE(
          "GET /a") "13.000 c101 rst\n"
                    "13.000 c101 connection_end by=fault how=rst\n14.000 c102 open\n" ANSWERED(
                        "14.000", "c102", "x1", "GET /a"),
      "inconclusive~ no_stale_use=n/a~", 0 },
    { "34: the ACK of SETTINGS came behind the FIN, and drew an RST", "[\"no_stale_use\"]",
      CONTROL("GET /a") "10.000 c101 open h2\n" ANSWERED("10.000", "c101", "x1", "GET /a stream=1")
          ANSWERED("11.000", "c101", "x2",
                   "GET /a stream=3") "13.000 c101 fin\n"
                                      "13.050 c101 peer_settings_ack\n"
                                      "13.050 c101 connection_end by=fault how=rst fault=F\n"
                                      "14.000 c102 open h2\n" ANSWERED(
                                          "14.000", "c102", "x1", "GET /a stream=1") EXIT("14.500"),
      "inconclusive~ no_stale_use=n/a~", 0 },
    { "34: it had not come when we closed, and will", "[\"no_stale_use\"]",
      CONTROL("GET /a") "10.000 c101 open h2\n" ANSWERED("10.000", "c101", "x1", "GET /a stream=1")
          ANSWERED("11.000", "c101", "x2",
                   "GET /a stream=3") "13.000 c101 fin\n"
                                      "13.050 c101 connection_end by=fault how=fin fault=F\n"
                                      "14.000 c102 open h2\n" ANSWERED(
                                          "14.000", "c102", "x1", "GET /a stream=1") EXIT("14.500"),
      "inconclusive~ no_stale_use=n/a~", 0 },
    { "34: it had come in time, and nothing drew one", "[\"no_stale_use\"]",
      CONTROL("GET /a") "10.000 c101 open h2\n10.000 c101 peer_settings_ack\n" ANSWERED(
          "10.000", "c101", "x1", "GET /a stream=1")
          ANSWERED(
              "11.000", "c101", "x2",
              "GET /a stream=3") "13.000 c101 fin\n"
                                 "13.001 c101 fault_acked fault=F step=fin from=13.000 to=13.001\n"
                                 "13.050 c101 connection_end by=fault how=fin fault=F\n"
                                 "14.000 c102 open h2\n" ANSWERED("14.000", "c102", "x1",
                                                                  "GET /a stream=1") EXIT("14.500"),
      "pass~ no_stale_use=pass~", 0 },
    { "16: what REFUSED_STREAM refused is sent again on the same connection", RETRY_ONCE,
      "10.000 c101 open h2\n10.000 c101 x1 refuse\n10.000 c101 x1 GET /a stream=1\n"
      "10.000 c101 x1 lost\n" ANSWERED("10.005", "c101", "x2", "GET /a stream=3")
          GONE("10.050", "c101") EXIT("10.060"),
      "pass recovered=pass retries=pass retry_elsewhere=n/a", 0 },
    { "18: a POST without a key is lost, and the client reports it", NULL,
      "10.000 c101 open\n10.000 c101 x1 POST /a\n10.000 c101 x1 processed effect=true\n"
      "10.000 c101 fin\n10.000 c101 x1 lost\n" GONE("10.010", "c101") EXIT("10.020"),
      "pass recovered=n/a executed_once=pass user_wait=pass no_storm=pass", 0 },
    { "18: safe-retry", "[\"safe-retry\"]",
      "10.000 c101 open\n10.000 c101 x1 POST /a\n10.000 c101 x1 processed effect=true\n"
      "10.000 c101 fin\n10.000 c101 x1 lost\n" GONE("10.010", "c101") EXIT("10.020"),
      "pass safe_retry=pass executed_once=pass", 0 },
    { "19: it is sent again", "[\"safe-retry\"]",
      "10.000 c101 open\n10.000 c101 x1 POST /a\n10.000 c101 x1 processed effect=true\n"
      "10.000 c101 fin\n10.000 c101 x1 lost\n" GONE("10.010", "c101") "10.020 c102 open\n" ANSWERED(
          "10.020", "c102", "x1", "POST /a"),
      "fail safe_retry=fail executed_once=fail", 0 },
    { "19: with a key", "[\"safe-retry\"]",
      "10.000 c101 open\n10.000 c101 x1 POST /a idempotency_key=k\n"
      "10.000 c101 x1 processed effect=true\n10.000 c101 fin\n10.000 c101 x1 lost\n" GONE(
          "10.010", "c101") "10.020 c102 open\n" ANSWERED("10.020", "c102", "x1",
                                                          "POST /a idempotency_key=k")
          GONE("10.030", "c102") EXIT("10.040"),
      "pass safe_retry=pass executed_once=pass", 0 },
    { "19: with a constant key", "[\"safe-retry\"]",
      CONTROL("POST /a idempotency_key=k") "10.000 c101 open\n10.000 c101 x1 POST /a "
                                           "idempotency_key=k\n"
                                           "10.000 c101 x1 processed effect=true\n10.000 c101 "
                                           "fin\n10.000 c101 x1 lost\n" GONE(
                                               "10.010",
                                               "c101") "10.020 c102 open\n" ANSWERED("10.020",
                                                                                     "c102", "x1",
                                                                                     "POST /a "
                                                                                     "idempotency_"
                                                                                     "key=k")
                                               GONE("10.030", "c102") EXIT("10.040"),
      "fail safe_retry=fail executed_once=pass", 0 },
    { "21: gives up a stall at 3 s", "[\"bounded-wait\"]",
      "10.000 c101 open\n10.000 c101 x1 GET /a\n10.000 c101 stall\n13.000 c101 peer_rst\n"
      "13.000 c101 connection_end by=client how=rst\n" EXIT("13.100"),
      "pass user_wait=pass", 0 },
    { "23: connects after 7 s of SYNs", "[\"user_wait\"]",
      "10.000 drop_syn\n10.000 syn_dropped listener=https peer=a\n"
      "11.000 syn_dropped listener=https peer=a\n13.000 syn_dropped listener=https peer=a\n"
      "17.000 c101 open\n" ANSWERED("17.000", "c101", "x1", "GET /a"),
      "fail user_wait=fail", 0 },
    { "43: unanswered, and nobody was told within the limit", "[\"user_wait\"]",
      "10.000 c101 open\n10.000 c101 x1 GET /a\n10.000 c101 stall\n", "fail user_wait=fail", 6000 },
    { "53: the mode never fires", "[\"no_storm\"]",
      CONTROL("GET /a") TWICE("GET /a") GONE("10.100", "c101") EXIT("10.200"),
      "inconclusive no_storm=inconclusive(no-exposure)", 0 },
    { "62: a pass of no_storm waits for its time", "[\"no_storm\"]",
      TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a")
          GONE("11.004", "c101") "11.005 c102 open\n" ANSWERED("11.005", "c102", "x1", "GET /a"),
      "pass~ no_storm=pass~", 200 },
    { "62: then", "[\"no_storm\"]",
      TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a")
          GONE("11.004", "c101") "11.005 c102 open\n" ANSWERED("11.005", "c102", "x1", "GET /a"),
      "pass no_storm=pass", 10100 },
    /* What the matrix found. */
    { "evicted by its own clock, but only long after the limit",
      "[{\"idle_eviction\":{\"before\":\"1s\"}}]",
      CONTROL("GET /a") TWICE(
          "GET /a") "12.000 c101 forget\n13.000 c101 stale_bytes bytes=0 sent_into=forgotten\n"
                    "15.000 c102 open\n" ANSWERED("15.000", "c102", "x1", "GET /a")
                        GONE("15.100", "c102") EXIT("15.200"),
      "inconclusive~ idle_eviction=inconclusive(later)~", 0 },
    { "17: the original executes when the hole heals, after its retry", "[\"safe-retry\"]",
      TWICE("GET /a") "12.000 c101 black_hole\n12.500 c101 segments_dropped segments=1 total=1 "
                      "sampled=0.020 fault=F1\n"
                      "13.000 c102 open\n" ANSWERED(
                          "13.000", "c102", "x1",
                          "POST /p hangup_call=1") "14.000 c101 heal\n14.500 c101 x2 POST /p "
                                                   "hangup_call=1\n"
                                                   "14.500 c101 x2 stale POST /p hangup_call=1 "
                                                   "sent_into=black_holed fault=F1 -whole\n14.500 "
                                                   "c101 x2 answer\n",
      "fail safe_retry=fail executed_once=fail", 0 },
    { "a stale request has no content, and is lost only when it is sent", RETRY_ONCE,
      TWICE("GET /a") "12.000 c101 fin\n14.000 c101 stale GET /a headers=Host -whole\n"
                      "14.001 c101 connection_end by=fault how=fin\n14.006 c102 open\n" ANSWERED(
                          "14.010", "c102", "x1", "GET /a digest=") GONE("14.050", "c102")
                          EXIT("14.060"),
      "pass recovered=pass retries=pass retry_elsewhere=pass", 0 },
    { "the same, and it says that it has none", RETRY_ONCE,
      TWICE("GET /a") "12.000 c101 fin\n14.000 c101 stale GET /a headers=Content-Length,Host "
                      "content_length=0 -whole\n"
                      "14.001 c101 connection_end by=fault how=fin\n14.006 c102 open\n" ANSWERED(
                          "14.010", "c102", "x1", "GET /a content_length=0 digest=")
                          GONE("14.050", "c102") EXIT("14.060"),
      "pass recovered=pass retries=pass retry_elsewhere=pass", 0 },
    { "19: it sees the FIN when it looks, and its TLS answers with an alert: no use",
      "[\"recovered\"]",
      CONTROL("GET /a") TWICE("GET /a")
          ANSWERED("10.500", "c101", "x2",
                   "GET /a") "12.000 c101 fin\n"
                             "14.000 c101 peer_alert alert=decode_error fault=F\n14.000 c101 "
                             "stale_bytes bytes=24 sent_into=fin_sent\n"
                             "14.000 c101 connection_end by=fault how=fin fault=F\n14.001 c102 "
                             "open\n" ANSWERED("14.001", "c102", "x1", "GET /a")
                                 GONE("14.050", "c102") EXIT("14.060"),
      "pass recovered=pass", 0 },
    { "open until its client ends, for longer than it may after GOAWAY",
      "[{\"closes_after_goaway\":{\"within\":\"800ms\"}}]",
      "10.000 c101 open h2\n" ANSWERED(
          "10.000", "c101", "x1",
          "GET /a stream=1") "12.000 c101 goaway last_stream=1\n" EXIT("14.000")
          GONE("14.000", "c101"),
      "fail closes_after_goaway=fail", 0 },
    { "closed on the notice: it need not wait for the other GOAWAY", "[\"goaway-aware\"]",
      CONTROL_KEPT("GET /a") "10.000 c101 open h2\n" ANSWERED(
          "10.000", "c101", "x1",
          "GET /a stream=1") "12.000 c101 goaway_notice\n" GONE("12.300",
                                                                "c101") "13.000 c102 open "
                                                                        "h2\n" ANSWERED(
                                                                            "13.000", "c102", "x1",
                                                                            "GET /a "
                                                                            "stream=1")
                                                                            EXIT("14.000") GONE(
                                                                                "14.000", "c102"),
      "pass goaway_respected=pass closes_after_goaway=pass", 0 },
    { "a stall does not answer PINGs either", "[{\"ping-liveness\":{\"within\":\"1s\"}}]",
      CONTROL_KEPT("GET /a") "10.000 c101 open h2\n" ANSWERED(
          "10.000", "c101", "x1",
          "GET /a stream=1") "12.000 c101 stall\n"
                             "12.500 c101 peer_ping opaque=00\n12.800 c101 peer_fin\n" EXIT(
                                 "14.000"),
      "pass~ ping_liveness=pass~", 0 },
    { "one key for two calls, of which the second is struck", "[\"safe_retry\"]",
      "10.000 c101 open\n" ANSWERED("10.000", "c101", "x1", "POST /p digest=a idempotency_key=k")
          BITTEN("11.000", "c101", "x2", "POST /p digest=b idempotency_key=k")
              GONE("11.001", "c101") "11.005 c102 open\n" ANSWERED(
                  "11.005", "c102", "x1", "POST /p digest=b idempotency_key=k")
                  GONE("11.050", "c102") EXIT("11.060"),
      "fail safe_retry=fail", 0 },
    { "a header given by --key-header names a call, and makes no repetition safe",
      "[\"recovered\",\"safe_retry\"]",
      "10.000 c101 open\n" ANSWERED("10.000", "c101", "x1", "GET /a")
          BITTEN("11.000", "c101", "x2", "POST /p digest=a other_keys=amz:1")
              GONE("11.001", "c101") "11.005 c102 open\n" ANSWERED(
                  "11.005", "c102", "x1", "POST /p digest=a other_keys=amz:1")
                  GONE("11.050", "c102") EXIT("11.060"),
      "fail recovered=n/a safe_retry=fail", 0 },
    { "7: two attempts at once after the loss, and the first is answered before the second is read",
      "[\"retries\"]",
      TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a")
          GONE("11.001", "c101") "11.005 c102 open\n11.005 c103 open\n" ANSWERED(
              "11.010", "c102", "x1", "GET /a") ANSWERED("11.013", "c103", "x1", "GET /a")
              GONE("11.050", "c102") GONE("11.050", "c103") EXIT("11.060"),
      "inconclusive retries=inconclusive(hangup-call)", 0 },
    { "68: pauses that differ as those of a busy machine do", "[\"backoff\"]",
      "10.000 c101 open\n" BITTEN("10.000", "c101", "x1", "GET /a") "11.000 c102 open\n" BITTEN(
          "11.000", "c102", "x1",
          "GET /a") "12.000 c103 open\n" BITTEN("12.000", "c103", "x1",
                                                "GET /a") "13.150 c104 open\n" BITTEN("13.150",
                                                                                      "c104", "x1",
                                                                                      "GET /a") "14"
                                                                                                ".4"
                                                                                                "50"
                                                                                                " c"
                                                                                                "10"
                                                                                                "5 "
                                                                                                "op"
                                                                                                "en"
                                                                                                "\n" ANSWERED(
                                                                                                    "14.450",
                                                                                                    "c105",
                                                                                                    "x1",
                                                                                                    "GET /a")
                                                                                                    EXIT(
                                                                                                        "14.500"),
      "inconclusive~ backoff=inconclusive(longer)~", 0 },
    { "25: a FIN in the middle of the content is a cut answer, too", "[\"detects_truncation\"]",
      "10.000 c101 open\n10.000 c101 x1 GET /a\n10.000 c101 x1 processed\n10.000 c101 x1 "
      "response_start status=200\n"
      "10.000 c101 fin\n10.000 c101 x1 lost\n"
      "10.010 report {\"driver\":1}\n10.010 report "
      "{\"n\":1,\"step\":\"get\",\"ok\":true,\"status\":200,\"ms\":5}\n" EXIT("10.100")
          GONE("10.100", "c101"),
      "fail detects_truncation=fail", 0 },
};
