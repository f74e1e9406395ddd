#ifndef ADHERD_CARE_DOSSIER_H
#define ADHERD_CARE_DOSSIER_H

#include "base/buf.h"
#include "base/zone.h"

/*
 * The dossier: all that is known of one patient and that a decision may
 * need.  Compiled into one row by daemon/sql/dossier_rebuild.sql, decoded
 * here; the dry run fills the same struct from FHIR.  Everything lives in
 * one arena; strings may be NULL where noted.
 *
 * Numbers (`no`) name a thing within its patient, from 1, never reused.
 * Amounts are millionths of a unit ("micro": 1.5 tablets = 1500000).
 */
enum kind { /* program.md 2; values are stored */
	KIND_DOSE = 1,
	KIND_REFILL = 2,
	KIND_RENEWAL = 3,
	KIND_FOLLOW_UP = 4,
	KIND_ANSWER = 5
};

enum channel { /* in order of preference; values are stored */
	CHANNEL_NONE = 0,
	CHANNEL_WECHAT_MINI = 1,
	CHANNEL_WECHAT_OA = 2,
	CHANNEL_PUSH = 3,
	CHANNEL_SMS = 4,
	CHANNEL_WECOM = 5, /* of the care team, never of a patient */
	CHANNEL_COUNT = 6
};

enum topic { /* bits of a consent's topics */
	TOPIC_DOSE = 1,
	TOPIC_REFILL = 2,
	TOPIC_FOLLOW_UP = 4,
	TOPIC_MARKETING = 8,
	TOPIC_ANY_HOUR = 16, /* doses at any hour */
	TOPIC_ABROAD = 32,   /* by a gateway that carries data abroad */
	TOPIC_CAREGIVER = 64 /* may hear of emergencies, and of silence */
};
#define TOPIC_ALL \
	(TOPIC_DOSE | TOPIC_REFILL | TOPIC_FOLLOW_UP | TOPIC_MARKETING)
#define CHANNEL_BIT(channel) (1u << (channel))
#define CHANNEL_ALL 0x1eu                 /* the bits of the patients' four */
#define CHANNEL_PATIENT_END CHANNEL_WECOM /* theirs are before it */

enum stage { /* values are stored */
	STAGE_NONE = 0,
	STAGE_DUE = 1, /* dose */
	STAGE_M14 = 2,
	STAGE_M7 = 3,
	STAGE_M3 = 4,
	STAGE_M1 = 5,
	STAGE_D0 = 6,
	STAGE_P1 = 7,
	STAGE_P7 = 8,
	STAGE_P14 = 9,
	STAGE_MOVED = 10,
	STAGE_MISSED = 11,
	STAGE_SUPPLY = 12,   /* SUPPLY: task */
	STAGE_DAYS = 13,     /* -60d; the other days follow: stage_of_day() */
	STAGE_ANSWERS = 134, /* from here: what is said because of a reply */
	STAGE_EMERGENCY = STAGE_ANSWERS,
	STAGE_ADVERSE_EVENT = 135,
	STAGE_SORRY = 136, /* deceased, wrong number */
	STAGE_OPT_OUT = 137,
	STAGE_OPT_IN = 138,
	STAGE_HANDED_OVER = 139, /* a person will see to it */
	STAGE_NOTED = 140,
	STAGE_ORDER = 141, /* echoed, and cancellable for a while */
	STAGE_ORDER_CANCELLED = 142,
	STAGE_CAREGIVER = 143,      /* to the caregiver, of an emergency */
	STAGE_TEAM_EMERGENCY = 144, /* to the care team */
	STAGE_TEAM_ADVERSE_EVENT = 145,
	STAGE_TEAM_TASKS = 146,        /* what waits for them, in one message */
	STAGE_TEAM_TAKEN = 147,        /* back to the one who answered */
	STAGE_CAREGIVER_SILENCE = 148, /* to the caregiver: no answer came */
	STAGE_COUNT = 149
};

/* Is it said to whoever just wrote? */
static inline bool
stage_is_said_back(enum stage stage)
{
	return (stage >= STAGE_ANSWERS && stage < STAGE_CAREGIVER) ||
	       stage == STAGE_TEAM_TAKEN;
}
#define STAGE_DAY_MAX 60 /* either side of a run-out or visit */

