/* seal.c: a value sealed at rest */
#include "core/seal.h"

#include "base/rnd.h"

#include <sodium.h>

#define SEAL_VERSION "v1"
#define SEAL_OPENING "{\"sealed\":\"" SEAL_VERSION ":"
#define SEAL_CLOSING "\"}"

enum {
    ID_DIGITS = 8,
    KEY_BYTES = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING
};

_Static_assert(KEY_BYTES == DIGEST_BYTES, "a derived key is as long as a digest");

/* --- keys --- */

static void key_id(const struct secret *s, size_t index, char out[ID_DIGITS + 1])
{
    uint8_t digest[DIGEST_BYTES];
    secret_derive(s, index, "seal id", digest);
    rnd_hex(digest, ID_DIGITS / 2, out);
}

/* What the tag vouches for besides the value: where it belongs. */
static void add_place(struct str *out, struct span hash, const char *field)
{
    str_adds(out, "peygir " SEAL_VERSION);
    str_addc(out, '\0');
    str_add_span(out, hash);
    str_addc(out, '\0');
    str_adds(out, field);
}

/* --- the form --- */

/* A writer that reads the document and writes it again may set its own blanks. */
static bool take(const char **p, const char *end, const char *token)
{
    size_t len = strlen(token);
    while (*p < end && **p && strchr(" \t\r\n", **p))
        (*p)++;
    if ((size_t)(end - *p) < len || memcmp(*p, token, len) != 0)
        return false;
    *p += len;
    return true;
}

static bool is_ours(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == ':';
}

/* What stands in the quotes; absent: it has not the form. */
static struct span sealed_text(struct span json)
{
    const char *p = json.s, *end = p ? p + json.len : NULL;
    struct span none = { NULL, 0 };
    if (!p || !take(&p, end, "{") || !take(&p, end, "\"sealed\"") || !take(&p, end, ":") || !take(&p, end, "\"v"))
        return none;
    struct span text = { p - 1, 1 };
    while (p < end && is_ours(*p))
        p++;
    text.len = (size_t)(p - text.s);
    const char *colon = memchr(text.s, ':', text.len);
    if (!colon || text.s[1] < '0' || text.s[1] > '9' || p == end || *p != '"')
        return none;
    p++;
    bool whole = take(&p, end, "}") && take(&p, end, "") && p == end;
    return whole ? text : none;
}

bool seal_is(struct span json)
{
    return sealed_text(json).s != NULL;
}

/* --- sealing --- */

static void add_base64(struct str *out, const uint8_t *bytes, size_t len)
{
    size_t size = sodium_base64_encoded_len(len, BASE64); /* with its NUL */
    str_grow(out, size);
    sodium_bin2base64(out->s + out->len, size, bytes, len, BASE64);
    out->len += size - 1;
}

static void add_sealed(struct str *out, struct span id, const uint8_t *bytes, size_t len)
{
    str_adds(out, SEAL_OPENING);
    str_add_span(out, id);
    str_addc(out, ':');
    add_base64(out, bytes, len);
    str_adds(out, SEAL_CLOSING);
}

void seal_add(struct str *out, const struct secret *s, struct span hash, const char *field, struct span json)
{
    uint8_t key[KEY_BYTES], *bytes = xmalloc(NONCE_BYTES + json.len + TAG_BYTES);
    struct str place = STR_INIT;
    char id[ID_DIGITS + 1];
    rnd_bytes(bytes, NONCE_BYTES);
    add_place(&place, hash, field);
    secret_derive(s, 0, "seal", key);
    crypto_aead_xchacha20poly1305_ietf_encrypt(bytes + NONCE_BYTES, NULL, (const uint8_t *)json.s, json.len,
                                               (const uint8_t *)place.s, place.len, NULL, bytes, key);
    key_id(s, 0, id);
    add_sealed(out, span_of(id), bytes, NONCE_BYTES + json.len + TAG_BYTES);
    sodium_memzero(key, sizeof key);
    str_free(&place);
    free(bytes);
}

/* --- opening --- */

/* "v1:KEYID:BASE64" in its parts. */
struct parts {
    struct span id;
    uint8_t *bytes; /* nonce, ciphertext, tag */
    size_t len;
};

