#ifndef ADHERD_GATEWAY_H
#define ADHERD_GATEWAY_H

/*
 * The gateway interface.  A gateway is a translator between adherd and one
 * provider: messages to request bytes, responses to outcomes, callbacks to
 * events.  It never does I/O: the host connects, verifies TLS, waits,
 * retries, limits, keeps tokens and logs.  gateway(3) is the manual page.
 *
 * A plug-in is a shared object that exports one constant,
 *
 *	const struct gw_api adherd_gateway = { .abi = GW_ABI, … };
 *
 * The host guarantees: one thread, no re-entry; arguments are valid until
 * the function returns; what is allocated through a call is freed by the
 * host after the call (requests and answers after they were sent); bodies
 * and times are bounded; `receive` sees the exact bytes.
 * The plug-in promises: no sockets, files, threads, clocks, environment or
 * writable globals; time, randomness, digests, memory and JSON come from
 * the call's host functions; it keeps no pointer between calls, except what
 * session state it put into gw_session->state.
 *
 * This header includes nothing of adherd.  Structs only ever grow at their
 * end; `abi` changes when that is not enough.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_ABI 1

enum gw_kind {
	GW_KIND_MESSAGES = 1,
	GW_KIND_PHARMACY = 2,
	GW_KIND_INSURER = 3
};

enum gw_flag {               /* bits */
	GW_DEDUPLICATES = 1, /* a repeat with the same reference is safe */
	GW_RECEIPTS = 2,     /* delivery receipts come */
	GW_REPLIES = 4,      /* replies come */
	GW_CREDITS = 8,      /* a send spends a credit of the recipient */
	GW_ABROAD = 16,      /* carries data abroad */
	GW_TEMPLATES = 32,   /* takes only texts that were registered */
	GW_SAME_TEXT = 64,   /* a batch says everything but the address once */
	GW_CODES = 128, /* takes any text, and the code of a registered one */
	GW_FREE_ANSWERS = 256 /* what answers a writer need not be registered */
};

enum gw_verdict { GW_ACCEPTED = 1, GW_RETRY, GW_REJECTED, GW_UNKNOWN };

/*
 * What else the verdict speaks of: decides what waits.  Retry with the scope
 * template, sender or gateway pauses that scope, also where it is refused
 * until an operator acts: the host warns, and probes each minute.
 */
enum gw_scope {
	GW_SCOPE_RECIPIENT = 1,
	GW_SCOPE_MESSAGE,
	GW_SCOPE_TEMPLATE,
	GW_SCOPE_SENDER,
	GW_SCOPE_GATEWAY
};

enum gw_option_type {
	GW_OPTION_TEXT,
	GW_OPTION_INTEGER,
	GW_OPTION_BOOLEAN,
	GW_OPTION_URL
};

struct gw_option { /* a key of [gateway "NAME"] that this plug-in takes */
	const char *name;
	enum gw_option_type type;
	const char *standard; /* default; NULL with required: must be given */
	bool required;
	bool secret; /* given as NAME-file = PATH, never in the file itself */
	const char *help;
};

struct gw_pair {
	const char *name;
	const char *value;
};

struct gw_text { /* bytes, not necessarily NUL-terminated */
	const char *data;
	size_t bytes;
};

struct gw_json; /* a parsed value, opaque */
struct gw_buf;  /* a growing byte buffer of the call, opaque */

enum gw_json_type {
	GW_JSON_NONE,
	GW_JSON_NULL,
	GW_JSON_BOOLEAN,
	GW_JSON_NUMBER,
	GW_JSON_STRING,
	GW_JSON_ARRAY,
	GW_JSON_OBJECT
};

struct gw_call;

