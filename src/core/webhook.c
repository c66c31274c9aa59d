/* webhook.c: addresses, secrets and signatures of calls to API clients */
#include "core/webhook.h"

#include "base/raw.h"

#include <sodium.h>
#include <strings.h>

#define PURPOSE "webhook"
#define BASE64 sodium_base64_VARIANT_ORIGINAL

/* --- addresses --- */

static struct span after(struct span url, const char *start)
{
    size_t len = strlen(start);
    bool is = url.len >= len && strncasecmp(url.s, start, len) == 0;
    return is ? (struct span){ url.s + len, url.len - len } : (struct span){ NULL, 0 };
}

/* Is there a "." or ".." between slashes? A dot may be written %2e. */
static bool has_dot_segment(struct span path)
{
    size_t dots = 0, others = 0;
    for (size_t i = 0; i <= path.len; i++) {
        if (i == path.len || path.s[i] == '/') {
            if (others == 0 && (dots == 1 || dots == 2))
                return true;
            dots = others = 0;
        } else if (path.s[i] == '.') {
            dots++;
        } else if (path.len - i >= 3 && strncasecmp(path.s + i, "%2e", 3) == 0) {
            dots++;
            i += 2;
        } else {
            others++;
        }
    }
    return false;
}

/* "host[:port]/path…": something before the slash, and nothing in it that names a user. */
static const char *rest_wrong(struct span rest)
{
    const char *slash = rest.s ? memchr(rest.s, '/', rest.len) : NULL, *query;
    size_t host = slash ? (size_t)(slash - rest.s) : 0;
    if (!rest.s)
        return "must begin with https:// or http://";
    if (host == 0 || rest.s[0] == ':' || memchr(rest.s, '?', host))
        return "must name a host and a path, be it only a slash";
    if (memchr(rest.s, '@', host))
        return "must name no user";
    query = memchr(rest.s, '?', rest.len);
    if (has_dot_segment((struct span){ slash, (query ? (size_t)(query - rest.s) : rest.len) - host }))
        return "must have no . and .. between slashes";
    return NULL;
}

const char *webhook_url_wrong(struct span url)
{
    struct span rest = after(url, "https://");
    if (url.len > WEBHOOK_URL_MAX)
        return "must have at most 512 bytes";
    for (size_t i = 0; i < url.len; i++)
        if (url.s[i] <= ' ' || url.s[i] > '~' || strchr("\"<>\\^`{|},#", url.s[i]))
            return "must be of the characters of URLs, without commas and a fragment; others are written with %";
    return rest_wrong(rest.s ? rest : after(url, "http://"));
}

void webhook_add_origin(struct str *out, struct span url)
{
    size_t host = strlen(after(url, "https://").s ? "https://" : "http://");
    const char *slash = memchr(url.s + host, '/', url.len - host);
    str_add(out, url.s, (size_t)(slash - url.s));
}

int webhook_addresses(struct str *out, struct span given, struct err *err)
{
    for (size_t at = 0, len; at <= given.len; at += len + 1) {
        const char *comma = memchr(given.s + at, ',', given.len - at);
        len = (comma ? (size_t)(comma - given.s) : given.len) - at;
        struct span one = { given.s + at, len };
        const char *wrong = webhook_url_wrong(one);
        if (wrong)
            return err_set(err, ERR_INVALID, "An address where a client is called %s: \"%.*s\".", wrong, (int)(len < 200 ? len : 200), one.s);
        if (at > 0)
            str_addc(out, ' ');
        str_add_span(out, one);
    }
    if (out->len > WEBHOOK_ADDRESSES_MAX)
        return err_set(err, ERR_INVALID, "The addresses where a client is called have %zu bytes; %d is the most.", out->len, WEBHOOK_ADDRESSES_MAX);
    return 0;
}

bool webhook_allows(struct span addresses, struct span url)
{
    for (size_t at = 0, len; at < addresses.len; at += len + 1) {
        const char *blank = memchr(addresses.s + at, ' ', addresses.len - at);
        len = (blank ? (size_t)(blank - addresses.s) : addresses.len) - at;
        bool is_beginning = len > 0 && addresses.s[at + len - 1] == '/';
        if (len > 0 && (is_beginning ? url.len >= len : url.len == len) && memcmp(url.s, addresses.s + at, len) == 0)
            return true;
    }
    return false;
}

/* --- secrets --- */

static void add_base64(struct str *out, const uint8_t bytes[DIGEST_BYTES])
{
    char text[sodium_base64_ENCODED_LEN(DIGEST_BYTES, BASE64)];
    sodium_bin2base64(text, sizeof text, bytes, DIGEST_BYTES, BASE64);
    str_adds(out, text);
}

static void secret_of(const struct secret *s, size_t index, const char *digest, uint8_t out[DIGEST_BYTES])
{
    uint8_t key[DIGEST_BYTES];
    secret_derive(s, index, PURPOSE, key);
    digest_hmac(key, &(struct digest_part){ digest, strlen(digest) }, 1, out);
    sodium_memzero(key, sizeof key);
}

void webhook_add_secret(struct str *out, const struct secret *s, size_t index, const char *digest)
{
    uint8_t bytes[DIGEST_BYTES];
    secret_of(s, index, digest, bytes);
    str_adds(out, "whsec_");
    add_base64(out, bytes);
    sodium_memzero(bytes, sizeof bytes);
}

void webhook_add_signatures(struct str *out, const struct secret *s, const char *digest, const char *id, int64_t timestamp_s, struct span body)
{
    struct str signed_text = STR_INIT;
    uint8_t key[DIGEST_BYTES], mac[DIGEST_BYTES];
    str_addf(&signed_text, "%s.%lld.", id, (long long)timestamp_s);
    str_add_span(&signed_text, body);
    for (size_t i = 0; i < secret_count(s); i++) {
        secret_of(s, i, digest, key);
        digest_hmac_text(key, signed_text.s, signed_text.len, mac);
        str_adds(out, i > 0 ? " v1," : "v1,");
        add_base64(out, mac);
    }
    sodium_memzero(key, sizeof key);
    str_free(&signed_text);
}

/* --- what a request remembers --- */

void webhook_add_listener(struct str *out, struct span url, const char *digest)
{
    str_adds(out, "{\"url\":");
    str_add_json(out, url.s, url.len);
    str_adds(out, ",\"token\":");
    str_add_json(out, digest, strlen(digest));
    str_addc(out, '}');
}

bool webhook_read_listener(struct span json, struct str *url, struct str *digest)
{
    str_reset(url);
    str_reset(digest);
    return raw_string(raw_get(json, "url"), url) && raw_string(raw_get(json, "token"), digest) &&
           !webhook_url_wrong((struct span){ url->s, url->len });
}
