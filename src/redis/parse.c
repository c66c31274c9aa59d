/* parse.c: hiredis's reader, with reply objects of our own in an arena. */
#include "redis/parse.h"

#include <hiredis/hiredis.h>
#include <hiredis/read.h>

#define ARENA_FIRST_BYTES (8 * 1024)
#define ARENA_KEEP_BYTES (256 * 1024) /* a larger block is given back after use */
#define READER_KEEP_BYTES (64 * 1024)
#define ITEMS_MAX (256 * 1024) /* Peygir asks for far fewer at once; a stranger's ten bytes take no more than 16 MB */

struct block {
    struct block *next;
    size_t cap, used;
    _Alignas(max_align_t) char data[];
};

struct parse {
    redisReader *reader;
    struct block *block; /* the one in use; full ones follow */
    struct reply *root;  /* where the reply that is being read goes; NULL: nowhere */
    struct reply dropped;
    char dropped_text[128];
};

/* A block is at least twice as large as the one before, so that soon one block holds a whole exchange. */
static void *room(struct parse *p, size_t bytes)
{
    struct block *b = p->block;

    bytes = (bytes + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    if (!b || b->cap - b->used < bytes) {
        size_t cap = b ? b->cap * 2 : ARENA_FIRST_BYTES;
        if (cap < bytes)
            cap = bytes;
        b = xmalloc(sizeof(*b) + cap);
        *b = (struct block){ .next = p->block, .cap = cap };
        p->block = b;
    }
    b->used += bytes;
    return b->data + b->used - bytes;
}

void parse_forget(struct parse *p)
{
    struct block *b = p->block;

    if (!b)
        return;
    while (b->next) {
        struct block *old = b->next;
        b->next = old->next;
        free(old);
    }
    b->used = 0;
    if (b->cap > ARENA_KEEP_BYTES) {
        free(b);
        p->block = NULL;
    }
}

struct reply *parse_room(struct parse *p, size_t count)
{
    struct reply *r = room(p, count * sizeof(*r));

    for (size_t i = 0; i < count; i++)
        r[i] = (struct reply){ .type = REPLY_NIL };
    return r;
}

struct span parse_copy(struct parse *p, const char *s, size_t len)
{
    char *copy = room(p, len + 1);

    memcpy(copy, s, len);
    copy[len] = '\0';
    return (struct span){ copy, len };
}

/* --- what hiredis's reader calls --- */

/* hiredis 1.0 made counts unsigned. */
#if HIREDIS_MAJOR >= 1
typedef size_t item_count;
#else
typedef int item_count;
#endif

/* The place of the reply that `task` describes: in its array, or the root. */
static struct reply *place(const redisReadTask *task)
{
    struct parse *p = task->privdata;

    if (!p->root)
        return &p->dropped;
    if (!task->parent)
        return p->root;
    return (struct reply *)((struct reply *)task->parent->obj)->item + task->idx;
}

static struct span keep_text(struct parse *p, const char *s, size_t len)
{
    if (p->root)
        return parse_copy(p, s, len);
    len = len < sizeof(p->dropped_text) ? len : sizeof(p->dropped_text) - 1;
    memcpy(p->dropped_text, s, len);
    p->dropped_text[len] = '\0';
    return (struct span){ p->dropped_text, len };
}

static void *make_text(const redisReadTask *task, char *s, size_t len)
{
    struct reply *r = place(task);

    r->type = task->type == REDIS_REPLY_ERROR    ? REPLY_ERROR
              : task->type == REDIS_REPLY_STATUS ? REPLY_STATUS
                                                 : REPLY_STRING;
    r->text = keep_text(task->privdata, s, len);
    return r;
}

static void *make_array(const redisReadTask *task, item_count count)
{
    struct parse *p = task->privdata;
    struct reply *r = place(task);

    if (count > ITEMS_MAX)
        return NULL;
    r->type = REPLY_ARRAY;
    r->count = (size_t)count;
    r->item = p->root ? parse_room(p, r->count) : NULL;
    return r;
}

static void *make_integer(const redisReadTask *task, long long n)
{
    struct reply *r = place(task);

    r->type = REPLY_INT;
    r->integer = n;
    return r;
}

static void *make_nil(const redisReadTask *task)
{
    struct reply *r = place(task);

    r->type = REPLY_NIL;
    return r;
}

static void keep(void *object)
{
    (void)object; /* the arena is emptied at once, never reply by reply */
}

static redisReplyObjectFunctions functions = {
    .createString = make_text,
    .createArray = make_array,
    .createInteger = make_integer,
    .createNil = make_nil,
    .freeObject = keep,
};

static void open_reader(struct parse *p)
{
    p->reader = redisReaderCreateWithFunctions(&functions);
    if (!p->reader)
        abort();
    p->reader->privdata = p;
    p->reader->maxbuf = READER_KEEP_BYTES;
}

struct parse *parse_new(void)
{
    struct parse *p = xcalloc(1, sizeof(*p));

    open_reader(p);
    return p;
}

void parse_free(struct parse *p)
{
    if (!p)
        return;
    redisReaderFree(p->reader);
    parse_forget(p);
    free(p->block);
    free(p);
}

void parse_restart(struct parse *p)
{
    redisReaderFree(p->reader);
    open_reader(p);
}

void parse_feed(struct parse *p, const char *bytes, size_t len)
{
    redisReaderFeed(p->reader, bytes, len);
}

int parse_next(struct parse *p, struct reply *into, struct err *err)
{
    void *object = NULL;

    p->root = into;
    if (redisReaderGetReply(p->reader, &object) != REDIS_OK)
        return err_set(err, ERR_AWAY, "What answers there does not speak Redis's protocol (%s).", p->reader->errstr);
    return object ? 1 : 0;
}

const struct reply *parse_dropped(const struct parse *p)
{
    return &p->dropped;
}
