/* verdict_truths_strays.h - runs with a known truth: scenarios that the kinds of faults decide, the
 * client's own account, and what was found weak later. */
#pragma once

#include "verdict_truths_times.h"

static const struct truth of_strays[] = {
    /* --- Strays */
    { "83: sent again before the time of Retry-After", RETRY_ONCE,
      "10.000 c101 open\n10.000 c101 x1 respond arguments={\"status\":503,\"headers\":{\"Retry-"
      "After\":\"5\"}}\n10.000 c101 x1 GET /a\n10.000 c101 x1 answer 503\n" ANSWERED(
          "10.100", "c101", "x2", "GET /a"),
      "fail recovered=pass retries=fail retry_elsewhere=n/a~", 0 },
    { "83: after it", RETRY_ONCE,
      "10.000 c101 open\n10.000 c101 x1 respond arguments={\"status\":503,\"headers\":{\"Retry-"
      "After\":\"5\"}}\n10.000 c101 x1 GET /a hangup_call=1\n10.000 c101 x1 answer 503\n" ANSWERED(
          "15.100", "c101", "x2", "GET /a hangup_call=1") CLOSES("15.200", "c101") EXIT("15.300"),
      "pass recovered=pass retries=pass retry_elsewhere=n/a", 0 },
    { "honours_hint: it does", "[\"honours_hint\"]",
      CONTROL("GET /a") "10.000 c101 open\n10.000 c101 x1 header "
                        "arguments={\"name\":\"Keep-Alive\",\"value\":\"timeout=3\"}\n" ANSWERED(
                            "10.000", "c101", "x1", "GET /a")
                            CLOSES("12.000", "c101") "14.000 c102 open\n" ANSWERED("14.000", "c102",
                                                                                   "x1", "GET /a"),
      "pass~ honours_hint=pass~", 0 },
    { "honours_hint: it does not", "[\"honours_hint\"]",
      CONTROL("GET /a") "10.000 c101 open\n10.000 c101 x1 header "
                        "arguments={\"name\":\"Keep-Alive\",\"value\":\"timeout=3\"}\n" ANSWERED(
                            "10.000", "c101", "x1", "GET /a")
                            ANSWERED("14.000", "c101", "x2", "GET /a"),
      "fail honours_hint=fail", 0 },
    { "waits: a call that began in an outage", "[\"waits-for-connectivity\"]",
      DRIVER
      "10.000 drop_syn\n11.000 syn_dropped listener=https peer=a\n"
      "12.000 syn_dropped listener=https peer=a\n14.000 fault listen class=repairs scope=listener "
      "trigger=listen\n15.000 c101 open\n" ANSWERED(
          "15.000", "c101", "x1",
          "GET /a") "15.010 report {\"n\":1,\"step\":\"get\",\"ok\":true,\"ms\":4000}\n",
      "pass waits_for_connection=pass", 0 },
    { "waits: it fails at once, and its user tries again", "[\"waits-for-connectivity\"]",
      DRIVER "10.000 drop_syn\n11.000 syn_dropped listener=https peer=a\n"
             "12.000 report {\"n\":1,\"step\":\"get\",\"ok\":false,\"ms\":1000}\n"
             "14.000 fault listen class=repairs scope=listener "
             "trigger=listen\n15.000 c101 open\n" ANSWERED(
                 "15.000", "c101", "x1",
                 "GET /a") "15.010 report {\"n\":2,\"step\":\"get\",\"ok\":true,\"ms\":10}\n",
      "fail waits_for_connection=fail", 0 },
    { "waits: from the wire alone", "[\"waits-for-connectivity\"]",
      "10.000 drop_syn\n11.000 syn_dropped listener=https peer=a\n"
      "12.000 syn_dropped listener=https peer=a\n14.000 fault listen class=repairs scope=listener "
      "trigger=listen\n15.000 c101 open\n" ANSWERED("15.000", "c101", "x1", "GET /a"),
      "inconclusive~ waits_for_connection=inconclusive(report)~", 0 },

    /* --- The client's own account (7.11) */
    { "it says that it failed, and it was answered", "[\"recovered\"]",
      DRIVER TWICE("GET /a") REPORT("10.010", "1", "get", "true")
          BITTEN("11.000", "c101", "x2", "GET /a")
              GONE("11.004", "c101") "11.005 c102 open\n" ANSWERED("11.005", "c102", "x1", "GET /a")
                  REPORT("11.010", "2", "get", "false"),
      "inconclusive recovered=inconclusive(disagree)", 0 },
    { "it says that it succeeded, and it was never answered", "[\"user_wait\"]",
      DRIVER TWICE("GET /a") REPORT("10.010", "1", "get", "true")
          BITTEN("11.000", "c101", "x2", "GET /a") GONE("11.004", "c101")
              REPORT("11.010", "2", "get", "true"),
      "inconclusive~ user_wait=inconclusive(disagree)~", 0 },
    { "an untouched call differs: nothing passes", "[\"recovered\"]",
      DRIVER TWICE("GET /a") REPORT("10.010", "1", "get", "false")
          BITTEN("11.000", "c101", "x2", "GET /a")
              GONE("11.004", "c101") "11.005 c102 open\n" ANSWERED("11.005", "c102", "x1", "GET /a")
                  REPORT("11.010", "2", "get", "true"),
      "inconclusive recovered=pass", 0 },
    { "a phase that begins while the command runs", RETRY_ONCE,
      CONTROL("GET /a") "9.000 phase fault\n" ENDS_WELL, UNDECIDED, 0 },
    { "a phase that begins when the command has ended", RETRY_ONCE,
      CONTROL("GET /a") "9.000 command_exit exit_status=0 live=0\n9.100 phase fault\n"
                        "9.200 command_start\n" ENDS_WELL,
      "pass recovered=pass retries=pass retry_elsewhere=pass", 0 },
    { "the phase is over, and the command goes on", RETRY_ONCE,
      CONTROL("GET /a") RETRIED "14.000 phase without\n" EXIT("15.000"), UNDECIDED, 0 },
    { "something else is expected while the command runs", RETRY_ONCE,
      CONTROL("GET /a") "9.000 expectations expectations=[\"retry-once\"] origin=run\n" ENDS_WELL,
      UNDECIDED, 0 },
    { "a reset while the command runs", RETRY_ONCE, CONTROL("GET /a") "9.000 cleared\n" ENDS_WELL,
      UNDECIDED, 0 },
    { "a reset when the command has ended", RETRY_ONCE,
      CONTROL("GET /a") "9.000 command_exit exit_status=0 live=0\n9.100 cleared\n"
                        "9.200 command_start\n" ENDS_WELL,
      "pass recovered=pass retries=pass retry_elsewhere=pass", 0 },
    { "the control fails", "[\"recovered\"]",
      "0.100 phase control\n0.200 c91 open\n" ANSWERED(
          "0.200", "c91", "x1",
          "GET /a") "0.300 command_exit exit_status=1 live=0\n5.000 phase fault\n" TWICE("GET /a")
          BITTEN("11.000", "c101", "x2", "GET /a") GONE(
              "11.004", "c101") "11.005 c102 open\n" ANSWERED("11.005", "c102", "x1", "GET /a"),
      "inconclusive recovered=pass", 0 },

    /* --- Strays, with what the wire tells of them */
    { "31: a stream and the ACK of a PING in one write, the stream first", "[\"goaway_respected\"]",
      H2("10.000", "c101")
          ANSWERED("10.000", "c101", "x1",
                   "GET /a stream=1") "12.000 c101 goaway last_stream=1\n"
                                      "12.000 c101 ping_sent\n"
                                      "12.010 c101 x2 stale GET /a stream=3 sent_into=goaway\n"
                                      "12.010 c101 peer_ping_ack\n",
      "inconclusive~ goaway_respected=inconclusive(later)~", 0 },
    { "31: the ACK of the PING first: it had the GOAWAY", "[\"goaway_respected\"]",
      H2("10.000", "c101")
          ANSWERED("10.000", "c101", "x1",
                   "GET /a stream=1") "12.000 c101 goaway last_stream=1\n"
                                      "12.000 c101 ping_sent\n"
                                      "12.010 c101 peer_ping_ack\n"
                                      "12.010 c101 x2 stale GET /a stream=3 sent_into=goaway\n",
      "fail goaway_respected=fail", 0 },
    { "38: answered while another stream of its connection still has an answer coming",
      "[\"recovered\"]",
      H2("10.000", "c101") ANSWERED("10.000", "c101", "x1", "GET /a stream=1")
          BITTEN("11.000", "c101", "x2", "GET /a stream=3") GONE("11.004", "c101")
              H2("11.005", "c102") "11.005 c102 x1 GET /long stream=1\n11.005 c102 x1 processed\n"
                                   "11.005 c102 x1 response_start status=200\n" ANSWERED(
                                       "11.006", "c102", "x2", "GET /a stream=3"),
      "pass recovered=pass", 0 },
    { "47: reset at the first byte of a POST, which is read before the RST goes; sent again",
      "[\"safe_retry\"]",
      TWICE("GET /a") "11.000 c101 rst\n11.000 c101 x2 POST /a hangup_call=2 -whole\n" LOST(
          "11.000", "c101", "x2") "11.005 c102 open\n" ANSWERED("11.005", "c102", "x1",
                                                                "POST /a hangup_call=2"),
      "fail safe_retry=fail", 0 },
    { "47: without a name its content, which was not read, may be another's", "[\"safe_retry\"]",
      TWICE("GET /a") "11.000 c101 rst\n11.000 c101 x2 POST /a -whole\n" LOST(
          "11.000", "c101", "x2") "11.005 c102 open\n" ANSWERED("11.005", "c102", "x1", "POST /a"),
      "inconclusive~ safe_retry=inconclusive(hangup-call)~", 0 },
    { "47: a GET", RETRY_ONCE,
      TWICE("GET /a") "11.000 c101 rst\n11.000 c101 x2 GET /a\n" LOST(
          "11.000", "c101", "x2") "11.000 c101 connection_end by=fault how=rst\n11.005 c102 "
                                  "open\n" ANSWERED("11.005", "c102", "x1", "GET /a")
                                      GONE("11.050", "c102") EXIT("11.060"),
      "pass recovered=pass retries=pass retry_elsewhere=pass", 0 },
    { "56: a hole of 350 s is looked at every 3.5 s: when the call began is not known so well",
      "[\"user_wait\"]",
      TWICE("GET /a") "12.000 c101 black_hole\n362.000 c101 segments_dropped segments=1 total=1 "
                      "sampled=3.5\n363.000 c102 open\n" ANSWERED("363.000", "c102", "x1",
                                                                  "GET /a"),
      "inconclusive~ user_wait=inconclusive(report)~", 0 },
    { "76: a cache of the client's, or a call that died inside it: fewer were asked than in the "
      "control",
      "[\"recovered\"]",
      "0.100 phase control\n0.100 command_start\n0.200 c91 open\n" ANSWERED("0.200", "c91", "x1",
                                                                            "GET /a")
          ANSWERED("0.300", "c91", "x2", "GET /b") ANSWERED("1.200", "c91", "x3", "GET /a")
              GONE("1.300", "c91") EXIT("1.300") "5.000 phase fault\n5.000 command_start\n" TWICE(
                  "GET /a") "12.000 c101 fin\n" SAW("12.001",
                                                    "c101") "13.000 c102 open\n" ANSWERED("13.000",
                                                                                          "c102",
                                                                                          "x1",
                                                                                          "GET /a")
                  GONE("13.100", "c102") EXIT("13.200"),
      "inconclusive recovered=inconclusive(report)", 0 },
    { "79: streams too many before the client had our SETTINGS: refused, and sent again",
      "[\"recovered\"]",
      H2("10.000", "c101") "10.000 c101 max_streams\n10.001 c101 x1 GET /a stream=1 "
                           "hangup_call=1\n10.001 c101 x2 GET /a stream=3 hangup_call=2\n" LOST(
                               "10.001", "c101", "x2") "10.002 c101 x1 answer\n10.003 c101 "
                                                       "peer_settings_ack\n" ANSWERED(
                                                           "10.004", "c101", "x3",
                                                           "GET /a stream=5 hangup_call=2"),
      "pass recovered=pass", 0 },
    { "79: not sent again", "[\"recovered\"]",
      H2("10.000", "c101") "10.000 c101 max_streams\n10.001 c101 x1 GET /a stream=1 "
                           "hangup_call=1\n10.001 c101 x2 GET /a stream=3 hangup_call=2\n" LOST(
                               "10.001", "c101", "x2") "10.002 c101 x1 answer\n10.003 c101 "
                                                       "peer_settings_ack\n" GONE("10.100", "c101")
                                                           EXIT("10.200"),
      "fail recovered=fail", 0 },
    { "79: behind its ACK of our SETTINGS that is the client's own mistake, and no fault of ours",
      "[\"recovered\"]",
      H2("10.000", "c101") "10.000 c101 max_streams\n10.001 c101 peer_settings_ack\n10.010 c101 x1 "
                           "GET /a stream=1 hangup_call=1\n10.010 c101 x2 GET /a stream=3 "
                           "hangup_call=2\n10.010 c101 x2 exchange_lost lost_by=protocol\n"
                           "10.011 c101 x1 answer\n" GONE("10.100", "c101") EXIT("10.200"),
      "inconclusive recovered=inconclusive(no-exposure)", 0 },
    { "80: 100 Continue goes out, and FIN: an interim answer is none, and nothing was cut",
      "[\"safe_retry\",\"detects_truncation\",\"user_wait\"]",
      "10.000 c101 open\n10.000 c101 x1 POST /a expect=100-continue content_length=9 -whole\n"
      "10.000 c101 fin\n" LOST("10.000", "c101", "x1") GONE("10.010", "c101") EXIT("10.020"),
      "inconclusive safe_retry=pass detects_truncation=inconclusive(no-exposure) user_wait=pass",
      0 },
    { "80: and it is sent again, without a key", "[\"safe_retry\"]",
      "10.000 c101 open\n10.000 c101 x1 POST /a hangup_call=1 expect=100-continue content_length=9 "
      "-whole\n10.000 c101 fin\n" LOST("10.000", "c101", "x1")
          GONE("10.010", "c101") "10.020 c102 open\n" ANSWERED("10.020", "c102", "x1",
                                                               "POST /a hangup_call=1"),
      "fail safe_retry=fail", 0 },

/* --- Times around grace, which is 0.1 s */
#define AFTER_FIN(at)                                                                              \
    CONTROL("GET /a") TWICE("GET /a") "13.000 c101 fin\n" at " c101 x2 stale GET /a\n"
    { "14: 1 ms after the ACK of a FIN", "[\"no_stale_use\"]", AFTER_FIN("13.001"),
      "inconclusive~ no_stale_use=inconclusive(later)~", 0 },
    { "14: 99 ms after it", "[\"no_stale_use\"]", AFTER_FIN("13.099"),
      "inconclusive~ no_stale_use=inconclusive(later)~", 0 },
    { "14: 101 ms after it", "[\"no_stale_use\"]", AFTER_FIN("13.101"), "fail no_stale_use=fail",
      0 },
    { "14: 1 s after it", "[\"no_stale_use\"]", AFTER_FIN("14.000"), "fail no_stale_use=fail", 0 },
#define AFTER_GOAWAY(at)                                                                           \
    H2("10.000", "c101")                                                                           \
    ANSWERED("10.000", "c101", "x1", "GET /a stream=1")                                            \
    "12.000 c101 goaway last_stream=1\n" at " c101 x2 stale GET /a stream=3 sent_into=goaway\n"
    { "15: 1 ms after the ACK of a GOAWAY", "[\"goaway_respected\"]", AFTER_GOAWAY("12.001"),
      "inconclusive~ goaway_respected=inconclusive(later)~", 0 },
    { "15: 99 ms after it", "[\"goaway_respected\"]", AFTER_GOAWAY("12.099"),
      "inconclusive~ goaway_respected=inconclusive(later)~", 0 },
    { "15: 101 ms after it", "[\"goaway_respected\"]", AFTER_GOAWAY("12.101"),
      "fail goaway_respected=fail", 0 },
    { "15: 1 s after it", "[\"goaway_respected\"]", AFTER_GOAWAY("13.000"),
      "fail goaway_respected=fail", 0 },
#define RETRIES_AT(at)                                                                             \
    CONTROL("GET /a")                                                                              \
    TWICE("GET /a")                                                                                \
    BITTEN("11.000", "c101", "x2", "GET /a")                                                       \
    GONE("11.001", "c101")                                                                         \
    at " c102 open\n" ANSWERED(at, "c102", "x1",                                                   \
                               "GET /a") "11.500 c102 peer_fin\n"                                  \
                                         "11.500 c102 connection_end by=client how=fin\n" EXIT(    \
                                             "11.600")
    { "1: retries at once", RETRY_ONCE, RETRIES_AT("11.002"),
      "pass recovered=pass retries=pass retry_elsewhere=pass", 0 },
    { "1: 99 ms after the loss", RETRY_ONCE, RETRIES_AT("11.099"),
      "pass recovered=pass retries=pass retry_elsewhere=pass", 0 },
    { "1: 101 ms after it", RETRY_ONCE, RETRIES_AT("11.101"),
      "pass recovered=pass retries=pass retry_elsewhere=pass", 0 },
    { "1: 400 ms after it", RETRY_ONCE, RETRIES_AT("11.400"),
      "pass recovered=pass retries=pass retry_elsewhere=pass", 0 },
#define LEFT_BEFORE(due, next)                                                                     \
    CONTROL("GET /a")                                                                              \
    TWICE("GET /a")                                                                                \
    "11.000 c101 peer_fin\n"                                                                       \
    "11.000 c101 connection_end by=client how=fin rule=0 due_in=" due "\n" next                    \
    " c102 open\n" ANSWERED(next, "c102", "x1",                                                    \
                            "GET /a") "99.000 c102 peer_fin\n99.000 c102 connection_end "          \
                                      "by=client how=fin\n" EXIT("99.100")
    { "12: it leaves 99 ms before the fault: perhaps they crossed", "[\"recovered\"]",
      LEFT_BEFORE("0.099", "13.000"), "inconclusive recovered=inconclusive(not-struck)", 0 },
    { "12: 101 ms before it", "[\"recovered\"]", LEFT_BEFORE("0.101", "13.000"),
      "pass recovered=pass", 0 },
    { "12: the fault would have come just before the next call", "[\"recovered\"]",
      LEFT_BEFORE("1.8", "13.000"), "pass recovered=pass", 0 },
    { "12: the fault would have come only after the next call: nothing was tested",
      "[\"recovered\"]", LEFT_BEFORE("5", "13.000"),
      "inconclusive recovered=inconclusive(no-exposure)", 0 },

    /* --- What was found weak */
    { "quick: who asks in a tight loop and never retries has not retried too often",
      "[\"retries\",\"user_wait\",\"backoff\",{\"no_storm\":{\"attempts\":3}}]",
      LOOP_CONTROL "10.000 c101 open\n" ANSWERED("10.000", "c101", "x1",
                                                 "GET /a") BITTEN("10.011", "c101", "x2", "GET /a")
          GONE("10.012", "c101") "10.022 c102 open\n" BITTEN("10.022", "c102", "x1", "GET /a") GONE(
              "10.023", "c102") "10.033 c103 open\n" BITTEN("10.033", "c103", "x1", "GET /a")
              GONE("10.034", "c103") "10.044 c104 open\n" BITTEN("10.044", "c104", "x1", "GET /a")
                  GONE("10.045", "c104") "10.055 c105 open\n" BITTEN(
                      "10.055", "c105", "x1", "GET /a") GONE("10.056", "c105") EXIT("10.100"),
      "inconclusive retries=inconclusive(hangup-call) user_wait=inconclusive(hangup-call) "
      "backoff=inconclusive(hangup-call) no_storm=inconclusive(hangup-call)",
      0 },
    { "quick: nor repeated a POST: it makes the same one again and again", "[\"safe_retry\"]",
      "0.100 phase control\n0.100 command_start\n0.100 c91 open\n" ANSWERED("0.100", "c91", "x1",
                                                                            "POST /a digest=d")
          ANSWERED("0.111", "c91", "x2", "POST /a digest=d") GONE("0.200", "c91")
              EXIT("0.300") "5.000 phase fault\n5.000 command_start\n10.000 c101 open\n" BITTEN(
                  "10.000", "c101", "x1", "POST /a digest=d")
                  GONE("10.001", "c101") "10.005 c102 open\n" ANSWERED("10.005", "c102", "x1",
                                                                       "POST /a digest=d")
                      GONE("10.100", "c102") EXIT("10.200"),
      "inconclusive safe_retry=inconclusive(hangup-call)", 0 },
    { "quick: that it was never answered is a fail either way", "[\"recovered\"]",
      LOOP_CONTROL "10.000 c101 open\n" ANSWERED("10.000", "c101", "x1", "GET /a")
          BITTEN("10.011", "c101", "x2", "GET /a")
              GONE("10.012", "c101") "10.022 c102 open\n" BITTEN("10.022", "c102", "x1", "GET /a")
                  GONE("10.023", "c102") EXIT("10.100"),
      "fail recovered=fail", 0 },
    { "something else has answered it, by the client's own account: no fail", "[\"recovered\"]",
      "9.000 command_start command=x steps=get\n" DRIVER
      "10.000 c101 open\n" BITTEN("10.000", "c101", "x1", "GET /a") GONE("10.004", "c101")
          REPORT("10.010", "1", "get", "true") EXIT("10.100"),
      "inconclusive recovered=inconclusive(disagree)", 0 },
    { "an RST behind its answer: perhaps it was read, and then there is nothing to send again",
      RETRY_ONCE,
      "10.000 c101 open\n10.000 c101 x1 GET /a\n10.000 c101 x1 answer\n10.000 c101 fin\n"
      "10.010 c101 connection_end by=fault how=rst fault=F\n" EXIT("10.100"),
      "inconclusive recovered=inconclusive(confirm) retries=inconclusive(confirm) "
      "retry_elsewhere=n/a",
      0 },
    { "what came in place of an answer is none, and the client says that it failed",
      "[\"detects_truncation\"]",
      "9.000 command_start command=x steps=get\n" DRIVER
      "10.000 c101 open\n10.000 c101 x1 GET /a\n10.000 c101 x1 inject\n10.000 c101 fin\n" LOST(
          "10.000", "c101", "x1") GONE("10.004", "c101") REPORT("10.010", "1", "get", "false")
          EXIT("10.100"),
      "pass detects_truncation=pass", 0 },
    { "and the client takes it for one", "[\"detects_truncation\"]",
      "9.000 command_start command=x steps=get\n" DRIVER
      "10.000 c101 open\n10.000 c101 x1 GET /a\n10.000 c101 x1 inject\n10.000 c101 fin\n" LOST(
          "10.000", "c101", "x1") GONE("10.004", "c101") REPORT("10.010", "1", "get", "true")
          EXIT("10.100"),
      "fail detects_truncation=fail", 0 },
#define IN_A_HOLE(ms)                                                                              \
    "9.000 command_start command=x steps=get_get\n" DRIVER                                         \
    "10.000 c101 open\n" ANSWERED("10.000", "c101", "x1", "GET /a")                                \
        REPORT("10.010", "1", "get", "true") "12.000 c101 black_hole\n12.500 c101 "                \
                                             "segments_dropped segments=1 data=1 data_bytes=99 "   \
                                             "first_data=12.5\n" TOOK("15.000", "2", "get",        \
                                                                      "false", ms) EXIT("15.100")
    { "its account says how long it waited in a hole, where nothing was read: too long",
      "[{\"user_wait\":{\"max\":\"1s\"}}]", IN_A_HOLE("2500"), "fail user_wait=fail", 0 },
    { "no longer than it may", "[{\"user_wait\":{\"max\":\"3s\"}}]", IN_A_HOLE("2500"),
      "pass user_wait=pass", 0 },
    /* A hole out of which nothing comes holds nothing up once the client has ended. */
    { "R8: who has ended says no more, though its connection is in a hole", "[\"retries\"]",
      TWICE("GET /a") "12.000 c101 black_hole\n12.500 c101 segments_dropped segments=1 data=1 "
                      "data_bytes=99 first_data=12.5\n" EXIT("13.000"),
      "inconclusive~ retries=inconclusive(report)~", 9900 },
    { "R8: when it could still recover no more", "[\"retries\"]",
      TWICE("GET /a") "12.000 c101 black_hole\n12.500 c101 segments_dropped segments=1 data=1 "
                      "data_bytes=99 first_data=12.5\n" EXIT("13.000"),
      "inconclusive retries=inconclusive(report)", 10100 },
    { "R8: but what the hole keeps back may be done yet", "[\"safe_retry\",\"executed_once\"]",
      TWICE("GET /a") "12.000 c101 x2 POST /a -whole content_length=9\n12.000 c101 "
                      "black_hole\n" EXIT("13.000"),
      "pass~ safe_retry=pass executed_once=pass~", 10100 },
    { "a POST is sent again while its answer is held, and that comes after all",
      "[\"safe_retry\",\"executed_once\"]",
      "10.000 c101 open\n10.000 c101 x1 POST /a hangup_call=1\n10.000 c101 x1 processed "
      "effect=true\n10.000 c101 x1 delay\n10.500 c101 peer_fin\n10.505 c102 open\n" ANSWERED(
          "10.505", "c102", "x1",
          "POST /a hangup_call=1") "10.900 c101 x1 response_start status=201\n10.900 c101 x1 "
                                   "response_end status=201\n10.901 c101 connection_end "
                                   "by=client how=fin\n" GONE("11.000", "c102") EXIT("11.100"),
      "fail safe_retry=fail executed_once=fail", 0 },
    { "R8: a stall keeps a connection that its client has left", "[\"no_storm\"]",
      "10.000 c101 connection_open\n10.000 c101 stall trigger=accept\n11.000 c101 peer_fin "
      "bytes=99\n" EXIT("11.100"),
      "inconclusive no_storm=inconclusive(report)", 0 },
    { "R8: with a request in it, it is not over before the server sees that it is",
      "[\"recovered\"]",
      "10.000 c101 open\n" ANSWERED(
          "10.000", "c101", "x1",
          "GET /a") "11.000 c101 stall\n12.000 "
                    "c101 stale GET /a sent_into=stalled\n12.500 c101 peer_fin\n" EXIT("12.600"),
      "inconclusive~ recovered=inconclusive(wait)~", 0 },
};
