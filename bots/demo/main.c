/* main.c: the demonstration bot: threads that take calls from nginx by FastCGI, one call at a time each. */
#include "bot.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 256, STACK_BYTES = 512 * 1024, BODY_BYTES = 1 << 20, REMEMBERED = 4096, HASH_BYTES = 96 };

double bot_speed = 1;

static const char about[] =
    "This is Peygir's demonstration bot. It answers POST /api/services/{slug} and POST /api/jobs/default, and GET /market/...\n";

/* --- what a call offers --- */

const char *call_field(const struct call *c, const char *name)
{
    const char *text = json_object_get_string(json_object_object_get(c->body, name));
    return text ? text : "";
}

const char *call_say(const struct call *c, const char *fa, const char *en)
{
    return c->english ? en : fa;
}

void call_answer_text(struct call *c, int status, const char *headers, const char *text, size_t len)
{
    FCGX_FPrintF(c->fcgi->out, "Status: %d\r\n%s\r\n", status, headers);
    FCGX_PutStr(text, (int)len, c->fcgi->out);
}

void call_answer(struct call *c, int status, struct json_object *answer)
{
    int format = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;
    size_t len;
    const char *text = json_object_to_json_string_length(answer, format, &len);
    call_answer_text(c, status, "Content-Type: application/json\r\n", text, len);
    json_object_put(answer);
}

void call_error(struct call *c, const char *code, const char *message, bool retryable)
{
    struct json_object *answer = json_object_new_object();
    json_object_object_add(answer, "status", json_object_new_string("error"));
    json_object_object_add(answer, "code", json_object_new_string(code));
    json_object_object_add(answer, "message", json_object_new_string(message));
    json_object_object_add(answer, "retryable", json_object_new_boolean(retryable));
    call_answer(c, 200, answer);
}

static void sleep_seconds(double seconds)
{
    struct timespec t = { .tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) };
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

bool call_wait(struct call *c, double seconds)
{
    double left = seconds * c->pace / bot_speed;
    do {
        if (!c->stubborn && report_is_over(c))
            return false;
        sleep_seconds(left < 0.5 ? left : 0.5);
        left -= 0.5;
    } while (left > 0);
    return c->stubborn || !report_is_over(c);
}

int call_number(const struct call *c)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct {
        char hash[HASH_BYTES];
        int calls;
    } seen[REMEMBERED];
    static size_t next;
    size_t i = 0;
    int calls;

    pthread_mutex_lock(&lock);
    while (i < REMEMBERED && strncmp(seen[i].hash, c->hash, HASH_BYTES - 1) != 0)
        i++;
    if (i == REMEMBERED) {
        i = next++ % REMEMBERED;
        snprintf(seen[i].hash, HASH_BYTES, "%s", c->hash);
        seen[i].calls = 0;
    }
    calls = ++seen[i].calls;
    pthread_mutex_unlock(&lock);
    return calls;
}

/* --- routes --- */

/* The posted object, or NULL when it is none. */
static struct json_object *read_body(FCGX_Request *fcgi)
{
    const char *length = FCGX_GetParam("CONTENT_LENGTH", fcgi->envp);
    long len = length ? strtol(length, NULL, 10) : 0;
    struct json_object *body = NULL;
    char *text;

    if (len <= 0 || len > BODY_BYTES || !(text = calloc(1, (size_t)len + 1)))
        return NULL;
    if (FCGX_GetStr(text, (int)len, fcgi->in) == len)
        body = json_tokener_parse(text);
    free(text);
    if (body && !json_object_is_type(body, json_type_object)) {
        json_object_put(body);
        body = NULL;
    }
    return body;
}

/* Peygir names the request, and sends the form's values as texts; otpData alone is an object. */
static bool is_form(struct json_object *body)
{
    struct json_object_iter field;

    json_object_object_foreachC(body, field)
        if (strcmp(field.key, "otpData") != 0 && !json_object_is_type(field.val, json_type_string))
            return false;
    return json_object_object_get(body, "requestHash") != NULL;
}

