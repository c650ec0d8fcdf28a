/* The ledger of a leader: what may still be drawn, at every instant to come, and whether one more grant fits beside it.
 *
 * Everything rests on row_room, the least that others leave of a row over a span of time. A sum of envelopes is a
 * staircase: it rises where a cap ends (to the fall-back, from below) and falls where a raise ends. So it is greatest at
 * the start of the span, where a cap ends while raises still run, and, once the last raise is over, at the end.
 */
#include "powershare_kernel.h"

/* An end that no instant reaches. */
#define FOR_EVER INT64_MAX

static inline int64_t least_of(int64_t a, int64_t b) { return a < b ? a : b; }

static inline int64_t most_of(int64_t a, int64_t b) { return a > b ? a : b; }

static uint32_t seal_of(int32_t n_units, int32_t n_rows)
{
    return UINT32_C(0x70736c31) ^ ((uint32_t)n_units * UINT32_C(0x9e3779b1)) ^ ((uint32_t)n_rows * UINT32_C(0x85ebca6b));
}

static int counts_are_wrong(const ps_ledger *ledger)
{
    return ledger->n_units < 0 || ledger->n_units > PS_MAX_CONNECTORS || ledger->n_rows < 0 ||
           ledger->n_rows > PS_MAX_ROWS;
}

static int32_t check_shape(const ps_ledger *ledger)
{
    const int32_t n = ledger->n_units, m = ledger->n_rows;
    if (!ledger->row_first || !ledger->unit_first)
        return PS_NULL;
    if (n > 0 && (!ledger->fallback || !ledger->greatest || !ledger->high || !ledger->until))
        return PS_NULL;
    if (m > 0 && (!ledger->limit_now || !ledger->limit_later))
        return PS_NULL;
    if (ledger->place_len > 0 && (!ledger->row_units || !ledger->unit_rows))
        return PS_NULL;
    if (counts_are_wrong(ledger))
        return PS_COUNT;
    if (ledger->unit_len < n || ledger->row_len < m)
        return PS_LENGTH;
    if (ledger->place_len < ledger->row_first[m] || ledger->place_len < ledger->unit_first[n])
        return PS_LENGTH;
    return PS_OK;
}

static int firsts_are_wrong(const int32_t *first, int32_t count)
{
    if (first[0] != 0)
        return 1;
    for (int32_t i = 0; i < count; i++)
        if (first[i] > first[i + 1])
            return 1;
    return 0;
}

/* Whether a list from `from` up to `to` does not rise from member to member, or has one outside [0, bound). */
static int list_is_wrong(const int32_t *list, int32_t from, int32_t to, int32_t bound)
{
    int32_t before = -1;
    for (int32_t at = from; at < to; at++) {
        if (list[at] <= before || list[at] >= bound)
            return 1;
        before = list[at];
    }
    return 0;
}

static int lists_are_wrong(const int32_t *first, const int32_t *list, int32_t count, int32_t bound)
{
    for (int32_t i = 0; i < count; i++)
        if (list_is_wrong(list, first[i], first[i + 1], bound))
            return 1;
    return 0;
}

/* Whether a rising list holds a value. */
static int holds(const int32_t *list, int32_t from, int32_t to, int32_t value)
{
    while (from < to) {
        const int32_t middle = from + (to - from) / 2;
        if (list[middle] == value)
            return 1;
        if (list[middle] < value)
            from = middle + 1;
        else
            to = middle;
    }
    return 0;
}

/* Whether anything is listed that does not list it back. */
static int is_one_sided(const int32_t *first, const int32_t *list, int32_t count, const int32_t *back_first,
                        const int32_t *back)
{
    for (int32_t i = 0; i < count; i++)
        for (int32_t at = first[i]; at < first[i + 1]; at++)
            if (!holds(back, back_first[list[at]], back_first[list[at] + 1], i))
                return 1;
    return 0;
}

static int topology_is_wrong(const ps_ledger *l)
{
    const int32_t n = l->n_units, m = l->n_rows;
    if (firsts_are_wrong(l->row_first, m) || firsts_are_wrong(l->unit_first, n))
        return 1;
    if (lists_are_wrong(l->row_first, l->row_units, m, n) || lists_are_wrong(l->unit_first, l->unit_rows, n, m))
        return 1;
    return is_one_sided(l->row_first, l->row_units, m, l->unit_first, l->unit_rows) ||
           is_one_sided(l->unit_first, l->unit_rows, n, l->row_first, l->row_units);
}

