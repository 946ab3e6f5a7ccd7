/* Each transition of an attempt and of a connection by itself (section 2), and each kind of fault
 * (section 3), R3 and R4. */
#include "verdict_rig.h"

struct row {
    const char *title, *script, *attempts;
    const char *now; /* until when time goes on; NULL: to the last event */
};

#define H1    "0.000 c1 open\n"
#define H2    "0.000 c1 open h2\n"
#define GET_A "1.000 c1 x1 GET /a\n"
#define S1    "1.000 c1 x1 GET /a stream=1\n"
/* A GOAWAY that is not ACKed yet. */
#define PROMISES(more)                                                                             \
    "1.100 c1 fault goaway class=refuses scope=connection last_stream=1" more                      \
    "\n1.100 c1 fault_done step=goaway in_effect=true\n"

/* "PROGRESS TROUBLE [first/last fault by number]" of each attempt, in their order. */
static const struct row attempts[] = {
    { "a request of which the first byte is there", H1 "1.000 c1 x1 request complete=false\n",
      "begun fine", NULL },
    { "its head", H1 "1.000 c1 x1 GET /a -whole\n", "told fine", NULL },
    { "its last byte", H1 GET_A, "whole fine", NULL },
    { "its answer begins", H1 GET_A "1.100 c1 x1 response_start status=200\n", "answering fine",
      NULL },
    { "its answer begins before it is whole",
      H1 "1.000 c1 x1 GET /a -whole\n1.100 c1 x1 response_start status=413\n", "answering fine",
      NULL },
    { "handed, and not ACKed yet", H1 GET_A "1.100 c1 x1 response_end status=200\n", "handed fine",
      NULL },
    { "handed, never ACKed, and the connection is over",
      H1 GET_A "1.100 c1 x1 response_end status=200\n1.200 c1 connection_end by=client how=rst\n",
      "handed unconfirmed", NULL },
    { "37: read, then RST in place of the delayed ACK",
      H1 GET_A "1.100 c1 x1 response_end status=200\n1.105 c1 peer_rst\n"
               "1.105 c1 connection_end by=client how=rst\n",
      "handed unconfirmed", NULL },
    { "ACKed on a direct path", H1 GET_A "1.100 c1 x1 answer\n", "acked fine", NULL },
    { "ACKed, and the client's RST right behind that",
      H1 GET_A "1.100 c1 x1 answer\n1.101 c1 peer_rst\n"
               "1.101 c1 connection_end by=client how=rst\n",
      "acked unconfirmed", NULL },
    { "ACKed, and the client's close_notify and RST right behind that",
      H1 GET_A "1.100 c1 x1 answer\n1.101 c1 peer_close_notify\n1.102 c1 peer_rst\n"
               "1.102 c1 connection_end by=client how=rst\n",
      "acked unconfirmed", NULL },
    { "ACKed, and the client's FIN and RST right behind that",
      H1 GET_A "1.100 c1 x1 answer\n1.101 c1 peer_fin\n1.102 c1 peer_rst\n"
               "1.102 c1 connection_end by=client how=rst\n",
      "acked unconfirmed", NULL },
    { "ACKed, and the client's GOAWAY and RST right behind that",
      H2 S1 "1.100 c1 x1 answer\n1.101 c1 peer_goaway\n1.102 c1 peer_rst\n"
            "1.102 c1 connection_end by=client how=rst\n",
      "acked unconfirmed", NULL },
    { "ACKed, and the client resets its stream",
      H2 S1 "1.100 c1 x1 answer\n1.101 c1 peer_rst_stream stream=1 error=CANCEL\n",
      "acked unconfirmed", NULL },
    { "ACKed, and the client resets its stream long after: it has not read its end by then",
      H2 S1 "1.100 c1 x1 answer\n3.000 c1 peer_rst_stream stream=1 error=CANCEL\n",
      "acked unconfirmed", NULL },
    { "the client resets its stream, and reads on",
      H2 S1 "1.100 c1 x1 answer\n1.101 c1 peer_rst_stream stream=1 error=CANCEL\n"
            "1.200 c1 x1 response_acked proof=ping_ack\n",
      "confirmed unconfirmed", NULL },
    { "handed, and the client resets its stream before the exchange is over",
      H2 S1 "1.100 c1 x1 response_end status=200\n1.101 c1 x1 peer_rst_stream stream=1\n"
            "1.200 c1 x1 response_acked proof=ack\n",
      "acked unconfirmed", NULL },
    { "confirmed, and the client resets its stream",
      H2 S1 "1.100 c1 x1 answer\n1.200 c1 x1 response_acked proof=ping_ack\n"
            "1.201 c1 peer_rst_stream stream=1\n",
      "confirmed fine", NULL },
    { "the client resets another stream",
      H2 S1 "1.100 c1 x1 answer\n1.101 c1 peer_rst_stream stream=3\n", "acked fine", NULL },
    { "ACKed, the client's close_notify, and its RST long after",
      H1 GET_A "1.100 c1 x1 answer\n1.101 c1 peer_close_notify\n1.250 c1 peer_rst\n"
               "1.250 c1 connection_end by=client how=rst\n",
      "acked unconfirmed", NULL },
    { "confirmed, and the client's close_notify and RST right behind that",
      H1 GET_A "1.100 c1 x1 answer\n1.101 c1 x1 response_acked proof=next_request\n"
               "1.102 c1 peer_close_notify\n1.102 c1 peer_rst\n"
               "1.102 c1 connection_end by=client how=rst\n",
      "confirmed fine", NULL },
    { "ACKed, and the client's RST long after",
      H1 GET_A "1.100 c1 x1 answer\n1.250 c1 peer_rst\n"
               "1.250 c1 connection_end by=client how=rst\n",
      "acked unconfirmed", NULL },
    { "ACKed, and the client's RST six seconds after",
      H1 GET_A "1.100 c1 x1 answer\n7.100 c1 peer_rst\n"
               "7.100 c1 connection_end by=client how=rst\n",
      "acked fine", NULL },
    { "confirmed, and the client's RST right behind that",
      H1 GET_A "1.100 c1 x1 answer\n1.101 c1 x1 response_acked proof=next_request\n"
               "1.102 c1 peer_rst\n1.102 c1 connection_end by=client how=rst\n",
      "confirmed fine", NULL },
    { "ACKed by a relay", "0.000 c1 open path=relayed\n" GET_A "1.100 c1 x1 answer\n",
      "acked unconfirmed", NULL },
    { "ACKed by a gateway", "0.000 c1 open path=gateway\n" GET_A "1.100 c1 x1 answer\n",
      "acked unconfirmed", NULL },
    { "ACKed on a path that is not told", "0.000 c1 open -path\n" GET_A "1.100 c1 x1 answer\n",
      "acked unconfirmed", NULL },
    { "confirmed behind a relay",
      "0.000 c1 open path=relayed\n" GET_A
      "1.100 c1 x1 answer\n1.200 c1 x1 response_acked proof=next_request\n",
      "confirmed fine", NULL },
    { "35: ACKed by the kernel of a suspended app",
      H1 GET_A "1.050 mark background\n2.000 c1 x1 answer\n", "acked unconfirmed", NULL },
    { "35: the same, and the app comes back with nothing to show",
      H1 GET_A "1.050 mark background\n2.000 c1 x1 answer\n3.000 mark foreground\n",
      "acked unconfirmed", NULL },
    { "ACKed after the app came back",
      H1 GET_A "1.050 mark background\n3.000 mark foreground\n3.100 c1 x1 answer\n", "acked fine",
      NULL },
    { "ACKed while the mark was being set",
      H1 GET_A "2.000 c1 x1 answer\n2.010 mark background from=1.990 to=2.010\n",
      "acked unconfirmed", NULL },
    { "ACKed, and our RST within grace", H1 GET_A "1.100 c1 x1 answer\n1.150 c1 rst\n",
      "acked doubtful 1/1", NULL },
    { "ACKed, and our RST long after", H1 GET_A "1.100 c1 x1 answer\n1.250 c1 rst\n", "acked fine",
      NULL },
    { "read, and our RST within grace",
      H1 GET_A "1.100 c1 x1 answer\n1.110 c1 x1 response_acked proof=ping_ack\n1.150 c1 rst\n",
      "confirmed fine", NULL },
    { "ACKed, and an RST of our kernel's within grace",
      H1 GET_A "1.100 c1 x1 answer\n1.150 c1 connection_end by=server how=rst\n", "acked doubtful",
      NULL },
    { "answered by a rule", H1 GET_A "1.000 c1 x1 respond class=says\n1.100 c1 x1 answer 404\n",
      "acked doubtful", NULL },
    { "40: a range that is answered with the whole",
      H1 "1.000 c1 x1 GET /a range=bytes=100-\n1.100 c1 x1 answer 200\n", "acked doubtful", NULL },
    { "a range that is answered with a part",
      H1 "1.000 c1 x1 GET /a range=bytes=100-\n1.100 c1 x1 answer 206\n", "acked fine", NULL },

    { "FIN while it is open", H1 GET_A "1.100 c1 fin\n", "whole bitten 1/1", NULL },
    { "FIN, and the loss", H1 GET_A "1.100 c1 fin\n1.100 c1 x1 lost\n", "whole lost 1/1", NULL },
    { "FIN, and the end of the connection",
      H1 GET_A "1.100 c1 fin\n2.100 c1 connection_end by=fault how=fin\n", "whole lost 1/1", NULL },
    { "FIN at its first byte", H1 "1.000 c1 fin\n1.000 c1 x1 GET /a\n", "whole bitten 1/1", NULL },
    { "FIN, then a request into it", H1 "1.000 c1 fin\n2.000 c1 stale GET /a\n", "whole bitten 1/1",
      NULL },
    { "a FIN that was none", H1 GET_A "1.100 c1 fault fin\n1.100 c1 fault_done in_effect=false\n",
      "whole fine", NULL },
    { "a FIN that was none, and one that was",
      H1 GET_A "1.100 c1 fault fin\n1.100 c1 fault_done in_effect=false\n1.200 c1 rst\n",
      "whole bitten 2/2", NULL },
    { "a FIN that was none, at a first byte",
      H1 "1.000 c1 fault fin\n" GET_A "1.000 c1 fault_done in_effect=false\n1.100 c1 x1 answer\n",
      "acked fine", NULL },
    { "handed before the FIN",
      H1 GET_A "1.100 c1 x1 response_end status=200\n1.100 c1 fin\n"
               "1.100 c1 x1 response_acked\n",
      "acked fine", NULL },
    { "handed behind a fault that ends", H1 GET_A "1.100 c1 fault fin\n1.100 c1 x1 answer\n",
      "acked doubtful 1/1", NULL },
    { "RST", H1 GET_A "1.100 c1 rst\n1.100 c1 x1 lost\n", "whole lost 1/1", NULL },
    { "close_notify alone", H1 GET_A "1.100 c1 close_notify\n", "whole bitten 1/1", NULL },
    { "a stall", H1 GET_A "1.100 c1 stall\n", "whole bitten 1/1", NULL },
    { "a request into a stall", H1 "0.500 c1 stall\n" GET_A, "whole bitten 1/1", NULL },
    { "a stall, and resume", H1 GET_A "1.100 c1 stall\n2.000 c1 resume\n", "whole fine 1/1", NULL },
    { "a stall, resume, and an answer",
      H1 GET_A "1.100 c1 stall\n2.000 c1 resume\n2.000 c1 x1 answer\n", "acked fine 1/1", NULL },
    { "a stall, and a resume that came too late",
      H1 GET_A "1.100 c1 stall\n2.000 c1 fault resume\n2.000 c1 fault_done in_effect=false\n",
      "whole bitten 1/1", NULL },
    { "a stall that ends with the connection is not resumed",
      H1 GET_A "1.100 c1 stall\n2.000 c1 fault_done why=over\n", "whole bitten 1/1", NULL },
    { "a stall, and the client leaves", H1 GET_A "1.100 c1 stall\n3.000 c1 peer_fin\n",
      "whole abandoned 1/1", NULL },
    { "a stall, the client leaves, and resume comes too late for it",
      H1 GET_A "1.100 c1 stall\n3.000 c1 peer_fin\n4.000 c1 resume\n", "whole abandoned 1/1",
      NULL },
    { "a stall, the end of the connection, and resume",
      H1 GET_A "1.100 c1 stall\n3.000 c1 connection_end by=network how=error\n4.000 c1 resume\n",
      "whole lost 1/1", NULL },
    { "a stall, and the client resets", H1 GET_A "1.100 c1 stall\n3.000 c1 peer_rst\n",
      "whole abandoned 1/1", NULL },
    { "a FIN, and the client leaves", H1 GET_A "1.100 c1 fin\n1.101 c1 peer_fin\n",
      "whole bitten 1/1", NULL },
    { "the client cancels", H2 S1 "2.000 c1 x1 peer_rst_stream stream=1 error=CANCEL\n",
      "whole abandoned", NULL },
    { "the client leaves",
      H1 GET_A "2.000 c1 peer_fin\n2.000 c1 x1 lost lost_by=client_fin -fault\n", "whole abandoned",
      NULL },
    { "the client ends its side alone, and reads the answer",
      H1 GET_A "1.010 c1 peer_fin\n1.100 c1 x1 answer\n"
               "1.200 c1 x1 response_acked proof=ping_ack\n",
      "confirmed fine", NULL },
    { "the client ends its side, and its kernel ACKs the answer",
      H1 GET_A "1.010 c1 peer_fin\n1.100 c1 x1 answer\n", "acked doubtful", NULL },
    { "the client's GOAWAY alone is no end", H2 S1 "1.010 c1 peer_goaway last_stream=0\n",
      "whole fine", NULL },
    { "lost to the server's own", H1 GET_A "2.000 c1 x1 lost lost_by=timeout -fault\n",
      "whole lost", NULL },

    { "a delay within grace", H1 GET_A "1.000 c1 x1 delay\n", "whole fine", "1.050" },
    { "a delay beyond grace", H1 GET_A "1.000 c1 x1 delay\n", "whole held", "1.150" },
    { "a delay that is over", H1 GET_A "1.000 c1 x1 delay\n3.000 c1 fault_done\n", "whole fine",
      "3.100" },
    { "a delay, and the answer", H1 GET_A "1.000 c1 x1 delay\n3.000 c1 x1 answer\n", "acked fine",
      NULL },
    { "a hold, at its first byte", H1 "1.000 c1 x1 hold\n" GET_A, "whole held", "3.000" },
    { "a hold that was none, at its first byte",
      H1 "1.000 c1 x1 fault hold\n1.000 c1 fault_done in_effect=false\n" GET_A, "whole fine",
      "3.000" },
    { "a hold of another exchange", H1 "1.000 c1 x2 hold\n" GET_A, "whole fine", "3.000" },
    { "a hold inside the answer",
      H1 GET_A "1.000 c1 x1 response_start status=200\n1.500 c1 x1 hold\n", "answering held",
      "3.000" },
    { "a hold, and the client gives up",
      H1 GET_A "1.000 c1 x1 hold\n4.000 c1 peer_fin\n4.000 c1 x1 lost lost_by=client_fin\n",
      "whole abandoned", NULL },
    { "lost-answer",
      H1 GET_A "1.000 c1 x1 processed\n1.000 c1 x1 hold\n1.010 c1 fin\n"
               "1.010 c1 x1 lost fault=F1 last_fault=F2\n",
      "whole lost 1/2", NULL },
    { "no window, and content to come",
      H2 "0.500 c1 window\n1.000 c1 x1 POST /a content_length=9 -whole\n", "told held", "2.500" },
    { "a window that is only said",
      H2 "0.500 c1 window class=says\n1.000 c1 x1 POST /a content_length=9 -whole\n", "told fine",
      "2.500" },
    { "an alert that only warns", H1 "0.500 c1 alert class=says\n" GET_A, "whole fine", NULL },
    { "no window, and no content", H2 "0.500 c1 window\n" S1, "whole fine", "2.500" },
    { "no window, and it is whole within 1 s",
      H2 "0.500 c1 window\n1.000 c1 x1 POST /a content_length=9 -whole\n"
         "1.900 c1 x1 request_complete body_bytes=9\n",
      "whole fine", "2.500" },
    { "a slow answer", H1 "0.500 c1 drip\n" GET_A "1.100 c1 x1 response_start status=200\n",
      "answering held", "2.500" },
    { "a slow answer that is whole within 1 s",
      H1 "0.500 c1 drip\n" GET_A "1.100 c1 x1 response_start status=200\n1.900 c1 x1 answer\n",
      "acked fine", "2.500" },

    { "GOAWAY above its stream", H2 S1 "1.100 c1 goaway last_stream=0\n", "whole refused 1/1",
      NULL },
    { "GOAWAY at its stream", H2 S1 "1.100 c1 goaway last_stream=1\n", "whole fine", NULL },
    { "GOAWAY at its stream, then FIN", H2 S1 "1.100 c1 goaway last_stream=1\n1.200 c1 fin\n",
      "whole bitten 2/2", NULL },
    { "GOAWAY above its stream and FIN, told before it is",
      H2 "1.000 c1 goaway last_stream=1\n1.000 c1 fin\n" S1, "whole bitten 2/2", NULL },
    { "GOAWAY at its stream, and it is answered",
      H2 S1 "1.100 c1 goaway last_stream=1\n1.200 c1 x1 answer\n", "acked fine", NULL },
    { "GOAWAY that holds on",
      H2 S1 "1.100 c1 goaway last_stream=1 arguments={\"then_hold\":true}\n", "whole held",
      "1.300" },
    { "GOAWAY at its stream, which the client cancels as it reads that",
      H2 S1 PROMISES("") "1.103 c1 x1 peer_rst_stream stream=1 error=CANCEL\n"
                         "1.105 c1 fault_acked from=1.100 to=1.105\n",
      "whole abandoned 1/1", NULL },
    { "GOAWAY at its stream, and the client leaves when it has that",
      H2 S1 PROMISES("") "1.105 c1 fault_acked from=1.100 to=1.105\n"
                         "1.130 c1 peer_fin\n",
      "whole abandoned 1/1", NULL },
    { "GOAWAY that holds on, and the client leaves when it has that",
      H2 S1 PROMISES(" arguments={\"then_hold\":true}") "1.105 c1 fault_acked from=1.100 "
                                                        "to=1.105\n1.130 c1 peer_fin\n",
      "whole abandoned 1/1", NULL },
    { "GOAWAY at its stream, which the client cancelled before that could be there",
      H2 S1 PROMISES("") "1.103 c1 x1 peer_rst_stream stream=1 error=CANCEL\n"
                         "1.140 c1 fault_acked from=1.120 to=1.140\n",
      "whole abandoned", NULL },
    { "GOAWAY at its stream, which the client cancels long after that",
      H2 S1 PROMISES("") "1.105 c1 fault_acked from=1.100 to=1.105\n"
                         "3.000 c1 x1 peer_rst_stream stream=1 error=CANCEL\n",
      "whole abandoned", NULL },
    { "GOAWAY at its stream, which the client cancels, and nothing tells when it had that",
      H2 S1 PROMISES("") "1.103 c1 x1 peer_rst_stream stream=1 error=CANCEL\n", "whole abandoned",
      NULL },
    { "a stream behind GOAWAY",
      H2 "0.500 c1 goaway last_stream=0\n1.000 c1 stale GET /a stream=1 sent_into=goaway\n",
      "whole refused 1/1", NULL },
    { "a notice of GOAWAY", H2 "0.500 c1 goaway_notice\n" S1, "whole fine", NULL },
    { "REFUSED_STREAM at its head", H2 "1.000 c1 x1 refuse\n" S1 "1.000 c1 x1 lost\n",
      "whole refused 1/1", NULL },
    { "RST_STREAM", H2 S1 "1.100 c1 x1 rst_stream\n1.100 c1 x1 lost\n", "whole lost 1/1", NULL },
    { "RST_STREAM of another stream", H2 S1 "1.100 c1 x7 rst_stream\n", "whole fine", NULL },
    { "79: too many streams before the client had our SETTINGS",
      H2 "0.000 c1 max_streams\n" S1 "1.000 c1 x1 lost\n2.000 c1 peer_settings_ack\n",
      "whole refused 1/1", NULL },
    { "79: too many streams after that",
      H2 "0.000 c1 max_streams\n0.100 c1 peer_settings_ack\n" S1 "1.000 c1 x1 lost\n", "whole lost",
      NULL },
    { "503 by a rule", H1 GET_A "1.000 c1 x1 respond\n1.000 c1 x1 answer 503\n",
      "acked refused 1/1", NULL },
    { "503 by a rule at its first byte",
      H1 "1.000 c1 x1 respond\n" GET_A "1.000 c1 x1 answer 503\n", "acked refused 1/1", NULL },

    { "41: cut in the middle",
      H1 GET_A "1.000 c1 x1 response_start status=200\n1.000 c1 cut\n"
               "1.100 c1 x1 lost\n",
      "answering lost 1/1", NULL },
    { "an answer that is shorter than the cut",
      H1 GET_A "1.000 c1 fault cut\n1.000 c1 x1 answer\n1.000 c1 fault_done in_effect=false\n",
      "acked fine", NULL },
    { "garbage in the answer", H1 GET_A "1.000 c1 x1 inject\n1.000 c1 x1 answer\n",
      "acked doubtful 1/1", NULL },

    { "a black hole while it is open", H1 GET_A "1.100 c1 black_hole\n", "whole bitten 1/1", NULL },
    { "a black hole that heals", H1 GET_A "1.100 c1 black_hole\n5.000 c1 heal\n", "whole fine 1/1",
      NULL },
    { "nobody knows what went into a hole",
      H1 "3.000 c1 black_hole\n30.100 c1 segments_dropped segments=1\n",
      "begun unknown 1/1 presumed", NULL },
    { "55: a probe is no request",
      H1 GET_A "1.100 c1 x1 answer\n3.000 c1 black_hole\n"
               "18.000 c1 segments_dropped segments=1 data=0 probes=1 fins=0\n",
      "acked fine", NULL },
    { "55: nor is the FIN of who leaves",
      H1 GET_A "1.100 c1 x1 answer\n3.000 c1 black_hole\n"
               "18.000 c1 segments_dropped segments=1 data=0 probes=0 fins=1\n",
      "acked fine", NULL },
    { "nor a close_notify before it",
      H1 "0.000 c1 client_hello\n" GET_A "1.100 c1 x1 answer\n3.000 c1 black_hole\n"
         "18.000 c1 segments_dropped segments=2 data=1 data_bytes=24 first_data=18.0 fins=1\n",
      "acked fine", NULL },
    { "so little in cleartext may be one",
      H1 "3.000 c1 black_hole\n"
         "18.000 c1 segments_dropped segments=2 data=1 data_bytes=24 first_data=18.0 fins=1\n",
      "begun unknown 1/1 presumed", NULL },
    { "data is, behind a probe",
      H1 "3.000 c1 black_hole\n18.000 c1 segments_dropped segments=1 data=0 probes=1\n"
         "30.500 c1 segments_dropped segments=1 data=1 data_bytes=99 first_data=30.0\n",
      "begun unknown 1/1 presumed", NULL },
    { "who waits in a hole gives up by its FIN",
      H1 GET_A "1.100 c1 black_hole\n5.000 c1 segments_dropped segments=1 data=0 fins=1\n",
      "whole abandoned 1/1", NULL },
    { "or by RST",
      H1 GET_A "1.100 c1 black_hole\n5.000 c1 segments_dropped segments=1 data=0 fins=0 rsts=1\n",
      "whole abandoned 1/1", NULL },
    { "what an open request sends again into a hole",
      H1 GET_A "3.000 c1 black_hole\n4.000 c1 segments_dropped segments=1\n", "whole bitten 1/1",
      NULL },
    { "a request that comes as the hole heals",
      H1 "3.000 c1 black_hole\n4.000 c1 segments_dropped segments=1\n9.000 c1 heal\n"
         "9.000 c1 x1 stale GET /a sent_into=black_holed fault=F1\n9.000 c1 x1 answer\n",
      "acked fine 1/1 presumed", NULL },
    { "each of those that come as it heals, and one behind them",
      H1 "3.000 c1 black_hole\n4.000 c1 segments_dropped segments=2 data=2 data_bytes=200 "
         "first_data=4.0\n9.000 c1 heal\n"
         "9.000 c1 x1 GET /a\n9.000 c1 x1 stale GET /a sent_into=black_holed fault=F1\n"
         "9.000 c1 x1 answer\n"
         "9.000 c1 x2 GET /b\n9.000 c1 x2 stale GET /b sent_into=black_holed fault=F1\n"
         "9.000 c1 x2 answer\n9.000 c1 x3 GET /c\n9.000 c1 x3 answer\n",
      "acked fine 1/1 presumed; acked fine 1/1 presumed; acked fine", NULL },

    { "a fault of an older ledger, of unknown kind", H1 GET_A "1.100 c1 fault fin -class\n",
      "whole unknown", NULL },
    { "an event of a request that is not in the ledger", H1 "1.000 c1 x1 answer\n", "acked unknown",
      NULL },
    { "an event of a connection that is not in the ledger", GET_A "1.000 c1 x1 answer\n",
      "acked unconfirmed", NULL },
};

