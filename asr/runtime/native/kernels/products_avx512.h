/* AVX-512: sixteen floats at once, keys and values widened from float16. */

#pragma once

#include <immintrin.h>

typedef uint16_t Element; /* a float16's bits */
typedef __m512 FloatVector;
#define FLOATS 16
#define BLOCK_QUERIES 6
#define QUERY_VECTORS 4
#define QUERY_ROWS 12

static inline FloatVector floats_at(const Element *element) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)element));
}

static inline void narrow(const float *x, Element *out) {
    for (int32_t d = 0; d < HEAD; d += FLOATS)
        _mm256_storeu_si256((__m256i *)(out + d), _mm512_cvtps_ph(_mm512_loadu_ps(x + d), _MM_FROUND_TO_NEAREST_INT));
}

#include "products_blocks.h"
