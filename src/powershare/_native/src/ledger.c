/* The ledger of a leader: what may still be drawn, at every instant to come, and whether one more grant fits beside it.
 *
 * Everything rests on row_room, the least that others leave of a row over a span of time. A sum of envelopes is a
 * staircase: it rises where a cap ends (to the fall-back, from below) and falls where a raise ends. So it is greatest at
 * the start of the span, where a cap ends while raises still run, and, once the last raise is over, at the end.
 *
 * Comments that begin with an @ are contracts, which a prover checks; tests/proof says what their words mean and what
 * is proved.
 */
#include "powershare_kernel.h"

/* An end that no instant reaches. */
#define FOR_EVER INT64_MAX

/*@ assigns \nothing;
    ensures \result == lesser(a, b); */
static inline int64_t least_of(int64_t a, int64_t b) { return a < b ? a : b; }

/*@ assigns \nothing;
    ensures \result == greater(a, b); */
static inline int64_t most_of(int64_t a, int64_t b) { return a > b ? a : b; }

/*@ assigns \nothing;
    ensures \result == seal(n_units, n_rows); */
static uint32_t seal_of(int32_t n_units, int32_t n_rows)
{
    return UINT32_C(0x70736c31) ^ ((uint32_t)n_units * UINT32_C(0x9e3779b1)) ^ ((uint32_t)n_rows * UINT32_C(0x85ebca6b));
}

/*@ requires \valid_read(ledger);
    assigns \nothing;
    ensures \result == 0 <==> counts(ledger); */
static int counts_are_wrong(const ps_ledger *ledger)
{
    return ledger->n_units < 0 || ledger->n_units > PS_MAX_CONNECTORS || ledger->n_rows < 0 ||
           ledger->n_rows > PS_MAX_ROWS;
}

/*@ requires \valid_read(ledger) && as_long_as_told(ledger);
    assigns \nothing;
    ensures \result == PS_OK ==> arrays(ledger);
    ensures PS_LENGTH <= \result <= PS_OK; */
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

/*@ requires 0 <= count && \valid_read(first + (0 .. count));
    assigns \nothing;
    ensures \result == 0 <==> rising(first, count); */
static int firsts_are_wrong(const int32_t *first, int32_t count)
{
    if (first[0] != 0)
        return 1;
    /*@ loop invariant 0 <= i <= count && rising(first, i);
        loop assigns i;
        loop variant count - i; */
    for (int32_t i = 0; i < count; i++)
        if (first[i] > first[i + 1])
            return 1;
    return 0;
}

/* Whether a list from `from` up to `to` does not rise from member to member, or has one outside [0, bound). */
/*@ requires 0 <= from <= to && \valid_read(list + (from .. to - 1));
    assigns \nothing;
    ensures \result == 0 <==> within(list, from, to, bound) && ascending(list, from, to); */
static int list_is_wrong(const int32_t *list, int32_t from, int32_t to, int32_t bound)
{
    int32_t before = -1;
    /*@ loop invariant from <= at <= to && before == (at == from ? -1 : list[at - 1]);
        loop invariant within(list, from, at, bound) && ascending(list, from, at);
        loop invariant \forall integer p; from <= p < at ==> list[p] <= before;
        loop assigns at, before;
        loop variant to - at; */
    for (int32_t at = from; at < to; at++) {
        if (list[at] <= before || list[at] >= bound)
            return 1;
        before = list[at];
    }
    return 0;
}

/*@ requires 0 <= count && \valid_read(first + (0 .. count)) && rising(first, count);
    requires \valid_read(list + (0 .. first[count] - 1));
    assigns \nothing;
    ensures \result == 0 <==> within(list, 0, first[count], bound) && each_ascending(first, list, count); */
static int lists_are_wrong(const int32_t *first, const int32_t *list, int32_t count, int32_t bound)
{
    /*@ loop invariant 0 <= i <= count && within(list, 0, first[i], bound) && each_ascending(first, list, i);
        loop assigns i;
        loop variant count - i; */
    for (int32_t i = 0; i < count; i++)
        if (list_is_wrong(list, first[i], first[i + 1], bound))
            return 1;
    return 0;
}

