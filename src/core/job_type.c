/* job_type.c: all job types, and the waits between attempts. */
#include "core/job_type.h"

#include "base/digest.h"
#include "base/rnd.h"
#include "core/definitions.h"
#include "core/job_type_read.h"

#define TYPE_DEFAULT "default"

struct job_types {
    struct job_type **list; /* by name, ascending */
    size_t count;
};

/* --- waits --- */

/* Anything between half of it and all of it: jobs that failed together do not come back together. */
static int64_t jitter_ms(int64_t seconds)
{
    int64_t half = seconds * 500;

    return half + rnd_below((uint32_t)half + 1);
}

int64_t backoff_ms(const struct backoff *b, int64_t attempts)
{
    int64_t wait_s = b->base_s, at = attempts < 1 ? 1 : attempts;

    if (b->count)
        return b->list_s[(size_t)at <= b->count ? (size_t)at - 1 : b->count - 1] * 1000;
    if (b->base_s <= 0)
        return -1;
    for (; at > 0 && wait_s < b->cap_s; at--)
        wait_s *= 2;
    return jitter_ms(wait_s < b->cap_s ? wait_s : b->cap_s);
}

/* Seconds in digits. -1: anything else. */
static int64_t read_seconds(struct span text)
{
    int64_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.s[i] < '0' || text.s[i] > '9' || n > BACKOFF_MAX_S)
            return -1;
        n = n * 10 + (text.s[i] - '0');
    }
    return text.len == 0 || n > BACKOFF_MAX_S ? -1 : n;
}

int backoff_parse(struct backoff *out, struct span text)
{
    const char *at = text.s, *end = at + text.len, *comma;
    struct backoff b = { .count = 0 };

    *out = b;
    for (;; at = comma + 1) {
        comma = at < end ? memchr(at, ',', (size_t)(end - at)) : NULL;
        if (b.count == BACKOFF_MAX)
            return -1;
        b.list_s[b.count] = read_seconds((struct span){ at, (size_t)((comma ? comma : end) - at) });
        if (b.list_s[b.count++] < 0)
            return -1;
        if (!comma)
            break;
    }
    *out = b;
    return 0;
}

/* --- one --- */

static int load(const char *file, const char *name, struct job_type **out, struct err *err)
{
    struct json_object *root;
    struct job_type *t;
    struct jread at;
    int rc;

    if (jread_file(file, &root, err) < 0)
        return -1;
    t = xcalloc(1, sizeof(*t));
    at = jread_root(file, root);
    rc = job_type_read(t, &at, name, err);
    json_object_put(root);
    if (rc < 0)
        job_type_free(t);
    else
        *out = t;
    return rc;
}

int job_type_check(const char *file, struct err *err)
{
    char *name = definitions_name(file);
    struct job_type *t = NULL;
    int rc = load(file, name, &t, err);

    job_type_free(t);
    free(name);
    return rc;
}

/* --- all --- */

static int load_one(void *ctx, const char *file, const char *name, struct err *err)
{
    struct job_types *all = ctx;
    struct job_type *t;

    if (load(file, name, &t, err) < 0)
        return -1;
    all->list = xreallocarray(all->list, all->count + 1, sizeof(struct job_type *));
    all->list[all->count++] = t;
    return 0;
}

struct job_types *job_types_open(const char *dir, struct err *err)
{
    struct job_types *all = xcalloc(1, sizeof(*all));
    int rc = definitions_each(dir, load_one, all, err);

    if (rc == 0 && !job_types_find(all, SPAN(TYPE_DEFAULT)))
        rc = err_set(err, ERR_CONFIG, "%s: there is no %s.json; it is the type of jobs that name none.", dir,
                     TYPE_DEFAULT);
    if (rc == 0)
        return all;
    job_types_free(all);
    return NULL;
}

void job_types_free(struct job_types *types)
{
    if (!types)
        return;
    for (size_t i = 0; i < types->count; i++)
        job_type_free(types->list[i]);
    free(types->list);
    free(types);
}

static int compare(struct span a, const char *b)
{
    size_t len = strlen(b), common = a.len < len ? a.len : len;
    int order = common ? memcmp(a.s, b, common) : 0;

    return order ? order : (a.len > len) - (a.len < len);
}

const struct job_type *job_types_find(const struct job_types *types, struct span name)
{
    size_t low = 0, high = types->count, middle;
    int order;

    while (low < high) {
        middle = low + (high - low) / 2;
        order = compare(name, types->list[middle]->name);
        if (order == 0)
            return types->list[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

size_t job_types_count(const struct job_types *types)
{
    return types->count;
}

const struct job_type *job_types_at(const struct job_types *types, size_t i)
{
    return types->list[i];
}

char **job_types_queues(const struct job_types *types, size_t *count)
{
    static char usual[] = JOB_QUEUE_DEFAULT;
    size_t most = types ? job_types_count(types) : 0, n = 0, k;
    char **queues = xcalloc(most + 1, sizeof *queues);

    queues[n++] = usual;
    for (size_t i = 0; i < most; i++) {
        char *queue = job_types_at(types, i)->queue;
        for (k = 0; k < n && strcmp(queues[k], queue) != 0; k++)
            ;
        if (k == n)
            queues[n++] = queue;
    }
    *count = n;
    return queues;
}

/* --- the same job --- */

/* The members' values as json-c writes them, so that white space makes no difference. Each is a line. A payload with numbers that
 * json-c would ruin counts as a whole. */
static void add_members(struct str *out, char *const by[], const char *payload)
{
    struct json_object *root = NULL;

    if (json_parse(payload, strlen(payload), &root, NULL) < 0) {
        str_adds(out, payload);
        return;
    }
    for (; *by; by++) {
        json_add(out, json_object_object_get(root, *by));
        str_addc(out, '\n');
    }
    json_object_put(root);
}

bool job_type_tells(const struct job_type *type)
{
    static const char *const handlers[] = { "mail", "notify", "webhook" };

    for (size_t i = 0; i < ARRAY_LEN(handlers); i++)
        if (strcmp(type->handler, handlers[i]) == 0)
            return true;
    return false;
}

void job_type_set_unique(const struct job_type *type, struct job_new *job, char key[JOB_UNIQUE_SIZE])
{
    char digest[DIGEST_HEX_SIZE];
    struct str members = STR_INIT;

    if (!type->unique || job->unique_key)
        return;
    job->unique_key = key;
    job->unique_ms = type->unique->ms;
    snprintf(key, JOB_UNIQUE_SIZE, "%s", type->name);
    if (!type->unique->by)
        return;
    add_members(&members, type->unique->by, job->payload ? job->payload : "{}");
    digest_sha256_hex(members.s, members.len, digest); /* values may be long, or personal */
    snprintf(key, JOB_UNIQUE_SIZE, "%s:%.32s", type->name, digest);
    str_free(&members);
}
