/* server.c: the shared memory of a server that is away, so that a hundred threads do not wait for it one by one. */
#include "redis/server.h"

#include "base/clock.h"

#define TRY_EVERY_MS 250

static char *copy(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

struct redis_server *redis_server_new(const struct redisurl *url, const char *client_name, int connect_ms,
                                      int command_ms)
{
    struct redis_server *s = xcalloc(1, sizeof(*s));

    s->url = *url;
    s->url.path = copy(url->path);
    s->url.host = copy(url->host);
    s->url.user = copy(url->user);
    s->url.password = copy(url->password);
    s->name = xstrdup(client_name ? client_name : "");
    s->show = redisurl_show(url);
    s->connect_ms = connect_ms;
    s->command_ms = command_ms;
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void redis_server_free(struct redis_server *s)
{
    if (!s)
        return;
    pthread_mutex_destroy(&s->lock);
    redisurl_free(&s->url);
    free(s->name);
    free(s->show);
    free(s);
}

static int refuse(struct redis_server *s, struct err *err)
{
    pthread_mutex_lock(&s->lock);
    err_set(err, ERR_AWAY, "%s", s->reason);
    pthread_mutex_unlock(&s->lock);
    if (err)
        err->retry_after_s = 1;
    return -1;
}

int server_enter(struct redis_server *s, struct err *err)
{
    bool nobody = false;

    if (!atomic_load_explicit(&s->away, memory_order_acquire))
        return 0;
    if (clock_mono_ms() < atomic_load(&s->try_at_ms) || !atomic_compare_exchange_strong(&s->probing, &nobody, true))
        return refuse(s, err);
    return 1;
}

void server_answered(struct redis_server *s)
{
    atomic_store(&s->away, false);
    atomic_store(&s->probing, false);
}

void server_failed(struct redis_server *s, bool probing, const char *reason)
{
    pthread_mutex_lock(&s->lock);
    snprintf(s->reason, sizeof(s->reason), "%s", reason);
    pthread_mutex_unlock(&s->lock);
    atomic_store(&s->try_at_ms, clock_mono_ms() + TRY_EVERY_MS);
    atomic_store(&s->away, true);
    if (probing)
        atomic_store(&s->probing, false);
}
