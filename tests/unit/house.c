/* house.c: a house on a private redis-server, for tests of core */
#include "tests/unit/unit.h"

#include "tests/unit/house.h"

#include "base/clock.h"
#include "core/options.h"
#include "core/otp.h"
#include "tests/unit/server.h"

#include <sys/stat.h>
#include <unistd.h>

static struct settings settings;
static struct house house;
static struct app app;
static char secret_file[] = "/tmp/peygir-secret-XXXXXX";

static void set(const char *name, const char *value)
{
    struct err err = ERR_INIT;
    if (settings_assign(&settings, name, value, FROM_ARGUMENT, &err) < 0)
        fail_msg("%s", err.text);
}

static void write_secret(void)
{
    int fd = mkstemp(secret_file);
    static const char line[] = "0123456789abcdef0123456789abcdef\n";
    if (fd < 0 || write(fd, line, sizeof line - 1) < 0)
        fail_msg("cannot write %s", secret_file);
    close(fd);
}

int house_setup(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    const char *source = getenv("TOP_SOURCE");
    char *dir = xasprintf("%s/etc/services", source ? source : "."), *locales = xasprintf("%s/www/locales", source ? source : "."),
         *jobs = xasprintf("%s/etc/jobs", source ? source : ".");
    server_start();
    write_secret();
    settings_init(&settings, options_table, OPT_COUNT);
    set("REDIS_URL", server_url());
    set("PEYGIR_SERVICES_DIR", dir);
    set("PEYGIR_LOCALES_DIR", locales);
    set("PEYGIR_JOBS_DIR", jobs);
    set("PEYGIR_SECRET_FILE", secret_file);
    if (house_open(&house, &settings, HOUSE_SERVICES | HOUSE_LOCALES | HOUSE_SECRET | HOUSE_JOB_TYPES, "test", 2000, &err) < 0)
        fail_msg("%s", err.text);
    app_open(&app, &house);
    free(dir);
    free(locales);
    free(jobs);
    return 0;
}

int house_teardown(void **state)
{
    (void)state;
    app_close(&app);
    house_close(&house);
    settings_free(&settings);
    unlink(secret_file);
    server_stop();
    return 0;
}

int house_fresh(void **state)
{
    (void)state;
    clock_test_offset(0);
    clock_test_wrong(0);
    server_flush();
    return 0;
}

struct app *house_app(void)
{
    return &app;
}

const struct service *house_service(const char *slug)
{
    const struct service *service = services_find(house.services, span_of(slug));
    assert_non_null(service);
    return service;
}

struct span house_request(const char *key, char hash[HASH_SIZE])
{
    struct err err = ERR_INIT;
    struct request_new n = { .service = house_service("credit-score-rating"),
                             .data = SPAN("{\"mobile\":\"09120000000\",\"national_code\":\"0012345679\"}"),
                             .owner = HOUSE_OWNER,
                             .locale = "fa",
                             .key = span_of(key) };
    if (request_create(&app, &n, hash, &err) != 1)
        fail_msg("request_create: %s", err.text);
    return span_of(hash);
}

struct span house_processing(const char *key, char hash[HASH_SIZE])
{
    struct err err = ERR_INIT;
    struct span made = house_request(key, hash);
    struct job job = { .id = hash, .request_hash = hash, .run = 1 };
    enum request_begin what;
    enum request_status status;
    struct str slug = STR_INIT, body = STR_INIT;
    if (request_begin(&app, &job, &what, &status, &slug, &body, NULL, &err) < 0 || what != BEGIN_CALL)
        fail_msg("request_begin: %s", err.text);
    str_free(&slug);
    str_free(&body);
    return made;
}

struct request house_read(struct span hash)
{
    struct request rq;
    struct err err = ERR_INIT;
    if (request_read(&app, hash, &rq, &err) != 1)
        fail_msg("request_read: %s", err.text);
    return rq;
}

char *house_field(struct span hash, enum document_field field)
{
    struct request rq = house_read(hash);
    struct str value = STR_INIT;
    struct err err = ERR_INIT;
    if (request_open(&app, &rq, field, &value, &err) < 0)
        fail_msg("%s", err.text);
    return str_take(&value, NULL);
}

char *house_cli(const char *command, ...)
{
    const char *words[32] = { command };
    va_list ap;
    va_start(ap, command);
    for (size_t i = 1; i < ARRAY_LEN(words) && (words[i] = va_arg(ap, const char *)); i++)
        ;
    va_end(ap);
    return server_cli(words);
}
