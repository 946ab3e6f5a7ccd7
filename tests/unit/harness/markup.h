/* markup.h - XML and HTML read strictly, for tests of what is written: whatever is not wholly right
 * fails the test with its place.
 */
#pragma once

#include <stddef.h>

/* What may stand where. */
struct markup_rule {
    const char *element, *parent; /* parent NULL: it is the root, or anywhere (html) */
    const char *required;         /* attributes, separated by blanks */
    const char *optional;
};

/* Reads a text of len octets as XML 1.0: well-formed (of entities the five that are built in, and
 * &#39;), UTF-8, no control characters but line ends, elements and attributes as the rules say (a
 * NULL element ends them; rules NULL: any). Calls element (NULL is fine) with each, its parent and
 * its attributes "name=value\n...". */
void markup_xml(const char *text, size_t len, const struct markup_rule *rules,
                void (*element)(void *arg, const char *name, const char *attributes), void *arg);

/* The same for a page: "<!DOCTYPE html>" first; void elements need no end. */
void markup_html(const char *text, size_t len, const struct markup_rule *rules);

/* Fails unless the text is UTF-8 without control characters but "\n". */
void markup_plain(const char *text, size_t len);
