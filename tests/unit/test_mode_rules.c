/* test_mode_rules.c - rules: each trigger with what narrows it, each step with its arguments, and
 * the order of steps; what is taken, what is refused and how, what comes out.
 */
#include "harness/memory.h"
#include "mode_documents.h"

#include "base/duration.h"
#include "mode/language.h"

static void every_mistake_is_refused_with_its_place_and_what_is_allowed(void **state)
{
    static const struct refused table[] = {
        /* rules */
        { DOCUMENT("[7]"), "$.rules[0]", "an object", "\"on\"" },
        { RULE("{}"), "$.rules[0].on", "it is missing",
          "listen, accept, client_hello, handshake, protocol, request, reuse, response, idle, "
          "age, mark, stale" },
        { RULE("{'on': 'lunch', 'do': ['fin']}"), "$.rules[0].on", "\"lunch\" is not a trigger",
          "idle" },
        { RULE("{'on': 7, 'do': ['fin']}"), "$.rules[0].on", "7 is not a trigger", "idle" },
        { RULE("{'on': 'accept'}"), "$.rules[0].do", "it is missing", "1 to 64 steps" },
        { RULE("{'on': 'accept', 'do': []}"), "$.rules[0].do", "not a list", "1 to 64 steps" },
        { RULE("{'on': 'accept', 'do': 'fin'}"), "$.rules[0].do", "not a list", "1 to 64 steps" },
        { RULE("{'on': 'accept', 'do': ['fin'], 'wehn': 1}"), "$.rules[0].wehn", "no such member",
          "on, do, connection, times" },
        { RULE("{'on': 'accept', 'do': ['fin'], 'after': '1s'}"), "$.rules[0].after",
          "does not go with the trigger \"accept\"", "on, do, connection, times" },
        { RULE("{'on': 'accept', 'do': ['fin'], 'over': 'h2'}"), "$.rules[0].over",
          "does not go with", "on, do, connection, times" },
        { RULE("{'on': 'idle', 'after': '1s', 'nth': 2, 'do': ['fin']}"), "$.rules[0].nth",
          "does not go with", "on, do, after, over, connection, times" },
        { RULE("{'on': 'idle', 'do': ['fin']}"), "$.rules[0].after", "it is missing", "3s" },
        { RULE("{'on': 'age', 'after': 3, 'do': ['fin']}"), "$.rules[0].after",
          "3 is not a duration", "3s" },
        { RULE("{'on': 'request', 'at': 'end', 'do': ['fin']}"), "$.rules[0].at",
          "\"end\" is no place of the trigger \"request\"", "first_byte, headers, complete" },
        { RULE("{'on': 'response', 'at': 7, 'do': ['fin']}"), "$.rules[0].at", "7 is no place",
          "start, {\"bytes\": N}, {\"content\": N}, end" },
#define AT(place) RULE("{'on': 'response', 'at': " place ", 'do': ['fin']}")
        { AT("'bytes'"), "$.rules[0].at", "\"bytes\" is no place", "{\"bytes\": N}" },
        { AT("{'start': 1}"), "$.rules[0].at", "is no place", "{\"bytes\": N}" },
        { AT("'start:1'"), "$.rules[0].at", "is no place", "{\"bytes\": N}" },
        { AT("{'bytes:1': 1}"), "$.rules[0].at", "is no place", "{\"bytes\": N}" },
        { AT("{'bytes': 1, 'content': 1}"), "$.rules[0].at", "is no place", "{\"bytes\": N}" },
        { AT("{}"), "$.rules[0].at", "is no place", "{\"bytes\": N}" },
        { AT("{'bytes': 0}"), "$.rules[0].at.bytes", "0 is out of range", "from 1 to" },
        { AT("{'content': -1}"), "$.rules[0].at.content", "-1 is out of range", "from 0 to" },
        { AT("{'bytes': 1099511627777}"), "$.rules[0].at.bytes", "out of range", "1099511627776" },
        { AT("{'bytes': '$t'}"), "$.rules[0].at.bytes", "\"3s\" is not an int", "integer" },
        { AT("'content:'"), "$.rules[0].at", "\"\" is not an int", "integer" },
        { AT("'bytes:0'"), "$.rules[0].at", "0 is out of range", "from 1 to" },
        { RULE("{'on': 'request', 'at': {'bytes': 7}, 'do': ['fin']}"), "$.rules[0].at",
          "is no place of the trigger \"request\"", "first_byte, headers, complete" },
        { RULE("{'on': 'request', 'over': 'h3', 'do': ['fin']}"), "$.rules[0].over",
          "\"h3\" is none", "h1, h2" },
        { RULE("{'on': 'request', 'nth': 0, 'do': ['fin']}"), "$.rules[0].nth", "0 is not a range",
          "2-4" },
        { RULE("{'on': 'request', 'nth': '4-2', 'do': ['fin']}"), "$.rules[0].nth",
          "\"4-2\" is not a range", "2-4" },
        { RULE("{'on': 'request', 'nth': '-2', 'do': ['fin']}"), "$.rules[0].nth", "is not a range",
          "2-4" },
        { RULE("{'on': 'request', 'nth': '2-x', 'do': ['fin']}"), "$.rules[0].nth",
          "is not a range", "2-4" },
        { RULE("{'on': 'request', 'nth': '99999999999', 'do': ['fin']}"), "$.rules[0].nth",
          "is not a range", "2-4" },
        { RULE("{'on': 'reuse', 'nth': 1, 'do': ['fin']}"), "$.rules[0].nth",
          "never about the first request", "2 or more" },
        { RULE("{'on': 'stale', 'times': 0, 'do': ['rst']}"), "$.rules[0].times",
          "0 is out of range", "from 1" },
        { RULE("{'on': 'stale', 'times': 'x', 'do': ['rst']}"), "$.rules[0].times",
          "\"x\" is not an int", "integer" },
        { RULE("{'on': 'stale', 'times': true, 'do': ['rst']}"), "$.rules[0].times",
          "true is not an int", "integer" },
        { RULE("{'on': 'request', 'nth': '1-/2', 'do': ['fin']}"), "$.rules[0].nth",
          "\"1-/2\" is not a range", "2-4" },
#define ON_CONNECTION(which) RULE("{'on': 'accept', 'connection': " which ", 'do': ['fin']}")
        { ON_CONNECTION("0"), "$.rules[0].connection", "0 is not a range", "1-/2" },
        { ON_CONNECTION("-1"), "$.rules[0].connection", "-1 is not a range", "1-/2" },
        { ON_CONNECTION("1.5"), "$.rules[0].connection", "1.5 is not a range", "1-/2" },
        { ON_CONNECTION("'4-2'"), "$.rules[0].connection", "is not a range", "1-/2" },
        { ON_CONNECTION("'1-/0'"), "$.rules[0].connection", "is not a range", "1-/2" },
        { ON_CONNECTION("'1/2'"), "$.rules[0].connection", "is not a range", "1-/2" },
        { ON_CONNECTION("'1-/'"), "$.rules[0].connection", "is not a range", "1-/2" },
        { ON_CONNECTION("''"), "$.rules[0].connection", "is not a range", "1-/2" },
        { ON_CONNECTION("'1, 2'"), "$.rules[0].connection", "is not a range", "1-/2" },
        { ON_CONNECTION("4294967296"), "$.rules[0].connection", "is not a range", "1-/2" },
        { RULE("{'on': 'listen', 'connection': 1, 'do': ['listen']}"), "$.rules[0].connection",
          "does not go with the trigger \"listen\"", "on, do, after, name" },
        { RULE("{'on': 'client_hello', 'over': 'h2', 'do': ['fin']}"), "$.rules[0].over",
          "does not go with", "on, do, connection, times" },
        { RULE("{'on': 'request', 'idle': '1s', 'do': ['fin']}"), "$.rules[0].idle",
          "does not go with the trigger \"request\"", "nth" },
        { RULE("{'on': 'reuse', 'idle': 1, 'do': ['fin']}"), "$.rules[0].idle",
          "1 is not a duration", "3s" },
        { RULE("{'on': 'mark', 'do': ['fin']}"), "$.rules[0].name",
          "it is missing: \"mark\" needs it", "lower case" },
        { RULE("{'on': 'mark', 'name': 'A b', 'do': ['fin']}"), "$.rules[0].name",
          "\"A b\" cannot be a mark's name", "lower case" },
        { RULE("{'on': 'mark', 'name': 7, 'do': ['fin']}"), "$.rules[0].name", "7 cannot be",
          "lower case" },
        { RULE("{'on': 'mark', 'name': 'a', 'unless': '', 'do': ['fin']}"), "$.rules[0].unless",
          "cannot be a mark's name", "lower case" },
        { RULE("{'on': 'listen', 'unless': 'a', 'do': ['listen']}"), "$.rules[0].unless",
          "does not go with", "name" },
        { RULE("{'on': 'age', 'after': '1s', 'name': 'a', 'do': ['fin']}"), "$.rules[0].name",
          "does not go with", "after" },

        /* steps */
        { IDLE_DO("['jump']"), "$.rules[0].do[0]", "no step is called \"jump\"",
          "fin, rst, forget, black_hole" },
        { IDLE_DO("['fin', 7]"), "$.rules[0].do[1]", "7 is not a step", "{\"wait\": \"2s\"}" },
        { IDLE_DO("[{}]"), "$.rules[0].do[0]", "{} is not a step", "fin" },
        { IDLE_DO("[{'wait': '1s', 'fin': {}}]"), "$.rules[0].do[0]", "is not a step", "fin" },
        { IDLE_DO("[{'jump': {}}]"), "$.rules[0].do[0]", "no step is called \"jump\"", "fin" },
        { IDLE_DO("[{'fin': {'noitfy': true}}]"), "$.rules[0].do[0].fin.noitfy",
          "\"fin\" has no such argument", "notify" },
        { IDLE_DO("[{'fin': {'notify': 1}}]"), "$.rules[0].do[0].fin.notify", "1 is not a bool",
          "true or false" },
        { IDLE_DO("[{'fin': true}]"), "$.rules[0].do[0].fin", "not an object", "object" },
        { IDLE_DO("[{'rst': {'now': true}}]"), "$.rules[0].do[0].rst.now", "no such argument",
          "drain" },
        { IDLE_DO("[{'stall': {'now': true}}]"), "$.rules[0].do[0].stall.now", "no such argument",
          "no arguments" },
        { IDLE_DO("['wait', 'fin']"), "$.rules[0].do[0].for", "it is missing: \"wait\" needs it",
          "3s" },
        { IDLE_DO("[{'wait': 2}, 'fin']"), "$.rules[0].do[0].wait", "2 is not a duration", "3s" },
        { IDLE_DO("[{'wait': {'for': 2}}, 'fin']"), "$.rules[0].do[0].wait.for",
          "2 is not a duration", "3s" },
        { RULE("{'on': 'idle', 'after': '1s', 'over': 'h2', 'do': [{'wait': '1s'}, {'goaway': "
               "{'error': 'NO_EROR'}}]}"),
          "$.rules[0].do[1].goaway.error", "\"NO_EROR\" is not an HTTP/2 error code",
          "ENHANCE_YOUR_CALM" },
        { RULE("{'on': 'idle', 'after': '1s', 'over': 'h2', 'do': [{'goaway': "
               "{'error': 4294967296}}]}"),
          "$.rules[0].do[0].goaway.error", "4294967296 is not", "NO_ERROR" },
        { RULE("{'on': 'idle', 'after': '1s', 'over': 'h2', 'do': [{'goaway': {'last': -1}}]}"),
          "$.rules[0].do[0].goaway.last", "-1 is not a last_stream", "\"+2\"" },
        { RULE("{'on': 'idle', 'after': '1s', 'over': 'h2', 'do': [{'goaway': {'last': '2'}}]}"),
          "$.rules[0].do[0].goaway.last", "\"2\" is not a last_stream", "\"+2\"" },
        { RULE("{'on': 'idle', 'after': '1s', 'over': 'h2', 'do': [{'goaway': {'debug': 2}}]}"),
          "$.rules[0].do[0].goaway.debug", "2 is not a text", "4096" },
        { IDLE_DO("['goaway']"), "$.rules[0].do[0]", "HTTP/2 only", "\"over\": \"h2\"" },
        { RULE("{'on': 'idle', 'after': '1s', 'over': 'h1', 'do': ['goaway_notice']}"),
          "$.rules[0].do[0]", "HTTP/2 only", "\"over\": \"h2\"" },
        { RULE("{'on': 'accept', 'do': ['goaway']}"), "$.rules[0].do[0]", "not ready", "idle" },
        { RULE("{'on': 'accept', 'do': ['close_notify']}"), "$.rules[0].do[0]", "not ready",
          "handshake" },
        { RULE("{'on': 'stale', 'do': ['stall']}"), "$.rules[0].do[0]", "is silent by then",
          "idle" },
        { IDLE_DO("['hold']"), "$.rules[0].do[0]", "no exchange here",
          "request at first_byte, request at headers, request at complete" },
        { IDLE_DO("[{'respond': 200}]"), "$.rules[0].do[0]", "no exchange", "response at start" },
        { RULE("{'on': 'response', 'at': 'end', 'do': [{'delay': '1s'}]}"), "$.rules[0].do[0]",
          "no exchange", "response at start" },

        /* order */
        { IDLE_DO("['fin', 'fin']"), "$.rules[0].do[1]", "\"fin\" means nothing after \"fin\"",
          "wait, rst" },
        { IDLE_DO("['forget', {'wait': '1s'}, 'stall']"), "$.rules[0].do[2]",
          "\"stall\" means nothing after \"forget\"", "wait, rst" },
        { IDLE_DO("['rst', {'wait': '1s'}]"), "$.rules[0].do[1]", "can come after \"rst\"",
          "nothing" },
        { IDLE_DO("['fin', 'rst', 'rst']"), "$.rules[0].do[2]", "can come after \"rst\"",
          "nothing" },
        { IDLE_DO("['stall', 'close_notify']"), "$.rules[0].do[1]", "means nothing after",
          "resume" },
        { IDLE_DO("['stall', 'stall']"), "$.rules[0].do[1]", "means nothing after", "resume" },
        { IDLE_DO("['black_hole', {'wait': '1s'}, 'resume']"), "$.rules[0].do[2]",
          "\"resume\" does not end \"black_hole\"", "heal" },
        { REQUEST_DO("[{'wait': '1s'}, 'hold']"), "$.rules[0].do[1]", "on its way", "delay" },
        { REQUEST_DO("['hold', {'respond': 503}]"), "$.rules[0].do[1]", "never answers",
          "connection" },
        { REQUEST_DO("['rst', 'hold']"), "$.rules[0].do[1]", "can come after \"rst\"", "nothing" },

        /* respond */
        { REQUEST_DO("[{'respond': 199}]"), "$.rules[0].do[0].respond", "199 is out of range",
          "from 200 to 599" },
        { REQUEST_DO("[{'respond': {'status': 600}}]"), "$.rules[0].do[0].respond.status",
          "600 is out of range", "from 200 to 599" },
        { REQUEST_DO("[{'respond': {'headers': []}}]"), "$.rules[0].do[0].respond.headers",
          "[] is not a headers object", "object" },
        { REQUEST_DO("[{'respond': {'headers': {'a b': 'c'}}}]"),
          "$.rules[0].do[0].respond.headers[\"a b\"]", "not a header's name", "token" },
        { REQUEST_DO("[{'respond': {'headers': {'': 'c'}}}]"), "$.rules[0].do[0].respond.headers.",
          "not a header's name", "token" },
        { REQUEST_DO("[{'respond': {'headers': {'X-A': 7}}}]"),
          "$.rules[0].do[0].respond.headers.X-A", "7 is not a header's value", "text" },
        { REQUEST_DO("[{'respond': {'headers': {'X-A': 'b\\r\\nSet-Cookie: c'}}}]"),
          "$.rules[0].do[0].respond.headers.X-A", "is not a header's value", "control" },
        { REQUEST_DO("[{'respond': {'headers': {'X-A': ' b'}}}]"),
          "$.rules[0].do[0].respond.headers.X-A", "is not a header's value", "control" },
        { REQUEST_DO("[{'respond': {'headers': {'content-length': '7'}}}]"),
          "$.rules[0].do[0].respond.headers.content-length", "made from the answer",
          "Content-Length" },
        { REQUEST_DO("[{'respond': {'headers': {'Transfer-Encoding': 'chunked'}}}]"),
          "$.rules[0].do[0].respond.headers.Transfer-Encoding", "made from the answer", "any but" },
        { REQUEST_DO("[{'respond': {'status': 204, 'body': 'x'}}]"),
          "$.rules[0].do[0].respond.body", "status 204 has no body", "" },

    /* header */
#define HEADER(over, name, value)                                                                  \
    RULE("{'on': 'request', " over "'do': [{'header': {'name': " name ", 'value': " value "}}]}")
        { REQUEST_DO("[{'header': {'name': 'X'}}]"), "$.rules[0].do[0].header.value",
          "it is missing: \"header\" needs it", "control" },
        { REQUEST_DO("[{'header': 'X'}]"), "$.rules[0].do[0].header", "not an object", "object" },
        { HEADER("", "'a b'", "'c'"), "$.rules[0].do[0].header.name", "not a header's name",
          "token" },
        { HEADER("", "7", "'c'"), "$.rules[0].do[0].header.name", "7 is not a header name",
          "token" },
        { HEADER("", "'X'", "'b\\nc'"), "$.rules[0].do[0].header.value", "is not a header's value",
          "control" },
        { HEADER("", "'Date'", "'now'"), "$.rules[0].do[0].header.name", "made from the answer",
          "any but" },
        { HEADER("", "'Connection'", "'close'"), "$.rules[0].do[0].header.name",
          "HTTP/2 has no Connection header", "\"over\": \"h1\"" },
        { HEADER("'over': 'h2', ", "'keep-alive'", "'timeout=5'"), "$.rules[0].do[0].header.name",
          "HTTP/2 has no keep-alive header", "h1" },
        { RULE("{'on': 'response', 'do': [{'header': {'name': 'X', 'value': 'y'}}]}"),
          "$.rules[0].do[0]", "no exchange here", "response at start" },

        /* the wire's */
        { IDLE_DO("['throttle']"), "$.rules[0].do[0].rate", "it is missing", "integer" },
        { IDLE_DO("[{'throttle': -1}]"), "$.rules[0].do[0].throttle", "-1 is out of range",
          "from 0 to 1000000000" },
        { IDLE_DO("[{'throttle': 1000000001}]"), "$.rules[0].do[0].throttle", "out of range",
          "from 0 to 1000000000" },
        { IDLE_DO("[{'drip': {'chunk': 65537}}]"), "$.rules[0].do[0].drip.chunk", "out of range",
          "from 0 to 65536" },
        { IDLE_DO("[{'drip': {'every': 'never'}}]"), "$.rules[0].do[0].drip.every", "never comes",
          "stall" },
        { IDLE_DO("[{'drip': 7}]"), "$.rules[0].do[0].drip", "not an object", "object" },
        { RULE("{'on': 'stale', 'do': [{'throttle': 1}]}"), "$.rules[0].do[0]", "is silent by then",
          "idle" },
        { IDLE_DO("['cut']"), "$.rules[0].do[0].after", "it is missing", "integer" },
        { IDLE_DO("[{'cut': 1099511627777}]"), "$.rules[0].do[0].cut", "out of range",
          "from 0 to 1099511627776" },
        { IDLE_DO("[{'cut': {'after': 1, 'how': 'bang'}}]"), "$.rules[0].do[0].cut.how",
          "\"bang\" is none", "fin, rst, stall" },
        { IDLE_DO("[{'alert': 'close_notify'}]"), "$.rules[0].do[0].alert",
          "\"close_notify\" is none",
          "unknown_psk_identity, certificate_required, "
          "no_application_protocol" },
        { IDLE_DO("[{'alert': {'level': 'loud'}}]"), "$.rules[0].do[0].alert.level",
          "\"loud\" is none", "fatal, warning" },
        { RULE("{'on': 'accept', 'do': ['alert']}"), "$.rules[0].do[0]", "not ready",
          "client_hello" },
        { IDLE_DO("['inject']"), "$.rules[0].do[0]", "nothing to inject", "exactly one" },
        { IDLE_DO("[{'inject': ''}]"), "$.rules[0].do[0].inject", "nothing to inject",
          "exactly one" },
        { IDLE_DO("[{'inject': {'text': 'a', 'hex': '00'}}]"), "$.rules[0].do[0].inject",
          "both are given", "exactly one" },
        { IDLE_DO("[{'inject': {'hex': '0'}}]"), "$.rules[0].do[0].inject.hex", "is not that",
          "hexadecimal digits, two a byte, at most 4096" },
        { IDLE_DO("[{'inject': {'hex': '0g'}}]"), "$.rules[0].do[0].inject.hex", "is not that",
          "hexadecimal" },
        { IDLE_DO("[{'inject': {'hex': 7}}]"), "$.rules[0].do[0].inject.hex", "7 is not that",
          "hexadecimal" },
        { RULE("{'on': 'stale', 'do': [{'inject': 'x'}]}"), "$.rules[0].do[0]", "is silent by then",
          "accept" },

    /* the engine's */
#define H2_DO(steps) RULE("{'on': 'protocol', 'over': 'h2', 'do': " steps "}")
        { H2_DO("[{'ping': 'ab'}]"), "$.rules[0].do[0].ping", "\"ab\" is not that",
          "16 hexadecimal digits" },
        { H2_DO("[{'ping': 7}]"), "$.rules[0].do[0].ping", "7 is not that", "16 hexadecimal" },
        { H2_DO("[{'ignore_pings': 1}]"), "$.rules[0].do[0].ignore_pings", "1 is not a bool",
          "true" },
        { H2_DO("[{'window': 7}]"), "$.rules[0].do[0].window", "not an object", "object" },
        { H2_DO("[{'window': {'initial': 2147483648}}]"), "$.rules[0].do[0].window.initial",
          "out of range", "2147483647" },
        { H2_DO("['max_streams']"), "$.rules[0].do[0].count", "it is missing", "integer" },
        { H2_DO("[{'max_streams': -1}]"), "$.rules[0].do[0].max_streams", "out of range",
          "2147483647" },
        { H2_DO("[{'goaway': {'then_hold': 1}}]"), "$.rules[0].do[0].goaway.then_hold",
          "1 is not a bool", "true" },
        { IDLE_DO("['ping']"), "$.rules[0].do[0]", "HTTP/2 only", "\"over\": \"h2\"" },
        { RULE("{'on': 'handshake', 'do': ['ignore_settings']}"), "$.rules[0].do[0]", "not ready",
          "protocol" },

        /* the exchange's stream */
        { IDLE_DO("['refuse']"), "$.rules[0].do[0]", "no exchange", "request at headers" },
        { REQUEST_DO("['refuse']"), "$.rules[0].do[0]", "HTTP/2 only", "h2" },
        { RULE("{'on': 'request', 'at': 'first_byte', 'over': 'h2', 'do': ['refuse']}"),
          "$.rules[0].do[0]", "no exchange", "request at headers, request at complete" },
#define STREAM_DO(steps) RULE("{'on': 'request', 'over': 'h2', 'do': " steps "}")
        { STREAM_DO("[{'rst_stream': 'LOUD'}]"), "$.rules[0].do[0].rst_stream",
          "\"LOUD\" is not an HTTP/2 error code", "CANCEL" },
        { STREAM_DO("['refuse', 'rst_stream']"), "$.rules[0].do[1]",
          "means nothing after \"refuse\"", "connection" },
        { STREAM_DO("['rst_stream', {'delay': '1s'}]"), "$.rules[0].do[1]",
          "means nothing after \"rst_stream\"", "connection" },
        { STREAM_DO("['hold', 'refuse']"), "$.rules[0].do[1]", "means nothing after \"hold\"",
          "connection" },
        { STREAM_DO("[{'wait': '1s'}, 'rst_stream']"), "$.rules[0].do[1]", "on its way", "delay" },

    /* in the middle of a response */
#define IN_MIDDLE_DO(place, step)                                                                  \
    RULE("{'on': 'response', 'over': 'h2', 'at': " place ", 'do': [" step "]}")
        { IN_MIDDLE_DO("{'bytes': 9}", "'goaway'"), "$.rules[0].do[0]", "half of a response is out",
          "response at content" },
        { IN_MIDDLE_DO("{'bytes': 9}", "{'inject': 'x'}"), "$.rules[0].do[0]",
          "half of a response is out", "response at content" },
        { IN_MIDDLE_DO("{'bytes': 9}", "'rst_stream'"), "$.rules[0].do[0]",
          "half of a response is out", "response at content" },
        { IN_MIDDLE_DO("{'content': 9}", "{'respond': 500}"), "$.rules[0].do[0]",
          "half of a response is out", "response at start" },
        { IN_MIDDLE_DO("{'content': 9}", "'refuse'"), "$.rules[0].do[0]",
          "half of a response is out", "request at complete" },
        { IN_MIDDLE_DO("{'content': 9}", "{'header': {'name': 'a', 'value': 'b'}}"),
          "$.rules[0].do[0]", "half of a response is out", "response at start" },

        /* listeners */
        { RULE("{'on': 'accept', 'do': ['refuse_syn']}"), "$.rules[0].do[0]",
          "acts on the listeners", "listen" },
        { RULE("{'on': 'mark', 'name': 'a', 'do': ['drop_syn']}"), "$.rules[0].do[0]",
          "acts on the listeners", "listen" },
        { RULE("{'on': 'listen', 'do': ['fin']}"), "$.rules[0].do[0]", "no connection here",
          "accept" },
        { RULE("{'on': 'listen', 'do': [{'delay': '1s'}]}"), "$.rules[0].do[0]",
          "no connection here", "request" },

        /* values put in */
        { IDLE_DO("['$who']"), "$.rules[0].do[0]", "\"$who\" is no parameter",
          "t, b, n, how, s, last" },
        { IDLE_DO("['$t']"), "$.rules[0].do[0]", "no step is called \"3s\"", "fin" },
        { IDLE_DO("['$$t']"), "$.rules[0].do[0]", "no step is called \"$t\"", "fin" },
        { IDLE_DO("['$']"), "$.rules[0].do[0]", "\"$\" is no parameter", "how" },
        { IDLE_DO("[{'fin': {'notify': '$t'}}]"), "$.rules[0].do[0].fin.notify",
          "\"3s\" is not a bool", "true or false" },
        { RULE("{'on': 'idle', 'after': '$b', 'do': ['fin']}"), "$.rules[0].after",
          "false is not a duration", "3s" },
        { DOCUMENT("[{'on': 'accept', 'do': ['fin']}, {'on': 'request', 'nth': '$t', 'do': "
                   "['fin']}]"),
          "$.rules[1].nth", "\"3s\" is not a range", "2-4" },
    };
    ASSERT_REFUSED(table);
}

