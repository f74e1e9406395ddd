/*
 * adherctl for those who set adherd up: the key ring.
 */
#include "base/log.h"
#include "ctl.h"

static int
run_keyring_create(struct ctl *ctl, int argc, char **argv)
{
	char error[256];

	(void)ctl;
	if (argc != 1)
		ctl_usage(&ctl_keyring_create);
	if (keyring_create(argv[0], error, sizeof(error)) != 0)
		ctl_fail(EXIT_CONFIGURATION, "%s", error);
	return 0;
}

const struct ctl_verb ctl_keyring_create = {
    "keyring create",
    "FILE",
    "make the keys of sealed fields and blind indexes",
    run_keyring_create,
};
