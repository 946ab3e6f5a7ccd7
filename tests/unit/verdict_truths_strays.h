/* verdict_truths_strays.h - runs with a known truth: scenarios that the kinds of faults decide, the
 * client's own account, and what was found weak later. */
#pragma once

#include "verdict_truths_times.h"

/* A request that is lost before its head was read. */
#define NO_HEAD(by)                                                                                \
    "10.000 c101 open\n10.000 c101 x1 exchange_lost reached=begun lost_by=" by                     \
    "\n" GONE("10.010", "c101") EXIT("10.020")

#define NO_HEAD_AT_FAULT                                                                           \
    TWICE("GET /a")                                                                                \
    "10.500 c101 fin\n10.500 c101 x3 exchange_lost reached=begun lost_by=fault "                   \
    "fault=F\n" GONE("10.510", "c101") EXIT("10.520")

static const struct truth of_strays[] = {
    /* --- Strays */
    { "83: sent again before the time of Retry-After", RETRY_ONCE,
      "10.000 c101 open\n10.000 c101 x1 respond arguments={\"status\":503,\"headers\":{\"Retry-"
      "After\":\"5\"}}\n10.000 c101 x1 GET /a\n10.000 c101 x1 answer 503\n" ANSWERED(
          "10.100", "c101", "x2", "GET /a"),
      "fail recovered=pass retries=fail retry_elsewhere=n/a~", 5200 },
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
      "fail~ honours_hint=fail~", 0 },
    { "waits: a call that began in an outage", "[\"waits-for-connectivity\"]",
      DRIVER
      "10.000 drop_syn\n11.000 syn_dropped listener=https peer=a\n"
      "12.000 syn_dropped listener=https peer=a\n14.000 fault listen class=repairs scope=listener "
      "trigger=listen\n15.000 c101 open\n" ANSWERED(
          "15.000", "c101", "x1",
          "GET /a") "15.010 report {\"n\":1,\"step\":\"get\",\"ok\":true,\"ms\":4000}\n",
      "pass~ waits_for_connection=pass~", 5200 },
    { "waits: it fails at once, and its user tries again", "[\"waits-for-connectivity\"]",
      DRIVER "10.000 drop_syn\n11.000 syn_dropped listener=https peer=a\n"
             "12.000 report {\"n\":1,\"step\":\"get\",\"ok\":false,\"ms\":1000}\n"
             "14.000 fault listen class=repairs scope=listener "
             "trigger=listen\n15.000 c101 open\n" ANSWERED(
                 "15.000", "c101", "x1",
                 "GET /a") "15.010 report {\"n\":2,\"step\":\"get\",\"ok\":true,\"ms\":10}\n",
      "fail~ waits_for_connection=fail~", 0 },
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
      "inconclusive~ recovered=inconclusive(disagree)~", 5200 },
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
      "inconclusive~ recovered=pass~", 5200 },
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
      "inconclusive recovered=pass", 5200 },

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
      "pass recovered=pass", 5200 },
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
      "pass recovered=pass", 5200 },
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
    { "a head that is no HTTP is refused, and of that nothing is missing",
      "[\"recovered\",\"retries\",\"no_stale_use\",\"connection_close\",\"safe_retry\",\"executed_"
      "once\","
      "\"user_wait\"]",
      NO_HEAD("protocol"),
      "inconclusive recovered=inconclusive(malformed) retries=inconclusive(malformed) "
      "no_stale_use=inconclusive(malformed) connection_close=inconclusive(malformed) "
      "safe_retry=inconclusive(malformed) executed_once=inconclusive(malformed) "
      "user_wait=inconclusive(malformed)",
      0 },
    { "nor of one that is too long", "[\"recovered\"]", NO_HEAD("limit"),
      "inconclusive recovered=inconclusive(malformed)", 0 },
    { "nor of one that its client left off", "[\"recovered\"]", NO_HEAD("client_fin"),
      "inconclusive recovered=inconclusive(malformed)", 0 },
    { "nor of one that was not whole when a fault struck", "[\"retries\",\"safe_retry\"]",
      NO_HEAD_AT_FAULT,
      "inconclusive retries=inconclusive(malformed) safe_retry=inconclusive(malformed)", 0 },
    { "one that is not in the ledger is missing", "[\"recovered\"]",
      "10.000 c101 open\n10.000 c101 x1 exchange_lost reached=complete lost_by=client_fin\n" GONE(
          "10.010", "c101") EXIT("10.020"),
      "inconclusive recovered=inconclusive(gap)", 0 },
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
    { "14: 101 ms after it", "[\"no_stale_use\"]", AFTER_FIN("13.101"), "fail~ no_stale_use=fail~",
      0 },
    { "14: 1 s after it", "[\"no_stale_use\"]", AFTER_FIN("14.000"), "fail~ no_stale_use=fail~",
      0 },
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