static int fallbacks_are_wrong(const ps_ledger *ledger)
{
    for (int32_t i = 0; i < ledger->n_units; i++)
        if (ledger->fallback[i] < 0 || ledger->fallback[i] > ledger->greatest[i] || ledger->greatest[i] > PS_MAX_OFFER)
            return 1;
    return 0;
}

int32_t ps_ledger_compile(ps_ledger *ledger)
{
    int32_t code;
    if (!ledger)
        return PS_NULL;
    ledger->seal = 0;
    code = check_shape(ledger);
    if (code != PS_OK)
        return code;
    if (topology_is_wrong(ledger))
        return PS_TOPOLOGY;
    if (fallbacks_are_wrong(ledger))
        return PS_FALLBACK;
    ledger->seal = seal_of(ledger->n_units, ledger->n_rows);
    return PS_OK;
}

static int32_t check_sealed(const ps_ledger *ledger)
{
    if (!ledger)
        return PS_NULL;
    if (counts_are_wrong(ledger))
        return PS_COUNT;
    return ledger->seal == seal_of(ledger->n_units, ledger->n_rows) ? PS_OK : PS_NOT_COMPILED;
}

static int32_t check_unit(const ps_ledger *ledger, int32_t unit)
{
    const int32_t code = check_sealed(ledger);
    if (code != PS_OK)
        return code;
    return unit < 0 || unit >= ledger->n_units ? PS_UNIT : PS_OK;
}

static inline int is_time(int64_t at) { return at >= -PS_MAX_TIME && at <= PS_MAX_TIME; }

static inline int is_wait(int64_t wait) { return wait > 0 && wait <= PS_MAX_WAIT; }

static inline int is_amount(int64_t amount) { return amount >= 0 && amount <= PS_MAX_OFFER; }

static inline int is_row_limit(int64_t limit)
{
    return (limit >= PS_MIN_ROW_LIMIT && limit <= PS_MAX_LIMIT) || limit == PS_NO_LIMIT;
}

/* Whether the unit's entry is one that calls leave: then no sum of them can wrap. */
static inline int is_entry(const ps_ledger *ledger, int32_t unit)
{
    const int64_t high = ledger->high[unit], until = ledger->until[unit];
    return high >= 0 && high <= PS_MAX_MEASURED && until >= -PS_MAX_TIME && until <= PS_MAX_TIME + PS_MAX_WAIT;
}

static int entries_are_wrong(const ps_ledger *ledger, int32_t row)
{
    for (int32_t at = ledger->row_first[row]; at < ledger->row_first[row + 1]; at++)
        if (!is_entry(ledger, ledger->row_units[at]))
            return 1;
    return 0;
}

/* What a look at the unit's rows will read: the limits of all, then the entries of everybody on them. */
static int32_t check_rows(const ps_ledger *ledger, int32_t unit)
{
    const int32_t from = ledger->unit_first[unit], to = ledger->unit_first[unit + 1];
    for (int32_t at = from; at < to; at++) {
        const int32_t row = ledger->unit_rows[at];
        if (!is_row_limit(ledger->limit_now[row]) || !is_row_limit(ledger->limit_later[row]))
            return PS_ROW_LIMIT;
    }
    for (int32_t at = from; at < to; at++)
        if (entries_are_wrong(ledger, ledger->unit_rows[at]))
            return PS_ENTRY;
    return is_entry(ledger, unit) ? PS_OK : PS_ENTRY;
}

static inline int64_t envelope_of(const ps_ledger *ledger, int32_t unit, int64_t at)
{
    return at < ledger->until[unit] ? ledger->high[unit] : ledger->fallback[unit];
}

/* What all on a row but `unit` may be drawing at an instant. */
static int64_t others_at(const ps_ledger *ledger, int32_t row, int32_t unit, int64_t at)
{
    int64_t sum = 0;
    for (int32_t place = ledger->row_first[row]; place < ledger->row_first[row + 1]; place++) {
        const int32_t other = ledger->row_units[place];
        if (other != unit)
            sum += envelope_of(ledger, other, at);
    }
    return sum;
}

