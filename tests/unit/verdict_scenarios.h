/* verdict_scenarios.h - ledgers and the calls in them, in both readings: test_verdict_joins.c (R1)
 * and test_verdict_exposure.c (R2, R7) say that they are so, test_verdict_missing.c what may be
 * missing of them. The numbers are those of the scenarios that the rules come from.
 */
#pragma once

#include "verdict_rig.h"

/* --- R1 */

#define C1 "0.000 c1 open\n"
#define H2 "0.000 c1 open h2\n"
#define POLLER                                                                                     \
    C1 ANSWERED("0.000", "c1", "x1", "GET /s") BITTEN("1.000", "c1", "x2", "GET /s") C2("2.000")   \
        ANSWERED("2.000", "c2", "x1", "GET /s")
#define POLLING                                                                                    \
    C1 ANSWERED("0.000", "c1", "x1", "GET /s") ANSWERED("1.000", "c1", "x2", "GET /s")             \
        ANSWERED("2.000", "c1", "x3", "GET /s") ANSWERED("3.010", "c1", "x4", "GET /s")
#define ONCE C1 ANSWERED("0.000", "c1", "x1", "GET /s")

__attribute__((unused)) static const struct scenario joins[] = {
    { "1: a poller that never retries has not retried when the control shows its rhythm", POLLING,
      POLLER, "GET /s answered untouched; GET /s bitten bitten; GET /s answered untouched",
      "GET /s answered untouched; GET /s bitten bitten; GET /s answered untouched" },
    { "1: without a control the next poll is perhaps a retry", NULL, POLLER,
      "GET /s answered untouched; GET /s bitten bitten; GET /s answered untouched",
      "GET /s answered untouched; GET /s recovered bitten retries=1" },
    { "1: a fast poller without a control: its next poll would have come anyway", NULL,
      C1 ANSWERED("0.000", "c1", "x1", "GET /s") ANSWERED("0.200", "c1", "x2", "GET /s")
          ANSWERED("0.400", "c1", "x3", "GET /s") BITTEN("0.600", "c1", "x4", "GET /s") C2("0.800")
              ANSWERED("0.800", "c2", "x1", "GET /s"),
      "GET /s answered untouched; GET /s answered untouched; GET /s answered untouched; "
      "GET /s bitten bitten; GET /s answered untouched",
      "GET /s answered untouched; GET /s answered untouched; GET /s answered untouched; "
      "GET /s recovered bitten retries=1" },
    { "a retry at once is one, also of a client that polls", POLLING,
      C1 ANSWERED("0.000", "c1", "x1", "GET /s") BITTEN("1.000", "c1", "x2", "GET /s") C2("1.010")
          ANSWERED("1.010", "c2", "x1", "GET /s"),
      "GET /s answered untouched; GET /s recovered bitten retries=1",
      "GET /s answered untouched; GET /s recovered bitten retries=1" },
    { "one that asks once in the control may retry as late as within", ONCE,
      C1 BITTEN("1.000", "c1", "x1", "GET /s") C2("9.000") ANSWERED("9.000", "c2", "x1", "GET /s"),
      "GET /s recovered bitten retries=1", "GET /s recovered bitten retries=1" },
    { "2: a POST that was never whole is perhaps the next of its path", NULL,
      C1 "1.000 c1 x1 POST /graphql -whole\n1.000 c1 fin\n1.000 c1 x1 lost\n" C2("1.200")
          ANSWERED("1.200", "c2", "x1", "POST /graphql digest=b"),
      "POST /graphql bitten bitten; POST /graphql answered untouched executions=1",
      "POST /graphql recovered bitten retries=1 executions=1" },
    { "other contents of another shape are another call", NULL,
      C1 BITTEN("1.000", "c1", "x1", "POST /rpc digest=a body_bytes=100 content_type=json")
          C2("1.010")
              ANSWERED("1.010", "c2", "x1", "POST /rpc digest=b body_bytes=200 content_type=json"),
      "POST /rpc bitten bitten; POST /rpc answered untouched executions=1",
      "POST /rpc bitten bitten; POST /rpc answered untouched executions=1" },
    { "a form with another boundary is perhaps the same", NULL,
      C1 BITTEN("1.000", "c1", "x1",
                "POST /a digest=a body_bytes=100 content_type=multipart/form-data;boundary=x")
          C2("1.010") ANSWERED("1.010", "c2", "x1",
                               "POST /a digest=b body_bytes=100 "
                               "content_type=Multipart/form-data;boundary=y"),
      "POST /a bitten bitten; POST /a answered untouched executions=1",
      "POST /a recovered bitten retries=1 executions=1" },
    { "another media type is another call", NULL,
      C1 BITTEN("1.000", "c1", "x1", "POST /a digest=a body_bytes=100 content_type=text/plain")
          C2("1.010") ANSWERED("1.010", "c2", "x1",
                               "POST /a digest=b body_bytes=100 content_type=text/xml"),
      "POST /a bitten bitten; POST /a answered untouched executions=1",
      "POST /a bitten bitten; POST /a answered untouched executions=1" },
    { "4: a new X-Request-ID for each attempt does not part them", NULL,
      H2 BITTEN("1.000", "c1", "x1", "GET /a stream=1 request_id=1") C2("1.012")
          ANSWERED("1.012", "c2", "x1", "GET /a request_id=2"),
      "GET /a recovered bitten retries=1", "GET /a recovered bitten retries=1" },
    { "4: one trace id does not join what asks something else", NULL,
      H2 BITTEN("1.000", "c1", "x1", "GET /a trace_id=t") C2("1.012")
          ANSWERED("1.012", "c2", "x1", "GET /b trace_id=t"),
      "GET /a bitten bitten; GET /b answered untouched",
      "GET /a bitten bitten; GET /b answered untouched" },
    { "an X-Request-ID joins equal requests beyond reach", NULL,
      C1 BITTEN("1.000", "c1", "x1", "GET /a request_id=1") C2("5.000")
          ANSWERED("5.000", "c2", "x1", "GET /a request_id=1"),
      "GET /a recovered bitten retries=1", "GET /a recovered bitten retries=1" },
    { "an id that every poll has names none of them", NULL,
      C1 ANSWERED("0.000", "c1", "x1", "GET /s trace_id=t")
          BITTEN("1.000", "c1", "x2", "GET /s trace_id=t") C2("2.000")
              ANSWERED("2.000", "c2", "x1", "GET /s trace_id=t"),
      "GET /s answered untouched; GET /s bitten bitten; GET /s answered untouched",
      "GET /s answered untouched; GET /s recovered bitten retries=1" },
    { "5: a lost POST with a time stamp in it, and the next one", NULL,
      C1 "1.000 c1 x1 POST /p digest=a body_bytes=100\n1.000 c1 x1 processed\n"
         "1.000 c1 x1 hold\n1.000 c1 fin\n1.000 c1 x1 lost fault=F1 last_fault=F2\n" C2("1.100")
             ANSWERED("1.100", "c2", "x1", "POST /p digest=b body_bytes=101"),
      "POST /p bitten bitten executions=1; POST /p answered untouched executions=1",
      "POST /p recovered bitten retries=1 executions=2" },
    { "a named call stays one, answered or not", NULL,
      C1 ANSWERED("0.000", "c1", "x1", "POST /p idempotency_key=k digest=a")
          ANSWERED("5.000", "c1", "x2", "POST /p idempotency_key=k digest=b"),
      "POST /p answered untouched duplicates=1 executions=2",
      "POST /p answered untouched duplicates=1 executions=2" },
    { "a key on another path is another call", NULL,
      C1 ANSWERED("0.000", "c1", "x1", "POST /p idempotency_key=k")
          ANSWERED("5.000", "c1", "x2", "POST /q idempotency_key=k"),
      "POST /p answered untouched executions=1; POST /q answered untouched executions=1",
      "POST /p answered untouched executions=1; POST /q answered untouched executions=1" },
    { "a header given by --key joins whatever else differs", NULL,
      C1 BITTEN("1.000", "c1", "x1", "POST /p other_keys=amz:1,v:2") C2("8.000")
          ANSWERED("8.000", "c2", "x1", "POST /q other_keys=v:2"),
      "POST /p recovered bitten retries=1 executions=1",
      "POST /p recovered bitten retries=1 executions=1" },
    { "Hangup-Call parts what else is equal", NULL,
      C1 BITTEN("1.000", "c1", "x1", "GET /a hangup_call=1") C2("1.010")
          ANSWERED("1.010", "c2", "x1", "GET /a hangup_call=2"),
      "GET /a bitten bitten; GET /a answered untouched",
      "GET /a bitten bitten; GET /a answered untouched" },
    { "Hangup-Call joins the retry of a retry by whatever stack", NULL,
      C1 BITTEN("1.000", "c1", "x1", "GET /a hangup_call=1") C2("7.000")
          ANSWERED("7.000", "c2", "x1", "GET /a?again hangup_call=1"),
      "GET /a recovered bitten retries=1", "GET /a recovered bitten retries=1" },
    { "7: two retries at once, both executed: never a pass", NULL,
      C1 BITTEN("1.000", "c1", "x1", "POST /p digest=a")
          C2("1.100") "1.100 c3 open\n"
                      "1.100 c2 x1 POST /p digest=a\n1.101 c3 x1 POST /p digest=a\n"
                      "1.150 c2 x1 answer\n1.151 c3 x1 answer\n",
      "POST /p recovered bitten retries=1 executions=1; POST /p answered untouched executions=1",
      "POST /p recovered bitten retries=1 hedges=1 executions=2" },
    { "8: a hedge that is bitten while the first is answered", NULL,
      C1 C2("0.300") "0.000 c1 x1 GET /a\n" BITTEN("0.300", "c2", "x1",
                                                   "GET /a") "0.500 c1 x1 answer\n",
      "GET /a answered untouched; GET /a bitten bitten", "GET /a recovered bitten hedges=1" },
    { "10: peer addresses neither join nor part", NULL,
      "0.000 c1 open peer=127.0.0.1:1\n" BITTEN(
          "1.000", "c1", "x1", "GET /a") "1.010 c2 open peer=::1\n" ANSWERED("1.010", "c2", "x1",
                                                                             "GET /a"),
      "GET /a recovered bitten retries=1", "GET /a recovered bitten retries=1" },
    { "11: two clients that ask the same: nobody knows whose retry it is", NULL,
      C1 BITTEN("1.000", "c1", "x1", "GET /a user_agent=A") C2("1.200")
          ANSWERED("1.200", "c2", "x1", "GET /a user_agent=B"),
      "GET /a bitten bitten; GET /a answered untouched", "GET /a recovered bitten retries=1" },
    { "11: the same by their ClientHellos", NULL,
      "0.000 c1 open client=aa\n" BITTEN(
          "1.000", "c1", "x1", "GET /a") "1.200 c2 open client=bb\n" ANSWERED("1.200", "c2", "x1",
                                                                              "GET /a"),
      "GET /a bitten bitten; GET /a answered untouched", "GET /a recovered bitten retries=1" },
    { "over h2 and over h1 one client looks different", NULL,
      "0.000 c1 open h2 client=aa\n" BITTEN(
          "1.000", "c1", "x1",
          "GET /a stream=1") "1.200 c2 open client=bb\n" ANSWERED("1.200", "c2", "x1", "GET /a"),
      "GET /a recovered bitten retries=1", "GET /a recovered bitten retries=1" },
    { "13: equal open calls are judged as a group", NULL,
      H2 "0.500 c1 x1 GET /a stream=3\n0.500 c1 x2 GET /a stream=5\n"
         "1.000 c1 fin\n1.000 c1 x1 lost\n1.000 c1 x2 lost\n" C2("1.010")
             BITTEN("1.010", "c2", "x1", "GET /a") "1.020 c3 open\n" ANSWERED("1.020", "c3", "x1",
                                                                              "GET /a"),
      "GET /a recovered bitten retries=2 group=1/2 retries=1..2; "
      "GET /a bitten bitten group=1/2 retries=1..2",
      "GET /a recovered bitten retries=2 hedges=1" },
    { "14: what the client cancelled is out", NULL,
      H2 "0.000 c1 x1 GET /a stream=1\n0.500 c1 x1 peer_rst_stream stream=1\n"
         "0.500 c1 x1 exchange_lost lost_by=client_cancel\n0.500 c1 x2 GET /a stream=3\n"
         "0.600 c1 fin\n0.600 c1 x2 lost\n" C2("0.610") ANSWERED("0.610", "c2", "x1", "GET /a"),
      "GET /a recovered bitten retries=2 pooled=1", "GET /a recovered bitten retries=2 pooled=1" },
    { "14: sent again before it was cancelled", NULL,
      H2 "0.000 c1 x1 GET /a stream=1\n0.499 c1 x2 GET /a stream=3\n"
         "0.500 c1 x1 peer_rst_stream stream=1\n0.500 c1 x1 exchange_lost lost_by=client_cancel\n"
         "0.600 c1 fin\n0.600 c1 x2 lost\n" C2("0.610") ANSWERED("0.610", "c2", "x1", "GET /a"),
      "GET /a recovered bitten retries=2 pooled=1", "GET /a recovered bitten retries=2 pooled=1" },
    { "16: a redirect is counted by hop", NULL,
      C1 ANSWERED("0.000", "c1", "x1", "GET /a") BITTEN("4.000", "c1", "x2", "GET /b") C2("9.000")
          ANSWERED("9.000", "c2", "x1", "GET /a") ANSWERED("9.001", "c2", "x2", "GET /b"),
      "GET /a answered untouched; GET /b bitten bitten; GET /a answered untouched; "
      "GET /b answered untouched",
      "GET /a answered untouched; GET /b recovered bitten retries=1; GET /a answered untouched" },
    { "16: unless the harness names it from its first hop", NULL,
      C1 "0.000 c1 x1 GET /a hangup_call=1\n0.000 c1 x1 answer 302\n" BITTEN("4.000", "c1", "x2",
                                                                             "GET /b hangup_call=1")
          C2("9.000") ANSWERED("9.000", "c2", "x1", "GET /b hangup_call=1"),
      "GET /a recovered bitten retries=1", NULL },
    { "a name that is used again after an answer is no hop", NULL,
      C1 ANSWERED("0.000", "c1", "x1", "GET /a hangup_call=1")
          ANSWERED("4.000", "c1", "x2", "GET /b hangup_call=1"),
      "GET /a answered untouched; GET /b answered untouched",
      "GET /a answered untouched duplicates=1" },
    { "a name that is given to what asks something else is perhaps a mistake", NULL,
      C1 BITTEN("1.000", "c1", "x1", "GET /a hangup_call=1") C2("2.000")
          ANSWERED("2.000", "c2", "x1", "GET /b hangup_call=1"),
      "GET /a bitten bitten; GET /b answered untouched", "GET /a recovered bitten retries=1" },
    { "and to another method", NULL,
      C1 BITTEN("1.000", "c1", "x1", "GET /a hangup_call=1") C2("2.000")
          ANSWERED("2.000", "c2", "x1", "HEAD /a hangup_call=1"),
      "GET /a bitten bitten; HEAD /a answered untouched executions=1",
      "GET /a recovered bitten retries=1 executions=1" },
    { "what it asked before is its own", NULL,
      C1 BITTEN("1.000", "c1", "x1", "GET /a?x hangup_call=1") C2("2.000")
          ANSWERED("2.000", "c2", "x1", "GET /a?y hangup_call=1"),
      "GET /a?x recovered bitten retries=1", "GET /a?x recovered bitten retries=1" },
    { "the absolute form asks the same", NULL,
      C1 BITTEN("1.000", "c1", "x1", "GET /a?b") C2("1.010")
          ANSWERED("1.010", "c2", "x1", "GET http://a.test/a?b"),
      "GET /a?b recovered bitten retries=1", "GET /a?b recovered bitten retries=1" },
    { "and so do octets that are encoded without need", NULL,
      C1 BITTEN("1.000", "c1", "x1", "GET /a/%3ab") C2("1.010")
          ANSWERED("1.010", "c2", "x1", "GET /%61/%3Ab"),
      "GET /a/%3ab recovered bitten retries=1", "GET /a/%3ab recovered bitten retries=1" },
    { "with a slash more it perhaps asks the same", NULL,
      C1 BITTEN("1.000", "c1", "x1", "GET /a/b") C2("1.010")
          ANSWERED("1.010", "c2", "x1", "GET //a/./b/"),
      "GET /a/b bitten bitten; GET //a/./b/ answered untouched",
      "GET /a/b recovered bitten retries=1" },
    { "41: an answer that is cut, and not asked for again", NULL,
      C1 "1.000 c1 x1 GET /a\n1.000 c1 x1 response_start status=200\n1.000 c1 cut\n"
         "1.000 c1 x1 lost\n",
      "GET /a bitten bitten", NULL },
    { "a request to another host is perhaps a retry there", NULL,
      C1 BITTEN("1.000", "c1", "x1", "GET /a authority=one") C2("1.010")
          ANSWERED("1.010", "c2", "x1", "GET /a authority=two"),
      "GET /a bitten bitten; GET /a answered untouched", "GET /a recovered bitten retries=1" },
    { "what was sent before the loss could be seen was not sent because of it", NULL,
      C1 "1.000 c1 fin to=1.050 from=1.040\n1.000 c1 x1 GET /a\n1.000 c1 x1 lost\n" C2("1.010")
          ANSWERED("1.010", "c2", "x1", "GET /a"),
      "GET /a bitten bitten; GET /a answered untouched", "GET /a recovered bitten retries=1" },
    { "a silent loss: at once it is a retry, later only perhaps", NULL,
      C1 "1.000 c1 x1 GET /a\n1.001 c1 stall\n" C2("1.200")
          ANSWERED("1.200", "c2", "x1", "GET /a") "3.000 c1 x2 GET /b\n" ANSWERED("6.000", "c2",
                                                                                  "x2", "GET /b"),
      "GET /a recovered bitten retries=1; GET /b bitten bitten; GET /b answered untouched",
      "GET /a recovered bitten retries=1; GET /b recovered bitten retries=1 pooled=1" },
    { "a silent loss that the client is seen to give up", NULL,
      C1 "1.000 c1 x1 GET /a\n1.001 c1 stall\n6.000 c1 peer_fin\n" C2("6.001")
          ANSWERED("6.001", "c2", "x1", "GET /a"),
      "GET /a recovered bitten retries=1", "GET /a recovered bitten retries=1" },
    { "44: an attempt that is held, and a second one, are a hedge if that was answered", NULL,
      C1 "0.000 c1 x1 GET /a\n0.000 c1 x1 delay\n1.000 c1 peer_fin\n"
         "1.000 c1 x1 exchange_lost lost_by=client_fin fault=F\n" C2("1.001")
             ANSWERED("1.001", "c2", "x1", "GET /a"),
      "GET /a recovered bitten held retries=1", "GET /a recovered bitten held retries=1" },
    { "77: retries onto other dead connections of the pool are told apart", NULL,
      C1 C2("0.000") ANSWERED("0.100", "c1", "x1", "GET /a") ANSWERED("0.200", "c2", "x1", "GET /b")
          BITTEN("1.000", "c1", "x2", "GET /c")
              BITTEN("1.010", "c2", "x2", "GET /c") "1.020 c3 open\n" ANSWERED("1.020", "c3", "x1",
                                                                               "GET /c"),
      "GET /a answered untouched; GET /b answered untouched; "
      "GET /c recovered bitten retries=2 pooled=1",
      "GET /a answered untouched; GET /b answered untouched; "
      "GET /c recovered bitten retries=2 pooled=1" },
    { "a call long after another", NULL,
      "0.000 c9 open\n" ANSWERED(
          "0.000", "c9", "x1",
          "GET /z") "0.500 c9 peer_settings\n0.600 c9 peer_settings\n1.000 c9 peer_settings\n"
                    "60.000 c1 open\n" BITTEN("61.000", "c1", "x1", "POST /a") C2("61.010")
                        ANSWERED("61.010", "c2", "x1", "POST /a") "61.020 c2 x1 response_acked "
                                                                  "proof=ping_ack\n",
      "GET /z answered untouched; POST /a recovered bitten retries=1 executions=1", NULL },
    { "an answer beyond within is late", NULL,
      C1 BITTEN("1.000", "c1", "x1", "GET /a hangup_call=1") C2("12.000")
          ANSWERED("12.000", "c2", "x1", "GET /a hangup_call=1"),
      "GET /a recovered bitten late retries=1", "GET /a recovered bitten late retries=1" },
};

