#ifndef ADHERD_TESTS_FUZZ_WECHAT_ENTRY_H
#define ADHERD_TESTS_FUZZ_WECHAT_ENTRY_H

/*
 * The entry of the fuzzers of WeChat's plug-ins.  Whoever includes it has
 * settings[], fuzz_sent(), fuzz_plain(), fuzz_envelope(), fuzz_sealed() and
 * fuzz_send().
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const int statuses[] = {200, 200, 400, 401, 429, 500, 503};
	struct arena *arena = arena_create();
	struct gw_call call;
	char *text;

	if (bytes >= 1) {
		text = arena_text_n(arena, (const char *)data + 1, bytes - 1);
		gateway_call_init(&call, arena, "fuzz", settings,
		    COUNT(settings), NOW_US, "token");
		switch (data[0] % 4) {
		case 0:
			fuzz_sent(&call,
			    statuses[(data[0] >> 2) % COUNT(statuses)], text,
			    bytes - 1);
			break;
		case 1:
			fuzz_plain(&call, arena, text, bytes - 1);
			break;
		case 2:
			if (data[0] & 4)
				fuzz_envelope(&call, arena, text, bytes - 1);
			else
				fuzz_sealed(&call, arena, text, bytes - 1);
			break;
		default:
			if (json_is_utf8(text)) /* as all that we send */
				fuzz_send(&call, text);
		}
	}
	arena_free(arena);
	return 0;
}

#endif
