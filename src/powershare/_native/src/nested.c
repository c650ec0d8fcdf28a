/* Classes whose vehicles load the same lines (see also uniform.c), or one line each, in the same steps.
 *
 * There the limits are nested, and one pass up the tree is exact: at each limit those below keep the first steps that
 * fit, in the order (number of the step / weight, weight, site order), out of those kept further down.
 */
#include "kernel.h"

/* Two different ratios step number / weight differ by a millionth or more (weights end at 1000): by more than 2^-20. */
enum { GRID_BITS = 20 };

/* What the group takes at a level, and how much more it takes one further. */
static int64_t taken_at(const ps_limit_group *group, int64_t level, int64_t *rising)
{
    const int32_t at = (int32_t)level;
    int64_t taken = 0;
    int32_t rise = 0;
    for (int32_t j = 0; j < group->count; j++) {
        const int32_t least = group->least[j], given = group->given[j];
        const int32_t lowered = at < given ? at : given;
        taken += lowered > least ? lowered : least;
        rise += (least <= at) & (at < given);
    }
    *rising = rise;
    return taken;
}


/* The highest level, in milliamps, at which the group fits; it is known not to fit whole, and to fit at its least. */
static int64_t highest_level(const ps_limit_group *group, int64_t *taken)
{
    int64_t low = 0, high = PS_MAX_OFFER, level = ps_divided(group->capacity, group->count);
    if (level >= high)
        level = high - 1;
    for (int32_t round = 1;; round++) {
        int64_t rising, guess = low;
        *taken = taken_at(group, level, &rising);
        if (*taken <= group->capacity) {
            if (*taken + rising > group->capacity)
                return level;
            low = level;
            if (rising > 0)
                guess = level + ps_divided(group->capacity - *taken, rising);
        } else {
            high = level;
            if (rising > 0)
                guess = level - ps_divided(*taken - group->capacity + rising - 1, rising);
        }
        level = ps_next_level(low, high, guess, round);
    }
}

/* The connector index below which lie exactly `spare` of those that can rise from `level`. */
static int64_t last_raised(ps_run *run, const ps_limit_group *group, int32_t level, int64_t spare)
{
    int32_t tied = 0;
    for (int32_t j = 0; j < group->count; j++)
        if (group->least[j] <= level && level < group->given[j])
            run->keys[tied++] = group->connector[j];
    return ps_key_after(run->keys, tied, spare);
}

int64_t ps_clip_alike(ps_run *run, const ps_limit_group *group)
{
    int64_t taken, rising, spare, bound = PS_MAX_CONNECTORS;
    int32_t level = (int32_t)highest_level(group, &taken);
    const int32_t beside = group->step > 1 ? level % group->step : 0;
    if (beside != 0) {
        level -= beside;
        taken = taken_at(group, level, &rising);
    }
    spare = group->capacity - taken;
    spare = group->step > 1 ? ps_divided(spare, group->step) : spare;
    taken += spare * group->step;
    if (spare > 0 && run)
        bound = last_raised(run, group, level, spare);
    for (int32_t j = 0; j < group->count; j++) {
        if (level >= group->given[j])
            continue;
        if (level < group->least[j]) {
            group->given[j] = group->least[j];
        } else if (spare > 0 && group->connector[j] < bound) {
            group->given[j] = level + group->step;
            spare--;
        } else {
            group->given[j] = level;
        }
    }
    return taken;
}

/* The steps that one has whose number / weight lies below level / 2^GRID_BITS; the first has number 0. */
static int32_t steps_below(const ps_limit_group *group, int32_t j, int64_t level)
{
    const int64_t steps = (group->weight[j] * level + (INT64_C(1) << GRID_BITS) - 1) >> GRID_BITS;
    if (steps >= group->given[j])
        return group->given[j];
    return steps > group->least[j] ? (int32_t)steps : group->least[j];
}

static int64_t weighted_taken_at(const ps_limit_group *group, int64_t level, int64_t *slope)
{
    int64_t taken = 0, rise = 0;
    for (int32_t j = 0; j < group->count; j++) {
        const int32_t steps = steps_below(group, j, level);
        taken += steps;
        rise += steps > group->least[j] && steps < group->given[j] ? group->weight[j] : 0;
    }
    *slope = rise;
    return taken;
}

/* The highest level, in steps per weight on the grid, at which the group fits. */
static int64_t highest_weighted_level(const ps_limit_group *group)
{
    int64_t low = 0, high = (int64_t)PS_MAX_OFFER << GRID_BITS, level, weights = 0;
    for (int32_t j = 0; j < group->count; j++)
        weights += group->weight[j];
    level = ps_next_level(low, high, (group->capacity / weights) << GRID_BITS, 1);
    for (int32_t round = 1; high - low > 1; round++) {
        int64_t slope, guess = low;
        const int64_t taken = weighted_taken_at(group, level, &slope);
        const int64_t spare = group->capacity - taken;
        if (spare >= 0)
            low = level;
        else
            high = level;
        /* The answer is rarely more than one step a connector away: aim a little past it, to close in from both sides. */
        if (slope > 0 && spare >= 0 && spare / slope < PS_MAX_OFFER)
            guess = level + ((spare / slope) << GRID_BITS) + ((spare % slope + 1) << GRID_BITS) / slope;
        else if (slope > 0 && spare < 0 && -spare / slope < PS_MAX_OFFER)
            guess = level - ((-spare / slope) << GRID_BITS) - ((-spare % slope + 1) << GRID_BITS) / slope;
        level = ps_next_level(low, high, guess, round > 6 ? PS_HALVE : round);
    }
    return low;
}

