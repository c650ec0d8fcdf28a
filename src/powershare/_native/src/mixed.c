/* Classes whose vehicles load different lines, or step differently.
 *
 * A vehicle stopped on one line leaves room on the others, so no single pass is exact. Each limit has a level: the
 * highest at which its connectors fit, those counted lower that another limit stops lower. The levels are worked out
 * from each other, sweep after sweep up the tree, until nothing moves. The lowest level is right after one sweep,
 * the next lowest one sweep later, and so on: there is one fixed point, and it takes few sweeps to reach.
 * Of two limits at the same level the one with the smaller row counts as the lower; without that rule a fraction of a
 * milliamp could go to either, and the fixed point would depend on the way there.
 */
#include "kernel.h"

enum { LEVEL_BITS = 18 };

/* At this level nobody is stopped: weights are 1 or more. */
#define NO_LEVEL ((int64_t)PS_MAX_OFFER << LEVEL_BITS)

static inline int64_t least_of(int64_t a, int64_t b) { return a < b ? a : b; }

static inline int64_t most_of(int64_t a, int64_t b) { return a > b ? a : b; }

/* What candidate k takes at a level, in 2^-LEVEL_BITS milliamps. */
static inline int64_t share_at(const ps_run *run, int32_t k, int64_t level)
{
    const int64_t share = least_of(run->weight[k] * level, (int64_t)run->ceiling[k] << LEVEL_BITS);
    return most_of(share, (int64_t)run->least[k] << LEVEL_BITS);
}

/* For each set of lines the lowest of `levels` of one circuit on them. */
static void lowest_by_mask(const int64_t *levels, int64_t *lowest)
{
    lowest[0] = NO_LEVEL;
    lowest[1] = levels[0];
    lowest[2] = levels[1];
    lowest[3] = least_of(levels[0], levels[1]);
    lowest[4] = levels[2];
    lowest[5] = least_of(levels[0], levels[2]);
    lowest[6] = least_of(levels[1], levels[2]);
    lowest[7] = least_of(lowest[3], levels[2]);
}

/* Copies side by side what the limit on `row` has to share out: for each candidate that loads its line the floor, the
 * most that the other limits leave it, and the weight. Answers the sum of those mosts. */
static int64_t gather(ps_run *run, int32_t circuit, int32_t line, int32_t *count)
{
    const int64_t *level = run->level + 3 * (int64_t)circuit, *above = run->above + 3 * (int64_t)circuit;
    int64_t stops[3], stop_of[8], total = 0;
    int32_t at = 0;
    for (int32_t other = 0; other < 3; other++)
        stops[other] = other == line ? above[other] : least_of(above[other], level[other] + (other > line));
    lowest_by_mask(stops, stop_of);
    for (int32_t k = run->first[circuit]; k < run->past[circuit]; k++) {
        const int32_t mask = run->mask[k];
        if (!(mask >> line & 1))
            continue;
        /* Limits below have larger rows: at the same level they count as a trifle higher. */
        run->part_most[at] = share_at(run, k, least_of(run->stop[k] + 1, stop_of[mask]));
        run->part_floor[at] = (int64_t)run->least[k] << LEVEL_BITS;
        run->part_slope[at] = run->weight[k];
        total += run->part_most[at];
        at++;
    }
    *count = at;
    return total;
}

/* What the gathered candidates take at a level; how much more they take one further; how fast that grows. */
static int64_t taken_at(const ps_run *run, int32_t count, int64_t level, int64_t *more, int64_t *slope)
{
    int64_t taken = 0, next = 0, rise = 0;
    for (int32_t j = 0; j < count; j++) {
        const int64_t weight = run->part_slope[j], floor = run->part_floor[j], most = run->part_most[j];
        const int64_t share = weight * level;
        taken += least_of(most_of(share, floor), most);
        next += least_of(most_of(share + weight, floor), most);
        rise += share >= floor && share < most ? weight : 0;
    }
    *more = next - taken;
    *slope = rise;
    return taken;
}

