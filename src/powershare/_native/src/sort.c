/* Sorting and selecting keys, in place. */
#include "kernel.h"

static void sink(int64_t *keys, int32_t at, int32_t count)
{
    const int64_t key = keys[at];
    for (int32_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && keys[child + 1] > keys[child])
            child++;
        if (keys[child] <= key)
            break;
        keys[at] = keys[child];
        at = child;
    }
    keys[at] = key;
}

/* Ascending. Few keys are put in place one by one; many go through a heap, which no input can make slow. */
void ps_sort(int64_t *keys, int32_t count)
{
    if (count <= 24) {
        for (int32_t i = 1; i < count; i++) {
            const int64_t key = keys[i];
            int32_t at = i;
            for (; at > 0 && keys[at - 1] > key; at--)
                keys[at] = keys[at - 1];
            keys[at] = key;
        }
        return;
    }
    for (int32_t at = count / 2 - 1; at >= 0; at--)
        sink(keys, at, count);
    for (int32_t end = count - 1; end > 0; end--) {
        const int64_t greatest = keys[0];
        keys[0] = keys[end];
        keys[end] = greatest;
        sink(keys, 0, end);
    }
}

/* The bound below which lie exactly `wanted` of the keys, which are all different, >= 0 and below 2^31. */
int64_t ps_key_after(const int64_t *keys, int32_t count, int64_t wanted)
{
    int64_t bound = 0;
    for (int64_t bit = INT64_C(1) << 30; bit > 0; bit >>= 1) {
        int64_t below = 0;
        for (int32_t i = 0; i < count; i++)
            below += keys[i] < bound + bit;
        if (below <= wanted)
            bound += bit;
    }
    return bound;
}
