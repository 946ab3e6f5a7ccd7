/* verdict_truths_times.h - runs with a known truth: scenarios of the rules R7 (silence), R8
 * (final), R9 (marks) and R10 (cause), under their numbers. */
#pragma once

#include "verdict_truths_answers.h"

#define SOON_1S             "[{\"user_wait\":{\"max\":\"1s\"}},{\"recovered\":{\"within\":\"1s\"}}]"
#define PAUSED(from, to)    to " server_paused from=" from " to=" to " paused=0.1\n"
#define ON_C102(at)         at " c102 open\n" ANSWERED(at, "c102", "x1", "GET /a hangup_call=1")
#define ON_C102_UNNAMED(at) at " c102 open\n" ANSWERED(at, "c102", "x1", "GET /a")

static const struct truth of_times[] = {
    /* --- The server did not run */
    { "paused: the retry came in the pause, and is read behind it", SOON_1S,
      TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a hangup_call=1") GONE("11.004", "c101")
          PAUSED("11.1", "12.9") ON_C102("12.901"),
      "inconclusive user_wait=inconclusive(paused) recovered=inconclusive(paused)", 5200 },
    { "paused: the same without a pause", SOON_1S,
      TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a hangup_call=1") GONE("11.004", "c101")
          ON_C102("12.901"),
      "fail user_wait=fail recovered=fail", 0 },
    { "paused: the retry came long behind the pause, which has no part in that", SOON_1S,
      TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a hangup_call=1") GONE("11.004", "c101")
          PAUSED("11.1", "12.9") ON_C102("13.500"),
      "fail user_wait=fail recovered=fail", 0 },
    { "paused: too late at any time in the pause", SOON_1S,
      TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a hangup_call=1") GONE("11.004", "c101")
          PAUSED("12.2", "12.9") ON_C102("12.901"),
      "fail user_wait=fail recovered=fail", 0 },
    { "paused: in time also if it was sent at the beginning of the pause", SOON_1S,
      TWICE("GET /a") PAUSED("10.5", "11.0") BITTEN("11.000", "c101", "x2", "GET /a hangup_call=1")
          GONE("11.004", "c101") ON_C102("11.010"),
      "pass user_wait=pass recovered=pass", 5200 },
    { "paused: its user may have waited since the beginning of the pause", SOON_1S,
      TWICE("GET /a") PAUSED("10.1", "13.0") BITTEN("13.000", "c101", "x2", "GET /a hangup_call=1")
          GONE("13.004", "c101") ON_C102("13.010"),
      "inconclusive~ user_wait=inconclusive(paused)~ recovered=inconclusive(paused)~", 0 },
    { "paused: so it is with its connection", SOON_1S,
      TWICE("GET /a") PAUSED("10.1", "13.0") "13.001 c102 open\n" BITTEN("13.002", "c102", "x1",
                                                                         "GET /a hangup_call=1")
          GONE("13.004", "c102") "13.010 c103 open\n" ANSWERED("13.010", "c103", "x1",
                                                               "GET /a hangup_call=1"),
      "inconclusive~ user_wait=inconclusive(paused)~ recovered=inconclusive(paused)~", 0 },
    { "paused: what is told before shows that the server ran then", SOON_1S,
      TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a hangup_call=1")
          GONE("11.004", "c101") "12.100 mark name=a\n" PAUSED("11.1", "12.9") ON_C102("12.901"),
      "fail user_wait=fail recovered=fail", 0 },
    { "paused: the machine slept, and the clock of the ledger did not run", SOON_1S,
      TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a hangup_call=1") GONE(
          "11.004",
          "c101") "11.100 server_paused from=11.05 to=11.1 paused=5 slept=5\n" ON_C102("11.500"),
      "inconclusive user_wait=inconclusive(paused) recovered=inconclusive(paused)", 5200 },
    { "paused: it slept before", SOON_1S,
      TWICE("GET /a") "10.500 server_paused from=10.45 to=10.5 paused=5 slept=5\n" BITTEN(
          "11.000", "c101", "x2", "GET /a hangup_call=1") GONE("11.004", "c101") ON_C102("11.500"),
      "pass user_wait=pass recovered=pass", 5200 },
    { "paused: a client that polls, and never retries, asked in the pause", "[\"recovered\"]",
      CONTROL("GET /a") TWICE("GET /a") PAUSED("10.05", "10.95")
          BITTEN("10.950", "c101", "x2", "GET /a") GONE("10.954", "c101") ON_C102_UNNAMED("11.100"),
      "inconclusive~ recovered=inconclusive(paused)~", 12000 },
    { "paused: it gave up in the pause, and polls behind it: that is no retry", "[\"recovered\"]",
      TWICE("GET /a") "11.000 c101 stall\n11.000 c101 x2 GET /a\n" PAUSED("11.05", "13.0")
          GONE("13.001", "c101") ON_C102_UNNAMED("13.150"),
      "inconclusive~ recovered=inconclusive(paused)~", 0 },
    { "paused: the same without a pause is one", "[\"recovered\"]",
      TWICE("GET /a") "11.000 c101 stall\n11.000 c101 x2 GET /a\n" GONE("13.001", "c101")
          ON_C102_UNNAMED("13.150"),
      "pass recovered=pass", 5200 },
    { "paused: it asked in the pause, and left in it", "[\"recovered\"]",
      TWICE("GET /a") PAUSED("10.5", "13.0") BITTEN("13.000", "c101", "x2", "GET /a")
          GONE("13.001", "c101") EXIT("13.002"),
      "inconclusive recovered=inconclusive(paused)", 0 },
    { "paused: it asked in the pause, and left behind it as it heard of the end", "[\"recovered\"]",
      TWICE("GET /a") PAUSED("10.5", "13.0") BITTEN("13.000", "c101", "x2", "GET /a")
          SAW("13.001", "c101") EXIT("13.002"),
      "fail recovered=fail", 0 },
    { "paused: the same, and the server's kernel had nothing of its leaving as the fault came",
      "[{\"recovered\":{}},{\"retries\":{\"min\":1}}]",
      TWICE("GET /a") PAUSED("10.5", "13.0")
          BITTEN("13.000", "c101", "x2",
                 "GET /a") "13.001 c101 peer_fin fault=F behind_fault=true\n"
                           "13.001 c101 connection_end by=fault how=fin fault=F\n" EXIT("13.002"),
      "fail recovered=fail retries=fail", 0 },
    { "paused: so it is over TLS, where a close_notify comes first", "[\"recovered\"]",
      TWICE("GET /a") PAUSED("10.5", "13.0")
          BITTEN("13.000", "c101", "x2",
                 "GET /a") "13.001 c101 peer_close_notify fault=F behind_fault=true\n"
                           "13.001 c101 peer_fin fault=F behind_fault=true\n"
                           "13.001 c101 connection_end by=fault how=fin fault=F\n" EXIT("13.002"),
      "fail recovered=fail", 0 },
    { "paused: the close_notify had come before, and its FIN behind the fault", "[\"recovered\"]",
      TWICE("GET /a") PAUSED("10.5", "13.0")
          BITTEN("13.000", "c101", "x2",
                 "GET /a") "13.001 c101 peer_close_notify fault=F\n"
                           "13.001 c101 peer_fin fault=F behind_fault=true\n"
                           "13.001 c101 connection_end by=fault how=fin fault=F\n" EXIT("13.002"),
      "inconclusive recovered=inconclusive(paused)", 0 },
    { "paused: so it is of its retries", "[{\"retries\":{\"min\":1}}]",
      TWICE("GET /a") PAUSED("10.5", "13.0") BITTEN("13.000", "c101", "x2", "GET /a")
          GONE("13.001", "c101") EXIT("13.002"),
      "inconclusive retries=inconclusive(paused)", 0 },
    { "paused: a request that its client had failed, and nobody read, in the pause",
      "[\"recovered\"]",
      DRIVER TWICE("GET /a")
          REPORT("10.010", "1", "get",
                 "true") "11.000 c101 rst\n11.000 c101 "
                         "connection_end by=fault how=rst fault=F\n" PAUSED("11.5", "13.0")
                             REPORT("13.001", "2", "get", "false") EXIT("13.500"),
      "inconclusive recovered=inconclusive(paused)", 20000 },
    { "paused: the same without a pause", "[\"recovered\"]",
      DRIVER TWICE("GET /a")
          REPORT("10.010", "1", "get", "true") "11.000 c101 rst\n11.000 c101 "
                                               "connection_end by=fault how=rst fault=F\n" REPORT(
                                                   "13.001", "2", "get", "false") EXIT("13.500"),
      "fail recovered=fail", 20000 },
    { "paused: the lines of the account come in another order, the first behind the pause",
      "[\"recovered\"]",
      DRIVER TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a") GONE("11.004", "c101")
          REPORT("11.010", "2", "get", "false") PAUSED("11.05", "13.0")
              REPORT("13.001", "1", "get", "true") EXIT("13.500"),
      "fail recovered=fail", 20000 },
    { "paused: its request fell into a hole, and it told of its failure behind a pause",
      "[\"recovered\"]",
      DRIVER TWICE("GET /a hangup_call=1")
          REPORT("10.010", "1", "get",
                 "true") "12.000 c101 black_hole\n12.500 c101 segments_dropped "
                         "segments=1 data=1 data_bytes=99 "
                         "first_data=12.5\n" PAUSED("13.3", "13.5")
                             TOOK("13.520", "2", "get", "false", "1000") EXIT("13.521"),
      "inconclusive recovered=inconclusive(paused)", 20000 },
    { "paused: the same without a pause", "[\"recovered\"]",
      DRIVER TWICE("GET /a hangup_call=1") REPORT(
          "10.010", "1", "get", "true") "12.000 c101 black_hole\n12.500 c101 segments_dropped "
                                        "segments=1 data=1 data_bytes=99 "
                                        "first_data=12.5\n" TOOK("13.520", "2", "get", "false",
                                                                 "1000") EXIT("13.521"),
      "fail recovered=fail", 20000 },
    { "paused: it had heard of the end, and left", "[\"recovered\"]",
      TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a") PAUSED("11.01", "13.0")
          GONE("13.001", "c101") EXIT("13.002"),
      "fail recovered=fail", 0 },
    { "paused: a request that is read long after the FIN, and may have crossed it",
      "[\"no_stale_use\"]",
      TWICE("GET /a") "10.950 c101 fin\n" PAUSED("10.96", "13.0") "13.000 c101 x2 stale GET /a\n",
      "inconclusive~ no_stale_use=inconclusive(paused)~", 0 },
    { "paused: the same without a pause", "[\"no_stale_use\"]",
      TWICE("GET /a") "10.950 c101 fin\n13.000 c101 x2 stale GET /a\n", "fail no_stale_use=fail",
      0 },
    { "paused: idle for too long, as far as the server saw",
      "[{\"idle_eviction\":{\"before\":\"1s\"}}]",
      TWICE("GET /a") PAUSED("10.9", "11.3") ANSWERED("11.300", "c101", "x2", "GET /a"),
      "inconclusive~ idle_eviction=inconclusive(paused)~", 0 },
    { "paused: the same without a pause", "[{\"idle_eviction\":{\"before\":\"1s\"}}]",
      TWICE("GET /a") ANSWERED("11.300", "c101", "x2", "GET /a"), "fail idle_eviction=fail", 0 },
    { "paused: it gave up early in the pause, and polls late in it: that is no retry",
      "[\"recovered\"]",
      TWICE("GET /a") "11.000 c101 stall\n11.000 c101 x2 GET /a\n" PAUSED("11.05", "13.0")
          GONE("13.001", "c101") ON_C102_UNNAMED("13.010"),
      "inconclusive~ recovered=inconclusive(paused)~", 0 },
    { "paused: a connection that may be older than the mark, which was set in the pause, too",
      "[\"fresh-on-foreground\"]",
      CONTROL("GET /a") TWICE("GET /a") "10.500 mark background\n" PAUSED(
          "10.6", "12.0") "12.001 c102 open\n12.010 mark foreground\n" ANSWERED("12.500", "c102",
                                                                                "x1", "GET /a"),
      "inconclusive~ fresh_after_mark=inconclusive(paused)~", 0 },
    { "paused: idle for too long, as far as a server saw that paused before the answer, too",
      "[{\"idle_eviction\":{\"before\":\"1s\"}}]",
      PAUSED("9.6", "10.0") TWICE("GET /a") PAUSED("10.8", "11.2")
          ANSWERED("11.200", "c101", "x2", "GET /a"),
      "inconclusive~ idle_eviction=inconclusive(paused)~", 0 },
    { "paused: twice, and hardly ran in between: what waits may have come in the first", SOON_1S,
      TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a hangup_call=1") GONE("11.004", "c101")
          PAUSED("11.1", "12.3") PAUSED("12.3", "12.9") ON_C102("12.901"),
      "inconclusive user_wait=inconclusive(paused) recovered=inconclusive(paused)", 5200 },
    { "paused: twice, and it ran in between", SOON_1S,
      TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a hangup_call=1") GONE("11.004", "c101")
          PAUSED("11.1", "12.3") PAUSED("12.35", "12.9") ON_C102("12.901"),
      "fail user_wait=fail recovered=fail", 0 },
    { "the server did not run before a phase: that begins none", "[\"recovered\"]",
      "0.050 server_paused from=0.01 to=0.05 paused=0.04\n" CONTROL("GET /a") TWICE("GET /a")
          BITTEN("11.000", "c101", "x2", "GET /a") GONE("11.004", "c101") EXIT("11.010"),
      "fail recovered=fail", 0 },

    /* --- R7 */
    { "22, 55: something fell into a black hole: perhaps only a FIN", "[\"bounded-wait\"]",
      CONTROL("GET /a") TWICE("GET /a") "13.000 c101 black_hole\n"
                                        "18.000 c101 segments_dropped segments=1\n",
      "inconclusive~ user_wait=inconclusive(report)~", 12000 },
    { "bounded-wait: an error at once is no wait in silence", "[\"bounded-wait\"]",
      TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a")
          GONE("11.004", "c101") "11.005 c102 open\n" ANSWERED("11.005", "c102", "x1", "GET /a"),
      "inconclusive~ user_wait=inconclusive(mode)~", 0 },
    { "bounded-wait: too long is too long, whatever was met",
      "[{\"bounded-wait\":{\"max\":\"1s\"}}]",
      TWICE("GET /a hangup_call=1") BITTEN("11.000", "c101", "x2", "GET /a hangup_call=2")
          GONE("11.004", "c101") "13.005 c102 open\n" ANSWERED("13.005", "c102", "x1",
                                                               "GET /a hangup_call=2"),
      "fail user_wait=fail", 0 },
    { "bounded-wait: an answer that is cut, and then nothing", "[\"bounded-wait\"]",
      TWICE("GET /a") "11.000 c101 x2 GET /a\n11.000 c101 x2 response_start status=200\n"
                      "11.000 c101 cut arguments={\"bytes\":5,\"how\":\"stall\"}\n" GONE("13.000",
                                                                                         "c101"),
      "pass~ user_wait=pass~", 0 },
    { "bounded-wait: the same with FIN", "[\"bounded-wait\"]",
      TWICE("GET /a") "11.000 c101 x2 GET /a\n11.000 c101 x2 response_start status=200\n"
                      "11.000 c101 cut arguments={\"bytes\":5,\"how\":\"fin\"}\n" GONE("13.000",
                                                                                       "c101"),
      "inconclusive~ user_wait=inconclusive(mode)~", 0 },
    { "58: a handshake that is never answered, and given up", "[\"user_wait\"]",
      "10.000 c101 connection_open\n10.000 c101 client_hello\n"
      "10.000 c101 stall trigger=client_hello\n13.000 c101 peer_fin\n",
      "pass~ user_wait=pass~", 0 },
    { "59: ping-deaf, and no silence: no PING is due", "[\"ping-liveness\"]",
      "10.000 c101 open h2\n10.000 c101 ignore_pings trigger=protocol\n" ANSWERED(
          "10.000", "c101", "x1", "GET /a") ANSWERED("11.000", "c101", "x2", "GET /a"),
      "inconclusive~ ping_liveness=inconclusive(longer)~", 30000 },
    { "59: silence, and no PING", "[{\"ping-liveness\":{\"within\":\"5s\"}}]",
      "10.000 c101 open h2\n10.000 c101 ignore_pings trigger=protocol\n10.000 c101 x1 GET /a\n",
      "fail ping_liveness=fail", 6000 },
    { "59: a PING, and it leaves", "[{\"ping-liveness\":{\"within\":\"5s\"}}]",
      CONTROL_KEPT("GET /a") "10.000 c101 open h2\n10.000 c101 ignore_pings "
                             "trigger=protocol\n10.000 c101 x1 GET /a\n"
                             "12.000 c101 peer_ping opaque=1\n14.000 c101 peer_rst\n"
                             "14.000 c101 connection_end by=client how=rst\n",
      "pass~ ping_liveness=pass~", 0 },
    { "59: a PING, and it stays", "[{\"ping-liveness\":{\"within\":\"5s\"}}]",
      "10.000 c101 open h2\n10.000 c101 ignore_pings trigger=protocol\n10.000 c101 x1 GET /a\n"
      "12.000 c101 peer_ping opaque=1\n",
      "fail ping_liveness=fail", 6000 },
    { "59: it leaves by a request's limit", "[{\"ping-liveness\":{\"within\":\"5s\"}}]",
      "10.000 c101 open h2\n10.000 c101 ignore_pings trigger=protocol\n10.000 c101 x1 GET /a\n"
      "12.000 c101 peer_ping opaque=1\n13.000 c101 x1 peer_rst_stream\n14.000 c101 peer_fin\n"
      "14.000 c101 connection_end by=client how=fin\n",
      "inconclusive~ ping_liveness=inconclusive(longer)~", 0 },

    /* --- R8 */
    { "61: the original is done after the answer to its retry", "[\"executed_once\"]",
      "10.000 c101 open\n10.000 c101 x1 POST /a\n10.000 c101 stall\n14.000 c102 open\n" ANSWERED(
          "14.000", "c102", "x1", "POST /a"),
      "pass~ executed_once=pass~", 0 },
    { "61: then it heals: perhaps they are one call", "[\"executed_once\"]",
      "10.000 c101 open\n10.000 c101 x1 POST /a\n10.000 c101 stall\n14.000 c102 open\n" ANSWERED(
          "14.000", "c102", "x1",
          "POST /a") "21.000 c101 resume\n21.000 c101 x1 processed effect=true\n",
      "inconclusive~ executed_once=inconclusive(hangup-call)~", 0 },
    { "61: named", "[\"executed_once\"]",
      "10.000 c101 open\n10.000 c101 x1 POST /a hangup_call=1\n10.000 c101 stall\n"
      "14.000 c102 open\n" ANSWERED("14.000", "c102", "x1", "POST /a hangup_call=1"),
      "pass~ executed_once=pass~", 0 },
    { "61: then it heals", "[\"executed_once\"]",
      "10.000 c101 open\n10.000 c101 x1 POST /a hangup_call=1\n10.000 c101 stall\n"
      "14.000 c102 open\n" ANSWERED(
          "14.000", "c102", "x1",
          "POST /a hangup_call=1") "21.000 c101 resume\n21.000 c101 x1 processed effect=true\n",
      "fail executed_once=fail", 0 },
    { "64: a poller whose last call is open at the end", "[\"recovered\"]",
      "10.000 c101 open\n" BITTEN("10.000", "c101", "x1", "GET /a")
          GONE("10.001", "c101") "10.010 c102 open\n" ANSWERED("10.010", "c102", "x1", "GET /a")
              BITTEN("20.000", "c102", "x2", "GET /a") "20.100 run_end reason=finished\n",
      "pass recovered=pass", 0 },
    { "65: a client that waits 60 s: the call is lost after 10 s", "[\"recovered\"]",
      "10.000 c101 open\n" STUCK("10.000", "c101", "x1", "GET /a"), "fail recovered=fail", 11000 },
    { "65: and until then it waits", "[\"recovered\"]",
      "10.000 c101 open\n" STUCK("10.000", "c101", "x1", "GET /a"),
      "inconclusive~ recovered=inconclusive(wait)~", 5000 },
    { "68: pauses that are all alike", "[\"backoff\"]",
      "10.000 c101 open h2\n10.000 c101 x1 refuse\n10.000 c101 x1 GET /a hangup_call=1\n" LOST(
          "10.000", "c101",
          "x1") "11.000 c101 x2 refuse\n11.000 c101 x2 GET /a "
                "hangup_call=1\n" LOST(
                    "11.000", "c101",
                    "x2") "12.010 c101 x3 "
                          "refuse\n12.010 "
                          "c101 x3 GET /a "
                          "hangup_call="
                          "1\n" LOST("12."
                                     "010",
                                     "c101", "x3") "13.020 c101 x4 refuse\n13.020 c101 x4 GET /a "
                                                   "hangup_call=1\n" LOST("13.020", "c101", "x4")
                                                       ANSWERED("14.040", "c101", "x5",
                                                                "GET /a "
                                                                "hangup_"
                                                                "call=1"),
      "fail backoff=fail", 0 },
    { "68: pauses that grow, with jitter", "[\"backoff\"]",
      "10.000 c101 open h2\n10.000 c101 x1 refuse\n10.000 c101 x1 GET /a hangup_call=1\n" LOST(
          "10.000", "c101",
          "x1") "10.800 c101 x2 refuse\n10.800 c101 x2 GET /a "
                "hangup_call=1\n" LOST(
                    "10.800", "c101",
                    "x2") "11.100 c101 x3 "
                          "refuse\n11.100 "
                          "c101 x3 GET /a "
                          "hangup_call="
                          "1\n" LOST("11."
                                     "100",
                                     "c101", "x3") "13.000 c101 x4 refuse\n13.000 c101 x4 GET /a "
                                                   "hangup_call=1\n" LOST("13.000", "c101", "x4")
                                                       ANSWERED("16.500", "c101", "x5",
                                                                "GET /a "
                                                                "hangup_"
                                                                "call=1"),
      "pass~ backoff=pass~", 0 },

    /* --- R9 */
    { "70: a GET that was on its way when the mark came", "[\"fresh-on-foreground\"]",
      CONTROL("GET /a")
          TWICE("GET /a") "13.000 mark foreground\n" ANSWERED("13.030", "c101", "x2", "GET /a"),
      "inconclusive~ fresh_after_mark=inconclusive(skew)~", 0 },
    { "70: the same of a driver, which waits for the mark's answer", "[\"fresh-on-foreground\"]",
      CONTROL("GET /a") "9.000 command_start command=x steps=get_background_foreground_get\n" DRIVER
          TWICE("GET /a") REPORT("10.010", "1", "get", "true") "13.000 mark foreground\n" ANSWERED(
              "13.030", "c101", "x2", "GET /a") REPORT("13.040", "2", "get", "true"),
      "fail~ fresh_after_mark=fail~", 0 },
    { "70: 1 s after it", "[\"fresh-on-foreground\"]",
      CONTROL("GET /a")
          TWICE("GET /a") "13.000 mark foreground\n" ANSWERED("14.000", "c101", "x2", "GET /a"),
      "fail~ fresh_after_mark=fail~", 0 },
    { "70: on a connection that was opened just before the mark", "[\"fresh-on-foreground\"]",
      CONTROL("GET /a") TWICE("GET /a") "12.950 c102 open\n13.000 mark foreground\n" ANSWERED(
          "14.000", "c102", "x1", "GET /a"),
      "pass~ fresh_after_mark=pass~", 0 },
    { "26: the pool is dropped when the app goes to the background", "[\"fresh-on-foreground\"]",
      CONTROL("GET /a") TWICE("GET /a") "12.000 mark background\n" CLOSES(
          "12.010", "c101") "13.000 mark foreground\n13.500 c102 open\n" ANSWERED("13.500", "c102",
                                                                                  "x1", "GET /a"),
      "pass~ fresh_after_mark=pass~", 0 },
    { "70: the request itself sets the mark", "[\"fresh-on-foreground\"]",
      CONTROL("GET /a") TWICE("GET /a") "12.980 c102 open\n"
                                        "13.000 mark foreground source=header\n" ANSWERED(
                                            "13.000", "c102", "x1", "GET /a"),
      "pass~ fresh_after_mark=pass~", 0 },
    { "70: the same on the old connection", "[\"fresh-on-foreground\"]",
      CONTROL("GET /a") TWICE("GET /a") "13.000 mark foreground source=header\n" ANSWERED(
          "13.000", "c101", "x2", "GET /a"),
      "fail~ fresh_after_mark=fail~", 0 },
    { "71: no mark was set", "[\"fresh-on-foreground\"]", CONTROL("GET /a") TWICE("GET /a"),
      "inconclusive~ fresh_after_mark=inconclusive(mark)~", 0 },
    { "71: another mark", "[{\"fresh-on-foreground\":{\"mark\":\"path-change\"}}]",
      CONTROL("GET /a") TWICE("GET /a") "13.000 mark path-change\n14.000 c102 open\n" ANSWERED(
          "14.000", "c102", "x1", "GET /a"),
      "pass~ fresh_after_mark=pass~", 0 },

    /* --- R3: a proxy's doing is not its client's */
    { "29: a proxy has sent it again", "[\"recovered\",\"retries\"]",
      "10.000 c101 open\n" BITTEN("10.000", "c101", "x1", "GET /a headers=Host,Via")
          GONE("10.001", "c101") "10.010 c102 open\n" ANSWERED("10.010", "c102", "x1",
                                                               "GET /a headers=Host,Via"),
      "inconclusive~ recovered=inconclusive(proxy)~ retries=inconclusive(proxy)~", 0 },
    { "29: a proxy has used its connection again", "[\"connection-close\"]",
      "10.000 c101 open\n" ANSWERED("10.000", "c101", "x1", "GET /a headers=Host,X-Envoy-Internal")
          ANSWERED("11.000", "c101", "x2", "GET /a headers=Host,X-Envoy-Internal"),
      "inconclusive~ connection_close=inconclusive(proxy)~", 0 },
    { "29: fields of the like are none", "[\"connection-close\"]",
      "10.000 c101 open\n" ANSWERED("10.000", "c101", "x1", "GET /a headers=Host,Viaduct,X-Envoy"),
      "fail connection_close=fail", 0 },

    /* --- R10 */
    { "73: the protocol that was asked for was never spoken", "[\"recovered\"]",
      "0.000 run_start run=r version=0.1 rules=1 over=h1 time_scale=1 seed=1 "
      "expectations=[\"recovered\"] origin=run\n10.000 c101 open h2\n" BITTEN("10.000", "c101",
                                                                              "x1", "GET /a")
          GONE("10.001", "c101") "10.010 c102 open h2\n" ANSWERED("10.010", "c102", "x1", "GET /a"),
      "inconclusive recovered=pass", 5200 },
    { "73: it was spoken, and the fault was met over the other one", "[\"recovered\"]",
      "0.000 run_start run=r version=0.1 rules=1 over=h2 time_scale=1 seed=1 "
      "expectations=[\"recovered\"] origin=run\n10.000 c100 open h2\n" ANSWERED(
          "10.000", "c100", "x1", "GET /b stream=1") "10.000 c101 open\n" BITTEN("10.000", "c101",
                                                                                 "x1", "GET /a")
          GONE("10.001", "c101") "10.010 c102 open\n" ANSWERED("10.010", "c102", "x1", "GET /a"),
      "inconclusive recovered=pass", 5200 },
    { "73: it was met over both", "[\"recovered\"]",
      "0.000 run_start run=r version=0.1 rules=1 over=h2 time_scale=1 seed=1 "
      "expectations=[\"recovered\"] origin=run\n10.000 c101 open h2\n" BITTEN(
          "10.000", "c101", "x1", "GET /a stream=1")
          GONE("10.001", "c101") "10.010 c102 open\n" BITTEN("10.010", "c102", "x1", "GET /a") GONE(
              "10.011", "c102") "10.020 c103 open\n" ANSWERED("10.020", "c103", "x1", "GET /a"),
      "pass recovered=pass", 5200 },
    { "74: falls back to HTTP/1.1", "[\"falls_back\"]",
      "10.000 c101 open h2\n10.000 c101 goaway last_stream=0\n10.000 c101 x1 GET /a "
      "stream=1\n" GONE("10.001", "c101") "10.010 c102 open\n" ANSWERED("10.010", "c102", "x1",
                                                                        "GET /a"),
      "pass falls_back=pass", 5200 },
    { "74: it does not", "[\"falls_back\"]",
      "10.000 c101 open h2\n10.000 c101 goaway last_stream=0\n10.000 c101 x1 GET /a "
      "stream=1\n" GONE("10.001", "c101") "10.010 c102 open h2\n" ANSWERED("10.010", "c102", "x1",
                                                                           "GET /a"),
      "fail~ falls_back=fail~", 0 },
    { "77: a pool of dead connections is drained", RETRY_ONCE,
      "10.000 c101 open\n10.000 c102 open\n10.000 c103 open\n" ANSWERED("10.000", "c101", "x1",
                                                                        "GET /a")
          ANSWERED("10.000", "c102", "x1", "GET /b") ANSWERED("10.000", "c103", "x1", "GET /c")
              BITTEN("11.000", "c101", "x2", "GET /a") BITTEN("11.001", "c102", "x2", "GET /a")
                  BITTEN("11.002", "c103", "x2", "GET /a") GONE("11.003", "c101")
                      GONE("11.003", "c102") GONE("11.003", "c103") "11.004 c104 open\n" ANSWERED(
                          "11.004", "c104", "x1", "GET /a") CLOSES("11.100", "c104") EXIT("11.200"),
      "pass recovered=pass retries=pass retry_elsewhere=pass", 0 },
    { "twice on the same dead one", RETRY_ONCE,
      "10.000 c101 open\n" ANSWERED("10.000", "c101", "x1",
                                    "GET /a") "13.000 c101 fin\n"
                                              "14.000 c101 x2 stale GET /a hangup_call=1\n14.100 "
                                              "c101 x3 stale GET /a hangup_call=1\n"
                                              "14.200 c102 open\n" ANSWERED("14.200", "c102", "x1",
                                                                            "GET /a hangup_call=1"),
      "fail recovered=pass retries=fail retry_elsewhere=fail", 5200 },
    { "still_reuses: it does", "[\"still_reuses\"]", CONTROL("GET /a"), "pass~ still_reuses=pass~",
      0 },
    { "still_reuses: it does not", "[\"still_reuses\"]",
      "0.100 phase control\n0.200 c91 open\n" ANSWERED("0.200", "c91", "x1", "GET /a")
          CLOSES("0.300", "c91") "1.200 c92 open\n" ANSWERED(
              "1.200", "c92", "x1", "GET /a") "5.000 phase fault\n5.000 c93 open\n",
      "fail still_reuses=fail", 0 },
    { "a call that the control did not ask fails: that leaves a doubt", "[\"recovered\"]",
      CONTROL("GET /a") TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /telemetry"),
      "inconclusive~ recovered=inconclusive(for)~", 12000 },
    { "for: which calls it is about", "[{\"recovered\":{\"for\":\"/a\"}}]",
      "10.000 c101 open\n" BITTEN("10.000", "c101", "x1", "GET /b")
          GONE("10.001", "c101") "11.000 c102 open\n" BITTEN("11.000", "c102", "x1", "GET /a") GONE(
              "11.001", "c102") "11.010 c103 open\n" ANSWERED("11.010", "c103", "x1", "GET /a"),
      "pass recovered=pass", 12000 },
};
