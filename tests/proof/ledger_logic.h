/* The words in which the contracts of ledger.c speak. Only the prover reads this file. */
#include "powershare_kernel.h"

/*@ // ---- How a ledger is laid out.

    predicate counts(ps_ledger *l) = 0 <= l->n_units <= PS_MAX_CONNECTORS && 0 <= l->n_rows <= PS_MAX_ROWS;

    // The caller's arrays are as long as he says.
    predicate as_long_as_told(ps_ledger *l) =
      (l->row_first != \null ==> \valid_read(l->row_first + (0 .. l->row_len))) &&
      (l->unit_first != \null ==> \valid_read(l->unit_first + (0 .. l->unit_len))) &&
      (l->row_units != \null ==> \valid_read(l->row_units + (0 .. l->place_len - 1))) &&
      (l->unit_rows != \null ==> \valid_read(l->unit_rows + (0 .. l->place_len - 1))) &&
      (l->fallback != \null ==> \valid_read(l->fallback + (0 .. l->unit_len - 1))) &&
      (l->greatest != \null ==> \valid_read(l->greatest + (0 .. l->unit_len - 1))) &&
      (l->high != \null ==> \valid(l->high + (0 .. l->unit_len - 1))) &&
      (l->until != \null ==> \valid(l->until + (0 .. l->unit_len - 1))) &&
      (l->limit_now != \null ==> \valid_read(l->limit_now + (0 .. l->row_len - 1))) &&
      (l->limit_later != \null ==> \valid_read(l->limit_later + (0 .. l->row_len - 1)));

    // Every array is there, and as long as the counts want it.
    predicate firsts_there(ps_ledger *l) =
      \valid_read(l->row_first + (0 .. l->n_rows)) && \valid_read(l->unit_first + (0 .. l->n_units));

    predicate arrays(ps_ledger *l) =
      counts(l) && firsts_there(l) &&
      \valid_read(l->row_units + (0 .. l->row_first[l->n_rows] - 1)) &&
      \valid_read(l->unit_rows + (0 .. l->unit_first[l->n_units] - 1)) &&
      \valid_read(l->fallback + (0 .. l->n_units - 1)) && \valid_read(l->greatest + (0 .. l->n_units - 1)) &&
      \valid(l->high + (0 .. l->n_units - 1)) && \valid(l->until + (0 .. l->n_units - 1)) &&
      \valid_read(l->limit_now + (0 .. l->n_rows - 1)) && \valid_read(l->limit_later + (0 .. l->n_rows - 1));

    // What is written to is nothing that is read beside it.
    predicate apart(ps_ledger *l) =
      \separated(l->high + (0 .. l->n_units - 1), l->until + (0 .. l->n_units - 1), l->fallback + (0 .. l->n_units - 1),
                 l->greatest + (0 .. l->n_units - 1), l->limit_now + (0 .. l->n_rows - 1),
                 l->limit_later + (0 .. l->n_rows - 1), l);

    // Places begin at 0 and never go back.
    predicate rising(int32_t *first, integer count) =
      first[0] == 0 && \forall integer i, j; 0 <= i <= j <= count ==> first[i] <= first[j];

    predicate within(int32_t *list, integer from, integer to, integer bound) =
      \forall integer p; from <= p < to ==> 0 <= list[p] < bound;

    predicate ascending(int32_t *list, integer from, integer to) =
      \forall integer p, q; from <= p < q < to ==> list[p] < list[q];

    predicate each_ascending(int32_t *first, int32_t *list, integer count) =
      \forall integer i; 0 <= i < count ==> ascending(list, first[i], first[i + 1]);

    predicate on(int32_t *list, integer from, integer to, integer value) =
      \exists integer p; from <= p < to && list[p] == value;

    // Whatever one lists lists it back.
    predicate mutual(int32_t *first, int32_t *list, integer count, int32_t *back_first, int32_t *back) =
      \forall integer i, p; 0 <= i < count && first[i] <= p < first[i + 1]
        ==> on(back, back_first[list[p]], back_first[list[p] + 1], i);

    // A list names lists that can be searched.
    predicate searchable(int32_t *list, integer to, int32_t *back_first, int32_t *back) =
      \forall integer p; 0 <= p < to ==>
        0 <= list[p] < INT32_MAX && \valid_read(back_first + (list[p] .. list[p] + 1)) &&
        0 <= back_first[list[p]] <= back_first[list[p] + 1] &&
        \valid_read(back + (back_first[list[p]] .. back_first[list[p] + 1] - 1)) &&
        ascending(back, back_first[list[p]], back_first[list[p] + 1]);

    predicate fallbacks(ps_ledger *l) =
      \forall integer i; 0 <= i < l->n_units ==> 0 <= l->fallback[i] <= l->greatest[i] <= PS_MAX_OFFER;

    // Every list can be walked, and what it says can be looked up.
    predicate walkable(ps_ledger *l) =
      rising(l->row_first, l->n_rows) && rising(l->unit_first, l->n_units) &&
      within(l->row_units, 0, l->row_first[l->n_rows], l->n_units) &&
      within(l->unit_rows, 0, l->unit_first[l->n_units], l->n_rows);

    predicate laid_out(ps_ledger *l) = arrays(l) && walkable(l) && fallbacks(l);

    // And both kinds of lists say the same, once each.
    predicate agreed(ps_ledger *l) =
      each_ascending(l->row_first, l->row_units, l->n_rows) &&
      each_ascending(l->unit_first, l->unit_rows, l->n_units) &&
      mutual(l->row_first, l->row_units, l->n_rows, l->unit_first, l->unit_rows) &&
      mutual(l->unit_first, l->unit_rows, l->n_units, l->row_first, l->row_units);

    logic integer seal(integer n_units, integer n_rows) =
      (uint32_t)((uint64_t)(0x70736c31 ^ 0x9e3779b1 * (uint32_t)n_units) ^ 0x85ebca6b * (uint32_t)n_rows);

    predicate sealed(ps_ledger *l) = counts(l) && l->seal == seal(l->n_units, l->n_rows);

    // What every function is told: nothing, or a ledger, which is laid out if it is sealed.
    predicate given(ps_ledger *l) =
      l == \null || (\valid_read(l) && (sealed(l) ==> laid_out(l) && apart(l)));
*/

