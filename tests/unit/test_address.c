/* test_address.c: addresses against lists of networks. */
#include "tests/unit/unit.h"

#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

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

static bool is_public(const char *text)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return address_is_public((struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return address_is_public((struct sockaddr *)&v6);
}

static void addresses_of_the_internet_are_told_from_all_others(void **state)
{
    static const char *const ours[] = { "8.8.8.8", "172.15.255.255", "172.32.0.1", "100.63.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808" };
    static const char *const not_ours[] = { "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.168.1.1",
                                            "224.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1", "::ffff:10.0.0.1", "fc00::1", "fd12::1", "fe80::1", "ff02::1",
                                            "fec0::1", "64:ff9b::a00:1", "64:ff9b::7f00:1", "64:ff9b::c0a8:101", "2002:7f00:1::", "2001:db8::1" };
    struct sockaddr local = { .sa_family = AF_UNIX };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (!is_public(ours[i]))
            fail_msg("%s is public", ours[i]);
    for (size_t i = 0; i < ARRAY_LEN(not_ours); i++)
        if (is_public(not_ours[i]))
            fail_msg("%s is not public", not_ours[i]);
    assert_false(address_is_public(&local));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_a_network_are_in_it_and_its_neighbours_are_not),
        cmocka_unit_test(what_is_no_address_is_in_no_list),
        cmocka_unit_test(a_line_is_half_of_an_ipv6_address_and_all_of_anything_else),
        cmocka_unit_test(a_list_is_told_from_what_is_none),
        cmocka_unit_test(addresses_of_the_internet_are_told_from_all_others),
    };
    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