/* The highest level at which the gathered candidates fit; known not to fit whole, and to fit at their floors. */
static int64_t highest_level(const ps_run *run, int32_t count, int64_t capacity, int64_t level)
{
    int64_t low = 0, high = NO_LEVEL;
    for (int32_t round = 1;; round++) {
        int64_t more, slope, guess = low;
        const int64_t spare = capacity - taken_at(run, count, level, &more, &slope);
        if (spare >= 0) {
            if (more > spare)
                return level;
            low = level;
            if (slope > 0)
                guess = level + spare / slope;
        } else {
            high = level;
            if (slope > 0)
                guess = level - (slope - 1 - spare) / slope;
        }
        level = ps_next_level(low, high, guess, round);
    }
}

static int64_t level_of(ps_run *run, int32_t circuit, int32_t line)
{
    const int64_t row = 3 * (int64_t)circuit + line;
    const int64_t capacity = (run->room[row] + run->least_sum[row]) << LEVEL_BITS;
    int64_t start = run->level[row];
    int32_t count;
    if (gather(run, circuit, line, &count) <= capacity)
        return NO_LEVEL;
    if (start == NO_LEVEL)
        start = least_of(capacity / count, NO_LEVEL - 1);
    return highest_level(run, count, capacity, start);
}

/* Works out the levels of one circuit's limits. Notes whether they moved, and for those above the lowest level that
 * took part in it. */
static void level_circuit(ps_run *run, int32_t circuit)
{
    int64_t *level = run->level + 3 * (int64_t)circuit;
    run->moved[circuit] = 0;
    for (int32_t line = 0; line < 3; line++) {
        int64_t found, lowest;
        if (!ps_is_scarce(run, 3 * (int64_t)circuit + line))
            continue;
        found = level_of(run, circuit, line);
        if (found == level[line])
            continue;
        lowest = least_of(found, level[line]);
        run->moved[circuit] = 1;
        run->moved_below[circuit] = least_of(run->moved_below[circuit], lowest);
        level[line] = found;
    }
}

/* The highest level on a circuit's scarce rows: no row heeds what other limits do above its own level. */
static int64_t highest_on(const ps_run *run, int32_t circuit)
{
    int64_t highest = -1;
    for (int32_t line = 0; line < 3; line++)
        if (ps_is_scarce(run, 3 * (int64_t)circuit + line))
            highest = most_of(highest, run->level[3 * (int64_t)circuit + line]);
    return highest;
}

/* Stops the candidates below a circuit at its levels. */
static void stop_below(ps_run *run, int32_t circuit)
{
    const int64_t *level = run->level + 3 * (int64_t)circuit;
    int64_t stop_of[8];
    lowest_by_mask(level, stop_of);
    if (stop_of[7] == NO_LEVEL)
        return;
    for (int32_t k = run->first[circuit]; k < run->past[circuit]; k++)
        run->stop[k] = least_of(run->stop[k], stop_of[run->mask[k]]);
}

/* Takes note, from the roots downward, of the levels above each circuit, and whether any that matters moved. */
static void look_above(ps_run *run)
{
    for (int32_t j = run->n_touched - 1; j >= 0; j--) {
        const int32_t circuit = run->touched[j], above = run->site->parent[circuit];
        const int64_t highest = highest_on(run, circuit);
        run->moved_below[circuit] = NO_LEVEL;
        run->moved_above[circuit] = 0;
        for (int32_t line = 0; line < 3 && above >= 0; line++) {
            int64_t *known = &run->above[3 * (int64_t)circuit + line];
            const int64_t found = least_of(run->above[3 * above + line], run->level[3 * above + line]);
            run->moved_above[circuit] |= found != *known && least_of(found, *known) <= highest;
            *known = found;
        }
    }
}

/* One sweep up the tree. A circuit is worked out again where a level that it heeds moved: on it or above it in the
 * sweep before, or below it in this one. Answers whether any moved. */
static int sweep(ps_run *run, int32_t from, int32_t to)
{
    int any = 0;
    look_above(run);
    for (int32_t k = from; k < to; k++)
        run->stop[k] = NO_LEVEL;
    for (int32_t j = 0; j < run->n_touched; j++) {
        const int32_t circuit = run->touched[j], above = run->site->parent[circuit];
        if (run->moved[circuit] || run->moved_above[circuit] || run->moved_below[circuit] < highest_on(run, circuit))
            level_circuit(run, circuit);
        stop_below(run, circuit);
        any |= run->moved[circuit];
        if (above >= 0)
            run->moved_below[above] = least_of(run->moved_below[above], run->moved_below[circuit]);
    }
    return any;
}

