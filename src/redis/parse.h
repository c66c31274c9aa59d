/* parse.h: hiredis's reader with replies that land in an arena: no malloc and no free for each reply. */
#ifndef PEYGIR_PARSE_H
#define PEYGIR_PARSE_H

#include "redis/redis.h"

struct parse;

struct parse *parse_new(void);
void parse_free(struct parse *p); /* NULL is harmless */
/* Forget all replies and all bytes fed: for a new connection. */
void parse_restart(struct parse *p);
/* Give the memory of all replies back to the arena: none of them may be used any more. */
void parse_forget(struct parse *p);
/* `count` replies in a row in the arena, all NIL. */
struct reply *parse_room(struct parse *p, size_t count);
/* NUL-terminated copy in the arena. */
struct span parse_copy(struct parse *p, const char *s, size_t len);

void parse_feed(struct parse *p, const char *bytes, size_t len);
/* 1: *into is the next reply; 0: more bytes are needed, call again with the same `into`; -1: what came is not
 * Redis's protocol. With `into` NULL the reply is dropped and takes no memory; parse_dropped() then tells its type,
 * and the text of an error. */
int parse_next(struct parse *p, struct reply *into, struct err *err);
const struct reply *parse_dropped(const struct parse *p);

#endif
