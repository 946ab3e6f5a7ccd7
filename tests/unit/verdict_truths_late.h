/* verdict_truths_late.h - runs with a known truth: what comes behind a limit that is over, so that
 * a fail stays one (R8), and lines of the client's account that come late or in a bunch. */
#pragma once

#include "verdict_truths_unread.h"

#define WAIT_1S "[{\"user_wait\":{\"max\":\"1s\"}}]"
#define WAIT_3S "[{\"user_wait\":{\"max\":\"3s\"}}]"
#define HELD    TWICE("GET /a") "11.000 c101 x2 GET /a\n11.000 c101 x2 delay\n"
/* The held answer goes out, and its connection is reset. */
#define GOES_OUT(at)                                                                               \
    at " c101 x2 response_start status=200\n" at " c101 x2 response_end status=200\n" at           \
       " c101 connection_end by=client how=rst\n"
#define WAITS       "[\"waits-for-connectivity\"]"
#define LISTENS     "14.000 fault listen class=repairs scope=listener trigger=listen\n"
#define DRIVER_LATE "15.500 report {\"driver\":1}\n"
#define AGAIN       "15.000 c102 open\n" ANSWERED("15.000", "c102", "x1", "GET /a")
#define OUTAGE      "10.000 drop_syn\n14.000 fault listen class=repairs scope=listener trigger=listen\n"

#define SAFE "[\"safe-retry\"]"
#define FELL_POST(what)                                                                            \
    "12.000 c101 black_hole\n12.500 c101 segments_dropped segments=1 data=1 data_bytes=99 "        \
    "first_data=12.5\n15.500 c102 open\n" ANSWERED("15.500", "c102", "x1", what)
#define POST_HOLE(what)                                                                            \
    "9.000 command_start command=x steps=get_pause_post\n" DRIVER                                  \
    "10.000 c101 open\n" ANSWERED("10.000", "c101", "x1", "GET /a")                                \
        REPORT("10.010", "1", "get", "true") FELL_POST(what)
#define PING_CHECKS "[\"retry-once\",\"safe-retry\",\"no_storm\",\"user_wait\"]"
#define PING_SAYS                                                                                  \
    "inconclusive recovered=inconclusive(report) retries=inconclusive(report) "                    \
    "retry_elsewhere=inconclusive(report) safe_retry=inconclusive(report) "                        \
    "executed_once=inconclusive(report) no_storm=inconclusive(report) "                            \
    "user_wait=inconclusive(report)"
#define PING_HOLE PING_THEN("POST /a stream=1")
#define PING_GETS PING_THEN("GET /a stream=1")
#define PING_THEN(what)                                                                            \
    "9.000 command_start command=x steps=get_pause_post\n" H2("10.000", "c101")                    \
        ANSWERED("10.000", "c101", "x1",                                                           \
                 "GET /a stream=1") "12.000 c101 black_hole\n"                                     \
                                    "12.500 c101 segments_dropped segments=1 data=1 "              \
                                    "data_bytes=17 first_data=12.5\n" H2("15.500", "c102")         \
                                        ANSWERED("15.500", "c102", "x1", what)

