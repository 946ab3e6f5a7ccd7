/* verdict_truths_unread.h - runs with a known truth: what fell into a black hole, read by nobody,
 * was a use of its connection (R7, R9); who had no choice but a new connection; what is no retry.
 */
#pragma once

#include "verdict_truths_strays.h"

/* So much falls into the hole of c101 at a time, as the first or as more of it. */
#define FELL(at, octets, first)                                                                    \
    at " c101 segments_dropped segments=1 data=1 data_bytes=" octets " first_data=" first "\n"
/* The app went away, and its idle connection died in silence before it came back. */
#define AWAY        "10.500 mark background\n10.700 c101 black_hole\n"
#define BACK        "11.000 mark foreground\n"
#define NEXT_ON(at) at " c102 open\n" ANSWERED(at, "c102", "x1", "GET /a") CLOSES("13.100", "c102")
#define HOLE_OVER   "16.000 c101 connection_end by=client how=rst\n" EXIT("16.100")
#define H2_TWICE                                                                                   \
    H2("10.000", "c101")                                                                           \
    ANSWERED("10.000", "c101", "x1", "GET /a stream=1")
#define H2_NEXT(at)                                                                                \
    H2(at, "c102")                                                                                 \
    ANSWERED(at, "c102", "x1", "GET /a stream=1") CLOSES("13.100", "c102")
#define FRESH                      "[\"fresh-on-foreground\"]"
#define EVICT                      "[{\"idle-eviction\":{\"before\":\"1s\"}}]"
#define REPORT_TOOK(at, n, ok, ms) TOOK(at, n, "get", ok, ms)
#define DRIVES(steps)              "9.000 command_start command=x steps=" steps "\n" DRIVER

