/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * List - intrusive, doubly linked, circular around its head
 *
 * A node that is in no list points to itself, so list_remove() may be called twice.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *head)
{
	head->prev = head->next = head;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_append(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#define list_item(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Appends all of from to head; from is empty then. */
static inline void list_move(struct list *head, struct list *from)
{
	while (!list_empty(from)) {
		struct list *node = from->next;

		list_remove(node);
		list_append(head, node);
	}
}

/* Safe against removal of item inside the loop, not of its neighbour. */
#define list_for_each(item, head, member)                                                        \
	for (__typeof__(item) item##_next, item##_once = NULL; item##_once == NULL;              \
	     item##_once = (void *)1)                                                            \
		for (item = list_item((head)->next, __typeof__(*item), member);                  \
		     &item->member != (head) &&                                                  \
		     (item##_next = list_item(item->member.next, __typeof__(*item), member), 1); \
		     item = item##_next)