/* Sent again and answered at once; its client says how long that took. */
#define WAITED(ms)                                                                                 \
    "9.000 command_start command=x steps=get_get\n" DRIVER                                         \
    "10.000 c101 open\n" ANSWERED("10.000", "c101", "x1", "GET /a")                                \
        REPORT("10.010", "1", "get", "true") BITTEN("12.000", "c101", "x2", "GET /a")              \
            GONE("12.001", "c101") "12.003 c102 open\n" ANSWERED("12.010", "c102", "x1", "GET /a") \
                TOOK("12.020", "2", "get", "true", ms) CLOSES("12.100", "c102") EXIT("12.200")

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
      "[{\"user_wait\":{\"max\":\"1s\"}}]", IN_A_HOLE("2500"), "fail~ user_wait=fail~", 0 },
    { "an answer in time, for which its user waited longer by the client's own account",
      "[\"recovered\",{\"user_wait\":{\"max\":\"1s\"}}]", WAITED("1558"),
      "inconclusive recovered=pass user_wait=inconclusive(disagree)", 0 },
    { "the same, for longer than a call may take to recover",
      "[{\"recovered\":{\"within\":\"1s\"}}]", WAITED("1558"),
      "inconclusive recovered=inconclusive(disagree)", 0 },
    { "an answer in time, by the client's own account, too",
      "[\"recovered\",{\"user_wait\":{\"max\":\"1s\"}}]", WAITED("20"),
      "pass recovered=pass user_wait=pass", 0 },
    { "no longer than it may", "[{\"user_wait\":{\"max\":\"3s\"}}]", IN_A_HOLE("2500"),
      "pass~ user_wait=pass~", 0 },
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

/* --- goaway_respected: what GOAWAY refused comes again once, what it did not is not repeated */
#define REFUSED_S3(what)                                                                           \
    CONTROL_KEPT("GET /a")                                                                         \
    H2("10.000", "c101")                                                                           \
    ANSWERED("10.000", "c101", "x1", "GET /a stream=1")                                            \
    "12.000 c101 x2 " what " stream=3\n12.000 c101 goaway last_stream=1\n12.000 c101 x2 lost\n"
