/* test_mask.c: what an administrator sees of personal values. Names of requirements are those of OWASP ASVS 4.0.3. */
#include "tests/unit/unit.h"

#include "base/json.h"
#include "core/mask.h"

static void long_numbers_in_a_text_keep_two_digits_asvs_7_1_1(void **state)
{
    static const char *const rows[][2] = {
        { "", "" },
        { "no number at all", "no number at all" },
        { "the code of 09121234567 was sent", "the code of ***67 was sent" },
        { "0499370899", "***99" },
        { "1234567", "1234567" },
        { "12345678", "***78" },
        { "+989121234567, 0499370899.", "+***67, ***99." },
        { "\xdb\xb0\xdb\xb9\xdb\xb1\xdb\xb2\xdb\xb1\xdb\xb2\xdb\xb3\xdb\xb4\xdb\xb5\xdb\xb6\xdb\xb7", "***\xdb\xb6\xdb\xb7" },
        { "\xd9\xa0\xd9\xa1\xd9\xa2\xd9\xa3\xd9\xa4\xd9\xa5\xd9\xa6\xd9\xa7", "***\xd9\xa6\xd9\xa7" },
        { "0912\xdb\xb1\xdb\xb2\xdb\xb3\xdb\xb4" "567", "***67" },
        { "\xdb\xb1\xdb\xb2\xdb\xb3 \xd8\xb1\xdb\x8c\xd8\xa7\xd9\x84", "\xdb\xb1\xdb\xb2\xdb\xb3 \xd8\xb1\xdb\x8c\xd8\xa7\xd9\x84" },
        { "no UTF-8: \xdb 12345678\xff", "no UTF-8: \xdb ***78\xff" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *masked = mask_numbers(rows[i][0]);
        assert_string_equal(masked, rows[i][1]);
        free(masked);
    }
    assert_null(mask_numbers(NULL));
}

static void every_text_of_a_value_is_masked_wherever_it_stands(void **state)
{
    static const char text[] = "{\"message\":\"to 09121234567\",\"list\":[\"0499370899\",{\"deep\":\"12345678\"}],\"n\":12345678,\"none\":null}";
    struct json_object *value = NULL;
    (void)state;
    assert_int_equal(json_parse(text, sizeof text - 1, &value, NULL), 0);
    mask_texts(value);
    mask_texts(NULL);
    assert_string_equal(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN),
                        "{\"message\":\"to ***67\",\"list\":[\"***99\",{\"deep\":\"***78\"}],\"n\":12345678,\"none\":null}");
    json_object_put(value);
}

static void members_that_no_service_describes_are_masked_asvs_8_3_4(void **state)
{
    static const char text[] = "{\"mobile\":\"09121234567\",\"short\":\"1234\",\"list\":[1,2]}";
    struct json_object *masked = mask_members(NULL, SPAN(text));
    (void)state;
    assert_string_equal(json_object_get_string(json_object_object_get(masked, "mobile")), "***67");
    assert_string_equal(json_object_get_string(json_object_object_get(masked, "short")), "***");
    assert_non_null(strstr(json_object_get_string(json_object_object_get(masked, "list")), "***"));
    json_object_put(masked);
    masked = mask_members(NULL, SPAN("[1"));
    assert_int_equal(json_object_object_length(masked), 0);
    json_object_put(masked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_numbers_in_a_text_keep_two_digits_asvs_7_1_1),
        cmocka_unit_test(every_text_of_a_value_is_masked_wherever_it_stands),
        cmocka_unit_test(members_that_no_service_describes_are_masked_asvs_8_3_4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
