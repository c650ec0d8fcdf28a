/* The commonest allocation of all, in a fraction of the time: a few connectors on one circuit, wired alike, with one
 * step, one weight and one priority, nothing held, no other load, and room for all least offers. Everything else, and
 * every oddity, is left to the general way; the answers are the same.
 */
#include "kernel.h"

/* Per connector, in site order; who does not ask has zeros, which no sum or level sees. */
typedef struct few {
    int32_t ceiling[PS_FEW], given[PS_FEW], least[PS_FEW];
    int32_t least_sum, ceiling_sum; /* PS_FEW times PS_MAX_OFFER fits */
} few;

/* Whether nobody is held and all count alike. Each test here and below is enough for a column to be sound, not needed:
 * what fails one is looked at thoroughly by the general way, so that the usual case pays for one look at each value. */
static int count_alike(const ps_problem *p, int32_t n)
{
    const int32_t weight = p->weight[0], priority = p->priority[0];
    const int32_t *const weights = p->weight, *const priorities = p->priority;
    const int32_t *const helds = p->held, *const waits = p->waiting;
    const uint8_t *const used = p->lines_used;
    int32_t odd = 0, used_any = 0;
    for (int32_t i = 0; i < n; i++) {
        odd |= (weights[i] ^ weight) | (priorities[i] ^ priority) | ~helds[i] | (waits[i] & INT32_MIN);
        used_any |= used[i];
    }
    return (odd == 0) & (used_any <= 3) & ((uint32_t)weight - 1 < PS_MAX_WEIGHT);
}

/* x / step, for an x up to what all together may be given. */
static inline int32_t steps_in(const ps_site *site, int32_t x)
{
    return (int32_t)(((uint64_t)(uint32_t)x * site->step_inverse) >> 32);
}

/* Lists who asks for what; answers 0 where a value is not sound, somebody is refused, or an external cap counts. */
static int list_few(const ps_site *site, const ps_problem *p, few *list)
{
    const int32_t n = site->n_connectors, step = site->step[0];
    const int32_t *const asked = p->wanted, *const caps = p->cap;
    const int32_t *const leasts = site->least, *const greatests = site->greatest;
    int32_t odd = 0, least_sum = 0, ceiling_sum = 0;
    for (int32_t i = 0; i < n; i++) {
        const int32_t wanted = asked[i], greatest = greatests[i];
        const int32_t least = wanted > 0 ? leasts[i] : 0;
        int32_t ceiling = wanted < greatest ? wanted : greatest;
        if (wanted < 0) /* before any arithmetic on it */
            return 0;
        odd |= (caps[i] < ceiling) | (ceiling < least);
        if (ceiling < greatest)
            ceiling = steps_in(site, ceiling) * step;
        list->least[i] = least;
        list->ceiling[i] = ceiling;
        list->given[i] = ceiling;
        least_sum += least;
        ceiling_sum += ceiling;
    }
    list->least_sum = least_sum;
    list->ceiling_sum = ceiling_sum;
    return !odd;
}

static inline int is_sound(int64_t limit)
{
    return ((uint64_t)limit <= (uint64_t)PS_MAX_LIMIT) | (limit == PS_NO_LIMIT);
}

/* What every row can take; answers 0 where a limit is not sound, or there is other load. */
static int read_rows(const ps_problem *p, int32_t rows, int64_t *room)
{
    int sound = 1;
    int64_t load = 0;
    for (int32_t row = 0; row < rows; row++) {
        const int64_t limit = p->limit[row], alone = p->limit_connectors[row];
        sound &= is_sound(limit) & is_sound(alone);
        load |= p->other[row];
        room[row] = limit < alone ? limit : alone;
    }
    return sound & (load == 0);
}

/* The least that any row on the way from the connectors' circuit to the root can take. */
static int64_t capacity_of(const ps_site *site, const int64_t *room)
{
    int64_t capacity = PS_UNBOUNDED;
    for (int32_t circuit = site->circuit[0]; circuit >= 0; circuit = site->parent[circuit])
        for (int32_t row = 3 * circuit, lines = site->masks[0]; lines; row++, lines >>= 1)
            if ((lines & 1) && room[row] < capacity)
                capacity = room[row];
    return capacity;
}

