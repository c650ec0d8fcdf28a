/* The kernel: how many milliamps each connector may offer (ps_site, ps_problem), and what a leader may grant without a
 * limit ever being exceeded (ps_ledger).
 *
 * C11, freestanding: integers only, the caller's memory only, no recursion, no calls into a C library (a compiler may
 * turn loops into memcpy or memset; on 32-bit targets 64-bit divisions need the compiler's own runtime, libgcc).
 * Every function checks all its input before it writes, and answers a negative code where it refuses.
 *
 * Row = 3 * circuit + line. Amounts are milliamps. What is decided, and why: docs, "allocation".
 * The plain Python twin in reference.py, filling.py and ledger_reference.py answers the same bytes, and is the place to
 * read first.
 */
#ifndef POWERSHARE_KERNEL_H
#define POWERSHARE_KERNEL_H

#include <stdint.h>

#define PS_MAX_CONNECTORS (INT32_C(1) << 20)
#define PS_MAX_CIRCUITS (INT32_C(1) << 20)
#define PS_MAX_OFFER INT32_C(10000000)
#define PS_MAX_WEIGHT INT32_C(1000)
#define PS_MAX_LIMIT (INT64_C(1) << 40)
#define PS_NO_LIMIT INT64_MAX /* zero never means "no limit" */
#define PS_NO_CAP INT32_MAX
#define PS_NOT_HELD INT32_C(-1)
#define PS_MAX_ROWS (INT32_C(1) << 22)
#define PS_MIN_ROW_LIMIT (-(INT64_C(1) << 41)) /* other load may leave a row with less than nothing */
#define PS_MAX_TIME (INT64_C(1) << 52)         /* milliseconds, either side of zero */
#define PS_MAX_WAIT INT64_C(2147483647)
#define PS_MAX_MEASURED INT64_C(2147483647)
#define PS_NOT_MEASURED INT64_C(-1)

/* Why input was refused. Where several apply, the one nearest to zero is answered. */
enum {
    PS_OK = 0,
    PS_NULL = -1,
    PS_COUNT = -2,
    PS_LENGTH = -3, /* an array of the caller is too short */
    PS_CYCLE = -4,  /* a parent is not an earlier circuit, nor -1 */
    PS_CIRCUIT = -5,
    PS_MASK = -6,
    PS_OFFERS = -7, /* not 0 < step <= least <= greatest <= PS_MAX_OFFER in whole steps */
    PS_NOT_COMPILED = -8,
    PS_WANTED = -9,
    PS_LINES_USED = -10,
    PS_WAITING = -11,
    PS_WEIGHT = -12,
    PS_HELD = -13, /* out of range, or together with wanted > 0 */
    PS_CAP = -14,
    PS_LIMIT = -15,
    PS_OTHER_LOAD = -16,
    PS_UNIT = -17,      /* no such unit */
    PS_TOPOLOGY = -18,  /* the lists of rows and of units do not describe one site */
    PS_FALLBACK = -19,  /* not 0 <= fallback <= greatest <= PS_MAX_OFFER */
    PS_TIME = -20,      /* out of range, or a span without an instant in it */
    PS_WAIT = -21,
    PS_AMOUNT = -22,
    PS_KIND = -23,      /* unknown, or not that of a grant of so many amps */
    PS_ROW_LIMIT = -24,
    PS_ENTRY = -25      /* the ledger holds what no call leaves there */
};

/* What became of a connector. */
enum { PS_IDLE = 0, PS_ALLOCATED = 1, PS_SHED = 2, PS_REFUSED = 3, PS_HOLDING = 4 };

/* What kept a connector from more: a row (>= 0), or one of these. */
enum { PS_BY_NOTHING = -1, PS_BY_VEHICLE = -2, PS_BY_GREATEST = -3, PS_BY_CAP = -4 };

/* What the wiring alone says of every vehicle that can come. */
enum { PS_SHAPE_MIXED = 0, PS_SHAPE_ONE_MASK = 1, PS_SHAPE_ONE_LINE = 2 };

/* What a grant does to a ceiling: above the fall-back until its lease ends; below it; back to it; or down, never up. */
enum { PS_GRANT_RAISE = 1, PS_GRANT_CAP = 2, PS_GRANT_FALL_BACK = 3, PS_GRANT_TRIM = 4 };

/* What is installed. */
typedef struct ps_site {
    int32_t n_connectors;
    int32_t n_circuits;
    int64_t connector_len; /* elements that each of the caller's arrays per connector really holds */
    int64_t circuit_len;   /* the same per circuit */
    const int32_t *parent; /* [n_circuits] an earlier circuit, or -1: so a cycle cannot be said */
    const int32_t *circuit;
    const uint8_t *masks; /* [4 * n_connectors] lines loaded by a vehicle that uses [unspecified, 1, 2, 3] lines */
    const int32_t *least;
    const int32_t *greatest;
    const int32_t *step;
    /* Written by ps_site_compile. */
    int32_t *order; /* [n_connectors] the connectors in tree order: those of a circuit's subtree side by side */
    int32_t *ends;  /* [n_circuits] where in that order the circuit's subtree ends */
    int32_t shape;
    int32_t in_order; /* the tree order is the site order */
    int32_t alike;    /* a few connectors on one circuit, wired alike, with one step */
    uint32_t seal;
    uint64_t step_inverse; /* where alike, 2^32 / step and a little more: to divide by multiplying */
} ps_site;