enum reason { /* why something is held; order of judging, program.md 2 */
	REASON_NONE = 0,
	REASON_PATIENT_DECEASED,
	REASON_PATIENT_INACTIVE,
	REASON_PATIENT_PAUSED,
	REASON_PATIENT_IN_HOSPITAL,
	REASON_STOPPED_BY_OPERATOR,
	REASON_SAFETY_HOLD,
	REASON_ALREADY_DONE,
	REASON_EXPIRED,
	REASON_QUIET_HOURS,
	REASON_NO_CONSENT,
	REASON_NO_CHANNEL,
	REASON_NO_CREDIT,
	REASON_TEMPLATE_UNAPPROVED,
	REASON_GATEWAY_PAUSED,
	REASON_CAP,
	REASON_COUNT
};

enum delivery_state { /* design.md 3; values are stored */
	DELIVERY_SENDING = 1,
	DELIVERY_HELD = 2,
	DELIVERY_ACCEPTED = 3,
	DELIVERY_REJECTED = 4,
	DELIVERY_RETRY = 5,
	DELIVERY_UNKNOWN = 6,
	DELIVERY_DELIVERED = 7,
	DELIVERY_UNDELIVERED = 8,
	DELIVERY_UNCONFIRMED = 9,
	DELIVERY_EXPIRED = 10,
	DELIVERY_STATE_COUNT = 11
};

enum owner { OWNER_SELF = 1, OWNER_GUARDIAN = 2, OWNER_CAREGIVER = 3 };

/* FHIR status sets, only as far as decisions differ. */
enum prescription_status {
	PRESCRIPTION_ACTIVE = 1,
	PRESCRIPTION_ON_HOLD = 2,
	PRESCRIPTION_STOPPED = 3, /* stopped, cancelled */
	PRESCRIPTION_COMPLETED = 4,
	PRESCRIPTION_DRAFT = 5, /* draft, unknown */
	PRESCRIPTION_ERROR = 6  /* entered-in-error */
};
enum fill_status {
	FILL_COMPLETED = 1,
	FILL_IN_PROGRESS = 2, /* preparation, in-progress, on-hold */
	FILL_CANCELLED = 3,   /* cancelled, stopped, declined, unknown */
	FILL_ERROR = 4
};
enum visit_status {
	VISIT_PLANNED = 1, /* pending, booked */
	VISIT_DONE = 2,    /* arrived, checked-in, fulfilled */
	VISIT_CANCELLED = 3,
	VISIT_NOSHOW = 4,
	VISIT_ERROR = 5,
	VISIT_WISHED = 6 /* proposed, waitlist: nobody has agreed to a time */
};
enum course {
	COURSE_UNSTATED = 0,
	COURSE_CONTINUOUS = 1,
	COURSE_ACUTE = 2,
	COURSE_SEASONAL = 3
};

/*
 * The patient's own day, seconds since midnight; -1: the default (fhir.md
 * 3.4).  The other times of a day are the table's.
 */
struct day_profile {
	int32_t wake, breakfast, lunch, dinner, sleep;
	const struct day_table *table; /* NULL: the default */
};
#define DAY_PROFILE_DEFAULT \
	{ \
		.wake = -1, .breakfast = -1, .lunch = -1, .dinner = -1, \
		.sleep = -1 \
	}

struct contact {
	int32_t no;
	enum channel channel;
	enum owner owner;
	int32_t rank;              /* lower first */
	int64_t from_at, until_at; /* period of use; AT_UNKNOWN, AT_NEVER */
	bool usable;               /* false once the provider called it bad */
	const char *address;       /* dry run only; sealed elsewhere */
	const uint8_t *sealed;     /* envelope, or NULL */
	uint32_t sealed_bytes;
	uint8_t index[16]; /* blind index; zero in the dry run */
};

/* One rule of one Consent. */
struct consent {
	int32_t no;                /* of the Consent; several rules share it */
	int64_t given_at;          /* Consent.dateTime */
	int64_t from_at, until_at; /* provision period; until exclusive */
	bool permit;
	bool withdrawn;       /* status inactive or rejected */
	int64_t withdrawn_at; /* where withdrawn; AT_UNKNOWN: always was */
	uint32_t topics;      /* bits of enum topic, TOPIC_ALL where unnamed */
	uint32_t channels;    /* CHANNEL_BIT()s, CHANNEL_ALL where unnamed */
	enum owner actor;     /* who gave it */
};

