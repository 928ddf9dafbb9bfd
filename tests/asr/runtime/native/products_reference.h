/* Attention's products as `products_generic.h` has them, of numbers rounded to what a path keeps them as. */

#pragma once

typedef float Element, Factor;
#define GROUP 1
#define QUERY_ROWS 4

/* To the nearest number with so many bits of mantissa, of two as near the even one. */
static inline float rounded(float x, int bits) {
    union { float f; uint32_t i; } number = {x};
    const int lost = 23 - bits;
    if (lost) number.i = (number.i + (1u << (lost - 1)) - 1 + (number.i >> lost & 1)) >> lost << lost;
    return number.f;
}

static inline void narrow(const float *x, Element *out) {
    for (int32_t d = 0; d < HEAD; d++) out[d] = rounded(x[d], ELEMENT_BITS);
}

static inline Factor factor(float x) { return rounded(x, FACTOR_BITS); }

static void add_products(int32_t rows, const Factor *x, size_t stride, int32_t inner, const Element *panel,
                         float *sums, size_t sums_stride) {
    for (int32_t r = 0; r < rows; r++)
        for (int32_t column = 0; column < 64; column++)
            for (int32_t i = 0; i < inner; i++)
                sums[r * sums_stride + column] += x[r * stride + i] * panel[(size_t)i * 64 + column];
}