static void ranges_of_requests_are_read(void **state)
{
    static const struct {
        const char *rule;
        uint32_t first, last;
    } table[] = {
        { "[{'on': 'request', 'nth': 1, 'do': ['fin']}]", 1, 1 },
        { "[{'on': 'request', 'nth': '7', 'do': ['fin']}]", 7, 7 },
        { "[{'on': 'request', 'nth': '2-4', 'do': ['fin']}]", 2, 4 },
        { "[{'on': 'request', 'nth': '3-', 'do': ['fin']}]", 3, UINT32_MAX },
        { "[{'on': 'reuse', 'nth': '1-3', 'do': ['fin']}]", 2, 3 },
        { "[{'on': 'reuse', 'nth': '4-', 'do': ['fin']}]", 4, UINT32_MAX },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mode_program *program = program_of(table[i].rule);
        assert_int_equal(program->rules[0].nth_first, table[i].first);
        assert_int_equal(program->rules[0].nth_last, table[i].last);
        mode_unref(program);
    }
}

static void sensible_sequences_are_taken(void **state)
{
    static const char *const table[] = {
        IDLE_DO("['fin', {'wait': '1s'}, 'rst']"),
        IDLE_DO("[{'forget': {}}, {'wait': {'for': '1s'}}, 'rst']"),
        IDLE_DO("['stall', {'wait': '1s'}, 'resume', {'wait': '1s'}, 'close_notify', 'fin']"),
        IDLE_DO("['stall', {'wait': '1s'}, 'fin']"),
        IDLE_DO("['black_hole', {'wait': '1s'}, 'heal', 'stall', 'resume']"),
        IDLE_DO("['stall', 'black_hole', 'heal', 'resume']"),
        REQUEST_DO("[{'delay': '1s'}, {'delay': '1s'}, {'respond': {}}, {'wait': '1s'}, 'rst']"),
        REQUEST_DO("['hold', {'wait': 'never'}, 'rst']"),
        RULE("{'on': 'response', 'at': 'start', 'do': [{'delay': '1s'}, 'fin']}"),
        RULE("{'on': 'stale', 'times': 3, 'do': ['resume', {'wait': '1ms'}, 'rst']}"),
        RULE("{'on': 'accept', 'do': ['stall', {'wait': '1s'}, 'resume']}"),
        RULE("{'on': 'age', 'after': '0', 'over': 'h2', 'do': [{'goaway': 11}, 'goaway_notice']}"),
        RULE("{'on': 'listen', 'do': ['refuse_syn', {'wait': '1s'}, 'drop_syn', 'listen']}"),
        RULE("{'on': 'listen', 'name': 'down', 'after': '1s', 'do': ['refuse_syn']}"),
        RULE("{'on': 'client_hello', 'connection': '1-/2', 'do': ['alert', 'fin']}"),
        RULE("{'on': 'client_hello', 'do': [{'inject': {'hex': '00ff'}}, {'cut': 5}, 'stall']}"),
        RULE("{'on': 'accept', 'do': [{'inject': {'text': 'x', 'tls': false}}, {'rst': {'drain':"
             " true}}]}"),
        H2_DO("[{'window': {}}, {'max_streams': 1}, 'ignore_pings', {'ignore_settings': false},"
              " {'ping': '0123456789abcDEF'}, {'goaway': {'then_hold': true}}, 'fin']"),
        STREAM_DO("[{'delay': '1s'}, 'refuse', {'wait': '1s'}, 'fin']"),
        HEADER("'over': 'h1', ", "'Connection'", "'close'"),
        IN_MIDDLE_DO("{'bytes': 1}",
                     "{'delay': '1s'}, 'hold', {'throttle': 9}, {'drip': {}},"
                     " {'cut': 0}, 'alert', 'close_notify', 'stall', {'wait': '1s'}, 'resume',"
                     " 'black_hole', 'heal', 'fin'"),
        IN_MIDDLE_DO("{'content': 0}", "{'inject': 'x'}, 'goaway', 'goaway_notice', 'ping',"
                                       " {'max_streams': 1}, 'rst_stream', 'rst'"),
        RULE("{'on': 'response', 'over': 'h2', 'do': ['rst_stream']}"),
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mode_program *program = NULL;
        if (compile_with(table[i], NULL, false, 1, &program) != 0)
            fail_msg("%s\n    %s: %s (%s)", table[i], why.where, why.what, why.allowed);
        mode_unref(program);
    }
}

