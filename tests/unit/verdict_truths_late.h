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
#define OUTAGE "10.000 drop_syn\n14.000 fault listen class=repairs scope=listener trigger=listen\n"

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
      "fail recovered=fail", 0 },
};
