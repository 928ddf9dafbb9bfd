/* One step of Whisper's text decoder on a CPU, with int8 weights.
 *
 * A step takes rows, each one token of some sequence, and writes for each the two likeliest next tokens. Rows of
 * many sequences, and several rows of one, go through together, so that every weight is read from memory once.
 */

#include "linear.h"

#define HEAD 64 /* the width of a head, in every Whisper */

typedef struct {
    LayerNorm attn_ln;
    Linear query_key_value, attn_out;
    LayerNorm cross_ln;
    Linear cross_query, cross_out;
    LayerNorm mlp_ln;
    Linear mlp_in, mlp_out;
} Block;

typedef struct {
    int32_t state, heads, layers, vocabulary, context;
    const float *token_embedding;      /* (vocabulary, state) */
    const float *positional_embedding; /* (context, state) */
    const Block *blocks;               /* (layers) */
    LayerNorm ln;
    Linear logits;
} Decoder;

typedef struct {
    int32_t token, position;
    float *past;              /* (layers, 2, heads, context, HEAD): keys and values of the sequence so far */
    const uint16_t *cross_keys;   /* bfloat16 (layers, heads, HEAD, length): what was heard */
    const uint16_t *cross_values; /* bfloat16 (layers, heads, length, HEAD) */
    const float *cross_bias;      /* (length): added to the attention's scores */
    int32_t cross_length;
    const float *mask;        /* (vocabulary): added to the logits before choosing; NULL where nothing is to be chosen */
    float *logits;            /* (vocabulary): where to write the unmasked logits, or NULL */
} Row;

typedef struct {
    int32_t token, runner_up;
    float logprob, runner_up_logprob;
} Choice;

/* A step that several threads take together: what they read, and the memory in which they meet. */
typedef struct {
    const Decoder *decoder;
    const Row *rows;
    Choice *choices;
    int32_t n_rows, n_chosen, longest; /* `longest` scores has a head that looks at something */
    float *x, *normed, *attended;      /* (n_rows, state) */
    float *hidden;                     /* (n_rows, 4 * state) */
    float *scores;                     /* (n_rows, heads, longest) */
    float *logits;                     /* (n_chosen, vocabulary) */
    Quantised *scales;                 /* (n_rows) */
    uint8_t *levels;                   /* (n_rows, 4 * state) */
    int32_t *chosen;                   /* (n_chosen): the rows that choose */
} Step;

/* Softmax of scores (n) in place, with their sum left to divide by. */
static float exponentials(float *restrict scores, int32_t n) {
    float highest = -1e30f, sum = 0.0f;
    for (int32_t i = 0; i < n; i++) highest = scores[i] > highest ? scores[i] : highest;
    for (int32_t i = 0; i < n; i++) scores[i] = exponential(scores[i] - highest);
    for (int32_t i = 0; i < n; i++) sum += scores[i];
    return sum;
}

/* One head looks at what its sequence has read so far. */
static void attend_past(const float *query, const float *keys, const float *values, int32_t n, float *scores,
                        float *restrict out) {
    for (int32_t t = 0; t < n; t++) {
        float sum = 0.0f;
        for (int32_t d = 0; d < HEAD; d++) sum += query[d] * keys[(size_t)t * HEAD + d];
        scores[t] = sum * 0.125f; /* HEAD ** -0.5 */
    }
    float total = exponentials(scores, n);
    float sums[HEAD] = {0};
    for (int32_t t = 0; t < n; t++)
        for (int32_t d = 0; d < HEAD; d++) sums[d] += scores[t] * values[(size_t)t * HEAD + d];
    for (int32_t d = 0; d < HEAD; d++) out[d] = sums[d] / total;
}

/* One head looks at the encoded audio. */
static void attend_audio(const float *query, const uint16_t *keys, const uint16_t *values, const float *bias, int32_t n,
                         float *restrict scores, float *restrict out) {
    memcpy(scores, bias, (size_t)n * sizeof(float));
    for (int32_t d = 0; d < HEAD; d++) {
        float q = query[d] * 0.125f;
        const uint16_t *restrict key = keys + (size_t)d * n;
        for (int32_t t = 0; t < n; t++) scores[t] += q * widened(key[t]);
    }
    float total = exponentials(scores, n);
    float sums[HEAD] = {0};
    for (int32_t t = 0; t < n; t++)
        for (int32_t d = 0; d < HEAD; d++) sums[d] += scores[t] * widened(values[(size_t)t * HEAD + d]);
    for (int32_t d = 0; d < HEAD; d++) out[d] = sums[d] / total;
}

