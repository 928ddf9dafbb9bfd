/* The reference: floats, multiplied as the compiler likes. */

#pragma once

typedef float Element, Factor;
#define GROUP 1
#define QUERY_ROWS 4

static inline void narrow(const float *x, Element *out) { memcpy(out, x, HEAD * sizeof *out); }

static inline Factor factor(float x) { return x; }

static void add_products(int32_t rows, const Factor *x, size_t stride, int32_t inner, const Element *panel,
                         float *sums, size_t sums_stride) {
    for (int32_t i = 0; i < inner; i++)
        for (int32_t r = 0; r < rows; r++) {
            const float own = x[r * stride + i];
            const float *restrict weight = panel + (size_t)i * 64;
            for (int32_t column = 0; column < 64; column++) sums[r * sums_stride + column] += own * weight[column];
        }
}
