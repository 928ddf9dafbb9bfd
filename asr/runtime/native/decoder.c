/* One step of Whisper's text decoder on a CPU, with int8 weights.
 *
 * A step takes rows, each one token of some sequence, and writes for each the two likeliest next tokens. Rows of
 * many sequences, and several rows of one, go through together, so that every weight is read from memory once.
 */

#include "attention.h"

#define FAVOURITES 4

typedef struct {
    LayerNorm attn_ln;
    Linear query_key_value, attn_out;
    LayerNorm cross_ln;
    Linear cross_query, cross_key_value, cross_out; /* queries come scaled by HEAD ** -0.5 */
    LayerNorm mlp_ln;
    Linear mlp_in, mlp_out;
} Block;

typedef struct {
    int32_t state, heads, layers, vocabulary, context;
    const float *token_embedding;      /* (vocabulary, state) */
    const float *positional_embedding; /* (at least context, state) */
    const Block *blocks;               /* (layers) */
    LayerNorm ln;
    Linear logits;
    int32_t silent_frames;                      /* kept of a silent window */
    const Element *silent_keys, *silent_values; /* (layers, heads, panels) of them */
    float silent_bias;                          /* added to their scores */
} Decoder;

typedef struct {
    int32_t token, position;
    float *past;              /* (layers, 2, heads, context, HEAD): keys and values of the sequence so far */
    float *const *beside;     /* (beside_count): the same of other sequences, which read this row, too */
    int32_t beside_count;
    const Element *cross_keys, *cross_values; /* (layers, heads, panels): what was heard, */
    int32_t heard, silent_from;               /* so many frames; and which of the silent ones follow them */
    const float *mask;        /* (vocabulary): added to the logits before choosing; NULL where nothing is to be chosen */
    int32_t expected;         /* the token whose log-probability is told beside */
    float *logits;            /* (vocabulary): where to write the unmasked logits, or NULL */
    const int32_t *favoured;  /* (favoured_count): tokens of which the best are told beside, */
    const float *boosts;      /* (favoured_count): by their log-probabilities and these */
    int32_t favoured_count;
} Row;

typedef struct {
    int32_t token, runner_up;
    float logprob, runner_up_logprob, expected_logprob;
    int32_t favourite_count, favourites[FAVOURITES];
    float favourite_logprobs[FAVOURITES];
} Choice;