static int32_t place_of(const float *x, int32_t n, float value) {
    for (int32_t i = 0; i < n; i++)
        if (x[i] == value) return i;
    return 0;
}

static float highest_of(const float *restrict x, int32_t n) {
    float highest = x[0];
    for (int32_t i = 1; i < n; i++) highest = x[i] > highest ? x[i] : highest;
    return highest;
}

/* The two likeliest tokens after the mask, with their log-probabilities. */
static Choice choose(float *restrict logits, const float *restrict mask, int32_t n) {
    for (int32_t i = 0; i < n; i++) logits[i] += mask[i];
    float first = highest_of(logits, n), sum = 0.0f;
    for (int32_t i = 0; i < n; i++) sum += exponential(logits[i] - first);
    int32_t token = place_of(logits, n, first);
    logits[token] = -1e30f;
    float second = highest_of(logits, n), log_sum = logf(sum);
    return (Choice){token, place_of(logits, n, second), -log_sum, second - first - log_sum};
}

/* Quantise rows (n_rows, n) for the product that follows. */
static void quantise_rows(Step *step, Thread thread, const float *rows, int32_t n) {
    OWN_SHARE(r, step->n_rows, thread) {
        step->scales[r] = quantise(rows + (size_t)r * n, n, step->levels + (size_t)r * n);
    }
    meet(thread);
}

static void normalise_rows(Step *step, Thread thread, const LayerNorm *ln) {
    const int32_t state = step->decoder->state;
    OWN_SHARE(r, step->n_rows, thread) {
        float *normed = step->normed + (size_t)r * state;
        normalise(ln, step->x + (size_t)r * state, state, normed);
        step->scales[r] = quantise(normed, state, step->levels + (size_t)r * state);
    }
    meet(thread);
}

static void embed(Step *step, Thread thread) {
    const Decoder *m = step->decoder;
    OWN_SHARE(r, step->n_rows, thread) {
        const float *token = m->token_embedding + (size_t)step->rows[r].token * m->state;
        const float *position = m->positional_embedding + (size_t)step->rows[r].position * m->state;
        for (int32_t i = 0; i < m->state; i++) step->x[(size_t)r * m->state + i] = token[i] + position[i];
    }
    meet(thread);
}

/* Every head of every row looks at its sequence, to which the rows' own keys and values have been added. */
static void attend_to_past(Step *step, Thread thread, int32_t layer) {
    const Decoder *m = step->decoder;
    const size_t size = (size_t)m->heads * m->context * HEAD, at = 2 * layer * size;
    OWN_SHARE(i, step->n_rows * m->heads, thread) {
        const int32_t r = i / m->heads, h = i % m->heads;
        const Row *row = step->rows + r;
        const float *own = step->hidden + (size_t)r * 3 * m->state + h * HEAD;
        float *keys = row->past + at + ((size_t)h * m->context + row->position) * HEAD;
        memcpy(keys, own + m->state, HEAD * sizeof(float));
        memcpy(keys + size, own + 2 * m->state, HEAD * sizeof(float));
    }
    meet(thread); /* rows of one sequence look at each other */
    OWN_SHARE(i, step->n_rows * m->heads, thread) {
        const int32_t r = i / m->heads, h = i % m->heads;
        const float *keys = step->rows[r].past + at + (size_t)h * m->context * HEAD;
        attend_past(step->hidden + (size_t)r * 3 * m->state + h * HEAD, keys, keys + size, step->rows[r].position + 1,
                    step->scores + (size_t)i * step->longest, step->attended + (size_t)r * m->state + h * HEAD);
    }
    meet(thread);
}

/* Every head of every row looks at its audio. */
static void attend_to_audio(Step *step, Thread thread, int32_t layer) {
    const Decoder *m = step->decoder;
    OWN_SHARE(i, step->n_rows * m->heads, thread) {
        const int32_t r = i / m->heads, h = i % m->heads;
        const Row *row = step->rows + r;
        const size_t head = ((size_t)layer * m->state + h * HEAD) * row->cross_length;
        attend_audio(step->hidden + (size_t)r * m->state + h * HEAD, row->cross_keys + head, row->cross_values + head,
                     row->cross_bias, row->cross_length, step->scores + (size_t)i * step->longest,
                     step->attended + (size_t)r * m->state + h * HEAD);
    }
    meet(thread);
}