/* What they leave of it. */
static int64_t left_at(const ps_ledger *ledger, int32_t row, int32_t unit, int64_t at, int64_t horizon)
{
    const int64_t limit = at < horizon ? ledger->limit_now[row] : ledger->limit_later[row];
    return limit == PS_NO_LIMIT ? PS_NO_LIMIT : limit - others_at(ledger, row, unit, at);
}

/* When the last of their raises ends, or `from` where that is later: after it their sum only rises. */
static int64_t last_fall(const ps_ledger *ledger, int32_t row, int32_t unit, int64_t from)
{
    int64_t last = from;
    for (int32_t place = ledger->row_first[row]; place < ledger->row_first[row + 1]; place++) {
        const int32_t other = ledger->row_units[place];
        if (other != unit && ledger->high[other] > ledger->fallback[other])
            last = most_of(last, ledger->until[other]);
    }
    return last;
}

/* The least they leave at any instant of [from, upto), which is not empty. */
static int64_t row_room(const ps_ledger *ledger, int32_t row, int32_t unit, int64_t from, int64_t upto, int64_t horizon)
{
    const int64_t last = last_fall(ledger, row, unit, from);
    int64_t room = least_of(left_at(ledger, row, unit, from, horizon), left_at(ledger, row, unit, upto - 1, horizon));
    if (from < horizon && horizon < upto) {
        room = least_of(room, left_at(ledger, row, unit, horizon - 1, horizon));
        room = least_of(room, left_at(ledger, row, unit, horizon, horizon));
    }
    for (int32_t place = ledger->row_first[row]; place < ledger->row_first[row + 1]; place++) {
        const int32_t other = ledger->row_units[place];
        const int64_t end = ledger->until[other];
        if (other != unit && ledger->high[other] < ledger->fallback[other] && from < end && end < upto && end < last)
            room = least_of(room, left_at(ledger, row, unit, end, horizon));
    }
    return room;
}

static int64_t unit_room(const ps_ledger *ledger, int32_t unit, int64_t from, int64_t upto, int64_t horizon)
{
    int64_t room = PS_NO_LIMIT;
    for (int32_t at = ledger->unit_first[unit]; at < ledger->unit_first[unit + 1]; at++)
        room = least_of(room, row_room(ledger, ledger->unit_rows[at], unit, from, upto, horizon));
    return room;
}

/* Whether, with this entry for the unit, no row of it is exceeded at any instant from now on. */
static int fits(const ps_ledger *ledger, int32_t unit, int64_t high, int64_t until, int64_t now, int64_t horizon)
{
    if (now < until && unit_room(ledger, unit, now, until, horizon) < high)
        return 0;
    return unit_room(ledger, unit, most_of(now, until), FOR_EVER, horizon) >= ledger->fallback[unit];
}

int32_t ps_ledger_open(ps_ledger *ledger, int64_t now, int64_t wait)
{
    const int32_t code = check_sealed(ledger);
    if (code != PS_OK)
        return code;
    if (!is_time(now))
        return PS_TIME;
    if (!is_wait(wait))
        return PS_WAIT;
    for (int32_t i = 0; i < ledger->n_units; i++) {
        ledger->high[i] = ledger->greatest[i];
        ledger->until[i] = now + wait;
    }
    return PS_OK;
}

int32_t ps_ledger_suspect(ps_ledger *ledger, int32_t unit, int64_t now, int64_t wait)
{
    const int32_t code = check_unit(ledger, unit);
    if (code != PS_OK)
        return code;
    if (!is_time(now))
        return PS_TIME;
    if (!is_wait(wait))
        return PS_WAIT;
    ledger->high[unit] = ledger->greatest[unit];
    ledger->until[unit] = now + wait;
    return PS_OK;
}

/* Whether the entry says that the unit stays below its fall-back for a while. */
static inline int is_running_cap(const ps_ledger *ledger, int32_t unit, int64_t now)
{
    return ledger->high[unit] < ledger->fallback[unit] && ledger->until[unit] > now;
}

static void learn_current(ps_ledger *ledger, int32_t unit, int64_t now, int64_t wait, int64_t current, int64_t cap_until)
{
    if (current >= ledger->fallback[unit]) {
        ledger->high[unit] = current;
        if (ledger->until[unit] <= now)
            ledger->until[unit] = now + wait;
    } else if (!is_running_cap(ledger, unit, now) || ledger->until[unit] < cap_until) {
        /* Of two true bounds the better is kept: a report that is newer can know less. */
        ledger->high[unit] = current;
        ledger->until[unit] = cap_until;
    }
}