/* --- R2 */

#define USED     "0.000 c1 open\n" ANSWERED("0.000", "c1", "x1", "GET /a")
#define REUSES   USED ANSWERED("0.100", "c1", "x2", "GET /a")
#define USED_H2  "0.000 c1 open h2\n" ANSWERED("0.000", "c1", "x1", "GET /a stream=1")
#define NEXT(at) C2(at) ANSWERED(at, "c2", "x1", "GET /b")
#define ONE      "GET /a answered untouched; GET /b "
#define TWO      "GET /a answered untouched; GET /a answered untouched; GET /b "
#define DUE      "rule=0 due_in=7"

__attribute__((unused)) static const struct scenario exposures[] = {
    { "17: RST while idle, and the next call elsewhere: avoided, as far as the wire tells", NULL,
      REUSES "3.000 c1 rst\n" NEXT("6.000"), TWO "answered avoided proven", NULL },
    { "19: the client sees the FIN and ends its side at once", NULL,
      REUSES "3.000 c1 fin\n3.001 c1 peer_fin crossed=false\n"
             "3.001 c1 connection_end by=fault how=fin\n" NEXT("3.500"),
      TWO "answered avoided proven", NULL },
    { "19: it looks only when it takes the connection", NULL,
      REUSES "3.000 c1 fin\n3.500 c1 peer_fin crossed=false\n" NEXT("3.500"),
      TWO "answered avoided proven", NULL },
    { "avoided, by a client that was never seen to reuse", NULL,
      USED "3.000 c1 fin\n" NEXT("3.500"), ONE "answered avoided", NULL },
    { "avoided, by a client that reuses in its control", REUSES,
      USED "3.000 c1 fin\n" NEXT("3.500"), ONE "answered avoided proven", NULL },
    { "20: a lazy evictor closes before the fault is due: the call would not have met it", NULL,
      REUSES "3.000 c1 peer_fin\n3.000 c1 connection_end by=client how=fin " DUE "\n" NEXT("3.001"),
      TWO "answered untouched", NULL },
    { "20: and when it would have been there", NULL,
      REUSES "3.000 c1 peer_fin\n3.000 c1 connection_end by=client how=fin " DUE
             "\n" NEXT("11.001"),
      TWO "answered pre-empted proven", NULL },
    { "it leaves the connection long before, and the call comes just before the fault would", NULL,
      REUSES "1.500 c1 peer_fin\n1.500 c1 connection_end by=client how=fin " DUE "\n" NEXT("8.400"),
      TWO "answered untouched", NULL },
    { "it leaves a connection that nothing was to befall", NULL,
      REUSES "3.000 c1 peer_fin\n3.000 c1 connection_end by=client how=fin\n" NEXT("3.001"),
      TWO "answered untouched", NULL },
    { "the server leaves it, in good order", NULL,
      REUSES "3.000 c1 connection_end by=server how=fin " DUE "\n" NEXT("3.001"),
      TWO "answered untouched", NULL },
    { "it leaves just before the fault is due: perhaps for a reason of its own", NULL,
      REUSES
      "3.000 c1 peer_fin\n3.000 c1 connection_end by=client how=fin rule=0 due_in=0.05\n" NEXT(
          "3.500"),
      TWO "answered untouched", NULL },
    { "it says that it never reuses, and needs no proof", NULL,
      "0.000 c1 open\n" ANSWERED(
          "0.000", "c1", "x1",
          "GET /a connection_header=Foo,Close") "0.001 c1 connection_end by=server how=fin "
                                                "rule=0\n" NEXT("3.000"),
      ONE "answered pre-empted proven", NULL },
    { "22: another idle connection was there, by luck", NULL,
      USED C2("0.000") ANSWERED("0.100", "c2", "x1",
                                "GET /a") "3.000 c1 fin\n" ANSWERED("3.500", "c2", "x2", "GET /b"),
      TWO "answered untouched", NULL },
    { "another idle connection was there, and it opened a third", NULL,
      USED C2("0.000") ANSWERED("0.200", "c1", "x2", "GET /a")
          ANSWERED("0.100", "c2", "x1", "GET /a") "3.000 c1 fin\n3.500 c3 open\n" ANSWERED(
              "3.500", "c3", "x1", "GET /b"),
      "GET /a answered untouched; GET /a answered untouched; GET /a answered untouched; "
      "GET /b answered untouched",
      NULL },
    { "23: a spare connection dies, the used one goes on", NULL,
      USED C2("0.000") "3.000 c2 fin\n" ANSWERED("3.500", "c1", "x2", "GET /b"),
      ONE "answered untouched", NULL },
    { "23: the spare one is used, as it was there before the fault", NULL,
      REUSES C2("0.000") "3.000 c1 fin\n" ANSWERED("3.500", "c2", "x1", "GET /b"),
      TWO "answered untouched", NULL },
    { "25: the client's own limit is up as the FIN comes", NULL,
      REUSES "3.000 c1 fin\n3.0004 c1 peer_fin crossed=true\n" NEXT("3.500"),
      TWO "answered untouched", NULL },
    { "25: or that is not told", NULL, REUSES "3.000 c1 fin\n3.0004 c1 peer_fin\n" NEXT("3.500"),
      TWO "answered untouched", NULL },
    { "26: it drops its pool in the background, before the fault", NULL,
      REUSES
      "1.000 mark background\n1.010 c1 peer_fin\n"
      "1.010 c1 connection_end by=client how=fin rule=0\n4.000 mark foreground\n" NEXT("4.100"),
      TWO "answered pre-empted proven", NULL },
    { "it tried the dead one as well", NULL,
      REUSES "3.000 c1 fin\n3.400 c1 stale_bytes bytes=5 sent_into=fin_sent\n" NEXT("3.500"),
      TWO "answered untouched", NULL },
    { "the dead one had a request open: that call is bitten, the next is not", NULL,
      USED BITTEN("1.000", "c1", "x2", "GET /a") NEXT("5.000"),
      "GET /a answered untouched; GET /a bitten bitten; GET /b answered untouched", NULL },
    { "a forgotten connection, which the client leaves by itself", NULL,
      REUSES "3.000 c1 forget\n3.400 c1 stale_bytes bytes=0 sent_into=forgotten\n" NEXT("3.500"),
      TWO "answered avoided proven", NULL },
    { "a stalled one", NULL, REUSES "3.000 c1 stall\n" NEXT("3.500"), TWO "answered avoided proven",
      NULL },
    { "a connection of another listener is no way out", NULL,
      REUSES "3.000 c1 fin\n3.500 c2 open listener=http\n" ANSWERED("3.500", "c2", "x1", "GET /b"),
      TWO "answered untouched", NULL },
    { "GOAWAY: the next call elsewhere while this one is open", NULL,
      USED_H2 "0.200 c1 x2 GET /a stream=3\n1.000 c1 goaway last_stream=3\n" NEXT("3.500"),
      "GET /a answered untouched; GET /a open untouched; GET /b answered avoided proven", NULL },
    { "32: a notice of GOAWAY bites nobody", NULL,
      USED_H2 "0.100 c1 goaway_notice\n" ANSWERED("0.500", "c1", "x2", "GET /b stream=3"),
      ONE "answered untouched", NULL },
    { "a fault of which nothing tells whether it took effect", NULL,
      REUSES "3.000 c1 fault fin\n" NEXT("3.500"), TWO "answered unknown", NULL },
    { "a fault that took no effect", NULL,
      REUSES "3.000 c1 fault fin\n3.000 c1 fault_done in_effect=false\n" NEXT("3.500"),
      TWO "answered untouched", NULL },
    { "a slow answer is no bite", NULL,
      USED "1.000 c1 x2 GET /b\n1.000 c1 x2 delay\n3.000 c1 fault_done\n3.000 c1 x2 answer\n",
      ONE "answered untouched held", NULL },
    { "82: a stream that crossed GOAWAY was refused", NULL,
      USED_H2 "3.000 c1 goaway last_stream=1 from=3.010 to=3.011\n"
              "3.005 c1 stale GET /b stream=3 sent_into=goaway\n",
      ONE "bitten bitten", NULL },
    { "50: refused, and served on the same connection", NULL,
      USED_H2 "1.000 c1 x2 refuse\n1.000 c1 x2 GET /b stream=3\n1.000 c1 x2 lost\n" ANSWERED(
          "1.010", "c1", "x3", "GET /b stream=5"),
      ONE "recovered bitten retries=1 pooled=1", NULL },
    { "83: 503 by a rule, and asked again", NULL,
      USED "1.000 c1 x2 GET /b\n1.000 c1 x2 respond\n1.000 c1 x2 answer 503\n" ANSWERED(
          "1.100", "c1", "x3", "GET /b"),
      ONE "recovered bitten retries=1 pooled=1", NULL },
    { "61: the original executes late", NULL,
      "0.000 c1 open\n1.000 c1 x1 POST /p\n1.000 c1 black_hole\n" C2("1.200")
          ANSWERED("1.200", "c2", "x1", "POST /p") "11.000 c1 heal\n11.000 c1 x1 processed\n",
      "POST /p recovered bitten retries=1 executions=2", NULL },
};

