/* verdict_truths_answers.h - runs with a known truth: scenarios of the rules R4 (answered), R5
 * (repeating) and R6 (class and scope), under their numbers. */
#pragma once

#include "verdict_truths_calls.h"

/* An answer that is ACKed, and the client's RST at once, perhaps behind what it says before. */
#define RESETS(at, c, how)                                                                         \
    at " " c " open\n" ANSWERED(at, c, "x1", "GET /a") at                                          \
        " " c " " how "\n" at " " c " peer_rst\n" at " " c " connection_end by=client how=rst\n"
#define RESET_CONTROL(how)                                                                         \
    "0.100 phase control\n0.100 command_start\n" RESETS(                                           \
        "0.200", "c91", how) "0.300 command_exit exit_status=0 live=0\n5.000 phase fault\n"        \
                             "5.000 mode mode=m params={} time_scale=1\n5.000 command_start\n"
#define RESETS_BEHIND_GOAWAY(lines)                                                                \
    CONTROL_KEPT("GET /a")                                                                         \
    "9.000 command_start command=x steps=get get\n" DRIVER                                         \
    "10.000 c101 open h2\n10.000 c101 x1 GET /a stream=1\n10.000 c101 x1 answer\n"                 \
    "12.000 c101 goaway_notice\n12.300 c101 peer_fin\n"                                            \
    "12.300 c101 connection_end by=client how=fin\n"                                               \
    "13.000 c102 open h2\n13.000 c102 x1 GET /a stream=1\n13.000 c102 x1 answer\n"                 \
    "13.001 c102 peer_rst\n13.001 c102 connection_end by=client how=rst\n" lines EXIT("13.020")
/* Its retry is answered, by octet 322 of that connection; and then... */
#define ANSWERED_TO_322(then)                                                                      \
    TWICE("GET /a")                                                                                \
    BITTEN("11.000", "c101", "x2", "GET /a")                                                       \
    GONE("11.004", "c101")                                                                         \
    "11.005 c102 open\n11.005 c102 x1 GET /a\n"                                                    \
    "11.005 c102 x1 response_start status=200\n"                                                   \
    "11.005 c102 x1 response_end status=200 end_offset=322\n"                                      \
    "11.006 c102 x1 response_acked proof=ack from=11.005 to=11.006\n" then
#define RESET_AT(at, octets)                                                                       \
    at " c102 peer_rst\n" at " c102 connection_end by=client how=rst bytes_out=" octets "\n"
/* It saw the FIN of an idle connection that it had used twice, and asks elsewhere. */
#define RESETS_ELSEWHERE(line)                                                                     \
    "9.000 command_start command=x steps=get get pause get\n" DRIVER TWICE("GET /a")               \
        ANSWERED("10.100", "c101", "x2", "GET /a") "11.000 c101 fin\n" SAW("11.001", "c101")       \
            RESETS("11.100", "c102", "peer_close_notify") "11.200 report "                         \
                                                          "{\"n\":1,\"step\":\"get\",\"ok\":true," \
                                                          "\"status\":200,\"ms\":2}\n"             \
                                                          "11.200 report "                         \
                                                          "{\"n\":2,\"step\":\"get\",\"ok\":true," \
                                                          "\"status\":200,\"ms\":2}\n"             \
                                                          "11.200 report " line                    \
                                                          "\n" EXIT("11.210")

#define EARLY(status)                                                                              \
    "11.001 c101 x2 response_start status=" status "\n11.001 c101 x2 response_end status=" status  \
    "\n11.002 c101 x2 response_acked proof=ack from=11.001 to=11.002\n"
#define CALLS_ON "12.000 c102 open\n" ANSWERED("12.000", "c102", "x1", "GET /s hangup_call=3")
#define NO_CONTINUE(at)                                                                            \
    "11.000 c101 x2 POST /b -whole content_length=10\n11.000 c101 x2 no_continue\n" at             \
    " c101 x2 request_complete body_bytes=10\n" at " c101 x2 answer\n"

