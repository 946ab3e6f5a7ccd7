/* verdict_truths_calls.h - runs with a known truth: scenarios of the rules R1 (joining), R2
 * (exposure) and R3 (known), under their numbers. */
#pragma once

#include "verdict_truths.h"

#define H2(at, c)               at " " c " open h2\n"
#define LOST(at, c, x)          at " " c " " x " lost\n"
#define STUCK(at, c, x, what)   at " " c " " x " " what "\n" at " " c " stall\n"
#define DRIVER                  "10.001 report {\"driver\":1}\n"
#define REPORT(at, n, step, ok) at " report {\"n\":" n ",\"step\":\"" step "\",\"ok\":" ok "}\n"
#define CLOSES(at, c)           at " " c " peer_fin\n" at " " c " connection_end by=client how=fin\n"
/* It ends it as our FIN comes: which was first is not seen. */
#define LEAVES(at, c)                                                                              \
    at " " c " peer_fin fault=F\n" at " " c " connection_end by=fault how=fin fault=F\n"
#define USER "[\"recovered\",\"user_wait\"]"

/* Its last stream is promised by a GOAWAY, and it cancels that and leaves at a time. */
#define DROPS_WHAT(what, holds, at)                                                                \
    H2("10.000", "c101")                                                                           \
    ANSWERED("10.000", "c101", "x1", what " stream=1")                                             \
    "11.000 c101 x2 " what " stream=3\n11.000 c101 fault goaway class=refuses scope=connection "   \
    "trigger=request last_stream=3 arguments={\"then_hold\":" holds "}\n"                          \
    "11.000 c101 fault_done step=goaway in_effect=true\n" at                                       \
    " c101 x2 peer_rst_stream stream=3 error=CANCEL\n" at " c101 x2 lost lost_by=client_cancel\n"  \
    "11.004 c101 fault_acked from=11.001 to=11.004\n" CLOSES("11.005", "c101")
#define DROPS(holds, at) DROPS_WHAT("GET /a", holds, at)
#define REFUSES(at, c)                                                                             \
    at " " c " x1 GET /a stream=1\n" at " " c " goaway last_stream=0\n" CLOSES(at, c)
#define DROPPED_AGAIN(what)                                                                        \
    H2("11.010", "c102")                                                                           \
    ANSWERED("11.010", "c102", "x1", what " stream=1") CLOSES("11.100", "c102") EXIT("11.110")

/* A call is lost in a hole, and another one is answered elsewhere 3 s later, the client saying
 * what. */
#define HOLE(steps)                                                                                \
    "9.000 command_start command=x steps=" steps "\n" DRIVER                                       \
    "10.000 c101 open\n" ANSWERED("10.000", "c101", "x1", "GET /a")                                \
        REPORT("10.010", "1", "get", "true") "12.000 c101 black_hole\n12.500 c101 "                \
                                             "segments_dropped segments=1 data=1 data_bytes=99 "   \
                                             "first_data=12.5\n15.500 c102 open\n" ANSWERED(       \
                                                 "15.500", "c102", "x1", "GET /a")
#define TOOK(at, n, step, ok, ms)                                                                  \
    at " report {\"n\":" n ",\"step\":\"" step "\",\"ok\":" ok ",\"ms\":" ms "}\n"
#define HOLE_UNTOLD                                                                                \
    "inconclusive recovered=inconclusive(report) retries=inconclusive(report) "                    \
    "retry_elsewhere=inconclusive(report)"
#define HOLE_ENDS                                                                                  \
    CLOSES("15.600", "c102") "16.000 c101 connection_end by=client how=rst\n" EXIT("16.100")

/* A client that asks the same thrice in a row; of the second it meets a fault. */
#define LOOP(at, c, third)                                                                         \
    at ".000 " c " open\n" ANSWERED(at ".000", c, "x1", "GET /a")                                  \
        ANSWERED(at ".011", c, "x2", "GET /a") third
#define LOOP_CONTROL                                                                               \
    "0.100 phase control\n0.100 command_start\n" LOOP(                                             \
        "0", "c91",                                                                                \
        ANSWERED("0.222", "c91", "x3", "GET /a")) "1.300 command_exit exit_status=0 live=0\n"      \
                                                  "5.000 phase fault\n5.000 mode mode=m "          \
                                                  "params={} time_scale=1\n5.000 command_start\n"
#define LOOP_BITTEN                                                                                \
    "10.000 c101 open\n" ANSWERED("10.000", "c101", "x1", "GET /a")                                \
        BITTEN("10.011", "c101", "x2", "GET /a")                                                   \
            GONE("10.012", "c101") "10.013 c102 open\n" ANSWERED("10.014", "c102", "x1", "GET /a")

/* A client that asks the same thrice, with a pause; of the second it meets a fault. */
#define SLOW_CONTROL                                                                               \
    "0.100 phase control\n0.100 command_start\n0.200 c91 open\n" ANSWERED("0.200", "c91", "x1",    \
                                                                          "GET /a")                \
        ANSWERED("0.400", "c91", "x2", "GET /a") ANSWERED("0.600", "c91", "x3", "GET /a")          \
            GONE("0.700", "c91") "1.300 command_exit exit_status=0 live=0\n5.000 phase fault\n"    \
                                 "5.000 mode mode=m params={} time_scale=1\n"                      \
                                 "5.000 command_start\n"