/*@ // ---- What it says.

    logic integer greater(integer a, integer b) = a < b ? b : a;

    logic integer lesser(integer a, integer b) = a < b ? a : b;

    // What a unit may be drawing at an instant.
    logic integer drawn(ps_ledger *l, integer unit, integer t) =
      t < l->until[unit] ? l->high[unit] : l->fallback[unit];

    // What all at the places from `from` up to `to` may be drawing together, but for one unit.
    logic integer others(ps_ledger *l, integer from, integer to, integer unit, integer t) =
      to <= from ? 0
                 : others(l, from, to - 1, unit, t) +
                   (l->row_units[to - 1] == unit ? 0 : drawn(l, l->row_units[to - 1], t));

    logic integer limit(ps_ledger *l, integer row, integer t, integer horizon) =
      t < horizon ? l->limit_now[row] : l->limit_later[row];

    // What the others leave of a row: the limit less their sum. Said as an axiom, with the sum's ends as variables of
    // their own, so that the prover opens it only where sums are spoken of.
    axiomatic Left {
      logic integer left(ps_ledger *l, integer row, integer unit, integer t, integer horizon)
        reads l->row_first, l->row_units, l->fallback, l->high, l->until, l->limit_now, l->limit_later,
              l->row_first[row], l->row_first[row + 1], l->limit_now[row], l->limit_later[row],
              l->row_units[..], l->fallback[..], l->high[..], l->until[..];

      axiom left_is{L}: \forall ps_ledger *l, integer row, unit, t, horizon, first, past;
        first == l->row_first[row] && past == l->row_first[row + 1] ==>
        left(l, row, unit, t, horizon) ==
          (limit(l, row, t, horizon) == PS_NO_LIMIT ? PS_NO_LIMIT
           : limit(l, row, t, horizon) - others(l, first, past, unit, t));
    }

    // Always so. Said of a sum, it puts the sum before the prover.
    predicate spoken_of(integer sum) = lesser(sum, sum) == sum;

    // Entries and limits as sums can bear them.
    predicate entry(ps_ledger *l, integer unit) =
      0 <= l->high[unit] <= PS_MAX_MEASURED && -PS_MAX_TIME <= l->until[unit] <= PS_MAX_TIME + PS_MAX_WAIT;

    predicate row_limit(integer limit) = PS_MIN_ROW_LIMIT <= limit <= PS_MAX_LIMIT || limit == PS_NO_LIMIT;

    predicate row_limits(ps_ledger *l, integer row) = row_limit(l->limit_now[row]) && row_limit(l->limit_later[row]);

    predicate entries(ps_ledger *l, integer row) =
      \forall integer p; l->row_first[row] <= p < l->row_first[row + 1] ==> entry(l, l->row_units[p]);

    predicate checked(ps_ledger *l, integer unit) =
      entry(l, unit) &&
      \forall integer p; l->unit_first[unit] <= p < l->unit_first[unit + 1]
        ==> row_limits(l, l->unit_rows[p]) && entries(l, l->unit_rows[p]);

    // The room on all rows of a unit: no instant of the span leaves less anywhere, and one leaves just that.
    predicate room_of_rows(ps_ledger *l, integer first, integer past, integer unit, integer from, integer upto,
                           integer horizon, integer room) =
      (\forall integer p, t; first <= p < past && from <= t < upto
         ==> room <= left(l, l->unit_rows[p], unit, t, horizon)) &&
      (room == PS_NO_LIMIT || \exists integer p, t; first <= p < past && from <= t < upto &&
                                room == left(l, l->unit_rows[p], unit, t, horizon));

    // Whether all rows of a unit carry it with an entry (high, until), at every instant from now on.
    predicate carried(ps_ledger *l, integer unit, integer high, integer until, integer now, integer horizon) =
      \forall integer p, t; l->unit_first[unit] <= p < l->unit_first[unit + 1] && now <= t < INT64_MAX
        ==> (t < until ? high : l->fallback[unit]) <= left(l, l->unit_rows[p], unit, t, horizon);
*/

