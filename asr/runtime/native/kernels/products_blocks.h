/* Products in blocks of rows and columns whose sums stay in registers; keys and values are kept as float16.
 *
 * Before it is included these are defined: FloatVector, FLOATS of them, floats_at(element) widens so many elements,
 * BLOCK_QUERIES rows and QUERY_VECTORS vectors are in a block, and QUERY_ROWS is a multiple of BLOCK_QUERIES.
 */

#pragma once

#define GROUP 1

typedef float Factor;

static inline Factor factor(float x) { return x; }

static inline __attribute__((always_inline)) void add_block(int32_t rows, const Factor *x, size_t stride, int32_t inner,
                                                            const Element *panel, float *to, size_t to_stride) {
    FloatVector sums[BLOCK_QUERIES][QUERY_VECTORS];
    for (int32_t r = 0; r < rows; r++) memcpy(sums[r], to + r * to_stride, sizeof sums[r]);
    for (int32_t i = 0; i < inner; i++) {
        FloatVector weights[QUERY_VECTORS];
        for (int32_t v = 0; v < QUERY_VECTORS; v++) weights[v] = floats_at(panel + (size_t)i * 64 + v * FLOATS);
        for (int32_t r = 0; r < rows; r++)
            for (int32_t v = 0; v < QUERY_VECTORS; v++) sums[r][v] += x[r * stride + i] * weights[v];
    }
    for (int32_t r = 0; r < rows; r++) memcpy(to + r * to_stride, sums[r], sizeof sums[r]);
}

/* Each number of rows is compiled by itself, all in registers. */
static void add_rows(int32_t rows, const Factor *x, size_t stride, int32_t inner, const Element *panel, float *to,
                     size_t to_stride) {
    switch (rows) {
    case 1: add_block(1, x, stride, inner, panel, to, to_stride); return;
    case 2: add_block(2, x, stride, inner, panel, to, to_stride); return;
    case 3: add_block(3, x, stride, inner, panel, to, to_stride); return;
    case 4: add_block(4, x, stride, inner, panel, to, to_stride); return;
    case 5: add_block(5, x, stride, inner, panel, to, to_stride); return;
    default: add_block(6, x, stride, inner, panel, to, to_stride);
    }
}

static void add_products(int32_t rows, const Factor *x, size_t stride, int32_t inner, const Element *panel,
                         float *sums, size_t sums_stride) {
    for (int32_t first = 0; first < 64; first += QUERY_VECTORS * FLOATS)
        for (int32_t top = 0; top < rows; top += BLOCK_QUERIES)
            add_rows(rows - top < BLOCK_QUERIES ? rows - top : BLOCK_QUERIES, x + top * stride, stride, inner,
                     panel + first, sums + top * sums_stride + first, sums_stride);
}