#define ONCE_MORE(at, c, what) H2(at, c) ANSWERED(at, c, "x1", what " stream=1")
    { "refused: sent again once, and the next call after it", "[\"goaway_respected\"]",
      REFUSED_S3("GET /a hangup_call=1") ONCE_MORE("12.010", "c102", "GET /a hangup_call=1")
          ANSWERED("13.000", "c102", "x2", "GET /a stream=3 hangup_call=2") GONE("13.100", "c101")
              GONE("13.100", "c102") EXIT("13.200"),
      "pass goaway_respected=pass", 0 },
    { "refused: sent again, answered, and sent once more", "[\"goaway_respected\"]",
      REFUSED_S3("GET /a hangup_call=1") ONCE_MORE("12.010", "c102", "GET /a hangup_call=1")
          ONCE_MORE("12.500", "c103", "GET /a hangup_call=1")
              ANSWERED("13.000", "c102", "x2", "GET /a stream=3 hangup_call=2")
                  GONE("13.100", "c102") EXIT("13.200"),
      "fail~ goaway_respected=fail~", 0 },
    { "refused: sent again twice at once", "[\"goaway_respected\"]",
      REFUSED_S3("GET /a hangup_call=1") H2("12.010", "c102")
          H2("12.010", "c103") "12.010 c102 x1 GET /a stream=1 hangup_call=1\n"
                               "12.012 c103 x1 GET /a stream=1 hangup_call=1\n"
                               "12.020 c102 x1 answer\n12.020 c103 x1 answer\n" ANSWERED(
                                   "13.000", "c102", "x2", "GET /a stream=3 hangup_call=2")
                                   GONE("13.100", "c102") GONE("13.100", "c103") EXIT("13.200"),
      "fail~ goaway_respected=fail~", 0 },
    { "refused: the second attempt is slow, and a third one hedges it: nothing of GOAWAY",
      "[\"goaway_respected\"]",
      REFUSED_S3("GET /a hangup_call=1")
          H2("12.010", "c102") "12.010 c102 x1 GET /a stream=1 hangup_call=1\n" H2(
              "12.500", "c103") "12.500 c103 x1 GET /a stream=1 hangup_call=1\n"
                                "12.600 c103 x1 answer\n12.610 c102 x1 answer\n" ANSWERED(
                                    "13.000", "c102", "x2", "GET /a stream=3 hangup_call=2")
                                    GONE("13.100", "c101") GONE("13.100", "c102")
                                        GONE("13.100", "c103") EXIT("13.200"),
      "pass goaway_respected=pass", 0 },
    { "refused: the second attempt meets a fault, and a third one is answered",
      "[\"goaway_respected\"]",
      REFUSED_S3("GET /a hangup_call=1") H2("12.010", "c102")
          BITTEN("12.010", "c102", "x1", "GET /a stream=1 hangup_call=1")
              ONCE_MORE("12.300", "c103", "GET /a hangup_call=1") ANSWERED(
                  "13.000", "c103", "x2", "GET /a stream=3 hangup_call=2") GONE("13.050", "c102")
                  GONE("13.100", "c101") GONE("13.100", "c103") EXIT("13.200"),
      "pass goaway_respected=pass", 0 },
#define NOT_REFUSED(asked, what)                                                                   \
    CONTROL_KEPT(asked)                                                                            \
    H2("10.000", "c101")                                                                           \
    ANSWERED("10.000", "c101", "x1", "GET /a stream=1")                                            \
    "12.000 c101 x2 " what " stream=3\n12.000 c101 goaway last_stream=3\n"
    { "not above the last: a POST without a key is sent again elsewhere while it may be done",
      "[\"goaway_respected\"]",
      NOT_REFUSED("POST /p", "POST /p hangup_call=1")
          ONCE_MORE("12.500", "c102", "POST /p hangup_call=1") "12.600 c101 x2 answer\n" ANSWERED(
              "13.000", "c102", "x2", "GET /a stream=3 hangup_call=2") GONE("13.100", "c101")
              GONE("13.100", "c102") EXIT("13.200"),
      "fail goaway_respected=fail", 0 },
    { "not above the last: the same with a key", "[\"goaway_respected\"]",
      NOT_REFUSED("POST /p", "POST /p idempotency_key=k") ONCE_MORE(
          "12.500", "c102",
          "POST /p idempotency_key=k") "12.600 c101 x2 answer\n" ANSWERED("13.000", "c102", "x2",
                                                                          "POST /p stream=3 "
                                                                          "idempotency_key=l")
          GONE("13.100", "c101") GONE("13.100", "c102") EXIT("13.200"),
      "pass goaway_respected=pass", 0 },
    { "not above the last, processed and lost: sent again, answered, and sent once more",
      "[\"goaway_respected\"]",
      NOT_REFUSED("GET /a",
                  "GET /a hangup_call=1") "12.100 c101 x2 processed\n12.200 c101 fin\n"
                                          "12.200 c101 x2 lost\n" ONCE_MORE("12.400", "c102",
                                                                            "GET /a hangup_call=1")
                                              ONCE_MORE("12.900", "c103", "GET /a hangup_call=1")
                                                  GONE("13.100", "c102") GONE("13.100", "c103")
                                                      EXIT("13.200"),
      "fail~ goaway_respected=fail~", 0 },
    { "refused when it had waited for long: its time begins with the GOAWAY",
      "[\"goaway_respected\"]",
      CONTROL_KEPT("GET /a") H2("10.000", "c101") "10.000 c101 x1 GET /a stream=1\n"
                                                  "25.000 c101 goaway last_stream=0\n"
                                                  "25.000 c101 x1 lost\n",
      "inconclusive~ goaway_respected=inconclusive(wait)~", 0 },