static const struct truth of_answers[] = {
    /* --- R4 */
    { "35: the answer comes while the app is suspended", USER,
      "10.000 c101 open\n10.000 c101 x1 GET /a\n10.000 c101 stall\n10.500 mark background\n"
      "11.000 c101 resume\n11.000 c101 x1 answer\n",
      "inconclusive~ recovered=inconclusive(confirm)~ user_wait=inconclusive(confirm)~", 12000 },
    { "37: the answer was read, and an RST came instead of its ACK: the client says ok", USER,
      DRIVER TWICE("GET /a") REPORT("10.010", "1", "get", "true") BITTEN("11.000", "c101", "x2",
                                                                         "GET /a")
          GONE("11.004", "c101") "11.005 c102 open\n"
                                 "11.005 c102 x1 GET /a\n11.005 c102 x1 response_start status=200\n"
                                 "11.005 c102 x1 response_end status=200\n11.010 c102 peer_rst\n"
                                 "11.010 c102 connection_end by=client how=rst\n" REPORT(
                                     "11.020", "2", "get", "true"),
      "inconclusive~ recovered=inconclusive(confirm)~ user_wait=inconclusive(confirm)~", 12000 },
    { "37: the same, and it says which status came, and when", USER,
      DRIVER TWICE("GET /a") REPORT("10.010", "1", "get", "true")
          BITTEN("11.000", "c101", "x2", "GET /a") GONE(
              "11.004", "c101") "11.005 c102 open\n11.005 c102 x1 GET /a\n11.005 c102 x1 "
                                "response_start status=200\n"
                                "11.005 c102 x1 response_end status=200\n11.010 c102 peer_rst\n"
                                "11.010 c102 connection_end by=client how=rst\n"
                                "11.020 report "
                                "{\"n\":2,\"step\":\"get\",\"ok\":true,\"status\":200,\"ms\":12}\n",
      "pass~ recovered=pass~ user_wait=pass~", 12000 },
    { "37: it says another status", USER,
      DRIVER TWICE("GET /a") REPORT("10.010", "1", "get", "true")
          BITTEN("11.000", "c101", "x2", "GET /a") GONE(
              "11.004", "c101") "11.005 c102 open\n11.005 c102 x1 GET /a\n11.005 c102 x1 "
                                "response_start status=200\n"
                                "11.005 c102 x1 response_end status=200\n11.010 c102 peer_rst\n"
                                "11.010 c102 connection_end by=client how=rst\n"
                                "11.020 report "
                                "{\"n\":2,\"step\":\"get\",\"ok\":true,\"status\":204,\"ms\":12}\n",
      "inconclusive~ recovered=inconclusive(confirm)~ user_wait=inconclusive(confirm)~", 12000 },
    { "37: it says that it took longer than the user waits", USER,
      DRIVER TWICE("GET /a") REPORT("10.010", "1", "get", "true")
          BITTEN("11.000", "c101", "x2", "GET /a")
              GONE("11.004",
                   "c101") "11.005 c102 open\n11.005 c102 x1 GET /a\n11.005 c102 x1 response_start "
                           "status=200\n"
                           "11.005 c102 x1 response_end status=200\n11.010 c102 peer_rst\n"
                           "11.010 c102 connection_end by=client how=rst\n"
                           "11.020 report "
                           "{\"n\":2,\"step\":\"get\",\"ok\":true,\"status\":200,\"ms\":6000}\n",
      "inconclusive~ recovered=pass~ user_wait=inconclusive(disagree)~", 12000 },
    { "the answer's ACK came, and then the client's RST: perhaps it has not read it",
      "[\"retry-once\"]",
      TWICE("GET /a") BITTEN("11.000", "c101", "x2", "GET /a")
          GONE("11.004", "c101") "11.005 c102 open\n" ANSWERED(
              "11.005", "c102", "x1", "GET /a") "11.006 c102 peer_rst\n11.006 c102 connection_end "
                                                "by=client how=rst\n" EXIT("11.020"),
      "inconclusive recovered=inconclusive(confirm) retries=pass retry_elsewhere=pass", 0 },
    { "37: an RST a second behind the ACK, and nothing else was sent that could be unread", USER,
      ANSWERED_TO_322(RESET_AT("12.000", "322")) EXIT("12.010"),
      "inconclusive recovered=inconclusive(confirm) user_wait=inconclusive(confirm)", 0 },
    { "37: the same behind its close_notify", USER,
      ANSWERED_TO_322("12.000 c102 peer_close_notify\n" RESET_AT("12.000", "322")) EXIT("12.010"),
      "inconclusive recovered=inconclusive(confirm) user_wait=inconclusive(confirm)", 0 },
    { "37: something was sent behind the answer: that, or both, may be unread", USER,
      ANSWERED_TO_322(RESET_AT("12.000", "339")) EXIT("12.010"),
      "inconclusive recovered=inconclusive(confirm) user_wait=inconclusive(confirm)", 0 },
    { "37: a close_notify and FIN of ours stand behind the answer", USER,
      ANSWERED_TO_322("11.500 c102 fault step=fin\n" RESET_AT("12.000", "346")) EXIT("12.010"),
      "inconclusive recovered=inconclusive(confirm) user_wait=inconclusive(confirm)", 0 },
    { "37: its FIN went ahead: it had closed", USER,
      ANSWERED_TO_322("12.000 c102 peer_fin\n" RESET_AT("12.000", "322")) EXIT("12.010"),
      "pass recovered=pass user_wait=pass", 0 },
    { "37: an RST six seconds behind the ACK", USER,
      ANSWERED_TO_322(RESET_AT("17.010", "322")) EXIT("17.020"),
      "pass recovered=pass user_wait=pass", 0 },
    { "37: it had asked more there, behind the answer, and gave that up", "[\"user_wait\"]",
      "10.000 c102 open h2\n10.000 c102 x1 GET /a stream=1\n10.000 c102 x1 response_start "
      "status=200\n"
      "10.001 c102 x1 response_end status=200 end_offset=322\n"
      "10.002 c102 x1 response_acked proof=ack from=10.001 to=10.002\n10.400 c102 stall\n"
      "10.400 c102 x2 GET /a stream=3\n" RESET_AT("10.900", "322") EXIT("10.910"),
      "pass user_wait=pass", 0 },
    { "37: no RST yet", USER, ANSWERED_TO_322(""), "pass~ recovered=pass~ user_wait=pass~", 4000 },
    { "37: the same, of a command: it was killed with the answer unread, however late", USER,
      "9.000 command_start command=x steps=get_pause_get\n" ANSWERED_TO_322(
          RESET_AT("17.010", "322")) EXIT("17.020"),
      "inconclusive recovered=inconclusive(confirm) user_wait=inconclusive(confirm)", 0 },
    { "37: and none in five seconds", USER, ANSWERED_TO_322(""),
      "pass recovered=pass user_wait=pass", 5200 },
    { "37: the client that resets with its answer unread does so in the control, too, and ends "
      "with 0",
      "[\"retry-once\"]",
      RESET_CONTROL("peer_rst") "10.000 c101 open\n" BITTEN("10.000", "c101", "x1", "GET /a")
          GONE("10.004", "c101") RESETS("10.005", "c102", "peer_rst") EXIT("10.020"),
      "inconclusive recovered=inconclusive(confirm) retries=pass retry_elsewhere=pass", 0 },
    { "37: the same, with a close_notify before its RST", "[\"retry-once\"]",
      RESET_CONTROL("peer_close_notify") "10.000 c101 open\n" BITTEN("10.000", "c101", "x1",
                                                                     "GET /a")
          GONE("10.004", "c101") RESETS("10.005", "c102", "peer_close_notify") EXIT("10.020"),
      "inconclusive recovered=inconclusive(confirm) retries=pass retry_elsewhere=pass", 0 },
    { "37: kept off a dead connection, it resets behind its answer: its account has the status",
      USER, RESETS_ELSEWHERE("{\"n\":3,\"step\":\"get\",\"ok\":true,\"status\":200,\"ms\":2}"),
      "pass recovered=pass user_wait=pass", 0 },
    { "37: the same, and its account has no status", USER,
      RESETS_ELSEWHERE("{\"n\":3,\"step\":\"get\",\"ok\":true}"),
      "inconclusive recovered=inconclusive(confirm) user_wait=inconclusive(confirm)", 0 },
    { "37: behind GOAWAY it asks elsewhere and resets behind its answer: its account has the "
      "status",
      "[\"goaway_respected\"]",
      RESETS_BEHIND_GOAWAY("13.010 report "
                           "{\"n\":1,\"step\":\"get\",\"ok\":true,\"status\":200,\"ms\":2}\n"
                           "13.010 report "
                           "{\"n\":2,\"step\":\"get\",\"ok\":true,\"status\":200,\"ms\":2}\n"),
      "pass goaway_respected=pass", 0 },
    { "37: the same, without an account", "[\"goaway_respected\"]", RESETS_BEHIND_GOAWAY(""),
      "inconclusive goaway_respected=inconclusive(confirm)", 0 },
    { "40: a Range is answered with 200", USER,
      "10.000 c101 open\n10.000 c101 x1 GET /a\n10.000 c101 x1 response_start status=200\n"
      "10.000 c101 x1 cut\n10.000 c101 x1 lost\n" GONE(
          "10.001", "c101") "10.010 c102 open\n" ANSWERED("10.010", "c102", "x1",
                                                          "GET /a range=bytes=100-"),
      "inconclusive~ recovered=inconclusive(confirm)~ user_wait=inconclusive(confirm)~", 12000 },
    { "41, 25: a cut answer is taken for a whole one", "[\"detects_truncation\"]",
      DRIVER "10.000 c101 open\n10.000 c101 x1 GET /a\n10.000 c101 x1 response_start status=200\n"
             "10.000 c101 x1 cut\n10.000 c101 x1 lost\n" GONE("10.001", "c101")
                 REPORT("10.010", "1", "get", "true"),
      "fail~ detects_truncation=fail~", 0 },
    { "25: an error is reported", "[\"detects_truncation\"]",
      DRIVER "10.000 c101 open\n10.000 c101 x1 GET /a\n10.000 c101 x1 response_start status=200\n"
             "10.000 c101 x1 cut\n10.000 c101 x1 lost\n" GONE("10.001", "c101")
                 REPORT("10.010", "1", "get", "false"),
      "pass~ detects_truncation=pass~", 0 },
    { "25: it is asked again", "[\"detects_truncation\"]",
      "10.000 c101 open\n10.000 c101 x1 GET /a\n10.000 c101 x1 response_start status=200\n"
      "10.000 c101 x1 cut\n10.000 c101 x1 lost\n" GONE(
          "10.001", "c101") "10.010 c102 open\n" ANSWERED("10.010", "c102", "x1", "GET /a"),
      "pass detects_truncation=pass", 0 },
    { "a part of the answer is out when the connection ends", "[\"detects_truncation\"]",
      DRIVER
      "10.000 c101 open\n10.000 c101 x1 GET /a\n10.000 c101 x1 response_start status=200\n"
      "10.000 c101 fin\n10.000 c101 x1 exchange_lost lost_by=fault fault=F sent=20 of=183\n" GONE(
          "10.001", "c101") REPORT("10.010", "1", "get", "false"),
      "pass~ detects_truncation=pass~", 0 },
    { "the same, and it is taken for a whole one", "[\"detects_truncation\"]",
      DRIVER
      "10.000 c101 open\n10.000 c101 x1 GET /a\n10.000 c101 x1 response_start status=200\n"
      "10.000 c101 fin\n10.000 c101 x1 exchange_lost lost_by=fault fault=F sent=20 of=183\n" GONE(
          "10.001", "c101") REPORT("10.010", "1", "get", "true"),
      "fail~ detects_truncation=fail~", 0 },
    { "the client itself ended it before it was whole", "[\"detects_truncation\"]",
      DRIVER "10.000 c101 open\n10.000 c101 x1 GET /a\n10.000 c101 x1 response_start status=200\n"
             "10.000 c101 delay\n10.500 c101 x1 exchange_lost lost_by=client_fin fault=F sent=20 "
             "of=183\n" GONE("10.001", "c101") REPORT("10.010", "1", "get", "false"),
      "inconclusive~ detects_truncation=inconclusive(no-exposure)~", 0 },
    { "25: nobody says what the client made of it", "[\"detects_truncation\"]",
      "10.000 c101 open\n10.000 c101 x1 GET /a\n10.000 c101 x1 response_start status=200\n"
      "10.000 c101 x1 cut\n10.000 c101 x1 lost\n" GONE("10.001", "c101"),
      "inconclusive~ detects_truncation=inconclusive(report)~", 0 },

    /* --- An early response, to a request of which not all was read */
    { "an early 401 is an answer", USER,
      TWICE("GET /a") "11.000 c101 x2 POST /b -whole content_length=10\n"
                      "11.001 c101 x2 respond class=says\n" EARLY("401"),
      "inconclusive~ recovered=inconclusive(no-exposure)~ user_wait=inconclusive(no-exposure)~",
      0 },
    { "an early 503 is a refusal: it is not sent again", USER,
      TWICE("GET /s hangup_call=1") "11.000 c101 x2 GET /s hangup_call=2 -whole "
                                    "content_length=10\n11.001 c101 x2 respond\n" EARLY("503")
                                        CALLS_ON,
      "fail recovered=fail user_wait=inconclusive(report)~", 30000 },
    { "an early response that was not put out is none", USER,
      TWICE("GET /s hangup_call=1") "11.000 c101 x2 GET /s hangup_call=2 -whole content_length=10\n"
                                    "11.001 c101 x2 respond class=says\n11.001 c101 x2 "
                                    "response_start status=401\n"
                                    "11.002 c101 fin\n11.002 c101 x2 lost\n" CALLS_ON,
      "fail recovered=fail user_wait=fail", 30000 },

    /* --- A 100 (Continue) that does not come holds the content */
    { "the content comes without a 100, after a second", USER,
      TWICE("GET /a") NO_CONTINUE("12.000"),
      "inconclusive~ recovered=inconclusive(no-exposure)~ user_wait=inconclusive(no-exposure)~",
      0 },
    { "the content does not come without a 100 for long", USER,
      TWICE("GET /a") NO_CONTINUE("41.000"), "fail recovered=fail user_wait=fail", 0 },

    /* --- R5 */
    { "44: a GET is done twice: that has no effect", NULL,
      "10.000 c101 open h2\n10.000 c101 x1 delay\n10.000 c101 x1 GET /a stream=1\n"
      "11.000 c101 x1 peer_rst_stream\n11.000 c101 x1 exchange_lost lost_by=client_cancel fault=F\n"
      "11.000 c101 x2 GET /a stream=3\n11.010 c101 x2 answer\n",
      "pass~ recovered=pass~ executed_once=n/a~ user_wait=pass~ no_storm=pass~", 0 },
    { "46: a POST is sent elsewhere, while the first is in a black hole that heals",
      "[\"safe-retry\"]",
      "10.000 c101 open h2\n" ANSWERED(
          "10.000", "c101", "x1",
          "GET /a stream=1") "11.000 c101 black_hole\n12.000 c101 segments_dropped "
                             "segments=1\n22.000 c102 open h2\n" ANSWERED("22.000", "c102", "x1",
                                                                          "POST /b stream=1 "
                                                                          "digest=d") "25.000 c101 "
                                                                                      "heal\n"
                                                                                      "25.000 c101 "
                                                                                      "x2 stale "
                                                                                      "POST /b "
                                                                                      "stream=3 "
                                                                                      "digest=d "
                                                                                      "sent_into="
                                                                                      "black_holed "
                                                                                      "fault=F1\n"
                                                                                      "25.000 c101 "
                                                                                      "x2 "
                                                                                      "processed "
                                                                                      "effect="
                                                                                      "true\n",
      "inconclusive~ safe_retry=inconclusive(hangup-call)~ "
      "executed_once=inconclusive(hangup-call)~",
      0 },
    { "46: a POST is sent elsewhere, while the first is in a black hole that heals: named",
      "[\"safe-retry\"]",
      "10.000 c101 open h2\n" ANSWERED("10.000", "c101", "x1",
                                       "GET /a stream=1") "11.000 c101 "
                                                          "black_hole\n12."
                                                          "000 c101 "
                                                          "segments_"
                                                          "dropped "
                                                          "segments=1\n22."
                                                          "000 c102 open "
                                                          "h2\n" ANSWERED("22.000", "c102", "x1",
                                                                          "POST /b "
                                                                          "stream=1 "
                                                                          "digest=d "
                                                                          "hangup_call="
                                                                          "1") "25.000 "
                                                                               "c101 "
                                                                               "heal\n"
                                                                               "25.000 "
                                                                               "c101 "
                                                                               "x2 "
                                                                               "stale "
                                                                               "POST "
                                                                               "/b "
                                                                               "stream="
                                                                               "3 "
                                                                               "digest="
                                                                               "d "
                                                                               "hangup_"
                                                                               "call=1 "
                                                                               "sent_"
                                                                               "into="
                                                                               "black_"
                                                                               "holed "
                                                                               "fault="
                                                                               "F1\n"
                                                                               "25.000 "
                                                                               "c101 "
                                                                               "x2 "
                                                                               "process"
                                                                               "ed "
                                                                               "effect="
                                                                               "true\n",
      "fail safe_retry=fail executed_once=fail", 0 },
    { "R5: a PUT that is done twice is done once", NULL,
      "10.000 c101 open\n10.000 c101 x1 PUT /a\n10.000 c101 x1 processed effect=true\n"
      "10.000 c101 fin\n" LOST("10.000", "c101", "x1")
          GONE("10.001", "c101") "10.010 c102 open\n10.010 c102 x1 PUT /a\n"
                                 "10.010 c102 x1 processed effect=true\n"
                                 "10.010 c102 x1 answer\n" CLOSES("10.100", "c102") EXIT("10.200"),
      "pass recovered=pass executed_once=n/a user_wait=pass no_storm=pass", 0 },
    { "49: a GET is struck, and no POST was sent", "[\"safe_retry\"]",
      "10.000 c101 open\n" BITTEN("10.000", "c101", "x1", "GET /a"),
      "inconclusive~ safe_retry=n/a~", 0 },
    { "49: nothing is struck", "[\"safe_retry\"]", TWICE("POST /a"),
      "inconclusive~ safe_retry=inconclusive(no-exposure)~", 0 },

    /* --- R6 */
    { "52: an app with traffic: no storm", "[\"no_storm\"]",
      "10.000 c101 open\n" BITTEN("10.000", "c101", "x1", "GET /a")
          GONE("10.001", "c101") "10.010 c102 open\n" ANSWERED(
              "10.010", "c102", "x1",
              "GET /a") "11.000 c103 open\n11.000 c104 open\n11.000 c105 open\n11.000 c106 "
                        "open\n11.000 c107 open\n"
                        "11.000 c103 x1 GET /b\n11.000 c104 x1 GET /c\n11.000 c105 x1 GET "
                        "/d\n11.000 c106 x1 GET /e\n"
                        "11.000 c107 x1 GET /f\n11.100 c103 x1 answer\n11.100 c104 x1 "
                        "answer\n11.100 c105 x1 answer\n"
                        "11.100 c106 x1 answer\n11.100 c107 x1 answer\n",
      "pass no_storm=pass", 20000 },
    { "52: an app with a connection for each request", "[\"no_storm\"]",
      "10.000 c101 open\n" BITTEN("10.000", "c101", "x1", "GET /a")
          GONE("10.001", "c101") "10.010 c102 open\n" ANSWERED(
              "10.010", "c102", "x1", "GET /a") "11.000 c103 open\n11.000 c103 x1 GET /0\n"
                                                "11.001 c103 x1 answer\n"
                                                "12.000 c104 open\n12.000 c104 x1 GET /1\n"
                                                "12.001 c104 x1 answer\n"
                                                "13.000 c105 open\n13.000 c105 x1 GET /2\n"
                                                "13.001 c105 x1 answer\n"
                                                "14.000 c106 open\n14.000 c106 x1 GET /3\n"
                                                "14.001 c106 x1 answer\n"
                                                "15.000 c107 open\n15.000 c107 x1 GET /4\n"
                                                "15.001 c107 x1 answer\n"
                                                "16.000 c108 open\n16.000 c108 x1 GET /5\n"
                                                "16.001 c108 x1 answer\n"
                                                "17.000 c109 open\n17.000 c109 x1 GET /6\n"
                                                "17.001 c109 x1 answer\n"
                                                "18.000 c110 open\n18.000 c110 x1 GET /7\n"
                                                "18.001 c110 x1 answer\n",
      "pass no_storm=pass", 20000 },
    { "52: a client that opens connections in a loop", "[\"no_storm\"]",
      "10.000 c101 open h2\n" BITTEN("10.000", "c101", "x1", "GET /a")
          GONE("10.001", "c101") "10.010 c102 open h2\n10.020 c103 open h2\n10.030 c104 open "
                                 "h2\n10.040 c105 open h2\n"
                                 "10.050 c106 open h2\n" ANSWERED("10.060", "c106", "x1", "GET /a"),
      "fail no_storm=fail", 20000 },
    { "six attempts", "[\"no_storm\"]",
      "10.000 c101 open h2\n10.000 c101 x1 refuse\n10.000 c101 x1 GET /a\n" LOST("10.000", "c101", "x1") "10.010 c101 x2 refuse\n10.010 c101 x2 GET /a\n" LOST(
          "10.010", "c101",
          "x2") "10.020 c101 x3 refuse\n10.020 c101 x3 GET /a\n" LOST("10.020", "c101",
                                                                      "x3") "10.030 c101 x4 "
                                                                            "refuse\n10.030 c101 "
                                                                            "x4 GET /a\n" LOST(
                                                                                "10."
                                                                                "03"
                                                                                "0",
                                                                                "c10"
                                                                                "1",
                                                                                "x4") "10.040 c101 "
                                                                                      "x5 "
                                                                                      "refuse\n10."
                                                                                      "040 c101 x5 "
                                                                                      "GET "
                                                                                      "/a\n" LOST(
                                                                                          "10.040",
                                                                                          "c101",
                                                                                          "x5")
                                                                                          ANSWERED(
                                                                                              "10."
                                                                                              "050",
                                                                                              "c10"
                                                                                              "1",
                                                                                              "x6",
                                                                                              "GET "
                                                                                              "/a"),
      "fail no_storm=fail", 20000 },
};
