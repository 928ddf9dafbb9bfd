/* AVX2 with FMA: eight floats at once; F16C widens keys and values. */

#pragma once

#include <immintrin.h>

typedef uint16_t Element; /* a float16's bits */
typedef __m256 FloatVector;
#define FLOATS 8
#define BLOCK_QUERIES 6
#define QUERY_VECTORS 2
#define QUERY_ROWS 12

static inline FloatVector floats_at(const Element *element) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)element));
}

static inline void narrow(const float *x, Element *out) {
    for (int32_t d = 0; d < HEAD; d += FLOATS)
        _mm_storeu_si128((__m128i *)(out + d), _mm256_cvtps_ph(_mm256_loadu_ps(x + d), _MM_FROUND_TO_NEAREST_INT));
}

#include "products_blocks.h"
