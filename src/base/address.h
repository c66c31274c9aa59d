/* address.h: Internet addresses, as text, against lists of networks. Asks no name server. */
#ifndef PEYGIR_ADDRESS_H
#define PEYGIR_ADDRESS_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Is `list` one: items with commas between them, each an IPv4 or IPv6 address, a network as ADDRESS/BITS, or "unix:", which
 * stands for whoever comes by a Unix socket. An empty list is one. */
bool address_is_list(const char *list);
/* Does the list name `address`? What is no address is in no list; an IPv4 address written as IPv6 (::ffff:127.0.0.1) counts as IPv4. */
bool address_in_list(const char *list, struct span address);

/* Does it belong to the Internet: no private, local, shared or reserved network (RFC 6890), however it is wrapped in IPv6? What is neither IPv4
 * nor IPv6 does not. */
struct sockaddr;
bool address_is_public(const struct sockaddr *address);

#define ADDRESS_BYTES 16
/* What of an address tells by which line somebody comes: half of an IPv6 address, for whoever has one has all that begin with these 64 bits; all of
 * any other, and of what is none. Borrowed from either. */
struct span address_line(struct span address, uint8_t room[ADDRESS_BYTES]);

#endif