static void say_attempts(const struct history *h, const struct ledger *l, struct buf *out)
{
    uint64_t faults[16] = { 0 };
    size_t count = 0;
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record;
    const struct attempt *a;
    while (ledger_next(&cursor, &record)) {
        if (record.event == EV_FAULT)
            faults[count++] = record.seq;
    }
    for (size_t i = 0; (a = history_attempt(h, i)); i++) {
        buf_printf(out, "%s%s %s", i ? "; " : "", rig_progress[a->progress],
                   rig_trouble[history_trouble(h, a)]);
        size_t first = 0, last = 0;
        while (a->fault && faults[first] != a->fault)
            first++;
        while (a->last_fault && faults[last] != a->last_fault)
            last++;
        if (a->fault)
            buf_printf(out, " %zu/%zu", first + 1, last + 1);
        rig_word(out, "presumed", a->presumed);
    }
    buf_add(out, "", 1);
}

static void an_attempt_comes_as_far_as_the_ledger_shows(void **state)
{
    bool all = true;
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        const struct row *row = &attempts[i];
        struct buf said = { 0 };
        struct history *h = rig_history(NULL);
        struct ledger *l = script_ledger(row->script);
        rig_feed(h, l, 0, 0);
        if (row->now)
            history_now(h, (int64_t)(strtod(row->now, NULL) * 1e9));
        say_attempts(h, l, &said);
        if (strcmp((const char *)buf_bytes(&said), row->attempts) != 0) {
            print_error("%s\n# is:  %s\n# not: %s\n", row->title, (const char *)buf_bytes(&said),
                        row->attempts);
            all = false;
        }
        buf_free(&said);
        history_destroy(h);
        ledger_destroy(l);
    }
    assert_true(all);
}