/* What the host does for a plug-in; every function takes the call first. */
struct gw_host {
	size_t size; /* of this struct; later hosts may offer more */
	void *(*alloc)(
	    struct gw_call *call, size_t bytes); /* zeroed, never NULL */
	char *(*format)(struct gw_call *call, const char *format, ...)
	    __attribute__((format(printf, 2, 3)));
	void (*random)(struct gw_call *call, void *out, size_t bytes);
	void (*sha256)(struct gw_call *call, const void *data, size_t bytes,
	    uint8_t out[32]);
	void (*hmac_sha256)(struct gw_call *call, const void *key,
	    size_t key_bytes, const void *data, size_t bytes, uint8_t out[32]);
	void (*hmac_sha1)(struct gw_call *call, const void *key,
	    size_t key_bytes, const void *data, size_t bytes, uint8_t out[20]);
	void (*sha1)(struct gw_call *call, const void *data, size_t bytes,
	    uint8_t out[20]);
	void (*md5)(struct gw_call *call, const void *data, size_t bytes,
	    uint8_t out[16]);
	bool (*equal)(struct gw_call *call, const void *a, const void *b,
	    size_t bytes); /* constant time */
	char *(*hex)(struct gw_call *call, const void *data, size_t bytes);
	char *(*base64)(struct gw_call *call, const void *data, size_t bytes);
	char *(*percent)(struct gw_call *call, const char *text); /* RFC 3986 */
	/* -1 if it is no base64; *out in the call's memory */
	long (*base64_decode)(
	    struct gw_call *call, const char *text, uint8_t **out);
	/* "2026-03-08T02:00:00Z" by a strftime(3) format, UTC + offset_s */
	char *(*time_text)(struct gw_call *call, int64_t at_us,
	    int32_t offset_s, const char *strftime_format);
	/* AT the inverse for "YYYY-MM-DD HH:MM:SS" local to offset_s; false if
	 * malformed */
	bool (*time_parse)(struct gw_call *call, const char *text,
	    int32_t offset_s, int64_t *at_us);
	/* JSON: strict; NULL if malformed. All readers take NULL. */
	const struct gw_json *(*json_parse)(
	    struct gw_call *call, const char *text, size_t bytes);
	enum gw_json_type (*json_type)(const struct gw_json *value);
	const struct gw_json *(*json_get)(
	    const struct gw_json *object, const char *key);
	const struct gw_json *(*json_at)(
	    const struct gw_json *array, size_t index);
	size_t (*json_count)(const struct gw_json *container);
	/* a string unescaped, or a number or boolean as written; else NULL */
	const char *(*json_text)(const struct gw_json *value);
	struct gw_buf *(*buf)(struct gw_call *call);
	void (*buf_text)(struct gw_buf *buf, const char *text);
	void (*buf_add)(struct gw_buf *buf, const void *data, size_t bytes);
	void (*buf_json)(
	    struct gw_buf *buf, const char *text); /* quoted, escaped */
	const char *(*buf_string)(
	    struct gw_buf *buf); /* valid until the next append */
	size_t (*buf_bytes)(const struct gw_buf *buf);
	/* AES-256-CBC of whole blocks of 16, padding left in; false if not */
	bool (*aes_cbc_decrypt)(struct gw_call *call, const uint8_t key[32],
	    const uint8_t iv[16], const void *data, size_t bytes, uint8_t *out);
};

/* One call into the plug-in. */
struct gw_call {
	const struct gw_host *host;
	int64_t now_us; /* microseconds since 1970, unmoved time */
	const struct gw_pair
	    *settings; /* the plug-in's options, defaults filled in */
	size_t setting_count;
	const char *token;   /* of auth(), or NULL */
	const char *gateway; /* the name in [gateway "NAME"] */
	void *host_data;     /* the host's */
	const char *channel; /* that the gateway serves: "sms" */
};

/* A setting's value; never NULL for an option with a default or required. */
static inline const char *
gw_setting(const struct gw_call *call, const char *name)
{
	for (size_t i = 0; i < call->setting_count; i++) {
		const char *a = call->settings[i].name, *b = name;

		while (*a != '\0' && *a == *b)
			a++, b++;
		if (*a == *b)
			return call->settings[i].value;
	}
	return NULL;
}

struct gw_request { /* HTTP to the provider */
	const char *method;
	const char *url;
	const struct gw_pair *headers;
	size_t header_count;
	const void *body;
	size_t body_bytes;
	bool http2;
	int32_t timeout_ms; /* 0: the host's */
	/*
	 * send: the provider knows these references again.  Where nobody knows
	 * whether they were taken the host sends once more, at once.
	 */
	bool repeatable;
};