static void durations_are_scaled_and_never_stays_never(void **state)
{
    struct mode_program *program = NULL;
    const char *document = DOCUMENT("[{'on': 'idle', 'after': '$t', 'do': [{'wait': '350s'},"
                                    " 'stall', {'wait': 'never'}, 'fin']}]");
    assert_int_equal(compile_with(document, NULL, false, 0.01, &program), 0);
    assert_int_equal(program->rules[0].after, 30 * NS_PER_MS);
    assert_int_equal(program->rules[0].steps[0].arg[0].number, 3500 * NS_PER_MS);
    assert_int_equal(program->rules[0].steps[2].arg[0].number, DURATION_NEVER);
    mode_unref(program);
}

static void answers_get_the_content_type_they_lack(void **state)
{
    static const struct {
        const char *respond, *type, *body;
        size_t headers;
    } table[] = {
        { "503", NULL, "", 0 },
        { "{'body': 'text'}", "text/plain; charset=utf-8", "text", 1 },
        { "{'body': {'a': [1, null]}}", "application/json", "{\"a\":[1,null]}", 1 },
        { "{'body': 7}", "application/json", "7", 1 },
        { "{'body': 'x', 'headers': {'content-type': 'a/b'}}", "a/b", "x", 1 },
        { "{'body': 'x', 'headers': {'Retry-After': '1'}}", "text/plain; charset=utf-8", "x", 2 },
        { "{'status': 204}", NULL, "", 0 },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char rules[256];
        snprintf(rules, sizeof rules, "[{'on': 'request', 'do': [{'respond': %s}]}]",
                 table[i].respond);
        struct mode_program *program = program_of(rules);
        const struct response *response = program->rules[0].steps[0].arg[2].response;
        assert_int_equal(response->header_count, table[i].headers);
        assert_int_equal(response->body_len, strlen(table[i].body));
        assert_memory_equal(response->body, table[i].body, response->body_len);
        if (table[i].type) {
            const struct header *last = &response->headers[response->header_count - 1];
            assert_int_equal(last->value_len, strlen(table[i].type));
            assert_memory_equal(last->value, table[i].type, last->value_len);
        }
        mode_unref(program);
    }
}

