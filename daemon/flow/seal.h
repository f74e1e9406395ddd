#ifndef ADHERD_FLOW_SEAL_H
#define ADHERD_FLOW_SEAL_H

#include "base/keyring.h"
#include "care/dossier.h"

/*
 * What is sealed in the database, and to which row each field is bound: the
 * one place that knows the contexts of keyring_seal().
 */
struct seal_person { /* whose field it is */
	int32_t tenant_id;
	int16_t bucket;
	int64_t patient_id;
};

/* contact.address_sealed; appends to out. */
void seal_address(struct keyring *keyring, const struct seal_person *person,
    int32_t contact_no, const char *address, struct buf *out);
/* NULL where it was not sealed for this row, or with none of our keys. */
must_check const char *seal_open_address(struct keyring *keyring,
    const struct seal_person *person, int32_t contact_no, const uint8_t *sealed,
    size_t bytes, struct arena *arena);

/* patient.name_sealed */
void seal_name(struct keyring *keyring, const struct seal_person *person,
    const char *name, struct buf *out);
must_check const char *seal_open_name(struct keyring *keyring,
    const struct seal_person *person, const uint8_t *sealed, size_t bytes,
    struct arena *arena);

/* inbox.text_sealed, bound to its event */
void seal_inbox_text(struct keyring *keyring, int32_t tenant_id,
    const uint8_t event_key[32], const char *text, struct buf *out);
must_check const char *seal_open_inbox_text(struct keyring *keyring,
    int32_t tenant_id, const uint8_t event_key[32], const uint8_t *sealed,
    size_t bytes, struct arena *arena);

/* inbox.address_sealed, of a reply, bound to its event */
void seal_inbox_address(struct keyring *keyring, int32_t tenant_id,
    const uint8_t event_key[32], const char *address, struct buf *out);
must_check const char *seal_open_inbox_address(struct keyring *keyring,
    int32_t tenant_id, const uint8_t event_key[32], const uint8_t *sealed,
    size_t bytes, struct arena *arena);

/* gateway_token.token_sealed, bound to the settings that it was got with */
void seal_token(struct keyring *keyring, int32_t tenant_id, const char *gateway,
    const uint8_t settings[32], const char *token, struct buf *out);
must_check const char *seal_open_token(struct keyring *keyring,
    int32_t tenant_id, const char *gateway, const uint8_t settings[32],
    const uint8_t *sealed, size_t bytes, struct arena *arena);

/*
 * contact.address_index: an address as its channel writes it (E.164, …).
 * WeCom tells userids apart without regard to case: "ZhangSan" is "zhangsan".
 */
void seal_address_index(struct keyring *keyring, int32_t tenant_id,
    enum channel channel, const char *address, uint8_t out[16]);

#endif