/* --- What a client does anyway proves nothing: the control, or this run, shows what that is */
#define NEVER_REUSES                                                                               \
    "0.100 phase control\n0.100 command_start\n" H2("0.200", "c91")                                \
        ANSWERED("0.200", "c91", "x1", "GET /a") GONE("0.210", "c91") H2("4.600", "c92")           \
            ANSWERED("4.600", "c92", "x1", "GET /a")                                               \
                GONE("4.610", "c92") "4.700 command_exit exit_status=0 live=0\n5.000 phase "       \
                                     "fault\n5.000 command_start\n"
    { "goaway: a client that never uses a connection again", "[\"goaway-aware\"]",
      NEVER_REUSES H2("10.000", "c101")
          ANSWERED("10.000", "c101", "x1",
                   "GET /a stream=1") "10.001 c101 goaway last_stream=1\n" GONE("10.010", "c101")
              ONCE_MORE("13.000", "c102", "GET /a") GONE("13.010", "c102") EXIT("13.100"),
      "inconclusive goaway_respected=inconclusive(reuse) "
      "closes_after_goaway=inconclusive(later)",
      0 },
    { "goaway: the next call goes to a connection that was there before", "[\"goaway_respected\"]",
      CONTROL_KEPT("GET /a") H2("10.000", "c101") H2("10.000", "c102")
          ANSWERED("10.000", "c101", "x1", "GET /a stream=1") ANSWERED(
              "10.000", "c102", "x1",
              "GET /a stream=1") "12.000 c101 goaway "
                                 "last_stream=1\n" ANSWERED("13.000", "c102", "x2",
                                                            "GET /a stream=3")
                                     GONE("13.100", "c101") GONE("13.100", "c102") EXIT("13.200"),
      "inconclusive goaway_respected=inconclusive(more-calls)", 0 },
/* In the control it closes its connection after two seconds of idleness; here behind GOAWAY. */
#define IDLE_CONTROL                                                                               \
    "0.100 phase control\n0.100 command_start\n" H2("0.200", "c91")                                \
        ANSWERED("0.200", "c91", "x1", "GET /a") ANSWERED("1.200", "c91", "x2", "GET /a")          \
            GONE("3.200", "c91")
