/* What follows from the contracts of ledger.c for a whole site. Only the prover reads this file: a function stands for a
 * theorem, its loops for the inductions.
 */
#include "ledger_logic.h"

#include "ledger.c"

/*@ // What all at the places from `from` up to `to` may be drawing together.
    logic integer all(ps_ledger *l, integer from, integer to, integer t) =
      to <= from ? 0 : all(l, from, to - 1, t) + drawn(l, l->row_units[to - 1], t);

    predicate keeps_at(ps_ledger *l, integer row, integer t, integer horizon) =
      limit(l, row, t, horizon) != PS_NO_LIMIT
        ==> all(l, l->row_first[row], l->row_first[row + 1], t) <= limit(l, row, t, horizon);

    predicate row_keeps(ps_ledger *l, integer row, integer now, integer horizon) =
      \forall integer t; now <= t < INT64_MAX ==> keeps_at(l, row, t, horizon);

    // No row is exceeded at any instant from now on, if nothing more is granted.
    predicate every_row_keeps(ps_ledger *l, integer now, integer horizon) =
      \forall integer row; 0 <= row < l->n_rows ==> row_keeps(l, row, now, horizon);

    // The sum of a row is that of the others and, where it is on the row, of the unit.
    predicate on_row(ps_ledger *l, integer row, integer unit) =
      on(l->row_units, l->row_first[row], l->row_first[row + 1], unit);

    predicate once_on_row(ps_ledger *l, integer row, integer unit) =
      \forall integer p, q; l->row_first[row] <= p < q < l->row_first[row + 1]
        ==> l->row_units[p] != unit || l->row_units[q] != unit;

    predicate on_unit(ps_ledger *l, integer row, integer unit) =
      on(l->unit_rows, l->unit_first[unit], l->unit_first[unit + 1], row);

    // What the theorem needs of both kinds of lists: a unit is on a row once, and then the row is among its own.
    predicate well_listed(ps_ledger *l, integer row, integer unit) =
      once_on_row(l, row, unit) && (on_row(l, row, unit) ==> on_unit(l, row, unit));

    predicate adds_up(ps_ledger *l, integer row, integer unit, integer t) =
      (on_row(l, row, unit) ==> all(l, l->row_first[row], l->row_first[row + 1], t) ==
         others(l, l->row_first[row], l->row_first[row + 1], unit, t) + drawn(l, unit, t)) &&
      (!on_row(l, row, unit) ==> all(l, l->row_first[row], l->row_first[row + 1], t) ==
         others(l, l->row_first[row], l->row_first[row + 1], unit, t));

    // The same, seen from one unit: it draws no more than the others leave, or they leave something.
    predicate bears_at(ps_ledger *l, integer row, integer unit, integer t, integer horizon) =
      (on_row(l, row, unit) ==> drawn(l, unit, t) <= left(l, row, unit, t, horizon)) &&
      (!on_row(l, row, unit) ==> 0 <= left(l, row, unit, t, horizon));

    predicate row_bears(ps_ledger *l, integer row, integer unit, integer now, integer horizon) =
      \forall integer t; now <= t < INT64_MAX ==> bears_at(l, row, unit, t, horizon);

    // A grant by itself: what whoever applies it may be drawing.
    logic integer of_grant(integer kind, integer amps, integer fallback, integer now, integer wait, integer cap_until,
                           integer t) =
      kind == PS_GRANT_RAISE ? (t < now + wait ? amps : fallback)
      : kind == PS_GRANT_CAP ? (t < cap_until ? amps : fallback) : fallback;
*/

/*@ requires \valid_read(l) && laid_out(l) && 0 <= row < l->n_rows && once_on_row(l, row, unit);
    assigns \nothing;
    ensures \forall integer t; adds_up(l, row, unit, t); */
static void add_up(const ps_ledger *l, int32_t row, int32_t unit)
{
    int seen = 0;
    /*@ loop invariant l->row_first[row] <= place <= l->row_first[row + 1];
        loop invariant seen == 0 || seen == 1;
        loop invariant seen != 0 <==> on(l->row_units, l->row_first[row], place, unit);
        loop invariant \forall integer t; all(l, l->row_first[row], place, t) ==
          others(l, l->row_first[row], place, unit, t) + (seen != 0 ? drawn(l, unit, t) : 0);
        loop assigns place, seen;
        loop variant l->row_first[row + 1] - place; */
    for (int32_t place = l->row_first[row]; place < l->row_first[row + 1]; place++)
        if (l->row_units[place] == unit)
            seen = 1;
}

/*@ requires \valid_read(l) && laid_out(l) && 0 <= row < l->n_rows && once_on_row(l, row, unit);
    assigns \nothing;
    ensures row_keeps(l, row, now, horizon) <==> row_bears(l, row, unit, now, horizon); */
static void bear(const ps_ledger *l, int32_t row, int32_t unit, int64_t now, int64_t horizon)
{
    add_up(l, row, unit);
    /*@ assert \forall integer t; adds_up(l, row, unit, t) &&
          (keeps_at(l, row, t, horizon) <==> bears_at(l, row, unit, t, horizon)); */
}