static void places_in_a_response_are_read(void **state)
{
    static const struct {
        const char *at;
        enum trigger_slot slot;
        uint64_t place;
    } table[] = {
        { "{'bytes': 1}", ON_RESPONSE_BYTES, 1 },
        { "{'bytes': '700'}", ON_RESPONSE_BYTES, 700 },
        { "'bytes:1099511627776'", ON_RESPONSE_BYTES, UINT64_C(1) << 40 },
        { "{'content': 0}", ON_RESPONSE_CONTENT, 0 },
        { "'content:20'", ON_RESPONSE_CONTENT, 20 },
        { "'start'", ON_RESPONSE_START, 0 },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char rules[128];
        snprintf(rules, sizeof rules, "[{'on': 'response', 'at': %s, 'do': ['fin']}]", table[i].at);
        struct mode_program *program = program_of(rules);
        assert_int_equal(program->rules[0].slot, table[i].slot);
        assert_true(program->rules[0].place == table[i].place);
        mode_unref(program);
    }
}

static void ranges_of_connections_hold_the_numbers_they_say(void **state)
{
    static const struct {
        const char *text;
        uint32_t in[4], out[4]; /* both end with 0, which is in none */
    } table[] = {
        { "2", { 2 }, { 1, 3, UINT32_MAX } },
        { "2-4", { 2, 3, 4 }, { 1, 5 } },
        { "3-", { 3, 4, UINT32_MAX }, { 1, 2 } },
        { "1-/2", { 1, 3, 4294967295 }, { 2, 4, 4294967294 } },
        { "2-10/4", { 2, 6, 10 }, { 1, 3, 14 } },
        { "1-", { 1, 2, UINT32_MAX }, { 0 } },
        { "007", { 7 }, { 1, 8 } },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mode_range range;
        assert_true(mode_range_parse(table[i].text, &range));
        for (size_t j = 0; table[i].in[j]; j++)
            assert_true(mode_range_has(&range, table[i].in[j]));
        for (size_t j = 0; table[i].out[j]; j++)
            assert_false(mode_range_has(&range, table[i].out[j]));
        assert_false(mode_range_has(&range, 0));
    }
    struct mode_range all = MODE_RANGE_ALL;
    assert_true(mode_range_has(&all, 0) && mode_range_has(&all, 1) &&
                mode_range_has(&all, UINT32_MAX));
    assert_false(mode_range_parse("", &all) || mode_range_parse("x", &all) ||
                 mode_range_parse("1-2-3", &all) || mode_range_parse("1-/4294967296", &all));
    assert_int_equal(all.first, 0); /* untouched by what is no range */
}