struct gw_response {
	int status;                    /* HTTP; a whole response came */
	const struct gw_pair *headers; /* names in lower case */
	size_t header_count;
	const char *body; /* NUL-terminated */
	size_t body_bytes;
};

/* One message for one address; immutable. */
struct gw_message {
	const char
	    *reference; /* ours: [a-z2-7], at most 64 bytes; same on a repeat */
	const char *address; /* E.164 "+86…", openid, push token */
	const char *appid;   /* where the address belongs to one, or NULL */
	const char *text;    /* rendered UTF-8, without the signature */
	const char *locale;  /* "zh-CN" */
	const char *template_code; /* the provider's id, or NULL */
	const char *signature;     /* sender's registered name, or NULL */
	const struct gw_pair *parameters; /* in the registration's order */
	size_t parameter_count;
	const char *extension; /* digits replies carry, or NULL */
	int32_t valid_s;       /* deliver within, or not at all; 0: unbounded */
	const char *link;      /* page to open, or NULL */
	bool repeated; /* the host sends it again: gw_request.repeatable */
	/* GW_CREDITS: that the address has left after this one; -1: uncounted
	 */
	int32_t credits_left;
};

struct gw_outcome {
	enum gw_verdict verdict;
	enum gw_scope scope;
	const char *code;        /* the provider's, at most 64 bytes kept */
	const char *provider_id; /* the provider's message id, or NULL */
	int32_t retry_after_s;   /* 0: the host's ladder */
	bool opted_out;          /* the provider says: this address refused */
	/*
	 * The token was not good.  The host gets another and sends once more;
	 * what this outcome says counts where that one is refused, too.
	 */
	bool token_refused;
	bool no_receipt; /* accepted, and there will be none for this one */
	/* GW_CREDITS: the address has none left for this template */
	bool credits_gone;
};

enum gw_found { /* what a query about an unknown outcome found */
	GW_FOUND_NOTHING = 1,
	GW_FOUND_WAITING,
	GW_FOUND_DELIVERED,
	GW_FOUND_UNDELIVERED,
	GW_FOUND_UNSURE
};

struct gw_query { /* the message that we are unsure about */
	const char *reference;
	const char *address;
	const char *provider_id; /* or NULL */
	int64_t sent_at_us;
};

struct gw_query_result {
	enum gw_found found;
	const char *code;
	const char *provider_id;
	int64_t at_us; /* of delivery, 0 if not known */
};

enum gw_event_type {
	GW_EVENT_RECEIPT = 1,
	GW_EVENT_REPLY,
	GW_EVENT_CREDIT,
	GW_EVENT_ADDRESS /* not to be used any more, or again */
};

struct gw_event { /* something a callback told */
	enum gw_event_type type;
	const char
	    *id; /* the provider's id of this event, to know repeats; or NULL */
	const char *reference;   /* ours, if the provider returns it */
	const char *provider_id; /* of the message it speaks of */
	const char *address;
	const char *extension; /* dialled by a reply */
	const char *text;      /* of a reply */
	const char *code;      /* of a receipt; of credits, their template's */
	int64_t at_us;
	bool delivered;   /* receipts */
	bool opted_out;   /* receipts: the address refused */
	bool address_bad; /* receipts, addresses: stop using this address */
	int32_t credits;  /* credit events: added; 0: there are none left */
};

struct gw_callback { /* a request of the provider to us, exact bytes */
	const char *method;
	const char *path;  /* after /callback/NAME/SECRET, "" or "/…" */
	const char *query; /* raw */
	const struct gw_pair *headers; /* names in lower case */
	size_t header_count;
	const char *body;
	size_t body_bytes;
	bool listed_peer; /* from the provider's listed addresses */
};

struct gw_answer { /* our answer once the events are stored */
	int status;
	const char *content_type;
	const char *body;
	size_t body_bytes;
};

/*
 * A long-lived TCP session (SMPP, CMPP): still no I/O.  The host connects,
 * hands over what arrives, writes what the plug-in appends to `out`, and
 * calls tick every second.
 */
