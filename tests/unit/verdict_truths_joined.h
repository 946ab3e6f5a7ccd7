/* verdict_truths_joined.h - runs with a known truth: attempts that the wire alone does not join for
 * certain, and what the client's own account says of them (R1). */
#pragma once

#include "verdict_truths_late.h"

/* A client that asks twice in its control, and has lines for as many. */
#define TOLD_CONTROL(n, more)                                                                      \
    "0.100 phase control\n0.100 command_start command=x steps=get_get\n0.150 report "              \
    "{\"driver\":1}\n"                                                                             \
    "0.200 c91 open\n" ANSWERED("0.200", "c91", "x1", "GET /a")                                    \
        TOOK("0.210", "1", "get", "true", "9") ANSWERED("1.200", "c91", "x2", "GET /a")            \
            more TOOK("1.210", n, "get", "true",                                                   \
                      "9") "1.300 command_exit exit_status=0 live=1\n1.300 c91 peer_fin\n1.300 "   \
                           "c91 connection_end by=client how=fin\n5.000 phase fault\n5.000 mode "  \
                           "mode=m params={} time_scale=1\n"
#define CONTROL_TOLD TOLD_CONTROL("2", "")

/* Its second request is struck, and an equal one comes elsewhere, too late to be joined closely. */
#define STRUCK_AT(at, what)                                                                        \
    TWICE("GET /a")                                                                                \
    TOOK("10.010", "1", "get", "true", "9")                                                        \
    BITTEN("11.000", "c101", "x2", what)                                                           \
    GONE("11.004", "c101") at " c102 open\n" ANSWERED(at, "c102", "x1", what)
#define STRUCK      STRUCK_AT("11.900", "GET /a")
#define STRUCK_ENDS CLOSES("12.300", "c102") EXIT("12.400")
#define TWO(took)                                                                                  \
    DRIVES("get_pause_get") STRUCK TOOK("11.920", "2", "get", "true", took) STRUCK_ENDS
#define UNJOINED                                                                                   \
    "inconclusive recovered=inconclusive(hangup-call) retries=inconclusive(hangup-call) "          \
    "retry_elsewhere=inconclusive(hangup-call)"
#define JOINED "pass recovered=pass retries=pass retry_elsewhere=pass"

/* Two requests at once, and one behind them that is struck: the second is read at a time beside the
 * answer to the first. */
#define AT_ONCE(second)                                                                            \
    DRIVES("get*2_get")                                                                            \
    "10.0000 c101 open\n10.0000 c101 x1 GET /a\n" second                                           \
    "10.0003 c102 x1 answer\n" TOOK("10.010", "1", "get", "true", "9")                             \
        TOOK("10.011", "2", "get", "true", "9") BITTEN("10.500", "c102", "x2", "GET /a")           \
            CLOSES("10.501", "c102") TOOK("10.510", "3", "get", "false", "9")                      \
                CLOSES("10.600", "c101") EXIT("10.700")
#define BESIDE "10.0001 c102 open\n10.0001 c102 x1 GET /a\n"

/* Over HTTP/2 a POST whose content is not read is refused, and comes again at once. */
#define REFUSED_POST(took)                                                                         \
    DRIVES("get_pause_post")                                                                       \
    H2("10.000", "c101")                                                                           \
    ANSWERED("10.000", "c101", "x1", "GET /a stream=1")                                            \
    TOOK("10.010", "1", "get", "true", "9")                                                        \
    "11.000 c101 x2 POST /a stream=3 -whole content_length=20\n11.000 c101 x2 refuse\n"            \
    "11.0001 c101 x2 lost\n11.0005 c101 fault_acked from=11.0001 to=11.0005 step=refuse "          \
    "fault=F\n11.0005 c101 x3 POST /a stream=5 content_length=20 digest=d\n11.0006 c101 x3 "       \
    "processed status=200 effect=true\n11.0006 c101 x3 response_start status=200\n11.0007 c101 "   \
    "x3 response_end status=200\n11.0007 c101 x3 response_acked proof=ack from=11.0007 "           \
    "to=11.0008\n" TOOK("11.005", "2", "post", "true", took) CLOSES("11.100", "c101")              \
        EXIT("11.200")
