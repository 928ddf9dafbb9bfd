/* A tile in blocks of rows and outputs whose sums stay in registers.
 *
 * Before it is included these are defined:
 * - Sums: a vector of int32 for LANES outputs, or several; no_sums(), store_sums(to, sums).
 * - Weights, weights_at(panel): INPUTS weights of each of LANES outputs. LevelGroup, levels_at(x): INPUTS levels of a row.
 * - multiply_add(sums, levels, weights).
 * - AHEAD: how many bytes of weights are asked for before they are needed; 0 where it was not measured to be of use.
 * - BLOCK_ROWS, BLOCK_VECTORS: rows and vectors of outputs in a block, as many as there are registers for.
 * A panel holds its blocks' outputs one block after the other; a block is INPUTS inputs of all its outputs after the
 * other.
 */

#pragma once

#define BLOCK (BLOCK_VECTORS * LANES) /* outputs */

static inline size_t packed_at(int32_t output, int32_t input, int32_t inputs) {
    return (size_t)(output / BLOCK) * BLOCK * inputs + (size_t)(input / INPUTS) * BLOCK * INPUTS +
           output % BLOCK * INPUTS + input % INPUTS;
}

static inline __attribute__((always_inline)) void multiply_block(int32_t rows, const Level *x, int32_t inputs,
                                                                 const int8_t *block, size_t ahead, int32_t *to) {
    Sums sums[BLOCK_ROWS][BLOCK_VECTORS];
    for (int32_t r = 0; r < rows; r++)
        for (int32_t v = 0; v < BLOCK_VECTORS; v++) sums[r][v] = no_sums();
    for (int32_t i = 0; i < inputs; i += INPUTS) {
        Weights weights[BLOCK_VECTORS];
        if (AHEAD) __builtin_prefetch(block + (size_t)i * BLOCK + ahead);
        for (int32_t v = 0; v < BLOCK_VECTORS; v++)
            weights[v] = weights_at(block + (size_t)i * BLOCK + v * LANES * INPUTS);
        for (int32_t r = 0; r < rows; r++) {
            const LevelGroup levels = levels_at(x + (size_t)r * inputs + i);
            for (int32_t v = 0; v < BLOCK_VECTORS; v++) sums[r][v] = multiply_add(sums[r][v], levels, weights[v]);
        }
    }
    for (int32_t r = 0; r < rows; r++)
        for (int32_t v = 0; v < BLOCK_VECTORS; v++) store_sums(to + r * PANEL + v * LANES, sums[r][v]);
}

/* Each number of rows is compiled by itself, all in registers. */
static void multiply_rows(int32_t rows, const Level *x, int32_t inputs, const int8_t *block, size_t ahead,
                          int32_t *to) {
    switch (rows) {
    case 1: multiply_block(1, x, inputs, block, ahead, to); return;
    case 2: multiply_block(2, x, inputs, block, ahead, to); return;
    case 3: multiply_block(3, x, inputs, block, ahead, to); return;
#if BLOCK_ROWS == 4
    default: multiply_block(4, x, inputs, block, ahead, to);
#else
    case 4: multiply_block(4, x, inputs, block, ahead, to); return;
    case 5: multiply_block(5, x, inputs, block, ahead, to); return;
    default: multiply_block(6, x, inputs, block, ahead, to);
#endif
    }
}

/* A block's weights are read for one block of rows after the other. The first of them waits for memory, which is asked in
 * advance; for the others the weights are in the nearest cache. */
static void multiply_blocks(int32_t rows, const Level *x, int32_t inputs, const int8_t *panel, int32_t *sums) {
    for (int32_t first = 0; first < PANEL; first += BLOCK)
        for (int32_t top = 0; top < rows; top += BLOCK_ROWS)
            multiply_rows(rows - top < BLOCK_ROWS ? rows - top : BLOCK_ROWS, x + (size_t)top * inputs, inputs,
                          panel + (size_t)first * inputs, top ? 0 : AHEAD, sums + top * PANEL + first);
}
