/* server.c: the shared memory of a server that is away, so that a hundred threads do not wait for it one by one. */
#include "redis/server.h"

#include "base/clock.h"

#define TRY_EVERY_MS 250
#define TIME_EVERY_MS 60000 /* two hosts' monotonic clocks part by some milliseconds until then */
/* A reading is wrong by as long as it took: one that took longer than the first counts only where there is none, or an old one, one that
 * took longer than the second never, for whoever read it stood still meanwhile. */
#define TIME_TRUST_MS 250
#define TIME_SLOW_MS 5000
#define TIME_OLD_MS 600000

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

/* --- its clock --- */

bool server_wants_time(struct redis_server *s)
{
    int64_t now_ms = clock_mono_ms(), asked_ms = atomic_load_explicit(&s->asked_ms, memory_order_relaxed);

    return now_ms - asked_ms >= TIME_EVERY_MS && atomic_compare_exchange_strong(&s->asked_ms, &asked_ms, now_ms);
}

void server_told_time(struct redis_server *s, int64_t asked_ms, const struct reply *time)
{
    int64_t time_ms = reply_time_ms(time), now_ms = clock_mono_ms(), took_ms = now_ms - asked_ms;
    bool old = !atomic_load(&s->has_time) || now_ms - atomic_load(&s->told_ms) >= TIME_OLD_MS;

    if (time_ms == 0 || took_ms > (old ? TIME_SLOW_MS : TIME_TRUST_MS))
        return;
    atomic_store(&s->ahead_ms, clock_ahead_ms(time_ms, took_ms));
    atomic_store(&s->asked_ms, now_ms);
    atomic_store(&s->told_ms, now_ms);
    atomic_store(&s->has_time, true);
}

int64_t redis_server_now_ms(const struct redis_server *s)
{
    if (!atomic_load_explicit(&s->has_time, memory_order_acquire))
        return clock_ms();
    return clock_mono_ms() + atomic_load_explicit(&s->ahead_ms, memory_order_relaxed);
}
