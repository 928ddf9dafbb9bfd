/* The reference: a panel is one output after the other, and the compiler finds its way to multiply them. */

#pragma once

typedef uint8_t Level;
#define LEVEL_OFFSET 0
#define TILE_ROWS 4

static inline size_t packed_at(int32_t output, int32_t input, int32_t inputs) {
    return (size_t)output * inputs + input;
}

static void tile(int32_t rows, const Level *x, int32_t inputs, const int8_t *panel, int32_t *sums) {
    for (int32_t column = 0; column < PANEL; column++)
        for (int32_t r = 0; r < rows; r++) {
            const Level *restrict row = x + (size_t)r * inputs;
            const int8_t *restrict weight = panel + (size_t)column * inputs;
            int32_t sum = 0;
            for (int32_t i = 0; i < inputs; i++) sum += (int32_t)row[i] * (int32_t)weight[i];
            sums[r * PANEL + column] = sum;
        }
}