static const struct truth of_late[] = {
    { "user_wait: given up by FIN beyond the limit; the held answer goes out behind that", WAIT_1S,
      HELD "13.000 c101 peer_fin\n" GOES_OUT("13.500"), "fail user_wait=fail", 0 },
    { "user_wait: the same, as the command ends", WAIT_1S,
      HELD "13.000 c101 peer_fin\n" GOES_OUT("13.500") EXIT("13.600"), "fail user_wait=fail", 0 },
    { "user_wait: the answer goes out beyond the limit, then comes the FIN", WAIT_1S,
      HELD "13.000 c101 x2 response_start status=200\n13.000 c101 x2 response_end status=200\n"
           "13.001 c101 peer_fin\n13.002 c101 connection_end by=client how=rst\n",
      "fail user_wait=fail", 0 },
    { "user_wait: given up by FIN within the limit; the held answer goes out beyond it: a client "
      "may read on behind its FIN",
      WAIT_3S, HELD "13.000 c101 peer_fin\n" GOES_OUT("15.000"),
      "inconclusive~ user_wait=inconclusive(confirm)~", 0 },
    { "user_wait: the answer goes out within the limit, and nothing shows that it was read",
      WAIT_3S, HELD GOES_OUT("13.000") EXIT("15.000"),
      "inconclusive user_wait=inconclusive(confirm)", 0 },
    { "recovered: its answer goes out, unread, beyond the limit",
      "[{\"recovered\":{\"within\":\"1s\"}}]", HELD "13.000 c101 peer_fin\n" GOES_OUT("13.500"),
      "fail recovered=fail", 0 },
    { "user_wait: a stall, which the server ends beyond the limit", WAIT_1S,
      TWICE("GET /a") "11.000 c101 x2 GET /a\n11.000 c101 stall\n13.000 c101 fin\n" LOST(
          "13.000", "c101", "x2") SAW("13.001", "c101") EXIT("13.600"),
      "fail user_wait=fail", 0 },
    { "user_wait: the same within the limit: what its user was told is not seen", WAIT_3S,
      TWICE("GET /a") "11.000 c101 x2 GET /a\n11.000 c101 stall\n13.000 c101 fin\n" LOST(
          "13.000", "c101", "x2") "13.001 c101 connection_end by=fault how=fin fault=F\n",
      "inconclusive~ user_wait=inconclusive(report)~", 5000 },
    { "recovered: a call that failed by its line before the next one began", "[\"recovered\"]",
      DRIVER TWICE("GET /a") REPORT("10.010", "1", "get", "true") "11.000 c101 rst\n"
                                                                  "11.000 c101 connection_end "
                                                                  "by=fault how=rst\n" REPORT(
                                                                      "11.500", "2", "get",
                                                                      "false") "12.000 c102 "
                                                                               "open\n12.000 c102 "
                                                                               "x1 GET /a\n",
      "fail~ recovered=fail~", 0 },

    /* --- Lines that come late */
    { "waits: it failed before the outage, and its line came with the others", WAITS,
      "9.000 c101 open\n" ANSWERED("9.000", "c101", "x1", "GET /a")
          OUTAGE AGAIN DRIVER_LATE TOOK("15.500", "1", "get", "true", "5")
              TOOK("15.500", "2", "get", "false", "3000") TOOK("15.500", "3", "get", "true", "5"),
      "inconclusive~ waits_for_connection=inconclusive(report)~", 0 },
    { "waits: the lines came promptly: it failed in the outage", WAITS,
      "8.000 report {\"driver\":1}\n9.000 c101 open\n" ANSWERED("9.000", "c101", "x1", "GET /a")
          TOOK("9.010", "1", "get", "true", "5") "10.000 drop_syn\n" TOOK("12.500", "2", "get",
                                                                          "false", "1000")
              LISTENS AGAIN TOOK("15.010", "3", "get", "true", "5"),
      "fail~ waits_for_connection=fail~", 0 },
    { "waits: it began before the outage, and its line came late", WAITS,
      OUTAGE AGAIN DRIVER_LATE TOOK("18.000", "1", "get", "true", "6000"),
      "inconclusive~ waits_for_connection=inconclusive(report)~", 0 },
    { "waits: it began in the outage whenever its line came", WAITS,
      OUTAGE AGAIN DRIVER_LATE TOOK("17.500", "1", "get", "true", "4000"),
      "pass~ waits_for_connection=pass~", 5200 },
    { "waits: it began behind the outage, and its line came late", WAITS,
      OUTAGE AGAIN DRIVER_LATE TOOK("17.500", "1", "get", "true", "10"),
      "inconclusive~ waits_for_connection=inconclusive(no-exposure)~", 0 },

    /* --- A content that was not read whole */
    { "safe_retry: one key, and the first content was cut: perhaps the second is another", SAFE,
      "10.000 c101 open\n10.000 c101 x1 POST /a -whole idempotency_key=k content_length=100\n"
      "10.000 c101 fin\n10.000 c101 x1 lost\n" GONE(
          "10.001", "c101") "10.100 c102 open\n"
                            "10.100 c102 x1 POST /a idempotency_key=k content_length=100 "
                            "digest=d\n10.100 c102 x1 answer\n" CLOSES("10.200", "c102")
                                EXIT("10.300"),
      "inconclusive safe_retry=inconclusive(mode) executed_once=pass", 0 },
    { "safe_retry: the same, and both were read whole", SAFE,
      "10.000 c101 open\n10.000 c101 x1 POST /a idempotency_key=k content_length=100 digest=d\n"
      "10.000 c101 fin\n10.000 c101 x1 lost\n" GONE(
          "10.001", "c101") "10.100 c102 open\n"
                            "10.100 c102 x1 POST /a idempotency_key=k content_length=100 "
                            "digest=d\n10.100 c102 x1 answer\n" CLOSES("10.200", "c102")
                                EXIT("10.300"),
      "pass safe_retry=pass executed_once=pass", 0 },

    /* --- A POST that fell into a hole, and its client's account (R5, R7) */
    { "R5: a POST falls into a hole, and is sent again elsewhere without a key", SAFE,
      POST_HOLE("POST /a") TOOK("15.520", "2", "post", "true", "3010") HOLE_ENDS,
      "fail safe_retry=fail executed_once=pass", 0 },
    { "R5: for its user nothing is to be recovered", USER,
      POST_HOLE("POST /a") TOOK("15.520", "2", "post", "true", "3010") HOLE_ENDS,
      "pass recovered=n/a user_wait=pass", 0 },
    { "R5: with a key: the one of the lost request is not seen", SAFE,
      POST_HOLE("POST /a idempotency_key=k") TOOK("15.520", "2", "post", "true", "3010") HOLE_ENDS,
      "inconclusive safe_retry=inconclusive(report) executed_once=inconclusive(report)", 0 },
    { "R5: the POST took less than that: what fell into the hole was something else", SAFE,
      POST_HOLE("POST /a") TOOK("15.520", "2", "post", "true", "15") HOLE_ENDS,
      "inconclusive safe_retry=inconclusive(report) executed_once=inconclusive(report)", 0 },
    { "R5: it does not say how long it took", SAFE,
      POST_HOLE("POST /a") REPORT("15.520", "2", "post", "true") HOLE_ENDS,
      "inconclusive safe_retry=inconclusive(report) executed_once=inconclusive(report)", 0 },
    { "R5: without an account", SAFE,
      "10.000 c101 open\n" ANSWERED("10.000", "c101", "x1", "GET /a") FELL_POST("POST /a")
          HOLE_ENDS,
      "inconclusive safe_retry=inconclusive(report) executed_once=inconclusive(report)", 0 },
    { "R5: over HTTP/2 a PING goes first, and then the POST elsewhere, but once", SAFE,
      PING_HOLE DRIVER REPORT("10.010", "1", "get", "true")
          TOOK("15.520", "2", "post", "true", "3010") HOLE_ENDS,
      "inconclusive safe_retry=inconclusive(report) executed_once=inconclusive(report)", 0 },
    { "R7: a PING falls into a hole: a name is of no use", PING_CHECKS, PING_HOLE HOLE_ENDS,
      PING_SAYS, 0 },
    { "R7: the same with a control", PING_CHECKS, CONTROL("GET /a") PING_HOLE HOLE_ENDS, PING_SAYS,
      0 },
    { "R7: the same with GETs", PING_CHECKS, PING_GETS HOLE_ENDS, PING_SAYS, 0 },
    /* A client that lives outside of COMMAND: for a moment it seems to have given up. */
    { "R8: its connection is over before COMMAND ends, and it asks again behind that", USER,
      CONTROL("GET /a") TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a")
          GONE("11.004", "c101")
              EXIT("11.100") "11.200 c102 open\n" ANSWERED("11.200", "c102", "x1", "GET /a"),
      "pass~ recovered=pass~ user_wait=pass~", 0 },
    { "R8: the same, when its client had left for longer: that is no part of the test any more",
      USER,
      CONTROL("GET /a") TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a")
          GONE("11.004", "c101")
              EXIT("11.100") "12.000 c102 open\n" ANSWERED("12.000", "c102", "x1", "GET /a"),
      "fail recovered=fail user_wait=pass", 0 },
};
