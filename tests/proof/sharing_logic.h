/* The words in which the contracts of kernel.h and mixed.c speak. Only the prover reads this file. */
#include "powershare_kernel.h"

/*@ // ---- The tree of circuits.

    // Every circuit's parent is an earlier one, or -1.
    predicate tree(int32_t *parent, integer count) =
      0 <= count <= PS_MAX_CIRCUITS && \valid_read(parent + (0 .. count - 1)) &&
      \forall integer c; 0 <= c < count ==> -1 <= parent[c] < c;

    // Whether circuit x is c, or above it.
    predicate on_way(int32_t *parent, integer c, integer x) = c >= 0 && (x == c || on_way(parent, parent[c], x));

    // Upward is backward. So it is in every tree: sharing_theorems.c.
    predicate backward(int32_t *parent, integer count) =
      \forall integer c, x; c < count && on_way(parent, c, x) ==> 0 <= x <= c;

    predicate rooms(int32_t *parent, integer count, int64_t *room) =
      tree(parent, count) && backward(parent, count) && \valid(room + (0 .. 3 * count - 1));

    predicate loads(integer mask, integer line) = 0 <= line < 3 && (mask >> line & 1) != 0;

    logic integer room_of(int64_t *room, integer circuit, integer line) = room[3 * circuit + line];

    // Whether every row that a vehicle loads, from this circuit upward, has so much room.
    predicate all_have(int32_t *parent, int64_t *room, integer circuit, integer mask, integer needed) =
      \forall integer x, line; on_way(parent, circuit, x) && loads(mask, line) ==> room_of(room, x, line) >= needed;
*/