/* --- Connections */

static const char *const states[] = { "spare", "used", "idle", "left", "dead", "known", "gone" };

static const struct row connections[] = {
    { "no request yet", H1, "spare", NULL },
    { "a request is open", H1 GET_A, "used", NULL },
    { "answered", H1 GET_A "1.000 c1 x1 answer\n", "idle", NULL },
    { "left by the client", H1 GET_A "1.000 c1 x1 answer\n2.000 c1 peer_fin\n", "left", NULL },
    { "FIN, not ACKed", H1 "1.000 c1 fault fin\n1.000 c1 fault_done in_effect=true\n", "dead",
      "5.000" },
    { "FIN, ACKed just now", H1 "1.000 c1 fin\n", "dead", "1.050" },
    { "FIN, ACKed and grace over", H1 "1.000 c1 fin\n", "known", "1.200" },
    { "a FIN that was none", H1 "1.000 c1 fault fin\n1.000 c1 fault_done in_effect=false\n",
      "spare", NULL },
    { "stalled", H1 "1.000 c1 stall\n", "dead", "9.000" },
    { "stalled, resumed", H1 "1.000 c1 stall\n2.000 c1 resume\n", "spare", NULL },
    { "over", H1 "1.000 c1 fin\n1.100 c1 connection_end by=fault how=fin\n", "gone", NULL },
    { "FIN to a suspended app: its kernel knows", H1 "0.500 mark background\n1.000 c1 fin\n",
      "known", "1.200" },
    { "GOAWAY to a suspended app: nobody reads it",
      H2 "0.500 mark background\n1.000 c1 goaway last_stream=0\n", "dead", "9.000" },
    { "GOAWAY, read as the app comes back",
      H2 "0.500 mark background\n1.000 c1 goaway last_stream=0\n3.000 mark foreground\n", "known",
      "3.150" },
    { "FIN through a relay, whose ACK says nothing", "0.000 c1 open path=relayed\n1.000 c1 fin\n",
      "dead", "9.000" },
    { "29: FIN through a relay, and the client's answer to it",
      "0.000 c1 open path=relayed\n1.000 c1 fin\n1.400 c1 peer_fin crossed=false\n", "known",
      NULL },
    { "31: GOAWAY, and the ACK of a PING behind it",
      H2 "1.000 c1 fault goaway last_stream=0\n1.000 c1 fault_done in_effect=true\n"
         "1.000 c1 ping_sent\n1.050 c1 peer_ping_ack\n",
      "known", NULL },
    { "the ACK of a PING before it",
      H2 "0.900 c1 ping_sent\n1.000 c1 fault goaway last_stream=0\n"
         "1.000 c1 fault_done in_effect=true\n1.050 c1 peer_ping_ack\n",
      "dead", NULL },
    { "PINGs before it and behind it, and one ACK",
      H2 "0.900 c1 ping_sent\n1.000 c1 fault goaway last_stream=0\n"
         "1.000 c1 fault_done in_effect=true\n1.000 c1 ping_sent\n1.050 c1 peer_ping_ack\n",
      "dead", NULL },
    { "PINGs before it and behind it, and both ACKs",
      H2 "0.900 c1 ping_sent\n1.000 c1 fault goaway last_stream=0\n"
         "1.000 c1 fault_done in_effect=true\n1.000 c1 ping_sent\n1.050 c1 peer_ping_ack\n"
         "1.060 c1 peer_ping_ack\n",
      "known", NULL },
    { "RST: known a round trip later, to be sure", H1 "1.000 c1 rst srtt_us=200000\n", "dead",
      "1.300" },
    { "RST: known then", H1 "1.000 c1 rst srtt_us=200000\n", "known", "1.500" },
};