/* What one thread does of a step (Radford et al. 2022, figure 1, on the right). */
static void take_part(void *what, Thread thread) {
    Step *step = what;
    const Decoder *m = step->decoder;
    const int32_t n = step->n_rows, state = m->state;
    embed(step, thread);
    for (int32_t layer = 0; layer < m->layers; layer++) {
        const Block *block = m->blocks + layer;
        normalise_rows(step, thread, &block->attn_ln);
        linear(thread, &block->query_key_value, n, step->levels, step->scales, step->hidden, SET);
        attend_to_past(step, thread, layer);
        quantise_rows(step, thread, step->attended, state);
        linear(thread, &block->attn_out, n, step->levels, step->scales, step->x, ADD);

        normalise_rows(step, thread, &block->cross_ln);
        linear(thread, &block->cross_query, n, step->levels, step->scales, step->hidden, SET);
        attend_to_audio(step, thread, layer);
        quantise_rows(step, thread, step->attended, state);
        linear(thread, &block->cross_out, n, step->levels, step->scales, step->x, ADD);

        normalise_rows(step, thread, &block->mlp_ln);
        linear(thread, &block->mlp_in, n, step->levels, step->scales, step->hidden, GELU);
        quantise_rows(step, thread, step->hidden, 4 * state);
        linear(thread, &block->mlp_out, n, step->levels, step->scales, step->x, ADD);
    }
    OWN_SHARE(c, step->n_chosen, thread) {
        float *normed = step->normed + (size_t)c * state;
        normalise(&m->ln, step->x + (size_t)step->chosen[c] * state, state, normed);
        step->scales[c] = quantise(normed, state, step->levels + (size_t)c * state);
    }
    meet(thread);
    linear(thread, &m->logits, step->n_chosen, step->levels, step->scales, step->logits, SET);
    OWN_SHARE(c, step->n_chosen, thread) {
        const Row *row = step->rows + step->chosen[c];
        float *logits = step->logits + (size_t)c * m->vocabulary;
        if (row->logits) memcpy(row->logits, logits, (size_t)m->vocabulary * sizeof(float));
        if (row->mask) step->choices[step->chosen[c]] = choose(logits, row->mask, m->vocabulary);
    }
}

/* Room for a step's numbers, in one piece that starts at `step->x`. Gives 0, or -1 when there is no memory. */
static int allocate(Step *step) {
    const Decoder *m = step->decoder;
    const size_t n = step->n_rows, state = m->state;
    const size_t floats = n * (7 * state + (size_t)m->heads * step->longest + m->vocabulary);
    step->x = malloc(floats * sizeof(float) + n * (sizeof(Quantised) + sizeof(int32_t) + 4 * state));
    if (!step->x) return -1;
    step->normed = step->x + n * state;
    step->attended = step->normed + n * state;
    step->hidden = step->attended + n * state;
    step->scores = step->hidden + n * 4 * state;
    step->logits = step->scores + n * m->heads * step->longest;
    step->scales = (Quantised *)(step->logits + n * m->vocabulary);
    step->chosen = (int32_t *)(step->scales + n);
    step->levels = (uint8_t *)(step->chosen + n);
    return 0;
}

/* Read the rows into their sequences and choose what follows each; choices (n_rows) is left alone where a row has
 * no mask. Gives 0, or -1 when there is no memory. */
int decoder_step(const Decoder *decoder, int32_t n_rows, const Row *rows, Choice *choices, int32_t threads) {
    Step step = {.decoder = decoder, .rows = rows, .choices = choices, .n_rows = n_rows, .longest = decoder->context};
    for (int32_t r = 0; r < n_rows; r++)
        if (rows[r].cross_length > step.longest) step.longest = rows[r].cross_length;
    if (allocate(&step)) return -1;
    for (int32_t r = 0; r < n_rows; r++)
        if (rows[r].mask || rows[r].logits) step.chosen[step.n_chosen++] = r;
    together(take_part, &step, threads);
    free(step.x);
    return 0;
}