static void a_rule_is_about_all_connections_unless_it_says_which(void **state)
{
    struct mode_program *program =
        program_of("[{'on': 'accept', 'do': ['fin']},"
                   " {'on': 'accept', 'connection': 3, 'times': '2', 'do': ['fin']},"
                   " {'on': 'reuse', 'connection': '1-/2', 'idle': '2s', 'do': ['fin']}]");
    assert_true(mode_range_has(&program->rules[0].connections, 0));
    assert_int_equal(program->rules[0].idle_before, 0);
    assert_false(mode_range_has(&program->rules[1].connections, 0));
    assert_true(mode_range_has(&program->rules[1].connections, 3));
    assert_int_equal(program->rules[1].times, 2);
    assert_int_equal(program->rules[2].connections.every, 2);
    assert_int_equal(program->rules[2].idle_before, 2 * NS_PER_S);
    mode_unref(program);
}

static void rules_of_marks_have_names_and_times(void **state)
{
    struct mode_program *program = NULL;
    const char *document =
        DOCUMENT("[{'on': 'mark', 'name': 'background', 'do': ['fin']},"
                 " {'on': 'mark', 'name': 'a', 'after': '$t', 'unless': 'b', 'do': ['fin']},"
                 " {'on': 'listen', 'do': ['listen']},"
                 " {'on': 'listen', 'name': 'down', 'after': 'never', 'do': ['refuse_syn']},"
                 " {'on': 'mark', 'name': 'a', 'after': 'never', 'do': ['fin']}]");
    assert_int_equal(compile_with(document, NULL, false, 0.5, &program), 0);
    assert_true(program->scale == 0.5);
    assert_string_equal(program->rules[0].mark, "background");
    assert_int_equal(program->rules[0].after, 0);
    assert_null(program->rules[0].unless);
    assert_int_equal(program->rules[1].after, 1500 * NS_PER_MS);
    assert_string_equal(program->rules[1].unless, "b");
    assert_null(program->rules[2].mark);
    assert_string_equal(program->rules[3].mark, "down");
    assert_int_equal(program->by_slot[ON_MARK].count, 2); /* what never comes is in no table */
    assert_int_equal(program->by_slot[ON_LISTEN].count, 1);
    assert_int_equal(mode_step_listener(&program->rules[2].steps[0]), LISTENER_STEP_ACCEPT);
    assert_int_equal(mode_step_listener(&program->rules[3].steps[0]), LISTENER_STEP_REFUSE);
    assert_int_equal(mode_step_listener(&program->rules[0].steps[0]), LISTENER_STEP_NONE);
    mode_unref(program);
}