/* One allocation. */
typedef struct ps_problem {
    const ps_site *site;
    int64_t connector_len;
    int64_t circuit_len; /* the arrays per row hold three times as many */
    int64_t work64_len;
    int64_t work32_len;
    const int32_t *wanted;     /* 0: nobody asks */
    const uint8_t *lines_used; /* 0 (unspecified) to 3 */
    const int32_t *waiting;    /* seconds */
    const int32_t *weight;
    const int32_t *priority;
    const int32_t *held; /* what a silent connector may be drawing, or PS_NOT_HELD */
    const int32_t *cap;  /* an external limit of the connector itself, or PS_NO_CAP */
    const int64_t *limit;            /* on connectors, held current and other load */
    const int64_t *limit_connectors; /* on connectors and held current */
    const int64_t *other;            /* the circuit's own other load */
    /* Answers. */
    int32_t *allocated;
    uint8_t *status;
    int32_t *bound;
    int64_t *room; /* what is left; negative where held current and other load alone exceed the limit */
    /* Scratch. */
    int64_t *work64;
    int32_t *work32;
} ps_problem;

/* Checks the columns, then fills order, ends, shape and seal. A site that was refused is unsealed. */
int32_t ps_site_compile(ps_site *site);

/* How many elements of scratch a problem on a site of this size needs; negative counts need none. */
int64_t ps_work64_len(int32_t n_connectors, int32_t n_circuits);
int64_t ps_work32_len(int32_t n_connectors, int32_t n_circuits);

/* Checks the problem, then writes the answers. Time: about linear in connectors times the circuits above each. */
int32_t ps_allocate(ps_problem *problem);

/* Runs all problems; answers the code of the first that was refused, or PS_OK. */
int32_t ps_allocate_each(ps_problem *const *problems, int64_t count);

/* The ledger of a leader: per unit (a connector that holds leases) an envelope, which is at no future instant less than
 * what the unit may be drawing if nothing more is granted: `high` before the instant `until`, the fall-back from then on.
 * A unit counts on every row it is wired to; a row is one line of one circuit, or of the network limit. Times are
 * milliseconds of the leader's clock, which never goes back. `wait` is how long after now a raise issued now, or by
 * anybody before, may still be drawn. */
typedef struct ps_ledger {
    int32_t n_units;
    int32_t n_rows;
    int64_t unit_len;          /* elements that each of the caller's arrays per unit really holds; the firsts hold one more */
    int64_t row_len;           /* the same per row */
    int64_t place_len;         /* and of row_units and unit_rows */
    const int32_t *row_first;  /* [n_rows + 1] where in row_units the units of each row begin */
    const int32_t *row_units;  /* ascending within each row */
    const int32_t *unit_first; /* [n_units + 1] where in unit_rows the rows of each unit begin: the same, seen from there */
    const int32_t *unit_rows;  /* ascending within each unit */
    const int64_t *fallback;
    const int64_t *greatest;
    int64_t *high;
    int64_t *until;
    int64_t *limit_now;   /* per row: what the units together may draw before the horizon; may be negative */
    int64_t *limit_later; /* and from the horizon on */
    uint32_t seal;        /* written by ps_ledger_compile */
} ps_ledger;

/* Checks and seals the ledger. A ledger that was refused is unsealed. */
int32_t ps_ledger_compile(ps_ledger *ledger);

/* A new authority knows nothing: every unit may be drawing its greatest, until whatever was granted before is over. */
int32_t ps_ledger_open(ps_ledger *ledger, int64_t now, int64_t wait);

/* The same for one unit: two were seen under its name. */
int32_t ps_ledger_suspect(ps_ledger *ledger, int32_t unit, int64_t now, int64_t wait);

/* A usable report. settled: it shows the grant issued last as applied, or a new boot; otherwise only what is measured
 * counts. current: what the unit may be drawing by its own account. cap_until: how long it surely keeps to a current
 * below the fall-back. measured: what its meter reads, or PS_NOT_MEASURED. */
int32_t ps_ledger_learn(ps_ledger *ledger, int32_t unit, int64_t now, int64_t wait, int32_t settled, int64_t current,
                        int64_t cap_until, int64_t measured);

/* Whether a grant may be issued: 1 and booked, or 0 and the ledger as it was. ceiling: what the report it answers told.
 * horizon: from when on limit_later counts. cap_until: how long a cap issued now surely lasts.
 * A grant of at most the reported ceiling and the fall-back passes without the test. Where it is a cap over a cap, that
 * leans on the caller's timing: cap_until is never before now + wait, or a raise could outlive the cap it leans on. */
int32_t ps_ledger_issue(ps_ledger *ledger, int32_t unit, int32_t kind, int64_t amps, int64_t ceiling, int64_t now,
                        int64_t wait, int64_t horizon, int64_t cap_until);

/* The least that the others leave of any row of the unit at any instant of [from, upto), which may be less than nothing;
 * PS_NO_LIMIT where no row has a limit. */
int32_t ps_ledger_room(const ps_ledger *ledger, int32_t unit, int64_t from, int64_t upto, int64_t horizon, int64_t *room);

/* What the unit may be drawing at an instant, or a negative code. */
int64_t ps_ledger_envelope(const ps_ledger *ledger, int32_t unit, int64_t at);

#endif