struct dosage {
	int32_t sequence; /* 0 where absent */
	bool as_needed;
	int64_t dose_micro;          /* per administration; -1: not stated */
	const char *dose_unit;       /* code, or text; NULL */
	const struct timing *timing; /* NULL: none was given */
};

struct prescription {
	int32_t no;
	const char *id; /* the resource's id ("cn-rx-0101"), for people */
	enum prescription_status status;
	enum course course;
	bool sensitive;   /* product of a sensitive class: discreet text */
	const char *drug; /* key of the ingredient: same key = same drug */
	const char *product_class; /* whose program applies; "" or NULL: none */
	const char *name;          /* as prescribed */
	const char *prescriber;    /* key, NULL: not stated */
	int64_t authored_at;
	bool authored_has_time; /* false: authored_at is a local midnight */
	int64_t status_at;      /* when it took this status; AT_UNKNOWN */
	int64_t quantity_micro; /* per fill; -1 */
	const char *quantity_unit;
	int32_t supply_days; /* expectedSupplyDuration; -1 */
	/* initialFill: of the first one, where it differs; -1 */
	int64_t initial_quantity_micro;
	const char *initial_quantity_unit;
	int32_t initial_days;
	int32_t repeats_allowed; /* -1: absent */
	int32_t valid_from_on,
	    valid_until_on;    /* inclusive; ON_UNKNOWN, ON_NEVER */
	int32_t interval_days; /* dispenseInterval; -1 */
	int32_t prior_no;      /* priorPrescription; 0 */
	const struct dosage *dosages;
	uint32_t dosage_count;
};

struct fill {
	int32_t no;
	const char *id;
	int32_t prescription_no; /* 0: not known */
	enum fill_status status;
	const char *drug;
	int64_t quantity_micro; /* -1 */
	const char *quantity_unit;
	int32_t days_supply;    /* as stated; -1 */
	int64_t handed_over_at; /* AT_NEVER: not (yet) handed over */
};

struct visit {
	int32_t no;
	const char *id;
	enum visit_status status;
	int64_t start_at; /* AT_NEVER: none */
	bool start_has_time;
	int64_t previous_start_at; /* AT_NEVER: it never moved */
	int64_t moved_at;          /* when the move became known */
	int64_t status_at;         /* when it took this status; AT_UNKNOWN */
	int32_t replaces_no; /* the Appointment that this one takes over; 0 */
	const char *practitioners; /* keys, space-separated; NULL */
	const char *description;   /* NULL */
};

struct stay { /* hospital stay: Encounter of class IMP */
	int32_t no;
	int64_t from_at, until_at; /* until exclusive; AT_NEVER: open */
};

/* What the patient counted at home ("still ten days", "lost two strips"). */
struct correction {
	int32_t no;
	const char *drug;
	int64_t at;
	int32_t days; /* of supply left, counting that day; -1: in units */
	int64_t quantity_micro; /* units left; -1: in days */
	const char *quantity_unit;
};

/* Messages of one template that an address agreed to receive. */
struct credit {
	int32_t contact_no;
	const char *template_code; /* the provider's */
	int32_t left;
};

/*
 * What was decided before about an occurrence; the agenda row's `recent`.
 * An occurrence is (kind, source, date, slot): for a dose the local date and
 * second of the day; for a stage the anchor (run-out or visit date under
 * which its cycle was opened) and the stage's number.
 */
struct said {
	enum kind kind;
	enum channel channel;      /* CHANNEL_NONE for holds and tasks */
	enum delivery_state state; /* when last planned; SENDING = out */
	enum reason reason;        /* of a hold */
	bool task;                 /* it was a task, not a message */
	int32_t source;            /* prescription or visit no */
	int32_t occurrence_on;
	int32_t slot;
	int64_t at;         /* when decided */
	bool leads;         /* first item of its message: counts for caps */
	int32_t contact_no; /* where it went; 0 for holds and tasks */
};

/*
 * A delivery that may not be over, or whose end may lead to another: loaded
 * when the agenda row asks for it, by what was said.
 */
struct open_delivery {
	enum kind kind;
	enum channel channel;
	/* RETRY, UNKNOWN; ACCEPTED, REJECTED, DELIVERED, UNDELIVERED */
	enum delivery_state state;
	int32_t source, occurrence_on, slot;
	int32_t attempts;
	bool repeated; /* its one repeat after unknown is spent */
	int32_t asked; /* how often the provider was asked and had nothing */
	int64_t due_at, retry_at, valid_until;
	int64_t planned_at; /* when its last attempt was decided */
	int64_t sent_at;    /* as the provider's clock has it: for asking */
};