#define SLOW_BITTEN                                                                                \
    "10.000 c101 open\n" ANSWERED("10.000", "c101", "x1", "GET /a")                                \
        BITTEN("10.200", "c101", "x2", "GET /a") GONE("10.201", "c101") "10.203 c102 open\n"

/* The same of a command that gives no account: so many octets are dropped, and that is asked next.
 */
#define HOLE_BARE(octets, next)                                                                    \
    "10.000 c101 open\n" ANSWERED(                                                                 \
        "10.000", "c101", "x1",                                                                    \
        "GET /a") "12.000 c101 black_hole\n"                                                       \
                  "12.500 c101 segments_dropped segments=1 data=1 data_bytes=" octets              \
                  " first_data=12.5\n"                                                             \
                  "15.500 c102 open\n" ANSWERED("15.500", "c102", "x1", next)                      \
                      CLOSES("15.600", "c102") "16.000 c101 connection_end by=client how=rst\n"

/* Over HTTP/2: octets are dropped, the client leaves, and asks elsewhere. */
#define LEAVES_HOLE(dropped, octets, left)                                                         \
    "9.000 command_start command=x steps=get_pause_get\n" DRIVER H2("10.000", "c101")              \
        ANSWERED("10.000", "c101", "x1", "GET /a stream=1")                                        \
            REPORT("10.010", "1", "get",                                                           \
                   "true") "12.000 c101 black_hole\n" dropped                                      \
                           " c101 segments_dropped segments=1 data=1 "                             \
                           "data_bytes=" octets " first_data=" dropped "\n" left                   \
                           " c101 segments_dropped "                                               \
                           "segments=1 fins=1 data=0 data_bytes=" octets " first_data=" dropped    \
                           "\n" H2("15.505", "c102")                                               \
                               ANSWERED("15.510", "c102", "x1", "GET /a stream=1")                 \
                                   TOOK("15.520", "2", "get", "true", "3010") HOLE_ENDS

/* One retry, as it should be, and the command's end. */
#define RETRIED                                                                                    \
    TWICE("GET /a")                                                                                \
    BITTEN("11.000", "c101", "x2", "GET /a")                                                       \
    GONE("11.004", "c101") "11.005 c102 open\n" ANSWERED("11.005", "c102", "x1", "GET /a")
#define ENDS_WELL RETRIED EXIT("15.000") GONE("15.100", "c102")
#define UNDECIDED "inconclusive recovered=pass retries=pass retry_elsewhere=pass"

