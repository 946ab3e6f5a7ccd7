/* report_parts.h - what the formats of a report share. Private to them. */
#pragma once

#include <stdint.h>

#include "verdict/report.h"

/* A member of an object as text; "": it has none. */
const char *report_member(const json_t *object, const char *member);
/* The word of an outcome in a document; one that is not known is inconclusive. */
enum outcome report_word(const json_t *object, const char *member);
const char *report_outcome_word(enum outcome outcome);
/* "PROVED", "NOT PROVED", "INCONCLUSIVE". */
const char *report_verdict_word(enum outcome outcome);
/* That of one check: a pass that is not final is inconclusive. */
enum outcome report_check_outcome(const json_t *check);
/* False: it is of the phase "without", where a failure is what the mitigation is for. */
bool report_check_counts(const json_t *check);

const char *report_title(const struct report *r);
const char *report_row_name(const struct report_row *row);
/* How many rows have this outcome. */
size_t report_count(const struct report *r, enum outcome outcome);

/* Each appends a text as it is in the document, to be escaped as a whole. */

/* "1 of 1 bitten GETs over h2, direct; by the app or its HTTP stack; --without tells. POST, h1: not
 * tested"; nothing if there is nothing to say. */
void report_remarks(const struct report_row *row, struct buf *out);
/* What was judged: "retry-once over h2", "recovered, user_wait". */
void report_subject(const struct report_row *row, struct buf *out);
/* "PROVED 3, NOT PROVED 1 of 4". */
void report_counts(const struct report *r, struct buf *out);
/* A check's sentence, and "pass so far" before one that is not final. */
void report_sentence(const json_t *check, struct buf *out);
/* "request 2: the client says ok, 200; the server: never answered: ...". */
void report_disagreement(const json_t *one, struct buf *out);
/* What else belongs into a report: missing events, a time scale, more connections. Calls each with
 * one line. */
void report_notes(const json_t *document, void (*each)(void *arg, struct buf *line), void *arg);
/* An event of a connection: "0.113 GET /a FIN at its first byte". fault: it is one. */
void report_event(const json_t *event, struct buf *out, bool *fault);

/* The next code point of a text of *len octets; both move on. False: at its end. Octets that are
 * no UTF-8 are U+FFFD, one by one. */
bool report_next(const char **text, size_t *len, uint32_t *code);
/* Is it one that is shown by its number: a control character, or one that changes the direction of
 * what follows, or no character at all. */
bool report_is_control(uint32_t code);
void report_utf8(struct buf *out, uint32_t code);
/* A control character by its number. */
void report_numbered(struct buf *out, uint32_t code);
/* As text of XML and HTML, in attributes too. */
void report_xml(struct buf *out, const struct buf *text);
void report_xml_text(struct buf *out, const char *text);
