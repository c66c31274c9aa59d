/* password.c: passwords kept as Argon2id. */
#include "base/password.h"

#include <errno.h>
#include <sodium.h>
#include <stdatomic.h>

#define PASSES crypto_pwhash_OPSLIMIT_INTERACTIVE
#define MEMORY_BYTES crypto_pwhash_MEMLIMIT_INTERACTIVE

_Static_assert(PASSWORD_HASH_SIZE == crypto_pwhash_STRBYTES, "libsodium writes so many bytes");

/* Of a random password that nobody kept, at the cost of today. */
const char password_nobody[PASSWORD_HASH_SIZE] = "$argon2id$v=19$m=65536,t=2,p=1$P9YuHnghz/SpUwvyG+kxVQ$jK5pkLKoXrTTjibcQefEqDP2yaHr/wCKhhwWxrCmoZU";

static atomic_int at_once;

static int no_memory(struct err *err)
{
    return err_set(err, ERR_FAILED, "There is not enough memory to check a password: %d MiB are needed for a moment.",
                   (int)(MEMORY_BYTES >> 20));
}

int password_hash(struct span password, char out[PASSWORD_HASH_SIZE], struct err *err)
{
    return crypto_pwhash_str(out, password.s, password.len, PASSES, MEMORY_BYTES) == 0 ? 0 : no_memory(err);
}

int password_check(struct span password, const char hash[PASSWORD_HASH_SIZE], struct err *err)
{
    errno = 0;
    if (crypto_pwhash_str_verify(hash, password.s, password.len) == 0)
        return 1;
    return errno == ENOMEM ? no_memory(err) : 0;
}

int password_check_nobody(struct span password, struct err *err)
{
    return password_check(password, password_nobody, err) < 0 ? -1 : 0;
}

bool password_is_outdated(const char hash[PASSWORD_HASH_SIZE])
{
    return crypto_pwhash_str_needs_rehash(hash, PASSES, MEMORY_BYTES) != 0;
}

bool password_enter(void)
{
    if (atomic_fetch_add(&at_once, 1) < PASSWORD_AT_ONCE)
        return true;
    password_leave();
    return false;
}

void password_leave(void)
{
    atomic_fetch_sub(&at_once, 1);
}