/*@ // ---- What a call makes of an entry.

    predicate running_cap(ps_ledger *l, integer unit, integer now) =
      l->high[unit] < l->fallback[unit] && l->until[unit] > now;

    // A running cap that lasts at least as long as the one reported is kept.
    logic integer learnt_high(ps_ledger *l, integer unit, integer now, integer current, integer cap_until) =
      current < l->fallback[unit] && l->high[unit] < l->fallback[unit] && l->until[unit] > now &&
      l->until[unit] >= cap_until ? l->high[unit] : current;

    logic integer learnt_until(ps_ledger *l, integer unit, integer now, integer wait, integer current,
                               integer cap_until) =
      current >= l->fallback[unit] ? (l->until[unit] > now ? l->until[unit] : now + wait)
      : l->high[unit] < l->fallback[unit] && l->until[unit] > now && l->until[unit] >= cap_until ? l->until[unit]
      : cap_until;

    logic integer measured_high(integer high, integer until, integer fallback, integer now, integer measured) =
      measured > (now < until ? high : fallback) ? measured : high;

    logic integer measured_until(integer high, integer until, integer fallback, integer now, integer wait,
                                 integer measured) =
      measured > (now < until ? high : fallback) && measured > fallback ? greater(until, now + wait) : until;

    logic integer granted_high(ps_ledger *l, integer unit, integer amps, integer now) =
      greater(drawn(l, unit, now), amps);

    logic integer granted_until(ps_ledger *l, integer unit, integer kind, integer now, integer wait,
                                integer cap_until) =
      kind == PS_GRANT_RAISE ? now + wait
      : kind == PS_GRANT_CAP && l->high[unit] < l->fallback[unit] && l->until[unit] > now ? lesser(l->until[unit], cap_until) : l->until[unit];

    predicate of_kind(integer kind, integer amps, integer fallback, integer greatest) =
      (kind == PS_GRANT_RAISE && fallback < amps <= greatest) || (kind == PS_GRANT_CAP && amps < fallback) ||
      (kind == PS_GRANT_FALL_BACK && amps == fallback) || (kind == PS_GRANT_TRIM && amps >= fallback);

    predicate unchanged{K, L}(ps_ledger *l, integer unit) =
      \at(l->high[unit], L) == \at(l->high[unit], K) && \at(l->until[unit], L) == \at(l->until[unit], K);
*/

/*@ // ---- How row_room sees every instant by looking at a few.

    // Where the limit that holds at t began to hold, within the span.
    logic integer began(integer from, integer horizon, integer t) = from < horizon && horizon <= t ? horizon : from;

    logic integer rise_or(ps_ledger *l, integer other, integer unit, integer before, integer t) =
      other != unit && l->high[other] < l->fallback[other] && before < l->until[other] <= t ? l->until[other] : before;

    // The last end of a cap after `start` and up to t, of those at the places from `first` up to `to`; or `start`.
    logic integer last_rise(ps_ledger *l, integer first, integer to, integer unit, integer start, integer t) =
      to <= first ? start : rise_or(l, l->row_units[to - 1], unit, last_rise(l, first, to - 1, unit, start, t), t);

    // From its last rise on a sum only falls; so what is left is least there.
    predicate least_where_it_rose(ps_ledger *l, integer row, integer unit) =
      \forall integer start, s, t, horizon;
        last_rise(l, l->row_first[row], l->row_first[row + 1], unit, start, t) <= s <= t && start <= t &&
        (s < horizon <==> t < horizon) ==> left(l, row, unit, s, horizon) <= left(l, row, unit, t, horizon);

    // Once the last raise is over a sum only rises; so what is left is least at the end.
    predicate only_rises_from(ps_ledger *l, integer row, integer unit, integer last) =
      \forall integer s, t, horizon; last <= s <= t && (s < horizon <==> t < horizon)
        ==> left(l, row, unit, t, horizon) <= left(l, row, unit, s, horizon);
*/