/* A POST that may have been done comes again with another time in it. */
#define TIMED_POST(took)                                                                           \
    DRIVES("get_pause_post")                                                                       \
    TWICE("GET /a")                                                                                \
    TOOK("10.010", "1", "get", "true", "9")                                                        \
    "11.000 c101 x2 POST /a digest=d content_length=20\n11.000 c101 x2 processed status=200 "      \
    "effect=true\n11.000 c101 fin\n11.000 c101 x2 lost\n" GONE(                                    \
        "11.004", "c101") "11.100 c102 open\n11.100 c102 x1 POST /a digest=e content_length=20\n"  \
                          "11.100 c102 x1 processed status=200 effect=true\n11.100 c102 x1 "       \
                          "answer\n" TOOK("11.120", "2", "post", "true", took)                     \
                              CLOSES("11.300", "c102") EXIT("11.400")

/* It has lines that say how long each took, and they do not tell what fell into the hole. */
#define HOLE_TIMED(step, what, took)                                                               \
    DRIVES("get_pause_" step)                                                                      \
    TWICE("GET /a")                                                                                \
    TOOK("10.010", "1", "get", "true", "9")                                                        \
    FELL_POST(what) TOOK("15.520", "2", step, "true", took) HOLE_ENDS
/* It never uses a connection twice, and resets each when it has its answer. */
#define CLOSED(at, c, after)                                                                       \
    at "0 " c " open\n" at "0 " c " x1 GET /a connection_header=close\n" at "1 " c                 \
       " x1 response_start status=200\n" at "1 " c " x1 response_end status=200\n" after
#define RSTS(at, c) at " " c " peer_rst\n" at " " c " connection_end by=client how=rst\n"
#define CLOSED_TWICE                                                                               \
    CLOSED("10.00", "c101", RSTS("10.002", "c101"))                                                \
    CLOSED("11.00", "c102", RSTS("11.002", "c102"))
#define STATUS(at, n, took)                                                                        \
    at " report {\"n\":" n ",\"step\":\"get\",\"ok\":true,\"status\":200,\"ms\":" took "}\n"
/* A stream is refused for HTTP/1.1, and its client comes over that, and resets it behind the
 * answer. */
#define FALLS                                                                                      \
    DRIVES("get")                                                                                  \
    H2("10.000", "c101")                                                                           \
    REFUSES("10.010", "c101")                                                                      \
    "10.100 c102 open\n10.100 c102 "                                                               \
    "x1 GET /a\n10.120 c102 x1 "                                                                   \
    "response_start status=200\n"                                                                  \
    "10.120 c102 x1 response_end "                                                                 \
    "status=200\n" RSTS("10.122", "c102")
#define FALLS_BACK  "[\"falls_back\"]"
#define FELL_UNTOLD "12.000 c101 black_hole\n12.500 c101 segments_dropped segments=2\n"
#define ACKED_LATE                                                                                 \
    HELD "13.990 c101 x2 response_start status=200\n13.990 c101 x2 response_end status=200\n"      \
         "14.010 c101 x2 response_acked proof=ack from=13.990 to=14.010\n"

/* Two at once when the first is lost, of which the second is read when the other one is answered.
 */
#define BOTH(at)                                                                                   \
    TWICE("GET /a")                                                                                \
    TOOK("10.010", "1", "get", "true", "9")                                                        \
    BITTEN("11.000", "c101", "x2", "GET /a")                                                       \
    GONE("11.001", "c101")                                                                         \
    "11.005 c102 open\n11.005 c103 open\n" ANSWERED("11.010", "c102", "x1", "GET /a")              \
        ANSWERED(at, "c103", "x1", "GET /a")
#define BOTH_END CLOSES("13.300", "c102") CLOSES("13.300", "c103") EXIT("13.400")

