/* list.h - an intrusive doubly linked ring. A list head is a struct link that points at itself. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *prev, *next;
};

#define link_entry(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void link_init(struct link *l)
{
    l->prev = l->next = l;
}

static inline bool link_empty(const struct link *head)
{
    return head->next == head;
}

/* Puts l at the end of the list. */
static inline void link_append(struct link *head, struct link *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

/* Takes l out of its list; harmless when it is in none (but initialised). */
static inline void link_remove(struct link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    link_init(l);
}