/* Each step can stand exactly where its row says; what is refused names a place. */
static void every_step_fits_where_its_row_says_and_nowhere_else(void **state)
{
    static const struct {
        const char *rule;
        enum trigger_slot slot;
    } places[] = {
        { "'on': 'listen'", ON_LISTEN },
        { "'on': 'accept'", ON_ACCEPT },
        { "'on': 'client_hello'", ON_CLIENT_HELLO },
        { "'on': 'handshake'", ON_HANDSHAKE },
        { "'over': 'h2', 'on': 'protocol'", ON_PROTOCOL },
        { "'over': 'h2', 'on': 'request', 'at': 'first_byte'", ON_FIRST_BYTE },
        { "'over': 'h2', 'on': 'reuse', 'at': 'headers'", ON_HEADERS },
        { "'over': 'h2', 'on': 'request', 'at': 'complete'", ON_COMPLETE },
        { "'over': 'h2', 'on': 'response', 'at': 'start'", ON_RESPONSE_START },
        { "'over': 'h2', 'on': 'response', 'at': 'bytes:5'", ON_RESPONSE_BYTES },
        { "'over': 'h2', 'on': 'response', 'at': 'content:5'", ON_RESPONSE_CONTENT },
        { "'over': 'h2', 'on': 'response', 'at': 'end'", ON_RESPONSE_END },
        { "'over': 'h2', 'on': 'idle', 'after': '1s'", ON_IDLE },
        { "'over': 'h2', 'on': 'age', 'after': '1s'", ON_AGE },
        { "'over': 'h2', 'on': 'mark', 'name': 'a'", ON_MARK },
        { "'over': 'h2', 'on': 'stale'", ON_STALE },
    };
    assert_int_equal(sizeof places / sizeof *places, TRIGGER_SLOTS);
    for (int step = 0; step < STEP_COUNT; step++)
        assert_non_null(step_rows[step].about);
    for (int trigger = 0; trigger < TRIGGER_ADMIN; trigger++)
        assert_non_null(trigger_rows[trigger].about);
    for (const struct step_row *row = step_rows; row->about; row++) {
        const char *value = strcmp(step_name(row), "header") == 0   ? "{'name': 'a', 'value': 'b'}"
                            : strcmp(step_name(row), "inject") == 0 ? "'x'"
                            : row->args[0].type == VALUE_DURATION && row->args[0].name ? "'1s'"
                            : row->args[0].required                                    ? "1"
                                                                                       : "{}";
        for (size_t i = 0; i < TRIGGER_SLOTS; i++) {
            char document[512];
            snprintf(document, sizeof document,
                     "{'name': 'x', 'summary': '-', 'rules': [{%s, 'do': [{'%s': %s}]}]}",
                     places[i].rule, step_name(row), value);
            struct mode_program *program = NULL;
            int outcome = compile_with(document, NULL, false, 1, &program);
            mode_unref(program);
            bool fits = row->slots & IN(places[i].slot);
            /* Without an engine there is no "over", which steps of HTTP/2 ask for. */
            if ((outcome == 0) != fits)
                fail_msg("%s: %s: %s", document, outcome ? "refused" : "taken", why.what);
            if (outcome)
                assert_string_equal(why.where, "$.rules[0].do[0]");
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mistake_is_refused_with_its_place_and_what_is_allowed),
        cmocka_unit_test(ranges_of_requests_are_read),
        cmocka_unit_test(sensible_sequences_are_taken),
        cmocka_unit_test(durations_are_scaled_and_never_stays_never),
        cmocka_unit_test(answers_get_the_content_type_they_lack),
        cmocka_unit_test(places_in_a_response_are_read),
        cmocka_unit_test(ranges_of_connections_hold_the_numbers_they_say),
        cmocka_unit_test(a_rule_is_about_all_connections_unless_it_says_which),
        cmocka_unit_test(rules_of_marks_have_names_and_times),
        cmocka_unit_test(every_step_fits_where_its_row_says_and_nowhere_else),
    };
    memory_for_jansson(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