static const struct truth of_calls[] = {
    /* --- R1 */
    { "5: a POST with a time in its content is sent again", "[\"safe-retry\"]",
      "11.000 c101 open\n11.000 c101 x1 POST /a digest=a body_bytes=40 content_type=j\n"
      "11.000 c101 x1 processed effect=true\n11.000 c101 fin\n" LOST("11.000", "c101", "x1") GONE(
          "11.001", "c101") "11.100 c102 open\n"
                            "11.100 c102 x1 POST /a digest=b body_bytes=41 content_type=j\n11.100 "
                            "c102 x1 answer\n" GONE("11.200", "c102") EXIT("11.300"),
      "inconclusive safe_retry=inconclusive(hangup-call) executed_once=inconclusive(hangup-call)",
      0 },
    { "8: a hedge dies, the first is answered", "[\"recovered\"]",
      "10.000 c101 open\n10.000 c101 x1 GET /a hangup_call=1\n10.300 c102 open\n"
      "10.300 c102 x1 GET /a hangup_call=1\n10.300 c102 fin\n" LOST("10.300", "c102",
                                                                    "x1") "10.500 c101 x1 answer\n",
      "pass recovered=pass", 6000 },
    { "11: two kinds of clients ask the same: whose retry is it?", "[\"recovered\"]",
      "10.000 c101 open client=A\n10.000 c101 protocol protocol=http/1.1 client=A\n" ANSWERED(
          "10.000", "c101", "x1", "GET /a user_agent=A")
          BITTEN("11.000", "c101", "x2", "GET /a user_agent=A") "11.200 c102 open\n" ANSWERED(
              "11.200", "c102", "x1", "GET /a user_agent=B"),
      "inconclusive recovered=inconclusive(hangup-call)", 12000 },
    { "13: two equal calls at once, or a hedge: one is never answered", RETRY_ONCE,
      "10.000 c101 open h2\n10.000 c101 x1 GET /a stream=1\n10.000 c101 x2 GET /a stream=3\n"
      "10.100 c101 fin\n" LOST("10.100", "c101", "x1") LOST("10.100", "c101", "x2") GONE(
          "10.101", "c101") "10.110 c102 open h2\n" BITTEN("10.110", "c102", "x1", "GET /a")
          GONE("10.111", "c102") "10.120 c103 open h2\n" ANSWERED("10.120", "c103", "x1", "GET /a"),
      "inconclusive~ recovered=inconclusive(hangup-call) retries=inconclusive(hangup-call)~ "
      "retry_elsewhere=pass~",
      12000 },
    { "14: a limit of each attempt: cancelled, and sent again on the same connection",
      "[\"recovered\"]",
      "10.000 c101 open h2\n10.000 c101 x1 GET /a stream=1\n10.500 c101 x1 peer_rst_stream\n"
      "10.500 c101 x1 exchange_lost lost_by=client_cancel\n10.501 c101 x2 GET /a stream=3\n"
      "10.600 c101 fin\n" LOST("10.600", "c101", "x2")
          GONE("10.601", "c101") "10.610 c102 open h2\n" ANSWERED("10.610", "c102", "x1",
                                                                  "GET /a stream=1"),
      "pass recovered=pass", 6000 },
    { "16: from a redirect's start, if it has a name", "[\"user_wait\"]",
      "10.000 c101 open\n10.000 c101 x1 GET /a hangup_call=1\n10.000 c101 x1 answer 302\n"
      "14.000 c101 fin\n14.000 c101 x2 GET /b hangup_call=1\n" LOST(
          "14.000", "c101", "x2") "19.000 c102 open\n" ANSWERED("19.000", "c102", "x1",
                                                                "GET /b hangup_call=1"),
      "fail user_wait=fail", 0 },

    /* --- R2 */
    { "20: it closes the idle connection only when it needs one", "[\"idle-eviction\"]",
      "0.000 mode mode=half-open params={\"idle\":\"10s\"} time_scale=1\n" CONTROL("GET /a")
          TWICE("GET /a") "13.000 c101 peer_fin\n"
                          "13.000 c101 connection_end by=client how=fin rule=0 due_in=7\n13.001 "
                          "c102 open\n" ANSWERED("13.001", "c102", "x1", "GET /a"),
      "inconclusive~ idle_eviction=inconclusive(before)~", 0 },
    { "12: evicts lazily, before 2 s", "[{\"idle-eviction\":{\"before\":\"2s\"}}]",
      CONTROL("GET /a")
          TWICE("GET /a") "13.000 c101 peer_fin\n"
                          "13.000 c101 connection_end by=client how=fin rule=0 due_in=7\n13.001 "
                          "c102 open\n" ANSWERED("13.001", "c102", "x1", "GET /a"),
      "pass~ idle_eviction=pass~", 0 },
    { "12: evicts at 1.5 s", "[{\"idle-eviction\":{\"before\":\"2s\"}}]",
      CONTROL("GET /a")
          TWICE("GET /a") "11.500 c101 peer_fin\n"
                          "11.500 c101 connection_end by=client how=fin rule=0 due_in=1.5\n13.001 "
                          "c102 open\n" ANSWERED("13.001", "c102", "x1", "GET /a"),
      "pass~ idle_eviction=pass~", 0 },
    { "12: does not evict", "[{\"idle-eviction\":{\"before\":\"2s\"}}]",
      CONTROL("GET /a") TWICE("GET /a") ANSWERED("13.000", "c101", "x2", "GET /a"),
      "fail~ idle_eviction=fail~", 0 },
    { "12: a request into a connection that was forgotten",
      "[{\"idle-eviction\":{\"before\":\"2s\"}}]",
      CONTROL("GET /a") TWICE("GET /a") "13.000 c101 forget\n14.000 c101 x2 stale GET /a\n",
      "fail~ idle_eviction=fail~", 0 },
    { "12: nothing shows that it reuses", "[{\"idle-eviction\":{\"before\":\"2s\"}}]",
      TWICE("GET /a")
          CLOSES("13.000", "c101") "13.001 c102 open\n" ANSWERED("13.001", "c102", "x1", "GET /a"),
      "inconclusive~ idle_eviction=inconclusive(reuse)~", 0 },
    { "12: the server's FIN came first", "[{\"idle-eviction\":{\"before\":\"2s\"}}]",
      CONTROL("GET /a") TWICE("GET /a") "13.000 c101 fin\n" SAW(
          "13.001", "c101") "14.000 c102 open\n" ANSWERED("14.000", "c102", "x1", "GET /a"),
      "inconclusive~ idle_eviction=inconclusive(mode)~", 0 },
    { "22: another connection was there: the client never looked", USER,
      CONTROL("GET /a") "10.000 c101 open\n10.000 c102 open\n" ANSWERED("10.000", "c102", "x1",
                                                                        "GET /a")
          ANSWERED("10.001", "c101", "x1", "GET /a") "13.000 c101 fin\n" SAW("13.001", "c101")
              ANSWERED("13.500", "c102", "x2", "GET /a") CLOSES("13.600", "c102") EXIT("13.700"),
      "inconclusive recovered=inconclusive(no-exposure) user_wait=inconclusive(no-exposure)", 0 },
    { "23: a spare dies idle", USER,
      CONTROL("GET /a") TWICE("GET /a") "10.000 c102 open\n13.000 c102 fin\n" SAW("13.001", "c102")
          ANSWERED("13.500", "c101", "x2", "GET /a") CLOSES("13.600", "c101") EXIT("13.700"),
      "inconclusive recovered=inconclusive(no-exposure) user_wait=inconclusive(no-exposure)", 0 },
    { "25: its own limit ends the connection as ours does", USER,
      CONTROL("GET /a")
          TWICE("GET /a") "13.000 c101 fin\n13.0004 c101 peer_fin crossed=true\n"
                          "13.001 c101 connection_end by=fault how=fin fault=F\n13.500 c102 "
                          "open\n" ANSWERED("13.500", "c102", "x1", "GET /a")
                              CLOSES("13.600", "c102") EXIT("13.700"),
      "inconclusive recovered=inconclusive(not-struck) user_wait=inconclusive(not-struck)", 0 },
    { "pre-empted: it left long before the fault was due", USER,
      CONTROL("GET /a")
          TWICE("GET /a") "11.000 c101 peer_fin\n"
                          "11.000 c101 connection_end by=client how=fin rule=0 due_in=2\n13.500 "
                          "c102 open\n" ANSWERED("13.500", "c102", "x1", "GET /a")
                              CLOSES("13.600", "c102") EXIT("13.700"),
      "pass recovered=pass user_wait=pass", 0 },
    { "R7: the same with another time scale", USER,
      CONTROL("GET /a") "6.000 mode mode=m params={} time_scale=0.1\n" TWICE(
          "GET /a") "11.000 c101 peer_fin\n"
                    "11.000 c101 connection_end by=client how=fin rule=0 due_in=2\n13.500 c102 "
                    "open\n" ANSWERED("13.500", "c102", "x1", "GET /a") CLOSES("13.600", "c102")
                        EXIT("13.700"),
      "inconclusive recovered=inconclusive(time-scale) user_wait=inconclusive(time-scale)", 0 },
    { "R7: and the client has scaled its clocks", USER,
      CONTROL("GET /a") "6.000 mode mode=m params={} time_scale=0.1\n" TWICE(
          "GET /a") "10.000 report {\"driver\":1,\"scaled\":true}\n" REPORT("10.010", "1", "get",
                                                                            "true") "11.000 c101 "
                                                                                    "peer_fin\n"
                                                                                    "11.000 c101 "
                                                                                    "connection_"
                                                                                    "end by=client "
                                                                                    "how=fin "
                                                                                    "rule=0 "
                                                                                    "due_in=2\n13."
                                                                                    "500 c102 "
                                                                                    "open"
                                                                                    "\n" ANSWERED(
                                                                                        "13.500",
                                                                                        "c102",
                                                                                        "x1",
                                                                                        "GET /a")
                                                                                        REPORT(
                                                                                            "13."
                                                                                            "510",
                                                                                            "2",
                                                                                            "get",
                                                                                            "true")
                                                                                            CLOSES(
                                                                                                "13"
                                                                                                ".6"
                                                                                                "0"
                                                                                                "0",
                                                                                                "c1"
                                                                                                "0"
                                                                                                "2")
                                                                                                EXIT(
                                                                                                    "13.700"),
      "pass recovered=pass user_wait=pass", 0 },
    { "R7: a FIN that came sooner than in earnest was seen: no clock of the client's is in that",
      USER,
      CONTROL("GET /a") "6.000 mode mode=m params={} time_scale=0.1\n" TWICE(
          "GET /a") "13.000 c101 fin\n" SAW("13.001",
                                            "c101") "13.500 c102 open\n" ANSWERED("13.500", "c102",
                                                                                  "x1", "GET /a")
          CLOSES("13.600", "c102") EXIT("13.700"),
      "pass recovered=pass user_wait=pass", 0 },
    { "avoided, and the command failed", USER,
      CONTROL("GET /a") TWICE("GET /a") "13.000 c101 fin\n" SAW(
          "13.001", "c101") "13.500 c102 open\n" ANSWERED("13.500", "c102", "x1", "GET /a")
          CLOSES("13.600", "c102") "13.700 command_exit exit_status=1 live=0\n",
      "inconclusive recovered=inconclusive(report) user_wait=inconclusive(report)", 0 },
    { "25: it leaves as our FIN comes; in the control it kept a connection for longer", USER,
      CONTROL("GET /a") TWICE("GET /a") "10.500 c101 fin\n" LEAVES(
          "10.502", "c101") "11.500 c102 open\n" ANSWERED("11.500", "c102", "x1", "GET /a")
          CLOSES("11.600", "c102") EXIT("11.700"),
      "pass recovered=pass user_wait=pass", 0 },
    { "25: it leaves as our FIN comes, perhaps by a limit of its own", USER,
      CONTROL("GET /a") TWICE("GET /a") "10.950 c101 fin\n" LEAVES(
          "10.952", "c101") "11.200 c102 open\n" ANSWERED("11.200", "c102", "x1", "GET /a")
          CLOSES("11.300", "c102") EXIT("11.400"),
      "inconclusive recovered=inconclusive(not-struck) user_wait=inconclusive(not-struck)", 0 },
    { "avoided, by its own account of all steps", USER,
      CONTROL("GET /a") "9.000 command_start command=x steps=get_pause_get\n" DRIVER TWICE("GET /a")
          REPORT("10.010", "1", "get", "true") "13.000 c101 fin\n" SAW(
              "13.001", "c101") "13.500 c102 open\n" ANSWERED("13.500", "c102", "x1", "GET /a")
              REPORT("13.510", "2", "get", "true") EXIT("13.520"),
      "pass~ recovered=pass~ user_wait=pass~", 0 },
    { "19: avoided, without a control to show that it reuses", USER,
      DRIVER TWICE("GET /a") REPORT("10.010", "1", "get", "true") "13.000 c101 fin\n" SAW(
          "13.001", "c101") "13.500 c102 open\n" ANSWERED("13.500", "c102", "x1", "GET /a")
          REPORT("13.510", "2", "get", "true"),
      "inconclusive~ recovered=inconclusive(control)~ user_wait=inconclusive(control)~", 0 },
    { "R7: what fell into the hole was sent again, as its client says how long that took",
      RETRY_ONCE, HOLE("get_pause_get") TOOK("15.520", "2", "get", "true", "3010") HOLE_ENDS,
      "inconclusive recovered=pass retries=inconclusive(read) retry_elsewhere=inconclusive(read)",
      0 },
    { "R7: the next call took less than that: what fell into the hole was something else",
      RETRY_ONCE, HOLE("get_pause_get") TOOK("15.520", "2", "get", "true", "15") HOLE_ENDS,
      HOLE_UNTOLD, 0 },
    { "R7: it does not say how long it took", RETRY_ONCE,
      HOLE("get_pause_get") REPORT("15.520", "2", "get", "true") HOLE_ENDS, HOLE_UNTOLD, 0 },
    { "R7: the client leaves a hole by GOAWAY and close_notify, and asks anew: nothing was sent "
      "again",
      RETRY_ONCE, LEAVES_HOLE("15.500", "17", "15.508"),
      "inconclusive recovered=inconclusive(control) retries=inconclusive(not-struck) "
      "retry_elsewhere=inconclusive(not-struck)",
      0 },
    { "R7: so much is no GOAWAY; but nobody sends again what he has only just sent", RETRY_ONCE,
      LEAVES_HOLE("15.500", "99", "15.508"), HOLE_UNTOLD, 0 },
    { "R7: it was sent long before its client left", RETRY_ONCE,
      LEAVES_HOLE("12.500", "17", "15.490"),
      "inconclusive recovered=pass retries=inconclusive(read) retry_elsewhere=inconclusive(read)",
      0 },
    { "R7: the answers before it came in the background, but their lines before it", RETRY_ONCE,
      "9.000 command_start command=x steps=get_background_pause_foreground_get\n" DRIVER
      "10.000 c101 open\n10.000 c101 x1 GET /a\n10.000 c101 x1 response_end status=200\n10.001 "
      "mark background\n"
      "10.020 c101 x1 response_acked proof=ack from=10.010 to=10.020\n" REPORT(
          "10.010", "1", "get",
          "true") "10.100 c101 black_hole\n12.490 mark foreground\n12.500 c101 segments_dropped "
                  "segments=1 data=1 "
                  "data_bytes=99 first_data=12.5\n15.500 c102 open\n" ANSWERED("15.500", "c102",
                                                                               "x1", "GET /a")
                      TOOK("15.520", "2", "get", "true", "3010") HOLE_ENDS,
      "inconclusive recovered=pass retries=inconclusive(read) retry_elsewhere=inconclusive(read)",
      0 },
    { "R4: its client had failed by its own account when the hole healed and the answer went out",
      USER,
      "9.000 command_start command=x steps=get_pause_get\n" DRIVER
      "10.000 c101 open\n" ANSWERED("10.000", "c101", "x1", "GET /a hangup_call=1") REPORT(
          "10.010", "1", "get",
          "true") "12.000 c101 black_hole\n12.500 c101 segments_dropped segments=1 "
                  "data=1 data_bytes=99 first_data=12.5\n" TOOK(
                      "15.500", "2", "get", "false",
                      "3000") "25.000 c101 heal\n25.500 c101 x2 GET /a hangup_call=2\n25.500 c101 "
                              "x2 stale GET /a hangup_call=2 "
                              "sent_into=black_holed fault=F1\n25.500 c101 x2 answer\n25.600 c101 "
                              "connection_end by=client how=rst\n" EXIT("25.700"),
      "fail recovered=fail user_wait=pass", 0 },
    { "R2: it leaves as its suspended app's connection ends: that was no limit of its own", USER,
      CONTROL("GET /a") DRIVER TWICE("GET /a") REPORT(
          "10.010", "1", "get",
          "true") "10.700 mark background\n10.950 c101 fin "
                  "trigger=mark\n" LEAVES(
                      "10.952",
                      "c101") "11.100 mark foreground\n11.200 c102 open\n" ANSWERED("11.200",
                                                                                    "c102", "x1",
                                                                                    "GET /a")
                      REPORT("11.210", "2", "get", "true") CLOSES("11.300", "c102") EXIT("11.400"),
      "pass recovered=pass user_wait=pass", 0 },
    { "R2: it leaves at the mark, as the connection ends", USER,
      CONTROL("GET /a") DRIVER TWICE("GET /a") REPORT(
          "10.010", "1", "get",
          "true") "10.940 mark background\n10.950 c101 fin "
                  "trigger=mark\n" LEAVES(
                      "10.952",
                      "c101") "11.100 mark foreground\n11.200 c102 open\n" ANSWERED("11.200",
                                                                                    "c102", "x1",
                                                                                    "GET /a")
                      REPORT("11.210", "2", "get", "true") CLOSES("11.300", "c102") EXIT("11.400"),
      "inconclusive recovered=inconclusive(not-struck) user_wait=inconclusive(not-struck)", 0 },
    { "a stream on a connection that GOAWAY has ended is a stale use, though TCP is as it was",
      "[\"no_stale_use\"]",
      CONTROL("GET /a") H2("10.000", "c101")
          ANSWERED("10.000", "c101", "x1",
                   "GET /a stream=1") "12.000 c101 goaway last_stream=1\n12.010 c101 fault_acked "
                                      "from=12.005 to=12.010\n"
                                      "13.000 c101 x2 GET /a stream=3\n" EXIT("14.000")
                                          GONE("14.000", "c101"),
      "fail no_stale_use=fail", 0 },
    { "R2: it leaves when a GOAWAY has announced the end", USER,
      CONTROL("GET /a") DRIVER H2("10.000", "c101")
          ANSWERED("10.000", "c101", "x1", "GET /a stream=1")
              REPORT("10.010", "1", "get",
                     "true") "10.900 c101 goaway_notice\n10.910 c101 fault_acked from=10.905 "
                             "to=10.910\n" LEAVES("10.950", "c101") H2("11.200", "c102")
                                 ANSWERED("11.200", "c102", "x1", "GET /a stream=1")
                                     REPORT("11.210", "2", "get", "true") CLOSES("11.300", "c102")
                                         EXIT("11.400"),
      "pass recovered=pass user_wait=pass", 0 },
    { "R7: a command without an account did the same as in the control", RETRY_ONCE,
      CONTROL("GET /a") HOLE_BARE("125", "GET /a") EXIT("16.100"),
      "inconclusive recovered=pass retries=inconclusive(read) retry_elsewhere=inconclusive(read)",
      0 },
    { "R7: it ended with an error", RETRY_ONCE,
      CONTROL("GET /a") HOLE_BARE("125", "GET /a") "16.100 command_exit exit_status=1 live=0\n",
      HOLE_UNTOLD, 0 },
    { "R7: it asked for something else than in the control", RETRY_ONCE,
      CONTROL("GET /a") HOLE_BARE("125", "GET /b") EXIT("16.100"), HOLE_UNTOLD, 0 },
    { "R7: it asked once more than in the control", RETRY_ONCE,
      CONTROL("GET /a") HOLE_BARE("125", "GET /a") ANSWERED("15.800", "c102", "x2", "GET /a")
          EXIT("16.100"),
      HOLE_UNTOLD, 0 },
    { "R7: over HTTP/2 so little may have been a PING", RETRY_ONCE,
      CONTROL("GET /a") H2("10.000", "c101") ANSWERED(
          "10.000", "c101", "x1",
          "GET /a stream=1") "12.000 c101 black_hole\n12.500 c101 segments_dropped segments=1 "
                             "data=1 data_bytes=17 first_data=12.5\n" H2("15.500", "c102")
                                 ANSWERED("15.500", "c102", "x1", "GET /a stream=1") HOLE_ENDS,
      HOLE_UNTOLD, 0 },
    { "R7: calls were made at once", RETRY_ONCE,
      HOLE("get*2") TOOK("15.520", "2", "get", "true", "3010") HOLE_ENDS, HOLE_UNTOLD, 0 },
    { "R7: a call failed in the hole, and the next was answered", RETRY_ONCE,
      HOLE("get_pause_get_get") TOOK("15.400", "2", "get", "false", "2900")
          TOOK("15.520", "3", "get", "true", "10") HOLE_ENDS,
      "fail recovered=fail retries=inconclusive(mode) retry_elsewhere=inconclusive(mode)", 0 },
    { "R1: a tight loop without a retry: the next request is the next call", "[\"recovered\"]",
      LOOP_CONTROL LOOP_BITTEN GONE("10.100", "c102") EXIT("10.200"),
      "inconclusive recovered=inconclusive(hangup-call)", 0 },
    { "R1: the same without a control", "[\"recovered\"]",
      "10.000 c101 open\n" ANSWERED("10.000", "c101", "x1", "GET /a")
          ANSWERED("10.011", "c101", "x2", "GET /a") BITTEN("10.022", "c101", "x3", "GET /a")
              GONE("10.023", "c101") "10.024 c102 open\n" ANSWERED("10.025", "c102", "x1", "GET /a")
                  GONE("10.100", "c102"),
      "inconclusive~ recovered=inconclusive(hangup-call)~", 0 },
    { "R1: a tight loop with a retry: as much was answered as in the control", "[\"recovered\"]",
      LOOP_CONTROL LOOP_BITTEN ANSWERED("10.025", "c102", "x2", "GET /a") GONE("10.100", "c102")
          EXIT("10.200"),
      "pass recovered=pass", 0 },
    { "R1: what comes sooner behind a loss than behind an answer is the next call, if one is "
      "missing",
      "[\"retry-once\"]",
      SLOW_CONTROL SLOW_BITTEN ANSWERED("10.204", "c102", "x1", "GET /a") GONE("10.300", "c102")
          EXIT("10.400"),
      "inconclusive recovered=inconclusive(hangup-call) retries=inconclusive(hangup-call) "
      "retry_elsewhere=inconclusive(hangup-call)",
      0 },
    { "R1: it is another attempt, if none is missing", "[\"retry-once\"]",
      SLOW_CONTROL SLOW_BITTEN ANSWERED("10.204", "c102", "x1", "GET /a")
          ANSWERED("10.410", "c102", "x2", "GET /a") GONE("10.500", "c102") EXIT("10.600"),
      "pass recovered=pass retries=pass retry_elsewhere=pass", 0 },
    { "R1: a reset stream is sent again before the kernel ACKs the RST_STREAM", "[\"recovered\"]",
      "10.000 c101 open h2\n" ANSWERED(
          "10.000", "c101", "x1",
          "GET /a stream=1") "11.000 c101 x2 GET /a stream=3\n11.000 c101 x2 "
                             "rst_stream -ack\n11.000 c101 x2 lost\n11.006 c102 open "
                             "h2\n" ANSWERED("11.010", "c102", "x1",
                                             "GET /a stream=1") "11.040 c101 "
                                                                "fault_acked fault=F "
                                                                "step=rst_stream "
                                                                "from=11.012 "
                                                                "to=11.040\n",
      "pass recovered=pass", 6000 },

    /* --- R3 */
    { "28: the client looked at the socket just before the FIN", "[\"no_stale_use\"]",
      CONTROL("GET /a") TWICE("GET /a") "13.0000 c101 fin\n13.0008 c101 x2 stale GET /a\n",
      "inconclusive~ no_stale_use=inconclusive(later)~", 0 },
    { "28: they crossed: nobody is to blame", "[\"no_stale_use\"]",
      CONTROL("GET /a") TWICE("GET /a") "13.000 c101 fault fin in_effect=true class=ends "
                                        "scope=connection trigger=idle\n13.000 c101 fault_done "
                                        "step=fin in_effect=true\n"
                                        "13.010 c101 x2 stale GET /a fin_acked=crossed\n13.020 "
                                        "c101 fault_acked from=13.015 to=13.02\n",
      "inconclusive~ no_stale_use=inconclusive(no-exposure)~", 0 },
    { "28: they crossed, and the ACK was looked for long before and long after",
      "[\"no_stale_use\"]",
      CONTROL("GET /a") TWICE("GET /a") "13.000 c101 fault fin in_effect=true class=ends "
                                        "scope=connection trigger=idle\n13.000 c101 fault_done "
                                        "step=fin in_effect=true\n"
                                        "13.010 c101 x2 stale GET /a fin_acked=crossed\n13.020 "
                                        "c101 fault_acked from=13.001 to=13.02\n",
      "inconclusive~ no_stale_use=inconclusive(no-exposure)~", 0 },
    { "28: it crossed: the client could not see that the one before was lost, so this is no retry",
      "[\"recovered\"]",
      TWICE("GET /a") "13.000 c101 x2 GET /a\n13.000 c101 fault fin in_effect=true class=ends "
                      "scope=connection trigger=request\n13.000 c101 fault_done "
                      "step=fin in_effect=true\n13.000 c101 x2 lost\n"
                      "13.010 c101 x3 stale GET /a fin_acked=crossed\n13.020 "
                      "c101 fault_acked from=13.001 to=13.02\n13.100 c102 open\n" ANSWERED(
                          "13.100", "c102", "x1", "GET /a") GONE("13.200", "c101")
                          GONE("13.200", "c102") EXIT("13.300"),
      "inconclusive recovered=inconclusive(hangup-call)", 0 },
    { "29: through a relay, which ACKs by itself", "[\"no_stale_use\"]",
      CONTROL("GET /a") "10.000 c101 open path=gateway\n" ANSWERED(
          "10.000", "c101", "x1", "GET /a") "13.000 c101 fin\n14.000 c101 x2 stale GET /a\n",
      "inconclusive~ no_stale_use=inconclusive(relayed)~", 0 },
    { "32: a stream after a GOAWAY that only announces, served all the same",
      "[\"goaway_respected\"]",
      "10.000 c101 open h2\n" ANSWERED(
          "10.000", "c101", "x1",
          "GET /a stream=1") "10.100 c101 goaway_notice\n" ANSWERED("10.500", "c101", "x2",
                                                                    "GET /a stream=3"),
      "fail goaway_respected=fail", 0 },
    { "GOAWAY promises its stream, and it drops that at once: its user saw an error", USER,
      CONTROL("GET /a") DROPS("true", "11.003") EXIT("11.100"),
      "fail recovered=fail user_wait=pass", 0 },
    { "GOAWAY promises its stream; it drops that at once, and is answered elsewhere", RETRY_ONCE,
      CONTROL("GET /a") DROPS("true", "11.003") DROPPED_AGAIN("GET /a"),
      "pass recovered=pass retries=pass retry_elsewhere=pass", 0 },
    { "the same with a GOAWAY behind which the answer would have come", USER,
      CONTROL("GET /a") DROPS("false", "11.003") EXIT("11.100"),
      "fail recovered=fail user_wait=pass", 0 },
    { "a POST that GOAWAY promises, dropped and sent again without a key", "[\"safe-retry\"]",
      CONTROL("POST /a") DROPS_WHAT("POST /a", "true", "11.003") DROPPED_AGAIN("POST /a"),
      "fail safe_retry=fail executed_once=pass", 0 },
    { "it cancelled before the GOAWAY could be there, and no other fault has a part in it",
      "[\"recovered\"]", CONTROL("GET /a") DROPS("false", "11.0005") EXIT("11.100"),
      "inconclusive recovered=inconclusive(no-exposure)", 0 },
    { "a line for each request of its steps, and more calls than lines: names would tell",
      "[\"user_wait\"]",
      "9.000 command_start command=x steps=get\n" DRIVER H2("10.000", "c101")
          REFUSES("10.000", "c101") H2("11.000", "c102") REFUSES(
              "11.000",
              "c102") "21.500 report "
                      "{\"n\":1,\"step\":\"get\",\"ok\":false,\"ms\":11500}\n" EXIT("21.600"),
      "inconclusive user_wait=inconclusive(hangup-call)", 0 },
    { "15: a stream 10 ms after the ACK of a GOAWAY", "[\"goaway-aware\"]",
      CONTROL("GET /a") "10.000 c101 open h2\n" ANSWERED(
          "10.000", "c101", "x1",
          "GET /a stream=1") "13.000 c101 goaway last_stream=1\n13.010 c101 x2 stale GET /a "
                             "stream=3 sent_into=goaway\n",
      "inconclusive~ goaway_respected=inconclusive(later)~ closes_after_goaway=inconclusive(wait)~",
      0 },
    { "15: 1 s after it", "[\"goaway-aware\"]",
      CONTROL("GET /a") "10.000 c101 open h2\n" ANSWERED(
          "10.000", "c101", "x1",
          "GET /a stream=1") "13.000 c101 goaway last_stream=1\n14.000 c101 x2 stale GET /a "
                             "stream=3 sent_into=goaway\n",
      "fail~ goaway_respected=fail~ closes_after_goaway=inconclusive(wait)~", 0 },
    { "15: elsewhere, and the old one is closed", "[\"goaway-aware\"]",
      CONTROL_KEPT("GET /a") "10.000 c101 open h2\n" ANSWERED(
          "10.000", "c101", "x1",
          "GET /a stream=1") "13.000 c101 goaway last_stream=1\n13.500 c101 peer_fin "
                             "crossed=false\n"
                             "13.500 c101 connection_end by=client how=fin\n14.000 c102 open "
                             "h2\n" ANSWERED("14.000", "c102", "x1", "GET /a stream=1"),
      "pass~ goaway_respected=pass~ closes_after_goaway=pass~", 0 },
    { "15: elsewhere, and the old one stays open", "[\"goaway-aware\"]",
      CONTROL("GET /a") "10.000 c101 open h2\n" ANSWERED(
          "10.000", "c101", "x1",
          "GET /a stream=1") "13.000 c101 goaway last_stream=1\n14.000 c102 open "
                             "h2\n" ANSWERED("14.000", "c102", "x1", "GET /a stream=1"),
      "fail~ goaway_respected=pass~ closes_after_goaway=fail~", 6000 },
    { "67: the mode closes it first", "[\"closes_after_goaway\"]",
      CONTROL("GET /a") "10.000 c101 open h2\n" ANSWERED(
          "10.000", "c101", "x1",
          "GET /a stream=1") "13.000 c101 goaway last_stream=1\n14.000 c101 fin\n" SAW("14.001",
                                                                                       "c101"),
      "inconclusive~ closes_after_goaway=inconclusive(grace)~", 6000 },
    { "67: as a part of goaway-aware that does not count", "[\"goaway-aware\"]",
      CONTROL("GET /a") "10.000 c101 open h2\n" ANSWERED(
          "10.000", "c101", "x1",
          "GET /a stream=1") "13.000 c101 goaway last_stream=1\n13.500 c102 open "
                             "h2\n" ANSWERED("13.500", "c102", "x1",
                                             "GET /a stream=1") "14.000 c101 "
                                                                "fin\n" SAW("14.001", "c101"),
      "pass~ goaway_respected=pass~ closes_after_goaway=n/a~", 0 },
    { "goaway: the next call comes when the server had ended the connection: no choice was left",
      "[\"goaway_respected\"]",
      CONTROL("GET /a") "10.000 c101 open h2\n" ANSWERED(
          "10.000", "c101", "x1",
          "GET /a stream=1") "13.000 c101 goaway last_stream=1\n14.000 c101 "
                             "fin\n" SAW("14.001", "c101") "14.500 c102 open "
                                                           "h2\n" ANSWERED("14.500", "c102", "x1",
                                                                           "GET /a "
                                                                           "stream="
                                                                           "1"),
      "inconclusive~ goaway_respected=inconclusive(grace)~", 0 },
    { "82: GOAWAY crosses a stream; the client is done then", "[\"goaway_respected\"]",
      "10.000 c101 open h2\n" ANSWERED(
          "10.000", "c101", "x1",
          "GET /a stream=1") "13.000 c101 fault goaway class=refuses scope=connection trigger=idle "
                             "last_stream=1\n"
                             "13.000 c101 fault_done step=goaway in_effect=true\n"
                             "13.001 c101 x2 stale GET /b stream=3 sent_into=goaway\n"
                             "13.020 c101 fault_acked from=13.015 to=13.02\n13.030 c102 open "
                             "h2\n" ANSWERED("13.030", "c102", "x1", "GET /b stream=1"),
      "inconclusive~ goaway_respected=inconclusive(later)~", 0 },
};