/* A step that several threads take together: what they read, and the memory in which they meet. */
typedef struct {
    const Decoder *decoder;
    const Row *rows;
    Choice *choices;
    int32_t n_rows, n_chosen, n_groups;
    float *x, *attended;               /* (n_rows, state) */
    float *hidden;                     /* (n_rows, 4 * state) */
    float *scores;                     /* (n_rows, heads, context) */
    float *logits;                     /* (n_chosen, vocabulary) */
    Levels levels;                     /* (n_rows), with room for 4 * state values each */
    int32_t *chosen;                   /* (n_chosen): the rows that choose */
    int32_t *groups;                   /* (n_groups + 1): where rows begin that listen to the same audio, QUERY_ROWS at most */
    Scratch scratch;                   /* of the first thread; those of the others follow */
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

/* The best of the favoured tokens, the very best first; `log_total` makes log-probabilities of logits. */
static void choose_favourites(const float *logits, const Row *row, float log_total, Choice *choice) {
    float scores[FAVOURITES];
    for (int32_t i = 0; i < row->favoured_count; i++) {
        const int32_t token = row->favoured[i];
        const float score = logits[token] + row->boosts[i];
        int32_t place = choice->favourite_count;
        if (place == FAVOURITES && score <= scores[place - 1]) continue;
        if (place < FAVOURITES) choice->favourite_count++;
        else place--;
        for (; place && scores[place - 1] < score; place--) {
            scores[place] = scores[place - 1];
            choice->favourites[place] = choice->favourites[place - 1];
            choice->favourite_logprobs[place] = choice->favourite_logprobs[place - 1];
        }
        scores[place] = score;
        choice->favourites[place] = token;
        choice->favourite_logprobs[place] = logits[token] - log_total;
    }
}

/* The two likeliest tokens after the mask, the expected one and the best of the favoured, with log-probabilities. */
static Choice choose(float *restrict logits, int32_t n, const Row *row) {
    for (int32_t i = 0; i < n; i++) logits[i] += row->mask[i];
    float first = highest_of(logits, n), sum = 0.0f;
    for (int32_t i = 0; i < n; i++) sum += exponential(logits[i] - first);
    const float log_total = first + logf(sum);
    Choice choice = {.expected_logprob = logits[row->expected] - log_total};
    choose_favourites(logits, row, log_total, &choice);
    choice.token = place_of(logits, n, first);
    choice.logprob = first - log_total;
    logits[choice.token] = -1e30f;
    float second = highest_of(logits, n);
    choice.runner_up = place_of(logits, n, second);
    choice.runner_up_logprob = second - log_total;
    return choice;
}

static void embed(Step *step, Thread thread) {
    const Decoder *m = step->decoder;
    SHARE_OUT(r, step->n_rows, thread) {
        const float *token = m->token_embedding + (size_t)step->rows[r].token * m->state;
        const float *position = m->positional_embedding + (size_t)step->rows[r].position * m->state;
        for (int32_t i = 0; i < m->state; i++) step->x[(size_t)r * m->state + i] = token[i] + position[i];
    }
    barrier(thread);
}

/* Put a head's own key and value after its query, all `state` apart, where a sequence has them, `size` apart. */
static void keep(float *keys, size_t size, const float *own, int32_t state) {
    memcpy(keys, own + state, HEAD * sizeof(float));
    memcpy(keys + size, own + 2 * (size_t)state, HEAD * sizeof(float));
}

/* Every head of every row looks at its sequence, to which the rows' own keys and values have been added. */
static void attend_to_past(Step *step, Thread thread, int32_t layer) {
    const Decoder *m = step->decoder;
    const size_t size = (size_t)m->heads * m->context * HEAD, at = 2 * layer * size;
    SHARE_OUT(i, step->n_rows * m->heads, thread) {
        const int32_t r = i / m->heads, h = i % m->heads;
        const Row *row = step->rows + r;
        const float *own = step->hidden + (size_t)r * 3 * m->state + h * HEAD;
        const size_t place = at + ((size_t)h * m->context + row->position) * HEAD;
        keep(row->past + place, size, own, m->state);
        for (int32_t b = 0; b < row->beside_count; b++) keep(row->beside[b] + place, size, own, m->state);
    }
    barrier(thread); /* rows of one sequence look at each other */
    SHARE_OUT(i, step->n_rows * m->heads, thread) {
        const int32_t r = i / m->heads, h = i % m->heads;
        const float *keys = step->rows[r].past + at + (size_t)h * m->context * HEAD;
        attend_past(step->hidden + (size_t)r * 3 * m->state + h * HEAD, keys, keys + size, step->rows[r].position + 1,
                    step->scores + (size_t)i * m->context, step->attended + (size_t)r * m->state + h * HEAD);
    }
    barrier(thread);
}

/* Every head of every row looks at its audio; rows about the same audio look together. */
static void attend_to_audio(Step *step, Thread thread, int32_t layer) {
    const Decoder *m = step->decoder;
    const size_t silent_size = (size_t)panels_of(m->silent_frames) * PANEL_SIZE;
    SHARE_OUT(i, step->n_groups * m->heads, thread) {
        const int32_t group = i / m->heads, h = i % m->heads, first = step->groups[group];
        const int32_t rows = step->groups[group + 1] - first;
        const Row *row = step->rows + first;
        const size_t place = (size_t)layer * m->heads + h;
        const size_t own = place * panels_of(row->heard) * PANEL_SIZE, silent = place * silent_size;
        const Span spans[2] = {
            {row->cross_keys + own, row->cross_values + own, 0, row->heard, 0.0f},
            {m->silent_keys + silent, m->silent_values + silent, row->silent_from, m->silent_frames, m->silent_bias},
        };
        Factor queries[QUERY_ROWS * HEAD];
        for (int32_t r = 0; r < rows; r++)
            for (int32_t d = 0; d < HEAD; d++)
                queries[r * HEAD + d] = factor(step->hidden[(size_t)(first + r) * m->state + h * HEAD + d]);
        attend(spans, rows, queries, scratch_of(step->scratch, thread),
               step->attended + (size_t)first * m->state + h * HEAD, m->state);
    }
    barrier(thread);
}

/* What one thread does of a step (Radford et al. 2022, figure 1, on the right). */
static void work_on_step(void *what, Thread thread) {
    Step *step = what;
    const Decoder *m = step->decoder;
    const int32_t n = step->n_rows, state = m->state;
    embed(step, thread);
    for (int32_t layer = 0; layer < m->layers; layer++) {
        const Block *block = m->blocks + layer;
        normalise_rows(thread, &block->attn_ln, n, step->x, state, step->levels);
        linear(thread, &block->query_key_value, n, step->levels, step->hidden, SET);
        attend_to_past(step, thread, layer);
        quantise_rows(thread, n, step->attended, state, step->levels);
        linear(thread, &block->attn_out, n, step->levels, step->x, ADD);

        normalise_rows(thread, &block->cross_ln, n, step->x, state, step->levels);
        linear(thread, &block->cross_query, n, step->levels, step->hidden, SET);
        attend_to_audio(step, thread, layer);
        quantise_rows(thread, n, step->attended, state, step->levels);
        linear(thread, &block->cross_out, n, step->levels, step->x, ADD);

        normalise_rows(thread, &block->mlp_ln, n, step->x, state, step->levels);
        linear(thread, &block->mlp_in, n, step->levels, step->hidden, GELU);
        quantise_rows(thread, n, step->hidden, 4 * state, step->levels);
        linear(thread, &block->mlp_out, n, step->levels, step->x, ADD);
    }
    SHARE_OUT(c, step->n_chosen, thread) /* into memory that is free by now */
        memcpy(step->attended + (size_t)c * state, step->x + (size_t)step->chosen[c] * state, state * sizeof(float));
    barrier(thread);
    normalise_rows(thread, &m->ln, step->n_chosen, step->attended, state, step->levels);
    linear(thread, &m->logits, step->n_chosen, step->levels, step->logits, SET);
    SHARE_OUT(c, step->n_chosen, thread) {
        const Row *row = step->rows + step->chosen[c];
        float *logits = step->logits + (size_t)c * m->vocabulary;
        if (row->logits) memcpy(row->logits, logits, (size_t)m->vocabulary * sizeof(float));
        if (row->mask) step->choices[step->chosen[c]] = choose(logits, m->vocabulary, row);
    }
}

/* Put rows about the same audio together. */
static void group_rows(Step *step) {
    for (int32_t r = 0; r < step->n_rows; r++) {
        const int begins = !r || step->rows[r].cross_keys != step->rows[r - 1].cross_keys ||
                           r - step->groups[step->n_groups - 1] == QUERY_ROWS;
        if (begins) step->groups[step->n_groups++] = r;
    }
    step->groups[step->n_groups] = step->n_rows;
}

/* The panels that a row looks at, at most. */
static int32_t most_panels(const Step *step) {
    int32_t most = 0;
    for (int32_t r = 0; r < step->n_rows; r++)
        if (panels_of(step->rows[r].heard) > most) most = panels_of(step->rows[r].heard);
    return most + panels_of(step->decoder->silent_frames);
}

static size_t lay_out_step(Step *step, int32_t panels, int32_t threads, char *memory) {
    const Decoder *m = step->decoder;
    const size_t n = step->n_rows, state = m->state;
    Arena arena = {memory, 0};
    step->x = take(&arena, n * state, sizeof(float));
    step->attended = take(&arena, n * state, sizeof(float));
    step->hidden = take(&arena, n * 4 * state, sizeof(float));
    step->scores = take(&arena, n * m->heads * m->context, sizeof(float));
    step->logits = take(&arena, n * m->vocabulary, sizeof(float));
    step->levels = take_levels(&arena, n, 4 * state);
    step->chosen = take(&arena, n, sizeof(int32_t));
    step->groups = take(&arena, n + 1, sizeof(int32_t));
    step->scratch = take_scratch(&arena, panels, threads);
    return arena.used;
}

/* Read the rows into their sequences and choose what follows each; choices (n_rows) is left alone where a row has
 * no mask. Gives 0, or -1 when there is no memory. */
int EXPORT(decoder_step)(const Decoder *decoder, int32_t n_rows, const Row *rows, Choice *choices, int32_t threads) {
    Step step = {.decoder = decoder, .rows = rows, .choices = choices, .n_rows = n_rows};
    const int32_t panels = most_panels(&step);
    char *memory = reserve(lay_out_step(&step, panels, threads, NULL));
    if (!memory) return -1;
    lay_out_step(&step, panels, threads, memory);
    group_rows(&step);
    for (int32_t r = 0; r < n_rows; r++)
        if (rows[r].mask || rows[r].logits) step.chosen[step.n_chosen++] = r;
    parallel_for(work_on_step, &step, threads);
    free(memory);
    return 0;
}

/* Encoded audio (frames, state), and where its keys and values for all layers go: (layers, heads, panels). */
typedef struct {
    const Decoder *decoder;
    int32_t frames;
    const float *encoded;
    Element *keys, *values;
    float *projected;  /* (frames, 2 * state) */
    Levels levels;     /* (frames, state) */
} Audio;

static void hear(void *what, Thread thread) {
    const Audio *audio = what;
    const Decoder *m = audio->decoder;
    const int32_t state = m->state;
    const size_t size = (size_t)panels_of(audio->frames) * PANEL_SIZE;
    quantise_rows(thread, audio->frames, audio->encoded, state, audio->levels);
    SHARE_OUT(i, m->layers * m->heads, thread) {
        clear_padding(audio->keys + i * size, audio->frames);
        clear_padding(audio->values + i * size, audio->frames);
    }
    barrier(thread);
    for (int32_t layer = 0; layer < m->layers; layer++) {
        linear(thread, &m->blocks[layer].cross_key_value, audio->frames, audio->levels, audio->projected, SET);
        SHARE_OUT(i, m->heads * audio->frames, thread) {
            const int32_t h = i / audio->frames, t = i % audio->frames;
            const float *key = audio->projected + (size_t)t * 2 * state + h * HEAD;
            const size_t head = ((size_t)layer * m->heads + h) * size;
            store_frame(audio->keys + head, audio->values + head, t, key, key + state);
        }
        barrier(thread);
    }
}

static size_t lay_out_audio(Audio *audio, char *memory) {
    Arena arena = {memory, 0};
    audio->projected = take(&arena, (size_t)audio->frames * 2 * audio->decoder->state, sizeof(float));
    audio->levels = take_levels(&arena, audio->frames, audio->decoder->state);
    return arena.used;
}

/* Project encoded audio (frames, state) to what the decoder looks at. Gives 0, or -1 when there is no memory. */
int EXPORT(decoder_hear)(const Decoder *decoder, int32_t frames, const float *encoded, Element *keys, Element *values,
                         int32_t threads) {
    Audio audio = {.decoder = decoder, .frames = frames, .encoded = encoded, .keys = keys, .values = values};
    char *memory = reserve(lay_out_audio(&audio, NULL));
    if (!memory) return -1;
    lay_out_audio(&audio, memory);
    parallel_for(hear, &audio, threads);
    free(memory);
    return 0;
}

/* Bytes of the structures that Python mirrors: Decoder, Row, Choice. */
void EXPORT(decoder_sizes)(int32_t sizes[3]) {
    sizes[0] = sizeof(Decoder);
    sizes[1] = sizeof(Row);
    sizes[2] = sizeof(Choice);
}