struct gw_session {
	void *state;        /* the plug-in's; allocated with session_bytes */
	struct gw_buf *out; /* bytes to write */
	bool close;         /* set by the plug-in: end this connection */
	bool ready;         /* set by the plug-in: send may be called */
	/* results, appended by the plug-in through these */
	void (*outcome)(struct gw_session *session, const char *reference,
	    const struct gw_outcome *outcome);
	void (*event)(struct gw_session *session, const struct gw_event *event);
	void *host_data;
};

struct gw_session_api {
	size_t session_bytes;
	void (*opened)(struct gw_call *call, struct gw_session *session);
	/* returns the bytes consumed; the rest comes again with more */
	size_t (*bytes)(struct gw_call *call, struct gw_session *session,
	    const uint8_t *data, size_t count);
	void (*send)(struct gw_call *call, struct gw_session *session,
	    const struct gw_message *messages, size_t count);
	void (*tick)(struct gw_call *call, struct gw_session *session);
	void (*drain)(struct gw_call *call, struct gw_session *session);
};

struct gw_api {
	uint32_t abi;     /* GW_ABI; checked first, then size */
	uint32_t size;    /* sizeof(struct gw_api) at the plug-in's build */
	const char *name; /* equals the file's: sms_aliyun.so */
	enum gw_kind kind;
	uint32_t flags;
	const char *channels; /* that it can serve: "sms" or "push,sms" */
	const struct gw_option *options;
	size_t option_count;
	uint32_t batch_max; /* messages in one request; 1: no batches */

	/* Are these settings usable?  NULL, or a message naming the key. */
	const char *(*check)(struct gw_call *call);
	/*
	 * Optional OAuth: the token request; its response to a token.  Where
	 * auth() leaves the URL NULL these settings need none.
	 */
	void (*auth)(struct gw_call *call, struct gw_request *request);
	/* 0 and *token, *lifetime_s; -1 and *error */
	int (*authed)(struct gw_call *call, const struct gw_response *response,
	    const char **token, int32_t *lifetime_s, const char **error);
	/*
	 * Up to batch_max messages of one template and locale, no address
	 * twice, with GW_SAME_TEXT also of one text and extension.  0, or -1
	 * where a message cannot be expressed: nothing is sent, and the plug-in
	 * has filled *outcomes of all, rejected.
	 */
	int (*send)(struct gw_call *call, const struct gw_message *messages,
	    size_t count, struct gw_request *request,
	    struct gw_outcome *outcomes);
	/*
	 * A whole response: fill one outcome per message.  A batch whose
	 * members are all rejected, with the scope recipient or message, was
	 * refused for one that the provider does not name: the host sends
	 * each alone.
	 */
	void (*sent)(struct gw_call *call, const struct gw_message *messages,
	    size_t count, const struct gw_response *response,
	    struct gw_outcome *outcomes);
	/* Optional: ask about an unknown outcome. */
	void (*query)(struct gw_call *call, const struct gw_query *query,
	    struct gw_request *request);
	void (*queried)(struct gw_call *call, const struct gw_query *query,
	    const struct gw_response *response, struct gw_query_result *result);
	/*
	 * Optional: a callback.  The number of events (*events in the call's
	 * memory), or -1 for one that is forged or malformed.  *answer is
	 * used once the events are stored, or at once for -1; of a push whose
	 * items cannot all be read it may be an error beside the events of
	 * the others, so that it comes again.
	 */
	int (*receive)(struct gw_call *call, const struct gw_callback *callback,
	    const struct gw_event **events, struct gw_answer *answer);
	const struct gw_session_api *session; /* optional, instead of send */
	/*
	 * Optional: what is left on the account, in the provider's own unit
	 * (messages, cents), to be asked now and then for an alarm.  0 and
	 * *left, or -1 where the response does not say.
	 */
	void (*balance)(struct gw_call *call, struct gw_request *request);
	int (*balanced)(struct gw_call *call,
	    const struct gw_response *response, int64_t *left);
};

/* Every plug-in defines this. */
extern const struct gw_api adherd_gateway;

#endif