/* POST /api/services/{slug}, and below it cancel and resend-otp. */
static void serve_service(struct call *c, const char *slug)
{
    size_t len = strcspn(slug, "/");
    const char *verb = slug + len;
    const struct service *s = services;

    while (s->slug && (strlen(s->slug) != len || strncmp(s->slug, slug, len) != 0))
        s++;
    report_open(c);
    if (!is_form(c->body))
        call_error(c, "BAD_BODY", "The body is not what Peygir sends.", false);
    else if (!s->slug)
        call_error(c, "UNKNOWN_SERVICE", call_say(c, "این سرویس وجود ندارد.", "There is no such service."), false);
    else if (strcmp(verb, "") == 0)
        s->run(c);
    else if (strcmp(verb, "/resend-otp") == 0)
        call_sms_sent(c);
    else
        call_success(c, NULL);
    report_close(c);
}

static void serve_default_job(struct call *c)
{
    struct json_object *data = json_object_new_object();
    json_object_object_add(data, "echo", json_object_get(c->body));
    call_success(c, data);
}

static void say_about(struct call *c, int status)
{
    call_answer_text(c, status, "Content-Type: text/plain\r\n", about, strlen(about));
}

static void serve(FCGX_Request *fcgi)
{
    static const char services_path[] = "/api/services/", market_path[] = "/market/";
    const char *method = FCGX_GetParam("REQUEST_METHOD", fcgi->envp);
    const char *path = FCGX_GetParam("DOCUMENT_URI", fcgi->envp);
    const char *language = FCGX_GetParam("HTTP_ACCEPT_LANGUAGE", fcgi->envp);
    struct call c = { .fcgi = fcgi, .pace = 1, .code_length = 5, .code_expiry_s = 120 };

    c.english = language && strncmp(language, "en", 2) == 0;
    c.body = read_body(fcgi);
    c.hash = call_field(&c, "requestHash");
    if (method && path && strcmp(method, "GET") == 0 && strncmp(path, market_path, strlen(market_path)) == 0)
        market(&c, path + strlen(market_path));
    else if (!method || !path || strcmp(method, "POST") != 0)
        say_about(&c, path && strcmp(path, "/") == 0 ? 200 : 404);
    else if (!c.body)
        call_error(&c, "BAD_BODY", "The body is not a JSON object.", false);
    else if (strncmp(path, services_path, strlen(services_path)) == 0)
        serve_service(&c, path + strlen(services_path));
    else if (strcmp(path, "/api/jobs/default") == 0)
        serve_default_job(&c);
    else
        say_about(&c, 404);
    json_object_put(c.body);
}

/* --- threads --- */

static void *take_calls(void *unused)
{
    FCGX_Request fcgi;
    (void)unused;
    FCGX_InitRequest(&fcgi, 0, FCGI_FAIL_ACCEPT_ON_INTR);
    for (;;) {
        if (FCGX_Accept_r(&fcgi) == 0) {
            serve(&fcgi);
            FCGX_Finish_r(&fcgi);
        } else {
            sleep_seconds(0.01); /* out of descriptors, or a broken record */
        }
    }
    return NULL;
}

static bool start_threads(void)
{
    pthread_attr_t attr;
    pthread_t thread;
    int started = 0;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    while (started < THREADS && pthread_create(&thread, &attr, take_calls, NULL) == 0)
        started++;
    pthread_attr_destroy(&attr);
    return started > 0;
}

int main(void)
{
    const char *speed = getenv("PEYGIR_DEMO_SPEED");
    sigset_t stop;
    int signal_number;

    if (speed && *speed)
        bot_speed = strtod(speed, NULL);
    if (FCGX_Init() != 0 || FCGX_IsCGI() || !(bot_speed > 0)) {
        fprintf(stderr, "peygir-demo-bot: start it with spawn-fcgi (a listening socket as standard input), "
                        "and with a PEYGIR_DEMO_SPEED above 0\n");
        return 1;
    }
    /* Signals are for main alone; the threads, which inherit this, are never interrupted. */
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (!start_threads()) {
        fprintf(stderr, "peygir-demo-bot: no thread could be started\n");
        return 1;
    }
    sigwait(&stop, &signal_number);
    _exit(0); /* calls that wait are cut off: their jobs are tried again */
}