/* Weights of their own: a level in steps per weight, then the steps at the next ratio, by weight and site order. */
static void clip_weighted(ps_run *run, const ps_limit_group *group)
{
    const int64_t level = highest_weighted_level(group);
    int64_t spare = group->capacity, bound = 0;
    int32_t tied = 0;
    for (int32_t j = 0; j < group->count; j++) {
        const int32_t steps = steps_below(group, j, level);
        spare -= steps;
        if (steps_below(group, j, level + 1) > steps)
            run->keys[tied++] = ((int64_t)group->weight[j] << 20) | group->connector[j];
    }
    if (spare > 0)
        bound = ps_key_after(run->keys, tied, spare);
    for (int32_t j = 0; j < group->count; j++) {
        const int32_t steps = steps_below(group, j, level), next = steps_below(group, j, level + 1);
        const int64_t key = ((int64_t)group->weight[j] << 20) | group->connector[j];
        group->given[j] = key < bound ? next : steps;
    }
}

/* Copies the candidates [from, to) that load any of `lines` side by side, in units of milliamps or steps. */
static int32_t gather(ps_run *run, int32_t from, int32_t to, int32_t lines, int32_t unit)
{
    int32_t count = 0;
    for (int32_t k = from; k < to; k++) {
        if (!(run->mask[k] & lines))
            continue;
        run->part_connector[count] = run->connector[k];
        run->part_weight[count] = run->weight[k];
        run->part_least[count] = unit == 1 ? run->least[k] : run->least[k] / unit;
        run->part_given[count] = unit == 1 ? run->given[k] : run->given[k] / unit;
        count++;
    }
    return count;
}

static int64_t scatter(ps_run *run, int32_t from, int32_t to, int32_t lines, int32_t unit)
{
    int64_t kept = 0;
    int32_t at = 0;
    for (int32_t k = from; k < to; k++) {
        if (!(run->mask[k] & lines))
            continue;
        run->given[k] = run->part_given[at++] * unit;
        kept += run->given[k];
    }
    return kept;
}

static int one_weight(const int32_t *weight, int32_t count)
{
    int32_t differ = 0;
    for (int32_t j = 1; j < count; j++)
        differ |= weight[j] ^ weight[0];
    return differ == 0;
}

int64_t ps_clip(ps_run *run, int32_t from, int32_t to, int32_t lines, int64_t capacity)
{
    const int32_t step = ps_step_of(run, from);
    const int alike = one_weight(run->weight + from, to - from);
    ps_limit_group group = {run->part_connector, run->part_least, run->part_weight, run->part_given, 0, step, capacity};
    ps_run *disordered = run->site->in_order ? 0 : run;
    if (alike && lines == 7) {
        group.connector = run->connector + from;
        group.least = run->least + from;
        group.given = run->given + from;
        group.count = to - from;
        return ps_clip_alike(disordered, &group);
    }
    group.count = gather(run, from, to, lines, alike ? 1 : step);
    if (alike) {
        ps_clip_alike(disordered, &group);
    } else {
        group.capacity = capacity / step;
        clip_weighted(run, &group);
    }
    return scatter(run, from, to, lines, alike ? 1 : step);
}

static void fill_line(ps_run *run, int32_t line)
{
    int64_t *cut = run->level; /* taken back on the rows below */
    for (int32_t j = 0; j < run->n_touched; j++)
        cut[3 * run->touched[j] + line] = 0;
    for (int32_t j = 0; j < run->n_touched; j++) {
        const int32_t circuit = run->touched[j], above = run->site->parent[circuit];
        const int64_t row = 3 * (int64_t)circuit + line;
        const int64_t more = run->sum[row] - cut[row] - run->least_sum[row];
        /* Where nobody below loads this line its room says nothing, and may be negative. */
        if (more > 0 && more > run->room[row])
            cut[row] = run->sum[row] - ps_clip(run, run->first[circuit], run->past[circuit], 1 << line,
                                               run->room[row] + run->least_sum[row]);
        if (above >= 0)
            cut[3 * (int64_t)above + line] += cut[row];
    }
}

void ps_fill_nested(ps_run *run, int32_t from, int32_t to)
{
    for (int32_t line = 0; line < 3; line++)
        fill_line(run, line);
    ps_sum_given(run, from, to);
    ps_settle(run);
}
