/* app.c: the definitions of a process and the connections of its threads. */
#include "core/app.h"

#include "core/job_type.h"
#include "core/keys.h"
#include "core/locale.h"
#include "core/notice.h"
#include "core/options.h"
#include "core/presence.h"
#include "core/tally.h"
#include "core/secret.h"
#include "core/service.h"
#include "core/source.h"

#define CONNECT_MS 500

static int parse_url(const struct settings *settings, enum redis_role role, struct redisurl *out, struct err *err)
{
    char *url = options_redis_url(settings, role);
    int rc = redisurl_parse(url, out, err);

    free(url);
    return rc;
}

static int open_servers(struct house *h, const char *client_name, int command_ms, struct err *err)
{
    int connect_ms = command_ms < CONNECT_MS ? command_ms : CONNECT_MS;

    if (parse_url(h->settings, REDIS_MAIN, &h->main_url, err) < 0 ||
        parse_url(h->settings, REDIS_SESSION, &h->session_url, err) < 0 || parse_url(h->settings, REDIS_CACHE, &h->cache_url, err) < 0)
        return -1;
    h->main_server = redis_server_new(&h->main_url, client_name, connect_ms, command_ms);
    h->session_server = redisurl_same_server(&h->main_url, &h->session_url)
                            ? h->main_server
                            : redis_server_new(&h->session_url, client_name, connect_ms, command_ms);
    h->cache_server = redisurl_same_server(&h->main_url, &h->cache_url)
                          ? h->main_server
                          : redis_server_new(&h->cache_url, client_name, connect_ms, command_ms);
    return 0;
}

/* Without a secret only services that seal nothing can be carried out. */
static int load_seals(struct house *h, struct err *err)
{
    const char *file = settings_text(h->settings, OPT_PEYGIR_SECRET_FILE), *slug = services_sealing(h->services);

    if (!file && !slug)
        return 0;
    if (secret_load(file, &h->secret, err) == 0)
        return 0;
    return slug ? err_prefix(err, "The service %s seals its values", slug) : -1;
}

static int load_definitions(struct house *h, unsigned what, struct err *err)
{
    const struct settings *s = h->settings;

    if ((what & HOUSE_SERVICES) && services_load(options_dir(s, OPT_PEYGIR_SERVICES_DIR), &h->services, err) < 0)
        return -1;
    if ((what & HOUSE_JOB_TYPES) && !(h->job_types = job_types_open(options_dir(s, OPT_PEYGIR_JOBS_DIR), err)))
        return -1;
    if ((what & HOUSE_LOCALES) && locales_load(options_dir(s, OPT_PEYGIR_LOCALES_DIR),
                                               settings_text(s, OPT_PEYGIR_LOCALE), &h->locales, err) < 0)
        return -1;
    if ((what & HOUSE_NOTICES) && !(h->notices = notices_open(options_dir(s, OPT_PEYGIR_NOTIFICATIONS_DIR), err)))
        return -1;
    if ((what & HOUSE_SECRET) && secret_load(settings_text(s, OPT_PEYGIR_SECRET_FILE), &h->secret, err) < 0)
        return -1;
    if ((what & HOUSE_SEALS) && load_seals(h, err) < 0)
        return -1;
    return what & HOUSE_SOURCES ? sources_load(options_dir(s, OPT_PEYGIR_SOURCES_DIR), &h->sources, err) : 0;
}

int house_open(struct house *h, const struct settings *settings, unsigned what, const char *client_name, int command_ms,
               struct err *err)
{
    *h = (struct house){ .settings = settings };
    h->presence = presence_memo_new();
    h->tallies = tallies_new();
    h->prefix = xstrdup(settings_text(settings, OPT_PEYGIR_PREFIX));
    h->task_queue = options_key(settings, OPT_REDIS_TASK_QUEUE_PREFIX);
    h->task_data = options_key(settings, OPT_REDIS_TASK_DATA_PREFIX);
    h->session_prefix = options_key(settings, OPT_REDIS_SESSION_PREFIX);
    h->notifications = options_key(settings, OPT_REDIS_PUBSUB_CHANNEL);
    h->request_ttl_s = (int)settings_int(settings, OPT_PEYGIR_REQUEST_TTL);
    h->limit_factor = settings_number(settings, OPT_PEYGIR_LIMIT_FACTOR);
    h->plain_session_keys = settings_word(settings, OPT_SESSION_KEYS) == SESSION_KEYS_PLAIN;
    if (load_definitions(h, what, err) < 0 || open_servers(h, client_name, command_ms, err) < 0) {
        house_close(h);
        return -1;
    }
    return 0;
}

void house_close(struct house *h)
{
    if (h->session_server != h->main_server)
        redis_server_free(h->session_server);
    if (h->cache_server != h->main_server)
        redis_server_free(h->cache_server);
    redis_server_free(h->main_server);
    redisurl_free(&h->main_url);
    redisurl_free(&h->session_url);
    redisurl_free(&h->cache_url);
    services_free(h->services);
    sources_free(h->sources);
    job_types_free(h->job_types);
    locales_free(h->locales);
    notices_free(h->notices);
    secret_free(h->secret);
    presence_memo_free(h->presence);
    tallies_free(h->tallies);
    free(h->prefix);
    free(h->task_queue);
    free(h->task_data);
    free(h->session_prefix);
    free(h->notifications);
    *h = (struct house){ .settings = NULL };
}

int64_t house_now_ms(const struct house *h)
{
    return redis_server_now_ms(h->main_server);
}

void app_open(struct app *app, const struct house *house)
{
    app->house = house;
    app->redis = redis_new(house->main_server);
    app->session_redis = house->session_server == house->main_server ? app->redis : redis_new(house->session_server);
    app->cache_redis = house->cache_server == house->main_server ? app->redis : redis_new(house->cache_server);
    app->main_db = house->main_url.db;
    app->session_db = house->session_url.db;
    app->cache_db = house->cache_url.db;
    app->daily_kept_min = 0;
}

void app_close(struct app *app)
{
    if (app->session_redis != app->redis)
        redis_free(app->session_redis);
    if (app->cache_redis != app->redis)
        redis_free(app->cache_redis);
    redis_free(app->redis);
    *app = (struct app){ .house = NULL };
}