static int read_parts(struct span text, struct parts *parts)
{
    static const char version[] = SEAL_VERSION ":";
    size_t head = sizeof version - 1 + ID_DIGITS + 1, most = text.len;
    if (text.len < head || memcmp(text.s, version, sizeof version - 1) != 0 || text.s[head - 1] != ':')
        return -1;
    parts->id = (struct span){ text.s + sizeof version - 1, ID_DIGITS };
    parts->bytes = xmalloc(most);
    const char *end;
    if (sodium_base642bin(parts->bytes, most, text.s + head, text.len - head, NULL, &parts->len, &end, BASE64) != 0 ||
        end != text.s + text.len || parts->len < NONCE_BYTES + TAG_BYTES)
        return -1;
    return 0;
}

/* Append it, opened with one key. */
static bool open_with(struct str *out, const uint8_t key[KEY_BYTES], const struct str *place, const struct parts *parts)
{
    size_t len = parts->len - NONCE_BYTES - TAG_BYTES;
    uint8_t *value = xmalloc(len + 1);
    bool opened = crypto_aead_xchacha20poly1305_ietf_decrypt(value, NULL, NULL, parts->bytes + NONCE_BYTES, parts->len - NONCE_BYTES,
                                                             (const uint8_t *)place->s, place->len, parts->bytes, key) == 0;
    if (opened)
        str_add(out, value, len);
    sodium_memzero(value, len);
    free(value);
    return opened;
}

/* Which of our keys bear its id, and does one of them open it? 1; 0: none has the id; -1: it does not open. */
static int try_keys(struct str *out, const struct secret *s, const struct str *place, const struct parts *parts)
{
    int result = 0;
    for (size_t i = 0; s && result <= 0 && i < secret_count(s); i++) {
        char id[ID_DIGITS + 1];
        uint8_t key[KEY_BYTES];
        key_id(s, i, id);
        if (!span_is(parts->id, id))
            continue;
        secret_derive(s, i, "seal", key);
        result = open_with(out, key, place, parts) ? 1 : -1;
        sodium_memzero(key, sizeof key);
    }
    return result;
}

int seal_open(struct str *out, const struct secret *s, struct span hash, const char *field, struct span json, struct err *err)
{
    struct span text = sealed_text(json);
    struct parts parts = { .bytes = NULL };
    struct str place = STR_INIT;
    int result;
    if (!text.s)
        return 0;
    add_place(&place, hash, field);
    if (read_parts(text, &parts) < 0)
        result = err_set(err, ERR_FAILED, "%s of request %.*s has the form of a sealed value, but is none that this version made", field,
                         (int)hash.len, hash.s);
    else if ((result = try_keys(out, s, &place, &parts)) == 0)
        result = err_set(err, ERR_FAILED, "%s of request %.*s is sealed with the key %.*s, which PEYGIR_SECRET_FILE does not hold (any more)",
                         field, (int)hash.len, hash.s, (int)parts.id.len, parts.id.s);
    else if (result < 0)
        err_set(err, ERR_FAILED, "%s of request %.*s does not open: it was changed, or belongs to another request or field", field,
                (int)hash.len, hash.s);
    str_free(&place);
    free(parts.bytes);
    return result;
}

/* --- in fewer bytes: PACKED, the key's id, the bytes. No JSON begins with PACKED. --- */

#define PACKED '\1'

void seal_pack(struct str *out, struct span json)
{
    struct parts parts = { .bytes = NULL };
    struct span text = sealed_text(json);
    if (text.s && read_parts(text, &parts) == 0) {
        str_addc(out, PACKED);
        str_add_span(out, parts.id);
        str_add(out, parts.bytes, parts.len);
    } else {
        str_add_span(out, json);
    }
    free(parts.bytes);
}

void seal_unpack(struct str *out, struct span packed)
{
    if (packed.len > 1 + ID_DIGITS && packed.s[0] == PACKED)
        add_sealed(out, (struct span){ packed.s + 1, ID_DIGITS }, (const uint8_t *)packed.s + 1 + ID_DIGITS, packed.len - 1 - ID_DIGITS);
    else
        str_add_span(out, packed);
}