#define CLOSES_IDLE(at)                                                                            \
    IDLE_CONTROL                                                                                   \
    "4.700 command_exit exit_status=0 live=0\n5.000 phase fault\n5.000 command_start\n"            \
    "10.000 c101 open h2\n10.000 c101 x1 GET /a stream=1\n10.000 c101 x1 answer\n"                 \
    "11.500 c101 goaway last_stream=1\n" GONE(at, "c101") EXIT("13.100")
    { "goaway: it closes each connection after two seconds of idleness, GOAWAY or not",
      "[\"closes_after_goaway\"]", CLOSES_IDLE("12.001"),
      "inconclusive closes_after_goaway=inconclusive(later)", 0 },
    { "goaway: the same, and it closes well before", "[\"closes_after_goaway\"]",
      CLOSES_IDLE("11.520"), "pass closes_after_goaway=pass", 0 },
    { "retries: none, one or two, as the next ones may be its own: neither too few nor too many",
      "[{\"retries\":{\"min\":1}}]",
      "10.000 c101 open\n" BITTEN("10.000", "c101", "x1", "GET /a")
          GONE("10.001", "c101") "11.000 c102 open\n" BITTEN("11.000", "c102", "x1", "GET /a")
              GONE("11.001", "c102") "12.000 c103 open\n" ANSWERED("12.000", "c103", "x1", "GET /a")
                  GONE("12.900", "c103") EXIT("13.000"),
      "inconclusive retries=inconclusive(hangup-call)", 0 },
    { "refused: three, and three came later, of which nobody knows whose they are: neither not "
      "sent again nor twice",
      "[\"goaway_respected\"]",
      H2("10.000", "c101") "10.000 c101 x1 GET /a stream=1\n10.000 c101 x2 GET /a stream=3\n"
                           "10.000 c101 x3 GET /a stream=5\n10.100 c101 goaway last_stream=0\n"
                           "10.100 c101 x1 lost\n10.100 c101 x2 lost\n10.100 c101 x3 lost\n" GONE(
                               "10.101", "c101") H2("11.000", "c102")
                               ANSWERED("11.000", "c102", "x1", "GET /a")
                                   ANSWERED("11.005", "c102", "x2", "GET /a")
                                       ANSWERED("11.010", "c102", "x3", "GET /a")
                                           GONE("12.900", "c102") EXIT("13.000"),
      "inconclusive goaway_respected=inconclusive(hangup-call)", 0 },