/* A grant that passes the test, or a trim, leaves every row of the site within its limit at every instant to come. */
/*@ requires l != \null && given(l) && sealed(l) && -PS_MAX_TIME <= now <= PS_MAX_TIME;
    requires every_row_keeps(l, now, horizon);
    requires \forall integer row; 0 <= row < l->n_rows ==> well_listed(l, row, unit);
    assigns l->high[unit], l->until[unit];
    ensures \result == 1 && (kind == PS_GRANT_TRIM || amps > lesser(ceiling, \old(l->fallback[unit])))
      ==> every_row_keeps(l, now, horizon); */
int32_t no_row_is_exceeded(ps_ledger *l, int32_t unit, int32_t kind, int64_t amps, int64_t ceiling, int64_t now,
                           int64_t wait, int64_t horizon, int64_t cap_until)
{
    int32_t issued;
    if (unit < 0 || unit >= l->n_units)
        return PS_UNIT;
    /*@ loop invariant 0 <= row <= l->n_rows;
        loop invariant \forall integer r; 0 <= r < row ==> row_bears(l, r, unit, now, horizon);
        loop assigns row;
        loop variant l->n_rows - row; */
    for (int32_t row = 0; row < l->n_rows; row++)
        bear(l, row, unit, now, horizon);
    issued = ps_ledger_issue(l, unit, kind, amps, ceiling, now, wait, horizon, cap_until);
    if (issued != 1 || (kind != PS_GRANT_TRIM && amps <= least_of(ceiling, l->fallback[unit])))
        return issued;
    /*@ assert \forall integer other, t; 0 <= other < l->n_units && other != unit
          ==> drawn(l, other, t) == \at(drawn(l, other, t), Pre); */
    /*@ loop invariant 0 <= row <= l->n_rows;
        loop invariant \forall integer r; 0 <= r < row ==> row_keeps(l, r, now, horizon);
        loop assigns row;
        loop variant l->n_rows - row; */
    for (int32_t row = 0; row < l->n_rows; row++) {
        /*@ loop invariant l->row_first[row] <= place <= l->row_first[row + 1];
            loop invariant \forall integer t; others(l, l->row_first[row], place, unit, t) ==
              \at(others(l, l->row_first[\at(row, Here)], \at(place, Here), unit, t), Pre);
            loop assigns place;
            loop variant l->row_first[row + 1] - place; */
        for (int32_t place = l->row_first[row]; place < l->row_first[row + 1]; place++)
            ;
        /*@ assert \forall integer t; others(l, l->row_first[row], l->row_first[row + 1], unit, t) ==
              \at(others(l, l->row_first[\at(row, Here)], l->row_first[\at(row, Here) + 1], unit, t), Pre) &&
              left(l, row, unit, t, horizon) == \at(left(l, \at(row, Here), unit, t, horizon), Pre); */
        /*@ assert well_listed(l, row, unit) && \at(row_bears(l, \at(row, Here), unit, now, horizon), Pre); */
        /*@ assert \forall integer t; now <= t < INT64_MAX
              ==> \at(bears_at(l, \at(row, Here), unit, t, horizon), Pre) && bears_at(l, row, unit, t, horizon); */
        /*@ assert row_bears(l, row, unit, now, horizon); */
        bear(l, row, unit, now, horizon);
    }
    return issued;
}

/* What ps_ledger_compile makes sure of is what the theorem needs of the lists. */
/*@ requires \valid_read(l) && laid_out(l) && agreed(l) && 0 <= unit < l->n_units;
    assigns \nothing;
    ensures \forall integer row; 0 <= row < l->n_rows ==> well_listed(l, row, unit); */
void lists_are_enough(const ps_ledger *l, int32_t unit)
{
    /*@ assert \forall integer row; 0 <= row < l->n_rows
          ==> ascending(l->row_units, l->row_first[row], l->row_first[row + 1]) && once_on_row(l, row, unit); */
}

/* From now on the entry says at least what the grant says, and at least what it said before. For a raise the latter
 * needs that nothing above the fall-back was to outlast a wait from now, which is what a wait is.
 */
/*@ requires l != \null && given(l) && sealed(l);
    assigns l->high[unit], l->until[unit];
    ensures \result == 1 && kind != PS_GRANT_TRIM
      ==> \forall integer t; now <= t
          ==> drawn(l, unit, t) >= of_grant(kind, amps, l->fallback[unit], now, wait, cap_until, t);
    ensures \result == 1 && (kind != PS_GRANT_RAISE || \old(l->high[unit] <= l->fallback[unit]) ||
                             \old(l->until[unit]) <= now + wait)
      ==> \forall integer t; now <= t ==> drawn(l, unit, t) >= \old(drawn(l, unit, t)); */
int32_t a_grant_is_covered(ps_ledger *l, int32_t unit, int32_t kind, int64_t amps, int64_t ceiling, int64_t now,
                           int64_t wait, int64_t horizon, int64_t cap_until)
{
    return ps_ledger_issue(l, unit, kind, amps, ceiling, now, wait, horizon, cap_until);
}