struct dossier {
	int16_t bucket;
	int64_t patient_id;
	int32_t tenant_id;
	int16_t care_role; /* enum care_role; 0: a patient */
	int64_t version;
	const char *id; /* the resource's id, for people; may be NULL */
	const struct zone *zone;
	const char *locale; /* "zh-CN" */
	const char *name;   /* dry run only; sealed elsewhere */
	const uint8_t *sealed_name;
	uint32_t sealed_name_bytes;
	bool active;
	int64_t inactive_at;  /* where not active; AT_UNKNOWN */
	int64_t deceased_at;  /* AT_NEVER: alive; AT_UNKNOWN: some time ago */
	int64_t paused_until; /* AT_UNKNOWN: not paused; AT_NEVER: until told */
	bool safety_hold;
	bool adverse_event; /* refills and orders held */
	int32_t birth_on;   /* ON_UNKNOWN */
	struct day_profile profile;
	const struct contact *contacts;
	uint32_t contact_count;
	const struct consent *consents;
	uint32_t consent_count;
	const struct prescription *prescriptions; /* by no */
	uint32_t prescription_count;
	const struct fill *fills;
	uint32_t fill_count;
	const struct visit *visits;
	uint32_t visit_count;
	const struct stay *stays;
	uint32_t stay_count;
	const struct correction *corrections;
	uint32_t correction_count;
	const struct credit *credits;
	uint32_t credit_count;
	const struct said *said;
	uint32_t said_count;
	const struct open_delivery *open;
	uint32_t open_count;
};

/*
 * Decode a compiled row.  0, or -1 with *error for an unknown format or
 * damaged bytes.  said and open stay empty.
 */
must_check int dossier_decode(const uint8_t *doc, size_t bytes,
    struct arena *arena, struct dossier *dossier, const char **error);

/*
 * May the delivery of this entry, a message's first, still be open?  False
 * for holds, tasks, and where its end is on record.
 */
bool said_may_be_open(const struct said *said);

/* The agenda's `recent`: newest last, at most 512 entries. */
void said_encode(const struct said *said, uint32_t count, struct buf *out);
must_check int said_decode(const uint8_t *recent, size_t bytes,
    struct arena *arena, const struct said **said, uint32_t *count);

/* Words of program.md 3, and back (0 if unknown). */
const char *kind_word(enum kind kind); /* "follow_up" */
const char *channel_word(
    enum channel channel);                   /* "wechat_mini"; NULL for none */
const char *stage_word(enum stage stage);    /* "-7d", "due" */
const char *reason_word(enum reason reason); /* NULL for none */
const char *delivery_state_word(enum delivery_state state);
enum kind kind_from_word(const char *word);
enum channel channel_from_word(const char *word);
/* The same of those that a patient can have. */
enum channel patient_channel_from_word(const char *word);
enum stage stage_from_word(const char *word);
/*
 * Does a person mean this drug?  By its key, "http://www.whocc.no/atc|C08CA01",
 * or by the code in it.  The drug may be NULL.
 */
bool drug_is_named(const char *drug, const char *name);
/* Is it a stage at which this kind may have a message? */
bool stage_fits(enum kind kind, enum stage stage);
enum stage stage_of_day(int32_t day);           /* within STAGE_DAY_MAX */
bool stage_day(enum stage stage, int32_t *day); /* false: not of a day */
uint32_t topic_from_word(const char *word);     /* one bit */
uint32_t topic_of_kind(enum kind kind);         /* refill covers renewal */

/* Look-ups; NULL if absent. */
const struct prescription *dossier_prescription(
    const struct dossier *dossier, int32_t no);
const struct visit *dossier_visit(const struct dossier *dossier, int32_t no);
/* Credits of a contact for a template; 0 where nothing is on record. */
int32_t dossier_credits(const struct dossier *dossier, int32_t contact_no,
    const char *template_code);
/*
 * "MedicationRequest/ID", "Appointment/ID", by number where it is not known,
 * and "Reply/NO".
 */
const char *dossier_reference(const struct dossier *dossier, enum kind kind,
    int32_t no, struct arena *arena);

#endif