/* Whether a rising list holds a value. */
/*@ requires 0 <= from <= to && \valid_read(list + (from .. to - 1)) && ascending(list, from, to);
    assigns \nothing;
    ensures \result != 0 <==> on(list, from, to, value); */
static int holds(const int32_t *list, int32_t from, int32_t to, int32_t value)
{
    /*@ loop invariant \at(from, Pre) <= from <= to <= \at(to, Pre);
        loop invariant on(list, \at(from, Pre), \at(to, Pre), value) ==> on(list, from, to, value);
        loop assigns from, to;
        loop variant to - from; */
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
/*@ requires 0 <= count && \valid_read(first + (0 .. count)) && rising(first, count);
    requires \valid_read(list + (0 .. first[count] - 1)) && searchable(list, first[count], back_first, back);
    assigns \nothing;
    ensures \result == 0 <==> mutual(first, list, count, back_first, back); */
static int is_one_sided(const int32_t *first, const int32_t *list, int32_t count, const int32_t *back_first,
                        const int32_t *back)
{
    /*@ loop invariant 0 <= i <= count && mutual(first, list, i, back_first, back);
        loop assigns i;
        loop variant count - i; */
    for (int32_t i = 0; i < count; i++)
        /*@ loop invariant first[i] <= at <= first[i + 1];
            loop invariant \forall integer p; first[i] <= p < at
              ==> on(back, back_first[list[p]], back_first[list[p] + 1], i);
            loop assigns at;
            loop variant first[i + 1] - at; */
        for (int32_t at = first[i]; at < first[i + 1]; at++)
            if (!holds(back, back_first[list[at]], back_first[list[at] + 1], i))
                return 1;
    return 0;
}

/*@ requires \valid_read(l) && arrays(l);
    assigns \nothing;
    ensures \result == 0 <==> walkable(l) && agreed(l); */
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

/*@ requires \valid_read(ledger) && arrays(ledger);
    assigns \nothing;
    ensures \result == 0 <==> fallbacks(ledger); */
static int fallbacks_are_wrong(const ps_ledger *ledger)
{
    /*@ loop invariant 0 <= i <= ledger->n_units;
        loop invariant \forall integer j; 0 <= j < i ==> 0 <= ledger->fallback[j] <= ledger->greatest[j] <= PS_MAX_OFFER;
        loop assigns i;
        loop variant ledger->n_units - i; */
    for (int32_t i = 0; i < ledger->n_units; i++)
        if (ledger->fallback[i] < 0 || ledger->fallback[i] > ledger->greatest[i] || ledger->greatest[i] > PS_MAX_OFFER)
            return 1;
    return 0;
}

/*@ requires ledger == \null || (\valid(ledger) && as_long_as_told(ledger));
    assigns ledger->seal;
    ensures \result == PS_OK ==> sealed(ledger) && laid_out(ledger) && agreed(ledger);
    ensures \result != PS_OK && ledger != \null ==> ledger->seal == 0; */
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

/*@ requires given(ledger);
    assigns \nothing;
    ensures \result == PS_OK ==> \valid_read(ledger) && laid_out(ledger) && apart(ledger);
    ensures \result <= PS_OK; */
static int32_t check_sealed(const ps_ledger *ledger)
{
    if (!ledger)
        return PS_NULL;
    if (counts_are_wrong(ledger))
        return PS_COUNT;
    return ledger->seal == seal_of(ledger->n_units, ledger->n_rows) ? PS_OK : PS_NOT_COMPILED;
}

/*@ requires given(ledger);
    assigns \nothing;
    ensures \result == PS_OK ==> \valid_read(ledger) && laid_out(ledger) && apart(ledger) && 0 <= unit < ledger->n_units;
    ensures \result <= PS_OK; */
static int32_t check_unit(const ps_ledger *ledger, int32_t unit)
{
    const int32_t code = check_sealed(ledger);
    if (code != PS_OK)
        return code;
    return unit < 0 || unit >= ledger->n_units ? PS_UNIT : PS_OK;
}

/*@ assigns \nothing;
    ensures \result != 0 <==> -PS_MAX_TIME <= at <= PS_MAX_TIME; */
static inline int is_time(int64_t at) { return at >= -PS_MAX_TIME && at <= PS_MAX_TIME; }

/*@ assigns \nothing;
    ensures \result != 0 <==> 0 < wait <= PS_MAX_WAIT; */
static inline int is_wait(int64_t wait) { return wait > 0 && wait <= PS_MAX_WAIT; }

/*@ assigns \nothing;
    ensures \result != 0 <==> 0 <= amount <= PS_MAX_OFFER; */
static inline int is_amount(int64_t amount) { return amount >= 0 && amount <= PS_MAX_OFFER; }

/*@ assigns \nothing;
    ensures \result != 0 <==> row_limit(limit); */
static inline int is_row_limit(int64_t limit)
{
    return (limit >= PS_MIN_ROW_LIMIT && limit <= PS_MAX_LIMIT) || limit == PS_NO_LIMIT;
}

/* Whether the unit's entry is one that calls leave: then no sum of them can wrap. */
/*@ requires \valid_read(ledger) && laid_out(ledger) && 0 <= unit < ledger->n_units;
    assigns \nothing;
    ensures \result != 0 <==> entry(ledger, unit); */
static inline int is_entry(const ps_ledger *ledger, int32_t unit)
{
    const int64_t high = ledger->high[unit], until = ledger->until[unit];
    return high >= 0 && high <= PS_MAX_MEASURED && until >= -PS_MAX_TIME && until <= PS_MAX_TIME + PS_MAX_WAIT;
}

/*@ requires \valid_read(ledger) && laid_out(ledger) && 0 <= row < ledger->n_rows;
    assigns \nothing;
    ensures \result == 0 <==> entries(ledger, row); */
static int entries_are_wrong(const ps_ledger *ledger, int32_t row)
{
    /*@ loop invariant ledger->row_first[row] <= at <= ledger->row_first[row + 1];
        loop invariant \forall integer p; ledger->row_first[row] <= p < at ==> entry(ledger, ledger->row_units[p]);
        loop assigns at;
        loop variant ledger->row_first[row + 1] - at; */
    for (int32_t at = ledger->row_first[row]; at < ledger->row_first[row + 1]; at++)
        if (!is_entry(ledger, ledger->row_units[at]))
            return 1;
    return 0;
}

/* What a look at the unit's rows will read: the limits of all, then the entries of everybody on them. */
/*@ requires \valid_read(ledger) && laid_out(ledger) && 0 <= unit < ledger->n_units;
    assigns \nothing;
    ensures \result == PS_OK <==> checked(ledger, unit);
    ensures \result <= PS_OK; */
static int32_t check_rows(const ps_ledger *ledger, int32_t unit)
{
    const int32_t from = ledger->unit_first[unit], to = ledger->unit_first[unit + 1];
    /*@ loop invariant from <= at <= to;
        loop invariant \forall integer p; from <= p < at ==> row_limits(ledger, ledger->unit_rows[p]);
        loop assigns at;
        loop variant to - at; */
    for (int32_t at = from; at < to; at++) {
        const int32_t row = ledger->unit_rows[at];
        if (!is_row_limit(ledger->limit_now[row]) || !is_row_limit(ledger->limit_later[row]))
            return PS_ROW_LIMIT;
    }
    /*@ loop invariant from <= at <= to;
        loop invariant \forall integer p; from <= p < at ==> entries(ledger, ledger->unit_rows[p]);
        loop assigns at;
        loop variant to - at; */
    for (int32_t at = from; at < to; at++)
        if (entries_are_wrong(ledger, ledger->unit_rows[at]))
            return PS_ENTRY;
    return is_entry(ledger, unit) ? PS_OK : PS_ENTRY;
}

/*@ requires \valid_read(ledger) && laid_out(ledger) && 0 <= unit < ledger->n_units;
    assigns \nothing;
    ensures \result == drawn(ledger, unit, at); */
static inline int64_t envelope_of(const ps_ledger *ledger, int32_t unit, int64_t at)
{
    return at < ledger->until[unit] ? ledger->high[unit] : ledger->fallback[unit];
}

/* What all on a row but `unit` may be drawing at an instant. */
/*@ requires \valid_read(ledger) && laid_out(ledger) && 0 <= row < ledger->n_rows && entries(ledger, row);
    assigns \nothing;
    ensures \result == others(ledger, ledger->row_first[row], ledger->row_first[row + 1], unit, at);
    ensures 0 <= \result <= PS_MAX_MEASURED * INT32_MAX; */
static int64_t others_at(const ps_ledger *ledger, int32_t row, int32_t unit, int64_t at)
{
    int64_t sum = 0;
    /*@ loop invariant ledger->row_first[row] <= place <= ledger->row_first[row + 1];
        loop invariant sum == others(ledger, ledger->row_first[row], place, unit, at);
        loop invariant 0 <= sum <= PS_MAX_MEASURED * (place - ledger->row_first[row]);
        loop assigns place, sum;
        loop variant ledger->row_first[row + 1] - place; */
    for (int32_t place = ledger->row_first[row]; place < ledger->row_first[row + 1]; place++) {
        const int32_t other = ledger->row_units[place];
        if (other != unit)
            sum += envelope_of(ledger, other, at);
    }
    return sum;
}

/* What they leave of it. */
/*@ requires \valid_read(ledger) && laid_out(ledger) && 0 <= row < ledger->n_rows && entries(ledger, row);
    requires row_limits(ledger, row);
    assigns \nothing;
    ensures \result == left(ledger, row, unit, at, horizon); */
static int64_t left_at(const ps_ledger *ledger, int32_t row, int32_t unit, int64_t at, int64_t horizon)
{
    const int64_t limit = at < horizon ? ledger->limit_now[row] : ledger->limit_later[row];
    /*@ assert spoken_of(others(ledger, ledger->row_first[row], ledger->row_first[row + 1], unit, at)); */
    return limit == PS_NO_LIMIT ? PS_NO_LIMIT : limit - others_at(ledger, row, unit, at);
}

/* When the last of their raises ends, or `from` where that is later: after it their sum only rises. */
/*@ requires \valid_read(ledger) && laid_out(ledger) && 0 <= row < ledger->n_rows && entries(ledger, row);
    assigns \nothing;
    ensures from <= \result && only_rises_from(ledger, row, unit, \result);
    ensures least_where_it_rose(ledger, row, unit); */
static int64_t last_fall(const ps_ledger *ledger, int32_t row, int32_t unit, int64_t from)
{
    int64_t last = from;
    /*@ loop invariant ledger->row_first[row] <= place <= ledger->row_first[row + 1] && from <= last;
        loop invariant \forall integer s, t; last <= s <= t
          ==> others(ledger, ledger->row_first[row], place, unit, s) <=
              others(ledger, ledger->row_first[row], place, unit, t);
        loop invariant \forall integer start, s, t; start <= t &&
          last_rise(ledger, ledger->row_first[row], place, unit, start, t) <= s <= t
          ==> others(ledger, ledger->row_first[row], place, unit, t) <=
              others(ledger, ledger->row_first[row], place, unit, s);
        loop assigns place, last;
        loop variant ledger->row_first[row + 1] - place; */
    for (int32_t place = ledger->row_first[row]; place < ledger->row_first[row + 1]; place++) {
        const int32_t other = ledger->row_units[place];
        if (other != unit && ledger->high[other] > ledger->fallback[other])
            last = most_of(last, ledger->until[other]);
    }
    /*@ assert \forall integer s, t, horizon; last <= s <= t && (s < horizon <==> t < horizon)
          ==> others(ledger, ledger->row_first[row], ledger->row_first[row + 1], unit, s) <=
              others(ledger, ledger->row_first[row], ledger->row_first[row + 1], unit, t) &&
              left(ledger, row, unit, t, horizon) <= left(ledger, row, unit, s, horizon); */
    /*@ assert \forall integer start, s, t, horizon; start <= t && (s < horizon <==> t < horizon) &&
          last_rise(ledger, ledger->row_first[row], ledger->row_first[row + 1], unit, start, t) <= s <= t
          ==> others(ledger, ledger->row_first[row], ledger->row_first[row + 1], unit, t) <=
              others(ledger, ledger->row_first[row], ledger->row_first[row + 1], unit, s) &&
              left(ledger, row, unit, s, horizon) <= left(ledger, row, unit, t, horizon); */
    return last;
}

/* The least they leave at any instant of [from, upto), which is not empty. */
/*@ requires \valid_read(ledger) && laid_out(ledger) && 0 <= row < ledger->n_rows && entries(ledger, row);
    requires row_limits(ledger, row) && INT64_MIN < from < upto && INT64_MIN < horizon;
    assigns \nothing;
    ensures \forall integer t; from <= t < upto ==> \result <= left(ledger, row, unit, t, horizon);
    ensures \exists integer t; from <= t < upto && \result == left(ledger, row, unit, t, horizon); */
static int64_t row_room(const ps_ledger *ledger, int32_t row, int32_t unit, int64_t from, int64_t upto, int64_t horizon)
{
    const int64_t last = last_fall(ledger, row, unit, from);
    int64_t room = least_of(left_at(ledger, row, unit, from, horizon), left_at(ledger, row, unit, upto - 1, horizon));
    if (from < horizon && horizon < upto) {
        const int64_t before = left_at(ledger, row, unit, horizon - 1, horizon);
        const int64_t after = left_at(ledger, row, unit, horizon, horizon);
        room = least_of(room, least_of(before, after));
        /*@ assert room <= left(ledger, row, unit, from, horizon) && room <= left(ledger, row, unit, upto - 1, horizon) &&
              room <= left(ledger, row, unit, horizon - 1, horizon) && room <= left(ledger, row, unit, horizon, horizon); */
    }
    /*@ loop invariant ledger->row_first[row] <= place <= ledger->row_first[row + 1];
        loop invariant \exists integer t; from <= t < upto && room == left(ledger, row, unit, t, horizon);
        loop invariant room <= left(ledger, row, unit, from, horizon) && room <= left(ledger, row, unit, upto - 1, horizon);
        loop invariant from < horizon < upto ==> room <= left(ledger, row, unit, horizon - 1, horizon) &&
          room <= left(ledger, row, unit, horizon, horizon);
        loop invariant \forall integer start, t; start <= t ==>
          start <= last_rise(ledger, ledger->row_first[row], place, unit, start, t) <= t;
        loop invariant \forall integer t; from <= t < upto && t < last ==> room <=
          left(ledger, row, unit, last_rise(ledger, ledger->row_first[row], place, unit, began(from, horizon, t), t),
               horizon);
        loop assigns place, room;
        loop variant ledger->row_first[row + 1] - place; */
    for (int32_t place = ledger->row_first[row]; place < ledger->row_first[row + 1]; place++) {
        const int32_t other = ledger->row_units[place];
        const int64_t end = ledger->until[other];
        /*@ assert \forall integer t, start; from <= start <= t && t < upto && t < last ==>
              last_rise(ledger, ledger->row_first[row], place + 1, unit, start, t) ==
              last_rise(ledger, ledger->row_first[row], place, unit, start, t) ||
              (last_rise(ledger, ledger->row_first[row], place + 1, unit, start, t) == end && other != unit &&
               ledger->high[other] < ledger->fallback[other] && from < end < upto && end < last); */
        if (other != unit && ledger->high[other] < ledger->fallback[other] && from < end && end < upto && end < last) {
            const int64_t then = left_at(ledger, row, unit, end, horizon);
            room = least_of(room, then);
            /*@ assert room <= \at(room, LoopCurrent) && room <= left(ledger, row, unit, end, horizon) &&
                  (room == \at(room, LoopCurrent) || room == left(ledger, row, unit, end, horizon)); */
        }
    }
    /*@ assert \forall integer t; from <= t < upto && t < last ==>
          room <= left(ledger, row, unit, last_rise(ledger, ledger->row_first[row], ledger->row_first[row + 1], unit,
                                                    began(from, horizon, t), t), horizon) &&
          left(ledger, row, unit, last_rise(ledger, ledger->row_first[row], ledger->row_first[row + 1], unit,
                                            began(from, horizon, t), t), horizon) <=
          left(ledger, row, unit, t, horizon); */
    /*@ assert \forall integer t; from <= t < upto
          ==> last_rise(ledger, ledger->row_first[row], ledger->row_first[row + 1], unit, began(from, horizon, t), t) <= t &&
              room <= left(ledger, row, unit, t, horizon); */
    return room;
}

/*@ requires \valid_read(ledger) && laid_out(ledger) && 0 <= unit < ledger->n_units && checked(ledger, unit);
    requires INT64_MIN < from < upto && INT64_MIN < horizon;
    assigns \nothing;
    ensures room_of_rows(ledger, ledger->unit_first[unit], ledger->unit_first[unit + 1], unit, from, upto, horizon,
                         \result); */
static int64_t unit_room(const ps_ledger *ledger, int32_t unit, int64_t from, int64_t upto, int64_t horizon)
{
    int64_t room = PS_NO_LIMIT;
    /*@ loop invariant ledger->unit_first[unit] <= at <= ledger->unit_first[unit + 1];
        loop invariant room_of_rows(ledger, ledger->unit_first[unit], at, unit, from, upto, horizon, room);
        loop assigns at, room;
        loop variant ledger->unit_first[unit + 1] - at; */
    for (int32_t at = ledger->unit_first[unit]; at < ledger->unit_first[unit + 1]; at++)
        room = least_of(room, row_room(ledger, ledger->unit_rows[at], unit, from, upto, horizon));
    return room;
}

/* Whether, with this entry for the unit, no row of it is exceeded at any instant from now on. */
/*@ requires \valid_read(ledger) && laid_out(ledger) && 0 <= unit < ledger->n_units && checked(ledger, unit);
    requires 0 <= high <= PS_MAX_MEASURED && until < FOR_EVER && INT64_MIN < now < FOR_EVER && INT64_MIN < horizon;
    assigns \nothing;
    ensures \result != 0 <==> carried(ledger, unit, high, until, now, horizon); */
static int fits(const ps_ledger *ledger, int32_t unit, int64_t high, int64_t until, int64_t now, int64_t horizon)
{
    if (now < until && unit_room(ledger, unit, now, until, horizon) < high)
        return 0;
    return unit_room(ledger, unit, most_of(now, until), FOR_EVER, horizon) >= ledger->fallback[unit];
}

/*@ requires given(ledger);
    assigns ledger->high[0 .. ledger->n_units - 1], ledger->until[0 .. ledger->n_units - 1];
    ensures \result == PS_OK ==> \forall integer i; 0 <= i < ledger->n_units
      ==> ledger->high[i] == ledger->greatest[i] && ledger->until[i] == now + wait && entry(ledger, i);
    ensures \result == PS_OK ==> laid_out(ledger);
    ensures \result != PS_OK && \valid_read(ledger) ==> \forall integer i; 0 <= i < ledger->n_units
      ==> unchanged{Pre, Post}(ledger, i);
    ensures \result <= PS_OK; */
int32_t ps_ledger_open(ps_ledger *ledger, int64_t now, int64_t wait)
{
    const int32_t code = check_sealed(ledger);
    if (code != PS_OK)
        return code;
    if (!is_time(now))
        return PS_TIME;
    if (!is_wait(wait))
        return PS_WAIT;
    /*@ loop invariant 0 <= i <= ledger->n_units;
        loop invariant \forall integer j; 0 <= j < i
          ==> ledger->high[j] == ledger->greatest[j] && ledger->until[j] == now + wait;
        loop assigns i, ledger->high[0 .. ledger->n_units - 1], ledger->until[0 .. ledger->n_units - 1];
        loop variant ledger->n_units - i; */
    for (int32_t i = 0; i < ledger->n_units; i++) {
        ledger->high[i] = ledger->greatest[i];
        ledger->until[i] = now + wait;
    }
    return PS_OK;
}

/*@ requires given(ledger);
    assigns ledger->high[unit], ledger->until[unit];
    ensures \result == PS_OK
      ==> ledger->high[unit] == ledger->greatest[unit] && ledger->until[unit] == now + wait && entry(ledger, unit);
    ensures \result != PS_OK ==> unchanged{Pre, Post}(ledger, unit);
    ensures \result <= PS_OK; */
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
/*@ requires \valid_read(ledger) && laid_out(ledger) && 0 <= unit < ledger->n_units;
    assigns \nothing;
    ensures \result != 0 <==> running_cap(ledger, unit, now); */
static inline int is_running_cap(const ps_ledger *ledger, int32_t unit, int64_t now)
{
    return ledger->high[unit] < ledger->fallback[unit] && ledger->until[unit] > now;
}

/*@ requires \valid_read(ledger) && laid_out(ledger) && apart(ledger) && 0 <= unit < ledger->n_units;
    requires -PS_MAX_TIME <= now <= PS_MAX_TIME && 0 < wait <= PS_MAX_WAIT && entry(ledger, unit);
    requires 0 <= current <= PS_MAX_OFFER && -PS_MAX_TIME <= cap_until <= PS_MAX_TIME;
    assigns ledger->high[unit], ledger->until[unit];
    ensures ledger->high[unit] == \old(learnt_high(ledger, unit, now, current, cap_until));
    ensures ledger->until[unit] == \old(learnt_until(ledger, unit, now, wait, current, cap_until));
    ensures entry(ledger, unit) && laid_out(ledger); */
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
/*@ requires \valid_read(ledger) && laid_out(ledger) && apart(ledger) && 0 <= unit < ledger->n_units;
    requires -PS_MAX_TIME <= now <= PS_MAX_TIME && 0 < wait <= PS_MAX_WAIT && entry(ledger, unit);
    requires PS_NOT_MEASURED <= measured <= PS_MAX_MEASURED;
    assigns ledger->high[unit], ledger->until[unit];
    ensures ledger->high[unit] == \old(measured_high(ledger->high[unit], ledger->until[unit], ledger->fallback[unit], now,
                                                     measured));
    ensures ledger->until[unit] == \old(measured_until(ledger->high[unit], ledger->until[unit], ledger->fallback[unit],
                                                       now, wait, measured));
    ensures entry(ledger, unit) && drawn(ledger, unit, now) >= measured; */
static void learn_measured(ps_ledger *ledger, int32_t unit, int64_t now, int64_t wait, int64_t measured)
{
    if (measured <= envelope_of(ledger, unit, now))
        return;
    ledger->high[unit] = measured;
    if (measured > ledger->fallback[unit])
        ledger->until[unit] = most_of(ledger->until[unit], now + wait);
}

/*@ requires given(ledger);
    assigns ledger->high[unit], ledger->until[unit];
    ensures \result <= PS_OK;
    ensures \result != PS_OK ==> unchanged{Pre, Post}(ledger, unit);
    ensures \result == PS_OK ==> entry(ledger, unit) && drawn(ledger, unit, now) >= measured;
    ensures \result == PS_OK && settled != 0 ==> ledger->high[unit] ==
      \old(measured_high(learnt_high(ledger, unit, now, current, cap_until),
                         learnt_until(ledger, unit, now, wait, current, cap_until), ledger->fallback[unit], now,
                         measured));
    ensures \result == PS_OK && settled != 0 ==> ledger->until[unit] ==
      \old(measured_until(learnt_high(ledger, unit, now, current, cap_until),
                          learnt_until(ledger, unit, now, wait, current, cap_until), ledger->fallback[unit], now, wait,
                          measured));
    ensures \result == PS_OK && settled == 0 ==> ledger->high[unit] ==
      \old(measured_high(ledger->high[unit], ledger->until[unit], ledger->fallback[unit], now, measured));
    ensures \result == PS_OK && settled == 0 ==> ledger->until[unit] ==
      \old(measured_until(ledger->high[unit], ledger->until[unit], ledger->fallback[unit], now, wait, measured)); */
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

/*@ assigns \nothing;
    ensures \result == 0 <==> of_kind(kind, amps, fallback, greatest); */
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

/*@ requires \valid_read(ledger) && laid_out(ledger) && 0 <= unit < ledger->n_units;
    assigns \nothing;
    ensures \result == PS_OK <==> 0 <= amps <= PS_MAX_OFFER && 0 <= ceiling <= PS_MAX_OFFER &&
      of_kind(kind, amps, ledger->fallback[unit], ledger->greatest[unit]) && checked(ledger, unit);
    ensures \result <= PS_OK; */
static int32_t check_issue(const ps_ledger *ledger, int32_t unit, int32_t kind, int64_t amps, int64_t ceiling)
{
    if (!is_amount(amps) || !is_amount(ceiling))
        return PS_AMOUNT;
    if (kind_is_wrong(kind, amps, ledger->fallback[unit], ledger->greatest[unit]))
        return PS_KIND;
    return check_rows(ledger, unit);
}

/*@ requires given(ledger);
    assigns ledger->high[unit], ledger->until[unit];
    ensures \result <= 1 && (\result >= 0 ==> laid_out(ledger) && 0 <= unit < ledger->n_units);
    ensures \result >= 0 ==> of_kind(kind, amps, \old(ledger->fallback[unit]), \old(ledger->greatest[unit]));
    ensures \result != 1 || kind == PS_GRANT_TRIM ==> unchanged{Pre, Post}(ledger, unit);
    ensures \result >= 0 ==> (\result == 1 <==> kind == PS_GRANT_TRIM ||
      amps <= lesser(ceiling, \old(ledger->fallback[unit])) ||
      \old(carried(ledger, unit, granted_high(ledger, unit, amps, now),
                   granted_until(ledger, unit, kind, now, wait, cap_until), now, horizon)));
    ensures \result == 1 && kind != PS_GRANT_TRIM
      ==> ledger->high[unit] == \old(granted_high(ledger, unit, amps, now)) &&
          ledger->until[unit] == \old(granted_until(ledger, unit, kind, now, wait, cap_until)); */
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

/*@ requires given(ledger) && (room == \null || \valid(room));
    assigns *room;
    ensures \result == PS_OK ==> \old(room_of_rows(ledger, ledger->unit_first[unit], ledger->unit_first[unit + 1], unit,
                                                   from, upto, horizon, \at(*room, Post)));
    ensures \result <= PS_OK; */
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

/*@ requires given(ledger);
    assigns \nothing;
    ensures \result >= 0 ==> \result == drawn(ledger, unit, at); */
int64_t ps_ledger_envelope(const ps_ledger *ledger, int32_t unit, int64_t at)
{
    const int32_t code = check_unit(ledger, unit);
    if (code != PS_OK)
        return code;
    if (!is_time(at))
        return PS_TIME;
    return is_entry(ledger, unit) ? envelope_of(ledger, unit, at) : PS_ENTRY;
}