/* --- R7 */

__attribute__((unused)) static const struct scenario silences[] = {
    { "23 of the cells: SYNs are dropped, then it connects", NULL,
      "0.500 drop_syn\n1.000 syn_dropped listener=https peer=a\n"
      "2.000 syn_dropped listener=https peer=a\n4.000 syn_dropped listener=https peer=a\n"
      "5.000 listen\n" C2("8.000") ANSWERED("8.000", "c2", "x1", "GET /a"),
      "GET /a recovered bitten anonymous", NULL },
    { "it connects so late that this is perhaps another call", NULL,
      "0.500 drop_syn\n1.000 syn_dropped listener=https peer=a\n" C2("60.000")
          ANSWERED("60.000", "c2", "x1", "GET /a"),
      "GET /a recovered bitten presumed anonymous late", NULL },
    { "SYNs of another listener", NULL,
      "0.500 drop_syn\n1.000 syn_dropped listener=http peer=a\n" C2("2.000")
          ANSWERED("2.000", "c2", "x1", "GET /a"),
      "GET /a answered untouched; ? ? bitten bitten presumed anonymous", NULL },
    { "it has a connection, and uses that", NULL,
      USED "0.500 drop_syn\n1.000 syn_dropped listener=https peer=a\n" ANSWERED("2.000", "c1", "x2",
                                                                                "GET /b"),
      ONE "answered untouched; ? ? bitten bitten presumed anonymous", NULL },
    { "58: a handshake that stalls, and nothing more", NULL,
      "1.000 c1 open\n1.000 c1 client_hello\n1.000 c1 stall trigger=client_hello\n"
      "4.000 c1 peer_fin\n4.000 c1 connection_end by=client how=fin in=handshake\n",
      "? ? bitten bitten presumed anonymous", NULL },
    { "58: a handshake that stalls, and another that does not", NULL,
      "1.000 c1 open\n1.000 c1 client_hello\n1.000 c1 stall trigger=client_hello\n"
      "4.000 c1 peer_fin\n4.000 c1 connection_end by=client how=fin in=handshake\n" C2("4.001")
          ANSWERED("4.001", "c2", "x1", "GET /a"),
      "GET /a recovered bitten anonymous", NULL },
    { "58: accepted, and silent", NULL,
      "1.000 c1 open\n1.000 c1 stall trigger=accept\n"
      "1.001 c1 stale_bytes bytes=517 sent_into=stalled\n4.000 c1 peer_fin\n" C2("4.001")
          ANSWERED("4.001", "c2", "x1", "GET /a"),
      "GET /a recovered bitten anonymous", NULL },
    { "23: a spare connection that dies idle is no call", NULL,
      "0.000 c1 open\n0.000 c1 client_hello\n3.000 c1 fin\n" C2("4.000")
          ANSWERED("4.000", "c2", "x1", "GET /a"),
      "GET /a answered untouched", NULL },
    { "22: a probe, then an eviction's FIN went into the hole, and the next call elsewhere", NULL,
      REUSES "3.000 c1 black_hole\n6.000 c1 segments_dropped segments=1 data=0 probes=1\n"
             "9.000 c1 segments_dropped segments=1 data=0 probes=0 fins=1\n" NEXT("10.000"),
      TWO "answered avoided proven", NULL },
    { "55, 56: a probe, then a request, whose time is known", NULL,
      REUSES
      "3.000 c1 black_hole\n18.000 c1 segments_dropped segments=1 data=0 probes=1\n"
      "30.500 c1 segments_dropped segments=1 data=1 data_bytes=99 first_data=30.0\n" NEXT("31.000"),
      "GET /a answered untouched; GET /a answered untouched; ? ? unknown bitten presumed; "
      "GET /b answered untouched",
      "GET /a answered untouched; GET /a answered untouched; ? ? unknown bitten presumed "
      "hedges=1" },
    { "it is not told what went into the hole", NULL,
      REUSES "3.000 c1 black_hole\n10.000 c1 segments_dropped segments=2\n" NEXT("10.000"),
      "GET /a answered untouched; GET /a answered untouched; ? ? unknown bitten presumed; "
      "GET /b answered untouched",
      "GET /a answered untouched; GET /a answered untouched; ? ? unknown bitten presumed "
      "hedges=1" },
};

__attribute__((unused)) static const struct {
    const struct scenario *list;
    size_t count;
} all_scenarios[] = {
    { joins, sizeof joins / sizeof *joins },
    { exposures, sizeof exposures / sizeof *exposures },
    { silences, sizeof silences / sizeof *silences },
};
