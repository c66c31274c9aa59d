/* test_address.c: addresses against lists of networks. */
#include "tests/unit/unit.h"

#include "base/address.h"

#define LOOPBACK "127.0.0.0/8,::1,unix:"

static void assert_in(bool wanted, const char *list, const char *address)
{
    if (address_in_list(list, span_of(address)) != wanted)
        fail_msg("%s is %s \"%s\"", address, wanted ? "not in" : "in", list);
}

static void addresses_of_a_network_are_in_it_and_its_neighbours_are_not(void **state)
{
    static const struct {
        const char *list, *in, *out;
    } rows[] = {
        { LOOPBACK, "127.0.0.1", "128.0.0.1" },
        { LOOPBACK, "127.255.255.255", "126.255.255.255" },
        { LOOPBACK, "::1", "::2" },
        { LOOPBACK, "::ffff:127.0.0.1", "::ffff:192.0.2.1" },
        { LOOPBACK, "unix:", "unix" },
        { "192.0.2.64/27", "192.0.2.95", "192.0.2.96" },
        { "192.0.2.64/27", "192.0.2.64", "192.0.2.63" },
        { "10.1.2.3", "10.1.2.3", "10.1.2.2" },
        { "0.0.0.0/0", "203.0.113.9", "2001:db8::1" },
        { "2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1" },
        { "::/0", "2001:db8::1", "unix:" },
        { " 10.0.0.1 , 10.0.0.2/32 ", "10.0.0.2", "10.0.0.3" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_in(true, rows[i].list, rows[i].in);
        assert_in(false, rows[i].list, rows[i].out);
    }
}

static void what_is_no_address_is_in_no_list(void **state)
{
    static const char *const texts[] = { "", "127.0.0.1 ", "127.1", "localhost", "::1%lo", "127.0.0.1:80", "unix:/x",
                                         "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_in(false, "0.0.0.0/0,::/0,unix:", texts[i]);
    assert_false(address_in_list("0.0.0.0/0", (struct span){ NULL, 0 }));
    assert_in(false, "", "127.0.0.1");
}

static void assert_line(const char *address, size_t len)
{
    uint8_t room[ADDRESS_BYTES];

    assert_int_equal(address_line(span_of(address), room).len, len);
}

static void a_line_is_half_of_an_ipv6_address_and_all_of_anything_else(void **state)
{
    (void)state;
    assert_line("2001:db8::1", 8);
    assert_line("::1", 8);
    assert_line("::ffff:192.0.2.1", 16);
    assert_line("192.0.2.1", 9);
    assert_line("unix:", 5);
    assert_line("", 0);
}

static void a_list_is_told_from_what_is_none(void **state)
{
    static const char *const good[] = { "", LOOPBACK, "10.0.0.0/8", "::/128", "1.2.3.4/32, 5.6.7.8" };
    static const char *const bad[] = { "localhost", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::/129", "10.0.0.0/8/8", ",", "10.0.0.1,,::1",
                                       "10.0.0", "10.0.0.0/99999999999" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (!address_is_list(good[i]))
            fail_msg("\"%s\" is a list", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (address_is_list(bad[i]))
            fail_msg("\"%s\" is no list", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_a_network_are_in_it_and_its_neighbours_are_not),
        cmocka_unit_test(what_is_no_address_is_in_no_list),
        cmocka_unit_test(a_line_is_half_of_an_ipv6_address_and_all_of_anything_else),
        cmocka_unit_test(a_list_is_told_from_what_is_none),
    };
    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