/* Whose turn it is to get a step: the smaller given / weight, then the smaller weight, then site order. */
static int is_before(const ps_run *run, int32_t a, int32_t b)
{
    const int64_t per_a = (int64_t)run->given[a] * run->weight[b], per_b = (int64_t)run->given[b] * run->weight[a];
    if (per_a != per_b)
        return per_a < per_b;
    if (run->weight[a] != run->weight[b])
        return run->weight[a] < run->weight[b];
    return run->connector[a] < run->connector[b];
}

static void sink(const ps_run *run, int32_t *queue, int32_t at, int32_t count)
{
    const int32_t k = queue[at];
    for (int32_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && is_before(run, queue[child + 1], queue[child]))
            child++;
        if (!is_before(run, queue[child], k))
            break;
        queue[at] = queue[child];
        at = child;
    }
    queue[at] = k;
}

/*@ requires open_run(run) && candidate(run, k);
    assigns \nothing;
    ensures \result != 0 ==> another_step_fits(run, k); */
static int fits_another_step(const ps_run *run, int32_t k)
{
    const int32_t step = ps_step_of(run, k);
    return run->given[k] + step <= run->ceiling[k] && ps_full_row(run, ps_circuit_of(run, k), run->mask[k], step) < 0;
}

/* Raises a candidate by a step if that fits; answers whether it did. */
/*@ requires open_run(run) && candidate(run, k) && apart_from_given(run, k);
    assigns run->given[k], run->room[0 .. 3 * run->site->n_circuits - 1];
    ensures candidate(run, k) && (\result != 0 ==> \old(another_step_fits(run, k)));
    ensures run->given[k] == \old(run->given[k]) + (\result != 0 ? step_of(run, k) : 0);
    ensures \forall integer x, l; 0 <= x < run->site->n_circuits && 0 <= l < 3 && \old(loaded_by(run, k, x, l))
      ==> room_of{Post}(run->room, x, l) == room_of{Pre}(run->room, x, l) - (\result != 0 ? step_of(run, k) : 0);
    ensures \forall integer x, l; 0 <= x < run->site->n_circuits && 0 <= l < 3 && !\old(loaded_by(run, k, x, l))
      ==> room_of{Post}(run->room, x, l) == room_of{Pre}(run->room, x, l); */
static int hand_on_step(ps_run *run, int32_t k)
{
    const int32_t step = ps_step_of(run, k);
    if (!fits_another_step(run, k))
        return 0;
    ps_take(run, ps_circuit_of(run, k), run->mask[k], step);
    run->given[k] += step;
    return 1;
}

/* Hands on single steps while any fits. Room only shrinks: whoever cannot be raised once never can. */
static void hand_on_single_steps(ps_run *run, int32_t from, int32_t to)
{
    int32_t *queue = run->part_connector, count = 0;
    for (int32_t k = from; k < to; k++)
        if (fits_another_step(run, k))
            queue[count++] = k;
    for (int32_t at = count / 2 - 1; at >= 0; at--)
        sink(run, queue, at, count);
    while (count > 0) {
        if (!hand_on_step(run, queue[0]))
            queue[0] = queue[--count];
        sink(run, queue, 0, count);
    }
}

/* Leaves the room settled. */
void ps_fill_mixed(ps_run *run, int32_t from, int32_t to)
{
    for (int32_t j = 0; j < run->n_touched; j++) {
        run->moved[run->touched[j]] = 1;
        for (int32_t line = 0; line < 3; line++) {
            run->level[3 * run->touched[j] + line] = NO_LEVEL;
            run->above[3 * run->touched[j] + line] = NO_LEVEL;
        }
    }
    while (sweep(run, from, to)) {
    }
    for (int32_t k = from; k < to; k++) {
        const int32_t exact = (int32_t)(share_at(run, k, run->stop[k]) >> LEVEL_BITS);
        run->given[k] = exact - exact % ps_step_of(run, k);
    }
    ps_sum_given(run, from, to);
    ps_settle(run);
    hand_on_single_steps(run, from, to);
}
