/*
 * Keys of session tickets.  Runs in keys, which makes them, so that they are
 * the same in all session processes; nobody writes them down.
 *
 * SPDX-License-Identifier: ISC
 */
#include "keys_ticket.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

bool
ticket_keys_turn(struct ticket_keys *t)
{
	struct ticket_key new;
	uint32_t i;

	memset(&new, 0, sizeof(new));
	if (RAND_bytes(new.name, sizeof(new.name)) != 1 ||
	    RAND_priv_bytes(new.cipher, sizeof(new.cipher)) != 1 ||
	    RAND_priv_bytes(new.mac, sizeof(new.mac)) != 1)
		return false;
	for (i = TICKET_KEYS - 1; i > 0; i--) {
		t->key[i] = t->key[i - 1];
		t->key[i].age = i;
	}
	t->key[0] = new;
	if (t->n < TICKET_KEYS)
		t->n++;
	OPENSSL_cleanse(&new, sizeof(new));
	return true;
}

void
ticket_keys_send(const struct ticket_keys *t, struct ipc_chan *c)
{
	uint32_t i;

	/* The one to use comes last: what it replaces is known by then. */
	for (i = t->n; i > 0; i--)
		ticket_key_send(c, 0, &t->key[i - 1], -1);
}

void
ticket_keys_wipe(struct ticket_keys *t)
{
	OPENSSL_cleanse(t, sizeof(*t));
}
