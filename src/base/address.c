/* address.c: Internet addresses, against lists of networks too. */
#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define BITS_MAX 128
#define MAPPED_BITS 96 /* of an IPv4 address written as IPv6 */

/* All addresses as IPv6, IPv4 ones mapped, so that there is one kind. */
struct network {
    uint8_t address[ADDRESS_BYTES];
    unsigned bits;
    bool is_unix;
};

static const uint8_t mapped[MAPPED_BITS / 8] = { [10] = 0xff, [11] = 0xff };

static bool read_address(struct span text, uint8_t out[ADDRESS_BYTES], bool *is_v4)
{
    char copy[INET6_ADDRSTRLEN];

    if (text.len == 0 || text.len >= sizeof copy || memchr(text.s, '\0', text.len))
        return false;
    memcpy(copy, text.s, text.len);
    copy[text.len] = '\0';
    memcpy(out, mapped, sizeof mapped);
    *is_v4 = inet_pton(AF_INET, copy, out + sizeof mapped) == 1;
    return *is_v4 || inet_pton(AF_INET6, copy, out) == 1;
}

/* Decimal, at most `max`; -1: it is none. */
static int read_bits(struct span text, int max)
{
    int n = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.s[i] < '0' || text.s[i] > '9' || n > max)
            return -1;
        n = n * 10 + (text.s[i] - '0');
    }
    return text.len > 0 && n <= max ? n : -1;
}

static bool read_network(struct span text, struct network *out)
{
    const char *slash = text.len ? memchr(text.s, '/', text.len) : NULL;
    struct span address = { text.s, slash ? (size_t)(slash - text.s) : text.len };
    bool is_v4;
    int bits;

    *out = (struct network){ .bits = BITS_MAX, .is_unix = span_is(text, "unix:") };
    if (out->is_unix)
        return true;
    if (!read_address(address, out->address, &is_v4))
        return false;
    if (!slash)
        return true;
    bits = read_bits((struct span){ slash + 1, text.len - address.len - 1 }, is_v4 ? BITS_MAX - MAPPED_BITS : BITS_MAX);
    out->bits = (unsigned)(is_v4 ? MAPPED_BITS + bits : bits);
    return bits >= 0;
}

static bool contains(const struct network *net, const uint8_t address[ADDRESS_BYTES])
{
    unsigned whole = net->bits / 8, rest = net->bits % 8;

    if (memcmp(net->address, address, whole) != 0)
        return false;
    return rest == 0 || (net->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

/* The next item without spaces around it. */
static bool next_item(const char **rest, struct span *item)
{
    const char *at = *rest + strspn(*rest, " ");
    size_t n = strcspn(at, ",");

    if (*at == '\0')
        return false;
    *rest = at[n] ? at + n + 1 : at + n;
    while (n > 0 && at[n - 1] == ' ')
        n--;
    *item = (struct span){ at, n };
    return true;
}

bool address_is_list(const char *list)
{
    struct network net;
    struct span item;

    while (next_item(&list, &item))
        if (!read_network(item, &net))
            return false;
    return true;
}

bool address_in_list(const char *list, struct span address)
{
    bool is_unix = span_is(address, "unix:"), is_v4;
    uint8_t wanted[ADDRESS_BYTES];
    struct network net;
    struct span item;

    if (!is_unix && !read_address(address, wanted, &is_v4))
        return false;
    while (next_item(&list, &item))
        if (read_network(item, &net) && (is_unix ? net.is_unix : !net.is_unix && contains(&net, wanted)))
            return true;
    return false;
}

struct span address_line(struct span address, uint8_t room[ADDRESS_BYTES])
{
    bool is_v4;

    if (!read_address(address, room, &is_v4) || is_v4)
        return address;
    return (struct span){ (const char *)room, memcmp(room, mapped, sizeof mapped) == 0 ? ADDRESS_BYTES : ADDRESS_BYTES / 2 };
}

/* The last ones are IPv4 networks behind NAT64. */
static const char not_public[] =
    "0.0.0.0/8,10.0.0.0/8,100.64.0.0/10,127.0.0.0/8,169.254.0.0/16,172.16.0.0/12,192.0.0.0/24,192.0.2.0/24,192.168.0.0/16,198.18.0.0/15,"
    "198.51.100.0/24,203.0.113.0/24,224.0.0.0/3,::/96,100::/64,2001::/23,2001:db8::/32,2002::/16,fc00::/7,fe80::/9,ff00::/8,"
    "64:ff9b:1::/48,64:ff9b::0:0/104,64:ff9b::a00:0/104,64:ff9b::6440:0/106,64:ff9b::7f00:0/104,64:ff9b::a9fe:0/112,64:ff9b::ac10:0/108,"
    "64:ff9b::c0a8:0/112,64:ff9b::e000:0/99";

bool address_is_public(const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, text, sizeof text);
    else if (address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, text, sizeof text);
    return text[0] && !address_in_list(not_public, span_of(text));
}