/* Answered on a connection of its own, which it ends then. */
#define ELSEWHERE(at, c)                                                                           \
    at " " c " open\n" ANSWERED(at, c, "x1", "GET /a") at "9 " c " peer_fin\n" at "9 " c           \
                                                          " connection_end by=client how=fin\n"

static const struct truth of_joined[] = {
    { "R1: its time has the server's own pause in it", RETRY_ONCE,
      CONTROL_TOLD DRIVES("get_pause_get") TWICE("GET /a") TOOK(
          "10.010", "1", "get", "true", "9") BITTEN("11.000", "c101", "x2", "GET /a")
          GONE("11.004", "c101") "11.900 c102 open\n11.900 c102 x1 GET /a\n" PAUSED(
              "11.95", "16.0") "16.001 c102 x1 answer\n" TOOK("16.010", "2", "get", "true", "5009")
              CLOSES("16.300", "c102") EXIT("16.400"),
      JOINED, 0 },
    { "R1: two at once, of which the second is read just before the answer to the first",
      "[\"retries\"]",
      DRIVES("get_pause_get") BOTH("11.0099") TOOK("11.500", "2", "get", "true", "15") BOTH_END,
      "fail retries=fail", 0 },
    { "R1: the same, just behind it", "[\"retries\"]",
      DRIVES("get_pause_get") BOTH("11.0101") TOOK("11.500", "2", "get", "true", "15") BOTH_END,
      "fail retries=fail", 0 },
    { "R1: the same, so long behind it that its client had the answer", "[\"retries\"]",
      DRIVES("get_pause_get") BOTH("11.150") TOOK("11.500", "2", "get", "true", "15") BOTH_END,
      "inconclusive retries=inconclusive(hangup-call)", 0 },
    { "R1: the same, just behind it, and the line of the next call reaches back to that",
      "[\"retries\"]",
      DRIVES("get_pause_get_get") BOTH("11.0300") TOOK("11.500", "2", "get", "true", "15") ANSWERED(
          "12.000", "c103", "x2", "GET /a") TOOK("12.050", "3", "get", "true", "980") BOTH_END,
      "inconclusive retries=inconclusive(hangup-call)", 0 },
    { "R1: the same, and it does not", "[\"retries\"]",
      DRIVES("get_pause_get_get") BOTH("11.0300") TOOK("11.500", "2", "get", "true", "15") ANSWERED(
          "12.000", "c103", "x2", "GET /a") TOOK("12.050", "3", "get", "true", "10") BOTH_END,
      "fail retries=fail", 0 },
    { "R1: a line lasts from a loss to an answer that comes too late to be joined closely",
      RETRY_ONCE, TWO("915"), JOINED, 0 },
    { "R1: the same with a control that has as many lines as requests", RETRY_ONCE,
      CONTROL_TOLD TWO("915"), JOINED, 0 },
    { "R1: all lines come at the end", RETRY_ONCE,
      DRIVES("get_pause_get") "10.000 c101 open\n" ANSWERED("10.000", "c101", "x1", "GET /a")
          BITTEN("11.000", "c101", "x2", "GET /a")
              GONE("11.004", "c101") "11.900 c102 open\n" ANSWERED("11.900", "c102", "x1", "GET /a")
                  CLOSES("12.300", "c102") TOOK("12.350", "1", "get", "true", "9")
                      TOOK("12.350", "2", "get", "true", "915") EXIT("12.400"),
      JOINED, 0 },
    { "R1: its client was told of no answer before: a storm", RETRY_ONCE,
      DRIVES("get_pause_get") STRUCK_AT("11.400", "GET /a") BITTEN("11.000", "c101", "x3", "GET /a")
          BITTEN("11.001", "c101", "x4", "GET /a") TOOK("11.920", "2", "get", "true", "915")
              STRUCK_ENDS,
      "fail recovered=pass retries=fail retry_elsewhere=fail", 0 },
    { "R1: its retry is answered, and it asks again and again, with no line for that",
      "[\"retry-once\",\"no_storm\"]",
      DRIVER TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a") GONE("11.004", "c101")
          ELSEWHERE("11.005", "c102") ELSEWHERE("11.035", "c103") ELSEWHERE("11.065", "c104")
              REPORT("11.080", "1", "get", "true") REPORT("11.080", "2", "get", "true")
                  EXIT("11.090"),
      "inconclusive recovered=pass retries=inconclusive(hangup-call) retry_elsewhere=pass "
      "no_storm=inconclusive(hangup-call)",
      0 },
    { "R1: the same, and each has a line", "[\"retry-once\",\"no_storm\"]",
      DRIVER TWICE("GET /a") REPORT("10.010", "1", "get", "true") BITTEN("11.000", "c101", "x2",
                                                                         "GET /a")
          GONE("11.004", "c101") ELSEWHERE("11.005", "c102") REPORT("11.010", "2", "get", "true")
              ELSEWHERE("11.035", "c103") REPORT("11.040", "3", "get", "true")
                  ELSEWHERE("11.065", "c104") REPORT("11.070", "4", "get", "true") EXIT("11.090"),
      "pass recovered=pass retries=pass retry_elsewhere=pass no_storm=pass", 0 },
    { "R1: a POST that was refused unread comes again, and has a line", "[\"executed_once\"]",
      REFUSED_POST("1"), "pass executed_once=pass", 0 },
    { "R1: a POST comes again with another content, in the time of one line", SAFE,
      TIMED_POST("115"), "fail safe_retry=fail executed_once=fail", 0 },

    /* --- What the account does not show */
    { "R1: the line lasted only since the second one began: the first was another request",
      RETRY_ONCE, TWO("15"), UNJOINED, 0 },
    { "R1: the second one had begun to be answered long before that was whole", RETRY_ONCE,
      DRIVES("get_pause_get") TWICE("GET /a") TOOK("10.010", "1", "get", "true",
                                                   "9") BITTEN("11.000", "c101", "x2", "GET /a")
          GONE("11.004", "c101") "11.900 c102 open\n11.900 c102 "
                                 "x1 GET /a\n11.900 c102 x1 response_start status=200\n12.900 c102 "
                                 "x1 response_end "
                                 "status=200\n12.900 c102 x1 response_acked proof=ack from=12.900 "
                                 "to=12.901\n" TOOK("12.910", "2", "get", "true", "1005")
                                     CLOSES("13.000", "c102") EXIT("13.100"),
      UNJOINED, 0 },
    { "R1: the POST with another content lasted only since then", SAFE, TIMED_POST("15"),
      "inconclusive safe_retry=inconclusive(hangup-call) executed_once=inconclusive(hangup-call)",
      0 },
    { "R1: it does not say how long it took", RETRY_ONCE,
      DRIVES("get_pause_get") STRUCK REPORT("11.920", "2", "get", "true") STRUCK_ENDS, UNJOINED,
      0 },
    { "R1: it says that it began when the one before was not over", RETRY_ONCE, TWO("2100"),
      UNJOINED, 0 },
    { "R1: some of them at once", RETRY_ONCE,
      DRIVES("get*2") STRUCK TOOK("11.920", "2", "get", "true", "915") STRUCK_ENDS, UNJOINED, 0 },
    { "R1: a third step has no line", RETRY_ONCE,
      DRIVES("get_pause_get_get") STRUCK TOOK("11.920", "2", "get", "true", "915") STRUCK_ENDS,
      UNJOINED, 0 },
    { "R1: nobody says how many steps there were", RETRY_ONCE,
      DRIVER STRUCK TOOK("11.920", "2", "get", "true", "915") STRUCK_ENDS, UNJOINED, 0 },
    { "R1: one line twice", RETRY_ONCE,
      DRIVES("get_pause_get") STRUCK TOOK("11.920", "1", "get", "true", "915") STRUCK_ENDS,
      UNJOINED, 0 },
    { "R1: a line of success comes before its answer", RETRY_ONCE,
      DRIVES("get_pause_get") TWICE("GET /a") TOOK("10.010", "1", "get", "true", "9")
          BITTEN("11.000", "c101", "x2", "GET /a") GONE("11.004", "c101")
              TOOK("11.880", "2", "get", "true", "915") "11.900 c102 open\n" ANSWERED(
                  "11.900", "c102", "x1", "GET /a") STRUCK_ENDS,
      "inconclusive recovered=inconclusive(hangup-call) retries=inconclusive(disagree) "
      "retry_elsewhere=inconclusive(hangup-call)",
      0 },
    { "R1: by its line the step was another", RETRY_ONCE,
      DRIVES("get_pause_post") STRUCK TOOK("11.920", "2", "post", "true", "915") STRUCK_ENDS,
      UNJOINED, 0 },
    { "R1: the second one is another client's", RETRY_ONCE,
      DRIVES("get_pause_get") TWICE("GET /a user_agent=app") TOOK("10.010", "1", "get", "true", "9")
          BITTEN("11.000", "c101", "x2", "GET /a user_agent=app")
              GONE("11.004", "c101") "11.900 c102 open\n" ANSWERED("11.900", "c102", "x1",
                                                                   "GET /a user_agent=phone")
                  TOOK("11.920", "2", "get", "true", "915") STRUCK_ENDS,
      UNJOINED, 0 },
    { "R1: in the control it made a request of which it has no line", RETRY_ONCE,
      TOLD_CONTROL("2", ANSWERED("1.205", "c91", "x3", "GET /a")) TWO("915"), UNJOINED, 0 },
    { "R1: in the control a line is missing", RETRY_ONCE, TOLD_CONTROL("1", "") TWO("915"),
      UNJOINED, 0 },
    { "R1: its user's two requests, of which the first has failed", RETRY_ONCE,
      DRIVES("get_pause_get_get") STRUCK TOOK("11.010", "2", "get", "false", "9")
          TOOK("11.920", "3", "get", "true", "15") STRUCK_ENDS,
      "fail recovered=fail retries=fail retry_elsewhere=n/a", 0 },
    { "R1: the same, and it says that all is well", RETRY_ONCE,
      DRIVES("get_pause_get_get") STRUCK TOOK("11.010", "2", "get", "true", "9")
          TOOK("11.920", "3", "get", "true", "15") STRUCK_ENDS,
      "inconclusive recovered=inconclusive(hangup-call) retries=inconclusive(disagree) "
      "retry_elsewhere=inconclusive(hangup-call)",
      0 },

    /* --- What helps where the account is there already */
    { "R7: nothing was read of what a hole has, and by its line the next call was none of it", USER,
      HOLE_TIMED("get", "GET /a", "15"),
      "inconclusive recovered=inconclusive(mode) user_wait=inconclusive(mode)", 0 },
    { "R7: the same with a POST", SAFE, HOLE_TIMED("post", "POST /a", "15"),
      "inconclusive safe_retry=inconclusive(mode) executed_once=inconclusive(mode)", 0 },
    { "R2: it was kept off, and one of its calls has no line", "[\"recovered\"]",
      CONTROL("GET /a") DRIVES("get_pause_get") TWICE("GET /a")
          TOOK("10.010", "1", "get", "true", "9")
              ANSWERED("10.020", "c101", "x2", "GET /b") "13.000 c101 fin\n" SAW(
                  "13.001", "c101") "16.000 c102 open\n" ANSWERED("16.000", "c102", "x1", "GET /a")
                  TOOK("16.010", "2", "get", "true", "9") GONE("16.100", "c102") EXIT("16.200"),
      "inconclusive recovered=inconclusive(hangup-call)", 0 },
    { "connection_close: each answer is followed by a reset, and by its account it came",
      "[\"connection_close\"]",
      DRIVES("get_get") CLOSED_TWICE STATUS("11.010", "1", "2") STATUS("11.010", "2", "2")
          EXIT("11.100"),
      "pass connection_close=pass", 0 },
    { "connection_close: the same, and the second is lost", "[\"connection_close\"]",
      CLOSED("10.00", "c101", "10.001 c101 x1 response_acked proof=ack from=10.001 to=10.001\n")
          GONE("10.003", "c101") CLOSED(
              "11.00", "c102", "11.001 c102 x1 response_acked proof=ack from=11.001 to=11.001\n")
              GONE("11.003", "c102") "12.000 c103 open\n12.000 c103 fin\n12.000 c103 x1 GET "
                                     "/a connection_header=close\n12.000 c103 x1 lost\n" GONE(
                                         "12.001", "c103") EXIT("12.100"),
      "inconclusive connection_close=inconclusive(mode)", 0 },
    { "connection_close: each answer is followed by a reset, and nothing tells whether it came",
      "[\"connection_close\"]", CLOSED_TWICE EXIT("11.100"),
      "inconclusive connection_close=inconclusive(more-calls)", 0 },
    { "user_wait: its answer goes out beyond the limit, just before its reset, and by its account "
      "it "
      "came",
      WAIT_1S,
      DRIVES("get_get") HELD GOES_OUT("13.000") STATUS("13.010", "1", "9")
          STATUS("13.010", "2", "2005") EXIT("13.100"),
      "fail user_wait=fail", 0 },
    { "user_wait: its ACK comes at about the limit, and by its account the answer came before that",
      WAIT_3S,
      DRIVES("get_get") ACKED_LATE STATUS("14.010", "1", "9") STATUS("14.010", "2", "2993")
          CLOSES("14.020", "c101") EXIT("14.100"),
      "pass user_wait=pass", 0 },
    { "user_wait: its ACK comes at about the limit", WAIT_3S,
      ACKED_LATE CLOSES("14.020", "c101") EXIT("14.100"),
      "inconclusive user_wait=inconclusive(report)", 0 },

    /* --- A line for each call, of which the wide reading would join two */
    { "R1: both were answered, and by its account they were two", RETRY_ONCE,
      CONTROL_TOLD DRIVES("get_pause_get_get") STRUCK_AT("11.010", "GET /a")
          TOOK("11.015", "2", "get", "true", "15") "11.100 c103 open\n" ANSWERED("11.100", "c103",
                                                                                 "x1", "GET /a")
              TOOK("11.110", "3", "get", "true", "9") CLOSES("11.200", "c103") STRUCK_ENDS,
      JOINED, 0 },
    { "R1: the second line reaches back to what the first one had sent", RETRY_ONCE,
      DRIVES("get_pause_get_get") STRUCK TOOK("11.010", "2", "get", "false", "9")
          TOOK("11.920", "3", "get", "true", "915") STRUCK_ENDS,
      "fail recovered=fail retries=inconclusive(hangup-call) "
      "retry_elsewhere=inconclusive(hangup-call)",
      0 },
    { "falls_back: its answer is followed by a reset, and by its account it came", FALLS_BACK,
      FALLS STATUS("10.130", "1", "125") EXIT("10.200"), "pass falls_back=pass", 0 },
    { "falls_back: the same without an account", FALLS_BACK, FALLS EXIT("10.200"),
      "inconclusive falls_back=inconclusive(confirm)", 0 },
    { "falls_back: by its account it came after longer than that",
      "[{\"falls_back\":{\"within\":\"120ms\"}}]",
      FALLS STATUS("10.130", "1", "125") EXIT("10.200"),
      "inconclusive falls_back=inconclusive(disagree)", 0 },
    { "falls_back: it had failed, by its account, before an answer went out", FALLS_BACK,
      DRIVES("get") H2("10.000", "c101") REFUSES(
          "10.010", "c101") "10.100 c102 open\n10.100 "
                            "c102 x1 GET /a\n10.500 report "
                            "{\"n\":1,\"step\":\"get\",\"ok\":false,\"ms\":490}\n"
                            "11.000 c102 x1 answer\n" CLOSES("11.200", "c102") EXIT("11.300"),
      "fail falls_back=fail", 0 },

    /* --- An app that comes back twice */
    { "R9: between two marks the mode ends its new connection by a limit of idleness", FRESH,
      CONTROL_KEPT("GET /a") TWICE("GET /a") "10.500 mark background\n" BACK
          CLOSES("11.010", "c101") "12.000 c102 open\n" ANSWERED(
              "12.000", "c102", "x1",
              "GET /a") "12.700 c102 fin\n" SAW("12.701", "c102") "13.000 mark background\n14.000 "
                                                                  "mark foreground\n"
                                                                  "15.000 c103 open\n" ANSWERED(
                                                                      "15.000", "c103", "x1",
                                                                      "GET /a")
                                                                      CLOSES("15.100", "c103")
                                                                          EXIT("15.200"),
      "pass fresh_after_mark=pass", 0 },
    { "R9: the mode had ended the first one, and the second, that was there, it leaves at the "
      "second mark",
      FRESH,
      CONTROL_KEPT("GET /a")
          TWICE("GET /a") "10.500 mark background\n10.600 c101 fin\n" SAW("10.601", "c101") BACK
      "12.000 c102 open\n" ANSWERED(
          "12.000", "c102", "x1",
          "GET /a") "14.000 mark foreground\n" CLOSES("14.010",
                                                      "c102") "15.000 c103 "
                                                              "open\n" ANSWERED("15.000", "c103",
                                                                                "x1", "GET /a")
                                                                  CLOSES("15.100", "c103")
                                                                      EXIT("15.200"),
      "pass fresh_after_mark=pass", 0 },
    { "R9: it had come back, and leaves its connection by a limit of its own before the second "
      "mark",
      FRESH,
      CONTROL_KEPT("GET /a") TWICE("GET /a") "10.500 mark background\n" BACK CLOSES(
          "13.000", "c101") "14.000 mark foreground\n"
                            "15.000 c103 open\n" ANSWERED("15.000", "c103", "x1", "GET /a")
                                CLOSES("15.100", "c103") EXIT("15.200"),
      "inconclusive fresh_after_mark=inconclusive(mode)", 0 },
    /* --- Requests at once, that their account counts */
    { "R1: two at once, the second of which is read behind the answer to the first", RETRY_ONCE,
      AT_ONCE("10.0000 c101 x1 answer\n" BESIDE),
      "fail recovered=fail retries=fail retry_elsewhere=n/a", 0 },
    { "R1: the same, and it is read just before that", RETRY_ONCE,
      AT_ONCE(BESIDE "10.0002 c101 x1 answer\n"),
      "fail recovered=fail retries=fail retry_elsewhere=n/a", 0 },
    /* --- Requests that nobody can count */
    { "R7: two requests fall into a hole at once, nobody says what; one comes elsewhere", USER,
      CONTROL("GET /a") TWICE("GET /a") FELL_UNTOLD
      "15.500 c102 open\n" ANSWERED("15.500", "c102", "x1", "GET /a") HOLE_ENDS,
      "inconclusive recovered=inconclusive(report) user_wait=inconclusive(report)", 0 },
    { "R7: the same; by its account the other one failed", USER,
      DRIVES("get_pause_get_get") TWICE("GET /a") TOOK("10.010", "1", "get", "true", "9")
          FELL_UNTOLD "15.500 c102 open\n" ANSWERED("15.500", "c102", "x1", "GET /a")
              TOOK("15.520", "2", "get", "true", "3010") TOOK("15.620", "3", "get", "false", "3110")
                  HOLE_ENDS,
      "inconclusive recovered=inconclusive(mode) user_wait=inconclusive(mode)", 0 },
    { "R7: the same; both came elsewhere, by its account each since then", USER,
      DRIVES("get_pause_get_get") TWICE("GET /a") TOOK("10.010", "1", "get", "true", "9")
          FELL_UNTOLD "15.500 c102 open\n" ANSWERED("15.500", "c102", "x1", "GET /a")
              ANSWERED("15.600", "c102", "x2", "GET /a") TOOK("15.520", "2", "get", "true", "3010")
                  TOOK("15.620", "3", "get", "true", "3110") HOLE_ENDS,
      "pass recovered=pass user_wait=pass", 0 },
};
