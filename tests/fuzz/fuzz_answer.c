/* fuzz_answer.c: what bots answer */
#include "tests/fuzz/fuzz.h"

#include "base/json.h"
#include "base/utf8.h"
#include "worker/answer.h"

FUZZ(input)
{
    struct answer answer;
    struct err err = ERR_INIT;

    if (answer_read(input, &answer, &err) < 0) {
        PROMISE(err.kind == ERR_INVALID && err.text[0]);
        return;
    }
    PROMISE(utf8_valid(answer.message, strlen(answer.message)) && !strpbrk(answer.message, "\r\n"));
    PROMISE(strspn(answer.code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(answer.code));
    PROMISE(answer.expiry_s >= 0 && answer.length >= 0);
    PROMISE(answer.kind != ANSWER_ERROR || answer.code[0]);
    PROMISE(!answer.data.s || (answer.data.s[0] == '{' && json_check(answer.data.s, answer.data.len, NULL) == 0));
    PROMISE(!answer.handle.s || json_check(answer.handle.s, answer.handle.len, NULL) == 0);
}