/* Takes what is given off those rows; answers the first that keeps the connectors from another step, or -1. */
static int32_t take_few(const ps_site *site, int64_t *room, int64_t taken)
{
    const int32_t mask = site->masks[0];
    const int64_t step = site->step[0];
    int32_t full = PS_BY_NOTHING;
    for (int32_t circuit = site->circuit[0]; circuit >= 0; circuit = site->parent[circuit])
        for (int32_t row = 3 * circuit, lines = mask; lines; row++, lines >>= 1) {
            if (!(lines & 1))
                continue;
            room[row] -= taken; /* of a row without a limit far more is left than of any other */
            if (full < 0 && room[row] < step)
                full = row;
        }
    return full;
}

/* a / count for a count of connectors, and an a up to what all together may be given. */
static inline int32_t each_of(int32_t a, int32_t count)
{
    /* 2^32 / count, rounded up. */
    static const uint64_t inverse[PS_FEW + 1] = {
        0, UINT64_C(4294967296), UINT64_C(2147483648), 1431655766, 1073741824, 858993460,
        715827883, 613566757, 536870912, 477218589, 429496730, 390451573,
        357913942, 330382100, 306783379, 286331154, 268435456,
    };
    return (int32_t)(((uint64_t)(uint32_t)a * inverse[count]) >> 32);
}

/* The highest level at which all fit; they are known not to fit whole, and to fit at their least. */
static int32_t level_of_few(const few *list, int32_t n, int32_t capacity)
{
    int32_t low = 0, high = PS_MAX_OFFER, level = each_of(capacity, n);
    for (int32_t round = 1;; round++) {
        int32_t sum = 0, rising = 0, guess = low;
        for (int32_t i = 0; i < n; i++) {
            const int32_t least = list->least[i], given = list->given[i];
            const int32_t lowered = level < given ? level : given;
            sum += lowered > least ? lowered : least;
            rising += (least <= level) & (level < given);
        }
        if (sum <= capacity && sum + rising > capacity)
            return level;
        if (sum <= capacity)
            low = level;
        else
            high = level;
        if (rising > 0)
            guess = sum <= capacity ? level + each_of(capacity - sum, rising) : level - each_of(sum - capacity + rising - 1, rising);
        level = (int32_t)ps_next_level(low, high, guess, round);
    }
}

/* As ps_clip_alike does it for any number: the level, whole steps, and the steps left over in site order. */
static int32_t clip_few(const ps_site *site, few *list, int32_t n, int32_t capacity)
{
    const int32_t step = site->step[0];
    int32_t taken = 0, spare, level = level_of_few(list, n, capacity);
    int32_t rising[PS_FEW];
    level = steps_in(site, level) * step;
    for (int32_t i = 0; i < n; i++) {
        const int32_t least = list->least[i], given = list->given[i];
        const int32_t lowered = level < given ? level : given;
        rising[i] = (least <= level) & (level < given);
        list->given[i] = lowered > least ? lowered : least;
        taken += list->given[i];
    }
    spare = steps_in(site, capacity - taken);
    taken += spare * step;
    for (int32_t i = 0; i < n && spare > 0; i++) {
        list->given[i] += rising[i] ? step : 0;
        spare -= rising[i];
    }
    return taken;
}

static void answer_connectors(const ps_site *site, const ps_problem *p, const few *list, int32_t full)
{
    const int32_t n = site->n_connectors;
    int32_t *const allocated = p->allocated, *const bound = p->bound;
    uint8_t *const status = p->status;
    for (int32_t i = 0; i < n; i++) {
        const int32_t given = list->given[i], wanted = p->wanted[i];
        int32_t by = wanted < site->greatest[i] ? PS_BY_VEHICLE : PS_BY_GREATEST;
        by = given < list->ceiling[i] ? full : by;
        allocated[i] = given;
        bound[i] = given > 0 ? by : PS_BY_NOTHING;
        status[i] = (uint8_t)(given > 0); /* PS_ALLOCATED or PS_IDLE */
    }
}

int ps_allocate_few(const ps_site *site, const ps_problem *p)
{
    few list;
    int64_t room[3 * PS_FEW_CIRCUITS];
    const int32_t n = site->n_connectors, rows = 3 * site->n_circuits;
    int64_t capacity;
    int32_t taken;
    if (!count_alike(p, n) || !list_few(site, p, &list) || !read_rows(p, rows, room))
        return 0;
    capacity = capacity_of(site, room);
    if (list.least_sum > capacity)
        return 0;
    taken = list.ceiling_sum;
    if (taken > capacity)
        taken = clip_few(site, &list, n, (int32_t)capacity);
    answer_connectors(site, p, &list, take_few(site, room, taken));
    for (int32_t row = 0; row < rows; row++)
        p->room[row] = room[row] > PS_MAX_LIMIT ? PS_NO_LIMIT : room[row];
    return 1;
}