static void a_connection_is_what_the_ledger_shows(void **state)
{
    bool all = true;
    for (size_t i = 0; i < sizeof connections / sizeof *connections; i++) {
        const struct row *row = &connections[i];
        struct history *h = rig_script(row->script);
        if (row->now)
            history_now(h, (int64_t)(strtod(row->now, NULL) * 1e9));
        const char *is = states[history_state(h, history_find_connection(h, 1))];
        if (strcmp(is, row->attempts) != 0) {
            print_error("%s\n# is:  %s\n# not: %s\n", row->title, is, row->attempts);
            all = false;
        }
        history_destroy(h);
    }
    assert_true(all);
}

/* --- Whether the client knew (R3) */

static const struct {
    const char *title, *script;
    enum tri knew;
} knowing[] = {
    { "28: 1 ms after the ACK of our FIN", H1 "1.000 c1 fin\n1.002 c1 stale GET /a\n",
      TRI_UNKNOWN },
    { "1 s after it", H1 "1.000 c1 fin\n2.000 c1 stale GET /a\n", TRI_YES },
    { "crossed", H1 "1.000 c1 fin from=1.010 to=1.011\n1.005 c1 stale GET /a\n", TRI_NO },
    { "at its first byte", H1 "1.000 c1 fin\n1.000 c1 x1 GET /a first_byte=0.999\n", TRI_NO },
    { "into a stall", H1 "1.000 c1 stall\n9.000 c1 x1 GET /a\n", TRI_NO },
    { "29: through a relay", "0.000 c1 open path=gateway\n1.000 c1 fin\n2.000 c1 stale GET /a\n",
      TRI_UNKNOWN },
    { "a stream 10 ms after GOAWAY",
      H2 "1.000 c1 goaway last_stream=0\n1.012 c1 stale GET /a stream=1 sent_into=goaway\n",
      TRI_UNKNOWN },
    { "a stream 1 s after GOAWAY",
      H2 "1.000 c1 goaway last_stream=0\n2.000 c1 stale GET /a stream=1 sent_into=goaway\n",
      TRI_YES },
    { "a stream behind the ACK of a PING, in the same write",
      H2 "1.000 c1 goaway last_stream=0\n1.000 c1 ping_sent\n1.010 c1 peer_ping_ack\n"
         "1.010 c1 stale GET /a stream=1 sent_into=goaway\n",
      TRI_YES },
    { "31: a stream before the ACK of a PING, in the same write",
      H2 "1.000 c1 goaway last_stream=0\n1.000 c1 ping_sent\n"
         "1.010 c1 stale GET /a stream=1 sent_into=goaway\n1.010 c1 peer_ping_ack\n",
      TRI_UNKNOWN },
    { "a stream of an app that was suspended till now",
      H2 "0.500 mark background\n1.000 c1 goaway last_stream=0\n3.000 mark foreground\n"
         "3.050 c1 stale GET /a stream=1 sent_into=goaway\n",
      TRI_UNKNOWN },
    { "on a healthy connection", H1 GET_A, TRI_NO },
};

static void who_could_not_know_is_not_said_to_have_known(void **state)
{
    bool all = true;
    for (size_t i = 0; i < sizeof knowing / sizeof *knowing; i++) {
        struct history *h = rig_script(knowing[i].script);
        enum tri knew = history_knew(h, history_attempt(h, 0));
        if (knew != knowing[i].knew) {
            print_error("%s: %d, not %d\n", knowing[i].title, knew, knowing[i].knew);
            all = false;
        }
        history_destroy(h);
    }
    assert_true(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_comes_as_far_as_the_ledger_shows),
        cmocka_unit_test(a_connection_is_what_the_ledger_shows),
        cmocka_unit_test(who_could_not_know_is_not_said_to_have_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