static const struct truth of_unread[] = {
    { "R9: after the mark its request goes into the old connection's hole, and then elsewhere",
      FRESH,
      CONTROL("GET /a") TWICE("GET /a") AWAY BACK FELL("12.000", "125", "12.0") NEXT_ON("13.000")
          HOLE_OVER,
      "fail fresh_after_mark=fail", 0 },
    { "R9: the same, and nothing tells what it was", FRESH,
      CONTROL("GET /a") TWICE("GET /a") AWAY BACK FELL("12.000", "125", "12.0")
          NEXT_ON("13.000") "16.000 c101 connection_end by=client how=rst\n16.100 command_exit "
                            "exit_status=1 live=0\n",
      "inconclusive fresh_after_mark=inconclusive(report)", 0 },
    { "R9: nobody says how much it was", FRESH,
      CONTROL("GET /a") TWICE("GET /a") AWAY BACK
      "12.000 c101 segments_dropped segments=1\n" NEXT_ON("13.000") HOLE_OVER,
      "inconclusive fresh_after_mark=inconclusive(report)", 0 },
    { "R9: over HTTP/2 it was perhaps a PING", FRESH,
      CONTROL("GET /a") H2_TWICE AWAY BACK FELL("12.000", "17", "12.0") H2_NEXT("13.000") HOLE_OVER,
      "inconclusive fresh_after_mark=inconclusive(report)", 0 },
    { "R9: a PING before the mark, and more behind it", FRESH,
      CONTROL("GET /a") H2_TWICE AWAY FELL("10.800", "17", "10.8") BACK FELL("12.000", "90", "10.8")
          H2_NEXT("13.000") HOLE_OVER,
      "inconclusive fresh_after_mark=inconclusive(report)", 0 },
    { "R9: a PING before the mark, sent again behind it", FRESH,
      CONTROL("GET /a") H2_TWICE AWAY FELL("10.800", "17", "10.8") BACK FELL("12.000", "17", "10.8")
          H2_NEXT("13.000") HOLE_OVER,
      "pass fresh_after_mark=pass", 0 },
    { "R9: a PING before the mark; then it leaves with a GOAWAY and FIN", FRESH,
      CONTROL("GET /a") H2_TWICE AWAY FELL("10.800", "17", "10.8") BACK FELL(
          "11.300", "34", "10.8") "11.310 c101 segments_dropped segments=1 fins=1 data=0 "
                                  "data_bytes=34 first_data=10.8\n" H2_NEXT("13.000") HOLE_OVER,
      "pass fresh_after_mark=pass", 0 },
    { "R9: its own account has no request under way when it came", FRESH,
      CONTROL("GET /a") DRIVES("get_background_foreground_get") H2("10.000", "c101")
          ANSWERED("10.000", "c101", "x1", "GET /a stream=1 hangup_call=1") REPORT_TOOK(
              "10.010", "1", "true", "10") AWAY BACK FELL("12.000", "17", "12.0")
              H2("13.000", "c102") ANSWERED("13.000", "c102", "x1", "GET /a stream=1 hangup_call=2")
                  CLOSES("13.100", "c102") REPORT_TOOK("13.020", "2", "true", "20") HOLE_OVER,
      "pass fresh_after_mark=pass", 0 },
    { "R9: the same, and it comes only at the end", FRESH,
      CONTROL("GET /a") DRIVES("get_background_foreground_get") H2("10.000", "c101")
          ANSWERED("10.000", "c101", "x1", "GET /a stream=1 hangup_call=1")
              AWAY BACK FELL("12.000", "90", "12.0") H2("13.000", "c102")
                  ANSWERED("13.000", "c102", "x1", "GET /a stream=1 hangup_call=2")
                      CLOSES("13.100", "c102") REPORT_TOOK("15.000", "1", "true", "10")
                          REPORT_TOOK("15.000", "2", "true", "700") HOLE_OVER,
      "pass fresh_after_mark=pass", 0 },
    { "R9: and it took so long that it may have been the one", FRESH,
      CONTROL("GET /a") DRIVES("get_background_foreground_get") H2("10.000", "c101")
          ANSWERED("10.000", "c101", "x1", "GET /a stream=1 hangup_call=1")
              AWAY BACK FELL("12.000", "17", "12.0") H2("13.000", "c102")
                  ANSWERED("13.000", "c102", "x1", "GET /a stream=1 hangup_call=2")
                      CLOSES("13.100", "c102") REPORT_TOOK("15.000", "1", "true", "10")
                          REPORT_TOOK("15.000", "2", "true", "950") HOLE_OVER,
      "inconclusive fresh_after_mark=inconclusive(mode)", 0 },
    { "R9: its own account has a request that failed then", FRESH,
      CONTROL("GET /a") DRIVES("get_background_foreground_get_get") TWICE("GET /a hangup_call=1")
          REPORT_TOOK("10.010", "1", "true", "10") AWAY BACK FELL("12.000", "125", "12.0")
              REPORT_TOOK("12.900", "2", "false", "900") "13.000 c102 open\n" ANSWERED(
                  "13.000", "c102", "x1", "GET /a hangup_call=3")
                  REPORT_TOOK("13.020", "3", "true", "20") CLOSES("13.100", "c102") HOLE_OVER,
      "fail fresh_after_mark=fail", 0 },
    { "idle_eviction: its request goes into the hole, and then elsewhere", EVICT,
      CONTROL("GET /a") TWICE("GET /a") "10.700 c101 black_hole\n" FELL("12.000", "125", "12.0")
          NEXT_ON("13.000") HOLE_OVER,
      "fail idle_eviction=fail", 0 },
    { "idle_eviction: the same, and nothing tells what it was", EVICT,
      CONTROL("GET /a") TWICE("GET /a") "10.700 c101 black_hole\n" FELL("12.000", "125", "12.0")
          NEXT_ON("13.000") "16.000 c101 connection_end by=client how=rst\n16.100 command_exit "
                            "exit_status=1 live=0\n",
      "inconclusive idle_eviction=inconclusive(report)", 0 },
    { "idle_eviction: one that failed in the hole, by its own account, and the next elsewhere",
      EVICT,
      CONTROL("GET /a") DRIVES("get_pause_get_get") TWICE("GET /a") REPORT_TOOK(
          "10.010", "1", "true", "10") "10.700 c101 black_hole\n" FELL("12.000", "125", "12.0")
          REPORT_TOOK("12.900", "2", "false",
                      "900") "13.000 c102 "
                             "open\n" ANSWERED("13.000", "c102", "x1", "GET /a") REPORT_TOOK(
                                 "13.020", "3", "true", "20") CLOSES("13.100", "c102") HOLE_OVER,
      "fail idle_eviction=fail", 0 },
    /* --- Who had no choice */
    { "R9: a FIN behind the mark, and before the request", FRESH,
      CONTROL("GET /a") TWICE("GET /a") "10.500 mark background\n" BACK "12.000 c101 fin\n" SAW(
          "12.010", "c101") "13.000 c102 open\n" ANSWERED("13.000", "c102", "x1", "GET /a"),
      "inconclusive~ fresh_after_mark=inconclusive(mode)~", 0 },
    { "R9: GOAWAY and FIN while the app is away", FRESH,
      CONTROL("GET /a") H2_TWICE "10.500 mark background\n10.600 c101 goaway last_stream=1\n"
                                 "10.700 c101 fin\n" BACK SAW("11.010", "c101") H2("13.000", "c102")
                                     ANSWERED("13.000", "c102", "x1", "GET /a stream=1"),
      "inconclusive~ fresh_after_mark=inconclusive(mode)~", 0 },
    { "R9: it leaves behind the mark, and would have got a FIN later", FRESH,
      CONTROL("GET /a") TWICE("GET /a") "10.500 mark background\n" BACK CLOSES(
          "11.010", "c101") "13.000 c102 open\n" ANSWERED("13.000", "c102", "x1", "GET /a"),
      "pass~ fresh_after_mark=pass~", 0 },
    { "idle_eviction: GOAWAY had announced the end", EVICT,
      CONTROL("GET /a") H2_TWICE "10.500 c101 goaway_notice\n10.510 c101 fault_acked from=10.505 "
                                 "to=10.510\n" CLOSES("10.700", "c101") H2("13.000", "c102")
                                     ANSWERED("13.000", "c102", "x1", "GET /a stream=1"),
      "inconclusive~ idle_eviction=inconclusive(mode)~", 0 },

    /* --- What is no retry */
    { "retries: a hedge had gone out before the loss", RETRY_ONCE,
      TWICE("GET /a hangup_call=1") "11.000 c101 x2 GET /a hangup_call=2\n11.050 c102 open\n"
                                    "11.050 c102 x1 GET /a hangup_call=2\n"
                                    "11.060 c101 fin\n" LOST("11.060", "c101", "x2")
                                        GONE("11.061", "c101") "11.100 c102 x1 answer\n" GONE(
                                            "11.200", "c102") EXIT("11.300"),
      "inconclusive recovered=pass retries=inconclusive(not-struck) retry_elsewhere=n/a", 0 },

    /* --- One that is well does not speak for another */
    { "R7: one call recovers, and another falls into a hole and never comes again",
      "[\"recovered\",\"user_wait\"]",
      CONTROL("GET /a") TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a")
          GONE("11.004", "c101") "11.005 c102 open\n" ANSWERED(
              "11.005", "c102", "x1",
              "GET /a") "12.000 c102 black_hole\n"
                        "14.000 c102 segments_dropped segments=1 data=1 data_bytes=125 "
                        "first_data=14.0\n"
                        "30.000 c102 connection_end by=client how=rst\n30.100 command_exit "
                        "exit_status=0 live=0\n",
      "inconclusive recovered=inconclusive(report) user_wait=inconclusive(report)", 0 },
    { "bounded-wait: one waits in silence until the run ends, another is told at once",
      "[{\"bounded-wait\":{\"max\":\"5s\"}}]",
      TWICE("GET /a hangup_call=1") BITTEN("11.000", "c101", "x2", "GET /a hangup_call=2")
          GONE("11.004", "c101") "11.005 c102 open\n" ANSWERED(
              "11.005", "c102", "x1",
              "GET /a hangup_call=2") "12.000 c102 stall\n12.500 c102 x2 stale GET /a "
                                      "hangup_call=3 sent_into=stalled fault=F\n"
                                      "13.000 run_end reason=deleted\n",
      "inconclusive user_wait=inconclusive(ended-early)", 0 },
};