#define DEAF(pings)                                                                                \
    H2("10.000", "c101")                                                                           \
    "10.000 c101 ignore_pings trigger=protocol\n10.000 c101 x1 GET /a\n" pings GONE(               \
        "12.000", "c101") EXIT("13.000")
    { "ping: no control shows that it stays when its PINGs are answered", "[\"ping_liveness\"]",
      DEAF("11.000 c101 peer_ping opaque=1\n"), "inconclusive ping_liveness=inconclusive(control)",
      0 },
    { "ping: it leaves each connection at once, in the control too", "[\"ping_liveness\"]",
      NEVER_REUSES DEAF("11.000 c101 peer_ping opaque=1\n"),
      "inconclusive ping_liveness=inconclusive(later)", 0 },
    { "ping: one PING, and it leaves; else it stays", "[\"ping_liveness\"]",
      CONTROL_KEPT("GET /a") DEAF("11.000 c101 peer_ping opaque=1\n"), "pass ping_liveness=pass",
      0 },
    { "ping: it PINGs each half second anyway, and leaves by the limit of its request",
      "[\"ping_liveness\"]",
      CONTROL_KEPT("GET /a") DEAF("10.500 c101 peer_ping opaque=1\n11.000 c101 peer_ping "
                                  "opaque=2\n11.500 c101 peer_ping opaque=3\n"),
      "inconclusive ping_liveness=inconclusive(later)", 0 },
    { "ping: the same, and no request was open", "[\"ping_liveness\"]",
      CONTROL_KEPT("GET /a")
          H2("10.000", "c101") "10.000 c101 ignore_pings trigger=protocol\n" ANSWERED(
              "10.000", "c101", "x1",
              "GET /a") "10.500 c101 peer_ping opaque=1\n11.000 c101 peer_ping opaque=2\n"
                        "11.500 c101 peer_ping opaque=3\n" GONE("12.000", "c101") EXIT("13.000"),
      "pass ping_liveness=pass", 0 },

    /* --- What would be a pass by luck, by another's doing, or of nothing */
    { "idle_eviction: it goes to a spare that was opened with the other one, and was idle as long",
      "[{\"idle_eviction\":{\"before\":\"2s\"}}]",
      CONTROL("GET /a")
          TWICE("GET /a") "10.000 c102 open\n" ANSWERED("15.000", "c102", "x1", "GET /a")
              GONE("15.100", "c101") GONE("15.100", "c102") EXIT("15.200"),
      "inconclusive idle_eviction=inconclusive(more-calls)", 0 },
    { "bounded-wait: the command ends while its call waits, and says nothing of it",
      "[\"bounded-wait\"]",
      CONTROL("GET /a")
          TWICE("GET /a") "11.000 c101 x2 GET /a\n11.000 c101 stall\n"
                          "11.500 command_exit exit_status=0 live=1\n" GONE("11.501", "c101"),
      "pass user_wait=pass", 0 },
    { "fresh_after_mark: it had closed its only connection by its own clock, before the background",
      "[\"fresh_after_mark\"]",
      CONTROL("GET /a") TWICE("GET /a")
          GONE("11.500", "c101") "14.000 mark background\n17.000 mark foreground\n17.500 c102 "
                                 "open\n" ANSWERED("17.500", "c102", "x1", "GET /a")
                                     GONE("17.600", "c102") EXIT("17.700"),
      "inconclusive fresh_after_mark=inconclusive(mode)", 0 },
    { "detects_truncation: a hedge had gone out before the answer was cut, and was given up",
      "[\"detects_truncation\"]",
      "10.000 c101 open\n10.000 c101 x1 GET /a hangup_call=1\n10.300 c102 open\n10.300 c102 x1 GET "
      "/a hangup_call=1\n"
      "10.400 c101 x1 processed\n10.400 c101 x1 "
      "response_start status=200\n"
      "10.410 c101 fin\n10.410 c101 x1 lost\n10.420 c102 peer_fin\n10.420 c102 x1 lost\n10.420 "
      "c102 connection_end by=client how=fin\n"
      "10.430 report {\"driver\":1}\n10.430 report "
      "{\"n\":1,\"step\":\"get\",\"ok\":true,\"status\":200,\"ms\":420}\n" EXIT("10.500")
          GONE("10.500", "c101"),
      "fail detects_truncation=fail", 0 },
    { "falls_back: it never uses a connection again, and asks over one protocol after the other",
      "[\"falls_back\"]",
      NEVER_REUSES H2("10.000", "c101")
          ANSWERED("10.000", "c101", "x1",
                   "GET /a stream=1") "11.000 c101 goaway last_stream=1\n13.000 c102 "
                                      "open\n" ANSWERED("13.000", "c102", "x1", "GET /a") GONE(
                                          "13.010", "c102") GONE("13.020", "c101") EXIT("13.100"),
      "inconclusive falls_back=inconclusive(reuse)", 0 },
    { "connection_close: the second request is never answered", "[\"connection_close\"]",
      CONTROL("GET /a connection_header=close") "10.000 c101 open\n" ANSWERED(
          "10.000", "c101", "x1", "GET /a connection_header=close")
          GONE("10.010", "c101") "11.000 c102 open\n11.000 c102 x1 GET /a "
                                 "connection_header=close\n11.000 c102 stall\n" EXIT("12.000"),
      "inconclusive~ connection_close=inconclusive(more-calls)~", 0 },
    { "goaway: equal calls without names: which attempt is whose is not known",
      "[\"goaway_respected\"]",
      CONTROL_KEPT("GET /a") H2("10.000", "c101") ANSWERED(
          "10.000", "c101", "x1",
          "GET /a stream=1") "12.000 c101 x2 GET /a stream=3\n"
                             "12.000 c101 x3 GET /a stream=5\n12.000 c101 goaway last_stream=1\n"
                             "12.000 c101 x2 lost\n12.000 c101 x3 lost\n" ONCE_MORE(
                                 "12.010", "c102", "GET /a") ANSWERED("12.011", "c102", "x2",
                                                                      "GET /a stream=3")
                                 ANSWERED("14.000", "c102", "x3", "GET /a stream=5")
                                     GONE("14.100", "c101") GONE("14.100", "c102") EXIT("14.200"),
      "pass goaway_respected=pass", 0 },
};
