/* news.c: visitors told by e-mail. */
#include "core/news.h"

#include "base/clock.h"
#include "base/json.h"
#include "core/listener.h"
#include "core/options.h"
#include "core/otp.h"
#include "core/rules_text.h"
#include "core/seal.h"
#include "core/view.h"

#define SEALED_AS "listener_to"
#define CODE_GRACE_MS 60000 /* for so long after its code has expired a request still waits for another */

/* --- remembering --- */

void news_add_listener(const struct house *house, struct str *lines, const char *hash, const struct service *service, struct span address,
                       const char *locale)
{
    struct str json = STR_INIT, to = STR_INIT;
    str_add_json(&to, address.s, address.len);
    str_adds(&json, "{\"to\":");
    if (service->seal == SERVICE_SEAL_OFF)
        str_add_span(&json, (struct span){ to.s, to.len });
    else
        seal_add(&json, house->secret, span_of(hash), SEALED_AS, (struct span){ to.s, to.len });
    str_adds(&json, ",\"locale\":");
    str_add_json(&json, locale, strlen(locale));
    str_addc(&json, '}');
    listener_add(lines, LISTENER_MAIL, (struct span){ json.s, json.len });
    str_free(&json);
    str_free(&to);
}

const struct service *news_service(const struct services *s)
{
    for (size_t i = 0; s && i < services_count(s); i++)
        if (service_news_field(services_at(s, i)))
            return services_at(s, i);
    return NULL;
}

/* --- telling --- */

struct event {
    struct str hash, slug;
    enum request_status status;
    int64_t time_ms;
};

static bool read_event(struct span payload, struct event *e)
{
    struct span event = raw_get(payload, "event"), data = raw_get(event, "data");
    struct str status = STR_INIT, time = STR_INIT;
    bool good = raw_string(raw_get(data, "hash"), &e->hash) && keys_is_hash((struct span){ e->hash.s, e->hash.len }) &&
                raw_string(raw_get(data, "service_slug"), &e->slug) && raw_string(raw_get(data, "status"), &status) &&
                raw_string(raw_get(event, "timestamp"), &time);
    int known = good ? request_status_parse((struct span){ status.s, status.len }) : -1;
    e->status = known < 0 ? REQUEST_PENDING : (enum request_status)known;
    e->time_ms = good ? clock_parse_rfc3339((struct span){ time.s, time.len }) : -1;
    str_free(&status);
    str_free(&time);
    return good && listener_hears(e->status) && e->time_ms >= 0;
}

static int read_to(const struct house *house, struct span listener, const struct event *e, struct str *to, struct err *err)
{
    struct span value = raw_get(listener, "to");
    struct str opened = STR_INIT;
    int rc = seal_open(&opened, house->secret, (struct span){ e->hash.s, e->hash.len }, SEALED_AS, value, err);
    bool is_text = rc >= 0 && raw_string(rc == 1 ? (struct span){ opened.s, opened.len } : value, to);
    if (rc >= 0 && (!is_text || !rules_is_email((struct span){ to->s, to->len }))) /* anybody may push such a job */
        rc = err_set(err, ERR_INVALID, "The payload's listener has no e-mail address.");
    str_free(&opened);
    return rc < 0 ? -1 : 0;
}

/* Is it over, what it tells of? */
static bool is_late(const struct house *house, const struct event *e, const struct service *service)
{
    int64_t life_ms = e->status == REQUEST_OTP_REQUIRED ? otp_policy(service)->seconds * INT64_C(1000) + CODE_GRACE_MS
                                                        : house->request_ttl_s * INT64_C(1000);
    return house_now_ms(house) - e->time_ms > life_ms;
}

static void add_data(struct str *out, const struct service *service, const struct locale *locale, const char *site, const struct event *e)
{
    const char *title = text_in(service->title, locale);
    struct str link = STR_INIT;
    size_t len = strlen(site);
    str_addf(&link, "%.*s", (int)(site[len - 1] == '/' ? len - 1 : len), site);
    view_add_place_of(&link, span_of(service->slug), e->status, e->hash.s);
    str_adds(out, "{\"service\":");
    str_add_json(out, title, strlen(title));
    str_adds(out, ",\"link\":");
    str_add_json(out, link.s, link.len);
    str_addf(out, ",\"failed\":%s}", e->status == REQUEST_FAILED ? "true" : "false");
    str_free(&link);
}

static int write_news(const struct house *house, struct span payload, const struct event *e, struct news *out, struct err *err)
{
    struct span listener = raw_get(payload, "listener");
    const struct service *service = services_find(house->services, (struct span){ e->slug.s, e->slug.len });
    const char *site = settings_text(house->settings, OPT_PEYGIR_SITE_URL);
    const struct locale *locale;
    if (!service)
        return err_set(err, ERR_INVALID, "The request's service is not among those in PEYGIR_SERVICES_DIR.");
    if (!site)
        return err_set(err, ERR_CONFIG, "PEYGIR_SITE_URL is not set: it must be the address of the site, to which the mail leads.");
    if (is_late(house, e, service))
        return err_set(err, ERR_EXPIRED, "What the mail tells of is over.");
    if (!raw_string(raw_get(listener, "locale"), &out->locale))
        return err_set(err, ERR_INVALID, "The payload's listener has no locale.");
    locale = locales_find(house->locales, (struct span){ out->locale.s, out->locale.len });
    if (!locale) { /* taken away since */
        locale = locales_default(house->locales);
        str_reset(&out->locale);
        str_adds(&out->locale, locale_code(locale));
    }
    out->template = e->status == REQUEST_OTP_REQUIRED ? "code-needed" : "result-ready";
    add_data(&out->data, service, locale, site, e);
    return read_to(house, listener, e, &out->to, err) < 0 ? -1 : 1;
}

int news_read(const struct house *house, struct span payload, const char *job_id, struct news *out, struct err *err)
{
    struct event e = { .hash = STR_INIT };
    int rc;
    if (!read_event(payload, &e))
        rc = err_set(err, ERR_INVALID, "The payload has a listener and no event as a request pushes it.");
    else if (e.status == REQUEST_CANCELLED || (e.status == REQUEST_OTP_REQUIRED && !listener_is_first_code(job_id)))
        rc = 0;
    else
        rc = write_news(house, payload, &e, out, err);
    str_free(&e.hash);
    str_free(&e.slug);
    return rc;
}

void news_free(struct news *n)
{
    str_free(&n->to);
    str_free(&n->locale);
    str_free(&n->data);
}