/* What is measured counts, whatever was granted. */
static void learn_measured(ps_ledger *ledger, int32_t unit, int64_t now, int64_t wait, int64_t measured)
{
    if (measured <= envelope_of(ledger, unit, now))
        return;
    ledger->high[unit] = measured;
    if (measured > ledger->fallback[unit])
        ledger->until[unit] = most_of(ledger->until[unit], now + wait);
}

int32_t ps_ledger_learn(ps_ledger *ledger, int32_t unit, int64_t now, int64_t wait, int32_t settled, int64_t current,
                        int64_t cap_until, int64_t measured)
{
    const int32_t code = check_unit(ledger, unit);
    if (code != PS_OK)
        return code;
    if (!is_time(now) || !is_time(cap_until))
        return PS_TIME;
    if (!is_wait(wait))
        return PS_WAIT;
    if (!is_amount(current) || measured < PS_NOT_MEASURED || measured > PS_MAX_MEASURED)
        return PS_AMOUNT;
    if (!is_entry(ledger, unit))
        return PS_ENTRY;
    if (settled)
        learn_current(ledger, unit, now, wait, current, cap_until);
    learn_measured(ledger, unit, now, wait, measured);
    return PS_OK;
}

static int kind_is_wrong(int32_t kind, int64_t amps, int64_t fallback, int64_t greatest)
{
    if (kind == PS_GRANT_RAISE)
        return amps <= fallback || amps > greatest;
    if (kind == PS_GRANT_CAP)
        return amps >= fallback;
    if (kind == PS_GRANT_FALL_BACK)
        return amps != fallback;
    return kind != PS_GRANT_TRIM || amps < fallback;
}

static int32_t check_issue(const ps_ledger *ledger, int32_t unit, int32_t kind, int64_t amps, int64_t ceiling)
{
    if (!is_amount(amps) || !is_amount(ceiling))
        return PS_AMOUNT;
    if (kind_is_wrong(kind, amps, ledger->fallback[unit], ledger->greatest[unit]))
        return PS_KIND;
    return check_rows(ledger, unit);
}

int32_t ps_ledger_issue(ps_ledger *ledger, int32_t unit, int32_t kind, int64_t amps, int64_t ceiling, int64_t now,
                        int64_t wait, int64_t horizon, int64_t cap_until)
{
    int64_t high, until;
    int32_t code = check_unit(ledger, unit);
    if (code != PS_OK)
        return code;
    if (!is_time(now) || !is_time(horizon) || !is_time(cap_until))
        return PS_TIME;
    if (!is_wait(wait))
        return PS_WAIT;
    code = check_issue(ledger, unit, kind, amps, ceiling);
    if (code != PS_OK)
        return code;
    if (kind == PS_GRANT_TRIM)
        return 1;
    high = most_of(envelope_of(ledger, unit, now), amps);
    until = ledger->until[unit];
    if (kind == PS_GRANT_RAISE)
        until = now + wait;
    else if (kind == PS_GRANT_CAP && is_running_cap(ledger, unit, now))
        until = least_of(until, cap_until); /* the new cap can end before the one it replaces */
    /* That the entry is no higher than before is no reason: others may lean on the unit being lower than it says. */
    if (amps > least_of(ceiling, ledger->fallback[unit]) && !fits(ledger, unit, high, until, now, horizon))
        return 0;
    ledger->high[unit] = high;
    ledger->until[unit] = until;
    return 1;
}

int32_t ps_ledger_room(const ps_ledger *ledger, int32_t unit, int64_t from, int64_t upto, int64_t horizon, int64_t *room)
{
    int32_t code = room ? check_unit(ledger, unit) : PS_NULL;
    if (code != PS_OK)
        return code;
    if (!is_time(from) || !is_time(upto) || !is_time(horizon) || from >= upto)
        return PS_TIME;
    code = check_rows(ledger, unit);
    if (code == PS_OK)
        *room = unit_room(ledger, unit, from, upto, horizon);
    return code;
}

int64_t ps_ledger_envelope(const ps_ledger *ledger, int32_t unit, int64_t at)
{
    const int32_t code = check_unit(ledger, unit);
    if (code != PS_OK)
        return code;
    if (!is_time(at))
        return PS_TIME;
    return is_entry(ledger, unit) ? envelope_of(ledger, unit, at) : PS_ENTRY;
}
